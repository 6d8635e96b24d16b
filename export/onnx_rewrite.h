/* Passes over a finished ONNX model: what they share. */
#ifndef DIP_EXPORT_ONNX_REWRITE_H
#define DIP_EXPORT_ONNX_REWRITE_H

#include "export/onnx.h"

/* Is given the nodes in their order. True keeps the node, which may have been
 * changed, behind those that were appended; false ends it, and what was
 * appended stands in its place. */
typedef bool (*dip_onnx_rewriter)(void *user, dip_onnx *onnx,
                                  Onnx__NodeProto *node);

/* Goes through all nodes, then removes the constants that none uses any more.
 * On failure the model is of no use. */
dip_status dip_onnx_rewrite(dip_onnx *onnx, dip_onnx_rewriter rewrite,
                            void *user, dip_err *err) DIP_MUST_CHECK;

/* Borrowed until a constant is added; NULL: no constant has that name. */
const Onnx__TensorProto *dip_onnx_find_constant(dip_onnx *onnx,
                                                const char *name);
/* The numbers of a constant of type F32; NULL for any other type, or when its
 * sizes and its bytes do not agree. *count may be 0. Borrowed. */
const float *dip_onnx_floats_of(const Onnx__TensorProto *constant,
                                size_t *count);
/* NULL: the node has none of that name. */
const Onnx__AttributeProto *dip_onnx_attribute(const Onnx__NodeProto *node,
                                               const char *name);
bool dip_onnx_is_output(dip_onnx *onnx, const char *value);
/* Lets a node read another value. */
void dip_onnx_set_node_input(dip_onnx *onnx, Onnx__NodeProto *node, size_t i,
                             const char *value);

#endif
