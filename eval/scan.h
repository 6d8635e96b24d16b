/* One pass over all pairs of queries and gallery rows that keeps the best rows
 * of each query and counts the rows above given scores, and holds no more of
 * the scores than a tile.
 *
 * All results are exact: as if each score were that of dip_scores_each(). Where
 * the CPU multiplies bfloat16 numbers, dot products are made of such first,
 * with a bound of their error (tensor/tile_bf16.h), and made again in fp32
 * where the bound leaves in doubt what becomes of the pair, so that results are
 * the same to the last bit, with or without. They do not depend on the number
 * of threads either. */
#ifndef DIP_EVAL_SCAN_H
#define DIP_EVAL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "eval/scores.h"
#include "eval/topk.h"

typedef struct dip_scan dip_scan;

/* A score, and where it stands among those of the whole gallery. */
typedef struct {
    double score; /* of a float */
    int64_t above;
    int64_t equal;
} dip_scan_level;

/* Of one query: distinct scores, from the highest. */
typedef struct {
    dip_scan_level *items;
    int64_t count;
} dip_scan_levels;

/* Queries [first, first + count), and what to find for each of them. */
typedef struct {
    int64_t first, count;
    dip_hit *best; /* [count, k], set as dip_topk_search() does; NULL: not */
    int64_t k;     /* at least 1 with `best` */
    const int64_t *keys;     /* of the gallery, as there; may be NULL */
    dip_scan_levels *levels; /* [count], of which `above` and `equal` are set;
                              * NULL: none */
} dip_scan_job;

/* Checks both sides as dip_scores_each() does; they are borrowed until the
 * caller ends *out with dip_scan_close(). `plain`: fp32 throughout. */
dip_status dip_scan_open(dip_scan **out, const dip_embeddings *queries,
                         const dip_embeddings *gallery, bool plain,
                         dip_err *err) DIP_MUST_CHECK;

/* The scores of a query with `n` gallery rows. */
void dip_scan_pairs(const dip_scan *scan, float *scores, int64_t query,
                    const int64_t *rows, int64_t n);

/* Fails only when memory is out. It needs per thread some 1,600 numbers for
 * each dimension, 50 bytes for each of the k best of up to 1,024 queries, but
 * no more than 4 MB of the latter unless k is above 2,000. */
dip_status dip_scan_run(const dip_scan *scan, const dip_scan_job *job,
                        dip_err *err) DIP_MUST_CHECK;

void dip_scan_close(dip_scan *scan); /* accepts NULL */

#endif
