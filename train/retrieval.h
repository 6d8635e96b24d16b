/* The recipe of retrieval: for each task a contrastive loss between queries and
 * fused products of the same batch, and the cross-entropies of the heads, all
 * summed with their weights. */
#ifndef DIP_TRAIN_RETRIEVAL_H
#define DIP_TRAIN_RETRIEVAL_H

#include <stdint.h>

#include "base/status.h"
#include "data/loader.h"
#include "data/relevance.h"
#include "losses/loss.h"
#include "losses/matryoshka.h"
#include "models/model.h"
#include "train/distill.h"
#include "train/encode.h"
#include "train/grad_cache.h"
#include "train/heads.h"
#include "train/queue.h"

#define DIP_RETRIEVAL_TASKS_MAX 16

#define DIP_QUERY_FIELDS_MAX 8

/* The fields of a query that has several (GCL, arXiv 2404.08535). */
typedef struct {
    int count;                            /* 0: the query is one source */
    int sources[DIP_QUERY_FIELDS_MAX];    /* text or DIP_SOURCE_IMAGE */
    double weights[DIP_QUERY_FIELDS_MAX]; /* > 0 */
} dip_query_mix;

typedef struct {
    int query; /* text source or DIP_SOURCE_IMAGE; of a mix the first */
    dip_query_mix mix;
    bool fields[DIP_FUSION_FIELDS_MAX]; /* of the model's fields: part of it */
    double weight;
    /* What the positives of a batch are: exactly one is given. */
    const dip_row_keys *keys;
    const dip_row_queries *judged; /* the source gives judged queries */
    /* Rows of earlier batches that its loss reads and that each batch is added
     * to, micro-batch by micro-batch; only with keys. NULL: none. */
    dip_queue *queue;
    dip_teacher_rows teacher; /* NULL both: the task has none */
} dip_retrieval_task;

/* Sums over the batches since they were last cleared, each before its weight:
 * what a log tells of a loss beside its total. */
typedef struct {
    int64_t batches;
    double tasks[DIP_RETRIEVAL_TASKS_MAX];
    double distill[DIP_RETRIEVAL_TASKS_MAX]; /* a part of the task's */
    double heads[DIP_MODEL_HEADS_MAX];
} dip_retrieval_terms;

/* The loss of the model's match classifier, for each task. */
typedef struct {
    double weight;     /* 0: none */
    int64_t negatives; /* the nearest wrong products of each query */
    bool detach;       /* it does not train the embeddings */
} dip_match_recipe;

/* All borrowed. */
typedef struct {
    dip_model *model;
    const dip_retrieval_task *tasks;
    int task_count;
    int text_count;             /* sources of a batch */
    const int *field_text;      /* [model fields] source of train/encode.h */
    const double *head_weights; /* [heads]; head i reads label i of a batch */
    const dip_head_target *head_targets; /* [heads]; NULL: plain */
    dip_retrieval_terms *terms;          /* NULL: not wanted */
    const dip_loss_kind *loss;
    dip_loss_options loss_options;
    dip_matryoshka matryoshka; /* count 0: whole embeddings alone */
    dip_match_recipe match;
    dip_distill_recipe distill; /* of tasks with a teacher */
    /* Batches of so many rows take the blocked form of a loss that has one,
     * where keys say what is right and the device is the CPU; 0: none. */
    int64_t blocked_from;
    double field_dropout;
    uint64_t seed;
    int64_t image_size;
    dip_device device;
    bool channels_last;
    const dip_features *features; /* of frozen towers, or NULL */
    /* The towers see parts of a batch; the loss's backward is then to be
     * followed by dip_grad_cache_backward(). NULL: all of it. */
    dip_grad_cache *grad_cache;
} dip_retrieval;

/* The loss of a batch (0 dims, F32) in the open scope. */
dip_status dip_retrieval_loss(dip_tensor **loss, const dip_retrieval *recipe,
                              const dip_batch *batch,
                              dip_err *err) DIP_MUST_CHECK;

/* The same of a batch that went through the towers already. */
dip_status dip_retrieval_encoded_loss(dip_tensor **loss,
                                      const dip_retrieval *recipe,
                                      const dip_encoded_batch *encoded,
                                      const dip_batch *batch,
                                      dip_err *err) DIP_MUST_CHECK;

/* The embeddings [B, D] of the products made of the chosen model fields, as
 * training and evaluation fuse them; *present (may be NULL) gets BOOL [B]: any
 * of the fields is there. `keep` BOOL [B, fields] hides fields, or NULL. */
dip_tensor *dip_retrieval_product(const dip_model *model,
                                  const dip_encoded_batch *encoded,
                                  const int *field_text, const bool *fields,
                                  const dip_tensor *keep, dip_tensor **present,
                                  bool training);

/* The embeddings [B, D] of a query: the average of its fields that are there,
 * by their weights, made unit rows again for cosines; *present as above. */
dip_tensor *dip_retrieval_query(const dip_model *model,
                                const dip_encoded_batch *encoded,
                                const dip_query_mix *mix, dip_tensor **present);

/* What head `h` of the model sees: [B, ...]. A product is that of all fields,
 * a text the first text field. */
dip_tensor *dip_retrieval_head_input(const dip_model *model, int h,
                                     const dip_encoded_batch *encoded,
                                     const int *field_text, bool training);

#endif
