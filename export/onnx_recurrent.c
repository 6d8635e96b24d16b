/* Recurrent layers. Both sides stack the matrices of the gates, in different
 * orders, and ONNX wants the directions of a layer in one tensor:
 * X [T, B, D], W [directions, gates H, D], R [directions, gates H, H],
 * B [directions, 2 gates H], the states [directions, B, H]. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/onnx_ops.h"

#define GATES_MAX 4

typedef struct {
    const char *name; /* operation of ONNX */
    int gates;
    int order[GATES_MAX]; /* by place in ONNX: place in libtorch */
} cell;

/* Input, output, forget, cell for input, forget, cell, output. */
static const cell lstm = {"LSTM", 4, {0, 3, 1, 2}};
/* Update, reset, hidden for reset, update, new. */
static const cell gru = {"GRU", 3, {1, 0, 2}};

/* One layer of a network: the values of its weights, direction by direction,
 * each with input and hidden matrix, then their biases if it has any. */
typedef struct {
    const cell *cell;
    const int *weights;
    int directions;
    bool biased;
    int64_t hidden;
    const char *state, *memory; /* at the start; no memory: NULL */
} layer;

static const cell *cell_of(const dip_lowering *l)
{
    return strcmp(l->row->target, gru.name) == 0 ? &gru : &lstm;
}

/* Copies a stack of `gates` blocks in the order of ONNX. */
static void reorder(dip_lowering *l, const cell *c, int value, float *to)
{
    const dip_tensor *content = dip_graph_value_at(l->graph, value)->content;
    size_t count = content == NULL ? 0 : (size_t)dip_tensor_numel(content);
    float *from = dip_calloc(count, sizeof *from);
    if (content == NULL || from == NULL) {
        dip_onnx_fail(l->onnx, DIP_EVERIFY,
                      "weights of %s that are no constants", l->node->op);
        free(from);
        return;
    }
    dip_tensor_read(content, DIP_F32, from, count * sizeof *from);
    size_t block = count / (size_t)c->gates;
    for (int g = 0; g < c->gates; g++)
        memcpy(to + (size_t)g * block, from + (size_t)c->order[g] * block,
               block * sizeof *to);
    free(from);
}

/* Weights `which` to `which` + `parts` - 1 of each direction, one behind the
 * other. */
static const char *pack(dip_lowering *l, const layer *r, int which, int parts,
                        int rank)
{
    int per = r->biased ? 4 : 2;
    const dip_graph_value *first =
        dip_graph_value_at(l->graph, r->weights[which]);
    int64_t width = rank == 3 ? first->sizes[1] : 1;
    int64_t rows = first->sizes[0];
    size_t part = (size_t)(rows * width);
    float *room =
        dip_calloc((size_t)(r->directions * parts) * part, sizeof *room);
    if (room == NULL) {
        dip_onnx_fail(l->onnx, DIP_ENOMEM, "out of memory");
        return "";
    }
    for (int d = 0; d < r->directions; d++) {
        for (int p = 0; p < parts; p++)
            reorder(l, r->cell, r->weights[d * per + which + p],
                    room + (size_t)(d * parts + p) * part);
    }
    const int64_t sizes[] = {r->directions, parts * rows, width};
    const char *name =
        dip_onnx_constant(l->onnx, NULL, DIP_F32, rank, sizes, room);
    free(room);
    return name;
}

/* Appends the node; gives Y [T, directions, B, H]. */
static const char *append(dip_lowering *l, const layer *r, const char *x)
{
    const char *w = pack(l, r, 0, 1, 3), *h = pack(l, r, 1, 1, 3);
    const char *bias = r->biased ? pack(l, r, 2, 2, 2) : NULL;
    const char *y =
        dip_onnx_node(l->onnx, r->cell->name, r->memory != NULL ? 7 : 6, x, w,
                      h, bias, NULL, r->state, r->memory);
    dip_onnx_set_int(l->onnx, "hidden_size", r->hidden);
    dip_onnx_set_string(l->onnx, "direction",
                        r->directions == 2 ? "bidirectional" : "forward");
    if (r->cell == &gru)
        dip_onnx_set_int(l->onnx, "linear_before_reset", 1);
    return y;
}

/* ---- whole sequences ----------------------------------------------------- */

/* [T, directions, B, H] to [T, B, directions H] */
static const char *side_by_side(dip_lowering *l, const char *y)
{
    const char *turned = dip_onnx_node(l->onnx, "Transpose", 1, y);
    dip_onnx_set_ints(l->onnx, "perm", 4, (int64_t[]){0, 2, 1, 3});
    return dip_lower_reshape(l, turned,
                             dip_onnx_ints(l->onnx, 3, (int64_t[]){0, 0, -1}));
}

static const char *swap_rows(dip_lowering *l, const char *x)
{
    const char *turned = dip_onnx_node(l->onnx, "Transpose", 1, x);
    dip_onnx_set_ints(l->onnx, "perm", 3, (int64_t[]){1, 0, 2});
    return turned;
}

/* The states of layer `i` out of those of `layers`. */
static const char *state_of(dip_lowering *l, const char *all, int i, int layers,
                            int directions)
{
    if (all == NULL || layers == 1)
        return all;
    const int64_t from = (int64_t)i * directions, to = from + directions;
    const char *starts = dip_onnx_ints(l->onnx, 1, &from);
    const char *ends = dip_onnx_ints(l->onnx, 1, &to);
    return dip_onnx_node(l->onnx, "Slice", 4, all, starts, ends,
                         dip_onnx_ints(l->onnx, 1, (int64_t[]){0}));
}

#define LAYERS_MAX 16

static const char *stacked(dip_lowering *l, const char **states, int layers)
{
    if (layers == 1)
        return states[0];
    const char *all = dip_onnx_node_of(l->onnx, "Concat", layers, states);
    dip_onnx_set_int(l->onnx, "axis", 0);
    return all;
}

/* (x, states, weights, biased, layers, dropout, training, bidirectional,
 * batch_first), gives (y, last states, last memories) */
void dip_lower_recurrent(dip_lowering *l)
{
    const dip_graph_value *states = dip_lower_value(l, 1);
    const dip_graph_value *weights = dip_lower_value(l, 2);
    int layers = (int)dip_lower_int(l, 4, 1);
    bool remembers = states->kind == DIP_VALUE_LIST;
    bool batch_first = dip_lower_int(l, 8, 0) != 0;
    const char *last[2][LAYERS_MAX];
    if (layers > LAYERS_MAX || weights->kind != DIP_VALUE_LIST) {
        dip_onnx_fail(l->onnx, DIP_EVERIFY, "%s of %d layers", l->node->op,
                      layers);
        return;
    }
    const char *state = remembers ? dip_lower_name(l, states->items[0])
                                  : dip_lower_tensor(l, 1);
    const char *memory = remembers ? dip_lower_name(l, states->items[1]) : NULL;
    layer r = {.cell = cell_of(l),
               .directions = dip_lower_int(l, 7, 0) != 0 ? 2 : 1,
               .biased = dip_lower_int(l, 3, 0) != 0,
               .hidden = dip_lower_result(l, 1)->sizes[2]};
    const char *x = dip_lower_tensor(l, 0);
    x = batch_first ? swap_rows(l, x) : x;
    for (int i = 0; i < layers; i++) {
        r.weights = weights->items + i * weights->count / layers;
        r.state = state_of(l, state, i, layers, r.directions);
        r.memory = state_of(l, memory, i, layers, r.directions);
        const char *y = append(l, &r, x);
        last[0][i] = dip_onnx_more(l->onnx);
        last[1][i] = remembers ? dip_onnx_more(l->onnx) : NULL;
        x = side_by_side(l, y);
    }
    dip_lower_give(l, 0, batch_first ? swap_rows(l, x) : x);
    dip_lower_give(l, 1, stacked(l, last[0], layers));
    if (remembers)
        dip_lower_give(l, 2, stacked(l, last[1], layers));
}

/* ---- one step ------------------------------------------------------------ */

/* As a sequence of one: (x, states, input matrix, hidden matrix, biases). */
void dip_lower_recurrent_cell(dip_lowering *l)
{
    const dip_graph_value *states = dip_lower_value(l, 1);
    bool remembers = states->kind == DIP_VALUE_LIST;
    const char *first = dip_onnx_ints(l->onnx, 1, (int64_t[]){0});
    const char *x =
        dip_onnx_node(l->onnx, "Unsqueeze", 2, dip_lower_tensor(l, 0), first);
    const char *state = remembers ? dip_lower_name(l, states->items[0])
                                  : dip_lower_tensor(l, 1);
    layer r = {.cell = cell_of(l),
               .weights = l->node->arguments + 2,
               .directions = 1,
               .biased = dip_lower_has(l, 4),
               .hidden = dip_lower_result(l, 0)->sizes[1]};
    r.state = dip_onnx_node(l->onnx, "Unsqueeze", 2, state, first);
    if (remembers)
        r.memory = dip_onnx_node(l->onnx, "Unsqueeze", 2,
                                 dip_lower_name(l, states->items[1]), first);
    (void)append(l, &r, x);
    const char *last[2] = {dip_onnx_more(l->onnx)};
    if (remembers)
        last[1] = dip_onnx_more(l->onnx);
    for (int i = 0; i <= remembers; i++)
        dip_lower_give(l, i,
                       dip_onnx_node(l->onnx, "Squeeze", 2, last[i], first));
}
