/* Triplets (FaceNet, arXiv 1503.03832): an anchor's right answers shall be
 * nearer than its wrong ones by a margin. The mean is over the triplets that
 * still cost something, as in "In Defense of the Triplet Loss" (arXiv
 * 1703.07737), which also has the hardest positive and negative of an anchor.
 * Semi-hard negatives are farther than the positive, but within the margin. */
#include "losses/contrast.h"
#include "losses/kinds.h"

/* Weighted mean of the costs that are above 0; 0 when there are none. */
static dip_tensor *mean_of_active(const dip_tensor *costs,
                                  const dip_tensor *weights)
{
    dip_tensor *active = dip_t_to_dtype(dip_t_gt_scalar(costs, 0.0), DIP_F32);
    if (weights)
        active = dip_t_mul(active, weights);
    dip_tensor *total = dip_t_sum_all(active);
    dip_tensor *tiny = dip_t_add_scalar(dip_t_zeros_like(total), 1e-12);
    return dip_t_div(dip_t_sum_all(dip_t_mul(costs, active)),
                     dip_t_maximum(total, tiny));
}

/* One triplet for each anchor. */
static dip_tensor *hardest(const dip_tensor *distances, const dip_direction *d,
                           const dip_tensor *negatives, const dip_rows *rows,
                           double margin)
{
    dip_tensor *far =
        dip_t_amax(dip_t_masked_fill(distances, dip_t_logical_not(d->positives),
                                     DIP_MASKED),
                   1, false);
    dip_tensor *near = dip_t_neg(
        dip_t_amax(dip_t_masked_fill(dip_t_neg(distances),
                                     dip_t_logical_not(negatives), DIP_MASKED),
                   1, false));
    dip_tensor *gap = dip_t_add_scalar(dip_t_sub(far, near), margin);
    return mean_of_active(dip_t_relu(gap), rows->weights);
}

/* A row of costs [M] for each pair of anchor and positive: memory is that of
 * the positives times the candidates. */
static dip_tensor *all_triplets(const dip_tensor *distances,
                                const dip_direction *d,
                                const dip_tensor *negatives,
                                const dip_rows *rows, const dip_loss_options *o)
{
    dip_tensor *pairs = dip_places(d->positives); /* [K, 2] */
    dip_tensor *anchors = dip_t_select(pairs, 1, 0);
    dip_tensor *candidates = dip_t_index_select(distances, 0, anchors);
    dip_tensor *right =
        dip_t_gather(candidates, 1, dip_t_narrow(pairs, 1, 1, 1));
    dip_tensor *gap = dip_t_add_scalar(dip_t_sub(right, candidates), o->margin);
    dip_tensor *left_out =
        dip_t_logical_not(dip_t_index_select(negatives, 0, anchors));
    if (o->mining == DIP_MINING_SEMI_HARD) /* nearer than the positive */
        left_out = dip_either(left_out, dip_t_logical_not(dip_t_gt_scalar(
                                            dip_t_sub(candidates, right), 0)));
    dip_tensor *costs = dip_t_relu(dip_t_masked_fill(gap, left_out, 0.0));
    dip_tensor *weights =
        rows->weights
            ? dip_t_unsqueeze(dip_t_index_select(rows->weights, 0, anchors), 1)
            : NULL;
    return mean_of_active(costs, weights);
}

/* Distances but for a constant, which triplets do not see: of lifted rows the
 * product is minus the squared distance, of unit rows that is 2 - 2 q.p, and
 * the cosine distance 1 - q.p. */
static dip_tensor *direction_loss(const dip_direction *d, const dip_rows *rows,
                                  const dip_loss_options *o)
{
    bool twice = o->distance == DIP_DISTANCE_SQUARED && !rows->lifted;
    dip_tensor *distances = dip_t_mul_scalar(d->dots, twice ? -2.0 : -1.0);
    dip_tensor *negatives =
        dip_t_logical_not(dip_either(d->positives, d->hidden));
    if (o->mining == DIP_MINING_HARDEST)
        return hardest(distances, d, negatives, rows, o->margin);
    return all_triplets(distances, d, negatives, rows, o);
}

static dip_tensor *rows_loss(const dip_rows *rows, const dip_loss_options *o)
{
    return dip_both_ways(rows, o, direction_loss);
}

static dip_tensor *triplet(const dip_loss_input *input,
                           const dip_loss_options *options)
{
    return dip_contrast(input, options, rows_loss);
}

const dip_loss_kind dip_loss_kind_triplet = {
    .name = "triplet",
    .summary = "right answers nearer than wrong ones by a margin",
    .options = (const char *const[]){"mining", "margin", "distance",
                                     "symmetric", NULL},
    .defaults = {.margin = 0.2},
    .fn = triplet,
};
