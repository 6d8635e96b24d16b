#include "models/recommender.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/recommenders.h"

static const dip_recommender_kind *const kinds[] = {
#define ROW(name) &dip_recommender_##name,
    DIP_RECOMMENDER_TABLE(ROW)
#undef ROW
};

int dip_recommender_kind_count(void)
{
    return (int)DIP_ARRAY_LEN(kinds);
}

const dip_recommender_kind *dip_recommender_kind_at(int i)
{
    return kinds[i];
}

const dip_recommender_kind *dip_recommender_kind_find(const char *name)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(kinds); i++) {
        if (dip_option_is(name, kinds[i]->name))
            return kinds[i];
    }
    return NULL;
}

/* ---- options ---- */

dip_status dip_recommender_check(dip_recommender_options *o, dip_err *err)
{
#define FIELD(member, type)                                                    \
    {                                                                          \
#member, offsetof(dip_recommender_options, member), (type)             \
    }
    static const dip_field fields[] = {FIELD(aggregator, DIP_FIELD_STRING),
                                       FIELD(normalize, DIP_FIELD_BOOL),
                                       FIELD(dropout, DIP_FIELD_REAL)};
#undef FIELD
    const dip_recommender_kind *kind = dip_recommender_kind_find(o->kind);
    if (kind == NULL)
        return dip_fail(err, DIP_ECONFIG,
                        "graph.kind: '%s' is none of lightgcn, sage", o->kind);
    if (o->dim == 0)
        o->dim = 64;
    dip_status st = dip_options_unread(o, fields, DIP_ARRAY_LEN(fields),
                                       kind->options, "graph", kind->name, err);
    if (st == DIP_OK)
        st = kind->check(o, err);
    if (st == DIP_OK)
        st = dip_option_int(o->dim, 1, 65536, "graph.dim", err);
    if (st == DIP_OK)
        st = dip_option_int(o->layers, 1, DIP_RECOMMENDER_LAYERS_MAX,
                            "graph.layers", err);
    return st;
}

/* ---- what nodes start from ---- */

/* 1 where a node has neighbours, else 0. */
static dip_tensor *make_warm(const dip_recommender_graph *graph)
{
    int64_t n = graph->users + graph->items;
    dip_tensor *warm = dip_tensor_full(0, DIP_F32, 2, (const int64_t[]){n, 1});
    float *values = dip_tensor_data(warm);
    for (int64_t i = 0; values != NULL && i < n; i++)
        values[i] = graph->offsets[i + 1] > graph->offsets[i] ? 1 : 0;
    return warm;
}

static void make_start(dip_recommender *m,
                       const dip_recommender_features *features,
                       const dip_maker *maker)
{
    int64_t items = m->graph.items, nodes = m->graph.users + items;
    int64_t dim = m->options.dim;
    m->embedding =
        dip_make_normal(maker, "embedding.weight", DIP_PARAM_NO_DECAY, .1, 2,
                        (const int64_t[]){nodes, dim});
    if (features == NULL || features->width == 0)
        return;
    const int64_t sizes[] = {items, features->width};
    dip_tensor *values =
        features->values != NULL
            ? dip_tensor_from(features->values, DIP_F32, 2, sizes)
            : dip_tensor_full(0, DIP_F32, 2, sizes);
    m->features =
        dip_params_add(m->params, "item_features", DIP_PARAM_BUFFER, values);
    m->warm = dip_params_add(m->params, "warm", DIP_PARAM_BUFFER,
                             make_warm(&m->graph));
    m->from_features =
        dip_make_linear(maker, "features", features->width, dim, true);
}

dip_tensor *dip_recommender_start(const dip_recommender *m,
                                  const dip_tensor *nodes)
{
    dip_tensor *own = dip_t_index_select(m->embedding, 0, nodes);
    if (m->features == NULL)
        return own;
    double users = (double)m->graph.users;
    dip_tensor *item = dip_t_add_scalar(dip_t_to_dtype(nodes, DIP_F64), -users);
    dip_tensor *is_item = dip_t_unsqueeze(dip_t_gt_scalar(item, -.5), 1);
    item =
        dip_t_to_dtype(dip_t_clamp(item, 0, (double)m->graph.items), DIP_I64);
    dip_tensor *from_features = dip_linear_forward(
        &m->from_features, dip_t_index_select(m->features, 0, item));
    dip_tensor *warm = dip_t_index_select(m->warm, 0, nodes);
    return dip_t_where(is_item, dip_t_add(dip_t_mul(own, warm), from_features),
                       own);
}

/* ---- making ---- */

dip_status dip_recommender_create(dip_recommender **out,
                                  const dip_recommender_options *options,
                                  const dip_recommender_graph *graph,
                                  const dip_recommender_features *features,
                                  uint64_t seed, dip_err *err)
{
    dip_recommender_options filled = *options;
    dip_params *params;
    *out = NULL;
    dip_status st = dip_recommender_check(&filled, err);
    if (st == DIP_OK)
        st = dip_params_create(&params, err);
    if (st != DIP_OK)
        return st;
    const dip_recommender_kind *kind = dip_recommender_kind_find(filled.kind);
    dip_maker maker = {.params = params, .seed = seed};
    dip_scope_open();
    dip_recommender *m = kind->build(&filled, &maker);
    if (m != NULL) {
        m->kind = kind;
        m->options = filled;
        m->graph = *graph;
        m->params = params;
        make_start(m, features, &maker);
    } else {
        dip_params_free(params);
    }
    dip_scope_close();
    st = dip_tensor_status(err);
    if (m == NULL && st == DIP_OK)
        st = dip_no_memory(err);
    if (st == DIP_OK)
        *out = m;
    else
        dip_recommender_free(m);
    return st;
}

void dip_recommender_free(dip_recommender *m)
{
    if (m == NULL)
        return;
    dip_params *params = m->params;
    m->kind->free(m);
    dip_params_free(params);
}

dip_params *dip_recommender_params(const dip_recommender *m)
{
    return m->params;
}

/* ---- computing ---- */

dip_tensor *dip_recommender_forward(dip_recommender *m,
                                    const dip_recommender_part *part,
                                    bool training)
{
    dip_scope_open();
    dip_tensor *x = dip_tensor_return(m->kind->forward(m, part, training));
    dip_scope_close();
    return x;
}

/* Gives users without neighbours the mean of the others. */
static void place_cold_users(float *rows, const dip_recommender *m,
                             double *mean)
{
    int64_t dim = m->options.dim, warm = 0;
    const int64_t *offsets = m->graph.offsets;
    for (int64_t u = 0; u < m->graph.users; u++) {
        if (offsets[u + 1] == offsets[u])
            continue;
        warm++;
        for (int64_t d = 0; d < dim; d++)
            mean[d] += (double)rows[u * dim + d];
    }
    for (int64_t u = 0; u < m->graph.users && warm > 0; u++) {
        if (offsets[u + 1] > offsets[u])
            continue;
        for (int64_t d = 0; d < dim; d++)
            rows[u * dim + d] = (float)(mean[d] / (double)warm);
    }
}

dip_status dip_recommender_embed(float *out, dip_recommender *m, dip_err *err)
{
    size_t nodes = (size_t)(m->graph.users + m->graph.items);
    size_t dim = (size_t)m->options.dim;
    double *mean = dip_calloc(dim, sizeof *mean);
    if (mean == NULL)
        return dip_no_memory(err);
    bool before = dip_tensor_set_grad_mode(false);
    dip_scope_open();
    dip_tensor_read(dip_recommender_forward(m, NULL, false), DIP_F32, out,
                    nodes * dim * sizeof *out);
    dip_scope_close();
    (void)dip_tensor_set_grad_mode(before);
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        place_cold_users(out, m, mean);
    free(mean);
    return st;
}

dip_tensor *dip_recommender_index(const dip_recommender *m,
                                  const int64_t *numbers, int64_t n)
{
    return dip_t_to_device(dip_tensor_from(numbers, DIP_I64, 1, &n),
                           dip_tensor_device(m->embedding));
}
