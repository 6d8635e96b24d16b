/* A split through a trained model, into plain matrices for eval/. */
#ifndef DIP_APPS_EMBED_H
#define DIP_APPS_EMBED_H

#include <stdint.h>

#include "apps/corpus.h"
#include "apps/run_dir.h"
#include "base/status.h"
#include "models/model.h"

#define DIP_PRODUCTS_MAX 64

/* A subset of the model's fields: what a product is made of. Those that are
 * dealt are another product's, drawn without replacement (see
 * dip_corpus_dealt_loader()). */
typedef struct {
    bool fields[DIP_FUSION_FIELDS_MAX];
    bool dealt[DIP_FUSION_FIELDS_MAX];
} dip_field_set;

/* Rows that stand in a matrix [N, D] and which of them exist. */
typedef struct {
    float *rows;
    uint8_t *present; /* [N] */
} dip_matrix;

/* N rows of the split in the order of the catalog. */
typedef struct {
    int64_t count;
    int64_t dim;
    int64_t *row; /* [N] of the catalog */
    dip_matrix image;
    dip_matrix texts[DIP_SOURCES_MAX];
    dip_matrix mixes[DIP_RETRIEVAL_TASKS_MAX]; /* queries of several fields */
    dip_field_set sets[DIP_PRODUCTS_MAX];
    dip_matrix products[DIP_PRODUCTS_MAX];
    int product_count;
    int32_t *predicted[DIP_MODEL_HEADS_MAX];   /* [N] class of each head */
    float *probabilities[DIP_MODEL_HEADS_MAX]; /* [N, classes] or NULL */
} dip_embedded;

/* What is asked of a model besides the photo and the texts. */
typedef struct {
    const dip_settings *settings;
    const dip_corpus *corpus;
    const dip_model *model;
    dip_device device;
    bool bf16;
    bool quiet;         /* no progress bar */
    bool probabilities; /* of the heads' classes, too */
    /* The first so many numbers of an embedding are all of it, as a Matryoshka
     * run is trained to allow; 0: the model's embed_dim. */
    int64_t dim;
} dip_embed_job;

/* That of a run, without probabilities and with whole embeddings. */
dip_embed_job dip_embed_job_of(const dip_trained *run, const dip_corpus *corpus,
                               bool quiet);

/* Numbers of an embedding that the job makes. */
int64_t dip_embed_dim(const dip_embed_job *job);
/* DIP_ECONFIG unless the model has job->dim numbers, and all of them where the
 * match classifier ranks `rerank` products again. */
dip_status dip_embed_check_dim(const dip_embed_job *job, int64_t rerank,
                               dip_err *err) DIP_MUST_CHECK;
/* The job's part of whole embeddings [B, embed_dim]; they themselves where that
 * is all. */
const dip_tensor *dip_embed_cut(const dip_embed_job *job,
                                const dip_tensor *rows);

/* A batch through the towers that are wanted, as evaluation and search do it:
 * photos, and texts [settings->text_count]. Results in the open scope, failures
 * stick. */
dip_encoded_batch dip_embed_encode(const dip_embed_job *job,
                                   const dip_batch *batch, bool image,
                                   const bool *texts);

/* Index of the product made of `fields`; adds it when it is new. -1 when there
 * is no room. Call before dip_embed_split(). */
int dip_embed_product(dip_embedded *embedded, const dip_field_set *fields);

/* The product fields of these names, or all when there is none. DIP_ENOTFOUND
 * lists those that there are. */
dip_status dip_embed_choose_fields(dip_field_set *set, char *const *names,
                                   size_t count, const dip_settings *settings,
                                   dip_err *err) DIP_MUST_CHECK;

/* The number of the task; DIP_ENOTFOUND, listing those that there are. */
dip_status dip_embed_choose_task(int *out, const char *name,
                                 const dip_settings *settings,
                                 dip_err *err) DIP_MUST_CHECK;

/* Encodes `split`; *embedded holds the products that were asked for. In any
 * case the caller ends it with dip_embedded_free(). */
dip_status dip_embed_split(dip_embedded *embedded, const dip_embed_job *job,
                           dip_split split, dip_err *err) DIP_MUST_CHECK;
void dip_embedded_free(dip_embedded *embedded);

/* Encodes texts that stand in no row: queries of a log, names of classes. Out
 * [count, dip_embed_dim()] is the caller's; zeros for a text without words.
 * DIP_EDATA when the run reads no texts. */
dip_status dip_embed_texts(float *out, const dip_embed_job *job,
                           const dip_bytes *texts, int64_t count,
                           dip_err *err) DIP_MUST_CHECK;

#endif
