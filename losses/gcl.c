/* Generalized contrastive learning (GCL, arXiv 2404.08535): the cross-entropy
 * of a pair counts by a weight made of its score (its rank or grade), so that
 * better answers are pulled harder. The mean is over rows, not over weights.
 * Pairs without a score weigh 1. Several fields on either side are the
 * caller's: rows come fused. */
#include <math.h>

#include "losses/contrast.h"
#include "losses/kinds.h"

static dip_tensor *piecewise(const dip_tensor *scores,
                             const dip_score_options *o)
{
    dip_tensor *zero = dip_t_zeros_like(scores), *weight = zero;
    for (int i = 0; i < o->step_count; i++) {
        dip_tensor *below = dip_t_gt_scalar(dip_t_neg(scores), -o->steps[i]);
        weight =
            dip_t_where(below, weight, dip_t_add_scalar(zero, o->weights[i]));
    }
    return weight;
}

/* Weights [N] of the scores [N]. */
static dip_tensor *weights_of(const dip_tensor *scores,
                              const dip_score_options *o)
{
    /* Scores above the best one are as good as it. */
    dip_tensor *rank = dip_t_relu(dip_t_add_scalar(dip_t_neg(scores), o->max));
    rank = dip_t_add_scalar(rank, 1.0);
    switch (o->kind) {
    case DIP_SCORE_WEIGHT_LINEAR:
        return dip_t_clamp(dip_t_mul_scalar(scores, 1.0 / o->max), 0.0, 1.0);
    case DIP_SCORE_WEIGHT_INVERSE:
        return dip_t_pow_scalar(rank, -1.0);
    case DIP_SCORE_WEIGHT_INVERSE_SQRT:
        return dip_t_pow_scalar(rank, -0.5);
    case DIP_SCORE_WEIGHT_LOG:
        return dip_t_mul_scalar(
            dip_t_pow_scalar(dip_t_log(dip_t_add_scalar(rank, 1.0)), -1.0),
            log(2.0));
    case DIP_SCORE_WEIGHT_PIECEWISE:
        return piecewise(scores, o);
    case DIP_SCORE_WEIGHT_CONSTANT:
    case DIP_SCORE_WEIGHT_COUNT:
        break;
    }
    return dip_t_add_scalar(dip_t_zeros_like(scores), 1.0);
}

static dip_tensor *direction_loss(const dip_direction *d, const dip_rows *rows,
                                  const dip_loss_options *o)
{
    dip_tensor *losses = dip_infonce_anchors(d, rows, o);
    if (rows->scores)
        losses = dip_t_mul(losses, weights_of(rows->scores, &o->score));
    return dip_mean_anchors(losses, rows->weights);
}

static dip_tensor *rows_loss(const dip_rows *rows, const dip_loss_options *o)
{
    return dip_both_ways(rows, o, direction_loss);
}

static dip_tensor *gcl(const dip_loss_input *input,
                       const dip_loss_options *options)
{
    return dip_contrast(input, options, rows_loss);
}

const dip_loss_kind dip_loss_kind_gcl = {
    .name = "gcl",
    .summary = "contrastive cross-entropy weighted by the grade of a pair",
    .options =
        (const char *const[]){"positives", "label_smoothing", "symmetric",
                              "score_to_weight", "score_max", "score_steps",
                              "step_weights", NULL},
    .defaults = {.positives = DIP_POSITIVES_EXCLUDE,
                 .score = {.kind = DIP_SCORE_WEIGHT_INVERSE, .max = 1}},
    .fn = gcl,
};
