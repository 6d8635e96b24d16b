/* Hard negatives: wrong answers that a model ranks high. Those between two
 * ranks are taken, since the very first are often right answers that nobody has
 * marked, and those that come too near to the right answer are left out for the
 * same reason (a margin below the score of the positive: NV-Retriever, arXiv
 * 2407.15831). */
#ifndef DIP_EVAL_MINING_H
#define DIP_EVAL_MINING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/relevance.h"
#include "eval/scores.h"

typedef struct {
    int64_t from, to; /* ranks among wrong answers; 1 <= from <= to */
    int64_t count;    /* of a query at most, the first of them; >= 1 */
    bool has_margin;
    double margin; /* they score at least so much less than the right one */
} dip_mine_options;

/* What is searched; all borrowed. Right from wrong tell the keys of rows, or,
 * where `judged` is not NULL, grades: what is judged 0 or not at all is wrong.
 */
typedef struct {
    dip_embeddings queries, gallery;
    const int64_t *query_rows;   /* [queries] of the catalog, for keys */
    const int64_t *gallery_rows; /* [gallery] */
    const int64_t *own; /* [queries] position of the right answer, or -1 */
    const dip_row_keys *keys;
    const dip_row_queries *judged;
    const int64_t *asked; /* [queries] of the log, for `judged` */
} dip_mine_input;

/* Writes rows of the catalog to out [queries, count], the nearest first, -1
 * behind the last. A query without `own` has none where there is a margin.
 * Errors are those of dip_scores_each(), and DIP_ERANGE for options. */
dip_status dip_mine(int64_t *out, const dip_mine_input *mining,
                    const dip_mine_options *options,
                    dip_err *err) DIP_MUST_CHECK;

#endif
