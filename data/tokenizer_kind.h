/* What a kind of tokenizer is. Each defines one dip_tokenizer_<name>, a row of
 * DIP_TOKENIZER_TABLE. */
#ifndef DIP_DATA_TOKENIZER_KIND_H
#define DIP_DATA_TOKENIZER_KIND_H

#include <jansson.h>

#include "data/interner.h"
#include "data/tokenizer.h"
#include "data/words.h"

/* Ids as they come; those that find no room are only counted. */
typedef struct {
    int64_t *ids; /* [room] */
    int64_t room;
    int64_t count;
} dip_token_ids;

static inline void dip_token_put(dip_token_ids *out, int64_t id)
{
    if (out->count < out->room)
        out->ids[out->count] = id;
    out->count++;
}

typedef struct {
    const char *name;
    /* The option that names the kind's file; NULL: built of texts. */
    const char *file;
    const char *const
        *options;    /* further ones that it reads; NULL at the end */
    dip_clean clean; /* where it reads that option: the usual one */
    int members;     /* of tokenizer.json, beside format, version and kind */
    /* Cuts a text into words to be counted; of kinds that are built of texts.
     */
    dip_status (*each)(dip_bytes text, bool punctuation, dip_word_fn fn,
                       void *user, dip_err *err);
    /* Makes it of the origin's file; of the other kinds. */
    dip_status (*read)(dip_tokenizer **out,
                       const dip_tokenizer_options *options, dip_err *err);
    /* The ids between the begin and the end token. */
    dip_status (*encode)(dip_token_ids *out, const dip_tokenizer *tokenizer,
                         dip_bytes text, dip_err *err);
    /* An object of the members; NULL when memory is out. */
    json_t *(*describe)(const dip_tokenizer *tokenizer);
    dip_status (*restore)(dip_tokenizer **out, const json_t *root,
                          const char *path, dip_err *err);
    /* Writes what stands in `dir` beside tokenizer.json; NULL: nothing. */
    dip_status (*save)(const dip_tokenizer *tokenizer, const char *dir,
                       dip_err *err);
    /* Frees what the kind added to the struct below; NULL: nothing. */
    void (*free)(dip_tokenizer *tokenizer);
} dip_tokenizer_ops;

/* The struct of a kind begins with this one. */
struct dip_tokenizer {
    const dip_tokenizer_ops *ops;
    dip_interner *tokens; /* number = id */
    dip_special_ids special;
    bool count_pads;
};

#define DIP_TOKENIZER_DECLARE(name, word)                                      \
    extern const dip_tokenizer_ops dip_tokenizer_##word;
DIP_TOKENIZER_TABLE(DIP_TOKENIZER_DECLARE)
#undef DIP_TOKENIZER_DECLARE

const dip_tokenizer_ops *dip_tokenizer_ops_of(dip_tokenizer_kind kind);

/* Allocates `size` zeroed bytes that begin with the struct above, with no
 * tokens and no special ids but pad = 0. */
dip_status dip_tokenizer_alloc(dip_tokenizer **out,
                               const dip_tokenizer_ops *ops, size_t size,
                               dip_err *err) DIP_MUST_CHECK;

/* Adds the token that must get the next id: 1 to `max_bytes` bytes of UTF-8
 * without NUL, and new. `number` and `file` stand in the message, which calls
 * it `what` ("token", "line"). */
dip_status dip_tokenizer_add(dip_tokenizer *tokenizer, dip_bytes token,
                             size_t max_bytes, const char *what, int64_t number,
                             const char *file, dip_err *err) DIP_MUST_CHECK;

/* The tokens as a JSON list of strings; NULL when memory is out. */
json_t *dip_tokenizer_tokens_json(const dip_tokenizer *tokenizer);
/* Adds those of root["tokens"], at least `least`. */
dip_status dip_tokenizer_tokens_read(dip_tokenizer *tokenizer,
                                     const json_t *root, int64_t least,
                                     size_t max_bytes, const char *path,
                                     dip_err *err) DIP_MUST_CHECK;

/* The id of a token that the kind cannot do without. */
dip_status dip_tokenizer_require(int64_t *id, const dip_tokenizer *tokenizer,
                                 const char *token, const char *file,
                                 dip_err *err) DIP_MUST_CHECK;

/* `path`, or <path>/<name> if it is a folder: a Hugging Face one, say. The
 * caller frees *out. */
dip_status dip_tokenizer_file(char **out, const char *path, const char *name,
                              dip_err *err) DIP_MUST_CHECK;

#endif
