/* Symmetric InfoNCE over one matrix of logits: rows are queries, columns are
 * items, and the two directions differ by the dimension they run along. */
#include <stdbool.h>

#include "losses/loss.h"

#define MASKED (-1e30) /* finite, so that no gradient becomes NaN */

/* What is left when the rows that are not valid are taken out. */
typedef struct {
    dip_tensor *queries, *items; /* F32 [N, D] */
    dip_tensor *positives;       /* BOOL [N, N] or NULL */
    dip_tensor *weights;         /* F32 [N] or NULL */
} rows;

/* The places in [0, B) where `valid` is true: int64 [N]. */
static dip_tensor *places(const dip_tensor *valid)
{
    dip_arg arg = {.kind = DIP_ARG_TENSOR, .as.tensor = valid};
    dip_tensor *found = NULL;
    dip_tensor_call(&found, 1, "aten::nonzero", "", &arg, 1);
    return dip_t_flatten(found, 0, 1);
}

static rows take_rows(const dip_loss_input *in)
{
    rows r = {
        .queries = dip_t_to_dtype(in->queries, DIP_F32),
        .items = dip_t_to_dtype(in->items, DIP_F32),
        .positives = in->positives ? dip_tensor_alias(in->positives) : NULL,
        .weights = in->weights ? dip_tensor_alias(in->weights) : NULL,
    };
    if (!in->valid)
        return r;
    dip_tensor *at = places(in->valid);
    r.queries = dip_t_index_select(r.queries, 0, at);
    r.items = dip_t_index_select(r.items, 0, at);
    if (r.positives)
        r.positives =
            dip_t_index_select(dip_t_index_select(r.positives, 0, at), 1, at);
    if (r.weights)
        r.weights = dip_t_index_select(r.weights, 0, at);
    return r;
}

/* Mean over rows, or their weighted mean; the weights of a batch may all be
 * zero. */
static dip_tensor *mean_rows(const dip_tensor *losses,
                             const dip_tensor *weights)
{
    if (!weights)
        return dip_t_mean_all(losses);
    dip_tensor *total = dip_t_sum_all(weights);
    dip_tensor *tiny = dip_tensor_scalar(1e-12, DIP_F32);
    return dip_t_div(dip_t_sum_all(dip_t_mul(losses, weights)),
                     dip_t_maximum(total, tiny));
}

/* Only the diagonal is right: cross-entropy with one class per row. */
static dip_tensor *diagonal_loss(const dip_tensor *logits, double smoothing)
{
    dip_tensor *targets =
        dip_t_to_device(dip_tensor_arange(dip_tensor_size(logits, 0)),
                        dip_tensor_device(logits));
    dip_tensor *ahead =
        dip_t_cross_entropy(logits, targets, NULL, -1, smoothing);
    dip_tensor *back = dip_t_cross_entropy(dip_t_transpose(logits, 0, 1),
                                           targets, NULL, -1, smoothing);
    return dip_t_mul_scalar(dip_t_add(ahead, back), 0.5);
}

/* Mean of `logits` along `dim` over the candidates that are not `hidden`. */
static dip_tensor *mean_seen(const dip_tensor *logits, const dip_tensor *hidden,
                             int dim)
{
    if (!hidden)
        return dip_t_mean(logits, dim, false);
    dip_tensor *sum =
        dip_t_sum(dip_t_masked_fill(logits, hidden, 0.0), dim, false);
    dip_tensor *seen = dip_t_sum(dip_t_logical_not(hidden), dim, false);
    return dip_t_div(sum, dip_t_to_dtype(seen, DIP_F32));
}

/* The share of each row's target that the positives pay: their mean, or the
 * logarithm of their summed exponentials. */
static dip_tensor *attraction(const dip_tensor *logits,
                              const dip_tensor *positives, dip_positives mode,
                              int dim)
{
    dip_tensor *others = dip_t_logical_not(positives);
    if (mode == DIP_POSITIVES_SUM)
        return dip_t_logsumexp(dip_t_masked_fill(logits, others, MASKED), dim,
                               false);
    return mean_seen(logits, others, dim);
}

/* Losses of the anchors, [N], when candidates stand along `dim`. */
static dip_tensor *direction(const dip_tensor *logits,
                             const dip_tensor *positives,
                             const dip_tensor *hidden,
                             const dip_loss_options *o, int dim)
{
    const dip_tensor *seen =
        hidden ? dip_t_masked_fill(logits, hidden, MASKED) : logits;
    dip_tensor *all = dip_t_logsumexp(seen, dim, false);
    dip_tensor *right = attraction(logits, positives, o->positives, dim);
    if (o->label_smoothing > 0.0)
        right = dip_t_add(dip_t_mul_scalar(right, 1.0 - o->label_smoothing),
                          dip_t_mul_scalar(mean_seen(logits, hidden, dim),
                                           o->label_smoothing));
    return dip_t_sub(all, right);
}

/* Any positives, smoothing and weights. */
static dip_tensor *general_loss(const dip_tensor *logits, const rows *r,
                                const dip_loss_options *o)
{
    dip_tensor *own = dip_t_to_device(
        dip_tensor_eye(dip_tensor_size(logits, 0)), dip_tensor_device(logits));
    own = dip_t_gt_scalar(own, 0.0);
    const dip_tensor *positives = r->positives ? r->positives : own;
    dip_tensor *hidden = NULL;
    if (o->positives == DIP_POSITIVES_EXCLUDE && r->positives) {
        hidden = dip_t_logical_and(positives, dip_t_logical_not(own));
        positives = own;
    }
    dip_tensor *ahead = direction(logits, positives, hidden, o, 1);
    dip_tensor *back = direction(logits, positives, hidden, o, 0);
    return mean_rows(dip_t_mul_scalar(dip_t_add(ahead, back), 0.5), r->weights);
}

static dip_tensor *loss_of(const dip_loss_input *input,
                           const dip_loss_options *options)
{
    rows r = take_rows(input);
    dip_tensor *scale = dip_t_to_dtype(input->scale, DIP_F32);
    dip_tensor *scaled = dip_t_mul(r.queries, scale);
    if (dip_tensor_size(r.queries, 0) == 0)
        return dip_t_sum_all(scaled); /* zero, and still differentiable */
    dip_tensor *logits = dip_t_matmul(scaled, dip_t_transpose(r.items, 0, 1));
    if (!r.positives && !r.weights)
        return diagonal_loss(logits, options->label_smoothing);
    return general_loss(logits, &r, options);
}

dip_tensor *dip_loss_infonce(const dip_loss_input *input,
                             const dip_loss_options *options)
{
    dip_scope_open();
    dip_device device = dip_tensor_device(input->queries);
    bool autocast = dip_tensor_set_autocast(device, false);
    dip_tensor *loss = dip_tensor_return(loss_of(input, options));
    dip_tensor_set_autocast(device, autocast);
    dip_scope_close();
    return loss;
}
