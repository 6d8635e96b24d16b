#include "apps/ensemble_recommendation.h"

#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_recommendation.h"
#include "base/mem.h"

/* ---- the runs ---- */

static dip_status check_catalog(const dip_recommenders *r, int member,
                                const char *const *dirs, dip_err *err)
{
    const dip_catalog *first = r->members[0].catalog;
    const dip_catalog *other = r->members[member].catalog;
    if (strcmp(dip_catalog_digest(first), dip_catalog_digest(other)) == 0)
        return DIP_OK;
    return dip_fail(err, DIP_EDATA,
                    "'%s' recommends from another catalog than '%s': '%s', not "
                    "'%s'",
                    dirs[member], dirs[0], dip_catalog_path(other),
                    dip_catalog_path(first));
}

dip_status dip_recommenders_open(dip_recommenders *r, const char *const *dirs,
                                 int count, const char *which, const char *data,
                                 dip_err *err)
{
    dip_status st = DIP_OK;
    for (int m = 0; m < count && st == DIP_OK; m++) {
        r->count = m + 1;
        st = dip_recommending_load(&r->members[m], dirs[m], which, data, NULL,
                                   0, err);
        if (st == DIP_OK)
            st = check_catalog(r, m, dirs, err);
        if (st == DIP_OK)
            st = dip_recommending_embed(&r->embeddings[m], &r->members[m], err);
    }
    return st;
}

void dip_recommenders_close(dip_recommenders *r)
{
    for (int m = 0; m < r->count; m++) {
        dip_recommending_embeddings_free(&r->embeddings[m]);
        dip_recommending_end(&r->members[m]);
    }
    *r = (dip_recommenders){0};
}

/* ---- lists ---- */

typedef struct {
    const dip_recommenders *recommenders;
    const dip_ensemble_options *options;
    double weights[DIP_ENSEMBLE_MAX];
    dip_ensemble_joined joined; /* of soft votes */
} evaluator;

static dip_status soft_lists(void *user, dip_hit *out,
                             const dip_bipartite *seen, int64_t first,
                             int64_t count, int64_t depth, dip_err *err)
{
    const evaluator *v = user;
    const dip_recommending_embeddings e = {.users = v->joined.queries,
                                           .items = v->joined.gallery};
    return dip_recommending_lists(out, &e, seen, first, count, depth, err);
}

/* Of one block of users from each member's lists. */
static dip_status rank_lists(void *user, dip_hit *out,
                             const dip_bipartite *seen, int64_t first,
                             int64_t count, int64_t depth, dip_err *err)
{
    const evaluator *v = user;
    const dip_recommenders *r = v->recommenders;
    int64_t items = r->embeddings[0].items.rows, each = v->options->depth;
    const dip_hit *of_user[DIP_ENSEMBLE_MAX];
    each = each < items ? each : items;
    size_t room;
    dip_hit *hits = NULL;
    if (!dip_mul_overflows((size_t)(r->count * count), (size_t)each, &room))
        hits = dip_calloc(room, sizeof *hits);
    dip_status st = hits != NULL ? DIP_OK : dip_no_memory(err);
    for (int m = 0; m < r->count && st == DIP_OK; m++)
        st = dip_recommending_lists(hits + m * count * each, &r->embeddings[m],
                                    seen, first, count, each, err);
    for (int64_t u = 0; u < count && st == DIP_OK; u++) {
        for (int m = 0; m < r->count; m++)
            of_user[m] = hits + (m * count + u) * each;
        st = dip_ensemble_fuse(out + u * depth, depth, of_user, each,
                               v->weights, r->count, err);
    }
    free(hits);
    return st;
}

static dip_status join(evaluator *v, dip_err *err)
{
    dip_ensemble_side sides[DIP_ENSEMBLE_MAX];
    const dip_recommenders *r = v->recommenders;
    for (int m = 0; m < r->count; m++)
        sides[m] =
            (dip_ensemble_side){r->embeddings[m].users, r->embeddings[m].items};
    const dip_ensemble_rankers rankers = {sides, v->weights, r->count};
    return dip_ensemble_join(&v->joined, &rankers, v->options->norm, err);
}

static dip_status evaluate(json_t **out, dip_outcome_set *outcomes,
                           evaluator *v, dip_split split, dip_err *err)
{
    bool soft = v->options->vote == DIP_VOTE_SOFT;
    const dip_recommendation_lister lister = {soft ? soft_lists : rank_lists,
                                              v};
    dip_status st = soft ? join(v, err) : DIP_OK;
    *out = NULL;
    if (st == DIP_OK)
        st = dip_evaluate_recommendation_lists(
            out, outcomes, &v->recommenders->members[0], &lister, split, err);
    dip_ensemble_joined_free(&v->joined);
    return st;
}

/* ---- weights ---- */

static const char *task_name(const evaluator *v)
{
    return v->recommenders->members[0].settings->tasks[0].name;
}

/* By nDCG. */
static dip_status judge(void *user, double *value, const double *weights,
                        dip_err *err)
{
    evaluator *v = user;
    json_t *report;
    memcpy(v->weights, weights,
           (size_t)v->recommenders->count * sizeof *weights);
    dip_status st = evaluate(&report, NULL, v, DIP_SPLIT_VAL, err);
    const json_t *task =
        json_object_get(json_object_get(report, "retrieval"), task_name(v));
    const json_t *number = json_object_get(task, "ndcg");
    *value = json_is_number(number) ? json_number_value(number) : 0;
    json_decref(report);
    return st;
}

static dip_status find_weights(evaluator *v, dip_err *err)
{
    const dip_ensemble_options *o = v->options;
    double tuned[DIP_ENSEMBLE_MAX];
    int count = v->recommenders->count;
    for (int m = 0; m < count; m++)
        v->weights[m] = o->weighing == DIP_WEIGHTS_GIVEN ? o->weights[m] : 1;
    if (o->weighing != DIP_WEIGHTS_TUNED)
        return DIP_OK;
    dip_status st = dip_ensemble_tune(tuned, count, judge, v, err);
    if (st != DIP_OK)
        return dip_fail_context(err, "weights of '%s'", task_name(v));
    memcpy(v->weights, tuned, (size_t)count * sizeof *tuned);
    return DIP_OK;
}

/* {"recommendation": [0.5, …]}, their sum is 1. */
static json_t *describe_weights(const evaluator *v)
{
    double sum = 0;
    json_t *list = json_array();
    for (int m = 0; m < v->recommenders->count; m++)
        sum += v->weights[m];
    for (int m = 0; m < v->recommenders->count; m++)
        (void)json_array_append_new(list, json_real(v->weights[m] / sum));
    return json_pack("{s:o}", task_name(v), list);
}

/* ---- all ---- */

dip_status dip_recommenders_evaluate(json_t **out, json_t **weights,
                                     dip_outcome_set *outcomes,
                                     const dip_recommenders *recommenders,
                                     const dip_ensemble_options *options,
                                     dip_err *err)
{
    evaluator v = {.recommenders = recommenders, .options = options};
    *out = *weights = NULL;
    if (options->vote == DIP_VOTE_HARD)
        return dip_fail(err, DIP_EDATA,
                        "recommenders have no label that is classified: vote "
                        "soft or rank");
    dip_status st = find_weights(&v, err);
    if (st == DIP_OK)
        st = evaluate(out, outcomes, &v, options->split, err);
    if (st != DIP_OK)
        return st;
    *weights = describe_weights(&v);
    return *weights != NULL ? DIP_OK : dip_no_memory(err);
}
