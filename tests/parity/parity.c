/* The model of a config on given tensors, for the checks against other
 * implementations (tests/parity/driver.py runs it):
 *
 *   parity CONFIG IN.safetensors OUT.safetensors
 *
 * CONFIG is a config of `diptych train`, whose `init` names the weights. What
 * is computed depends on what IN holds:
 *
 *   vocabulary              I64, entries of the text tower's table
 *   images [B, 3, H, W]     F32, normalised: image.features, image.embedding
 *   ids [B, T], lengths [B] I64: text.features, text.embedding
 *   both                    also loss, of the pairs, and grad.<parameter>, all
 *                           as in evaluation
 *   seed []                 I64, beside them: all as in training, with libtorch
 *                           seeded before the towers
 *   rows [B]                I64, beside both, the numbers below B in any
 *                           order: one batch by the recipe of training, in
 *                           parts where train.grad_cache says so: loss,
 *                           grad.<parameter>, seeds [parts], memory [2], the
 *                           most of the process in KiB before and after
 *   the same without it,    one update for each of the S batches, as in
 *   one dimension more      training: losses [S]
 *   queries, items [B, D],  no model: loss, grad.queries, grad.items,
 *   scale [], maybe bias [] grad.scale; blocked where the config says so
 *
 * A failure is a line on stderr and exit code 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/initial.h"
#include "apps/settings.h"
#include "base/mem.h"
#include "base/str.h"
#include "models/weights.h"
#include "tensor/safetensors.h"
#include "train/retrieval.h"
#include "train/schedule.h"

typedef struct {
    dip_settings *settings;
    dip_safetensors *in;
    dip_model *model;
    dip_named_tensor *outs; /* borrowed from the open scope */
    char **names;           /* of the outs; owned */
    int count, room;
} run;

/* A tensor of the input file; NULL when it has none of the name. */
static dip_tensor *input(const run *r, const char *name)
{
    int i = dip_safetensors_find(r->in, name);
    return i < 0 ? NULL : dip_safetensors_tensor(r->in, i);
}

static dip_status output(run *r, const char *prefix, const char *name,
                         dip_tensor *tensor, dip_err *err)
{
    if (r->count == r->room)
        return dip_fail(err, DIP_ERANGE, "too many outputs");
    dip_str full = {0};
    dip_str_addf(&full, "%s%s", prefix, name);
    dip_status st = dip_str_status(&full, err);
    if (st != DIP_OK)
        return st;
    r->names[r->count] = full.data;
    r->outs[r->count] =
        (dip_named_tensor){.name = full.data, .tensor = dip_t_detach(tensor)};
    r->count++;
    return DIP_OK;
}

static dip_status prepare(run *r, const char *config, const char *in,
                          dip_err *err)
{
    dip_str faults = {0};
    dip_status st =
        dip_settings_load(&r->settings, config, NULL, 0, &faults, err);
    dip_str_free(&faults);
    if (st == DIP_OK)
        st = dip_safetensors_open(&r->in, in, err);
    if (st != DIP_OK)
        return st;
    dip_model_config model = r->settings->model;
    dip_tensor *size = input(r, "vocabulary");
    model.text.vocabulary = size != NULL ? (int64_t)dip_tensor_item(size) : 2;
    dip_tensor_set_threads(r->settings->threads > 0 ? r->settings->threads : 1);
    st = dip_model_create(&r->model, &model, err);
    if (st == DIP_OK)
        st = dip_initial_apply(NULL, r->settings, r->model, err);
    if (st != DIP_OK)
        return st;
    dip_params *params = dip_model_params(r->model);
    r->room = dip_params_count(params) + 8;
    r->outs = dip_calloc((size_t)r->room, sizeof *r->outs);
    r->names = dip_calloc((size_t)r->room, sizeof *r->names);
    return r->outs != NULL && r->names != NULL ? DIP_OK : dip_no_memory(err);
}

/* I64 [B, 1]: each row is right for itself alone. */
static dip_tensor *keys_of_rows(int64_t rows)
{
    const int64_t sizes[2] = {rows, 1};
    dip_tensor *keys = dip_tensor_empty(DIP_I64, 2, sizes);
    int64_t *values = dip_tensor_data(keys);
    for (int64_t i = 0; values != NULL && i < rows; i++)
        values[i] = i;
    return keys;
}

static dip_tensor *pair_loss(const run *r, const dip_tensor *queries,
                             const dip_tensor *items, const dip_tensor *scale)
{
    dip_loss_input pairs = {.queries = queries,
                            .items = items,
                            .scale = scale,
                            .bias = input(r, "bias")};
    if (pairs.bias == NULL)
        pairs.bias = dip_model_bias(r->model);
    int64_t rows = dip_tensor_size(queries, 0);
    if (r->settings->blocked_from > 0 && rows >= r->settings->blocked_from)
        pairs.keys = keys_of_rows(rows);
    return r->settings->loss->fn(&pairs, &r->settings->loss_options);
}

/* The gradients of all parameters that have one. */
static dip_status output_gradients(run *r, dip_err *err)
{
    dip_params *params = dip_model_params(r->model);
    dip_status st = DIP_OK;
    for (int i = 0; i < dip_params_count(params) && st == DIP_OK; i++) {
        dip_tensor *grad = dip_tensor_grad(dip_params_tensor(params, i));
        if (grad != NULL)
            st = output(r, "grad.", dip_params_name(params, i), grad, err);
    }
    return st;
}

static dip_status evaluate(run *r, const dip_tensor *images,
                           const dip_tensor *ids, const dip_tensor *lengths,
                           dip_err *err)
{
    dip_encoded image = {0}, text = {0};
    dip_status st = DIP_OK;
    dip_tensor *seed = input(r, "seed");
    bool training = seed != NULL;
    if (training)
        dip_tensor_seed((uint64_t)dip_tensor_item(seed));
    if (images != NULL) {
        image = dip_model_encode_image(r->model, images, training);
        st = output(r, "image.", "features", image.features, err);
        if (st == DIP_OK)
            st = output(r, "image.", "embedding", image.embedding, err);
    }
    if (st == DIP_OK && ids != NULL) {
        text = dip_model_encode_text(r->model, ids, lengths, training);
        st = output(r, "text.", "features", text.features, err);
        if (st == DIP_OK)
            st = output(r, "text.", "embedding", text.embedding, err);
    }
    if (st != DIP_OK || images == NULL || ids == NULL)
        return st;
    dip_tensor *loss = pair_loss(r, text.embedding, image.embedding,
                                 dip_model_scale(r->model));
    dip_tensor_backward(loss);
    st = output(r, "", "loss", loss, err);
    return st == DIP_OK ? output_gradients(r, err) : st;
}

/* One update on batch `s` of the stacked inputs, with s + 1 as its number. */
static dip_status update(run *r, dip_optimizer *optimizer,
                         dip_tensor *const stacked[3], int64_t s, float *loss,
                         dip_err *err)
{
    const dip_loop_options *o = &r->settings->loop;
    double norm;
    dip_scope_open();
    dip_encoded image =
        dip_model_encode_image(r->model, dip_t_select(stacked[0], 0, s), true);
    dip_encoded text =
        dip_model_encode_text(r->model, dip_t_select(stacked[1], 0, s),
                              dip_t_select(stacked[2], 0, s), true);
    dip_tensor *value = pair_loss(r, text.embedding, image.embedding,
                                  dip_model_scale(r->model));
    *loss = (float)dip_tensor_item(value);
    dip_tensor_backward(value);
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = dip_optimizer_step(optimizer, s + 1,
                                dip_schedule_lr(&o->schedule, s + 1),
                                o->clip_grad_norm, &norm, err);
    dip_model_constrain(r->model);
    return st;
}

static dip_status train(run *r, dip_tensor *const stacked[3], dip_err *err)
{
    int64_t steps = dip_tensor_size(stacked[0], 0);
    float *losses = dip_calloc((size_t)steps, sizeof *losses);
    if (losses == NULL)
        return dip_no_memory(err);
    dip_optimizer *optimizer;
    r->settings->loop.schedule.total_steps = steps;
    dip_status st = dip_optimizer_create(&optimizer, dip_model_params(r->model),
                                         &r->settings->loop.optimizer, err);
    for (int64_t s = 0; s < steps && st == DIP_OK; s++)
        st = update(r, optimizer, stacked, s, &losses[s], err);
    if (st == DIP_OK)
        st = output(r, "", "losses",
                    dip_tensor_from(losses, DIP_F32, 1, &steps), err);
    dip_optimizer_free(optimizer);
    free(losses);
    return st;
}

/* The peak of this program, which that of getrusage() is not: it begins with
 * that of the parent. 0 where the system does not say. */
static int64_t most_memory(void)
{
    char line[256];
    int64_t most = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            most = strtoll(line + 6, NULL, 10);
    }
    if (status != NULL)
        (void)fclose(status);
    return most;
}

static dip_status output_numbers(run *r, const char *name,
                                 const int64_t *numbers, int64_t count,
                                 dip_err *err)
{
    return output(r, "", name, dip_tensor_from(numbers, DIP_I64, 1, &count),
                  err);
}

/* What libtorch was seeded with for each part. */
static dip_status output_seeds(run *r, const dip_grad_cache *cache,
                               const dip_batch *batch, dip_err *err)
{
    int64_t part = r->settings->grad_cache, count = 0;
    int64_t *seeds = dip_calloc((size_t)batch->size, sizeof *seeds);
    if (seeds == NULL)
        return dip_no_memory(err);
    for (int64_t first = 0; first < batch->size; first += part)
        seeds[count++] = (int64_t)dip_grad_cache_seed(cache, batch, first);
    dip_status st = output_numbers(r, "seeds", seeds, count, err);
    free(seeds);
    return st;
}

/* Forward and backward of a batch of the config's first task, each of whose
 * rows is right for itself alone. */
static dip_status step(run *r, const dip_batch *batch, dip_grad_cache *cache,
                       dip_err *err)
{
    const dip_settings *s = r->settings;
    dip_row_keys keys = {batch->size, 1, dip_tensor_data(input(r, "rows"))};
    dip_retrieval_task task = {
        .query = s->tasks[0].query, .weight = 1, .keys = &keys};
    memcpy(task.fields, s->tasks[0].fields, sizeof task.fields);
    const dip_retrieval recipe = {.model = r->model,
                                  .tasks = &task,
                                  .task_count = 1,
                                  .text_count = s->text_count,
                                  .field_text = s->field_text,
                                  .loss = s->loss,
                                  .loss_options = s->loss_options,
                                  .blocked_from = s->blocked_from,
                                  .image_size = s->transform.size,
                                  .grad_cache = cache};
    dip_tensor *loss;
    dip_status st = dip_retrieval_loss(&loss, &recipe, batch, err);
    if (st != DIP_OK)
        return st;
    dip_tensor_backward(loss);
    if (cache != NULL)
        dip_grad_cache_backward(cache);
    return output(r, "", "loss", loss, err);
}

static dip_status train_batch(run *r, dip_tensor *const inputs[3], dip_err *err)
{
    dip_batch_text text = {.context = dip_tensor_size(inputs[1], 1),
                           .ids = dip_tensor_data(inputs[1]),
                           .lengths = dip_tensor_data(inputs[2])};
    dip_batch batch = {.size = dip_tensor_size(inputs[0], 0),
                       .rows = dip_tensor_data(input(r, "rows")),
                       .images = dip_tensor_data(inputs[0]),
                       .texts = &text};
    const dip_grad_cache_options options = {.rows = r->settings->grad_cache,
                                            .seed = r->settings->seed};
    dip_grad_cache *cache = NULL;
    int64_t memory[2] = {most_memory(), 0};
    batch.present = dip_calloc((size_t)batch.size, 1);
    if (batch.present == NULL)
        return dip_no_memory(err);
    memset(batch.present, 1, (size_t)batch.size);
    dip_status st = options.rows > 0
                        ? dip_grad_cache_create(&cache, r->model, &options, err)
                        : DIP_OK;
    if (st == DIP_OK)
        st = step(r, &batch, cache, err);
    memory[1] = most_memory();
    if (st == DIP_OK)
        st = output_numbers(r, "memory", memory, 2, err);
    if (st == DIP_OK)
        st = output_gradients(r, err);
    if (st == DIP_OK && cache != NULL)
        st = output_seeds(r, cache, &batch, err);
    dip_grad_cache_free(cache);
    free(batch.present);
    return st;
}

static dip_status lose(run *r, dip_err *err)
{
    static const char *const names[] = {"queries", "items", "scale"};
    dip_tensor *leaves[3];
    for (int i = 0; i < 3; i++) {
        leaves[i] = input(r, names[i]);
        dip_tensor_set_requires_grad(leaves[i], true);
    }
    dip_tensor *loss = pair_loss(r, leaves[0], leaves[1], leaves[2]);
    dip_tensor_backward(loss);
    dip_status st = output(r, "", "loss", loss, err);
    for (int i = 0; i < 3 && st == DIP_OK; i++) {
        dip_tensor *grad = dip_tensor_grad(leaves[i]);
        if (grad != NULL)
            st = output(r, "grad.", names[i], grad, err);
    }
    return st;
}

static dip_status compute(run *r, dip_err *err)
{
    if (dip_safetensors_find(r->in, "queries") >= 0)
        return lose(r, err);
    dip_tensor *inputs[3] = {input(r, "images"), input(r, "ids"),
                             input(r, "lengths")};
    if (inputs[0] != NULL && dip_tensor_ndim(inputs[0]) == 5)
        return train(r, inputs, err);
    if (dip_safetensors_find(r->in, "rows") >= 0)
        return train_batch(r, inputs, err);
    return evaluate(r, inputs[0], inputs[1], inputs[2], err);
}

int main(int argc, char **argv)
{
    dip_err err = {0};
    run r = {0};
    if (argc != 4) {
        (void)fprintf(stderr, "usage: parity CONFIG IN OUT\n");
        return 2;
    }
    dip_scope_open();
    dip_status st = prepare(&r, argv[1], argv[2], &err);
    if (st == DIP_OK)
        st = compute(&r, &err);
    if (st == DIP_OK)
        st = dip_tensor_status(&err);
    if (st == DIP_OK)
        st = dip_safetensors_write(argv[3], r.outs, r.count, NULL, 0, &err);
    if (st != DIP_OK)
        (void)fprintf(stderr, "%s\n", err.msg);
    dip_scope_close();
    for (int i = 0; i < r.count; i++)
        free(r.names[i]);
    free(r.names);
    free(r.outs);
    dip_model_free(r.model);
    dip_safetensors_close(r.in);
    dip_settings_free(r.settings);
    return st == DIP_OK ? 0 : 1;
}
