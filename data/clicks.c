#include "data/clicks.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define LEAST_LOOKS 0.1

static bool has_impressions(const dip_click_options *o)
{
    bool any = false;
    for (int i = 0; i < o->event_count; i++)
        any = any || o->events[i].impression;
    return any;
}

void dip_clicks_add(dip_click_pair *pair, const dip_click_options *o, int event,
                    int64_t rank, double times)
{
    const dip_click_event *kind = &o->events[event];
    double looks = fmax(pow((double)rank, -o->rank_bias), LEAST_LOOKS);
    bool rates = has_impressions(o);
    if (kind->impression) {
        pair->shown += times * looks;
        pair->seen += times;
    } else if (kind->weight > 0 && times > 0) {
        pair->done += kind->weight * times / (rates ? 1 : looks);
        pair->best = fmax(pair->best, kind->weight);
        pair->seen += rates ? 0 : times;
    }
}

/* ---- values -------------------------------------------------------------- */

/* Weight of events for an impression, of each split, as far as impressions of
 * the same pair are there. */
static void find_rates(double rates[DIP_SPLIT_COUNT],
                       const dip_click_pair *pairs, int64_t count)
{
    double done[DIP_SPLIT_COUNT] = {0}, shown[DIP_SPLIT_COUNT] = {0};
    for (int64_t i = 0; i < count; i++) {
        if (!(pairs[i].shown > 0))
            continue;
        done[pairs[i].judgement.split] += pairs[i].done;
        shown[pairs[i].judgement.split] += pairs[i].shown;
    }
    for (int s = 0; s < DIP_SPLIT_COUNT; s++)
        rates[s] = shown[s] > 0 ? done[s] / shown[s] : 0;
}

/* `rates` is NULL where there are no impressions. */
static double value_of(const dip_click_pair *pair, const dip_click_options *o,
                       const double *rates)
{
    if (!(pair->done > 0))
        return 0;
    if (o->best)
        return pair->best;
    if (rates == NULL)
        return pair->done;
    return (pair->done + o->prior * rates[pair->judgement.split]) /
           (pair->shown + o->prior);
}

/* A pair in the list of its query. */
typedef struct {
    int64_t query, row, at;
    dip_split split;
    double value;
} listed;

/* By query and split, then falling value, then row. */
static int compare_listed(const void *a, const void *b)
{
    const listed *x = a, *y = b;
    if (x->query != y->query)
        return x->query < y->query ? -1 : 1;
    if (x->split != y->split)
        return x->split < y->split ? -1 : 1;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static double highest(const listed *list, int64_t count, bool train_alone)
{
    double found = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!train_alone || list[i].split == DIP_SPLIT_TRAIN)
            found = fmax(found, list[i].value);
    }
    return found;
}

static int64_t keep_seen(dip_click_pair *pairs, int64_t count, double least)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (pairs[i].seen >= least)
            pairs[kept++] = pairs[i];
    }
    return kept;
}

/* ---- grades -------------------------------------------------------------- */

/* Grades the sorted list, query by query; the spare arrays have its length. */
static void grade_lists(dip_click_pair *pairs, const listed *list,
                        int64_t count, const dip_grading *grading,
                        double *values, float *grades)
{
    for (int64_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && list[end].query == list[first].query &&
                          list[end].split == list[first].split;
             end++)
            values[end - first] = list[end].value;
        dip_grading_list(grades, values, end - first, grading);
        for (int64_t i = first; i < end; i++)
            pairs[list[i].at].judgement.grade = grades[i - first];
    }
}

static void fill_list(listed *list, const dip_click_pair *pairs, int64_t count,
                      const dip_click_options *o, const double *rates)
{
    for (int64_t i = 0; i < count; i++) {
        const dip_judgement *j = &pairs[i].judgement;
        list[i] = (listed){j->query, j->row, i, j->split,
                           value_of(&pairs[i], o, rates)};
    }
    qsort(list, (size_t)count, sizeof *list, compare_listed);
}

dip_status dip_clicks_grade(dip_click_pair *pairs, int64_t *count,
                            const dip_click_options *options, dip_err *err)
{
    double rates[DIP_SPLIT_COUNT];
    dip_grading grading = options->grading;
    find_rates(rates, pairs, *count);
    int64_t kept = *count = keep_seen(pairs, *count, options->least);
    listed *list = dip_calloc((size_t)kept, sizeof *list);
    double *values = dip_calloc((size_t)kept, sizeof *values);
    float *grades = dip_calloc((size_t)kept, sizeof *grades);
    dip_status st = list != NULL && values != NULL && grades != NULL
                        ? DIP_OK
                        : dip_no_memory(err);
    if (st == DIP_OK) {
        fill_list(list, pairs, kept, options,
                  has_impressions(options) ? rates : NULL);
        if (!(grading.full > 0))
            grading.full = highest(list, kept, true);
        if (!(grading.full > 0))
            grading.full = highest(list, kept, false);
        grade_lists(pairs, list, kept, &grading, values, grades);
    }
    free(list);
    free(values);
    free(grades);
    return st;
}
