#include "apps/evaluate_classes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_class_outcomes.h"
#include "apps/evaluate_slices.h"
#include "apps/evaluate_trec.h"
#include "base/mem.h"
#include "base/str.h"
#include "eval/areas.h"
#include "eval/class_intervals.h"
#include "eval/class_scores.h"
#include "eval/classification.h"
#include "eval/scores.h"
#include "eval/topk.h"
#include "report/report.h"

/* What the bootstrap draws together: rows of one product. */
static int64_t *row_groups(const dip_evaluation *ev, const dip_embedded *e)
{
    const dip_catalog *catalog = ev->job.corpus->catalog;
    int64_t *groups = dip_calloc((size_t)e->count, sizeof *groups);
    for (int64_t i = 0; i < e->count && groups != NULL; i++) {
        int64_t group = dip_catalog_group(catalog, e->row[i]);
        groups[i] = group >= 0 ? group : -1 - i;
    }
    return groups;
}

static dip_status put_slices(json_t *report, const dip_class_set *set,
                             const int32_t *predicted, const int64_t *groups,
                             const dip_evaluation *ev, const dip_embedded *e,
                             dip_err *err)
{
    int64_t *rows = dip_calloc((size_t)e->count, sizeof *rows);
    if (rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < e->count; i++)
        rows[i] = i;
    dip_sliced_rows sliced = {ev, e, NULL, rows, e->count, groups};
    dip_status st = dip_slices_of_classes(report, set->labels, predicted,
                                          set->count, &sliced, err);
    free(rows);
    return st;
}

/* Of accuracy@k, which is a mean over the labelled rows. */
static dip_status put_top_k(json_t *out, const dip_class_scores *scores,
                            const dip_class_probabilities *p,
                            const int64_t *groups, int64_t k,
                            const dip_stats_options *options, dip_err *err)
{
    char key[48];
    int64_t n = 0;
    dip_interval interval;
    double *right = dip_calloc((size_t)p->n, sizeof *right);
    int64_t *kept = dip_calloc((size_t)p->n, sizeof *kept);
    dip_status st = right != NULL && kept != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < p->n && st == DIP_OK; i++) {
        if (p->labels[i] < 0)
            continue;
        kept[n] = groups[i];
        right[n++] = scores->rank[i] >= 1 && scores->rank[i] <= k;
    }
    if (st == DIP_OK)
        st = dip_bootstrap_mean(&interval, right, kept, n, options, err);
    (void)snprintf(key, sizeof key, "accuracy@%lld", (long long)k);
    if (st == DIP_OK &&
        json_object_set_new(out, key, dip_report_interval(&interval)) != 0)
        st = dip_no_memory(err);
    free(kept);
    free(right);
    return st;
}

/* Of what needs the probabilities of all classes. */
static dip_status
put_score_intervals(json_t *out, const dip_class_scores *scores,
                    const dip_class_probabilities *p, const int64_t *groups,
                    const dip_evaluation *ev, const dip_stats_options *options,
                    dip_err *err)
{
    static const char *const names[2] = {"roc_auc_macro",
                                         "average_precision_macro"};
    const dip_ranking_options *k = &ev->job.settings->eval.ranking;
    dip_interval areas[2];
    dip_status st = dip_class_area_intervals(areas, p, groups, options, err);
    for (int i = 0; i < 2 && st == DIP_OK; i++) {
        if (!isnan(areas[i].mean) &&
            json_object_set_new(out, names[i],
                                dip_report_interval(&areas[i])) != 0)
            st = dip_no_memory(err);
    }
    for (int i = 0; i < k->n_cutoffs && st == DIP_OK; i++) {
        if (k->cutoffs[i] > 1 && k->cutoffs[i] < p->classes)
            st = put_top_k(out, scores, p, groups, k->cutoffs[i], options, err);
    }
    return st;
}

static dip_status put_intervals(json_t *report, const dip_class_set *set,
                                const int32_t *predicted,
                                const dip_class_scores *scores,
                                const dip_class_probabilities *p,
                                const int64_t *groups, const dip_evaluation *ev,
                                const dip_embedded *e, dip_err *err)
{
    dip_interval intervals[DIP_CLASS_INTERVALS];
    dip_class_rows rows = {.labels = set->labels,
                           .predicted = predicted,
                           .groups = groups,
                           .n = e->count,
                           .classes = set->count,
                           .scores = scores};
    dip_stats_options options = dip_stats_defaults();
    options.resamples = ev->job.settings->resamples;
    options.seed = ev->job.settings->seed;
    dip_status st = dip_class_intervals(intervals, &rows, &options, err);
    json_t *out = json_object();
    if (st == DIP_OK && p != NULL)
        st = put_score_intervals(out, scores, p, groups, ev, &options, err);
    for (int i = 0; i < DIP_CLASS_INTERVALS && st == DIP_OK; i++) {
        if (!isnan(intervals[i].mean) &&
            json_object_set_new(out, dip_class_interval_name(i),
                                dip_report_interval(&intervals[i])) != 0)
            st = dip_no_memory(err);
    }
    if (json_object_set_new(report, "interval", out) != 0 && st == DIP_OK)
        st = dip_no_memory(err);
    return st;
}

/* What a full evaluation says beyond the counts. `probabilities` [N, columns].
 */
static dip_status put_details(json_t *report, const dip_classification *c,
                              dip_class_set *set, const int32_t *predicted,
                              const float *probabilities, int64_t columns,
                              const dip_evaluation *ev, const dip_embedded *e,
                              dip_err *err)
{
    dip_class_scores scores = {0};
    const dip_class_probabilities p = {set->labels, probabilities, e->count,
                                       columns};
    const dip_ranking_options *k = &ev->job.settings->eval.ranking;
    dip_status st =
        dip_report_put_confusion(report, c, set->labels, predicted, e->count,
                                 dip_class_set_name, set, err);
    if (st == DIP_OK && probabilities != NULL)
        st = dip_class_scores_evaluate(&scores, &p, err);
    if (st == DIP_OK && probabilities != NULL &&
        dip_report_put_scores(report, c, &scores, e->count, columns, k->cutoffs,
                              k->n_cutoffs) != 0)
        st = dip_no_memory(err);
    const dip_predictions written = {
        .evaluation = ev,
        .embedded = e,
        .labels = set->labels,
        .predicted = predicted,
        .confidence = probabilities != NULL ? scores.confidence : NULL,
        .probabilities = probabilities,
        .columns = probabilities != NULL ? columns : 0,
        .names = set->names};
    if (st == DIP_OK && ev->predictions != NULL)
        st = dip_evaluate_write_predictions(set->file, &written, err);
    int64_t *groups = row_groups(ev, e);
    if (groups == NULL && st == DIP_OK)
        st = dip_no_memory(err);
    if (st == DIP_OK && c->rows > 0)
        st = put_intervals(
            report, set, predicted, probabilities != NULL ? &scores : NULL,
            probabilities != NULL ? &p : NULL, groups, ev, e, err);
    const dip_classified classified = {set, predicted,
                                       probabilities != NULL ? &scores : NULL,
                                       columns, groups};
    if (st == DIP_OK)
        st = dip_evaluate_class_outcomes(report, &classified, ev, e, err);
    if (st == DIP_OK && ev->job.settings->eval.slice_count > 0)
        st = put_slices(report, set, predicted, groups, ev, e, err);
    free(groups);
    dip_class_scores_free(&scores);
    return st;
}

dip_status dip_evaluate_report_classes(json_t **out, dip_class_set *set,
                                       const int32_t *predicted,
                                       const float *probabilities,
                                       int64_t columns,
                                       const dip_evaluation *ev,
                                       const dip_embedded *e, dip_err *err)
{
    *out = NULL;
    dip_classification_options options = {0};
    dip_classification c;
    dip_status st = dip_classification_evaluate(
        &c, set->labels, predicted, e->count, set->count, &options, err);
    if (st != DIP_OK)
        return st;
    *out = dip_report_classification(&c, dip_class_set_name, set);
    if (json_object_set_new(*out, "unknown",
                            json_integer((json_int_t)set->unknown)) != 0)
        st = dip_no_memory(err);
    if (st == DIP_OK && ev->full)
        st = put_details(*out, &c, set, predicted, probabilities, columns, ev,
                         e, err);
    dip_classification_free(&c);
    return st;
}

const dip_matrix *dip_evaluate_head_input(const dip_evaluation *ev,
                                          const dip_embedded *e, int h)
{
    const dip_settings *s = ev->job.settings;
    dip_head_input input = s->model.heads[h].input;
    if (input == DIP_HEAD_IMAGE || input == DIP_HEAD_IMAGE_FEATURES)
        return &e->image;
    if (input == DIP_HEAD_PRODUCT)
        return &e->products[0];
    for (int f = 0; f < s->field_count; f++) {
        if (s->field_text[f] >= 0 && s->field_text[f] < DIP_SOURCES_MAX)
            return &e->texts[s->field_text[f]];
    }
    return &e->texts[0];
}

dip_status dip_evaluate_head(json_t **out, const dip_evaluation *ev,
                             const dip_embedded *e, int h, dip_err *err)
{
    *out = NULL;
    dip_class_set set = {0};
    const char *label = ev->job.settings->model.heads[h].name;
    dip_status st = dip_class_set_make(&set, json_object_get(ev->labels, label),
                                       ev->job.corpus,
                                       ev->job.corpus->head_columns[h], e, err);
    const uint8_t *present = dip_evaluate_head_input(ev, e, h)->present;
    (void)snprintf(set.file, sizeof set.file, "%s", label);
    if (st == DIP_OK)
        dip_class_set_leave_out(&set, present, e->count);
    if (st == DIP_OK)
        st = dip_evaluate_report_classes(out, &set, e->predicted[h],
                                         e->probabilities[h], set.known, ev, e,
                                         err);
    dip_class_set_free(&set);
    return st;
}

/* ---- zero-shot ---- */

static dip_status render_names(dip_str *text, int64_t *offsets,
                               const dip_class_set *set, const char *template)
{
    const char *hole = strstr(template, "{}");
    dip_str_clear(text);
    for (int64_t i = 0; i < set->count; i++) {
        offsets[i] = (int64_t)text->len;
        dip_str_add_n(text, template, (size_t)(hole - template));
        dip_str_add(text, set->names[i]);
        dip_str_add(text, hole + 2);
    }
    offsets[set->count] = (int64_t)text->len;
    return dip_str_status(text, NULL);
}

/* Adds the embeddings of the names in one template to `sum` [classes, D]. */
static dip_status add_template(float *sum, const dip_evaluation *ev,
                               const dip_class_set *set, const char *template,
                               int64_t dim, dip_err *err)
{
    size_t count = (size_t)set->count;
    dip_str text = {0};
    int64_t *offsets = dip_calloc(count + 1, sizeof *offsets);
    dip_bytes *names = dip_calloc(count, sizeof *names);
    float *rows = dip_calloc(count * (size_t)dim, sizeof *rows);
    dip_status st = DIP_OK;
    if (offsets == NULL || names == NULL || rows == NULL ||
        render_names(&text, offsets, set, template) != DIP_OK)
        st = dip_no_memory(err);
    for (size_t i = 0; i < count && st == DIP_OK; i++)
        names[i] = (dip_bytes){text.data + offsets[i],
                               (size_t)(offsets[i + 1] - offsets[i])};
    if (st == DIP_OK)
        st = dip_embed_texts(rows, &ev->job, names, set->count, err);
    for (size_t i = 0; i < count * (size_t)dim && st == DIP_OK; i++)
        sum[i] += rows[i];
    free(rows);
    free(names);
    free(offsets);
    dip_str_free(&text);
    return st;
}

static void normalise_rows(float *rows, int64_t count, int64_t dim)
{
    for (int64_t i = 0; i < count; i++) {
        double square = 0;
        for (int64_t d = 0; d < dim; d++)
            square += (double)rows[i * dim + d] * (double)rows[i * dim + d];
        float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (int64_t d = 0; d < dim; d++)
            rows[i * dim + d] *= scale;
    }
}

const dip_matrix *dip_evaluate_zero_shot_input(const dip_embedded *e,
                                               const dip_zero_shot_settings *z)
{
    return z->of_product ? &e->products[0] : &e->image;
}

/* What the templates of a class have in common: the direction of their sum, or
 * their mean. */
static void centre_rows(float *sums, int64_t count, int64_t dim,
                        size_t templates, dip_similarity similarity)
{
    if (similarity == DIP_SIMILARITY_COSINE) {
        normalise_rows(sums, count, dim);
        return;
    }
    for (int64_t i = 0; i < count * dim; i++)
        sums[i] /= (float)templates;
}

static dip_status nearest_class(int32_t *predicted, const dip_embeddings *rows,
                                const dip_embeddings *texts, dip_err *err)
{
    dip_hit *hits = dip_calloc((size_t)rows->rows, sizeof *hits);
    if (hits == NULL)
        return dip_no_memory(err);
    dip_status st = dip_topk_search(hits, rows, texts, NULL, 1, err);
    for (int64_t i = 0; i < rows->rows && st == DIP_OK; i++)
        predicted[i] = (int32_t)hits[i].row;
    free(hits);
    return st;
}

/* What the softmax over classes is taken of: [rows, classes]. */
typedef struct {
    float *probabilities;
    int64_t classes;
    float scale;
} softmax_rows;

static void softmax_row(void *context, int worker, int64_t row,
                        const float *scores)
{
    const softmax_rows *s = context;
    float *out = s->probabilities + row * s->classes;
    float most = -INFINITY;
    double sum = 0;
    (void)worker;
    for (int64_t c = 0; c < s->classes; c++)
        most = fmaxf(most, scores[c]);
    for (int64_t c = 0; c < s->classes; c++)
        sum += exp((double)(s->scale * (scores[c] - most)));
    for (int64_t c = 0; c < s->classes; c++)
        out[c] = (float)(exp((double)(s->scale * (scores[c] - most))) / sum);
}

/* The model's similarity to the texts of each class as probabilities, and the
 * nearest class: the first of equals. */
static dip_status classify(int32_t *predicted, float *probabilities,
                           const dip_matrix *input, const float *texts,
                           int64_t classes, const dip_evaluation *ev,
                           const dip_embedded *e, dip_err *err)
{
    dip_similarity similarity = ev->job.settings->model.similarity;
    dip_embeddings queries = {input->rows, e->count, e->dim, similarity};
    dip_embeddings gallery = {texts, classes, e->dim, similarity};
    dip_scope_open();
    softmax_rows rows = {
        probabilities, classes,
        (float)dip_tensor_item(dip_model_scale(ev->job.model))};
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = dip_scores_each(&queries, &gallery, softmax_row, &rows, err);
    if (st == DIP_OK)
        st = nearest_class(predicted, &queries, &gallery, err);
    return st;
}

dip_status dip_evaluate_zero_shot(json_t **out, const dip_evaluation *ev,
                                  const dip_embedded *e,
                                  const dip_zero_shot_settings *z, int column,
                                  dip_err *err)
{
    *out = NULL;
    dip_class_set set = {0};
    float *texts = NULL, *probabilities = NULL;
    int32_t *predicted = dip_calloc((size_t)e->count, sizeof *predicted);
    const dip_matrix *input = dip_evaluate_zero_shot_input(e, z);
    (void)snprintf(set.file, sizeof set.file, "%s.zero_shot", z->label);
    dip_status st = predicted != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_class_set_make(&set, NULL, ev->job.corpus, column, e, err);
    if (st == DIP_OK) {
        texts = dip_calloc((size_t)(set.count * e->dim), sizeof *texts);
        probabilities =
            dip_calloc((size_t)(e->count * set.count), sizeof *probabilities);
        st = texts != NULL && probabilities != NULL ? DIP_OK
                                                    : dip_no_memory(err);
    }
    for (size_t t = 0; t < z->template_count && st == DIP_OK; t++)
        st = add_template(texts, ev, &set, z->templates[t], e->dim, err);
    if (st == DIP_OK) {
        dip_similarity similarity = ev->job.settings->model.similarity;
        centre_rows(texts, set.count, e->dim, z->template_count, similarity);
        st = classify(predicted, probabilities, input, texts, set.count, ev, e,
                      err);
    }
    if (st == DIP_OK)
        dip_class_set_leave_out(&set, input->present, e->count);
    if (st == DIP_OK)
        st = dip_evaluate_report_classes(out, &set, predicted, probabilities,
                                         set.count, ev, e, err);
    free(probabilities);
    free(texts);
    free(predicted);
    dip_class_set_free(&set);
    return st;
}
