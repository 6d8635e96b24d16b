#include "data/loader_ring.h"

#include <stdlib.h>

#include "base/mem.h"

/* Not zeroed: pages of a batch that is never used cost nothing. */
static void *allocate(size_t count, size_t each, size_t size)
{
    size_t bytes;
    if (dip_mul_overflows(count, each, &bytes) ||
        dip_mul_overflows(bytes, size, &bytes))
        return NULL;
    return malloc(bytes > 0 ? bytes : 1);
}

static bool init_images(dip_batch *batch, const dip_loader_options *options)
{
    size_t rows = (size_t)options->batch_size;
    size_t side = (size_t)options->transform.size;
    size_t floats;
    if (options->image_column < 0)
        return true;
    if (dip_mul_overflows(side, side, &floats) ||
        dip_mul_overflows(floats, 3, &floats))
        return false;
    batch->images = allocate(rows, floats, sizeof *batch->images);
    batch->present = allocate(rows, 1, sizeof *batch->present);
    return batch->images != NULL && batch->present != NULL;
}

static bool init_text(dip_batch_text *text, const dip_text_source *source,
                      size_t rows)
{
    text->context = source->context;
    text->ids = allocate(rows, (size_t)source->context, sizeof *text->ids);
    text->lengths = allocate(rows, 1, sizeof *text->lengths);
    if (source->queries != NULL)
        text->queries = allocate(rows, 1, sizeof *text->queries);
    return text->ids != NULL && text->lengths != NULL &&
           (text->queries != NULL || source->queries == NULL);
}

static bool init_attribute(dip_batch_attribute *attribute,
                           const dip_attribute_source *source, size_t rows)
{
    if (source->ids != NULL)
        attribute->labels = allocate(rows, 1, sizeof *attribute->labels);
    else
        attribute->numbers = allocate(rows, 1, sizeof *attribute->numbers);
    return attribute->labels != NULL || attribute->numbers != NULL;
}

static bool init_batch(dip_batch *batch, const dip_loader_options *options)
{
    size_t rows = (size_t)options->batch_size;
    batch->rows = allocate(rows, 1, sizeof *batch->rows);
    batch->texts =
        dip_calloc((size_t)options->text_count, sizeof *batch->texts);
    batch->labels =
        dip_calloc((size_t)options->label_count, sizeof *batch->labels);
    batch->attributes =
        dip_calloc((size_t)options->attribute_count, sizeof *batch->attributes);
    bool ok = batch->rows != NULL && batch->texts != NULL &&
              batch->labels != NULL && batch->attributes != NULL &&
              init_images(batch, options);
    for (int s = 0; ok && s < options->text_count; s++)
        ok = init_text(&batch->texts[s], &options->texts[s], rows);
    for (int l = 0; ok && l < options->label_count; l++) {
        batch->labels[l] = allocate(rows, 1, sizeof **batch->labels);
        ok = batch->labels[l] != NULL;
    }
    for (int a = 0; ok && a < options->attribute_count; a++)
        ok = init_attribute(&batch->attributes[a], &options->attributes[a],
                            rows);
    return ok;
}

dip_status dip_ring_init(dip_ring *ring, const dip_loader_options *options,
                         int depth, dip_err *err)
{
    *ring = (dip_ring){.text_count = options->text_count,
                       .label_count = options->label_count,
                       .attribute_count = options->attribute_count};
    ring->slots = dip_calloc((size_t)depth, sizeof *ring->slots);
    if (ring->slots == NULL)
        return dip_no_memory(err);
    ring->depth = depth;
    for (int i = 0; i < depth; i++) {
        if (!init_batch(&ring->slots[i].batch, options))
            return dip_no_memory(err);
    }
    return DIP_OK;
}

static void clear_batch(dip_batch *batch, const dip_ring *ring)
{
    for (int s = 0; batch->texts != NULL && s < ring->text_count; s++) {
        free(batch->texts[s].ids);
        free(batch->texts[s].lengths);
        free(batch->texts[s].queries);
    }
    for (int l = 0; batch->labels != NULL && l < ring->label_count; l++)
        free(batch->labels[l]);
    for (int a = 0; batch->attributes != NULL && a < ring->attribute_count;
         a++) {
        free(batch->attributes[a].labels);
        free(batch->attributes[a].numbers);
    }
    free(batch->attributes);
    free(batch->texts);
    free(batch->labels);
    free(batch->rows);
    free(batch->images);
    free(batch->present);
}

void dip_ring_clear(dip_ring *ring)
{
    for (int i = 0; i < ring->depth; i++)
        clear_batch(&ring->slots[i].batch, ring);
    free(ring->slots);
    *ring = (dip_ring){0};
}
