/* Text to ids. A tokenizer is built once, from the training texts or from the
 * files of a model that was trained elsewhere, saved with the model, and then
 * only read: every function that takes it const may be called from any number
 * of threads.
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
 *   - malformed UTF-8 is [unk], once for a run of bad bytes.
 *
 * Kind `character`: the same normalisation, then each character is a token;
 * white space between two is one, a blank.
 *
 * Kind `wordpiece`: BERT's (Devlin et al., NAACL 2019), by a vocab.txt. The ids
 * are those of BertTokenizerFast of transformers: [CLS] first, [SEP] last, the
 * names of the special tokens in a text are the tokens.
 *
 * Kind `clip_bpe`: CLIP's (Radford et al., ICML 2021), a byte-level BPE by a
 * file of merges. The ids are those of SimpleTokenizer of open_clip:
 * <start_of_text> first, <end_of_text> last, padded with 0. data/clean.h says
 * how texts are cleaned.
 *
 * Kind `sentencepiece`: a model of the library of that name (Kudo and
 * Richardson, EMNLP 2018), which brings its own normalisation. */
#ifndef DIP_DATA_TOKENIZER_H
#define DIP_DATA_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "data/catalog.h"
#include "data/clean.h"

/* kind, its name in configs and files; data/tokenizer_<name>.c defines it */
#define DIP_TOKENIZER_TABLE(X)                                                 \
    X(WORD, word)                                                              \
    X(CHARACTER, character)                                                    \
    X(WORDPIECE, wordpiece)                                                    \
    X(CLIP_BPE, clip_bpe)                                                      \
    X(SENTENCEPIECE, sentencepiece)

typedef enum {
#define DIP_TOKENIZER_ENUM(name, word) DIP_TOKENIZER_##name,
    DIP_TOKENIZER_TABLE(DIP_TOKENIZER_ENUM)
#undef DIP_TOKENIZER_ENUM
        DIP_TOKENIZER_COUNT
} dip_tokenizer_kind;

/* Ids that a vocabulary of training texts begins with. */
enum { DIP_TOKEN_PAD, DIP_TOKEN_UNK, DIP_TOKEN_EOS, DIP_TOKEN_FIRST_WORD };

#define DIP_TOKENIZER_MAX_SIZE     (1 << 20) /* tokens of a vocabulary */
#define DIP_TOKENIZER_LEARNED_SIZE 32768 /* of word, character, by default */
#define DIP_TOKEN_MAX_BYTES        128   /* a longer word is [unk] */

/* A kind reads those of the members that are named for it; paths are borrowed
 * and may name a folder that has the file under its usual name. */
typedef struct {
    dip_tokenizer_kind kind;
    bool punctuation;   /* word, character */
    bool eos;           /* word, character, sentencepiece: texts end in the
                           end token, also when they are cut */
    bool bos;           /* sentencepiece: and begin with the begin token */
    int64_t min_count;  /* word, character: what is seen less often is [unk];
                           0 counts as 1 */
    int64_t max_size;   /* word, character: tokens with the three above; of
                           clip_bpe as well; 0: the kind's own */
    bool lowercase;     /* wordpiece: and without accents */
    dip_clean clean;    /* clip_bpe, sentencepiece */
    int64_t pad_id;     /* sentencepiece; -1: the model's, or else its end */
    bool count_pads;    /* sentencepiece: pads are tokens of a text */
    const char *vocab;  /* wordpiece: vocab.txt */
    const char *merges; /* clip_bpe: bpe_simple_vocab_16e6.txt.gz, merges.txt */
    const char *model;  /* sentencepiece: *.model */
} dip_tokenizer_options;

typedef struct dip_tokenizer dip_tokenizer;
typedef struct dip_tokenizer_builder dip_tokenizer_builder;

/* ---- kinds ---- */

/* Borrowed, static: "word". */
const char *dip_tokenizer_kind_name(dip_tokenizer_kind kind);
/* DIP_ENOTFOUND, listing the right names, when `name` is none. */
dip_status dip_tokenizer_kind_from_name(dip_tokenizer_kind *out,
                                        const char *name,
                                        dip_err *err) DIP_MUST_CHECK;
/* The option that names the kind's file, "vocab", without which it cannot be;
 * NULL when it is built of training texts. */
const char *dip_tokenizer_kind_file(dip_tokenizer_kind kind);
/* Whether the kind reads the member of dip_tokenizer_options. */
bool dip_tokenizer_kind_reads(dip_tokenizer_kind kind, const char *option);
/* How texts of the kind are cleaned when nobody says. */
dip_clean dip_tokenizer_kind_clean(dip_tokenizer_kind kind);

/* ---- building of texts, or reading what others built ---- */

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

/* The kind must have a file. Everything in it is checked, and messages name
 * the line: duplicate, empty and malformed tokens, merges of what is not
 * there, missing special tokens, a damaged or huge archive. */
dip_status dip_tokenizer_read(dip_tokenizer **out,
                              const dip_tokenizer_options *options,
                              dip_err *err) DIP_MUST_CHECK;

void dip_tokenizer_free(dip_tokenizer *tokenizer);

/* ---- using ---- */

/* Writes the first `context` ids and fills up with pads; ids are in
 * [0, dip_tokenizer_size()). *needed is the number of ids of the whole text,
 * more than `context` when it was cut; context >= 1. A text that is cut keeps
 * its end token, as its last. */
dip_status dip_tokenizer_encode(int64_t *needed, int64_t *ids, int64_t context,
                                const dip_tokenizer *tokenizer, dip_bytes text,
                                dip_err *err) DIP_MUST_CHECK;
/* How many of the ids a model is to read: at most `context`, all of them where
 * pads count as tokens, none where the text has no words. */
int64_t dip_tokenizer_length(const dip_tokenizer *tokenizer, int64_t needed,
                             int64_t context);
bool dip_tokenizer_counts_pads(const dip_tokenizer *tokenizer);

int64_t dip_tokenizer_size(const dip_tokenizer *tokenizer);
dip_tokenizer_kind dip_tokenizer_kind_of(const dip_tokenizer *tokenizer);
bool dip_tokenizer_has_eos(const dip_tokenizer *tokenizer);
/* Borrowed; `id` is in [0, size). */
dip_bytes dip_tokenizer_token(const dip_tokenizer *tokenizer, int64_t id);

/* Ids with a meaning of their own; -1 where the kind has none. Pads always are.
 */
typedef struct {
    int64_t pad, unk, bos, eos;
} dip_special_ids;

dip_special_ids dip_tokenizer_special(const dip_tokenizer *tokenizer);
/* The id to mask a token with: [MASK], or else that of unknown ones; -1 of a
 * kind that has neither. */
int64_t dip_tokenizer_mask(const dip_tokenizer *tokenizer);

/* ---- files: tokenizer.json, and tokenizer.model beside a sentencepiece ----
 */

dip_status dip_tokenizer_save(const dip_tokenizer *tokenizer, const char *path,
                              dip_err *err) DIP_MUST_CHECK;
/* Everything is checked: kind, sizes, special tokens, no duplicate, empty,
 * overlong or malformed token, the digest of what stands beside. */
dip_status dip_tokenizer_load(dip_tokenizer **out, const char *path,
                              dip_err *err) DIP_MUST_CHECK;
/* SHA-256 of the bytes that dip_tokenizer_save() writes to `path`, which name
 * the digest of the file beside it; "" of NULL, which is no tokenizer. */
dip_status dip_tokenizer_digest(char hex[DIP_DIGEST_SIZE],
                                const dip_tokenizer *tokenizer,
                                dip_err *err) DIP_MUST_CHECK;

#endif
