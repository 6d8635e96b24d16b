/* What became of each query of an evaluation, and the file that keeps it:
 * tables of queries, for comparing systems query by query and for showing the
 * queries that went wrong. The file is HDF5 (docs/report.md). */
#ifndef DIP_EVAL_OUTCOMES_H
#define DIP_EVAL_OUTCOMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"
#include "eval/ranking.h"

typedef char dip_metric_name[DIP_RANKING_NAME_SIZE];

/* Texts one behind the other. */
typedef struct {
    char *bytes;
    size_t capacity;  /* of `bytes` */
    int64_t *offsets; /* [count + 1] */
} dip_text_column;

/* The evaluated queries of one task, or the rows of one label, ascending by
 * `row`. All arrays are owned;
 * {0} is empty. */
typedef struct {
    char *task;
    int64_t count;
    int64_t *row;          /* [count] row of the catalog; of a judged query its
                            * number in the search log; of lists made elsewhere
                            * a number alone */
    int64_t *group;        /* [count] equal: not independent (eval/stats.h) */
    int64_t *relevant;     /* [count] rows of the gallery that are right */
    double *rank;          /* [count] of the first of them, or of a row's class
                            * among all; INFINITY: none */
    dip_text_column ids;   /* the product's id, or the judged query's text */
    dip_text_column texts; /* what was asked; empty for a photo; the class */
    int metrics;
    dip_metric_name *names; /* [metrics] "mrr", "hit@1" … */
    double *values;         /* [metrics, count] */
    int64_t top;            /* rows that are kept for each query */
    int64_t *top_row;       /* [count, top] of the catalog, best first; -1 */
    float *top_score;       /* [count, top] */
    uint8_t *top_right;     /* [count, top] 1: one of the relevant rows */
} dip_outcomes;

typedef struct {
    dip_outcomes *items;
    int count;
} dip_outcome_set;

/* Gives an empty one its name and its arrays, zeroed. `metrics` may be 0 and
 * `top` too. DIP_ENOMEM leaves it for dip_outcomes_free(). */
dip_status dip_outcomes_alloc(dip_outcomes *out, const char *task,
                              int64_t count, int metrics, int64_t top,
                              dip_err *err) DIP_MUST_CHECK;
void dip_outcomes_free(dip_outcomes *outcomes);
/* Appends an empty one; *out is borrowed until the next. */
dip_status dip_outcome_set_add(dip_outcomes **out, dip_outcome_set *set,
                               dip_err *err) DIP_MUST_CHECK;
void dip_outcome_set_free(dip_outcome_set *set);

/* Sets text `i` of `column`; those before it must have been set. */
dip_status dip_text_column_put(dip_text_column *column, int64_t i,
                               dip_bytes text, dip_err *err) DIP_MUST_CHECK;
dip_bytes dip_text_column_get(const dip_text_column *column, int64_t i);

/* [count] values of a metric; NULL when there is none of the name. Borrowed. */
const double *dip_outcomes_values(const dip_outcomes *outcomes,
                                  const char *metric);
/* NULL when there is none of the name. Borrowed. */
const dip_outcomes *dip_outcome_set_find(const dip_outcome_set *set,
                                         const char *task);

/* Replaces `path`, atomically. */
dip_status dip_outcome_set_write(const char *path, const dip_outcome_set *set,
                                 dip_err *err) DIP_MUST_CHECK;
/* Reads a file as untrusted input: DIP_EFORMAT names what is wrong with it.
 * The caller ends *out with dip_outcome_set_free(); on failure it is empty. */
dip_status dip_outcome_set_read(dip_outcome_set *out, const char *path,
                                dip_err *err) DIP_MUST_CHECK;

#endif
