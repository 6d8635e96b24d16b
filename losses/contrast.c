#include "losses/contrast.h"

static dip_tensor *float_of(const dip_tensor *t)
{
    return t ? dip_t_to_dtype(t, DIP_F32) : NULL;
}

dip_tensor *dip_places(const dip_tensor *mask)
{
    dip_arg arg = {.kind = DIP_ARG_TENSOR, .as.tensor = mask};
    dip_tensor *found = NULL;
    dip_tensor_call(&found, 1, "aten::nonzero", "", &arg, 1);
    return found;
}

static dip_rows rows_of(const dip_loss_input *in)
{
    return (dip_rows){
        .queries = float_of(in->queries),
        .items = float_of(in->items),
        .scale = float_of(in->scale),
        .bias = float_of(in->bias),
        .positives = in->positives ? dip_tensor_alias(in->positives) : NULL,
        .keys = in->keys ? dip_tensor_alias(in->keys) : NULL,
        .weights = float_of(in->weights),
        .scores = float_of(in->scores),
        .past_queries = float_of(in->past_queries),
        .past_items = float_of(in->past_items),
        .past_hidden =
            in->past_hidden ? dip_tensor_alias(in->past_hidden) : NULL,
        .lifted = in->lifted,
    };
}

static void keep_rows(dip_tensor **t, const dip_tensor *at)
{
    if (*t)
        *t = dip_t_index_select(*t, 0, at);
}

static dip_rows take_rows(const dip_loss_input *in)
{
    dip_rows r = rows_of(in);
    if (!in->valid)
        return r;
    dip_tensor *at = dip_t_flatten(dip_places(in->valid), 0, 1);
    keep_rows(&r.queries, at);
    keep_rows(&r.items, at);
    keep_rows(&r.keys, at);
    keep_rows(&r.weights, at);
    keep_rows(&r.scores, at);
    keep_rows(&r.past_hidden, at);
    keep_rows(&r.positives, at);
    if (r.positives)
        r.positives = dip_t_index_select(r.positives, 1, at);
    return r;
}

dip_tensor *dip_either(const dip_tensor *a, const dip_tensor *b)
{
    if (!a || !b)
        return a || b ? dip_tensor_alias(a ? a : b) : NULL;
    return dip_t_logical_not(
        dip_t_logical_and(dip_t_logical_not(a), dip_t_logical_not(b)));
}

dip_tensor *dip_diagonal(int64_t n, const dip_tensor *like)
{
    return dip_t_gt_scalar(
        dip_t_to_device(dip_tensor_eye(n), dip_tensor_device(like)), 0.0);
}

dip_tensor *dip_mean_anchors(const dip_tensor *losses,
                             const dip_tensor *weights)
{
    if (!weights)
        return dip_t_mean_all(losses);
    dip_tensor *total = dip_t_sum_all(weights);
    dip_tensor *tiny = dip_t_add_scalar(dip_t_zeros_like(total), 1e-12);
    return dip_t_div(dip_t_sum_all(dip_t_mul(losses, weights)),
                     dip_t_maximum(total, tiny));
}

dip_tensor *dip_logits(const dip_tensor *dots, const dip_rows *rows)
{
    dip_tensor *scaled = dip_t_mul(dots, rows->scale);
    return rows->bias ? dip_t_add(scaled, rows->bias) : scaled;
}

static dip_direction direction_of(const dip_tensor *anchors,
                                  const dip_tensor *candidates,
                                  const dip_tensor *past,
                                  const dip_tensor *positives,
                                  const dip_rows *rows)
{
    dip_tensor *own = dip_diagonal(dip_tensor_size(anchors, 0), anchors);
    dip_direction d = {
        .dots = dip_t_matmul(anchors, dip_t_transpose(candidates, 0, 1)),
        .positives = positives ? dip_tensor_alias(positives) : own,
        .own = own,
    };
    if (!past)
        return d;
    dip_tensor *dots[] = {d.dots,
                          dip_t_matmul(anchors, dip_t_transpose(past, 0, 1))};
    dip_tensor *none = dip_t_zeros_like(rows->past_hidden);
    dip_tensor *right[] = {d.positives, none}, *same[] = {own, none};
    dip_tensor *hidden[] = {dip_t_zeros_like(own), rows->past_hidden};
    d.dots = dip_t_cat(dots, 2, 1);
    d.positives = dip_t_cat(right, 2, 1);
    d.own = dip_t_cat(same, 2, 1);
    d.hidden = dip_t_cat(hidden, 2, 1);
    return d;
}

dip_direction dip_direction_ahead(const dip_rows *r)
{
    return direction_of(r->queries, r->items, r->past_items, r->positives, r);
}

dip_direction dip_direction_back(const dip_rows *r)
{
    dip_tensor *positives =
        r->positives ? dip_t_transpose(r->positives, 0, 1) : NULL;
    return direction_of(r->items, r->queries, r->past_queries, positives, r);
}

dip_tensor *dip_both_ways(const dip_rows *rows, const dip_loss_options *options,
                          dip_direction_fn fn)
{
    dip_direction ahead = dip_direction_ahead(rows);
    dip_tensor *first = fn(&ahead, rows, options);
    if (options->one_way)
        return first;
    dip_direction back = dip_direction_back(rows);
    return dip_t_mul_scalar(dip_t_add(first, fn(&back, rows, options)), 0.5);
}

dip_tensor *dip_contrast(const dip_loss_input *input,
                         const dip_loss_options *options, dip_rows_fn fn)
{
    dip_scope_open();
    dip_device device = dip_tensor_device(input->queries);
    bool autocast = dip_tensor_set_autocast(device, false);
    dip_rows rows = take_rows(input);
    dip_tensor *loss = dip_tensor_size(rows.queries, 0) > 0
                           ? fn(&rows, options)
                           /* zero, and still differentiable */
                           : dip_t_sum_all(dip_t_mul(rows.queries, rows.scale));
    loss = dip_tensor_return(loss);
    dip_tensor_set_autocast(device, autocast);
    dip_scope_close();
    return loss;
}
