/* A thin C layer over the SentencePiece library, which is C++. */
#ifndef DIP_DATA_SENTENCEPIECE_H
#define DIP_DATA_SENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dip_sentencepiece dip_sentencepiece;

/* Reads the `n` bytes of a model file; damaged ones are DIP_EFORMAT. The caller
 * ends *out with dip_sentencepiece_close(). */
dip_status dip_sentencepiece_open(dip_sentencepiece **out, const void *bytes,
                                  size_t n, dip_err *err) DIP_MUST_CHECK;
void dip_sentencepiece_close(dip_sentencepiece *model); /* accepts NULL */

int64_t dip_sentencepiece_size(const dip_sentencepiece *model);
/* Borrowed; `id` is in [0, size). */
const char *dip_sentencepiece_piece(const dip_sentencepiece *model, int64_t id,
                                    size_t *n);

/* Ids that the model was trained with; -1: none. */
typedef struct {
    int64_t pad, unk, bos, eos;
} dip_sentencepiece_ids;

dip_sentencepiece_ids dip_sentencepiece_special(const dip_sentencepiece *model);

/* Calls `put` with each id of the text, in order; none is a begin or an end.
 * May be called from several threads. */
dip_status dip_sentencepiece_encode(const dip_sentencepiece *model,
                                    const char *text, size_t n,
                                    void (*put)(void *user, int64_t id),
                                    void *user, dip_err *err) DIP_MUST_CHECK;

#endif
