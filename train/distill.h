/* Distillation in training: a batch is drawn towards the embeddings that a
 * teacher has made of the same rows, once and for all. */
#ifndef DIP_TRAIN_DISTILL_H
#define DIP_TRAIN_DISTILL_H

#include "base/similarity.h"
#include "data/loader.h"
#include "losses/distill.h"
#include "losses/loss.h"
#include "train/features.h"

typedef struct {
    dip_distill_kind kind;
    /* 0 to 1: a task's loss is (1 - weight) of its own and weight of this. */
    double weight;
    double temperature; /* of the teacher, > 0 */
} dip_distill_recipe;

/* Unit rows of the teacher, borrowed; `present` tells where there is one. */
typedef struct {
    const dip_feature_table *queries, *items;
} dip_teacher_rows;

/* The loss of a batch, whose embeddings `student` has; pairs count where it
 * says so and the teacher has both sides. Follows tensor/tensor.h. */
dip_tensor *dip_distill_batch(const dip_distill_recipe *recipe,
                              const dip_teacher_rows *teacher,
                              const dip_batch *batch,
                              const dip_loss_input *student,
                              dip_similarity similarity, dip_device device);

#endif
