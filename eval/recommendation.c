#include "eval/recommendation.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- lists ---- */

typedef struct {
    int64_t item;
    double score;
} listed;

static int by_score_down(const void *a, const void *b)
{
    const listed *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static dip_status check_items(const int64_t *rows, int64_t count, int64_t user,
                              int64_t items, dip_err *err)
{
    for (int64_t i = 0; i < count; i++) {
        if (rows[i] < 0 || rows[i] >= items)
            return dip_fail(err, DIP_EDATA,
                            "user %" PRId64 " has item %" PRId64 " of %" PRId64,
                            user, rows[i], items);
    }
    return DIP_OK;
}

/* Marks (or unmarks) what a user has had. */
static void mark(uint8_t *had, const dip_judged *seen, uint8_t value)
{
    for (int64_t i = 0; i < seen->count; i++)
        had[seen->rows[i]] = value;
}

static dip_judged had_by(const dip_recommendations *given, int64_t user)
{
    return user < given->seen->queries ? dip_relevance_of(given->seen, user)
                                       : (dip_judged){0};
}

/* The list of one user without what `had` marks, appended to `out` at `at`;
 * returns where it ends. */
static int64_t keep_unseen(listed *out, int64_t at, const dip_run *run,
                           int64_t user, const uint8_t *had)
{
    int64_t first = at;
    for (int64_t i = run->offsets[user]; i < run->offsets[user + 1]; i++) {
        if (!had[run->rows[i]])
            out[at++] =
                (listed){run->rows[i],
                         run->scores != NULL ? run->scores[i] : (double)-i};
    }
    qsort(out + first, (size_t)(at - first), sizeof *out, by_score_down);
    return at;
}

dip_status dip_recommendation_unseen(dip_run *out,
                                     const dip_recommendations *given,
                                     dip_err *err)
{
    const dip_run *run = given->run;
    size_t count = (size_t)run->offsets[run->lists];
    int64_t *offsets = dip_calloc((size_t)run->lists + 1, sizeof *offsets);
    int64_t *rows = dip_calloc(count, sizeof *rows);
    double *scores = dip_calloc(count, sizeof *scores);
    listed *kept = dip_calloc(count, sizeof *kept);
    uint8_t *had = dip_calloc((size_t)given->items, sizeof *had);
    *out = (dip_run){run->lists, NULL, offsets, rows, scores};
    dip_status st = offsets != NULL && rows != NULL && scores != NULL &&
                            kept != NULL && had != NULL
                        ? DIP_OK
                        : dip_no_memory(err);
    for (int64_t u = 0; u < run->lists && st == DIP_OK; u++) {
        dip_judged seen = had_by(given, u);
        int64_t at = run->offsets[u];
        st = check_items(run->rows + at, run->offsets[u + 1] - at, u,
                         given->items, err);
        if (st == DIP_OK)
            st = check_items(seen.rows, seen.count, u, given->items, err);
        if (st != DIP_OK)
            break;
        mark(had, &seen, 1);
        offsets[u + 1] = keep_unseen(kept, offsets[u], run, u, had);
        mark(had, &seen, 0);
    }
    for (int64_t i = 0; st == DIP_OK && i < offsets[run->lists]; i++) {
        rows[i] = kept[i].item;
        scores[i] = kept[i].score;
    }
    free(had);
    free(kept);
    if (st != DIP_OK)
        dip_recommendation_free(out);
    return st;
}

void dip_recommendation_free(dip_run *run)
{
    free((void *)run->offsets);
    free((void *)run->rows);
    free((void *)run->scores);
    *run = (dip_run){0};
}

/* ---- measures ---- */

/* How many users have had each item; the caller frees it. */
static int64_t *count_seen(const dip_recommendations *given)
{
    const dip_relevance *seen = given->seen;
    int64_t *counts = dip_calloc((size_t)given->items, sizeof *counts);
    for (int64_t u = 0; u < seen->queries && counts != NULL; u++) {
        dip_judged had = dip_relevance_of(seen, u);
        for (int64_t i = 0; i < had.count; i++)
            counts[had.rows[i]]++;
    }
    return counts;
}

static bool has_relevant(const dip_relevance *relevance, int64_t user)
{
    dip_judged judged = {0};
    if (user < relevance->queries)
        judged = dip_relevance_of(relevance, user);
    for (int64_t i = 0; i < judged.count; i++) {
        if (judged.grades == NULL || judged.grades[i] > 0)
            return true;
    }
    return false;
}

static int by_count_up(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The numerator of Gini's index of ascending counts [n]. */
static double weigh_counts(const int64_t *counts, int64_t n)
{
    double weighted = 0;
    for (int64_t i = 0; i < n; i++)
        weighted += (double)(2 * i + 1 - n) * (double)counts[i];
    return weighted;
}

/* Mean popularity of items; NaN of none. */
static double mean_of(const int64_t *rows, int64_t n, const int64_t *popular)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)popular[rows[i]];
    return sum / (double)n;
}

/* The list of a user that counts, cut at k. */
typedef struct {
    const int64_t *rows;
    int64_t n;
    double shown, had; /* popularity of the list and of what he had; NaN */
} user_list;

typedef struct {
    int64_t users, items;
    user_list *lists; /* [users] */
    int64_t *counts;  /* [items] lists that it stands in */
    int64_t *sorted;  /* [items] these, ascending */
} user_lists;

static void free_lists(user_lists *l)
{
    free(l->lists);
    free(l->counts);
    free(l->sorted);
}

static void take_list(user_lists *l, const dip_recommendations *given,
                      int64_t user, int64_t k, const int64_t *popular)
{
    const dip_run *run = given->run;
    int64_t at = run->offsets[user], n = run->offsets[user + 1] - at;
    dip_judged seen = had_by(given, user);
    user_list *list = &l->lists[l->users++];
    *list = (user_list){run->rows + at, n < k ? n : k, NAN, NAN};
    list->shown = mean_of(list->rows, list->n, popular);
    list->had = mean_of(seen.rows, seen.count, popular);
    for (int64_t i = 0; i < list->n; i++)
        l->counts[list->rows[i]]++;
}

static dip_status make_lists(user_lists *l, const dip_recommendations *given,
                             int64_t k, dip_err *err)
{
    size_t items = (size_t)given->items;
    *l = (user_lists){
        .items = given->items,
        .lists = dip_calloc((size_t)given->run->lists, sizeof *l->lists),
        .counts = dip_calloc(items, sizeof *l->counts),
        .sorted = dip_calloc(items, sizeof *l->sorted)};
    int64_t *popular = count_seen(given);
    dip_status st = l->lists != NULL && l->counts != NULL &&
                            l->sorted != NULL && popular != NULL
                        ? DIP_OK
                        : dip_no_memory(err);
    for (int64_t u = 0; u < given->run->lists && st == DIP_OK; u++) {
        if (has_relevant(given->relevance, u))
            take_list(l, given, u, k, popular);
    }
    if (st == DIP_OK && items > 0) {
        memcpy(l->sorted, l->counts, items * sizeof *l->sorted);
        qsort(l->sorted, items, sizeof *l->sorted, by_count_up);
    }
    free(popular);
    return st;
}

/* What the measures are made of. */
typedef struct {
    double covered, weighted,
        entries;                /* items, of Gini's index, of all lists */
    double shown, filled;       /* popularity, over lists not empty */
    double had, both, profiles; /* the same of users who had something before */
} sums;

static dip_recommendation from_sums(const sums *s, const user_lists *l)
{
    double items = (double)l->items; /* 0/0 is NaN */
    return (dip_recommendation){
        .users = l->users,
        .coverage = s->covered / items,
        .gini = s->weighted / (items * s->entries),
        .popularity = s->filled > 0 ? s->shown / s->filled : NAN,
        .lift = s->profiles > 0 ? s->both / s->had - 1 : NAN};
}

static void add_popularity(sums *s, const user_list *list, double sign)
{
    if (list->n == 0)
        return;
    s->filled += sign;
    s->shown += sign * list->shown;
    if (isnan(list->had))
        return;
    s->profiles += sign;
    s->had += sign * list->had;
    s->both += sign * list->shown;
}

static sums sum_lists(const user_lists *l)
{
    sums s = {.weighted = weigh_counts(l->sorted, l->items)};
    for (int64_t i = 0; i < l->items; i++) {
        s.covered += l->counts[i] > 0;
        s.entries += (double)l->counts[i];
    }
    for (int64_t u = 0; u < l->users; u++)
        add_popularity(&s, &l->lists[u], 1);
    return s;
}

dip_status dip_recommendation_measure(dip_recommendation *out,
                                      const dip_recommendations *given,
                                      int64_t k, dip_err *err)
{
    user_lists l;
    *out = (dip_recommendation){0};
    dip_status st = make_lists(&l, given, k, err);
    if (st == DIP_OK) {
        sums s = sum_lists(&l);
        *out = from_sums(&s, &l);
    }
    free_lists(&l);
    return st;
}

const char *dip_recommendation_name(int measure)
{
    static const char *const names[DIP_RECOMMENDATION_MEASURES] = {
        "coverage", "gini", "popularity", "popularity_lift"};
    return names[measure];
}

double dip_recommendation_value(const dip_recommendation *r, int measure)
{
    const double values[DIP_RECOMMENDATION_MEASURES] = {r->coverage, r->gini,
                                                        r->popularity, r->lift};
    return values[measure];
}

/* ---- without one user ---- */

/* First place of a count among the ascending ones. */
static int64_t first_of(const user_lists *l, int64_t count)
{
    int64_t low = 0, high = l->items;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (l->sorted[middle] < count)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Each item of the list loses one of its count. The first of equal counts stays
 * in its place when it is made less by one, and then the second is the first.
 * `own` has room for the list. */
static dip_recommendation without(const sums *all, const user_lists *l,
                                  const user_list *list, int64_t *own)
{
    sums s = *all;
    int64_t equal = 0;
    for (int64_t i = 0; i < list->n; i++)
        own[i] = l->counts[list->rows[i]];
    qsort(own, (size_t)list->n, sizeof *own, by_count_up);
    for (int64_t i = 0; i < list->n; i++) {
        equal = i > 0 && own[i] == own[i - 1] ? equal + 1 : 0;
        s.weighted -=
            (double)(2 * (first_of(l, own[i]) + equal) + 1 - l->items);
        s.covered -= own[i] == 1;
    }
    s.entries -= (double)list->n;
    add_popularity(&s, list, -1);
    return from_sums(&s, l);
}

/* Values without each user become influences. */
static void centre(double *values, int64_t n, double whole)
{
    double mean = 0;
    for (int64_t u = 0; u < n; u++)
        mean += values[u] / (double)n;
    for (int64_t u = 0; u < n; u++)
        values[u] = whole + (double)(n - 1) * (mean - values[u]);
}

static dip_status fill_influences(double *out, const user_lists *l,
                                  dip_err *err)
{
    sums s = sum_lists(l);
    dip_recommendation all = from_sums(&s, l);
    int64_t longest = 0;
    for (int64_t u = 0; u < l->users; u++)
        longest = l->lists[u].n > longest ? l->lists[u].n : longest;
    int64_t *own = dip_calloc((size_t)longest, sizeof *own);
    if (own == NULL)
        return dip_no_memory(err);
    for (int64_t u = 0; u < l->users; u++) {
        dip_recommendation r = without(&s, l, &l->lists[u], own);
        for (int m = 0; m < DIP_RECOMMENDATION_MEASURES; m++)
            out[m * l->users + u] = dip_recommendation_value(&r, m);
    }
    for (int m = 0; m < DIP_RECOMMENDATION_MEASURES; m++)
        centre(out + m * l->users, l->users, dip_recommendation_value(&all, m));
    free(own);
    return DIP_OK;
}

dip_status dip_recommendation_influences(double **out, int64_t *users,
                                         const dip_recommendations *given,
                                         int64_t k, dip_err *err)
{
    user_lists l;
    size_t values = 0;
    *out = NULL;
    *users = 0;
    dip_status st = make_lists(&l, given, k, err);
    if (st == DIP_OK && dip_mul_overflows(DIP_RECOMMENDATION_MEASURES,
                                          (size_t)l.users, &values))
        st = dip_no_memory(err);
    if (st == DIP_OK) {
        *out = dip_calloc(values, sizeof **out);
        st = *out != NULL ? fill_influences(*out, &l, err) : dip_no_memory(err);
    }
    if (st == DIP_OK)
        *users = l.users;
    free_lists(&l);
    if (st != DIP_OK) {
        free(*out);
        *out = NULL;
    }
    return st;
}

static bool all_finite(const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            return false;
    }
    return n > 0;
}

dip_status
dip_recommendation_intervals(dip_interval out[DIP_RECOMMENDATION_MEASURES],
                             const dip_recommendations *given, int64_t k,
                             const dip_stats_options *options, dip_err *err)
{
    double *values;
    int64_t users;
    dip_status st =
        dip_recommendation_influences(&values, &users, given, k, err);
    for (int m = 0; m < DIP_RECOMMENDATION_MEASURES && st == DIP_OK; m++) {
        out[m] = (dip_interval){NAN, NAN, NAN};
        if (all_finite(values + m * users, users))
            st = dip_bootstrap_mean(&out[m], values + m * users, NULL, users,
                                    options, err);
    }
    free(values);
    return st;
}
