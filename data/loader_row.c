#include "data/loader_row.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "data/streams.h"

dip_status dip_row_worker_init(dip_row_worker *worker,
                               const dip_loader_options *options, dip_err *err)
{
    *worker = (dip_row_worker){0};
    if (options->image_column < 0)
        return DIP_OK;
    dip_status st = dip_decoder_create(&worker->decoder, err);
    if (st == DIP_OK)
        st = dip_transformer_create(&worker->transformer, &options->transform,
                                    err);
    return st;
}

void dip_row_worker_clear(dip_row_worker *worker)
{
    dip_decoder_destroy(worker->decoder);
    dip_transformer_destroy(worker->transformer);
    dip_str_free(&worker->text);
    *worker = (dip_row_worker){0};
}

static dip_status name_row(const dip_loader_options *options, const char *what,
                           int64_t row, dip_err *err)
{
    dip_bytes id = dip_catalog_id(options->catalog, row);
    return dip_fail_context(err, "%s of row '%.*s' in '%s'", what, (int)id.len,
                            id.data, dip_catalog_path(options->catalog));
}

/* ---- texts ---- */

/* Puts the text of the source into worker->text. False when the row has none,
 * not even an empty one. */
static bool find_text(dip_row_worker *worker, const dip_loader_options *options,
                      const dip_text_source *source, dip_batch_text *out,
                      int64_t epoch, int64_t row, int64_t i)
{
    if (source->queries == NULL) {
        dip_row_text_render(&worker->text, source->format, row);
        return true;
    }
    int64_t query =
        dip_row_queries_pick(source->queries, options->seed, epoch, row);
    out->queries[i] = query;
    if (query < 0)
        return false;
    dip_bytes text = dip_catalog_query(options->catalog, query);
    dip_str_clear(&worker->text);
    dip_str_add_n(&worker->text, text.data, text.len);
    return true;
}

static void damage_text(dip_row_worker *worker,
                        const dip_loader_options *options, int source_index,
                        int64_t epoch, int64_t row)
{
    const dip_text_source *source = &options->texts[source_index];
    if (source->damage != NULL)
        dip_damage_apply(source->damage, &worker->text, row);
    if (!options->train || !(source->word_dropout > 0))
        return;
    dip_rng rng = dip_rng_stream(
        options->seed, DIP_STREAM_WORD_DROPOUT + (uint32_t)source_index,
        (uint64_t)epoch, (uint64_t)row);
    dip_word_dropout(&worker->text, source->word_dropout, &rng);
}

static void put_no_text(dip_batch_text *out, int64_t i, int64_t pad)
{
    out->lengths[i] = 0;
    for (int64_t t = 0; t < out->context; t++)
        out->ids[i * out->context + t] = pad;
}

static dip_status fill_text(dip_row_worker *worker,
                            const dip_loader_options *options, int source_index,
                            dip_batch *batch, int64_t i, dip_err *err)
{
    const dip_text_source *source = &options->texts[source_index];
    dip_batch_text *out = &batch->texts[source_index];
    int64_t row = batch->rows[i];
    int64_t *ids = out->ids + i * out->context;
    int64_t pad = dip_tokenizer_special(source->tokenizer).pad;
    if (!find_text(worker, options, source, out, batch->epoch, row, i)) {
        put_no_text(out, i, pad);
        return DIP_OK;
    }
    damage_text(worker, options, source_index, batch->epoch, row);
    dip_status st = dip_str_status(&worker->text, err);
    int64_t needed = 0;
    if (st == DIP_OK)
        st = dip_tokenizer_encode(
            &needed, ids, out->context, source->tokenizer,
            (dip_bytes){dip_str_text(&worker->text), worker->text.len}, err);
    if (st != DIP_OK)
        return name_row(options, "text", row, err);
    out->lengths[i] =
        dip_tokenizer_length(source->tokenizer, needed, out->context);
    if (out->lengths[i] == 0)
        put_no_text(out, i, pad);
    return DIP_OK;
}

/* ---- labels and attributes ---- */

bool dip_batch_attribute_present(const dip_batch_attribute *attribute,
                                 int64_t i)
{
    return attribute->labels != NULL ? attribute->labels[i] >= 0
                                     : isfinite(attribute->numbers[i]);
}

static int64_t attribute_id(const dip_loader_options *options, int a,
                            int64_t epoch, int64_t row)
{
    const dip_attribute_source *source = &options->attributes[a];
    int32_t label = dip_catalog_label(options->catalog, source->column, row);
    if (label < 0)
        return -1;
    if (options->train && source->unknown_dropout > 0) {
        dip_rng rng =
            dip_rng_stream(options->seed, DIP_STREAM_UNKNOWN + (uint32_t)a,
                           (uint64_t)epoch, (uint64_t)row);
        if (dip_rng_uniform(&rng) < source->unknown_dropout)
            return source->unknown;
    }
    return source->ids[label];
}

static void fill_labels(const dip_loader_options *options, dip_batch *batch,
                        int64_t i)
{
    int64_t row = batch->rows[i];
    for (int l = 0; l < options->label_count; l++)
        batch->labels[l][i] =
            dip_catalog_label(options->catalog, options->labels[l], row);
    for (int a = 0; a < options->attribute_count; a++) {
        dip_batch_attribute *out = &batch->attributes[a];
        if (out->labels != NULL)
            out->labels[i] = attribute_id(options, a, batch->epoch, row);
        else
            out->numbers[i] = dip_catalog_number(
                options->catalog, options->attributes[a].column, row);
    }
}

dip_status dip_row_fill(dip_row_worker *worker,
                        const dip_loader_options *options, dip_batch *batch,
                        int64_t i, dip_err *err)
{
    fill_labels(options, batch, i);
    dip_status st = DIP_OK;
    for (int s = 0; st == DIP_OK && s < options->text_count; s++)
        st = fill_text(worker, options, s, batch, i, err);
    return st;
}

/* ---- images ---- */

dip_status dip_row_read_image(dip_image_source *out,
                              const dip_loader_options *options, int64_t row,
                              void *scratch, dip_err *err)
{
    dip_status st = dip_catalog_image(options->catalog, options->image_column,
                                      row, scratch, out, err);
    return st == DIP_OK ? st : name_row(options, "image", row, err);
}

static dip_status decode(dip_image_view *out, dip_row_worker *worker,
                         const dip_loader_options *options,
                         const dip_image_source *source, dip_err *err)
{
    if (source->pixels != NULL) {
        *out = (dip_image_view){source->pixels, (int)source->width,
                                (int)source->height, (int)source->channels, 0};
        return dip_image_view_check(out, err);
    }
    dip_decode_options decoding = {
        .keep_orientation = options->keep_orientation,
        .max_pixels = options->max_pixels,
        .min_side =
            options->full_decode
                ? 0
                : dip_transform_min_side(&options->transform, options->train),
    };
    return dip_image_decode(out, worker->decoder, source->encoded.data,
                            source->encoded.len, &decoding, err);
}

static dip_status apply(float *out, dip_row_worker *worker,
                        const dip_loader_options *options,
                        const dip_image_view *view, int64_t epoch, int64_t row,
                        dip_err *err)
{
    dip_rng rng = dip_rng_stream(options->seed, DIP_STREAM_AUGMENT,
                                 (uint64_t)epoch, (uint64_t)row);
    return dip_transform_apply(out, worker->transformer, view,
                               options->train ? &rng : NULL, err);
}

dip_status dip_row_fill_image(bool *skipped, dip_row_worker *worker,
                              const dip_loader_options *options,
                              const dip_image_source *source, dip_batch *batch,
                              int64_t i, dip_err *err)
{
    size_t side = (size_t)options->transform.size;
    float *out = batch->images + (size_t)i * 3 * side * side;
    int64_t row = batch->rows[i];
    *skipped = false;
    batch->present[i] = source->pixels != NULL || source->encoded.len > 0;
    if (batch->present[i]) {
        dip_image_view view;
        dip_status st = decode(&view, worker, options, source, err);
        if (st == DIP_OK)
            st = apply(out, worker, options, &view, batch->epoch, row, err);
        if (st == DIP_OK)
            return DIP_OK;
        bool damaged = st == DIP_EFORMAT || st == DIP_ERANGE;
        if (!damaged || options->bad_image != DIP_BAD_IMAGE_SKIP)
            return name_row(options, "image", row, err);
        *skipped = true;
        batch->present[i] = 0;
    }
    memset(out, 0, 3 * side * side * sizeof *out);
    return DIP_OK;
}
