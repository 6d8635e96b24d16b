/* InfoNCE (CLIP, arXiv 2103.00020, figure 3): the mean of the cross-entropies
 * of queries against items and of items against queries. With several
 * positives, "uniform" is the outer form of supervised contrastive learning
 * (arXiv 2004.11362, equation 2) across the two sides. */
#include "losses/blocked.h"
#include "losses/contrast.h"
#include "losses/kinds.h"

/* Only the diagonal is right: cross-entropy with one class per row. */
static dip_tensor *diagonal_loss(const dip_rows *r, double smoothing)
{
    dip_tensor *logits = dip_t_matmul(dip_t_mul(r->queries, r->scale),
                                      dip_t_transpose(r->items, 0, 1));
    dip_tensor *targets =
        dip_t_to_device(dip_tensor_arange(dip_tensor_size(logits, 0)),
                        dip_tensor_device(logits));
    dip_tensor *ahead =
        dip_t_cross_entropy(logits, targets, NULL, -1, smoothing);
    dip_tensor *back = dip_t_cross_entropy(dip_t_transpose(logits, 0, 1),
                                           targets, NULL, -1, smoothing);
    return dip_t_mul_scalar(dip_t_add(ahead, back), 0.5);
}

/* Mean of `logits` over the candidates that are not `hidden`. */
static dip_tensor *mean_seen(const dip_tensor *logits, const dip_tensor *hidden)
{
    if (!hidden)
        return dip_t_mean(logits, 1, false);
    dip_tensor *sum =
        dip_t_sum(dip_t_masked_fill(logits, hidden, 0.0), 1, false);
    dip_tensor *seen = dip_t_sum(dip_t_logical_not(hidden), 1, false);
    return dip_t_div(sum, dip_t_to_dtype(seen, DIP_F32));
}

/* The share of each anchor's target that the positives pay: their mean, or the
 * logarithm of their summed exponentials. */
static dip_tensor *attraction(const dip_tensor *logits,
                              const dip_tensor *positives, dip_positives mode)
{
    dip_tensor *others = dip_t_logical_not(positives);
    if (mode == DIP_POSITIVES_SUM)
        return dip_t_logsumexp(dip_t_masked_fill(logits, others, DIP_MASKED), 1,
                               false);
    return mean_seen(logits, others);
}

dip_tensor *dip_infonce_anchors(const dip_direction *d, const dip_rows *rows,
                                const dip_loss_options *o)
{
    dip_tensor *positives = d->positives, *hidden = d->hidden;
    if (o->positives == DIP_POSITIVES_EXCLUDE && rows->positives) {
        hidden = dip_either(
            hidden, dip_t_logical_and(positives, dip_t_logical_not(d->own)));
        positives = d->own;
    }
    dip_tensor *logits = dip_logits(d->dots, rows);
    dip_tensor *all = dip_t_logsumexp(
        hidden ? dip_t_masked_fill(logits, hidden, DIP_MASKED) : logits, 1,
        false);
    dip_tensor *right = attraction(logits, positives, o->positives);
    if (o->label_smoothing > 0.0)
        right = dip_t_add(
            dip_t_mul_scalar(right, 1.0 - o->label_smoothing),
            dip_t_mul_scalar(mean_seen(logits, hidden), o->label_smoothing));
    return dip_t_sub(all, right);
}

static dip_tensor *direction_loss(const dip_direction *d, const dip_rows *rows,
                                  const dip_loss_options *o)
{
    return dip_mean_anchors(dip_infonce_anchors(d, rows, o), rows->weights);
}

static dip_tensor *blocked_loss(const dip_rows *r, const dip_loss_options *o)
{
    const dip_blocked_input input = {.queries = r->queries,
                                     .items = r->items,
                                     .scale = r->scale,
                                     .bias = r->bias,
                                     .keys = r->keys,
                                     .weights = r->weights,
                                     .one_way = o->one_way};
    return dip_blocked_infonce(&input, o);
}

static dip_tensor *rows_loss(const dip_rows *rows, const dip_loss_options *o)
{
    if (rows->keys)
        return blocked_loss(rows, o);
    if (!rows->positives && !rows->weights && !rows->past_items && !o->one_way)
        return diagonal_loss(rows, o->label_smoothing);
    return dip_both_ways(rows, o, direction_loss);
}

dip_tensor *dip_loss_infonce(const dip_loss_input *input,
                             const dip_loss_options *options)
{
    return dip_contrast(input, options, rows_loss);
}

const dip_loss_kind dip_loss_kind_infonce = {
    .name = "infonce",
    .summary = "symmetric contrastive cross-entropy, as CLIP's",
    .options = (const char *const[]){"positives", "label_smoothing",
                                     "symmetric", NULL},
    .reads_keys = true,
    .fn = dip_loss_infonce,
};
