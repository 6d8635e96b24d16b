/* Text to ids. A tokenizer is built once from the training texts, saved with
 * the model, and then only read: every function that takes it const may be
 * called from any number of threads.
 *
 * Kind `word`: the text is normalised (NFKC, full case folding), then
 *   - each Han, Kana or Hangul syllable character is a token of its own;
 *   - a run of other letters, digits and the marks on them is a token;
 *   - a hyphen ends a word as all punctuation does ("t-shirt" is "t",
 *     "shirt"), but an apostrophe between two letters is left out ("men's" is
 *     "mens", as many titles spell it);
 *   - other punctuation and symbols are dropped, or one token each if
 *     `punctuation` is set;
 *   - format characters (ZWJ, soft hyphen, BOM) and variation selectors are
 *     left out and end nothing;
 *   - malformed UTF-8 is [unk], once for a run of bad bytes. */
#ifndef DIP_DATA_TOKENIZER_H
#define DIP_DATA_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "data/catalog.h"

/* kind, name in configs and files */
#define DIP_TOKENIZER_TABLE(X) X(WORD, "word")

typedef enum {
#define DIP_TOKENIZER_ENUM(name, word) DIP_TOKENIZER_##name,
    DIP_TOKENIZER_TABLE(DIP_TOKENIZER_ENUM)
#undef DIP_TOKENIZER_ENUM
        DIP_TOKENIZER_COUNT
} dip_tokenizer_kind;

/* Ids that every vocabulary begins with. */
enum { DIP_TOKEN_PAD, DIP_TOKEN_UNK, DIP_TOKEN_EOS, DIP_TOKEN_FIRST_WORD };

#define DIP_TOKENIZER_MAX_SIZE (1 << 20) /* tokens of a vocabulary */
#define DIP_TOKEN_MAX_BYTES    128       /* a longer word is [unk] */

typedef struct {
    dip_tokenizer_kind kind;
    bool punctuation;
    bool eos;          /* texts end in [eos], also when they are cut */
    int64_t min_count; /* words seen less often are [unk]; 0 counts as 1 */
    int64_t max_size;  /* with the three above; 0 = DIP_TOKENIZER_MAX_SIZE */
} dip_tokenizer_options;

typedef struct dip_tokenizer dip_tokenizer;
typedef struct dip_tokenizer_builder dip_tokenizer_builder;

/* Borrowed, static: "word". */
const char *dip_tokenizer_kind_name(dip_tokenizer_kind kind);
/* DIP_ENOTFOUND, listing the right names, when `name` is none. */
dip_status dip_tokenizer_kind_from_name(dip_tokenizer_kind *out,
                                        const char *name,
                                        dip_err *err) DIP_MUST_CHECK;

/* ---- building ---- */

dip_status dip_tokenizer_builder_create(dip_tokenizer_builder **out,
                                        const dip_tokenizer_options *options,
                                        dip_err *err) DIP_MUST_CHECK;
/* Counts the words of a text. */
dip_status dip_tokenizer_builder_add(dip_tokenizer_builder *builder,
                                     dip_bytes text,
                                     dip_err *err) DIP_MUST_CHECK;
/* The words by falling count, equal counts by their bytes: the order of the
 * texts does not matter. The caller ends *out with dip_tokenizer_free(), and
 * the builder with dip_tokenizer_builder_free(). */
dip_status dip_tokenizer_builder_finish(dip_tokenizer **out,
                                        const dip_tokenizer_builder *builder,
                                        dip_err *err) DIP_MUST_CHECK;
void dip_tokenizer_builder_free(dip_tokenizer_builder *builder);

void dip_tokenizer_free(dip_tokenizer *tokenizer);

/* ---- using ---- */

/* Writes the first `context` ids and fills up with [pad]; ids are in
 * [0, dip_tokenizer_size()). *needed is the number of ids of the whole text,
 * more than `context` when it was cut; context >= 1. */
dip_status dip_tokenizer_encode(int64_t *needed, int64_t *ids, int64_t context,
                                const dip_tokenizer *tokenizer, dip_bytes text,
                                dip_err *err) DIP_MUST_CHECK;

int64_t dip_tokenizer_size(const dip_tokenizer *tokenizer);
dip_tokenizer_kind dip_tokenizer_kind_of(const dip_tokenizer *tokenizer);
bool dip_tokenizer_has_eos(const dip_tokenizer *tokenizer);
/* Borrowed; `id` is in [0, size). */
dip_bytes dip_tokenizer_token(const dip_tokenizer *tokenizer, int64_t id);

/* ---- files: tokenizer.json ---- */

dip_status dip_tokenizer_save(const dip_tokenizer *tokenizer, const char *path,
                              dip_err *err) DIP_MUST_CHECK;
/* Everything is checked: kind, sizes, the three first tokens, no duplicate,
 * empty, overlong or malformed token. */
dip_status dip_tokenizer_load(dip_tokenizer **out, const char *path,
                              dip_err *err) DIP_MUST_CHECK;
/* SHA-256 of the bytes that dip_tokenizer_save() writes. */
dip_status dip_tokenizer_digest(char hex[DIP_DIGEST_SIZE],
                                const dip_tokenizer *tokenizer,
                                dip_err *err) DIP_MUST_CHECK;

#endif
