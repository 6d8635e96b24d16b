/* Writing a traced graph down in the operations of ONNX. A row of the table in
 * onnx_table.c lowers an operation of libtorch; the functions of a row are in
 * onnx_elementwise.c, onnx_shape.c, onnx_reduce.c, onnx_layers.c and
 * onnx_recurrent.c, and read and write through what stands here.
 *
 * Arguments are counted from 0 in the order of the operation's schema. Sizes of
 * the trace are those of an example: rows and tokens may be others when the
 * graph runs, so only sizes that the model fixes may become constants. */
#ifndef DIP_EXPORT_ONNX_LOWER_H
#define DIP_EXPORT_ONNX_LOWER_H

#include "export/onnx.h"
#include "tensor/graph.h"

typedef struct dip_lower_row dip_lower_row;

typedef struct {
    dip_onnx *onnx;
    const dip_graph *graph;
    const dip_graph_node *node; /* that is lowered */
    const dip_lower_row *row;   /* of that node */
    const char **names;         /* by value; NULL: not in the model yet */
    const char **transposed;    /* the same of matrices, turned */
} dip_lowering;

struct dip_lower_row {
    const char *op; /* "aten::linear"; also the one that works in place */
    void (*lower)(dip_lowering *l);
    const char *target; /* operation of ONNX, for functions of many rows */
};

/* NULL for an operation that no row lowers. */
const dip_lower_row *dip_lower_find(const char *op);

/* Writes the nodes of the graph, over `inputs`, values of the model, and its
 * output. Fails with DIP_EVERIFY, naming the operation that ONNX is not known
 * to have. */
dip_status dip_onnx_lower(dip_onnx *onnx, const dip_graph *graph,
                          const char *const *inputs,
                          const dip_signature *output,
                          dip_err *err) DIP_MUST_CHECK;

/* ---- arguments ----------------------------------------------------------- */

const dip_graph_value *dip_lower_value(const dip_lowering *l, int argument);
/* False for None, and for arguments that the operation has not got. */
bool dip_lower_has(const dip_lowering *l, int argument);
bool dip_lower_is_tensor(const dip_lowering *l, int argument);
/* An int or a bool; `absent` where there is none. */
int64_t dip_lower_int(const dip_lowering *l, int argument, int64_t absent);
double dip_lower_float(const dip_lowering *l, int argument, double absent);
/* A dimension of a tensor of `rank` dimensions, counted from 0. */
int dip_lower_axis(const dip_lowering *l, int argument, int rank);
/* Copies a list of ints, or repeats one; returns how many, at most `room`. */
int dip_lower_ints(const dip_lowering *l, int argument, int room,
                   int64_t *items);

/* A tensor by its name in the model. */
const char *dip_lower_tensor(dip_lowering *l, int argument);
const char *dip_lower_name(dip_lowering *l, int value);
/* A tensor or a number as a tensor of this type. */
const char *dip_lower_as(dip_lowering *l, int argument, dip_dtype dtype);
/* A matrix turned: as a constant, where it is one. */
const char *dip_lower_turned(dip_lowering *l, int argument);

/* ---- results ------------------------------------------------------------- */

/* As it was traced. */
const dip_graph_value *dip_lower_result(const dip_lowering *l, int result);
void dip_lower_give(dip_lowering *l, int result, const char *name);

/* The sizes [to - from] of dimensions `from` to `to` - 1 at run time. */
const char *dip_lower_sizes(dip_lowering *l, const char *tensor, int from,
                            int to);
const char *dip_lower_reshape(dip_lowering *l, const char *tensor,
                              const char *sizes);

#endif
