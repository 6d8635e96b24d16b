#include "train/retrieval.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "losses/lift.h"
#include "losses/match.h"

enum { STREAM_FIELD_DROPOUT = 0x301, STREAM_MATCH = 0x302 };

/* ---- products ---- */

static dip_tensor *column(const dip_tensor *matrix, int i)
{
    return dip_t_select(matrix, 1, i);
}

dip_tensor *dip_retrieval_product(const dip_model *model,
                                  const dip_encoded_batch *encoded,
                                  const int *field_text, const bool *fields,
                                  const dip_tensor *keep, dip_tensor **present,
                                  bool training)
{
    dip_encoded parts[DIP_FUSION_FIELDS_MAX] = {0};
    dip_tensor *masks[DIP_FUSION_FIELDS_MAX];
    dip_tensor *some = NULL;
    int count = dip_model_field_count(model);
    for (int f = 0; f < count; f++) {
        if (fields[f] && some == NULL)
            some = dip_encoded_embedding(encoded, field_text[f]);
    }
    dip_tensor *absent = NULL;
    for (int f = 0; f < count; f++) {
        if (fields[f]) {
            parts[f] = dip_encoded_source(encoded, field_text[f]);
            masks[f] = dip_encoded_present(encoded, field_text[f]);
            if (keep != NULL)
                masks[f] = dip_t_logical_and(masks[f], column(keep, f));
            continue;
        }
        /* Any rows will do where nothing is present. */
        parts[f].embedding = dip_t_detach(some);
        if (absent == NULL)
            absent = dip_t_ne_scalar(
                dip_t_mul_scalar(dip_t_select(dip_t_detach(some), 1, 0), 0), 0);
        masks[f] = absent;
    }
    dip_tensor *mask = dip_t_stack(masks, count, 1);
    if (present != NULL)
        *present = dip_t_amax(mask, 1, false);
    return dip_model_fuse(model, parts, mask, training);
}

dip_tensor *dip_retrieval_query(const dip_model *model,
                                const dip_encoded_batch *encoded,
                                const dip_query_mix *mix, dip_tensor **present)
{
    dip_tensor *sum = NULL, *total = NULL;
    for (int i = 0; i < mix->count; i++) {
        dip_tensor *there = dip_encoded_present(encoded, mix->sources[i]);
        dip_tensor *weight = dip_t_unsqueeze(
            dip_t_mul_scalar(dip_t_to_dtype(there, DIP_F32), mix->weights[i]),
            1); /* an absent field is zeros, and weighs nothing */
        dip_tensor *part =
            dip_t_mul(dip_encoded_embedding(encoded, mix->sources[i]), weight);
        sum = sum == NULL ? part : dip_t_add(sum, part);
        total = total == NULL ? weight : dip_t_add(total, weight);
    }
    *present = dip_t_gt_scalar(dip_t_select(total, 1, 0), 0);
    if (dip_model_similarity(model) == DIP_SIMILARITY_COSINE)
        return dip_t_normalize(sum, 1);
    dip_tensor *none = dip_t_logical_not(dip_t_gt_scalar(total, 0));
    return dip_t_div(sum, dip_t_masked_fill(total, none, 1));
}

static bool is_there(const dip_retrieval *r, const dip_batch *batch, int source,
                     int64_t i)
{
    if (source >= DIP_SOURCES_MAX)
        return dip_batch_attribute_present(
            dip_batch_attribute_of(r->model, batch, source - DIP_SOURCES_MAX),
            i);
    if (source != DIP_SOURCE_IMAGE)
        return batch->texts[source].lengths[i] > 0;
    if (batch->present != NULL)
        return batch->present[i] != 0;
    return r->features != NULL &&
           dip_feature_table_has(&r->features->image, batch->rows[i]);
}

/* One row of draw_kept_fields(), whose cells are all 1. */
static void draw_kept_row(uint8_t *cells, const dip_retrieval *r,
                          const dip_batch *batch, const bool *fields, int64_t i)
{
    int count = dip_model_field_count(r->model), there = 0, hidden = 0;
    dip_rng rng =
        dip_rng_stream(r->seed, STREAM_FIELD_DROPOUT, (uint64_t)batch->epoch,
                       (uint64_t)batch->rows[i]);
    for (int f = 0; f < count; f++) {
        if (!fields[f])
            continue;
        bool hide = dip_rng_uniform(&rng) < r->field_dropout;
        cells[f] = !hide;
        if (is_there(r, batch, r->field_text[f], i)) {
            there++;
            hidden += hide;
        }
    }
    if (hidden == there)
        memset(cells, 1, (size_t)count);
}

/* BOOL [B, fields]: hides each field with the probability, but never all that
 * a row has; a function of (seed, epoch, row). */
static dip_tensor *draw_kept_fields(const dip_retrieval *r,
                                    const dip_batch *batch, const bool *fields)
{
    int count = dip_model_field_count(r->model);
    int64_t sizes[2] = {batch->size, count};
    dip_tensor *keep = dip_tensor_full(1, DIP_BOOL, 2, sizes);
    uint8_t *cells = dip_tensor_data(keep);
    if (cells == NULL)
        return NULL;
    for (int64_t i = 0; i < batch->size; i++)
        draw_kept_row(cells + i * count, r, batch, fields, i);
    return dip_t_to_device(keep, r->device);
}

/* ---- losses ---- */

/* Room for the positives of a batch; which outlives the tensors over it. */
static dip_tensor *positives_of(const dip_retrieval_task *task,
                                const dip_batch *batch)
{
    int64_t sizes[2] = {batch->size, batch->size};
    dip_tensor *matrix = dip_tensor_empty(DIP_BOOL, 2, sizes);
    uint8_t *cells = dip_tensor_data(matrix);
    if (cells == NULL)
        return NULL;
    if (task->keys != NULL) {
        dip_row_keys_positives(cells, task->keys, batch->rows, batch->size);
        return matrix;
    }
    dip_row_queries_positives(cells, task->judged,
                              batch->texts[task->query].queries, batch->rows,
                              batch->size);
    for (int64_t i = 0; i < batch->size; i++)
        cells[i * batch->size + i] = 1;
    return matrix;
}

/* F32 [B]: grades of the rows' own pairs; NULL where nothing is judged. */
static dip_tensor *scores_of(const dip_retrieval_task *task,
                             const dip_batch *batch)
{
    if (task->judged == NULL)
        return NULL;
    dip_tensor *scores = dip_tensor_empty(DIP_F32, 1, &batch->size);
    float *cells = dip_tensor_data(scores);
    for (int64_t i = 0; cells != NULL && i < batch->size; i++)
        cells[i] = dip_row_queries_grade(
            task->judged, batch->texts[task->query].queries[i], batch->rows[i]);
    return scores;
}

/* I64 [B, K] */
static dip_tensor *keys_of(const dip_retrieval_task *task,
                           const dip_batch *batch)
{
    int64_t sizes[2] = {batch->size, task->keys->columns};
    dip_tensor *keys = dip_tensor_empty(DIP_I64, 2, sizes);
    int64_t *values = dip_tensor_data(keys);
    if (values != NULL)
        dip_row_keys_gather(values, task->keys, batch->rows, batch->size);
    return keys;
}

/* Whether keys stand in for the matrix of positives. */
static bool is_blocked(const dip_retrieval *r, const dip_retrieval_task *task,
                       const dip_batch *batch)
{
    return r->blocked_from > 0 && batch->size >= r->blocked_from &&
           r->loss->reads_keys && task->keys != NULL && task->queue == NULL &&
           r->device == DIP_CPU;
}

/* The loss of a task's batch, which then goes into the task's queue. */
static dip_tensor *contrast(const dip_retrieval *r,
                            const dip_retrieval_task *task,
                            const dip_batch *batch, dip_loss_input input)
{
    dip_tensor *keys = task->queue != NULL ? keys_of(task, batch) : NULL;
    if (task->queue != NULL)
        dip_queue_give(task->queue, keys, &input);
    dip_tensor *loss =
        dip_matryoshka_loss(&r->matryoshka, dip_model_similarity(r->model),
                            r->loss, &input, &r->loss_options);
    if (task->queue != NULL)
        dip_queue_take(task->queue, keys, &input);
    return loss;
}

static int fields_used(const dip_retrieval_task *task, int count)
{
    int used = 0;
    for (int f = 0; f < count; f++)
        used += task->fields[f];
    return used;
}

/* What chooses the pairs of a match loss, on the CPU. */
typedef struct {
    float *scores;
    uint8_t *positives, *valid;
    uint64_t *draws;
} match_room;

static bool make_match_room(match_room *m, size_t rows)
{
    size_t cells;
    *m = (match_room){0};
    if (dip_mul_overflows(rows, rows, &cells))
        return false;
    m->scores = dip_calloc(cells, sizeof *m->scores);
    m->positives = dip_calloc(cells, 1);
    m->valid = dip_calloc(rows, 1);
    m->draws = dip_calloc(rows, sizeof *m->draws);
    return m->scores != NULL && m->positives != NULL && m->valid != NULL &&
           m->draws != NULL;
}

static void free_match_room(match_room *m)
{
    free(m->scores);
    free(m->positives);
    free(m->valid);
    free(m->draws);
}

/* The pairs that a match classifier learns from; a function of the embeddings
 * and of (seed, epoch, row). */
static dip_status choose_pairs(dip_match_pairs *pairs, const dip_retrieval *r,
                               const dip_loss_input *in, const dip_batch *batch,
                               dip_err *err)
{
    match_room m;
    size_t rows = (size_t)batch->size;
    *pairs = (dip_match_pairs){0};
    if (!make_match_room(&m, rows)) {
        free_match_room(&m);
        return dip_no_memory(err);
    }
    dip_tensor *q = dip_t_detach(in->queries), *p = dip_t_detach(in->items);
    if (dip_model_similarity(r->model) == DIP_SIMILARITY_EUCLIDEAN) {
        q = dip_lift_queries(q);
        p = dip_lift_items(p);
    }
    dip_tensor *scores = dip_t_matmul(q, dip_t_transpose(p, 0, 1));
    dip_tensor_read(scores, DIP_F32, m.scores, rows * rows * sizeof *m.scores);
    dip_tensor_read(in->positives, DIP_U8, m.positives, rows * rows);
    dip_tensor_read(in->valid, DIP_U8, m.valid, rows);
    for (int64_t i = 0; i < batch->size; i++) {
        dip_rng rng =
            dip_rng_stream(r->seed, STREAM_MATCH, (uint64_t)batch->epoch,
                           (uint64_t)batch->rows[i]);
        m.draws[i] = dip_rng_u64(&rng);
    }
    dip_match_batch b = {batch->size, m.scores, m.positives,
                         m.valid,     m.draws,  r->match.negatives};
    dip_status st = dip_match_pairs_choose(pairs, &b, err);
    free_match_room(&m);
    return st;
}

/* The rows of `x` at the places, apart from its history where the classifier
 * is not to train it. */
static dip_tensor *take_rows(const dip_retrieval *r, const dip_tensor *x,
                             const int64_t *places, int64_t count)
{
    dip_tensor *at =
        dip_t_to_device(dip_tensor_from(places, DIP_I64, 1, &count), r->device);
    return dip_t_index_select(r->match.detach ? dip_t_detach(x) : x, 0, at);
}

static dip_tensor *match_loss(const dip_retrieval *r, const dip_loss_input *in,
                              const dip_batch *batch)
{
    dip_match_pairs pairs;
    dip_err err = {0};
    if (choose_pairs(&pairs, r, in, batch, &err) != DIP_OK) {
        dip_tensor_fail(err.code, "%s", err.msg);
        return NULL;
    }
    dip_tensor *logits = dip_model_match(
        r->model, take_rows(r, in->queries, pairs.queries, pairs.count),
        take_rows(r, in->items, pairs.items, pairs.count));
    dip_tensor *targets = dip_t_to_device(
        dip_tensor_from(pairs.targets, DIP_F32, 1, &pairs.count), r->device);
    dip_tensor *loss = dip_loss_match(logits, targets);
    dip_match_pairs_free(&pairs);
    return loss;
}

/* `loss` and what a teacher says of the batch, as they are weighed. */
static dip_tensor *distil(const dip_retrieval *r, int t, const dip_batch *batch,
                          const dip_loss_input *input, const dip_tensor *loss)
{
    double weight = r->distill.weight;
    dip_tensor *part =
        dip_distill_batch(&r->distill, &r->tasks[t].teacher, batch, input,
                          dip_model_similarity(r->model), r->device);
    if (r->terms != NULL)
        r->terms->distill[t] += dip_tensor_item(part);
    return dip_t_add(dip_t_mul_scalar(loss, 1 - weight),
                     dip_t_mul_scalar(part, weight));
}

static dip_tensor *task_loss(const dip_retrieval *r, int t,
                             const dip_encoded_batch *encoded,
                             const dip_batch *batch)
{
    const dip_retrieval_task *task = &r->tasks[t];
    dip_tensor *keep = NULL, *product_present = NULL;
    if (r->field_dropout > 0 &&
        fields_used(task, dip_model_field_count(r->model)) > 1)
        keep = draw_kept_fields(r, batch, task->fields);
    dip_tensor *products =
        dip_retrieval_product(r->model, encoded, r->field_text, task->fields,
                              keep, &product_present, true);
    dip_tensor *queries, *query_present;
    if (task->mix.count > 0) {
        queries =
            dip_retrieval_query(r->model, encoded, &task->mix, &query_present);
    } else {
        queries = dip_encoded_embedding(encoded, task->query);
        query_present = dip_encoded_present(encoded, task->query);
    }
    dip_loss_input input = {
        .queries = queries,
        .items = products,
        .scale = dip_model_scale(r->model),
        .keys = is_blocked(r, task, batch) ? keys_of(task, batch) : NULL,
        .valid = dip_t_logical_and(query_present, product_present),
        .bias = dip_model_bias(r->model),
    };
    if (input.keys == NULL)
        input.positives = dip_t_to_device(positives_of(task, batch), r->device);
    dip_tensor *scores = scores_of(task, batch);
    if (scores != NULL)
        input.scores = dip_t_to_device(scores, r->device);
    dip_tensor *loss = contrast(r, task, batch, input);
    if (task->teacher.queries != NULL)
        loss = distil(r, t, batch, &input, loss);
    if (!(r->match.weight > 0))
        return loss;
    if (input.positives == NULL) /* the loss had keys */
        input.positives = positives_of(task, batch);
    dip_tensor *match = match_loss(r, &input, batch);
    return dip_t_add(loss, dip_t_mul_scalar(match, r->match.weight));
}

dip_tensor *dip_retrieval_head_input(const dip_model *model, int h,
                                     const dip_encoded_batch *encoded,
                                     const int *field_text, bool training)
{
    bool all[DIP_FUSION_FIELDS_MAX];
    int text = 0;
    for (int f = 0; f < DIP_FUSION_FIELDS_MAX; f++)
        all[f] = true;
    for (int f = dip_model_field_count(model) - 1; f >= 0; f--) {
        if (field_text[f] >= 0 && field_text[f] < DIP_SOURCES_MAX)
            text = field_text[f];
    }
    switch (dip_model_head_input(model, h)) {
    case DIP_HEAD_IMAGE:
        return encoded->image.embedding;
    case DIP_HEAD_IMAGE_FEATURES:
        return encoded->image.features;
    case DIP_HEAD_TEXT:
        return encoded->texts[text].embedding;
    case DIP_HEAD_TEXT_FEATURES:
        return encoded->texts[text].features;
    case DIP_HEAD_PRODUCT:
    case DIP_HEAD_INPUT_COUNT:
        break;
    }
    return dip_retrieval_product(model, encoded, field_text, all, NULL, NULL,
                                 training);
}

static dip_tensor *head_loss(const dip_retrieval *r, int h,
                             const dip_encoded_batch *encoded,
                             const dip_batch *batch)
{
    dip_tensor *input =
        dip_retrieval_head_input(r->model, h, encoded, r->field_text, true);
    return dip_head_loss(r->model, h, input, batch,
                         r->head_targets != NULL ? &r->head_targets[h] : NULL,
                         NULL, r->device);
}

/* Adds a part to the sum, and its value to *term (NULL: nobody asks). */
static dip_tensor *add_weighted(dip_tensor *sum, const dip_tensor *part,
                                double weight, double *term)
{
    if (term != NULL)
        *term += dip_tensor_item(part);
    dip_tensor *weighted = dip_t_mul_scalar(part, weight);
    return sum == NULL ? weighted : dip_t_add(sum, weighted);
}

dip_status dip_retrieval_encoded_loss(dip_tensor **loss, const dip_retrieval *r,
                                      const dip_encoded_batch *encoded,
                                      const dip_batch *batch, dip_err *err)
{
    dip_tensor *sum = NULL;
    for (int t = 0; t < r->task_count; t++) {
        if (r->tasks[t].weight > 0)
            sum = add_weighted(sum, task_loss(r, t, encoded, batch),
                               r->tasks[t].weight,
                               r->terms ? &r->terms->tasks[t] : NULL);
    }
    for (int h = 0; h < dip_model_head_count(r->model); h++) {
        if (r->head_weights[h] > 0)
            sum = add_weighted(sum, head_loss(r, h, encoded, batch),
                               r->head_weights[h],
                               r->terms ? &r->terms->heads[h] : NULL);
    }
    if (r->terms != NULL)
        r->terms->batches++;
    *loss = sum;
    if (sum == NULL && !dip_tensor_failed())
        return dip_fail(err, DIP_ECONFIG,
                        "no task and no head has a weight above 0");
    return DIP_OK;
}

dip_status dip_retrieval_loss(dip_tensor **loss, const dip_retrieval *r,
                              const dip_batch *batch, dip_err *err)
{
    dip_encode_options options = {.image = true,
                                  .features = r->features,
                                  .image_size = r->image_size,
                                  .device = r->device,
                                  .channels_last = r->channels_last,
                                  .training = true};
    for (int s = 0; s < r->text_count; s++)
        options.texts[s] = true;
    dip_encoded_batch encoded =
        r->grad_cache != NULL
            ? dip_grad_cache_encode(r->grad_cache, batch, r->text_count,
                                    &options)
            : dip_encode_batch(r->model, batch, r->text_count, &options);
    return dip_retrieval_encoded_loss(loss, r, &encoded, batch, err);
}
