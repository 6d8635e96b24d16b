/* A model of the SentencePiece library. tokenizer.json holds the settings and
 * the digest of tokenizer.model, which stands beside it, byte for byte as the
 * origin has it. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/sentencepiece.h"
#include "data/tokenizer_kind.h"

#define FILE_MAX_BYTES  ((size_t)64 << 20)
#define TOKEN_MAX_BYTES 4096
#define SAVED_NAME      "tokenizer.model"
#define USUAL_NAME      "spiece.model"

struct model {
    dip_tokenizer base;
    dip_clean clean;
    dip_sentencepiece *pieces;
    char *bytes; /* of the model file */
    size_t size;
    char digest[DIP_DIGEST_SIZE]; /* of them */
};

/* What tokenizer.json and a config say. */
struct wishes {
    dip_clean clean;
    bool bos, eos, count_pads;
    int64_t pad_id; /* -1: the model's */
};

static void put_id(void *out, int64_t id)
{
    dip_token_put(out, id);
}

static dip_status encode(dip_token_ids *out, const dip_tokenizer *tokenizer,
                         dip_bytes text, dip_err *err)
{
    const struct model *model = (const struct model *)tokenizer;
    dip_str clean = {0};
    dip_status st = dip_clean_text(&clean, text, model->clean, err);
    if (st == DIP_OK)
        st = dip_sentencepiece_encode(model->pieces, dip_str_text(&clean),
                                      clean.len, put_id, out, err);
    dip_str_free(&clean);
    return st;
}

static dip_status add_pieces(struct model *model, const char *path,
                             dip_err *err)
{
    dip_status st = DIP_OK;
    int64_t count = dip_sentencepiece_size(model->pieces);
    for (int64_t i = 0; st == DIP_OK && i < count; i++) {
        dip_bytes piece;
        piece.data = dip_sentencepiece_piece(model->pieces, i, &piece.len);
        st = dip_tokenizer_add(&model->base, piece, TOKEN_MAX_BYTES, "piece", i,
                               path, err);
    }
    return st;
}

static dip_status choose_special(struct model *model,
                                 const struct wishes *wishes, const char *path,
                                 dip_err *err)
{
    dip_sentencepiece_ids own = dip_sentencepiece_special(model->pieces);
    int64_t size = dip_tokenizer_size(&model->base);
    int64_t pad = wishes->pad_id;
    if (wishes->bos && own.bos < 0)
        return dip_fail(err, DIP_EDATA, "no begin token in '%s'", path);
    if (wishes->eos && own.eos < 0)
        return dip_fail(err, DIP_EDATA, "no end token in '%s'", path);
    if (pad < 0)
        pad = own.pad >= 0 ? own.pad : own.eos >= 0 ? own.eos : 0;
    if (pad >= size)
        return dip_fail(err, DIP_ERANGE, "pad_id %lld of %lld pieces in '%s'",
                        (long long)pad, (long long)size, path);
    model->base.special = (dip_special_ids){
        pad, own.unk, wishes->bos ? own.bos : -1, wishes->eos ? own.eos : -1};
    return DIP_OK;
}

static dip_status fill(struct model *model, const struct wishes *wishes,
                       const char *path, dip_err *err)
{
    dip_status st =
        dip_file_read(&model->bytes, &model->size, path, FILE_MAX_BYTES, err);
    if (st != DIP_OK)
        return st;
    st = dip_digest_bytes(model->digest, model->bytes, model->size, err);
    if (st == DIP_OK)
        st = dip_sentencepiece_open(&model->pieces, model->bytes, model->size,
                                    err);
    if (st != DIP_OK) {
        dip_fail_context(err, "'%s'", path);
        return st;
    }
    st = add_pieces(model, path, err);
    return st == DIP_OK ? choose_special(model, wishes, path, err) : st;
}

static dip_status create(dip_tokenizer **out, const struct wishes *wishes,
                         const char *path, dip_err *err)
{
    dip_status st = dip_tokenizer_alloc(out, &dip_tokenizer_sentencepiece,
                                        sizeof(struct model), err);
    if (st != DIP_OK)
        return st;
    struct model *model = (struct model *)*out;
    model->clean = wishes->clean;
    model->base.count_pads = wishes->count_pads;
    st = fill(model, wishes, path, err);
    if (st != DIP_OK) {
        dip_tokenizer_free(*out);
        *out = NULL;
    }
    return st;
}

static void free_model(dip_tokenizer *tokenizer)
{
    struct model *model = (struct model *)tokenizer;
    dip_sentencepiece_close(model->pieces);
    free(model->bytes);
}

static dip_status read_model(dip_tokenizer **out,
                             const dip_tokenizer_options *options, dip_err *err)
{
    const struct wishes wishes = {options->clean, options->bos, options->eos,
                                  options->count_pads, options->pad_id};
    char *path;
    *out = NULL;
    dip_status st = dip_tokenizer_file(&path, options->model, USUAL_NAME, err);
    if (st == DIP_OK)
        st = create(out, &wishes, path, err);
    free(path);
    return st;
}

/* ---- our files ---- */

static json_t *describe(const dip_tokenizer *tokenizer)
{
    const struct model *model = (const struct model *)tokenizer;
    const dip_special_ids *special = &tokenizer->special;
    return json_pack("{s:s, s:b, s:b, s:I, s:b, s:s}", "clean",
                     dip_clean_name(model->clean), "bos",
                     (int)(special->bos >= 0), "eos", (int)(special->eos >= 0),
                     "pad_id", (json_int_t)special->pad, "count_pads",
                     (int)tokenizer->count_pads, "model_sha256", model->digest);
}

static dip_status save(const dip_tokenizer *tokenizer, const char *dir,
                       dip_err *err)
{
    const struct model *model = (const struct model *)tokenizer;
    char *path = dip_path_join(dir, SAVED_NAME);
    dip_status st = path != NULL
                        ? dip_file_write(path, model->bytes, model->size, err)
                        : dip_no_memory(err);
    free(path);
    return st;
}

static dip_status read_wishes(struct wishes *out, const char **digest,
                              const json_t *root, const char *path,
                              dip_err *err)
{
    const char *clean = "";
    dip_status st = dip_json_get_string(&clean, root, "clean", path, err);
    if (st == DIP_OK)
        st = dip_json_get_bool(&out->bos, root, "bos", path, err);
    if (st == DIP_OK)
        st = dip_json_get_bool(&out->eos, root, "eos", path, err);
    if (st == DIP_OK)
        st = dip_json_get_int(&out->pad_id, root, "pad_id", path, err);
    if (st == DIP_OK)
        st = dip_json_get_bool(&out->count_pads, root, "count_pads", path, err);
    if (st == DIP_OK)
        st = dip_json_get_string(digest, root, "model_sha256", path, err);
    if (st != DIP_OK)
        return st;
    st = dip_clean_from_name(&out->clean, clean, err);
    if (st != DIP_OK)
        dip_fail_context(err, "'%s'", path);
    else if (out->pad_id < 0)
        st = dip_fail(err, DIP_ERANGE, "pad_id is negative in '%s'", path);
    return st;
}

static dip_status restore_beside(dip_tokenizer **out,
                                 const struct wishes *wishes,
                                 const char *digest, const char *path,
                                 dip_err *err)
{
    char *dir = dip_path_dir(path);
    char *beside = dir != NULL ? dip_path_join(dir, SAVED_NAME) : NULL;
    dip_status st =
        beside != NULL ? create(out, wishes, beside, err) : dip_no_memory(err);
    if (st == DIP_OK &&
        strcmp(((const struct model *)*out)->digest, digest) != 0) {
        st = dip_fail(err, DIP_EFORMAT, "'%s' is not the one of '%s'", beside,
                      path);
        dip_tokenizer_free(*out);
        *out = NULL;
    }
    free(beside);
    free(dir);
    return st;
}

static dip_status restore(dip_tokenizer **out, const json_t *root,
                          const char *path, dip_err *err)
{
    struct wishes wishes;
    const char *digest;
    dip_status st = read_wishes(&wishes, &digest, root, path, err);
    return st == DIP_OK ? restore_beside(out, &wishes, digest, path, err) : st;
}

static const char *const options_read[] = {"clean",  "bos",        "eos",
                                           "pad_id", "count_pads", NULL};

const dip_tokenizer_ops dip_tokenizer_sentencepiece = {
    .name = "sentencepiece",
    .file = "model",
    .options = options_read,
    .members = 6,
    .read = read_model,
    .encode = encode,
    .describe = describe,
    .restore = restore,
    .save = save,
    .free = free_model,
};
