/* An ONNX model under construction, over the messages that protoc-c makes of
 * the public schema (opset 17, https://onnx.ai).
 *
 * Values are known by their names, which the model owns. The first error
 * sticks: later calls do nothing and give "", so that code which writes nodes
 * reads as straight lines and asks once, by dip_onnx_status(). */
#ifndef DIP_EXPORT_ONNX_H
#define DIP_EXPORT_ONNX_H

#include <onnx.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "export/signature.h"
#include "tensor/tensor.h"

#define DIP_ONNX_OPSET 17
/* A message, and so the file, cannot be longer (2^31 - 1 bytes). */
#define DIP_ONNX_MAX_BYTES INT32_MAX

typedef struct dip_onnx dip_onnx;

/* The caller ends it with dip_onnx_free(). */
dip_status dip_onnx_make(dip_onnx **out, const char *graph_name,
                         const char *program_version,
                         dip_err *err) DIP_MUST_CHECK;
void dip_onnx_free(dip_onnx *onnx); /* NULL is allowed */
/* Borrowed. Everything in it comes from malloc(), so passes over the model may
 * replace parts, and free what they take out. */
Onnx__ModelProto *dip_onnx_model(dip_onnx *onnx);

/* The first error; the model is of no use then. */
dip_status dip_onnx_status(const dip_onnx *onnx, dip_err *err) DIP_MUST_CHECK;
bool dip_onnx_failed(const dip_onnx *onnx);
void dip_onnx_fail(dip_onnx *onnx, dip_status code, const char *fmt, ...)
    DIP_PRINTF(3, 4);

/* ---- values -------------------------------------------------------------- */

/* Returns the name. */
const char *dip_onnx_input(dip_onnx *onnx, const dip_signature *input);
/* Gives the value the output's name. */
void dip_onnx_output(dip_onnx *onnx, const char *value,
                     const dip_signature *output);

/* A constant, copied; `name` may be NULL. */
const char *dip_onnx_constant(dip_onnx *onnx, const char *name, dip_dtype dtype,
                              int rank, const int64_t *sizes,
                              const void *content);
const char *dip_onnx_tensor(dip_onnx *onnx, const char *name,
                            const dip_tensor *tensor);
/* int64 [count]; floats [count]; 0 dimensions. */
const char *dip_onnx_ints(dip_onnx *onnx, int count, const int64_t *items);
const char *dip_onnx_floats(dip_onnx *onnx, int count, const float *items);
const char *dip_onnx_scalar(dip_onnx *onnx, dip_dtype dtype, double value);

/* ---- nodes --------------------------------------------------------------- */

/* Appends a node of `count` inputs (const char *, NULL: left out) and returns
 * its first output. */
const char *dip_onnx_node(dip_onnx *onnx, const char *op, int count, ...);
/* The same for inputs in an array. */
const char *dip_onnx_node_of(dip_onnx *onnx, const char *op, int count,
                             const char *const *inputs);
/* One more output of the node that was appended last. */
const char *dip_onnx_more(dip_onnx *onnx);
/* Gives the first output of that node another name. */
void dip_onnx_name_output(dip_onnx *onnx, const char *name);
/* Appends a node that a pass took out of the model, which owns it again. */
void dip_onnx_append(dip_onnx *onnx, Onnx__NodeProto *node);
/* Attributes of that node. */
void dip_onnx_set_int(dip_onnx *onnx, const char *name, int64_t value);
void dip_onnx_set_float(dip_onnx *onnx, const char *name, double value);
void dip_onnx_set_ints(dip_onnx *onnx, const char *name, int count,
                       const int64_t *items);
void dip_onnx_set_string(dip_onnx *onnx, const char *name, const char *value);

const char *dip_onnx_cast(dip_onnx *onnx, const char *value, dip_dtype dtype);

/* ---- files --------------------------------------------------------------- */

/* The number of a type in ONNX files. */
int32_t dip_onnx_type(dip_dtype dtype);
/* DIP_EDATA when it would be longer than a message may be. */
dip_status dip_onnx_save(const Onnx__ModelProto *model, const char *path,
                         dip_err *err) DIP_MUST_CHECK;

#endif
