/* The sigmoid loss (SigLIP, arXiv 2303.15343, algorithm 1): each pair of the
 * batch is a decision of its own, with a learned scale and bias. The sum over
 * all pairs is divided by the number of rows. All right pairs have the label
 * +1, not the diagonal alone. */
#include "losses/blocked.h"
#include "losses/contrast.h"
#include "losses/kinds.h"

static dip_tensor *direction_loss(const dip_direction *d, const dip_rows *rows,
                                  const dip_loss_options *o)
{
    (void)o;
    dip_tensor *logits = dip_logits(d->dots, rows);
    dip_tensor *pairs =
        dip_t_log_sigmoid(dip_t_where(d->positives, logits, dip_t_neg(logits)));
    if (d->hidden)
        pairs = dip_t_masked_fill(pairs, d->hidden, 0.0);
    dip_tensor *losses = dip_t_neg(dip_t_sum(pairs, 1, false));
    return dip_mean_anchors(losses, rows->weights);
}

/* Both directions sum the same pairs, unless rows have weights or a past. */
static dip_tensor *rows_loss(const dip_rows *rows, const dip_loss_options *o)
{
    const dip_blocked_input input = {.queries = rows->queries,
                                     .items = rows->items,
                                     .scale = rows->scale,
                                     .bias = rows->bias,
                                     .keys = rows->keys};
    if (rows->keys)
        return dip_blocked_siglip(&input);
    dip_loss_options ways = *o;
    ways.one_way = !rows->weights && !rows->past_items;
    return dip_both_ways(rows, &ways, direction_loss);
}

static dip_tensor *siglip(const dip_loss_input *input,
                          const dip_loss_options *options)
{
    return dip_contrast(input, options, rows_loss);
}

const dip_loss_kind dip_loss_kind_siglip = {
    .name = "siglip",
    .summary = "sigmoid of each pair, with a learned bias",
    .options = (const char *const[]){"bias", NULL},
    .defaults = {.bias = -10},
    .has_bias = true,
    .reads_keys = true,
    .temperature = 0.1,
    .fn = siglip,
};
