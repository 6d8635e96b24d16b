/* Byte-pair encoding (Sennrich et al., ACL 2016) of words, byte by byte. The
 * first 512 symbols are the bytes, then the bytes that end a word, each in the
 * order of CLIP: the printable characters of Latin-1, then the others. Each
 * merge of two symbols makes the next one; of the pairs in a word the one that
 * was added first is merged first, the leftmost of equal ones. */
#ifndef DIP_DATA_BPE_H
#define DIP_DATA_BPE_H

#include "data/tokenizer_kind.h"

#define DIP_BPE_BYTES 256
#define DIP_BPE_FIRST (2 * DIP_BPE_BYTES) /* the symbol of the first merge */

typedef struct dip_bpe dip_bpe;

dip_status dip_bpe_create(dip_bpe **out, dip_err *err) DIP_MUST_CHECK;
void dip_bpe_free(dip_bpe *bpe); /* accepts NULL */

/* Adds a merge of two symbols that are there; DIP_EFORMAT when it was added
 * before. */
dip_status dip_bpe_add(dip_bpe *bpe, int32_t left, int32_t right,
                       dip_err *err) DIP_MUST_CHECK;
/* After the last merge. */
dip_status dip_bpe_finish(dip_bpe *bpe, dip_err *err) DIP_MUST_CHECK;

int64_t dip_bpe_merges(const dip_bpe *bpe);
/* The two symbols of merge i. */
void dip_bpe_pair(int32_t *left, int32_t *right, const dip_bpe *bpe, int64_t i);

/* The byte of a symbol below DIP_BPE_BYTES. */
unsigned char dip_bpe_byte(int32_t symbol);

/* Puts the symbols of a word of at least one byte. Takes memory for words of
 * more than 64 bytes only, that are no symbol as a whole. */
dip_status dip_bpe_encode(dip_token_ids *out, const dip_bpe *bpe,
                          dip_bytes word, dip_err *err) DIP_MUST_CHECK;

#endif
