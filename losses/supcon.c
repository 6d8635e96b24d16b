/* Supervised contrastive learning (arXiv 2004.11362, equations 2 and 3). With
 * views "all" the batch is the paper's multi-viewed one: queries and items are
 * 2 N views, each of them an anchor against all others. With "cross" a query
 * sees items only, and an item queries.
 *
 *   out: mean over the positives of -log p     in: -log of the mean of p */
#include "losses/contrast.h"
#include "losses/kinds.h"

static dip_tensor *anchors(const dip_direction *d, const dip_rows *rows,
                           const dip_loss_options *o)
{
    dip_loss_options infonce = {.positives = o->form == DIP_SUPCON_OUT
                                                 ? DIP_POSITIVES_UNIFORM
                                                 : DIP_POSITIVES_SUM};
    dip_tensor *losses = dip_infonce_anchors(d, rows, &infonce);
    if (o->form == DIP_SUPCON_OUT)
        return losses;
    dip_tensor *count =
        dip_t_sum(dip_t_to_dtype(d->positives, DIP_F32), 1, false);
    return dip_t_add(losses, dip_t_log(count)); /* sum to mean */
}

static dip_tensor *cross_loss(const dip_direction *d, const dip_rows *rows,
                              const dip_loss_options *o)
{
    return dip_mean_anchors(anchors(d, rows, o), rows->weights);
}

/* Puts four blocks of columns side by side: a query's view and an item's, of
 * the batch and of the past. */
static dip_tensor *half(dip_tensor *queries, dip_tensor *items,
                        dip_tensor *past_queries, dip_tensor *past_items)
{
    dip_tensor *parts[] = {queries, items, past_queries, past_items};
    return dip_t_cat(parts, past_queries ? 4 : 2, 1);
}

static dip_tensor *twice(dip_tensor *upper, dip_tensor *lower, int dim)
{
    return dip_t_cat((dip_tensor *[]){upper, lower}, 2, dim);
}

/* All views against all. Two queries, or two items, are positives where each
 * is right for the other's row. */
static dip_direction all_views(const dip_rows *r, const dip_tensor *views)
{
    int64_t n = dip_tensor_size(r->queries, 0);
    dip_tensor *own = dip_diagonal(n, views);
    dip_tensor *ahead = r->positives ? r->positives : own;
    dip_tensor *back = dip_t_transpose(ahead, 0, 1);
    dip_tensor *same = dip_t_logical_and(dip_t_logical_and(ahead, back),
                                         dip_t_logical_not(own));
    dip_tensor *none = dip_t_zeros_like(own);
    dip_tensor *hidden = r->past_hidden;
    dip_tensor *past = hidden ? dip_t_zeros_like(hidden) : NULL;
    dip_tensor *candidates = dip_tensor_alias(views);
    if (hidden) {
        dip_tensor *parts[] = {candidates, r->past_queries, r->past_items};
        candidates = dip_t_cat(parts, 3, 0);
    }
    return (dip_direction){
        .dots = dip_t_matmul(views, dip_t_transpose(candidates, 0, 1)),
        .positives = twice(half(same, ahead, past, past),
                           half(back, same, past, past), 0),
        .own =
            twice(half(none, own, past, past), half(own, none, past, past), 0),
        .hidden = twice(half(own, none, hidden, hidden),
                        half(none, own, hidden, hidden), 0),
    };
}

static dip_tensor *rows_loss(const dip_rows *rows, const dip_loss_options *o)
{
    if (o->views == DIP_VIEWS_CROSS)
        return dip_both_ways(rows, o, cross_loss);
    dip_direction d = all_views(rows, twice(rows->queries, rows->items, 0));
    dip_tensor *weights =
        rows->weights ? twice(rows->weights, rows->weights, 0) : NULL;
    return dip_mean_anchors(anchors(&d, rows, o), weights);
}

static dip_tensor *supcon(const dip_loss_input *input,
                          const dip_loss_options *options)
{
    return dip_contrast(input, options, rows_loss);
}

const dip_loss_kind dip_loss_kind_supcon = {
    .name = "supcon",
    .summary = "supervised contrastive, every positive its own term",
    .options = (const char *const[]){"form", "views", NULL},
    .fn = supcon,
};
