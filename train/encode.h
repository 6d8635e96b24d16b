/* A batch of the loader through the towers of a model: what training,
 * evaluation and search start from. */
#ifndef DIP_TRAIN_ENCODE_H
#define DIP_TRAIN_ENCODE_H

#include <stdbool.h>

#include "data/loader.h"
#include "models/model.h"
#include "tensor/tensor.h"
#include "train/features.h"
#include "train/mixing.h"

/* Stands for the photo where a text source's index is expected; and for the
 * attribute that is the model's field `f`. */
#define DIP_SOURCE_IMAGE        (-1)
#define DIP_SOURCE_ATTRIBUTE(f) (DIP_SOURCES_MAX + (f))

/* B rows, D the model's embed_dim. Present: BOOL [B]; an absent photo or an
 * empty text is zeros. NULL where it was not asked for. */
typedef struct {
    dip_encoded image;
    dip_tensor *image_present;
    dip_encoded texts[DIP_SOURCES_MAX];
    dip_tensor *text_present[DIP_SOURCES_MAX];
    /* By the model's fields. */
    dip_encoded attributes[DIP_FUSION_FIELDS_MAX];
    dip_tensor *attribute_present[DIP_FUSION_FIELDS_MAX];
} dip_encoded_batch;

/* What to encode. */
typedef struct {
    bool image;
    bool texts[DIP_SOURCES_MAX];
    int64_t image_size; /* height and width of the batch's photos */
    dip_device device;
    bool channels_last;
    bool training;
    int64_t text_tokens; /* texts are not cut below so many; 0: none */
    /* Sources that it has are not sent through their tower; NULL: none. */
    const dip_features *features;
    const dip_mix *mix; /* of the photos; NULL: none */
} dip_encode_options;

/* Follows tensor/tensor.h: results in the open scope, failures stick. The
 * texts go through the tower together, each distinct one once and in groups of
 * similar length (train/text_groups.h). A batch has the attributes of the model
 * in the order of its fields. Tokens come along where the model's fusion reads
 * them; they live as long as the batch, never for a whole split. */
dip_encoded_batch dip_encode_batch(const dip_model *model,
                                   const dip_batch *batch, int text_count,
                                   const dip_encode_options *options);

/* Tokens of the longest of the wanted texts, at least 1. */
int64_t dip_encode_longest(const dip_batch *batch, const bool *wanted,
                           int text_count);

/* The attribute of a batch that is the model's field `f`. */
const dip_batch_attribute *
dip_batch_attribute_of(const dip_model *model, const dip_batch *batch, int f);

/* All, the embedding, and the presence of a source (an index,
 * DIP_SOURCE_IMAGE or DIP_SOURCE_ATTRIBUTE()). */
dip_encoded dip_encoded_source(const dip_encoded_batch *encoded, int source);
dip_tensor *dip_encoded_embedding(const dip_encoded_batch *encoded, int source);
dip_tensor *dip_encoded_present(const dip_encoded_batch *encoded, int source);

/* Puts a source of another batch of as many rows into the place of that of
 * `to`, with its presence. */
void dip_encoded_replace(dip_encoded_batch *to, const dip_encoded_batch *from,
                         int source);

#endif
