#include "models/attribute.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"

struct dip_attribute {
    dip_attribute_kind kind;
    dip_tensor *table;            /* [rows, D]: label, bucketised */
    dip_tensor *edges;            /* [edges]: bucketised */
    dip_tensor *mean, *deviation; /* 0 dims: standardised */
    dip_linear hidden;            /* weight NULL: linear */
    dip_linear out;
};

static const char *const NAMES[] = {
#define NAME(name, word, words) word,
    DIP_ATTRIBUTE_TABLE(NAME)
#undef NAME
};

const char *dip_attribute_kind_name(dip_attribute_kind kind)
{
    return NAMES[kind];
}

/* ---- options ---- */

static dip_status check_edges(const dip_attribute_options *o, const char *field,
                              dip_err *err)
{
    if (o->edge_count < 0 || o->edge_count >= DIP_ATTRIBUTE_BUCKETS_MAX)
        return dip_fail(err, DIP_ECONFIG,
                        "fields.%s: %d edges are not in 0..%d", field,
                        o->edge_count, DIP_ATTRIBUTE_BUCKETS_MAX - 1);
    for (int i = 0; i < o->edge_count; i++) {
        if (!isfinite(o->edges[i]) || (i > 0 && o->edges[i] <= o->edges[i - 1]))
            return dip_fail(err, DIP_ECONFIG,
                            "fields.%s: edge %d does not ascend", field, i);
    }
    return DIP_OK;
}

dip_status dip_attribute_options_check(const dip_attribute_options *o,
                                       const char *field, dip_err *err)
{
    switch (o->kind) {
    case DIP_ATTRIBUTE_LABEL:
        if (o->names < 0 || o->names >= 1 << 24)
            return dip_fail(err, DIP_ECONFIG,
                            "fields.%s: %lld names are not in 0..%d", field,
                            (long long)o->names, (1 << 24) - 1);
        return DIP_OK;
    case DIP_ATTRIBUTE_STANDARDISED:
        if (!isfinite(o->mean) || !isfinite(o->deviation) ||
            !(o->deviation > 0) || o->hidden < 0 || o->hidden > 1 << 16)
            return dip_fail(err, DIP_ECONFIG,
                            "fields.%s: no mean, deviation or hidden width: "
                            "%g, %g, %lld",
                            field, o->mean, o->deviation, (long long)o->hidden);
        return DIP_OK;
    case DIP_ATTRIBUTE_BUCKETISED:
        return check_edges(o, field, err);
    case DIP_ATTRIBUTE_NONE:
    case DIP_ATTRIBUTE_COUNT:
        break;
    }
    return DIP_OK;
}

/* ---- building ---- */

/* Rows of about unit length, as the embeddings beside them are. */
static dip_tensor *make_table(const dip_maker *maker, int64_t rows, int64_t dim)
{
    return dip_make_normal(maker, "embedding.weight", DIP_PARAM_WEIGHT,
                           1.0 / sqrt((double)dim), 2, (int64_t[]){rows, dim});
}

static void make_mlp(dip_attribute *a, const dip_attribute_options *o,
                     int64_t dim, const dip_maker *maker)
{
    a->mean = dip_make_full(maker, "mean", DIP_PARAM_BUFFER, o->mean, 0, NULL);
    a->deviation = dip_make_full(maker, "deviation", DIP_PARAM_BUFFER,
                                 o->deviation, 0, NULL);
    if (o->hidden > 0)
        a->hidden = dip_make_linear(maker, "hidden", 1, o->hidden, true);
    a->out =
        dip_make_linear(maker, "out", o->hidden > 0 ? o->hidden : 1, dim, true);
}

static void make_buckets(dip_attribute *a, const dip_attribute_options *o,
                         int64_t dim, const dip_maker *maker)
{
    int64_t count = o->edge_count;
    a->edges = dip_make_full(maker, "edges", DIP_PARAM_BUFFER, 0.0, 1, &count);
    dip_tensor *start = dip_tensor_from(o->edges, DIP_F64, 1, &count);
    dip_tensor_assign(a->edges, dip_t_to_dtype(start, DIP_F32));
    a->table = make_table(maker, count + 1, dim);
}

dip_status dip_attribute_create(dip_attribute **out,
                                const dip_attribute_options *options,
                                int64_t dim, const dip_maker *maker,
                                dip_err *err)
{
    *out = NULL;
    dip_attribute *a = dip_calloc(1, sizeof *a);
    if (!a)
        return dip_no_memory(err);
    a->kind = options->kind;
    dip_scope_open();
    if (a->kind == DIP_ATTRIBUTE_LABEL)
        a->table = make_table(maker, options->names + 1, dim);
    else if (a->kind == DIP_ATTRIBUTE_STANDARDISED)
        make_mlp(a, options, dim, maker);
    else
        make_buckets(a, options, dim, maker);
    dip_scope_close();
    *out = a;
    return DIP_OK;
}

void dip_attribute_free(dip_attribute *attribute)
{
    free(attribute);
}

/* ---- forward ---- */

static dip_tensor *bucket_of(const dip_attribute *a, const dip_tensor *numbers)
{
    const dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = numbers},
        {.kind = DIP_ARG_TENSOR, .as.tensor = a->edges},
        {.kind = DIP_ARG_BOOL, .as.b = false}, /* int64 results */
        {.kind = DIP_ARG_BOOL, .as.b = true},  /* an edge is in the next one */
    };
    dip_tensor *bucket = NULL;
    dip_tensor_call(&bucket, 1, "aten::bucketize", "Tensor", args,
                    (int)DIP_ARRAY_LEN(args));
    return bucket;
}

static dip_tensor *through_mlp(const dip_attribute *a,
                               const dip_tensor *numbers)
{
    dip_tensor *x = dip_t_div(dip_t_sub(numbers, a->mean), a->deviation);
    x = dip_t_unsqueeze(x, 1);
    if (a->hidden.weight)
        x = dip_t_gelu(dip_linear_forward(&a->hidden, x));
    return dip_linear_forward(&a->out, x);
}

dip_tensor *dip_attribute_forward(const dip_attribute *a,
                                  const dip_tensor *values,
                                  dip_tensor **present)
{
    dip_scope_open();
    bool is_label = a->kind == DIP_ATTRIBUTE_LABEL;
    dip_tensor *there =
        is_label ? dip_t_gt_scalar(values, -1.0) : dip_t_isfinite(values);
    dip_tensor *missing = dip_t_logical_not(there);
    /* Any value will do where there is none. */
    dip_tensor *known = dip_t_masked_fill(values, missing, 0.0);
    dip_tensor *x = NULL;
    if (is_label)
        x = dip_t_embedding(a->table, known, -1);
    else if (a->kind == DIP_ATTRIBUTE_BUCKETISED)
        x = dip_t_embedding(a->table, bucket_of(a, known), -1);
    else
        x = through_mlp(a, known);
    x = dip_t_masked_fill(dip_t_to_dtype(x, DIP_F32),
                          dip_t_unsqueeze(missing, 1), 0.0);
    *present = dip_tensor_return(there);
    x = dip_tensor_return(x);
    dip_scope_close();
    return x;
}
