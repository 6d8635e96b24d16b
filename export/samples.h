/* Real rows of a catalog: what exported artefacts are verified on, and what the
 * bundle gives to a serving team to verify its own side. */
#ifndef DIP_EXPORT_SAMPLES_H
#define DIP_EXPORT_SAMPLES_H

#include <stdint.h>

#include "base/status.h"
#include "data/loader.h"
#include "models/model.h"

#define DIP_SAMPLES_SOURCES_MAX 32
#define DIP_SAMPLES_BUNDLED     16 /* rows that go into a bundle by default */

/* Stands for the photo where a text source is expected. */
#define DIP_SAMPLES_IMAGE (-1)
/* Stands for the attribute that is the model's field `f`. */
#define DIP_SAMPLES_ATTRIBUTE(f) (DIP_SAMPLES_SOURCES_MAX + (f))

typedef struct {
    int64_t rows;          /* N, at least 1 */
    int64_t image_size;    /* S; 0: no photos */
    int64_t context;       /* most tokens of a text */
    int text_count;        /* sources; 0: no texts */
    int query_text;        /* source of the queries for products, or
                              DIP_SAMPLES_IMAGE */
    const int *field_text; /* [fields of the model] source of each field,
                              DIP_SAMPLES_IMAGE or DIP_SAMPLES_ATTRIBUTE();
                              copied */
} dip_samples_options;

/* N rows; F fields of the model, D its embed_dim. */
typedef struct {
    int64_t rows, image_size, context, dim;
    int text_count, field_count;
    int query_text;    /* source of the queries for products */
    bool fuses_tokens; /* the model's fusion reads tokens of the towers */
    int field_text[DIP_FUSION_FIELDS_MAX];
    float *images;      /* [N, 3, S, S], zeros where absent; NULL: no photos */
    uint8_t *has_image; /* [N] */
    int64_t *ids[DIP_SAMPLES_SOURCES_MAX];     /* [N, context], 0 = padding */
    int64_t *lengths[DIP_SAMPLES_SOURCES_MAX]; /* [N] */
    /* By field, where that is a label or a number; as models/attribute.h takes
     * them. */
    int64_t *labels[DIP_FUSION_FIELDS_MAX]; /* [N] */
    float *numbers[DIP_FUSION_FIELDS_MAX];  /* [N] */
    /* The texts that are encoded alone: row i has its first text that is not
     * empty, from source i modulo the number of sources on. */
    int64_t *text_ids;     /* [N, context]; NULL: no texts */
    int64_t *text_lengths; /* [N] */
    /* What the model makes of them; set by dip_samples_encode(). */
    float *image_rows, *text_rows, *product_rows; /* [N, D] */
    float *query_rows; /* [N, D] for products; NULL: the photos are queries */
    float *field_rows; /* [N, F, D] */
    uint8_t *field_present; /* [N, F] */
} dip_samples;

/* Zeroed room for the rows of a model. In any case the caller ends *samples
 * with dip_samples_free(). */
dip_status dip_samples_make(dip_samples *samples,
                            const dip_samples_options *options,
                            const dip_model *model,
                            dip_err *err) DIP_MUST_CHECK;
void dip_samples_free(dip_samples *samples);

/* The same with the first rows that the loader gives in order, at most
 * options->rows. DIP_EDATA when there is none. */
dip_status dip_samples_read(dip_samples *samples,
                            const dip_samples_options *options,
                            const dip_model *model, dip_loader *loader,
                            dip_err *err) DIP_MUST_CHECK;

/* Chooses the texts and runs the model (on the CPU, in eval mode, F32). */
dip_status dip_samples_encode(dip_samples *samples, const dip_model *model,
                              dip_err *err) DIP_MUST_CHECK;

/* Writes the first `most` rows as safetensors: images, ids,
 * lengths, fields, present and the embeddings image, text, product (named
 * "<name>_embeddings"), each where the model has it; and product_ids [n, F_t,
 * context], product_lengths [n, F_t] of its F_t text fields where its fusion
 * reads tokens. */
dip_status dip_samples_save(const dip_samples *samples, int64_t most,
                            const char *path, dip_err *err) DIP_MUST_CHECK;

#endif
