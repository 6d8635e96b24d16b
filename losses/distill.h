/* Distillation from embeddings that a teacher has made of the same rows. */
#ifndef DIP_LOSSES_DISTILL_H
#define DIP_LOSSES_DISTILL_H

#include "base/similarity.h"
#include "tensor/tensor.h"

/* name, string, words */
#define DIP_DISTILL_TABLE(X)                                                   \
    X(KL, "kl", "similarities within the batch, softmaxed")                    \
    X(COSINE, "cosine", "1 - cosine of a row and the teacher's")               \
    X(MSE, "mse", "mean squared difference of their numbers")

typedef enum {
#define DIP_DISTILL_ENUM(name, string, words) DIP_DISTILL_##name,
    DIP_DISTILL_TABLE(DIP_DISTILL_ENUM)
#undef DIP_DISTILL_ENUM
        DIP_DISTILL_COUNT
} dip_distill_kind;

typedef struct {
    const dip_tensor *queries, *items; /* [B, D] of the student */
    const dip_tensor *scale;           /* one number, the student's */
    dip_similarity similarity;         /* the student's */
    /* F32 [B, E], unit rows; E = D for cosine and mse. */
    const dip_tensor *teacher_queries, *teacher_items;
    double temperature;      /* the teacher's, > 0 */
    const dip_tensor *valid; /* BOOL [B] or NULL = all */
} dip_distill_input;

/* kl is the cross-entropy of the student's softmax against the teacher's, over
 * the items of a query and the queries of an item, halved, as in MobileCLIP
 * (arXiv 2311.17049, equation 2): the Kullback-Leibler divergence but for the
 * teacher's entropy, which has no gradient. cosine and mse are means over
 * both sides. F32 without dimensions, computed in F32; zero when no row is
 * valid. Follows tensor/tensor.h. */
dip_tensor *dip_loss_distill(const dip_distill_input *input,
                             dip_distill_kind kind);

#endif
