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

/* Sorts the counts [n] for it; NaN where all are 0. */
static double gini_of(int64_t *counts, int64_t n)
{
    double sum = 0, weighted = 0;
    qsort(counts, (size_t)n, sizeof *counts, by_count_up);
    for (int64_t i = 0; i < n; i++) {
        sum += (double)counts[i];
        weighted += (double)(2 * i + 1 - n) * (double)counts[i];
    }
    return weighted / ((double)n * sum);
}

/* Mean popularity of items; NaN of none. */
static double mean_of(const int64_t *rows, int64_t n, const int64_t *popular)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)popular[rows[i]];
    return sum / (double)n;
}

dip_status dip_recommendation_measure(dip_recommendation *out,
                                      const dip_recommendations *given,
                                      int64_t k, dip_err *err)
{
    const dip_run *run = given->run;
    double shown = 0, had = 0, both = 0;
    int64_t filled = 0;
    *out = (dip_recommendation){0};
    int64_t *popular = count_seen(given);
    int64_t *counts = dip_calloc((size_t)given->items, sizeof *counts);
    if (popular == NULL || counts == NULL) {
        free(counts);
        free(popular);
        return dip_no_memory(err);
    }
    for (int64_t u = 0; u < run->lists; u++) {
        const int64_t *rows = run->rows + run->offsets[u];
        int64_t n = run->offsets[u + 1] - run->offsets[u];
        dip_judged seen = had_by(given, u);
        if (!has_relevant(given->relevance, u))
            continue;
        out->users++;
        n = n < k ? n : k;
        for (int64_t i = 0; i < n; i++)
            counts[rows[i]]++;
        if (n == 0)
            continue;
        filled++;
        shown += mean_of(rows, n, popular);
        if (seen.count == 0)
            continue;
        had += mean_of(seen.rows, seen.count, popular);
        both += mean_of(rows, n, popular);
    }
    for (int64_t i = 0; i < given->items; i++)
        out->coverage += counts[i] > 0;
    out->coverage /= (double)given->items; /* 0/0 is NaN, here and below */
    out->gini = gini_of(counts, given->items);
    out->popularity = shown / (double)filled;
    out->lift = both / had - 1;
    free(counts);
    free(popular);
    return DIP_OK;
}
