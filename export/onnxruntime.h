/* Runs ONNX files by ONNX Runtime, whose library is loaded when it is asked
 * for. It is looked for
 *
 *   1. in ONNXRUNTIME, a variable of the environment: the file, or a folder
 * that has it (or has it in lib/ or capi/), and nowhere else if that is set;
 *   2. where the loader looks, as libonnxruntime.so.1 or libonnxruntime.so;
 *   3. where tools/find-onnxruntime found it for the build.
 *
 * A run is a function of the inputs and the number of threads: nodes are
 * computed one after the other. The library logs nothing and reports nothing to
 * anyone. Use a session from one thread. */
#ifndef DIP_EXPORT_ONNXRUNTIME_H
#define DIP_EXPORT_ONNXRUNTIME_H

#include "base/status.h"
#include "tensor/tensor.h"

#define DIP_ORT_DIMS_MAX   16
#define DIP_ORT_INPUTS_MAX 32

/* A model in memory, ready to run. */
typedef struct dip_ort dip_ort;

/* DIP_ENOTFOUND when there is no library; the message says how to provide
 * one. */
dip_status dip_ort_available(dip_err *err) DIP_MUST_CHECK;
/* Borrowed, static: "1.32.0"; NULL when there is no library. */
const char *dip_ort_version(void);

/* Reads the file. `threads` is at least 1. The caller ends *out with
 * dip_ort_close(). DIP_EIO when there is no such file, DIP_EFORMAT with the
 * library's words when it does not take it: damaged, of another opset, nodes
 * whose types or sizes do not fit. */
dip_status dip_ort_open(dip_ort **out, const char *path, int threads,
                        dip_err *err) DIP_MUST_CHECK;
void dip_ort_close(dip_ort *session); /* NULL is allowed */

int dip_ort_input_count(const dip_ort *session);
int dip_ort_output_count(const dip_ort *session);
/* Borrowed; NULL behind the last. */
const char *dip_ort_input_name(const dip_ort *session, int i);
const char *dip_ort_output_name(const dip_ort *session, int i);

/* Computes one output, a tensor in the open scope. The inputs (at most
 * DIP_ORT_INPUTS_MAX, each named once, in any order) are of any device, layout
 * and dtype but BF16, none of them NULL. DIP_ETENSOR with the library's words
 * when names, types or sizes are not those of the model, or a node cannot
 * compute. */
dip_status dip_ort_run(dip_ort *session, const char *const *input_names,
                       dip_tensor *const *inputs, int input_count,
                       const char *output_name, dip_tensor **output,
                       dip_err *err) DIP_MUST_CHECK;

#endif
