#include <string.h>

#include "data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/tokenizer_word.json", NULL};

const char *const fuzz_words[] = {
    "\"kind\"", "\"word\"", "\"tokens\"", "\"eos\"",   "true",
    "[unk]",    "\\u0000",  "\\ud800",    "\"red\", ", NULL,
};

/* tokenizer.json of a run directory. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    dip_tokenizer *tokenizer;
    dip_err err = {0};
    if (dip_tokenizer_load(&tokenizer, path, &err) != DIP_OK)
        return;
    int64_t ids[16], needed;
    dip_bytes text = {bytes, n < 4096 ? n : 4096};
    (void)!dip_tokenizer_encode(&needed, ids, 16, tokenizer, text, &err);
    dip_tokenizer_free(tokenizer);
}
