#include "eval/outcomes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

dip_status dip_outcomes_alloc(dip_outcomes *out, const char *task,
                              int64_t count, int metrics, int64_t top,
                              dip_err *err)
{
    size_t n = (size_t)count, hits, values;
    if (dip_mul_overflows(n, (size_t)top, &hits) ||
        dip_mul_overflows(n, (size_t)metrics, &values))
        return dip_no_memory(err);
    *out =
        (dip_outcomes){.task = dip_strdup(task),
                       .count = count,
                       .row = dip_calloc(n, sizeof *out->row),
                       .group = dip_calloc(n, sizeof *out->group),
                       .relevant = dip_calloc(n, sizeof *out->relevant),
                       .rank = dip_calloc(n, sizeof *out->rank),
                       .metrics = metrics,
                       .names = dip_calloc((size_t)metrics, sizeof *out->names),
                       .values = dip_calloc(values, sizeof *out->values),
                       .top = top,
                       .top_row = dip_calloc(hits, sizeof *out->top_row),
                       .top_score = dip_calloc(hits, sizeof *out->top_score),
                       .top_right = dip_calloc(hits, sizeof *out->top_right)};
    out->ids.offsets = dip_calloc(n + 1, sizeof *out->ids.offsets);
    out->texts.offsets = dip_calloc(n + 1, sizeof *out->texts.offsets);
    bool complete = out->task != NULL && out->row != NULL &&
                    out->group != NULL && out->relevant != NULL &&
                    out->rank != NULL && out->names != NULL &&
                    out->values != NULL && out->top_row != NULL &&
                    out->top_score != NULL && out->top_right != NULL &&
                    out->ids.offsets != NULL && out->texts.offsets != NULL;
    return complete ? DIP_OK : dip_no_memory(err);
}

static void free_column(dip_text_column *column)
{
    free(column->bytes);
    free(column->offsets);
}

void dip_outcomes_free(dip_outcomes *o)
{
    free(o->task);
    free(o->row);
    free(o->group);
    free(o->relevant);
    free(o->rank);
    free_column(&o->ids);
    free_column(&o->texts);
    free(o->names);
    free(o->values);
    free(o->top_row);
    free(o->top_score);
    free(o->top_right);
    *o = (dip_outcomes){0};
}

void dip_outcome_set_free(dip_outcome_set *set)
{
    for (int i = 0; i < set->count; i++)
        dip_outcomes_free(&set->items[i]);
    free(set->items);
    *set = (dip_outcome_set){0};
}

dip_status dip_outcome_set_add(dip_outcomes **out, dip_outcome_set *set,
                               dip_err *err)
{
    size_t capacity = (size_t)set->count; /* tasks are few: grown one by one */
    dip_status st = dip_reserve(&set->items, &capacity, capacity + 1,
                                sizeof *set->items, err);
    if (st != DIP_OK)
        return st;
    *out = &set->items[set->count++];
    **out = (dip_outcomes){0};
    return DIP_OK;
}

dip_status dip_text_column_put(dip_text_column *column, int64_t i,
                               dip_bytes text, dip_err *err)
{
    size_t start = (size_t)column->offsets[i], end;
    if (dip_add_overflows(start, text.len, &end))
        return dip_no_memory(err);
    dip_status st = dip_reserve(&column->bytes, &column->capacity, end, 1, err);
    if (st == DIP_OK && text.len > 0)
        memcpy(column->bytes + start, text.data, text.len);
    if (st == DIP_OK)
        column->offsets[i + 1] = (int64_t)end;
    return st;
}

dip_bytes dip_text_column_get(const dip_text_column *column, int64_t i)
{
    size_t start = (size_t)column->offsets[i];
    size_t len = (size_t)column->offsets[i + 1] - start;
    return (dip_bytes){len > 0 ? column->bytes + start : "", len};
}

const double *dip_outcomes_values(const dip_outcomes *o, const char *metric)
{
    for (int m = 0; m < o->metrics; m++) {
        if (strcmp(o->names[m], metric) == 0)
            return o->values + m * o->count;
    }
    return NULL;
}

const dip_outcomes *dip_outcome_set_find(const dip_outcome_set *set,
                                         const char *task)
{
    for (int i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].task, task) == 0)
            return &set->items[i];
    }
    return NULL;
}
