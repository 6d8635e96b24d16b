#include "eval/matching.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/areas.h"
#include "eval/classification.h"
#include "eval/resample.h"

enum { STREAM_NEGATIVES = 0x6e656761 }; /* purpose of a random stream */

typedef struct {
    int64_t category;
    int64_t group;
    int64_t row;
} product;

/* Products sorted by category, group, row: those of a category are side by
 * side, and in it those of a group, so that "any but this group" is a draw
 * from a range with a gap. */
typedef struct {
    product *items;
    int64_t n;
} product_index;

typedef struct {
    const dip_matching_split *split;
    product_index all;         /* with one category, 0 */
    product_index by_category; /* empty when no category is known */
    size_t capacity;           /* of the pairs */
    uint64_t seed;
} drawer;

static int compare_products(const void *a, const void *b)
{
    const product *x = a, *y = b;
    if (x->category != y->category)
        return x->category < y->category ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static dip_status index_products(product_index *out,
                                 const dip_matching_split *split,
                                 const int64_t *category, dip_err *err)
{
    out->n = split->products.rows;
    out->items = dip_calloc((size_t)out->n, sizeof *out->items);
    if (out->items == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < out->n; i++)
        out->items[i] = (product){category == NULL ? 0 : category[i],
                                  split->product_group[i], i};
    qsort(out->items, (size_t)out->n, sizeof *out->items, compare_products);
    return DIP_OK;
}

/* The first place that is not before `key`. */
static int64_t place_of(const product_index *index, product key)
{
    int64_t low = 0, high = index->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (compare_products(index->items + middle, &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Draws a row of `category` whose group is not `group`; -1 when there is
 * none. */
static int64_t draw_other(const product_index *index, int64_t category,
                          int64_t group, dip_rng *rng)
{
    int64_t start = place_of(index, (product){category, INT64_MIN, 0});
    int64_t gap = place_of(index, (product){category, group, 0});
    int64_t gap_end = place_of(index, (product){category, group, INT64_MAX});
    int64_t end = place_of(index, (product){category, INT64_MAX, INT64_MAX});
    int64_t others = (end - start) - (gap_end - gap);
    if (others == 0)
        return -1;
    int64_t at = start + (int64_t)dip_rng_below(rng, (uint64_t)others);
    if (at >= gap)
        at += gap_end - gap;
    return index->items[at].row;
}

static dip_status add_negative(dip_pairs *out, const drawer *d, int64_t query,
                               dip_err *err)
{
    const dip_matching_split *split = d->split;
    int64_t group = split->query_group[query], row = -1;
    int64_t place = out->positives - 1; /* of the positive pair it goes with */
    dip_rng rng = dip_rng_stream(d->seed, STREAM_NEGATIVES, (uint64_t)place, 0);
    bool near = place % 2 == 0 && d->by_category.n > 0 &&
                split->query_category[query] >= 0;
    if (near)
        row = draw_other(&d->by_category, split->query_category[query], group,
                         &rng);
    out->same_category += row >= 0;
    if (row < 0) {
        row = draw_other(&d->all, 0, group, &rng);
        out->random++;
    }
    if (row < 0)
        return dip_fail(err, DIP_EDATA,
                        "query %" PRId64 " has no product of another group",
                        query);
    out->items[out->count++] = (dip_pair){query, row, 0};
    return DIP_OK;
}

static dip_status add_pairs(dip_pairs *out, drawer *d, int64_t query,
                            dip_err *err)
{
    int64_t group = d->split->query_group[query];
    if (group < 0)
        return DIP_OK;
    dip_status st = DIP_OK;
    int64_t at = place_of(&d->all, (product){0, group, 0});
    for (; st == DIP_OK && at < d->all.n && d->all.items[at].group == group;
         at++) {
        st = dip_reserve(&out->items, &d->capacity, (size_t)out->count + 2,
                         sizeof *out->items, err);
        if (st != DIP_OK)
            return st;
        out->items[out->count++] = (dip_pair){query, d->all.items[at].row, 1};
        out->positives++;
        st = add_negative(out, d, query, err);
    }
    return st;
}

dip_status dip_matching_pairs(dip_pairs *out, const dip_matching_split *split,
                              uint64_t seed, dip_err *err)
{
    *out = (dip_pairs){0};
    drawer d = {.split = split, .seed = seed};
    dip_status st = index_products(&d.all, split, NULL, err);
    if (st == DIP_OK && split->query_category != NULL &&
        split->product_category != NULL)
        st =
            index_products(&d.by_category, split, split->product_category, err);
    for (int64_t q = 0; st == DIP_OK && q < split->queries.rows; q++)
        st = add_pairs(out, &d, q, err);
    if (st == DIP_OK && out->positives == 0)
        st = dip_fail(err, DIP_EDATA,
                      "no query and product of the split share a group");
    free(d.by_category.items);
    free(d.all.items);
    if (st != DIP_OK)
        dip_pairs_free(out);
    return st;
}

void dip_pairs_free(dip_pairs *pairs)
{
    if (pairs == NULL)
        return;
    free(pairs->items);
    *pairs = (dip_pairs){0};
}

void dip_matching_scores(double *out, const dip_pairs *pairs,
                         const dip_matching_split *split)
{
    int64_t dim = split->queries.dim;
    bool euclidean = split->queries.similarity == DIP_SIMILARITY_EUCLIDEAN;
#pragma omp parallel for
    for (int64_t i = 0; i < pairs->count; i++) {
        const float *q = split->queries.data + pairs->items[i].query * dim;
        const float *p = split->products.data + pairs->items[i].product * dim;
        double sum = 0;
        for (int64_t k = 0; k < dim; k++) {
            double a = (double)q[k], b = (double)p[k];
            sum += euclidean ? -(a - b) * (a - b) : a * b;
        }
        out[i] = sum;
    }
}

/* Scored pairs of one split. */
typedef struct {
    dip_pairs pairs;
    int32_t *match; /* [pairs.count] */
    double *scores; /* [pairs.count] */
} scored_pairs;

static void scored_pairs_free(scored_pairs *s)
{
    free(s->scores);
    free(s->match);
    dip_pairs_free(&s->pairs);
}

static dip_status check_split(const dip_matching_split *split, dip_err *err)
{
    dip_status st = dip_embeddings_check(&split->queries, "query", err);
    if (st == DIP_OK)
        st = dip_embeddings_check(&split->products, "product", err);
    if (st == DIP_OK && split->queries.dim != split->products.dim)
        st = dip_fail(err, DIP_ERANGE,
                      "queries have %" PRId64
                      " dimensions and products have %" PRId64,
                      split->queries.dim, split->products.dim);
    return st;
}

static dip_status score_split(scored_pairs *out, dip_binary *measured,
                              const dip_matching_split *split, uint64_t seed,
                              dip_err *err)
{
    dip_status st = check_split(split, err);
    if (st == DIP_OK)
        st = dip_matching_pairs(&out->pairs, split, seed, err);
    if (st != DIP_OK)
        return st;
    size_t count = (size_t)out->pairs.count;
    out->match = dip_calloc(count, sizeof *out->match);
    out->scores = dip_calloc(count, sizeof *out->scores);
    if (out->match == NULL || out->scores == NULL)
        return dip_no_memory(err);
    for (size_t i = 0; i < count; i++)
        out->match[i] = out->pairs.items[i].match;
    dip_matching_scores(out->scores, &out->pairs, split);
    return dip_binary_evaluate(measured, out->match, out->scores,
                               out->pairs.count, err);
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* Fills in what is measured at out->threshold. */
static void measure_at_threshold(dip_matching *out, const scored_pairs *s)
{
    int64_t taken = 0, right = 0, same = 0;
    for (int64_t i = 0; i < s->pairs.count; i++) {
        bool match = s->match[i] == 1,
             positive = s->scores[i] >= out->threshold;
        taken += positive;
        right += positive && match;
        same += positive == match;
    }
    out->accuracy = share(same, s->pairs.count);
    out->precision = share(right, taken);
    out->recall = share(right, out->positives);
    out->f1 = share(2 * right, taken + out->positives);
}

dip_status dip_matching_evaluate(dip_matching *out,
                                 const dip_matching_split *validation,
                                 const dip_matching_split *test, uint64_t seed,
                                 dip_err *err)
{
    *out = (dip_matching){0};
    scored_pairs chosen_on = {0}, measured_on = {0};
    dip_binary chosen, measured;
    dip_status st = score_split(&chosen_on, &chosen, validation, seed, err);
    if (st != DIP_OK) {
        (void)dip_fail_context(err, "validation split");
        goto out_free;
    }
    st = score_split(&measured_on, &measured, test, seed, err);
    if (st != DIP_OK) {
        (void)dip_fail_context(err, "test split");
        goto out_free;
    }
    *out = (dip_matching){
        .positives = measured.positives,
        .negatives = measured.negatives,
        .random = measured_on.pairs.random,
        .same_category = measured_on.pairs.same_category,
        .threshold = chosen.best_threshold,
        .validation_f1 = chosen.best_f1,
        .auc = measured.auc,
    };
    measure_at_threshold(out, &measured_on);
    dip_histogram_of_pairs(&out->scores, measured_on.match, measured_on.scores,
                           measured_on.pairs.count);
    st =
        dip_pr_curve_of_pairs(&out->curve, measured_on.match,
                              measured_on.scores, measured_on.pairs.count, err);
out_free:
    scored_pairs_free(&measured_on);
    scored_pairs_free(&chosen_on);
    return st;
}

/* ---- intervals ---- */

typedef struct {
    const scored_pairs *pairs;
    double threshold;
    dip_score_order order;
} resampled_pairs;

static double part_of(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void measure_sample(double *out, const int32_t *weights, int worker,
                           void *context)
{
    const resampled_pairs *r = context;
    const scored_pairs *s = r->pairs;
    double all = 0, positives = 0, taken = 0, right = 0, same = 0, ap;
    (void)worker;
    for (int64_t i = 0; i < s->pairs.count; i++) {
        bool match = s->match[i] == 1, positive = s->scores[i] >= r->threshold;
        double weight = weights[i];
        all += weight;
        positives += match ? weight : 0;
        taken += positive ? weight : 0;
        right += positive && match ? weight : 0;
        same += positive == match ? weight : 0;
    }
    out[0] = part_of(same, all);
    out[1] = part_of(right, taken);
    out[2] = part_of(right, positives);
    out[3] = part_of(2 * right, taken + positives);
    dip_score_order_areas(&out[4], &ap, &r->order, s->match, 1, weights);
}

const char *dip_matching_interval_name(int i)
{
    static const char *const names[DIP_MATCHING_INTERVALS] = {
        "accuracy", "precision", "recall", "f1", "auc"};
    return names[i];
}

dip_status dip_matching_intervals(dip_interval out[DIP_MATCHING_INTERVALS],
                                  const dip_matching_split *test,
                                  double threshold,
                                  const dip_stats_options *options,
                                  dip_err *err)
{
    scored_pairs scored = {0};
    resampled_pairs r = {.pairs = &scored, .threshold = threshold};
    dip_binary measured;
    int64_t *groups = NULL;
    dip_status st = score_split(&scored, &measured, test, options->seed, err);
    int64_t count = scored.pairs.count;
    if (st == DIP_OK)
        st = dip_score_order_make(&r.order, scored.scores, count, err);
    if (st == DIP_OK) {
        groups = dip_calloc((size_t)count, sizeof *groups);
        st = groups != NULL ? DIP_OK : dip_no_memory(err);
    }
    for (int64_t i = 0; i < count && st == DIP_OK; i++)
        groups[i] = test->query_group[scored.pairs.items[i].query];
    if (st == DIP_OK)
        st = dip_bootstrap_statistics(out, DIP_MATCHING_INTERVALS,
                                      measure_sample, &r, groups, count,
                                      options, err);
    free(groups);
    dip_score_order_free(&r.order);
    scored_pairs_free(&scored);
    return st;
}
