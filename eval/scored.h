/* Scores of rows that are right or wrong, best first. */
#ifndef DIP_EVAL_SCORED_H
#define DIP_EVAL_SCORED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    double score;
    bool right;
} dip_scored;

typedef struct {
    dip_scored *items; /* [count], the highest score first; owned */
    int64_t count, right;
} dip_scored_list;

/* Of n rows those whose label is 1, right, or 0; -1 leaves a row out. Another
 * label is DIP_EDATA, a score of NaN DIP_ENUMERIC, and both name the row. In
 * any case the caller ends it with dip_scored_free(). */
dip_status dip_scored_sort(dip_scored_list *out, const int32_t *labels,
                           const double *scores, int64_t n,
                           dip_err *err) DIP_MUST_CHECK;
void dip_scored_free(dip_scored_list *list);

#endif
