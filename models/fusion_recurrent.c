/* LSTM and GRU that read a product's embeddings in the order of its fields, one
 * step for each, to which a learned vector of the field is added; the last
 * state is the product. An absent field is no step: the state stays, as it does
 * with a packed sequence of the others. Parameters are named and started as
 * those of torch.nn.LSTM and torch.nn.GRU with D hidden numbers. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

typedef struct {
    dip_fusion base;
    dip_tensor *field_embedding; /* [fields, D] */
    dip_tensor *weights[4];      /* w_ih, w_hh, b_ih, b_hh */
} recurrent;

/* Hidden state and, of the LSTM, the cell: [B, D]. */
typedef struct {
    dip_tensor *hidden, *cell;
} memory;

static const char *const OPTIONS[] = {NULL};

static dip_fusion *build(const dip_fusion_fields *fields,
                         const dip_maker *maker, const char *name,
                         int64_t gates)
{
    static const char *const NAMES[4] = {"weight_ih_l0", "weight_hh_l0",
                                         "bias_ih_l0", "bias_hh_l0"};
    recurrent *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->field_embedding =
        dip_make_normal(maker, "field_embedding", DIP_PARAM_NO_DECAY, 0.02, 2,
                        (int64_t[]){fields->count, fields->dim});
    dip_maker inner = dip_maker_in(maker, "%s", name);
    double bound = 1.0 / sqrt((double)fields->dim);
    for (int i = 0; i < 4; i++)
        f->weights[i] = dip_make_uniform(
            &inner, NAMES[i], i < 2 ? DIP_PARAM_WEIGHT : DIP_PARAM_NO_DECAY,
            bound, i < 2 ? 2 : 1,
            (int64_t[]){gates * fields->dim, fields->dim});
    return &f->base;
}

static memory lstm_step(const recurrent *f, const dip_tensor *x, memory m)
{
    dip_arg args[6] = {{.kind = DIP_ARG_TENSOR, .as.tensor = x},
                       {.kind = DIP_ARG_TENSOR_LIST,
                        .as.tensors = {(dip_tensor *[]){m.hidden, m.cell}, 2}}};
    for (int i = 0; i < 4; i++)
        args[2 + i] =
            (dip_arg){.kind = DIP_ARG_TENSOR, .as.tensor = f->weights[i]};
    dip_tensor *next[2] = {0};
    dip_tensor_call(next, 2, "aten::lstm_cell", "", args, 6);
    return (memory){next[0], next[1]};
}

static memory gru_step(const recurrent *f, const dip_tensor *x, memory m)
{
    dip_arg args[6] = {{.kind = DIP_ARG_TENSOR, .as.tensor = x},
                       {.kind = DIP_ARG_TENSOR, .as.tensor = m.hidden}};
    for (int i = 0; i < 4; i++)
        args[2 + i] =
            (dip_arg){.kind = DIP_ARG_TENSOR, .as.tensor = f->weights[i]};
    memory next = {0};
    dip_tensor_call(&next.hidden, 1, "aten::gru_cell", "", args, 6);
    return next;
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in,
                           memory (*step)(const recurrent *f,
                                          const dip_tensor *x, memory m))
{
    const recurrent *f = (const recurrent *)fusion;
    dip_tensor *inputs = dip_t_add(in->embeddings, f->field_embedding);
    dip_tensor *zeros = dip_t_zeros_like(dip_t_select(in->embeddings, 1, 0));
    memory m = {zeros, zeros};
    for (int i = 0; i < fusion->fields.count; i++) {
        dip_tensor *here = dip_t_narrow(in->present, 1, i, 1);
        memory next = step(f, dip_t_select(inputs, 1, i), m);
        m.hidden = dip_t_where(here, next.hidden, m.hidden);
        m.cell = next.cell ? dip_t_where(here, next.cell, m.cell) : NULL;
    }
    return dip_fusion_rows(fusion, m.hidden);
}

static dip_fusion *build_lstm(const dip_fusion_options *o,
                              const dip_fusion_fields *fields,
                              const dip_maker *maker)
{
    (void)o;
    return build(fields, maker, "lstm", 4);
}

static dip_fusion *build_gru(const dip_fusion_options *o,
                             const dip_fusion_fields *fields,
                             const dip_maker *maker)
{
    (void)o;
    return build(fields, maker, "gru", 3);
}

static dip_tensor *forward_lstm(const dip_fusion *fusion,
                                const dip_fusion_input *in)
{
    return forward(fusion, in, lstm_step);
}

static dip_tensor *forward_gru(const dip_fusion *fusion,
                               const dip_fusion_input *in)
{
    return forward(fusion, in, gru_step);
}

static void release(dip_fusion *fusion)
{
    free(fusion);
}

const dip_fusion_kind dip_fusion_lstm = {
    .name = "lstm",
    .summary = "LSTM over the fields in their order",
    .options = OPTIONS,
    .build = build_lstm,
    .forward = forward_lstm,
    .free = release,
};

const dip_fusion_kind dip_fusion_gru = {
    .name = "gru",
    .summary = "GRU over the fields in their order",
    .options = OPTIONS,
    .build = build_gru,
    .forward = forward_gru,
    .free = release,
};
