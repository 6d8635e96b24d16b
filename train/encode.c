#include "train/encode.h"

#include "train/text_groups.h"

/* BOOL [B] on `device`: which of the numbers are not zero. */
static dip_tensor *nonzero(const dip_tensor *numbers, dip_device device)
{
    return dip_t_to_device(dip_t_ne_scalar(numbers, 0), device);
}

static void encode_image(dip_encoded_batch *out, const dip_model *model,
                         const dip_batch *batch,
                         const dip_encode_options *options)
{
    int64_t side = options->image_size;
    int64_t sizes[4] = {batch->size, 3, side, side};
    dip_tensor *images = dip_tensor_borrow(batch->images, DIP_F32, 4, sizes);
    images = dip_t_to_device(images, options->device);
    if (options->mix != NULL)
        images = dip_mix_images(options->mix, images);
    if (options->channels_last)
        images = dip_t_channels_last(images);
    dip_tensor *present = dip_tensor_borrow(batch->present, DIP_U8, 1, sizes);
    out->image_present = nonzero(present, options->device);
    out->image = dip_model_encode_image_field(model, images, options->training);
}

static void take_image(dip_encoded_batch *out, const dip_model *model,
                       const dip_batch *batch,
                       const dip_encode_options *options)
{
    const dip_feature_table *table = &options->features->image;
    out->image_present =
        dip_feature_table_present(table, batch, options->device);
    out->image = dip_model_project_image(
        model, dip_feature_table_take(table, batch, options->device),
        options->training);
}

static void take_text(dip_encoded_batch *out, const dip_model *model,
                      const dip_batch *batch, int s,
                      const dip_encode_options *options)
{
    dip_tensor *lengths =
        dip_tensor_borrow(batch->texts[s].lengths, DIP_I64, 1, &batch->size);
    out->text_present[s] = nonzero(lengths, options->device);
    out->texts[s] = dip_model_project_text(
        model,
        dip_feature_table_take(&options->features->texts[s], batch,
                               options->device),
        dip_t_to_device(lengths, options->device), options->training);
}

int64_t dip_encode_longest(const dip_batch *batch, const bool *wanted,
                           int text_count)
{
    int64_t most = 1;
    for (int s = 0; s < text_count; s++) {
        for (int64_t i = 0; wanted[s] && i < batch->size; i++) {
            if (batch->texts[s].lengths[i] > most)
                most = batch->texts[s].lengths[i];
        }
    }
    return most;
}

/* The wanted texts of a batch, one source after the other. */
typedef struct {
    const dip_batch_text *of[DIP_SOURCES_MAX];
    int source[DIP_SOURCES_MAX];
    int count;
    dip_tensor *ids, *lengths; /* [count * B, context], [count * B] */
} wanted_texts;

static wanted_texts join_texts(dip_encoded_batch *out, const dip_batch *batch,
                               int text_count,
                               const dip_encode_options *options)
{
    wanted_texts all = {0};
    dip_tensor *ids[DIP_SOURCES_MAX], *lengths[DIP_SOURCES_MAX];
    for (int s = 0; s < text_count; s++) {
        if (!options->texts[s])
            continue;
        const dip_batch_text *text = &batch->texts[s];
        int64_t sizes[2] = {batch->size, text->context};
        ids[all.count] = dip_tensor_borrow(text->ids, DIP_I64, 2, sizes);
        lengths[all.count] =
            dip_tensor_borrow(text->lengths, DIP_I64, 1, sizes);
        out->text_present[s] = nonzero(lengths[all.count], options->device);
        all.of[all.count] = text;
        all.source[all.count++] = s;
    }
    if (all.count > 0) {
        all.ids = dip_t_cat(ids, all.count, 0);
        all.lengths = dip_t_cat(lengths, all.count, 0);
    }
    return all;
}

/* Group `g` through the tower. */
static dip_encoded encode_group(const wanted_texts *all,
                                const dip_text_groups *groups, int g,
                                const dip_model *model,
                                const dip_encode_options *options)
{
    int64_t begin = g > 0 ? groups->ends[g - 1] : 0;
    int64_t size = groups->ends[g] - begin, context = all->of[0]->context;
    int64_t width = groups->widths[g];
    dip_tensor *rows = dip_tensor_from(groups->rows + begin, DIP_I64, 1, &size);
    dip_tensor *ids = dip_t_index_select(all->ids, 0, rows);
    ids = dip_t_narrow(ids, 1, 0, width < context ? width : context);
    dip_tensor *lengths = dip_t_index_select(all->lengths, 0, rows);
    return dip_model_encode_text_field(
        model, dip_t_to_device(ids, options->device),
        dip_t_to_device(lengths, options->device), options->training);
}

static dip_encoded encode_groups(const wanted_texts *all,
                                 const dip_text_groups *groups,
                                 const dip_model *model,
                                 const dip_encode_options *options)
{
    dip_tensor *features[DIP_TEXT_GROUPS_MAX];
    dip_tensor *embeddings[DIP_TEXT_GROUPS_MAX];
    dip_encoded one = {0};
    for (int g = 0; g < groups->count; g++) {
        one = encode_group(all, groups, g, model, options);
        features[g] = one.features;
        embeddings[g] = one.embedding;
    }
    if (groups->count == 1)
        return one;
    return (dip_encoded){.features = dip_t_cat(features, groups->count, 0),
                         .embedding = dip_t_cat(embeddings, groups->count, 0)};
}

/* Rows of what is encoded, by their places. Embeddings, whose gradient adds up
 * the rows that repeat in a fixed order on every device, not index_select. */
static dip_encoded take_places(const dip_encoded *all, const dip_tensor *places)
{
    dip_encoded part = {
        .features = dip_t_embedding(all->features, places, -1),
        .embedding = dip_t_embedding(all->embedding, places, -1),
    };
    if (all->tokens.rows) {
        part.tokens.rows = dip_t_index_select(all->tokens.rows, 0, places);
        part.tokens.mask = dip_t_index_select(all->tokens.mask, 0, places);
    }
    return part;
}

/* Where tokens are read, all are as wide as the longest text: one group. */
static void encode_texts(dip_encoded_batch *out, const dip_model *model,
                         const dip_batch *batch, int text_count,
                         const dip_encode_options *options)
{
    wanted_texts all = join_texts(out, batch, text_count, options);
    if (all.count == 0)
        return;
    dip_text_groups groups;
    int most = dip_model_fuses_tokens(model) ? 1 : DIP_TEXT_GROUPS_MAX;
    if (!dip_text_groups_make(&groups, all.of, all.count, batch->size, most,
                              options->text_tokens)) {
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
        dip_text_groups_free(&groups);
        return;
    }
    dip_encoded joint = encode_groups(&all, &groups, model, options);
    for (int i = 0; i < all.count; i++) {
        dip_tensor *places = dip_tensor_from(groups.place + i * batch->size,
                                             DIP_I64, 1, &batch->size);
        places = dip_t_to_device(places, options->device);
        out->texts[all.source[i]] = take_places(&joint, places);
    }
    dip_text_groups_free(&groups);
}

const dip_batch_attribute *dip_batch_attribute_of(const dip_model *model,
                                                  const dip_batch *batch, int f)
{
    int before = 0;
    for (int i = 0; i < f; i++)
        before += dip_model_field_attribute(model, i) != DIP_ATTRIBUTE_NONE;
    return &batch->attributes[before];
}

static void encode_attributes(dip_encoded_batch *out, const dip_model *model,
                              const dip_batch *batch, dip_device device)
{
    for (int f = 0; f < dip_model_field_count(model); f++) {
        if (dip_model_field_attribute(model, f) == DIP_ATTRIBUTE_NONE)
            continue;
        const dip_batch_attribute *attribute =
            dip_batch_attribute_of(model, batch, f);
        dip_tensor *values =
            attribute->labels != NULL
                ? dip_tensor_borrow(attribute->labels, DIP_I64, 1, &batch->size)
                : dip_tensor_borrow(attribute->numbers, DIP_F32, 1,
                                    &batch->size);
        out->attributes[f] = dip_model_encode_attribute(
            model, f, dip_t_to_device(values, device),
            &out->attribute_present[f]);
    }
}

dip_encoded_batch dip_encode_batch(const dip_model *model,
                                   const dip_batch *batch, int text_count,
                                   const dip_encode_options *options)
{
    dip_encoded_batch out = {0};
    dip_encode_options rest = *options; /* what the towers are left with */
    const dip_features *features = options->features;
    if (options->image && features != NULL && features->image.values != NULL)
        take_image(&out, model, batch, options);
    else if (options->image && batch->images != NULL)
        encode_image(&out, model, batch, options);
    for (int s = 0; s < text_count; s++) {
        if (!options->texts[s] || features == NULL ||
            features->texts[s].values == NULL)
            continue;
        take_text(&out, model, batch, s, options);
        rest.texts[s] = false;
    }
    encode_texts(&out, model, batch, text_count, &rest);
    encode_attributes(&out, model, batch, options->device);
    return out;
}

dip_encoded dip_encoded_source(const dip_encoded_batch *encoded, int source)
{
    if (source >= DIP_SOURCES_MAX)
        return encoded->attributes[source - DIP_SOURCES_MAX];
    return source == DIP_SOURCE_IMAGE ? encoded->image : encoded->texts[source];
}

dip_tensor *dip_encoded_embedding(const dip_encoded_batch *encoded, int source)
{
    return dip_encoded_source(encoded, source).embedding;
}

dip_tensor *dip_encoded_present(const dip_encoded_batch *encoded, int source)
{
    if (source >= DIP_SOURCES_MAX)
        return encoded->attribute_present[source - DIP_SOURCES_MAX];
    return source == DIP_SOURCE_IMAGE ? encoded->image_present
                                      : encoded->text_present[source];
}

void dip_encoded_replace(dip_encoded_batch *to, const dip_encoded_batch *from,
                         int source)
{
    if (source == DIP_SOURCE_IMAGE) {
        to->image = from->image;
        to->image_present = from->image_present;
    } else if (source >= DIP_SOURCES_MAX) {
        int f = source - DIP_SOURCES_MAX;
        to->attributes[f] = from->attributes[f];
        to->attribute_present[f] = from->attribute_present[f];
    } else {
        to->texts[source] = from->texts[source];
        to->text_present[source] = from->text_present[source];
    }
}
