/* The recipe of image and text classification: the cross-entropies of the
 * heads over the features of the one tower, summed with their weights. */
#ifndef DIP_TRAIN_CLASSIFICATION_H
#define DIP_TRAIN_CLASSIFICATION_H

#include "base/status.h"
#include "data/loader.h"
#include "models/model.h"
#include "train/encode.h"
#include "train/heads.h"
#include "train/mixing.h"

/* All borrowed. */
typedef struct {
    dip_model *model;
    int text_count;             /* sources of a batch, 0 or 1 */
    const double *head_weights; /* [heads]; head i reads label i of a batch */
    const dip_head_target *head_targets; /* [heads] */
    double *terms;     /* [heads], each loss is added before its weight */
    dip_mixing mixing; /* of photos */
    int64_t image_size;
    dip_device device;
    bool channels_last;
    const dip_features *features; /* of a frozen tower, or NULL */
} dip_classification;

/* The loss of a batch (0 dims, F32) in the open scope. Photos that are not
 * there and empty texts count as any other. */
dip_status dip_classification_loss(dip_tensor **loss,
                                   const dip_classification *recipe,
                                   const dip_batch *batch,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
