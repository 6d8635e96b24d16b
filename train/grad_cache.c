#include "train/grad_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tensor/gradients.h"

enum {
    STREAM_GRAD_CACHE = 0x303,
    SOURCES = 1 + DIP_SOURCES_MAX + DIP_FUSION_FIELDS_MAX,
    DIFFERENTIABLE = 3, /* the first tensors of a source */
    OF_SOURCE = 5,
    SLOTS = SOURCES * OF_SOURCE
};

struct dip_grad_cache {
    dip_model *model;
    dip_grad_cache_options options;
    /* Of the batch between the two passes. */
    const dip_batch *batch;
    int text_count;
    dip_encode_options encode;
    dip_encoded_batch leaves;
};

dip_status dip_grad_cache_create(dip_grad_cache **out, dip_model *model,
                                 const dip_grad_cache_options *options,
                                 dip_err *err)
{
    *out = dip_calloc(1, sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    (*out)->model = model;
    (*out)->options = *options;
    return DIP_OK;
}

void dip_grad_cache_free(dip_grad_cache *cache)
{
    free(cache);
}

/* ---- the tensors of an encoded batch, by number ---- */

/* Tensor `i` of [0, SLOTS); those below DIFFERENTIABLE of each source may have
 * gradients. */
static dip_tensor **slot(dip_encoded_batch *e, int i)
{
    int source = i / OF_SOURCE, text = source - 1;
    int field = text - DIP_SOURCES_MAX;
    dip_encoded *of = &e->image;
    dip_tensor **present = &e->image_present;
    if (field >= 0) {
        of = &e->attributes[field];
        present = &e->attribute_present[field];
    } else if (text >= 0) {
        of = &e->texts[text];
        present = &e->text_present[text];
    }
    dip_tensor **tensors[OF_SOURCE] = {&of->features, &of->embedding,
                                       &of->tokens.rows, &of->tokens.mask,
                                       present};
    return tensors[i % OF_SOURCE];
}

static bool is_differentiable(int i)
{
    return i % OF_SOURCE < DIFFERENTIABLE;
}

/* ---- parts of a batch ---- */

typedef struct {
    dip_batch batch;
    dip_batch_text texts[DIP_SOURCES_MAX];
    dip_batch_attribute attributes[DIP_FUSION_FIELDS_MAX];
} batch_part;

/* Rows from `first` on, without labels, which no tower reads. */
static void take_part(batch_part *part, const dip_grad_cache *cache,
                      int64_t first)
{
    const dip_batch *all = cache->batch;
    int64_t side = cache->encode.image_size, left = all->size - first;
    int attribute = 0;
    part->batch = *all;
    part->batch.size = left < cache->options.rows ? left : cache->options.rows;
    part->batch.rows = all->rows + first;
    if (all->images != NULL)
        part->batch.images = all->images + first * 3 * side * side;
    if (all->present != NULL)
        part->batch.present = all->present + first;
    part->batch.labels = NULL;
    for (int s = 0; s < cache->text_count; s++) {
        part->texts[s] = all->texts[s];
        part->texts[s].ids += first * all->texts[s].context;
        part->texts[s].lengths += first;
        if (part->texts[s].queries != NULL)
            part->texts[s].queries += first;
    }
    for (int f = 0; f < dip_model_field_count(cache->model); f++) {
        if (dip_model_field_attribute(cache->model, f) == DIP_ATTRIBUTE_NONE)
            continue;
        dip_batch_attribute *to = &part->attributes[attribute];
        *to = all->attributes[attribute++];
        if (to->labels != NULL)
            to->labels += first;
        if (to->numbers != NULL)
            to->numbers += first;
    }
    part->batch.texts = part->texts;
    part->batch.attributes = part->attributes;
}

uint64_t dip_grad_cache_seed(const dip_grad_cache *cache,
                             const dip_batch *batch, int64_t first)
{
    dip_rng rng =
        dip_rng_stream(cache->options.seed, STREAM_GRAD_CACHE,
                       (uint64_t)batch->epoch, (uint64_t)batch->rows[first]);
    return dip_rng_u64(&rng) >> 1;
}

/* Autocast is turned off in between: weights that it cast without autograd
 * would be taken for those of a pass with it. */
static dip_encoded_batch encode_part(const dip_grad_cache *cache, int64_t first)
{
    batch_part part;
    dip_device device = cache->encode.device;
    take_part(&part, cache, first);
    dip_tensor_seed(dip_grad_cache_seed(cache, cache->batch, first));
    bool before = dip_tensor_set_autocast(device, false);
    (void)dip_tensor_set_autocast(device, cache->options.bf16);
    dip_encoded_batch encoded = dip_encode_batch(
        cache->model, &part.batch, cache->text_count, &cache->encode);
    (void)dip_tensor_set_autocast(device, false);
    (void)dip_tensor_set_autocast(device, before);
    return encoded;
}

/* ---- first pass ---- */

/* `handles` has room for `count`; NULL where the parts have no such tensor. */
static dip_tensor *join(dip_tensor **handles, dip_encoded_batch *parts,
                        int count, int i)
{
    for (int p = 0; p < count; p++)
        handles[p] = *slot(&parts[p], i);
    if (handles[0] == NULL)
        return NULL;
    dip_tensor *leaf = dip_tensor_return(dip_t_cat(handles, count, 0));
    if (is_differentiable(i))
        dip_tensor_set_requires_grad(leaf, true);
    return leaf;
}

static void encode_parts(dip_grad_cache *cache, dip_encoded_batch *parts,
                         dip_tensor **handles, int count)
{
    dip_scope_open();
    bool before = dip_tensor_set_grad_mode(false);
    for (int p = 0; p < count; p++) {
        dip_scope_open();
        parts[p] = encode_part(cache, p * cache->options.rows);
        for (int i = 0; i < SLOTS; i++) {
            dip_tensor **tensor = slot(&parts[p], i);
            if (*tensor != NULL)
                *tensor = dip_tensor_return(*tensor);
        }
        dip_scope_close();
    }
    for (int i = 0; i < SLOTS; i++)
        *slot(&cache->leaves, i) = join(handles, parts, count, i);
    (void)dip_tensor_set_grad_mode(before);
    dip_scope_close();
}

dip_encoded_batch dip_grad_cache_encode(dip_grad_cache *cache,
                                        const dip_batch *batch, int text_count,
                                        const dip_encode_options *options)
{
    int64_t rows = cache->options.rows;
    size_t count = (size_t)((batch->size + rows - 1) / rows);
    cache->batch = batch;
    cache->text_count = text_count;
    cache->encode = *options;
    cache->leaves = (dip_encoded_batch){0};
    /* Tokens are joined, so all parts have as many. */
    cache->encode.text_tokens =
        dip_encode_longest(batch, options->texts, text_count);
    dip_encoded_batch *parts = dip_calloc(count, sizeof *parts);
    dip_tensor **handles = dip_calloc(count, sizeof(dip_tensor *));
    if (parts == NULL || handles == NULL)
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
    else
        encode_parts(cache, parts, handles, (int)count);
    free(handles);
    free(parts);
    return cache->leaves;
}

/* ---- second pass ---- */

static void part_backward(dip_grad_cache *cache, int64_t first)
{
    dip_tensor *outputs[SLOTS], *gradients[SLOTS];
    int count = 0;
    dip_scope_open();
    dip_encoded_batch part = encode_part(cache, first);
    for (int i = 0; i < SLOTS; i++) {
        dip_tensor *output = *slot(&part, i), *leaf = *slot(&cache->leaves, i);
        if (!is_differentiable(i) || output == NULL || leaf == NULL ||
            !dip_tensor_requires_grad(output))
            continue;
        dip_tensor *gradient = dip_tensor_grad(leaf);
        if (gradient == NULL)
            continue; /* no loss reads it */
        outputs[count] = output;
        gradients[count++] =
            dip_t_narrow(gradient, 0, first, dip_tensor_size(output, 0));
    }
    if (count > 0)
        dip_tensor_backward(dip_t_with_gradients(dip_tensor_scalar(0, DIP_F32),
                                                 outputs, gradients, count));
    dip_scope_close();
}

/* Running statistics of a batch norm that is trained, or of any that can be. */
static bool is_moving(const dip_params *params, int i, bool unlocks)
{
    static const char *const endings[] = {"running_mean", "running_var"};
    const char *name = dip_params_name(params, i);
    const char *dot = strrchr(name, '.');
    for (size_t e = 0; dot != NULL && e < DIP_ARRAY_LEN(endings); e++) {
        char weight[512];
        if (strcmp(dot + 1, endings[e]) != 0)
            continue;
        (void)snprintf(weight, sizeof weight, "%.*s.weight", (int)(dot - name),
                       name);
        int at = dip_params_find(params, weight);
        return at >= 0 &&
               (dip_tensor_requires_grad(dip_params_tensor(params, at)) ||
                (unlocks && dip_params_kind(params, at) != DIP_PARAM_BUFFER));
    }
    return false;
}

bool dip_grad_cache_splits_norms(const dip_params *params, bool unlocks)
{
    for (int i = 0; i < dip_params_count(params); i++) {
        if (is_moving(params, i, unlocks))
            return true;
    }
    return false;
}

void dip_grad_cache_backward(dip_grad_cache *cache)
{
    const dip_params *params = dip_model_params(cache->model);
    int count = dip_params_count(params);
    dip_tensor **moved = dip_calloc((size_t)count, sizeof(dip_tensor *));
    if (moved == NULL) {
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
        return;
    }
    dip_scope_open();
    /* Statistics move once a batch: as the first pass left them. */
    for (int i = 0; i < count; i++) {
        if (is_moving(params, i, false))
            moved[i] = dip_t_clone(dip_params_tensor(params, i));
    }
    for (int64_t at = 0; at < cache->batch->size && !dip_tensor_failed();
         at += cache->options.rows)
        part_backward(cache, at);
    for (int i = 0; i < count; i++) {
        if (moved[i] != NULL)
            dip_tensor_assign(dip_params_tensor(params, i), moved[i]);
    }
    dip_scope_close();
    free(moved);
}
