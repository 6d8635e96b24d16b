#include "apps/evaluate_task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_outcomes.h"
#include "apps/evaluate_pictures.h"
#include "apps/evaluate_sampled.h"
#include "apps/evaluate_slices.h"
#include "apps/evaluate_trec.h"
#include "apps/rerank.h"
#include "base/mem.h"
#include "data/interner.h"
#include "eval/areas.h"
#include "eval/ranking.h"
#include "eval/stats.h"
#include "eval/topk.h"
#include "report/report.h"

/* Compact matrices and the right answers of one task. */
typedef struct {
    int64_t query_count, gallery_count;
    int64_t *query;   /* [queries] row of the embedded split, or judged index */
    int64_t *gallery; /* [gallery] row of the embedded split */
    float *queries, *products;
    dip_hit *best; /* [queries, best_count] products of the ranking */
    int64_t best_count;
    int64_t *groups; /* [queries] equal: one query asked several times */
    dip_relevance relevance;
    dip_judged_queries judged; /* owns the arrays of `relevance` if used */
    bool relevance_owned;
} task_data;

static void free_data(task_data *d)
{
    free(d->query);
    free(d->gallery);
    free(d->queries);
    free(d->products);
    free(d->best);
    free(d->groups);
    if (d->relevance_owned)
        dip_relevance_free(&d->relevance);
    dip_judged_queries_free(&d->judged);
}

const dip_matrix *dip_evaluate_queries(const dip_embedded *e,
                                       const dip_settings *settings, int t)
{
    const dip_task_settings *task = &settings->tasks[t];
    if (task->mix.count > 0)
        return &e->mixes[t];
    return task->query == DIP_SOURCE_IMAGE ? &e->image : &e->texts[task->query];
}

static dip_field_set main_set(const dip_task_settings *task)
{
    dip_field_set set = {0};
    memcpy(set.fields, task->fields, sizeof set.fields);
    return set;
}

static dip_field_set single_set(int field)
{
    dip_field_set set = {0};
    set.fields[field] = true;
    return set;
}

static dip_field_set without_set(const dip_task_settings *task, int field)
{
    dip_field_set set = main_set(task);
    set.fields[field] = false;
    return set;
}

static dip_field_set dealt_set(const dip_task_settings *task, int field)
{
    dip_field_set set = main_set(task);
    set.dealt[field] = true;
    return set;
}

/* What a task is evaluated with besides all its fields. */
typedef enum { ALONE, WITHOUT, PERMUTED, ABLATIONS } ablation;

static const char *const ablation_keys[] = {
    [ALONE] = "alone", [WITHOUT] = "without", [PERMUTED] = "permuted"};

static bool ablates(const dip_evaluation *ev, const dip_task_settings *task,
                    ablation kind)
{
    const bool asked[ABLATIONS] = {[ALONE] = task->fields_alone,
                                   [WITHOUT] = task->fields_removed,
                                   [PERMUTED] = task->fields_permuted};
    return ev->full && asked[kind] && task->field_count > 1;
}

static dip_field_set ablated_set(const dip_task_settings *task, ablation kind,
                                 int field)
{
    if (kind == PERMUTED)
        return dealt_set(task, field);
    return kind == ALONE ? single_set(field) : without_set(task, field);
}

dip_status dip_evaluate_plan_task(dip_embedded *embedded,
                                  const dip_evaluation *ev, int t, dip_err *err)
{
    const dip_task_settings *task = &ev->job.settings->tasks[t];
    dip_field_set set = main_set(task);
    bool fits = dip_embed_product(embedded, &set) >= 0;
    for (int f = 0; f < ev->job.settings->field_count; f++) {
        for (ablation kind = ALONE; kind < ABLATIONS && task->fields[f];
             kind++) {
            set = ablated_set(task, kind, f);
            if (ablates(ev, task, kind))
                fits = fits && dip_embed_product(embedded, &set) >= 0;
        }
    }
    return fits ? DIP_OK
                : dip_fail(err, DIP_ERANGE, "more than %d kinds of products",
                           DIP_PRODUCTS_MAX);
}

/* The matrix of a product that was planned. */
static const dip_matrix *product_of(const dip_embedded *e,
                                    const dip_field_set *set)
{
    for (int p = 0; p < e->product_count; p++) {
        if (memcmp(&e->sets[p], set, sizeof *set) == 0)
            return &e->products[p];
    }
    return NULL;
}

const dip_matrix *dip_evaluate_products(const dip_embedded *e,
                                        const dip_settings *settings, int t)
{
    dip_field_set set = main_set(&settings->tasks[t]);
    return product_of(e, &set);
}

static float *compact(const dip_matrix *m, const int64_t *rows, int64_t count,
                      int64_t dim)
{
    float *out = dip_calloc((size_t)(count * dim), sizeof *out);
    for (int64_t i = 0; i < count && out != NULL; i++)
        memcpy(out + i * dim, m->rows + rows[i] * dim,
               (size_t)dim * sizeof *out);
    return out;
}

/* The rows of a matrix that are present. */
static dip_status present_rows(int64_t **rows, int64_t *count,
                               const dip_matrix *m, int64_t total, dip_err *err)
{
    *count = 0;
    *rows = dip_calloc((size_t)total, sizeof **rows);
    if (*rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < total; i++) {
        if (m->present[i])
            (*rows)[(*count)++] = i;
    }
    return DIP_OK;
}

/* Keeps the first of the rows whose query has the same text. */
static dip_status keep_distinct(task_data *d, const dip_evaluation *ev,
                                const dip_embedded *e,
                                const dip_task_settings *task, dip_err *err)
{
    dip_interner *seen = NULL;
    dip_str text = {0};
    int64_t kept = 0;
    dip_status st = dip_interner_create(&seen, err);
    for (int64_t i = 0; i < d->query_count && st == DIP_OK; i++) {
        int64_t row = e->row[d->query[i]], index;
        dip_evaluate_query_text(&text, ev, task, row);
        int64_t before = dip_interner_count(seen);
        st = dip_str_status(&text, err);
        if (st == DIP_OK)
            st = dip_interner_add(
                &index, seen, (dip_bytes){dip_str_text(&text), text.len}, err);
        if (dip_interner_count(seen) > before)
            d->query[kept++] = d->query[i];
    }
    d->query_count = kept;
    dip_str_free(&text);
    dip_interner_free(seen);
    return st;
}

static dip_status gather_keys(int64_t **out, const dip_row_keys *keys,
                              const dip_embedded *e, const int64_t *rows,
                              int64_t count, dip_err *err)
{
    *out = dip_calloc((size_t)(count * keys->columns), sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++)
        dip_row_keys_gather(*out + i * keys->columns, keys, &e->row[rows[i]],
                            1);
    return DIP_OK;
}

/* What the bootstrap draws together: queries with right answers in common. */
static dip_status group_queries(task_data *d, const dip_row_keys *keys,
                                const dip_embedded *e, dip_err *err)
{
    int64_t *rows = dip_calloc((size_t)d->query_count + 1, sizeof *rows);
    if (rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < d->query_count; i++)
        rows[i] = e->row[d->query[i]];
    dip_status st =
        dip_row_keys_components(d->groups, keys, rows, d->query_count, err);
    free(rows);
    return st;
}

static dip_status relate_by_keys(task_data *d, const dip_row_keys *keys,
                                 const dip_embedded *e, dip_err *err)
{
    int64_t *query_keys = NULL, *gallery_keys = NULL;
    dip_status st =
        gather_keys(&query_keys, keys, e, d->query, d->query_count, err);
    if (st == DIP_OK)
        st = gather_keys(&gallery_keys, keys, e, d->gallery, d->gallery_count,
                         err);
    if (st == DIP_OK) {
        st = dip_relevance_by_keys(&d->relevance, query_keys, d->query_count,
                                   gallery_keys, d->gallery_count,
                                   keys->columns, err);
        d->relevance_owned = st == DIP_OK;
    }
    free(gallery_keys);
    free(query_keys);
    return st == DIP_OK ? group_queries(d, keys, e, err) : st;
}

static dip_status make_row_queries(task_data *d, const dip_evaluation *ev,
                                   const dip_embedded *e, int t, dip_err *err)
{
    const dip_task_settings *task = &ev->job.settings->tasks[t];
    const dip_matrix *queries = dip_evaluate_queries(e, ev->job.settings, t);
    dip_status st =
        present_rows(&d->query, &d->query_count, queries, e->count, err);
    if (st == DIP_OK && task->distinct_queries &&
        task->query != DIP_SOURCE_IMAGE)
        st = keep_distinct(d, ev, e, task, err);
    if (st != DIP_OK)
        return st;
    d->queries = compact(queries, d->query, d->query_count, e->dim);
    d->groups = dip_calloc((size_t)d->query_count, sizeof *d->groups);
    if (d->queries == NULL || d->groups == NULL)
        return dip_no_memory(err);
    return relate_by_keys(d, &ev->job.corpus->keys[t], e, err);
}

/* The log's queries, of which each is asked once. */
static dip_status make_judged_queries(task_data *d, const dip_evaluation *ev,
                                      const dip_embedded *e, dip_err *err)
{
    const dip_catalog *catalog = ev->job.corpus->catalog;
    int64_t *gallery = dip_calloc((size_t)d->gallery_count, sizeof *gallery);
    if (gallery == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < d->gallery_count; i++)
        gallery[i] = e->row[d->gallery[i]];
    dip_status st = dip_judged_queries_build(&d->judged, catalog, ev->split,
                                             gallery, d->gallery_count, err);
    free(gallery);
    if (st != DIP_OK)
        return st;
    int64_t count = d->query_count = d->judged.queries;
    d->relevance = (dip_relevance){.queries = count,
                                   .lists = count,
                                   .offsets = d->judged.offsets,
                                   .rows = d->judged.rows,
                                   .grades = d->judged.grades};
    dip_bytes *texts = dip_calloc((size_t)count, sizeof *texts);
    d->queries = dip_calloc((size_t)(count * e->dim), sizeof *d->queries);
    d->groups = dip_calloc((size_t)count, sizeof *d->groups);
    if (texts == NULL || d->queries == NULL || d->groups == NULL)
        st = dip_no_memory(err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        d->groups[i] = i;
        texts[i] = dip_catalog_query(catalog, d->judged.query[i]);
    }
    if (st == DIP_OK)
        st = dip_embed_texts(d->queries, &ev->job, texts, count, err);
    free(texts);
    return st;
}

static dip_status make_data(task_data *d, const dip_evaluation *ev,
                            const dip_embedded *e, int t, dip_err *err)
{
    const dip_task_settings *task = &ev->job.settings->tasks[t];
    const dip_matrix *products = dip_evaluate_products(e, ev->job.settings, t);
    dip_status st =
        present_rows(&d->gallery, &d->gallery_count, products, e->count, err);
    if (st == DIP_OK)
        st = task->judged ? make_judged_queries(d, ev, e, err)
                          : make_row_queries(d, ev, e, t, err);
    if (st != DIP_OK)
        return st;
    d->products = compact(products, d->gallery, d->gallery_count, e->dim);
    return d->products != NULL ? DIP_OK : dip_no_memory(err);
}

/* `first` [queries, rerank] as dip_ranking_options has it, or NULL; `best` gets
 * the best products in the same pass, d->best_count of a query, if not NULL. */
static dip_status rank(dip_ranking *out, dip_hit *best, const task_data *d,
                       const float *products, const dip_hit *first,
                       const dip_evaluation *ev, int64_t dim, dip_err *err)
{
    const dip_settings *s = ev->job.settings;
    dip_ranking_options options = s->eval.ranking;
    options.graded = d->relevance.grades != NULL;
    options.first = first;
    options.first_count = s->rerank;
    dip_embeddings queries = {d->queries, d->query_count, dim,
                              s->model.similarity};
    dip_embeddings gallery = {products, d->gallery_count, dim,
                              s->model.similarity};
    return dip_ranking_with_best(out, best, d->best_count, &queries, &gallery,
                                 &d->relevance, &options, err);
}

static dip_status rank_otherwise(dip_ranking *out, const task_data *d,
                                 const dip_evaluation *ev, int t, dip_err *err)
{
    const dip_task_settings *task = &ev->job.settings->tasks[t];
    dip_ranking_options options = ev->job.settings->eval.ranking;
    options.graded = d->relevance.grades != NULL;
    const dip_rank_request request = {.task = t,
                                      .judged = task->judged,
                                      .queries = task->judged ? d->judged.query
                                                              : d->query,
                                      .query_count = d->query_count,
                                      .gallery = d->gallery,
                                      .gallery_count = d->gallery_count,
                                      .relevance = &d->relevance,
                                      .options = &options,
                                      .best_count = d->best_count};
    return ev->ranker.rank(ev->ranker.user, out, d->best, &request, err);
}

/* ---- intervals ---- */

/* Per-query values of one metric, and the groups of those queries. */
static void take_values(double *values, int64_t *groups, const dip_ranking *r,
                        const task_data *d, int metric)
{
    for (int64_t i = 0; i < r->evaluated; i++) {
        values[i] = dip_ranking_value(r, &r->per_query[i].values, metric);
        if (groups != NULL)
            groups[i] = d->groups[r->per_query[i].query];
    }
}

/* The interval of the median rank; `ranks` is scratch. */
static dip_status put_median(json_t *out, const dip_ranking *r, double *ranks,
                             const int64_t *groups,
                             const dip_stats_options *options, dip_err *err)
{
    dip_interval interval;
    for (int64_t i = 0; i < r->evaluated; i++)
        ranks[i] = r->per_query[i].rank;
    dip_status st = dip_bootstrap_median(&interval, ranks, groups, r->evaluated,
                                         options, err);
    if (st == DIP_OK &&
        json_object_set_new(out, "median_rank", dip_report_interval(&interval)))
        st = dip_no_memory(err);
    return st;
}

/* Intervals of all metrics: of the mean, or of `ranking` - `other`. */
static dip_status intervals(json_t **out, const dip_ranking *ranking,
                            const dip_ranking *other, const task_data *d,
                            const dip_evaluation *ev, dip_err *err)
{
    int64_t n = ranking->evaluated;
    double *a = dip_calloc((size_t)n, sizeof *a);
    double *b = dip_calloc((size_t)n, sizeof *b);
    int64_t *groups = dip_calloc((size_t)n, sizeof *groups);
    *out = json_object();
    dip_status st = DIP_OK;
    if (a == NULL || b == NULL || groups == NULL || *out == NULL)
        st = dip_no_memory(err);
    dip_stats_options options = dip_stats_defaults();
    options.resamples = ev->job.settings->resamples;
    options.seed = ev->job.settings->seed;
    for (int m = 0; m < dip_ranking_metrics(ranking) && st == DIP_OK && n > 0;
         m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_interval interval;
        dip_ranking_name(name, ranking, m);
        take_values(a, groups, ranking, d, m);
        if (other == NULL) {
            st = dip_bootstrap_mean(&interval, a, groups, n, &options, err);
        } else {
            take_values(b, NULL, other, d, m);
            st =
                dip_bootstrap_paired(&interval, a, b, groups, n, &options, err);
        }
        if (st == DIP_OK &&
            json_object_set_new(*out, name, dip_report_interval(&interval)))
            st = dip_no_memory(err);
    }
    if (st == DIP_OK && other == NULL && n > 0)
        st = put_median(*out, ranking, a, groups, &options, err);
    free(groups);
    free(b);
    free(a);
    return st;
}

static dip_status ablate(json_t **out, const dip_ranking *fused,
                         const task_data *d, const dip_evaluation *ev,
                         const dip_embedded *e, dip_field_set set, dip_err *err)
{
    *out = NULL;
    dip_ranking ranking = {0};
    json_t *gain = NULL;
    float *products =
        compact(product_of(e, &set), d->gallery, d->gallery_count, e->dim);
    dip_status st = products != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = rank(&ranking, NULL, d, products, NULL, ev, e->dim, err);
    if (st == DIP_OK)
        st = intervals(&gain, fused, &ranking, d, ev, err);
    if (st == DIP_OK) {
        *out = dip_report_ranking(&ranking);
        if (json_object_set(*out, "gain", gain) != 0)
            st = dip_no_memory(err);
    }
    json_decref(gain);
    dip_ranking_free(&ranking);
    free(products);
    return st;
}

static dip_status add_ablated(json_t *report, ablation kind,
                              const dip_ranking *fused, const task_data *d,
                              const dip_evaluation *ev, const dip_embedded *e,
                              const dip_task_settings *task, dip_err *err)
{
    json_t *fields = json_object();
    dip_status st = DIP_OK;
    for (int f = 0; f < ev->job.settings->field_count && st == DIP_OK; f++) {
        json_t *part = NULL;
        if (!task->fields[f])
            continue;
        st = ablate(&part, fused, d, ev, e, ablated_set(task, kind, f), err);
        if (json_object_set_new(fields, ev->job.settings->fields[f], part) !=
                0 &&
            st == DIP_OK)
            st = dip_no_memory(err);
    }
    if (json_object_set_new(report, ablation_keys[kind], fields) != 0 &&
        st == DIP_OK)
        st = dip_no_memory(err);
    return st;
}

/* ---- re-ranking ---- */

/* The best products of each query, with the classifier's logits for scores. */
static dip_status find_first(dip_hit *hits, const task_data *d,
                             const dip_evaluation *ev, int64_t dim,
                             dip_err *err)
{
    const dip_settings *s = ev->job.settings;
    dip_embeddings queries = {d->queries, d->query_count, dim,
                              s->model.similarity};
    dip_embeddings products = {d->products, d->gallery_count, dim,
                               s->model.similarity};
    size_t count = (size_t)(d->query_count * s->rerank);
    float *logits = dip_calloc(count, sizeof *logits);
    dip_status st = logits != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t q = 0; q < d->query_count; q++)
        memcpy(hits + q * s->rerank, d->best + q * d->best_count,
               (size_t)s->rerank * sizeof *hits);
    if (st == DIP_OK)
        st = dip_rerank_logits(logits, hits, s->rerank, &queries, &products,
                               &ev->job, err);
    for (size_t i = 0; i < count && st == DIP_OK; i++)
        hits[i].score = logits[i];
    free(logits);
    return st;
}

/* {"n", the metrics, "gain"}: the whole ranking with its first n in another
 * order. */
static dip_status add_reranked(json_t *report, const dip_ranking *plain,
                               const task_data *d, const dip_evaluation *ev,
                               int64_t dim, dip_err *err)
{
    int64_t n = ev->job.settings->rerank;
    dip_ranking ranking = {0};
    json_t *gain = NULL, *part = NULL;
    size_t count;
    if (dip_mul_overflows((size_t)d->query_count, (size_t)n, &count))
        return dip_no_memory(err);
    dip_hit *hits = dip_calloc(count, sizeof *hits);
    dip_status st = hits != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = find_first(hits, d, ev, dim, err);
    if (st == DIP_OK)
        st = rank(&ranking, NULL, d, d->products, hits, ev, dim, err);
    if (st == DIP_OK)
        st = intervals(&gain, &ranking, plain, d, ev, err);
    if (st == DIP_OK) {
        part = dip_report_ranking(&ranking);
        if (json_object_set_new(part, "n", json_integer((json_int_t)n)) != 0 ||
            json_object_set(part, "gain", gain) != 0 ||
            json_object_set(report, "rerank", part) != 0)
            st = dip_no_memory(err);
    }
    json_decref(part);
    json_decref(gain);
    dip_ranking_free(&ranking);
    free(hits);
    return st;
}

static dip_status describe(json_t **out, const dip_ranking *ranking,
                           const task_data *d, const dip_evaluation *ev,
                           const dip_embedded *e, int t, dip_err *err)
{
    const dip_task_settings *task = &ev->job.settings->tasks[t];
    *out = dip_report_ranking(ranking);
    if (*out == NULL)
        return dip_no_memory(err);
    if (!ev->full)
        return DIP_OK;
    json_t *interval = NULL;
    dip_status st = intervals(&interval, ranking, NULL, d, ev, err);
    if (json_object_set_new(*out, "interval", interval) != 0 && st == DIP_OK)
        st = dip_no_memory(err);
    for (ablation kind = ALONE; kind < ABLATIONS && st == DIP_OK; kind++) {
        if (ablates(ev, task, kind))
            st = add_ablated(*out, kind, ranking, d, ev, e, task, err);
    }
    if (st == DIP_OK && ev->job.settings->rerank > 0)
        st = add_reranked(*out, ranking, d, ev, e->dim, err);
    dip_sliced_rows rows = {ev,
                            e,
                            task,
                            task->judged ? d->judged.query : d->query,
                            d->query_count,
                            d->groups};
    if (st == DIP_OK && ev->job.settings->eval.slice_count > 0)
        st = dip_slices_of_ranking(*out, ranking, &rows, err);
    return st;
}

/* The rows of the catalog behind positions in the embedded split. */
static int64_t *catalog_rows(const int64_t *positions, int64_t count,
                             const dip_embedded *e)
{
    int64_t *rows = dip_calloc((size_t)count, sizeof *rows);
    for (int64_t i = 0; i < count && rows != NULL; i++)
        rows[i] = e->row[positions[i]];
    return rows;
}

static dip_status keep_outcomes(json_t *report, const dip_ranking *ranking,
                                const task_data *d, const dip_evaluation *ev,
                                const dip_embedded *e, int t, dip_err *err)
{
    const dip_task_settings *task = &ev->job.settings->tasks[t];
    dip_similarity similarity = ev->job.settings->model.similarity;
    int64_t *products = catalog_rows(d->gallery, d->gallery_count, e);
    int64_t *queries =
        task->judged ? NULL : catalog_rows(d->query, d->query_count, e);
    dip_ranked_task ranked = {
        .evaluation = ev,
        .task = task,
        .ranking = ranking,
        .relevance = &d->relevance,
        .queries = {d->queries, d->query_count, e->dim, similarity},
        .products = {d->products, d->gallery_count, e->dim, similarity},
        .best = d->best,
        .best_count = d->best_count,
        .query_rows = task->judged ? d->judged.query : queries,
        .product_rows = products,
        .groups = d->groups};
    bool complete = products != NULL && ranked.query_rows != NULL;
    dip_status st = complete ? dip_evaluate_outcomes(report, &ranked, err)
                             : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_evaluate_sampled(report, &ranked, err);
    if (st == DIP_OK && ev->trec != NULL)
        st = dip_evaluate_write_trec(&ranked, err);
    if (st == DIP_OK && ev->pictured)
        st = dip_evaluate_pictures(
            report, &ranked, &ev->outcomes->items[ev->outcomes->count - 1],
            err);
    free(queries);
    free(products);
    return st;
}

/* Room for as many of the best as outcomes and re-ranking will ask for. */
static dip_status make_best(task_data *d, const dip_evaluation *ev,
                            dip_err *err)
{
    size_t count;
    d->best_count = ev->full ? ev->job.settings->rerank : 0;
    if (ev->outcomes != NULL && d->best_count < DIP_OUTCOME_TOP)
        d->best_count = DIP_OUTCOME_TOP;
    if (d->best_count == 0)
        return DIP_OK;
    if (!dip_mul_overflows((size_t)d->query_count, (size_t)d->best_count,
                           &count))
        d->best = dip_calloc(count, sizeof *d->best);
    return d->best != NULL ? DIP_OK : dip_no_memory(err);
}

dip_status dip_evaluate_task(json_t **out, const dip_evaluation *ev,
                             const dip_embedded *embedded, int t, dip_err *err)
{
    *out = NULL;
    task_data data = {0};
    dip_ranking ranking = {0};
    dip_status st = make_data(&data, ev, embedded, t, err);
    if (st == DIP_OK)
        st = make_best(&data, ev, err);
    if (st == DIP_OK && ev->ranker.rank != NULL)
        st = rank_otherwise(&ranking, &data, ev, t, err);
    else if (st == DIP_OK)
        st = rank(&ranking, data.best, &data, data.products, NULL, ev,
                  embedded->dim, err);
    if (st == DIP_OK)
        st = describe(out, &ranking, &data, ev, embedded, t, err);
    if (st == DIP_OK && ev->outcomes != NULL)
        st = keep_outcomes(*out, &ranking, &data, ev, embedded, t, err);
    if (st != DIP_OK) {
        (void)dip_fail_context(err, "task '%s'",
                               ev->job.settings->tasks[t].name);
        json_decref(*out);
        *out = NULL;
    }
    dip_ranking_free(&ranking);
    free_data(&data);
    return st;
}
