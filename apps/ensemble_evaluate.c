/* The evaluation of an ensemble: its ranker, its votes, its weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/class_set.h"
#include "apps/ensemble.h"
#include "apps/evaluate_classes.h"
#include "apps/evaluate_slices.h"
#include "apps/evaluate_task.h"
#include "base/json.h"
#include "base/mem.h"

/* The members' compact embeddings of a task's queries and gallery. */
typedef struct {
    float *queries[DIP_ENSEMBLE_MAX], *gallery[DIP_ENSEMBLE_MAX];
    dip_ensemble_side sides[DIP_ENSEMBLE_MAX];
    bool made;
} task_sides;

typedef struct {
    dip_ensemble *ensemble;
    const dip_ensemble_options *options;
    dip_settings settings; /* of the first member, a shallow copy */
    dip_evaluation evaluation;
    task_sides sides;                 /* of the task at hand */
    double weights[DIP_ENSEMBLE_MAX]; /* the same */
} evaluator;

static void free_sides(task_sides *sides)
{
    for (int m = 0; m < DIP_ENSEMBLE_MAX; m++) {
        free(sides->queries[m]);
        free(sides->gallery[m]);
    }
    *sides = (task_sides){0};
}

/* ---- the ranker ---- */

/* Rows of a matrix one behind the other; each must be there. */
static dip_status gather(float **out, const dip_matrix *m, const int64_t *rows,
                         int64_t count, const dip_ensemble_member *member,
                         dip_err *err)
{
    const dip_embedded *e = &member->embedded;
    size_t width = (size_t)e->dim;
    *out = dip_calloc((size_t)count, width * sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++) {
        dip_bytes id = dip_catalog_id(member->corpus->catalog, e->row[rows[i]]);
        if (m->rows == NULL || !m->present[rows[i]])
            return dip_fail(err, DIP_EDATA,
                            "'%s' cannot encode the product '%.*s', as others "
                            "can",
                            member->run->dir, (int)id.len, id.data);
        memcpy(*out + i * e->dim, m->rows + rows[i] * e->dim,
               width * sizeof **out);
    }
    return DIP_OK;
}

static dip_status embed_judged(float **out, const dip_ensemble_member *member,
                               const dip_rank_request *r, dip_err *err)
{
    size_t count = (size_t)r->query_count;
    dip_bytes *texts = dip_calloc(count, sizeof *texts);
    *out = dip_calloc(count, (size_t)member->embedded.dim * sizeof **out);
    dip_status st = texts != NULL && *out != NULL ? DIP_OK : dip_no_memory(err);
    for (size_t i = 0; i < count && st == DIP_OK; i++)
        texts[i] = dip_catalog_query(member->corpus->catalog, r->queries[i]);
    if (st == DIP_OK)
        st = dip_embed_texts(*out, &member->job, texts, r->query_count, err);
    free(texts);
    return st;
}

static dip_status make_side(task_sides *sides, int m, const evaluator *v,
                            const dip_rank_request *r, dip_err *err)
{
    const dip_ensemble_member *member = &v->ensemble->members[m];
    const dip_settings *s = member->run->settings;
    const dip_embedded *e = &member->embedded;
    int t;
    dip_status st = dip_ensemble_task(&t, v->ensemble, m, r->task, err);
    if (st == DIP_OK && r->judged)
        st = embed_judged(&sides->queries[m], member, r, err);
    else if (st == DIP_OK)
        st = gather(&sides->queries[m], dip_evaluate_queries(e, s, t),
                    r->queries, r->query_count, member, err);
    if (st == DIP_OK)
        st = gather(&sides->gallery[m], dip_evaluate_products(e, s, t),
                    r->gallery, r->gallery_count, member, err);
    sides->sides[m] = (dip_ensemble_side){
        {sides->queries[m], r->query_count, e->dim, s->model.similarity},
        {sides->gallery[m], r->gallery_count, e->dim, s->model.similarity}};
    return st;
}

static dip_status rank(void *user, dip_ranking *out, dip_hit *best,
                       const dip_rank_request *r, dip_err *err)
{
    evaluator *v = user;
    const dip_ensemble_options *o = v->options;
    dip_status st = DIP_OK;
    for (int m = 0; m < v->ensemble->count && !v->sides.made && st == DIP_OK;
         m++)
        st = make_side(&v->sides, m, v, r, err);
    if (st != DIP_OK)
        return st;
    v->sides.made = true;
    const dip_ensemble_rankers rankers = {v->sides.sides, v->weights,
                                          v->ensemble->count};
    return o->vote == DIP_VOTE_RANK
               ? dip_ensemble_rank_reciprocal(out, best, r->best_count,
                                              &rankers, o->depth, r->relevance,
                                              r->options, err)
               : dip_ensemble_rank_scores(out, best, r->best_count, &rankers,
                                          o->norm, r->relevance, r->options,
                                          err);
}

/* ---- tasks ---- */

/* Evaluates task `t` on the split that is embedded, with v->weights. */
static dip_status evaluate_task(json_t **out, evaluator *v, int t,
                                const dip_evaluation *ev, dip_err *err)
{
    return dip_evaluate_task(out, ev, &v->ensemble->members[0].embedded, t,
                             err);
}

typedef struct {
    evaluator *evaluator;
    int number; /* of the task or head */
    const int32_t *labels;
    const dip_ensemble_votes *votes;
} judged_weights;

/* By MRR, of judgements with grades by nDCG. */
static dip_status judge_task(void *user, double *value, const double *weights,
                             dip_err *err)
{
    judged_weights *j = user;
    evaluator *v = j->evaluator;
    json_t *report;
    dip_evaluation plain = v->evaluation;
    bool judged = v->settings.tasks[j->number].judged;
    plain.full = false;
    plain.outcomes = NULL;
    plain.split = DIP_SPLIT_VAL;
    memcpy(v->weights, weights, (size_t)v->ensemble->count * sizeof *weights);
    dip_status st = evaluate_task(&report, v, j->number, &plain, err);
    const json_t *number = json_object_get(report, judged ? "ndcg" : "mrr");
    *value = json_is_number(number) ? json_number_value(number) : 0;
    json_decref(report);
    return st;
}

/* ---- heads ---- */

/* What the members say of a label. */
typedef struct {
    dip_ensemble_votes votes;
    const float *probabilities[DIP_ENSEMBLE_MAX];
    float *sorted[DIP_ENSEMBLE_MAX]; /* by the first one's classes, or NULL */
    uint8_t *present;                /* [n] rows that all of them can see */
} head_votes;

static void free_votes(head_votes *all)
{
    for (int m = 0; m < DIP_ENSEMBLE_MAX; m++)
        free(all->sorted[m]);
    free(all->present);
}

/* The classes of another member in the order of the first one's. */
static dip_status sort_classes(head_votes *all, const evaluator *v, int m,
                               int h, dip_err *err)
{
    const dip_ensemble_votes *votes = &all->votes;
    int64_t *order, classes = votes->classes;
    dip_status st = dip_ensemble_class_order(&order, v->ensemble, m, h, err);
    if (st != DIP_OK || order == NULL)
        return st;
    float *sorted =
        dip_calloc((size_t)votes->n, (size_t)classes * sizeof *sorted);
    for (int64_t i = 0; i < votes->n * classes && sorted != NULL; i++)
        sorted[i] = all->probabilities[m][i - i % classes + order[i % classes]];
    free(order);
    all->probabilities[m] = all->sorted[m] = sorted;
    return sorted != NULL ? DIP_OK : dip_no_memory(err);
}

static void leave_out(head_votes *all, const dip_ensemble_member *member,
                      int number)
{
    const dip_evaluation plain = {.job = member->job};
    const uint8_t *present =
        dip_evaluate_head_input(&plain, &member->embedded, number)->present;
    for (int64_t i = 0; i < all->votes.n && present != NULL; i++)
        all->present[i] &= present[i] != 0;
}

/* Of head `h` by every member. End *all with free_votes() in any case. */
static dip_status collect(head_votes *all, const evaluator *v, int h,
                          dip_err *err)
{
    const dip_ensemble *e = v->ensemble;
    const char *name = v->settings.model.heads[h].name;
    int64_t n = e->members[0].embedded.count;
    *all = (head_votes){.present = dip_calloc((size_t)n, 1)};
    all->votes = (dip_ensemble_votes){
        .probabilities = all->probabilities,
        .weights = v->weights,
        .members = e->count,
        .n = n,
        .classes = (int64_t)json_array_size(
            json_object_get(e->members[0].run->labels, name))};
    if (all->present == NULL)
        return dip_no_memory(err);
    memset(all->present, 1, (size_t)n);
    dip_status st = DIP_OK;
    for (int m = 0; m < e->count && st == DIP_OK; m++) {
        int number;
        st = dip_ensemble_head(&number, e, m, h, err);
        if (st != DIP_OK)
            break;
        all->probabilities[m] = e->members[m].embedded.probabilities[number];
        leave_out(all, &e->members[m], number);
        st = sort_classes(all, v, m, h, err);
    }
    return st;
}

static dip_status judge_head(void *user, double *value, const double *weights,
                             dip_err *err)
{
    const judged_weights *j = user;
    dip_ensemble_votes votes = *j->votes;
    (void)err;
    votes.weights = weights;
    *value = dip_ensemble_log_likelihood(&votes, j->labels);
    if (isnan(*value))
        *value = 0;
    return DIP_OK;
}

static dip_status tune_head(evaluator *v, int h, dip_err *err)
{
    head_votes all;
    dip_class_set set = {0};
    const dip_ensemble_member *first = &v->ensemble->members[0];
    const char *name = v->settings.model.heads[h].name;
    dip_status st = collect(&all, v, h, err);
    if (st == DIP_OK)
        st = dip_class_set_make(&set, json_object_get(first->run->labels, name),
                                first->corpus, first->corpus->head_columns[h],
                                &first->embedded, err);
    if (st == DIP_OK)
        dip_class_set_leave_out(&set, all.present, all.votes.n);
    judged_weights j = {v, h, set.labels, &all.votes};
    if (st == DIP_OK)
        st = dip_ensemble_tune(v->weights, v->ensemble->count, judge_head, &j,
                               err);
    dip_class_set_free(&set);
    free_votes(&all);
    return st;
}

/* The first member's predictions become those of all, of the rows that all can
 * see. */
static dip_status evaluate_head(json_t **out, evaluator *v, int h, dip_err *err)
{
    head_votes all;
    dip_embedded *e = &v->ensemble->members[0].embedded, seen = *e;
    dip_status st = collect(&all, v, h, err);
    size_t values = (size_t)(all.votes.n * all.votes.classes);
    float *mean = dip_calloc(values, sizeof *mean);
    *out = NULL;
    if (st == DIP_OK && mean == NULL)
        st = dip_no_memory(err);
    if (st == DIP_OK) {
        if (v->options->vote == DIP_VOTE_HARD)
            dip_ensemble_hard(mean, e->predicted[h], &all.votes);
        else
            dip_ensemble_soft(mean, e->predicted[h], &all.votes);
        memcpy(e->probabilities[h], mean, values * sizeof *mean);
        dip_matrix *input =
            (dip_matrix *)dip_evaluate_head_input(&v->evaluation, &seen, h);
        input->present = all.present;
        st = dip_evaluate_head(out, &v->evaluation, &seen, h, err);
    }
    free(mean);
    free_votes(&all);
    return st;
}

/* ---- all ---- */

/* What is decided: tasks and heads of the first member. */
typedef struct {
    bool head;
    int number;
    const char *name;
    double weights[DIP_ENSEMBLE_MAX];
} decision;

#define MOST_DECISIONS (DIP_RETRIEVAL_TASKS_MAX + DIP_MODEL_HEADS_MAX)

typedef struct {
    decision items[MOST_DECISIONS];
    int count;
} decisions;

/* Adds it when every member has it. */
static dip_status add_decision(decisions *all, const evaluator *v, bool head,
                               int number, const char *name, dip_err *err)
{
    dip_status st = DIP_OK;
    bool everywhere = true;
    for (int m = 0; m < v->ensemble->count && st == DIP_OK; m++) {
        int there = -1;
        st = head ? dip_ensemble_head(&there, v->ensemble, m, number, err)
                  : dip_ensemble_task(&there, v->ensemble, m, number, err);
        everywhere = everywhere && there >= 0;
    }
    if (st == DIP_OK && everywhere)
        all->items[all->count++] =
            (decision){.head = head, .number = number, .name = name};
    return st;
}

static dip_status find_decisions(decisions *all, const evaluator *v,
                                 dip_err *err)
{
    const dip_settings *s = &v->settings;
    const int *columns = v->ensemble->members[0].corpus->head_columns;
    dip_vote vote = v->options->vote;
    dip_status st = DIP_OK;
    *all = (decisions){0};
    for (int t = 0; t < s->task_count && vote != DIP_VOTE_HARD && st == DIP_OK;
         t++)
        st = add_decision(all, v, false, t, s->tasks[t].name, err);
    for (int h = 0;
         h < s->model.head_count && vote != DIP_VOTE_RANK && st == DIP_OK;
         h++) {
        if (columns[h] >= 0)
            st = add_decision(all, v, true, h, s->model.heads[h].name, err);
    }
    if (st == DIP_OK && all->count == 0)
        return dip_fail(err, DIP_EDATA, "the runs have no %s in common",
                        vote == DIP_VOTE_HARD   ? "label that is classified"
                        : vote == DIP_VOTE_RANK ? "task of retrieval"
                                                : "task and no label");
    return st;
}

static dip_status tune(decision *d, evaluator *v, dip_err *err)
{
    judged_weights j = {.evaluator = v, .number = d->number};
    dip_status st = d->head ? tune_head(v, d->number, err)
                            : dip_ensemble_tune(d->weights, v->ensemble->count,
                                                judge_task, &j, err);
    if (d->head)
        memcpy(d->weights, v->weights, sizeof d->weights);
    free_sides(&v->sides);
    if (st != DIP_OK)
        (void)dip_fail_context(err, "weights of '%s'", d->name);
    return st;
}

static dip_status find_weights(decisions *all, evaluator *v, dip_err *err)
{
    const dip_ensemble_options *o = v->options;
    const dip_catalog *catalog = v->ensemble->members[0].corpus->catalog;
    dip_status st = DIP_OK;
    for (int i = 0; i < all->count; i++) {
        for (int m = 0; m < v->ensemble->count; m++)
            all->items[i].weights[m] =
                o->weighing == DIP_WEIGHTS_GIVEN ? o->weights[m] : 1;
    }
    if (o->weighing != DIP_WEIGHTS_TUNED)
        return DIP_OK;
    if (dip_catalog_split_rows(catalog, DIP_SPLIT_VAL) == 0)
        return dip_fail(err, DIP_EDATA,
                        "no rows of the split 'val' to tune weights on in '%s'",
                        dip_catalog_path(catalog));
    st = dip_ensemble_embed(v->ensemble, DIP_SPLIT_VAL, err);
    for (int i = 0; i < all->count && st == DIP_OK; i++)
        st = tune(&all->items[i], v, err);
    return st;
}

static json_t *weights_json(const decision *d, int count)
{
    json_t *out = json_array();
    double sum = 0;
    for (int m = 0; m < count; m++)
        sum += d->weights[m];
    for (int m = 0; m < count; m++)
        (void)json_array_append_new(out, json_real(d->weights[m] / sum));
    return out;
}

static dip_status decide(json_t *report, json_t *weights, const decision *d,
                         evaluator *v, dip_err *err)
{
    json_t *part;
    const char *section = d->head ? "classification" : "retrieval";
    memcpy(v->weights, d->weights, sizeof v->weights);
    dip_status st =
        d->head ? evaluate_head(&part, v, d->number, err)
                : evaluate_task(&part, v, d->number, &v->evaluation, err);
    free_sides(&v->sides);
    if (st != DIP_OK)
        return st;
    bool failed = json_object_set_new(json_object_get(report, section), d->name,
                                      part) != 0 ||
                  json_object_set_new(weights, d->name,
                                      weights_json(d, v->ensemble->count)) != 0;
    return failed ? dip_no_memory(err) : DIP_OK;
}

/* The first member's settings, without what only one model can do. */
static void prepare(evaluator *v, dip_outcome_set *outcomes)
{
    const dip_ensemble_member *first = &v->ensemble->members[0];
    v->settings = *first->run->settings;
    v->settings.rerank = 0;
    v->settings.eval.sampled_count = 0;
    for (int t = 0; t < v->settings.task_count; t++) {
        dip_task_settings *task = &v->settings.tasks[t];
        task->fields_alone = task->fields_removed = task->fields_permuted =
            false;
    }
    v->evaluation = (dip_evaluation){.job = first->job,
                                     .labels = first->run->labels,
                                     .split = v->options->split,
                                     .full = true,
                                     .outcomes = outcomes,
                                     .ranker = {rank, v}};
    v->evaluation.job.settings = &v->settings;
}

dip_status dip_ensemble_evaluate(json_t **out, json_t **weights,
                                 dip_outcome_set *outcomes,
                                 dip_ensemble *ensemble,
                                 const dip_ensemble_options *options,
                                 dip_err *err)
{
    decisions all;
    *out = NULL;
    *weights = json_object();
    evaluator *v = dip_calloc(1, sizeof *v);
    if (v == NULL || *weights == NULL) {
        free(v);
        return dip_no_memory(err);
    }
    v->ensemble = ensemble;
    v->options = options;
    prepare(v, outcomes);
    dip_status st = dip_slices_check(&v->evaluation, err);
    if (st == DIP_OK)
        st = find_decisions(&all, v, err);
    if (st == DIP_OK)
        st = find_weights(&all, v, err);
    if (st == DIP_OK)
        st = dip_ensemble_embed(ensemble, options->split, err);
    if (st == DIP_OK) {
        *out = json_pack("{s:o, s:{}, s:{}}", "protocol",
                         dip_evaluate_protocol(&v->settings), "retrieval",
                         "classification");
        st = *out != NULL ? DIP_OK : dip_no_memory(err);
    }
    for (int i = 0; st == DIP_OK && i < all.count; i++)
        st = decide(*out, *weights, &all.items[i], v, err);
    free_sides(&v->sides);
    free(v);
    return st;
}
