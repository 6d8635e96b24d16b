#include "train/heads.h"

#include "losses/loss.h"

/* Whether any label of the batch weighs something. */
static bool has_labels(const dip_batch *batch, int h, const float *weights)
{
    for (int64_t i = 0; i < batch->size; i++) {
        int64_t label = batch->labels[h][i];
        if (label >= 0 && (weights == NULL || weights[label] > 0))
            return true;
    }
    return false;
}

dip_tensor *dip_head_loss(const dip_model *model, int h,
                          const dip_tensor *input, const dip_batch *batch,
                          const dip_head_target *target, const dip_mix *mix,
                          dip_device device)
{
    static const dip_head_target plain;
    const dip_head_target *how = target != NULL ? target : &plain;
    int64_t size = batch->size, classes = dip_model_head_classes(model, h);
    dip_tensor *logits = dip_model_head_logits(
        model, h, dip_t_dropout(input, how->dropout, true));
    if (!has_labels(batch, h, how->class_weights)) /* a mean of none is NaN */
        return dip_t_mul_scalar(dip_t_sum_all(dip_t_to_dtype(logits, DIP_F32)),
                                0);
    dip_tensor *labels = dip_t_to_device(
        dip_tensor_borrow(batch->labels[h], DIP_I64, 1, &size), device);
    dip_tensor *weights = NULL;
    if (how->class_weights != NULL)
        weights = dip_t_to_device(
            dip_tensor_from(how->class_weights, DIP_F32, 1, &classes), device);
    dip_tensor *own =
        dip_loss_cross_entropy(logits, labels, weights, how->label_smoothing);
    if (mix == NULL || !(mix->share < 1))
        return own;
    dip_tensor *other = dip_loss_cross_entropy(logits, dip_mix_others(labels),
                                               weights, how->label_smoothing);
    return dip_t_add(dip_t_mul_scalar(own, mix->share),
                     dip_t_mul_scalar(other, 1 - mix->share));
}
