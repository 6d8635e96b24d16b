/* Between the files report/compare*.c. */
#ifndef DIP_REPORT_COMPARE_PARTS_H
#define DIP_REPORT_COMPARE_PARTS_H

#include "report/compare.h"

/* Rankings made elsewhere (`eval --run`): they have no config of a training. */
bool dip_compared_is_lists(const dip_compared_run *run);

/* The part of the report that a task of the outcomes is of: of the retrieval,
 * or of a label ("articleType", "articleType.zero_shot"). NULL: none. */
const json_t *dip_compared_part(const dip_compared_run *run, const char *task);

/* Seeds of one config; `runs` is owned, what it points to borrowed. */
typedef struct {
    const dip_compared_run **runs;
    size_t count;
    char *name;
} dip_side;

/* Sides in the order in which they were given, and which is the baseline. */
typedef struct {
    dip_side *items;
    size_t count;
    size_t baseline;
} dip_sides;

/* Puts runs into sides; dip_sides_free() ends *sides, also on failure. */
dip_status dip_sides_make(dip_sides *sides, const dip_compared_run *runs,
                          size_t count, const dip_compare_options *options,
                          dip_err *err) DIP_MUST_CHECK;
void dip_sides_free(dip_sides *sides);

/* Of the report: a text of one of its parts or "", the config, the seed. */
const char *dip_compared_text(const dip_compared_run *run, const char *part,
                              const char *key);
const json_t *dip_compared_config(const dip_compared_run *run);
json_int_t dip_compared_seed(const dip_compared_run *run);
/* Whether runs of one side may differ in a key of their configs: it is no part
 * of what was tried, or changes no result. */
bool dip_compared_may_differ(const char *key);

/* Appends the rows of one task to `rows`, an item for each of `metrics`, and to
 * `changed` the queries that changed most, an item for each side but the
 * baseline. Every run has the task and the metrics. `same`: the runs asked the
 * same queries in the same order; otherwise those that all have are compared.
 * Adjusted p values are left out. */
dip_status dip_compare_task(json_t *rows, json_t *changed, const char *task,
                            const char *const *metrics, size_t metric_count,
                            const dip_sides *sides, bool same,
                            const dip_compare_options *options,
                            dip_err *err) DIP_MUST_CHECK;

#endif
