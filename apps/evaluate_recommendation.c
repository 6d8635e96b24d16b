#include "apps/evaluate_recommendation.h"

#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_trec.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/report.h"

/* Users whose lists are searched at once, and items that an outcome keeps. */
enum { BLOCK = 256, TOP = 10 };

typedef struct {
    const dip_recommending *r;
    const dip_recommendation_lister *lister;
    dip_bipartite asked, seen; /* what is right, what may not be shown */
    dip_relevance relevance, had;
    int64_t depth;
    int64_t *offsets; /* [users + 1] of the lists */
    int64_t *rows;
    double *scores;
    dip_ranking ranking;
} evaluation;

static void end(evaluation *e)
{
    dip_ranking_free(&e->ranking);
    dip_relevance_free(&e->relevance);
    dip_relevance_free(&e->had);
    dip_bipartite_free(&e->asked);
    dip_bipartite_free(&e->seen);
    free(e->offsets);
    free(e->rows);
    free(e->scores);
}

/* ---- what is right and what was seen ---- */

static dip_status read_graphs(evaluation *e, dip_split split, dip_err *err)
{
    unsigned seen = 0;
    if (split != DIP_SPLIT_TRAIN)
        seen |= DIP_SPLIT_BIT(DIP_SPLIT_TRAIN);
    if (split == DIP_SPLIT_TEST)
        seen |= DIP_SPLIT_BIT(DIP_SPLIT_VAL);
    dip_status st = dip_bipartite_of_catalog(&e->asked, e->r->catalog,
                                             DIP_SPLIT_BIT(split), err);
    if (st == DIP_OK && e->asked.edges == 0)
        st = dip_fail(err, DIP_EDATA,
                      "'%s' has no interactions of the split "
                      "'%s'",
                      dip_catalog_path(e->r->catalog), dip_split_name(split));
    return st == DIP_OK
               ? dip_bipartite_of_catalog(&e->seen, e->r->catalog, seen, err)
               : st;
}

/* The items of each user. */
static dip_status make_relevance(dip_relevance *out, const dip_bipartite *graph,
                                 dip_err *err)
{
    int64_t users = graph->users;
    *out = (dip_relevance){
        .queries = users,
        .lists = users,
        .offsets = dip_calloc((size_t)users + 1, sizeof *out->offsets),
        .rows = dip_calloc((size_t)graph->edges, sizeof *out->rows)};
    if (out->offsets == NULL || out->rows == NULL)
        return dip_no_memory(err);
    for (int64_t u = 0; u <= users; u++)
        out->offsets[u] = graph->offsets[u];
    for (int64_t e = 0; e < graph->edges; e++)
        out->rows[e] = graph->neighbours[e] - users;
    return DIP_OK;
}

/* ---- lists ---- */

static bool is_asked(const evaluation *e, int64_t user)
{
    return dip_bipartite_of(&e->asked, user).count > 0;
}

static dip_status make_room(evaluation *e, dip_err *err)
{
    int64_t users = e->asked.users, asked = 0;
    for (int64_t u = 0; u < users; u++)
        asked += is_asked(e, u);
    size_t all;
    if (dip_mul_overflows((size_t)asked, (size_t)e->depth, &all))
        return dip_no_memory(err);
    e->offsets = dip_calloc((size_t)users + 1, sizeof *e->offsets);
    e->rows = dip_calloc(all, sizeof *e->rows);
    e->scores = dip_calloc(all, sizeof *e->scores);
    return e->offsets != NULL && e->rows != NULL && e->scores != NULL
               ? DIP_OK
               : dip_no_memory(err);
}

static void take_list(evaluation *e, int64_t user, const dip_hit *hits)
{
    int64_t at = e->offsets[user];
    for (int64_t i = 0; is_asked(e, user) && i < e->depth && hits[i].row >= 0;
         i++) {
        e->rows[at] = hits[i].row;
        e->scores[at++] = (double)hits[i].score;
    }
    e->offsets[user + 1] = at;
}

static dip_status make_lists(evaluation *e, dip_err *err)
{
    int64_t users = e->asked.users;
    dip_hit *hits = dip_calloc((size_t)e->depth, BLOCK * sizeof *hits);
    dip_status st = hits != NULL ? make_room(e, err) : dip_no_memory(err);
    if (st != DIP_OK) {
        free(hits);
        return st;
    }
    for (int64_t u = 0; u < users && st == DIP_OK; u += BLOCK) {
        int64_t count = users - u < BLOCK ? users - u : BLOCK;
        st = e->lister->lists(e->lister->user, hits, &e->seen, u, count,
                              e->depth, err);
        for (int64_t i = 0; i < count && st == DIP_OK; i++)
            take_list(e, u + i, hits + i * e->depth);
    }
    free(hits);
    return st;
}

/* ---- the report ---- */

/* Over who was asked about and what is right for him, or over all items. */
static dip_status put_digest(json_t *task, const char *key, const evaluation *e,
                             bool of_items, dip_err *err)
{
    const dip_catalog *catalog = e->r->catalog;
    char hex[DIP_DIGEST_SIZE];
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    int64_t n = of_items ? e->asked.items : e->asked.users;
    for (int64_t i = 0; i < n && st == DIP_OK; i++) {
        dip_judged right = {0};
        if (!of_items)
            right = dip_relevance_of(&e->relevance, i);
        dip_bytes id = of_items ? dip_catalog_id(catalog, i)
                                : dip_catalog_user(catalog, i);
        st = dip_digest_add_sized(digest, id.data, id.len, err);
        if (st == DIP_OK && right.count > 0)
            st = dip_digest_add(digest, right.rows,
                                (size_t)right.count * sizeof *right.rows, err);
    }
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    if (st == DIP_OK && json_object_set_new(task, key, json_string(hex)) != 0)
        st = dip_no_memory(err);
    return st;
}

static dip_status put_full(json_t *task, const evaluation *e,
                           const dip_run *run, dip_err *err)
{
    const dip_settings *s = e->r->settings;
    dip_stats_options stats = dip_stats_defaults();
    const dip_recommendations given = {.run = run,
                                       .relevance = &e->relevance,
                                       .seen = &e->had,
                                       .items = e->asked.items};
    stats.resamples = s->resamples;
    stats.seed = s->seed;
    dip_status st = dip_evaluate_put_intervals(task, &e->ranking, &stats, err);
    if (st == DIP_OK)
        st = dip_evaluate_put_recommendation(task, &given, &s->eval.ranking,
                                             &stats, err);
    if (st == DIP_OK)
        st = put_digest(task, "queries_sha256", e, false, err);
    return st == DIP_OK ? put_digest(task, "gallery_sha256", e, true, err) : st;
}

static json_t *describe_protocol(const dip_settings *s)
{
    const dip_ranking_options *o = &s->eval.ranking;
    return json_pack(
        "{s:s, s:s, s:b, s:o, s:I}", "ties", dip_ranking_ties_name(o->ties),
        "gain", dip_ranking_gain_name(o->gain), "count_empty",
        (int)o->count_empty, "rbp_persistence", dip_json_real(o->persistence),
        "resamples", (json_int_t)s->resamples);
}

/* ---- outcomes ---- */

static void take_top(dip_outcomes *o, int64_t i, const evaluation *e,
                     int64_t user)
{
    for (int64_t t = 0; t < o->top; t++) {
        int64_t at = e->offsets[user] + t;
        bool there = at < e->offsets[user + 1];
        int64_t row = there ? e->rows[at] : -1;
        o->top_row[i * o->top + t] = row;
        o->top_score[i * o->top + t] = there ? (float)e->scores[at] : 0;
        o->top_right[i * o->top + t] =
            there && dip_bipartite_has(&e->asked, user, row);
    }
}

static dip_status take_outcomes(dip_outcome_set *set, const evaluation *e,
                                dip_err *err)
{
    const dip_ranking *ranking = &e->ranking;
    set->items = dip_calloc(1, sizeof *set->items);
    if (set->items == NULL)
        return dip_no_memory(err);
    set->count = 1;
    dip_outcomes *o = &set->items[0];
    dip_status st = dip_outcomes_alloc(
        o, e->r->settings->tasks[0].name, ranking->evaluated,
        dip_ranking_metrics(ranking), e->depth < TOP ? e->depth : TOP, err);
    for (int m = 0; m < o->metrics && st == DIP_OK; m++)
        dip_ranking_name(o->names[m], ranking, m);
    for (int64_t i = 0; i < ranking->evaluated && st == DIP_OK; i++) {
        const dip_ranking_query *q = &ranking->per_query[i];
        dip_bytes name = dip_catalog_user(e->r->catalog, q->query);
        o->row[i] = o->group[i] = q->query;
        o->relevant[i] = q->relevant;
        o->rank[i] = q->rank;
        for (int m = 0; m < o->metrics; m++)
            o->values[m * o->count + i] =
                dip_ranking_value(ranking, &q->values, m);
        take_top(o, i, e, q->query);
        st = dip_text_column_put(&o->ids, i, name, err);
        if (st == DIP_OK)
            st = dip_text_column_put(&o->texts, i, name, err);
    }
    return st;
}

/* ---- all ---- */

static dip_status report(json_t **out, dip_outcome_set *outcomes, evaluation *e,
                         dip_err *err)
{
    const dip_settings *s = e->r->settings;
    const dip_run run = {e->asked.users, NULL, e->offsets, e->rows, e->scores};
    dip_status st = dip_ranking_evaluate_run(&e->ranking, &run, &e->relevance,
                                             &s->eval.ranking, err);
    if (st != DIP_OK)
        return st;
    e->ranking.gallery = e->asked.items;
    json_t *task = dip_report_ranking(&e->ranking);
    if (task == NULL)
        return dip_no_memory(err);
    if (outcomes != NULL)
        st = put_full(task, e, &run, err);
    if (st == DIP_OK && outcomes != NULL)
        st = take_outcomes(outcomes, e, err);
    *out = json_pack("{s:o, s:{s:O}}", "protocol", describe_protocol(s),
                     "retrieval", s->tasks[0].name, task);
    json_decref(task);
    return st == DIP_OK && *out == NULL ? dip_no_memory(err) : st;
}

/* A validation looks no further than the last cutoff. */
static int64_t depth_of(const dip_settings *s, bool full)
{
    int64_t deepest = full ? s->recommendation.depth : 1;
    for (int i = 0; i < s->eval.ranking.n_cutoffs; i++) {
        int64_t k = s->eval.ranking.cutoffs[i];
        deepest = k > deepest ? k : deepest;
    }
    return deepest;
}

dip_status dip_evaluate_recommendation_lists(
    json_t **out, dip_outcome_set *outcomes, const dip_recommending *r,
    const dip_recommendation_lister *lister, dip_split split, dip_err *err)
{
    evaluation e = {.r = r, .lister = lister};
    int64_t depth = depth_of(r->settings, outcomes != NULL);
    e.depth = depth < r->graph.items ? depth : r->graph.items;
    *out = NULL;
    dip_status st = read_graphs(&e, split, err);
    if (st == DIP_OK)
        st = make_relevance(&e.relevance, &e.asked, err);
    if (st == DIP_OK)
        st = make_relevance(&e.had, &e.seen, err);
    if (st == DIP_OK)
        st = make_lists(&e, err);
    if (st == DIP_OK)
        st = report(out, outcomes, &e, err);
    end(&e);
    return st;
}

static dip_status lists_of_model(void *user, dip_hit *out,
                                 const dip_bipartite *seen, int64_t first,
                                 int64_t count, int64_t depth, dip_err *err)
{
    return dip_recommending_lists(out, user, seen, first, count, depth, err);
}

dip_status dip_evaluate_recommendation(json_t **out, dip_outcome_set *outcomes,
                                       const dip_recommending *r,
                                       dip_split split, dip_err *err)
{
    dip_recommending_embeddings embeddings;
    const dip_recommendation_lister lister = {lists_of_model, &embeddings};
    dip_status st = dip_recommending_embed(&embeddings, r, err);
    *out = NULL;
    if (st == DIP_OK)
        st = dip_evaluate_recommendation_lists(out, outcomes, r, &lister, split,
                                               err);
    dip_recommending_embeddings_free(&embeddings);
    return st;
}
