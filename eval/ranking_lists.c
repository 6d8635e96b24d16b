#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "eval/ranking_private.h"

/* Rankings of lists made elsewhere. */

typedef struct {
    int64_t row;
    double score; /* of an item of a list; the grade of a judgement */
} item;

/* What dip_ranking_evaluate_run() works on, besides the ranker. */
typedef struct {
    const dip_run *run;
    int64_t *list_of; /* [queries], -1: not in the run */
    item *items;      /* [longest list] */
    item *judged;     /* [most judged rows] */
    dip_placed found; /* of the query at hand */
    dip_scan_levels levels;
} run_reader;

static int by_row_up(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_item_score_down(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* Finds the list of each query; *longest is the length of the longest. */
static dip_status index_run(run_reader *rr, const dip_ranker *r,
                            int64_t *longest, dip_err *err)
{
    const dip_run *run = rr->run;
    int64_t queries = r->relevance->queries;
    for (int64_t q = 0; q < queries; q++)
        rr->list_of[q] = -1;
    for (int64_t i = 0; i < run->lists; i++) {
        int64_t q = run->query == NULL ? i : run->query[i];
        int64_t length = run->offsets[i + 1] - run->offsets[i];
        if (length < 0 || (i == 0 && run->offsets[0] != 0))
            return dip_fail(err, DIP_EDATA,
                            "broken offsets of list %" PRId64 " of the run", i);
        if (q < 0 || q >= queries)
            return dip_fail(err, DIP_EDATA,
                            "list %" PRId64 " of the run is of query %" PRId64
                            ", which is not judged",
                            i, q);
        if (rr->list_of[q] >= 0)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " is in the run twice", q);
        rr->list_of[q] = i;
        if (length > *longest)
            *longest = length;
    }
    for (int64_t q = 0; q < queries; q++) {
        if (rr->list_of[q] < 0 && dip_relevance_of(r->relevance, q).count > 0)
            return dip_fail(err, DIP_EDATA,
                            "judged query %" PRId64 " is missing from the run",
                            q);
    }
    return DIP_OK;
}

/* Reads the list of `query` into rr->items, sorted by row; *n of them. */
static dip_status read_list(const run_reader *rr, const dip_ranker *r,
                            int64_t query, int64_t *n, dip_err *err)
{
    const dip_run *run = rr->run;
    int64_t list = rr->list_of[query], excluded = dip_ranker_excluded(r, query);
    *n = 0;
    for (int64_t i = run->offsets[list]; i < run->offsets[list + 1]; i++) {
        int64_t row = run->rows[i];
        double score = run->scores == NULL ? -(double)i : run->scores[i];
        if (isnan(score))
            return dip_fail(err, DIP_ENUMERIC,
                            "the score of row %" PRId64 " for query %" PRId64
                            " is NaN",
                            row, query);
        if (row < 0)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " finds row %" PRId64, query, row);
        if (row != excluded)
            rr->items[(*n)++] = (item){row, score};
    }
    qsort(rr->items, (size_t)*n, sizeof *rr->items, by_row_up);
    for (int64_t i = 1; i < *n; i++) {
        if (rr->items[i].row == rr->items[i - 1].row)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " finds row %" PRId64 " twice",
                            query, rr->items[i].row);
    }
    return DIP_OK;
}

/* Puts the relevant ones among the items into rr->found. */
static void match_items(run_reader *rr, const dip_judged *judged, int64_t n)
{
    int64_t n_judged = 0, at = 0;
    rr->found.n = 0;
    for (int64_t i = 0; i < judged->count; i++) {
        double grade = dip_judged_grade(judged, i);
        if (grade > 0)
            rr->judged[n_judged++] = (item){judged->rows[i], grade};
    }
    qsort(rr->judged, (size_t)n_judged, sizeof *rr->judged, by_row_up);
    for (int64_t i = 0; i < n_judged; i++) {
        while (at < n && rr->items[at].row < rr->judged[i].row)
            at++;
        if (at < n && rr->items[at].row == rr->judged[i].row)
            rr->found.entries[rr->found.n++] =
                (dip_entry){rr->items[at].score, rr->judged[i].score};
    }
    dip_placed_levels(&rr->found);
}

static void count_items(const dip_scan_levels *levels, item *items, int64_t n)
{
    qsort(items, (size_t)n, sizeof *items, by_item_score_down);
    int64_t at = 0;
    for (int64_t l = 0; l < levels->count; l++) {
        dip_scan_level *level = levels->items + l;
        while (items[at].score > level->score)
            at++;
        level->above = at;
        while (at < n && items[at].score == level->score)
            at++;
        level->equal = at - level->above;
    }
}

static dip_status evaluate_list(run_reader *rr, const dip_ranker *r,
                                int64_t query, dip_err *err)
{
    int64_t n;
    dip_status st = read_list(rr, r, query, &n, err);
    int64_t slot = r->slot_of[query];
    if (st != DIP_OK || slot < 0 || r->out->per_query[slot].relevant == 0)
        return st;
    dip_judged judged = dip_relevance_of(r->relevance, query);
    match_items(rr, &judged, n);
    count_items(&rr->levels, rr->items, n);
    dip_ranker_measure(r, slot, &judged, r->scratch, &rr->found);
    return DIP_OK;
}

static dip_status evaluate_lists(dip_ranker *r, const dip_run *run,
                                 dip_err *err)
{
    int64_t queries = r->relevance->queries, longest = 0;
    run_reader rr = {.run = run};
    dip_status st = DIP_OK;
    rr.list_of = dip_calloc((size_t)queries, sizeof *rr.list_of);
    if (rr.list_of == NULL)
        return dip_no_memory(err);
    st = index_run(&rr, r, &longest, err);
    if (st == DIP_OK)
        st = dip_ranker_scratch(r, 1, longest, err);
    if (st != DIP_OK)
        goto out_free;
    rr.items = dip_calloc((size_t)longest, sizeof *rr.items);
    rr.judged = dip_calloc((size_t)r->most, sizeof *rr.judged);
    rr.levels.items = dip_calloc((size_t)r->most, sizeof *rr.levels.items);
    rr.found = (dip_placed){
        .entries = dip_calloc((size_t)r->most, sizeof *rr.found.entries),
        .levels = &rr.levels};
    if (rr.items == NULL || rr.judged == NULL || rr.levels.items == NULL ||
        rr.found.entries == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    for (int64_t q = 0; st == DIP_OK && q < queries; q++) {
        if (rr.list_of[q] >= 0)
            st = evaluate_list(&rr, r, q, err);
    }
out_free:
    free(rr.found.entries);
    free(rr.levels.items);
    free(rr.judged);
    free(rr.items);
    free(rr.list_of);
    return st;
}

dip_status dip_ranking_evaluate_run(dip_ranking *out, const dip_run *run,
                                    const dip_relevance *relevance,
                                    const dip_ranking_options *options,
                                    dip_err *err)
{
    dip_ranker r;
    dip_status st =
        dip_ranker_open(&r, out, relevance, options, INT64_MAX, err);
    if (st == DIP_OK)
        st = evaluate_lists(&r, run, err);
    if (st == DIP_OK)
        st = dip_ranking_sum_up(out, err);
    dip_ranker_close(&r);
    if (st != DIP_OK)
        dip_ranking_free(out);
    return st;
}
