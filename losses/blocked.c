#include "losses/blocked_private.h"

#include <stdlib.h>

#include "tensor/gradients.h"

/* Elements of a block: large enough for fast products, small beside the
 * gradients. */
#define BLOCK_ELEMENTS (INT64_C(4) << 20)
#define LEAST_ROWS     16
/* Elements that are kept: all pairs of 4096 rows. */
#define KEPT_ELEMENTS (INT64_C(16) << 20)

static dip_tensor *plain(const dip_tensor *t)
{
    return dip_t_contiguous(dip_t_detach(t));
}

static bool asks(const dip_tensor *t)
{
    return t != NULL && dip_tensor_requires_grad(t);
}

static void build_lists(dip_blocked *b, const dip_tensor *keys)
{
    dip_err err = {0};
    const int64_t *values = NULL;
    int64_t columns = 1;
    if (keys != NULL) {
        values = dip_tensor_data(dip_t_contiguous(keys));
        columns = dip_tensor_size(keys, 1);
    }
    if (dip_tensor_failed())
        return;
    dip_status st =
        dip_positive_lists_build(&b->right, values, b->n, columns, &err);
    if (st != DIP_OK)
        dip_tensor_fail(st, "%s", err.msg);
}

bool dip_blocked_begin(dip_blocked *b, const dip_blocked_input *input,
                       bool *before)
{
    *before = dip_tensor_set_grad_mode(false);
    *b = (dip_blocked){
        .queries = plain(input->queries),
        .items = plain(input->items),
        .scale = (float)dip_tensor_item(input->scale),
        .bias = input->bias ? (float)dip_tensor_item(input->bias) : 0,
        .n = dip_tensor_size(input->queries, 0),
        .with_gradients =
            *before && (asks(input->queries) || asks(input->items) ||
                        asks(input->scale) || asks(input->bias)),
    };
    if (dip_tensor_failed())
        return false;
    b->block_rows = BLOCK_ELEMENTS / b->n;
    if (b->block_rows < LEAST_ROWS)
        b->block_rows = LEAST_ROWS;
    if (b->block_rows > b->n)
        b->block_rows = b->n;
    const int64_t sizes[2] = {b->block_rows, b->n};
    b->block = dip_tensor_empty(DIP_F32, 2, sizes);
    if (b->with_gradients) {
        b->query_gradient = dip_t_zeros_like(b->queries);
        b->item_gradient = dip_t_zeros_like(b->items);
    }
    build_lists(b, input->keys);
    return !dip_tensor_failed();
}

static dip_tensor *rows_of(const dip_tensor *t, int64_t first, int64_t rows)
{
    return dip_t_narrow(t, 0, first, rows);
}

/* Calls an operation with tensors only and without a use for its result. */
static void call(const char *name, const char *overload,
                 const dip_tensor *const *tensors, int count)
{
    dip_arg args[4];
    dip_tensor *out = NULL;
    for (int i = 0; i < count; i++)
        args[i] = (dip_arg){.kind = DIP_ARG_TENSOR, .as.tensor = tensors[i]};
    dip_tensor_call(&out, 1, name, overload, args, count);
}

void dip_blocked_keep(dip_blocked *b)
{
    int64_t blocks = KEPT_ELEMENTS / b->n / b->block_rows;
    if (!b->with_gradients || blocks == 0)
        return;
    b->kept_rows = blocks * b->block_rows;
    if (b->kept_rows > b->n)
        b->kept_rows = b->n;
    const int64_t sizes[2] = {b->kept_rows, b->n};
    b->kept = dip_tensor_empty(DIP_F32, 2, sizes);
}

/* Where the products of a block lie. */
static dip_tensor *place_of(const dip_blocked *b, int64_t first, int64_t rows)
{
    return first < b->kept_rows ? rows_of(b->kept, first, rows)
                                : rows_of(b->block, 0, rows);
}

float *dip_blocked_products(const dip_blocked *b, int64_t first, int64_t rows)
{
    dip_scope_open();
    dip_tensor *place = place_of(b, first, rows);
    const dip_tensor *product[] = {rows_of(b->queries, first, rows),
                                   dip_t_transpose(b->items, 0, 1), place};
    call("aten::mm", "out", product, 3);
    float *elements = dip_tensor_data(place);
    dip_scope_close();
    return elements;
}

float *dip_blocked_products_again(const dip_blocked *b, int64_t first,
                                  int64_t rows)
{
    if (first >= b->kept_rows)
        return dip_blocked_products(b, first, rows);
    float *elements = dip_tensor_data(b->kept);
    return elements != NULL ? elements + first * b->n : NULL;
}

void dip_blocked_spread(const dip_blocked *b, int64_t first, int64_t rows)
{
    dip_scope_open();
    dip_tensor *share = place_of(b, first, rows);
    const dip_tensor *of_queries[] = {share, b->items,
                                      rows_of(b->query_gradient, first, rows)};
    const dip_tensor *of_items[] = {b->item_gradient,
                                    dip_t_transpose(share, 0, 1),
                                    rows_of(b->queries, first, rows)};
    call("aten::mm", "out", of_queries, 3);
    call("aten::addmm_", "", of_items, 3);
    dip_scope_close();
}

static dip_tensor *number_like(const dip_tensor *t, double value)
{
    return dip_t_add_scalar(dip_t_zeros_like(t), value);
}

dip_tensor *dip_blocked_result(const dip_blocked *b,
                               const dip_blocked_input *input, double value)
{
    dip_tensor *total = dip_tensor_scalar(value, DIP_F32);
    if (!b->with_gradients)
        return total;
    dip_tensor *inputs[] = {dip_tensor_alias(input->queries),
                            dip_tensor_alias(input->items),
                            dip_tensor_alias(input->scale),
                            input->bias ? dip_tensor_alias(input->bias) : NULL};
    dip_tensor *gradients[] = {
        b->query_gradient, b->item_gradient,
        number_like(input->scale, b->scale_gradient),
        input->bias ? number_like(input->bias, b->bias_gradient) : NULL};
    (void)dip_tensor_set_grad_mode(true);
    return dip_t_with_gradients(total, inputs, gradients, input->bias ? 4 : 3);
}

void dip_blocked_end(dip_blocked *b, bool before)
{
    dip_positive_lists_free(&b->right);
    (void)dip_tensor_set_grad_mode(before);
}
