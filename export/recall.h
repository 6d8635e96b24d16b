/* What an artefact's error does to a search over the rows that it is verified
 * on. Row i of one side is the only right answer to row i of the other: a
 * product's query and the product, a text and its photo. */
#ifndef DIP_EXPORT_RECALL_H
#define DIP_EXPORT_RECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"
#include "base/status.h"

#define DIP_RECALL_AT 10

/* The side that the live model embeds for both searches. All borrowed. */
typedef struct {
    const float *rows;     /* [N, W] */
    const uint8_t *paired; /* [N]: 0 leaves row i of both sides out; NULL:
                              none. Rows of zeros, of nothing, always are */
    bool answers;          /* these are what is found, the other side asks */
    dip_similarity similarity;
} dip_recall_partner;

typedef struct {
    int64_t pairs;         /* 0: nothing to measure, the others are NaN */
    double live, artefact; /* recall at DIP_RECALL_AT, in [0, 1] */
    double overlap;        /* share of the first DIP_RECALL_AT in common */
} dip_recall;

/* Compares the searches with `rows` and with the live model's `wanted`, both
 * [count, width]. DIP_ENUMERIC for numbers that are not finite. */
dip_status dip_recall_compare(dip_recall *out,
                              const dip_recall_partner *partner,
                              const float *rows, const float *wanted,
                              int64_t count, int64_t width,
                              dip_err *err) DIP_MUST_CHECK;

#endif
