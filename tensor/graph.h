/* A traced computation as plain data, for those who write it down in another
 * language than TorchScript.
 *
 * A graph has values, numbered from 0, and nodes in an order in which they can
 * be computed. A node is an operation by its dispatcher name ("aten::linear");
 * its arguments are all those of the operation's schema, in order, constants
 * among them. Nodes that nobody needs are left out. What a list of tensors is
 * split into ("aten::chunk") are results of the node itself. */
#ifndef DIP_TENSOR_GRAPH_H
#define DIP_TENSOR_GRAPH_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DIP_GRAPH_RANK_MAX 8

typedef struct dip_graph dip_graph;

typedef enum {
    DIP_VALUE_INPUT,     /* of the graph */
    DIP_VALUE_PARAMETER, /* a named tensor of the module */
    DIP_VALUE_TENSOR,    /* a constant tensor */
    DIP_VALUE_RESULT,    /* of a node */
    DIP_VALUE_NONE,
    DIP_VALUE_INT, /* also a dtype, in libtorch's numbering, or a layout */
    DIP_VALUE_FLOAT,
    DIP_VALUE_BOOL,
    DIP_VALUE_STRING,
    DIP_VALUE_INTS, /* a list of constants */
    DIP_VALUE_LIST, /* a list of values */
} dip_value_kind;

/* Everything is borrowed from the graph. */
typedef struct {
    dip_value_kind kind;
    /* Of a tensor, as it was traced: sizes of dimensions that vary are those of
     * the example. */
    dip_dtype dtype;
    int rank;
    int64_t sizes[DIP_GRAPH_RANK_MAX];
    const char *text;          /* STRING; the name of a PARAMETER */
    const dip_tensor *content; /* PARAMETER, TENSOR */
    int64_t i;                 /* INT, BOOL */
    double f;                  /* FLOAT */
    const int64_t *ints;       /* INTS */
    const int *items;          /* LIST: numbers of values */
    int count;                 /* INTS, LIST */
} dip_graph_value;

typedef struct {
    const char *op;
    const int *arguments, *results; /* numbers of values */
    int argument_count, result_count;
} dip_graph_node;

/* The graph of a traced script, which may end before it. The caller ends it
 * with dip_graph_free(). */
dip_status dip_graph_make(dip_graph **out, const dip_script *script,
                          dip_err *err) DIP_MUST_CHECK;
void dip_graph_free(dip_graph *graph); /* NULL is allowed */

int dip_graph_value_count(const dip_graph *graph);
const dip_graph_value *dip_graph_value_at(const dip_graph *graph, int value);
int dip_graph_node_count(const dip_graph *graph);
const dip_graph_node *dip_graph_node_at(const dip_graph *graph, int node);
/* The number of an input's value, in the order of the trace, and that of the
 * output (the first of several). */
int dip_graph_input_count(const dip_graph *graph);
int dip_graph_input(const dip_graph *graph, int input);
int dip_graph_output(const dip_graph *graph);

#ifdef __cplusplus
}
#endif

#endif
