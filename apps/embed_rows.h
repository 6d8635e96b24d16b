/* Any rows of a catalog through a trained model, a batch at a time; and what
 * stands for all that a row's numbers are made of. */
#ifndef DIP_APPS_EMBED_ROWS_H
#define DIP_APPS_EMBED_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/embed.h"
#include "base/digest.h"
#include "base/status.h"
#include "data/embedding_store.h"

/* What is made of a row: the product of some fields, or one source (see
 * train/encode.h) as it is before fusion. */
typedef struct {
    bool alone;
    int source;        /* of one alone */
    dip_field_set set; /* of a product */
    const char *name;  /* "product", or that of the source */
} dip_embed_target;

/* The source `name`: "image", a text of the config, or a product field.
 * DIP_ENOTFOUND lists them. */
dip_status dip_embed_target_source(dip_embed_target *out, const char *name,
                                   const dip_embed_job *job,
                                   dip_err *err) DIP_MUST_CHECK;

/* Sees the rows [size, dip_embed_dim()] of a batch; zeros where not present. */
typedef dip_status (*dip_embed_visit)(void *user, const float *values,
                                      const uint8_t *present, int64_t size,
                                      dip_err *err);

/* Calls `visit` with `rows` of the catalog in their order, in batches of
 * evaluation. Photos that are not looked at are not decoded. Memory does not
 * grow with the rows. */
dip_status dip_embed_rows(const dip_embed_job *job,
                          const dip_embed_target *target, const int64_t *rows,
                          int64_t count, dip_embed_visit visit, void *user,
                          dip_err *err) DIP_MUST_CHECK;
/* The same of texts that stand in no row. */
dip_status dip_embed_words(const dip_embed_job *job, const dip_bytes *texts,
                           int64_t count, dip_embed_visit visit, void *user,
                           dip_err *err) DIP_MUST_CHECK;

/* All that makes two embeddings of a run comparable: weights, words, names and
 * statistics of attributes, and what the config says of photos, texts and
 * model. Where files lie does not count, nor do threads. */
dip_status dip_embed_model_digest(char hex[DIP_DIGEST_SIZE],
                                  const dip_trained *run,
                                  dip_err *err) DIP_MUST_CHECK;
/* How the numbers of a row are made besides: "product of image, title in fp32";
 * of a text where `target` is NULL. Out of memory sticks in `out`. */
void dip_embed_recipe(dip_str *out, const dip_embed_job *job,
                      const dip_embed_target *target);
/* Of each row the digest of the bytes that the target reads: the photo as it
 * stands in the file, texts, labels and numbers. */
dip_status dip_embed_row_digests(dip_row_digest *out, const dip_embed_job *job,
                                 const dip_embed_target *target,
                                 const int64_t *rows, int64_t count,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
