#include "export/samples.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/product.h"
#include "tensor/safetensors.h"

#define BLOCK 64 /* rows that the model encodes at once */

/* ---- room ---------------------------------------------------------------- */

/* Zeroed memory for rows * a * b items; sticks in *ok. */
static void *room(bool *ok, int64_t rows, int64_t a, int64_t b, size_t size)
{
    size_t count = 0;
    *ok = *ok && !dip_mul_overflows((size_t)rows, (size_t)a, &count) &&
          !dip_mul_overflows(count, (size_t)b, &count);
    void *items = *ok ? dip_calloc(count, size) : NULL;
    *ok = items != NULL;
    return items;
}

static bool make_texts(dip_samples *s)
{
    bool ok = true;
    for (int t = 0; t < s->text_count; t++) {
        s->ids[t] = room(&ok, s->rows, s->context, 1, sizeof(int64_t));
        s->lengths[t] = room(&ok, s->rows, 1, 1, sizeof(int64_t));
    }
    if (s->text_count == 0)
        return ok;
    s->text_ids = room(&ok, s->rows, s->context, 1, sizeof(int64_t));
    s->text_lengths = room(&ok, s->rows, 1, 1, sizeof(int64_t));
    s->text_rows = room(&ok, s->rows, s->dim, 1, sizeof(float));
    return ok;
}

static bool make_images(dip_samples *s)
{
    bool ok = true;
    if (s->image_size == 0)
        return ok;
    s->images =
        room(&ok, s->rows, 3 * s->image_size, s->image_size, sizeof(float));
    s->has_image = room(&ok, s->rows, 1, 1, 1);
    s->image_rows = room(&ok, s->rows, s->dim, 1, sizeof(float));
    return ok;
}

static bool make_attributes(dip_samples *s, const dip_model *model)
{
    bool ok = true;
    for (int f = 0; f < s->field_count; f++) {
        dip_attribute_kind kind = dip_model_field_attribute(model, f);
        if (kind == DIP_ATTRIBUTE_LABEL)
            s->labels[f] = room(&ok, s->rows, 1, 1, sizeof(int64_t));
        else if (kind != DIP_ATTRIBUTE_NONE)
            s->numbers[f] = room(&ok, s->rows, 1, 1, sizeof(float));
    }
    return ok;
}

static bool make_fields(dip_samples *s)
{
    bool ok = true;
    if (s->field_count == 0)
        return ok;
    s->field_rows = room(&ok, s->rows, s->field_count, s->dim, sizeof(float));
    s->field_present = room(&ok, s->rows, s->field_count, 1, 1);
    s->product_rows = room(&ok, s->rows, s->dim, 1, sizeof(float));
    if (s->query_text >= 0 && s->query_text < s->text_count)
        s->query_rows = room(&ok, s->rows, s->dim, 1, sizeof(float));
    return ok;
}

dip_status dip_samples_make(dip_samples *s, const dip_samples_options *options,
                            const dip_model *model, dip_err *err)
{
    *s = (dip_samples){.rows = options->rows,
                       .image_size = options->image_size,
                       .context = options->context,
                       .dim = dip_model_embed_dim(model),
                       .text_count = options->text_count,
                       .query_text = options->query_text,
                       .field_count = dip_model_field_count(model),
                       .fuses_tokens = dip_model_fuses_tokens(model)};
    if (s->field_count > 0)
        memcpy(s->field_text, options->field_text,
               (size_t)s->field_count * sizeof *s->field_text);
    return make_texts(s) && make_images(s) && make_fields(s) &&
                   make_attributes(s, model)
               ? DIP_OK
               : dip_no_memory(err);
}

void dip_samples_free(dip_samples *s)
{
    for (int t = 0; t < s->text_count; t++) {
        free(s->ids[t]);
        free(s->lengths[t]);
    }
    for (int f = 0; f < s->field_count; f++) {
        free(s->labels[f]);
        free(s->numbers[f]);
    }
    free(s->images);
    free(s->has_image);
    free(s->text_ids);
    free(s->text_lengths);
    free(s->image_rows);
    free(s->text_rows);
    free(s->product_rows);
    free(s->query_rows);
    free(s->field_rows);
    free(s->field_present);
    *s = (dip_samples){0};
}

/* ---- reading ------------------------------------------------------------- */

/* Copies the first `size` rows of the batch to row `at`. */
static void copy_batch(dip_samples *s, const dip_batch *batch, int64_t at,
                       int64_t size)
{
    int64_t pixels = 3 * s->image_size * s->image_size;
    if (s->images != NULL) {
        memcpy(s->images + at * pixels, batch->images,
               (size_t)(size * pixels) * sizeof *s->images);
        memcpy(s->has_image + at, batch->present, (size_t)size);
    }
    for (int t = 0; t < s->text_count; t++) {
        memcpy(s->ids[t] + at * s->context, batch->texts[t].ids,
               (size_t)(size * s->context) * sizeof(int64_t));
        memcpy(s->lengths[t] + at, batch->texts[t].lengths,
               (size_t)size * sizeof(int64_t));
    }
    for (int f = 0, a = 0; f < s->field_count; f++) {
        if (s->labels[f] != NULL)
            memcpy(s->labels[f] + at, batch->attributes[a++].labels,
                   (size_t)size * sizeof(int64_t));
        else if (s->numbers[f] != NULL)
            memcpy(s->numbers[f] + at, batch->attributes[a++].numbers,
                   (size_t)size * sizeof(float));
    }
}

dip_status dip_samples_read(dip_samples *s, const dip_samples_options *options,
                            const dip_model *model, dip_loader *loader,
                            dip_err *err)
{
    const dip_batch *batch = NULL;
    int64_t done = 0;
    dip_status st = dip_samples_make(s, options, model, err);
    if (st == DIP_OK)
        st = dip_loader_start(loader, 0, 0, 1, err);
    while (st == DIP_OK && done < options->rows) {
        st = dip_loader_next(&batch, loader, err);
        if (st != DIP_OK || batch == NULL)
            break;
        int64_t left = options->rows - done;
        int64_t size = batch->size < left ? batch->size : left;
        copy_batch(s, batch, done, size);
        done += size;
    }
    dip_loader_stop(loader);
    s->rows = done;
    if (st == DIP_OK && done == 0)
        st = dip_fail(err, DIP_EDATA, "no rows to verify the export on");
    return st;
}

/* ---- encoding ------------------------------------------------------------ */

static void choose_texts(dip_samples *s)
{
    for (int64_t i = 0; i < s->rows && s->text_count > 0; i++) {
        int source = (int)(i % s->text_count);
        for (int k = 1; k < s->text_count && s->lengths[source][i] == 0; k++)
            source = (source + 1) % s->text_count;
        memcpy(s->text_ids + i * s->context, s->ids[source] + i * s->context,
               (size_t)s->context * sizeof(int64_t));
        s->text_lengths[i] = s->lengths[source][i];
    }
}

/* Reads rows [B, D] into every `stride`th row of `out`. */
static void scatter(float *out, int64_t stride, const dip_tensor *rows,
                    int64_t size, int64_t dim)
{
    for (int64_t i = 0; i < size; i++)
        dip_tensor_read(dip_t_select(rows, 0, i), DIP_F32,
                        out + i * stride * dim, (size_t)dim * sizeof *out);
}

static dip_encoded encode_photos(const dip_samples *s, const dip_model *model,
                                 int64_t at, int64_t size)
{
    int64_t side = s->image_size;
    dip_tensor *images =
        dip_tensor_borrow(s->images + at * 3 * side * side, DIP_F32, 4,
                          (int64_t[]){size, 3, side, side});
    return dip_model_encode_image_field(model, images, false);
}

static dip_encoded encode_texts(const dip_samples *s, const dip_model *model,
                                int64_t *ids, int64_t *lengths, int64_t at,
                                int64_t size)
{
    dip_tensor *id = dip_tensor_borrow(ids + at * s->context, DIP_I64, 2,
                                       (int64_t[]){size, s->context});
    dip_tensor *length = dip_tensor_borrow(lengths + at, DIP_I64, 1, &size);
    return dip_model_encode_text_field(model, id, length, false);
}

/* Sets field_present of the rows, too. */
static dip_encoded encode_attribute(dip_samples *s, const dip_model *model,
                                    int f, int64_t at, int64_t size)
{
    dip_tensor *present = NULL;
    dip_tensor *values =
        s->labels[f] != NULL
            ? dip_tensor_borrow(s->labels[f] + at, DIP_I64, 1, &size)
            : dip_tensor_borrow(s->numbers[f] + at, DIP_F32, 1, &size);
    dip_encoded rows = dip_model_encode_attribute(model, f, values, &present);
    for (int64_t i = 0; i < size; i++)
        dip_tensor_read(dip_t_select(present, 0, i), DIP_U8,
                        s->field_present + (at + i) * s->field_count + f, 1);
    return rows;
}

/* A photo or a text. */
static dip_encoded encode_source(dip_samples *s, const dip_model *model, int f,
                                 int64_t at, int64_t size)
{
    int t = s->field_text[f];
    for (int64_t i = at; i < at + size; i++)
        s->field_present[i * s->field_count + f] = t == DIP_SAMPLES_IMAGE
                                                       ? s->has_image[i] != 0
                                                       : s->lengths[t][i] > 0;
    return t == DIP_SAMPLES_IMAGE
               ? encode_photos(s, model, at, size)
               : encode_texts(s, model, s->ids[t], s->lengths[t], at, size);
}

static void encode_fields(dip_samples *s, const dip_model *model, int64_t at,
                          int64_t size)
{
    dip_encoded fields[DIP_FUSION_FIELDS_MAX] = {0};
    int64_t count = s->field_count;
    for (int f = 0; f < count; f++) {
        fields[f] = s->field_text[f] >= DIP_SAMPLES_SOURCES_MAX
                        ? encode_attribute(s, model, f, at, size)
                        : encode_source(s, model, f, at, size);
        scatter(s->field_rows + (at * count + f) * s->dim, count,
                fields[f].embedding, size, s->dim);
    }
    dip_tensor *present = dip_tensor_borrow(
        s->field_present + at * count, DIP_BOOL, 2, (int64_t[]){size, count});
    scatter(s->product_rows + at * s->dim, 1,
            dip_model_fuse(model, fields, present, false), size, s->dim);
}

static void encode_block(dip_samples *s, const dip_model *model, int64_t at,
                         int64_t size)
{
    dip_scope_open();
    if (s->images != NULL)
        scatter(s->image_rows + at * s->dim, 1,
                encode_photos(s, model, at, size).embedding, size, s->dim);
    if (s->text_count > 0)
        scatter(s->text_rows + at * s->dim, 1,
                encode_texts(s, model, s->text_ids, s->text_lengths, at, size)
                    .embedding,
                size, s->dim);
    if (s->query_rows != NULL)
        scatter(s->query_rows + at * s->dim, 1,
                encode_texts(s, model, s->ids[s->query_text],
                             s->lengths[s->query_text], at, size)
                    .embedding,
                size, s->dim);
    if (s->field_count > 0)
        encode_fields(s, model, at, size);
    dip_scope_close();
}

dip_status dip_samples_encode(dip_samples *s, const dip_model *model,
                              dip_err *err)
{
    bool before = dip_tensor_set_grad_mode(false);
    choose_texts(s);
    for (int64_t at = 0; at < s->rows && !dip_tensor_failed(); at += BLOCK)
        encode_block(s, model, at, s->rows - at < BLOCK ? s->rows - at : BLOCK);
    (void)dip_tensor_set_grad_mode(before);
    return dip_tensor_status(err);
}

/* ---- saving -------------------------------------------------------------- */

/* Adds a tensor over the first rows of `data`, when there are any. */
static void put(dip_named_tensor *list, int *count, const char *name,
                void *data, dip_dtype dtype, int ndim, const int64_t *sizes)
{
    if (data == NULL)
        return;
    list[*count].name = name;
    list[(*count)++].tensor = dip_tensor_borrow(data, dtype, ndim, sizes);
}

/* The texts of the product encoder. */
static void put_products(dip_named_tensor *list, int *count,
                         const dip_samples *s, int64_t rows)
{
    dip_signature given[DIP_PRODUCT_INPUTS_MAX];
    dip_tensor *inputs[DIP_PRODUCT_INPUTS_MAX] = {0};
    int all = dip_product_inputs(given, s);
    dip_product_rows(inputs, s);
    for (int i = 0; i < all; i++) {
        bool ids = strcmp(given[i].name, "ids") == 0;
        if (!ids && strcmp(given[i].name, "lengths") != 0)
            continue;
        list[*count].name = ids ? "product_ids" : "product_lengths";
        list[(*count)++].tensor =
            dip_t_contiguous(dip_t_narrow(inputs[i], 0, 0, rows));
    }
}

dip_status dip_samples_save(const dip_samples *s, int64_t most,
                            const char *path, dip_err *err)
{
    int64_t n = s->rows < most ? s->rows : most;
    dip_named_tensor list[10] = {{0}};
    int count = 0;
    dip_scope_open();
    put(list, &count, "images", s->images, DIP_F32, 4,
        (int64_t[]){n, 3, s->image_size, s->image_size});
    put(list, &count, "ids", s->text_ids, DIP_I64, 2,
        (int64_t[]){n, s->context});
    put(list, &count, "lengths", s->text_lengths, DIP_I64, 1, &n);
    put(list, &count, "fields", s->field_rows, DIP_F32, 3,
        (int64_t[]){n, s->field_count, s->dim});
    put(list, &count, "present", s->field_present, DIP_BOOL, 2,
        (int64_t[]){n, s->field_count});
    put(list, &count, "image_embeddings", s->image_rows, DIP_F32, 2,
        (int64_t[]){n, s->dim});
    put(list, &count, "text_embeddings", s->text_rows, DIP_F32, 2,
        (int64_t[]){n, s->dim});
    put(list, &count, "product_embeddings", s->product_rows, DIP_F32, 2,
        (int64_t[]){n, s->dim});
    if (s->fuses_tokens)
        put_products(list, &count, s, n);
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = dip_safetensors_write(path, list, count, NULL, 0, err);
    dip_scope_close();
    return st;
}
