#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/mem.h"
#include "eval/ranking_private.h"

/* Relevant rows of the queries that are ranked at once, unless one has more. */
#define HELD (INT64_C(1) << 18)

static dip_status check_excluded(const dip_ranker *r, dip_err *err)
{
    for (int64_t q = 0; q < r->relevance->queries; q++) {
        int64_t row = dip_ranker_excluded(r, q);
        if (row < -1 || row >= r->gallery)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " leaves out row %" PRId64
                            " of a gallery of %" PRId64,
                            q, row, r->gallery);
    }
    return DIP_OK;
}

static dip_status check_first(const dip_ranker *r, dip_err *err)
{
    const dip_ranking_options *o = r->options;
    int64_t count = o->first == NULL ? 0 : o->first_count;
    for (int64_t i = 0; i < r->relevance->queries * count; i++) {
        if (o->first[i].row < -1 || o->first[i].row >= r->gallery)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " puts row %" PRId64
                            " of a gallery of %" PRId64 " first",
                            i / count, o->first[i].row, r->gallery);
        if (isnan(o->first[i].score))
            return dip_fail(err, DIP_ENUMERIC,
                            "query %" PRId64 " puts a row first by NaN",
                            i / count);
    }
    return DIP_OK;
}

/* The score that stands for that of `row` in the ranking, if it is among the
 * rows that stand first: above any other score, and distinct for distinct
 * scores there. */
static bool stands_first(const dip_ranker *r, int64_t query, int64_t row,
                         double *score)
{
    const float base = 1e38F, step = 1e32F;
    const dip_ranking_options *o = r->options;
    int64_t count = o->first == NULL ? 0 : o->first_count, at = 0, below = 0;
    const dip_hit *first = o->first + query * count;
    while (at < count && first[at].row != row)
        at++;
    if (at == count)
        return false;
    for (int64_t j = 0; j < count; j++)
        below += first[j].row >= 0 && first[j].score < first[at].score;
    *score = (double)(base + step * (float)below);
    return true;
}

/* Fills in entries and levels of a query, but for the counts of the latter. */
static void place(const dip_ranker *r, const dip_scan *scan,
                  const dip_scratch *s, int64_t query, dip_placed *p)
{
    dip_judged judged = dip_relevance_of(r->relevance, query);
    int64_t excluded = dip_ranker_excluded(r, query);
    p->n = 0;
    for (int64_t i = 0; i < judged.count; i++) {
        double grade = dip_judged_grade(&judged, i);
        if (grade <= 0 || judged.rows[i] == excluded)
            continue;
        s->rows[p->n] = judged.rows[i];
        p->entries[p->n++].grade = grade;
    }
    dip_scan_pairs(scan, s->scores, query, s->rows, p->n);
    for (int64_t i = 0; i < p->n; i++) {
        if (!stands_first(r, query, s->rows[i], &p->entries[i].score))
            p->entries[i].score = (double)s->scores[i];
    }
    dip_placed_levels(p);
}

/* Counts `by` rows more of that score. */
static void count_in(const dip_scan_levels *levels, double score, int64_t by)
{
    for (int64_t l = 0; l < levels->count; l++) {
        levels->items[l].above += by * (score > levels->items[l].score);
        levels->items[l].equal += by * (score == levels->items[l].score);
    }
}

/* Gives the rows that stand first the scores that they have in the ranking, and
 * takes out the excluded one. */
static void move_rows(const dip_ranker *r, const dip_scan *scan,
                      const dip_scratch *s, int64_t query, const dip_placed *p)
{
    const dip_ranking_options *o = r->options;
    int64_t excluded = dip_ranker_excluded(r, query), n = 0;
    double score;
    for (int64_t i = 0; o->first != NULL && i < o->first_count; i++) {
        int64_t row = o->first[query * o->first_count + i].row;
        if (row >= 0)
            s->rows[n++] = row;
    }
    dip_scan_pairs(scan, s->scores, query, s->rows, n);
    for (int64_t i = 0; i < n; i++) {
        if (!stands_first(r, query, s->rows[i], &score))
            continue;
        count_in(p->levels, (double)s->scores[i], -1);
        count_in(p->levels, score, 1);
    }
    if (excluded < 0)
        return;
    if (!stands_first(r, query, excluded, &score)) {
        float plain;
        dip_scan_pairs(scan, &plain, query, &excluded, 1);
        score = (double)plain;
    }
    count_in(p->levels, score, -1);
}

static int64_t relevant_of(const dip_ranker *r, int64_t query)
{
    int64_t slot = r->slot_of[query];
    return slot < 0 ? 0 : r->out->per_query[slot].relevant;
}

static dip_status rank_queries(const dip_ranker *r, const dip_scan *scan,
                               const dip_scan_job *job, dip_placed *found,
                               dip_err *err)
{
    int workers = dip_scores_workers();
#pragma omp parallel for schedule(dynamic, 16) num_threads(workers)
    for (int64_t i = 0; i < job->count; i++)
        place(r, scan, r->scratch + omp_get_thread_num(), job->first + i,
              found + i);
    dip_status st = dip_scan_run(scan, job, err);
#pragma omp parallel for schedule(dynamic, 16) num_threads(workers)
    for (int64_t i = 0; i < (st == DIP_OK ? job->count : 0); i++) {
        int64_t query = job->first + i;
        const dip_scratch *s = r->scratch + omp_get_thread_num();
        dip_judged judged = dip_relevance_of(r->relevance, query);
        if (relevant_of(r, query) == 0)
            continue;
        move_rows(r, scan, s, query, found + i);
        dip_ranker_measure(r, r->slot_of[query], &judged, s, found + i);
    }
    return st;
}

/* Ranks all queries, as many at once as have room for their relevant rows;
 * `job` says what else the scan is to find. */
static dip_status rank_all(const dip_ranker *r, const dip_scan *scan,
                           dip_scan_job job, dip_err *err)
{
    int64_t queries = r->relevance->queries, all = 0;
    for (int64_t q = 0; q < queries; q++)
        all += relevant_of(r, q);
    int64_t held = r->most > HELD ? r->most : HELD;
    if (held > all)
        held = all;
    dip_entry *entries = dip_calloc((size_t)held, sizeof *entries);
    dip_scan_level *items = dip_calloc((size_t)held, sizeof *items);
    dip_placed *found = dip_calloc((size_t)queries, sizeof *found);
    dip_scan_levels *levels = dip_calloc((size_t)queries, sizeof *levels);
    dip_status st = DIP_OK;
    if (entries == NULL || items == NULL || found == NULL || levels == NULL)
        st = dip_no_memory(err);
    for (int64_t end = 0, used = 0; end < queries && st == DIP_OK; used = 0) {
        job.first = end;
        job.levels = levels;
        for (; end < queries && used + relevant_of(r, end) <= held; end++) {
            int64_t i = end - job.first;
            levels[i] = (dip_scan_levels){.items = items + used};
            found[i] =
                (dip_placed){.entries = entries + used, .levels = levels + i};
            used += relevant_of(r, end);
        }
        job.count = end - job.first;
        st = rank_queries(r, scan, &job, found, err);
        if (job.best != NULL)
            job.best += job.count * job.k;
    }
    free(levels);
    free(found);
    free(items);
    free(entries);
    return st;
}

dip_status dip_ranking_with_best(dip_ranking *out, dip_hit *best, int64_t k,
                                 const dip_embeddings *queries,
                                 const dip_embeddings *gallery,
                                 const dip_relevance *relevance,
                                 const dip_ranking_options *options,
                                 dip_err *err)
{
    dip_ranker r;
    dip_scan *scan = NULL;
    dip_status st =
        dip_ranker_open(&r, out, relevance, options, gallery->rows, err);
    if (st != DIP_OK)
        goto out_free;
    if (relevance->queries != queries->rows) {
        st = dip_fail(err, DIP_EDATA,
                      "relevance is of %" PRId64 " queries, not of %" PRId64,
                      relevance->queries, queries->rows);
        goto out_free;
    }
    out->gallery = gallery->rows;
    st = check_excluded(&r, err);
    if (st == DIP_OK)
        st = check_first(&r, err);
    if (st == DIP_OK)
        st = dip_ranker_scratch(&r, dip_scores_workers(), gallery->rows, err);
    if (st == DIP_OK)
        st = dip_scan_open(&scan, queries, gallery, false, err);
    if (st == DIP_OK)
        st = rank_all(&r, scan, (dip_scan_job){.best = best, .k = k}, err);
    if (st == DIP_OK)
        st = dip_ranking_sum_up(out, err);
out_free:
    dip_scan_close(scan);
    dip_ranker_close(&r);
    if (st != DIP_OK)
        dip_ranking_free(out);
    return st;
}

dip_status dip_ranking_evaluate(dip_ranking *out, const dip_embeddings *queries,
                                const dip_embeddings *gallery,
                                const dip_relevance *relevance,
                                const dip_ranking_options *options,
                                dip_err *err)
{
    return dip_ranking_with_best(out, NULL, 0, queries, gallery, relevance,
                                 options, err);
}
