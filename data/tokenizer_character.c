#include "data/tokenizer_learned.h"

static dip_status restore(dip_tokenizer **out, const json_t *root,
                          const char *path, dip_err *err)
{
    return dip_learned_restore(out, &dip_tokenizer_character, root, path, err);
}

const dip_tokenizer_ops dip_tokenizer_character = {
    .name = "character",
    .options = dip_learned_options,
    .members = DIP_LEARNED_MEMBERS,
    .each = dip_characters_each,
    .encode = dip_learned_encode,
    .describe = dip_learned_describe,
    .restore = restore,
};
