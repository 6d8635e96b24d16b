/* Which gallery rows are right answers to which query. */
#ifndef DIP_EVAL_RELEVANCE_H
#define DIP_EVAL_RELEVANCE_H

#include <stdint.h>

#include "base/status.h"

/* Lists of judged gallery rows. Queries may share a list, so that "same label"
 * costs one list per label. A caller may fill the struct with its own arrays
 * and then must not call dip_relevance_free(). */
typedef struct {
    int64_t queries;
    int64_t lists;
    int64_t *list_of; /* [queries] list of a query, -1: none; NULL: list q */
    int64_t *offsets; /* [lists + 1], ascending from 0 */
    int64_t *rows;    /* [offsets[lists]] gallery rows, distinct in a list */
    float *grades;    /* beside rows, >= 0, 0 is judged and wrong; NULL: 1 */
} dip_relevance;

/* Rows of one query, borrowed. */
typedef struct {
    const int64_t *rows;
    const float *grades; /* NULL: all 1 */
    int64_t count;
} dip_judged;

/* A gallery row is relevant to a query when the two are equal in at least one
 * of the `columns` keys (say group, or number of the normalised title);
 * negative keys are missing and equal nothing. Keys are row-major
 * [rows, columns]. The caller owns *out and ends it with
 * dip_relevance_free(). For "all of several columns equal" give one column
 * that numbers their combinations. */
dip_status dip_relevance_by_keys(dip_relevance *out, const int64_t *query_keys,
                                 int64_t queries, const int64_t *gallery_keys,
                                 int64_t gallery, int64_t columns,
                                 dip_err *err) DIP_MUST_CHECK;

/* Frees the arrays of one that dip_relevance_by_keys() made, and empties it. */
void dip_relevance_free(dip_relevance *relevance);

/* The list of one query, empty when it has none. */
dip_judged dip_relevance_of(const dip_relevance *relevance, int64_t query);

/* DIP_EDATA, naming the query, for a grade outside [0, 1000] or NaN, a row
 * outside [0, gallery) or given twice in a list, or broken offsets. */
dip_status dip_relevance_check(const dip_relevance *relevance, int64_t gallery,
                               dip_err *err) DIP_MUST_CHECK;

#endif
