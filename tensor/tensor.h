/* A thin C layer over libtorch: everything that the rest of the program knows
 * of tensors, autograd and devices.
 *
 * Handles are opaque; NULL means "absent" wherever a parameter is optional.
 *
 * Scopes. Every operation appends its result to the innermost scope of the
 * calling thread; dip_scope_close() frees what the scope holds. Two calls take
 * a tensor out: dip_tensor_keep() makes it the caller's, to be ended with
 * dip_tensor_free(); dip_tensor_return() hands it to the enclosing scope. An
 * operation without an open scope is a programming error (assert).
 *
 * Errors. The first failure sticks to the thread's context with libtorch's
 * message; later operations return NULL at once, and NULL inputs from a failed
 * operation are never dereferenced. So model code reads as straight lines, and
 * asks once: dip_tensor_status(&err) returns the error and clears it.
 * No C++ exception crosses this boundary.
 *
 * Scope stack and sticky error are thread-local: call from one thread.
 *
 * Shapes in comments: B batch, C channels, D embedding, H W height width,
 * T tokens, N rows. Sizes and dimensions are int64_t; a negative dimension
 * counts from the end. */
#ifndef DIP_TENSOR_TENSOR_H
#define DIP_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dip_tensor dip_tensor;

/* name, bytes per element, name in safetensors files */
#define DIP_DTYPE_TABLE(X)                                                     \
    X(F32, 4, "F32")                                                           \
    X(F64, 8, "F64")                                                           \
    X(F16, 2, "F16")                                                           \
    X(BF16, 2, "BF16")                                                         \
    X(I32, 4, "I32")                                                           \
    X(I64, 8, "I64")                                                           \
    X(U8, 1, "U8")                                                             \
    X(I8, 1, "I8")                                                             \
    X(BOOL, 1, "BOOL")

typedef enum {
#define DIP_DTYPE_ENUM(name, size, safetensors) DIP_##name,
    DIP_DTYPE_TABLE(DIP_DTYPE_ENUM)
#undef DIP_DTYPE_ENUM
        DIP_DTYPE_COUNT
} dip_dtype;

size_t dip_dtype_size(dip_dtype dtype);
const char *dip_dtype_name(dip_dtype dtype); /* as in safetensors files */

typedef enum { DIP_CPU, DIP_CUDA } dip_device;

/* ---- context ------------------------------------------------------------ */

/* Returns the first error since the last call, and clears it. */
dip_status dip_tensor_status(dip_err *err) DIP_MUST_CHECK;
/* True when an error sticks: for loops that want to stop early. */
bool dip_tensor_failed(void);
/* Lets C code over this layer make its own error stick. */
void dip_tensor_fail(dip_status code, const char *fmt, ...) DIP_PRINTF(2, 3);

void dip_scope_open(void);
void dip_scope_close(void);

/* Handles alive in the whole program, for leak tests. */
int64_t dip_tensor_live_count(void);

const char *dip_tensor_torch_version(void); /* borrowed */
void dip_tensor_set_threads(int threads);   /* libtorch's intra-op threads */
int dip_tensor_threads(void);
bool dip_tensor_has_cuda(void);
/* True when the CPU has fast bf16 products (AVX512_BF16, AMX, SVE BF16), or the
 * device is cuda. */
bool dip_tensor_has_fast_bf16(dip_device device);

/* ---- ownership ---------------------------------------------------------- */

/* Takes `t` out of its scope; the caller ends it with dip_tensor_free(). */
dip_tensor *dip_tensor_keep(dip_tensor *t);
/* Moves `t` to the scope around the innermost; one that lives longer than the
 * innermost scope (kept, or of an outer scope) is left as it is. */
dip_tensor *dip_tensor_return(dip_tensor *t);
/* Ends a kept tensor (NULL allowed). */
void dip_tensor_free(dip_tensor *t);
/* Another handle of the same storage and autograd history, in the scope. */
dip_tensor *dip_tensor_alias(const dip_tensor *t);

/* ---- making ------------------------------------------------------------- */

/* Copies `data` (contiguous, row-major) into a new CPU tensor. */
dip_tensor *dip_tensor_from(const void *data, dip_dtype dtype, int ndim,
                            const int64_t *sizes);
/* Borrows `data`, which must outlive the tensor. */
dip_tensor *dip_tensor_borrow(void *data, dip_dtype dtype, int ndim,
                              const int64_t *sizes);
dip_tensor *dip_tensor_empty(dip_dtype dtype, int ndim, const int64_t *sizes);
dip_tensor *dip_tensor_full(double value, dip_dtype dtype, int ndim,
                            const int64_t *sizes);
dip_tensor *dip_tensor_scalar(double value, dip_dtype dtype); /* 0 dims */
dip_tensor *dip_tensor_arange(int64_t end);                   /* int64 [end] */
dip_tensor *dip_tensor_eye(int64_t n);                        /* f32 [n, n] */
/* A sparse matrix [N, width] by rows (CSR): row n has values[i] in column
 * columns[i] for i from offsets[n] to offsets[n + 1]; offsets I64 [N + 1],
 * columns I64. For dip_t_matmul() with a dense matrix, which may get gradients;
 * little else takes it. */
dip_tensor *dip_tensor_sparse(const dip_tensor *offsets,
                              const dip_tensor *columns,
                              const dip_tensor *values, int64_t width);

/* ---- looking ------------------------------------------------------------ */

int dip_tensor_ndim(const dip_tensor *t);
int64_t dip_tensor_size(const dip_tensor *t, int dim); /* 0 when failed */
int64_t dip_tensor_numel(const dip_tensor *t);
dip_dtype dip_tensor_dtype(const dip_tensor *t);
dip_device dip_tensor_device(const dip_tensor *t);
/* The value of a one-element tensor; NaN when failed. */
double dip_tensor_item(const dip_tensor *t);
/* Copies to `out` in row-major order, converted to `dtype`. `bytes` is the room
 * there; too little is an error. Works from any device. */
void dip_tensor_read(const dip_tensor *t, dip_dtype dtype, void *out,
                     size_t bytes);
/* Pointer to the elements of a contiguous CPU tensor, else an error and NULL.
 * Borrowed; valid while the tensor lives. */
void *dip_tensor_data(const dip_tensor *t);
/* Writes the elements of `source` into `t` in place, without autograd
 * (shapes must agree). */
void dip_tensor_assign(dip_tensor *t, const dip_tensor *source);
/* Puts row n of `source` [N, ...] into row rows[n] of `t`; rows I64 [N]. */
void dip_tensor_put_rows(dip_tensor *t, const dip_tensor *rows,
                         const dip_tensor *source);
/* Lets the leaf `t`, and every handle of it, hold the elements of `source` from
 * now on: another device or memory layout, without a new handle. Keeps whether
 * it requires gradients, drops the gradient. */
void dip_tensor_rebind(dip_tensor *t, const dip_tensor *source);

/* Lets the handle `t` stand for the tensor of `source`, with its history: a
 * parameter for something computed from it, and back. Other handles of what it
 * stood for stay. Works while an error sticks, so that it can be undone. */
void dip_tensor_point(dip_tensor *t, const dip_tensor *source);

/* ---- autograd ----------------------------------------------------------- */

void dip_tensor_set_requires_grad(dip_tensor *t, bool on);
bool dip_tensor_requires_grad(const dip_tensor *t);
void dip_tensor_backward(const dip_tensor *loss);
/* The accumulated gradient, in the scope; NULL without an error if none. */
dip_tensor *dip_tensor_grad(const dip_tensor *t);
/* The gradient of a weight that dip_t_embedding_sparse() looked up: its rows
 * [N], I64, each once and ascending, and their values [N, D]. Both are NULL
 * where there is no gradient; a dense one is an error. */
void dip_tensor_grad_rows(const dip_tensor *t, dip_tensor **rows,
                          dip_tensor **values);
void dip_tensor_set_grad(dip_tensor *t, const dip_tensor *grad);
void dip_tensor_clear_grad(dip_tensor *t); /* sets it to absent */

/* Each returns what was set before, to be handed back when done. */
bool dip_tensor_set_grad_mode(bool on);
/* bf16 autocast on `device`; turning it off clears the cache of cast weights.
 */
bool dip_tensor_set_autocast(dip_device device, bool on);

/* ---- random numbers of libtorch (dropout, stochastic depth) ------------- */

void dip_tensor_seed(uint64_t seed); /* all devices */
/* The state of the CPU generator as a U8 tensor, and back. */
dip_tensor *dip_tensor_rng_state(void);
void dip_tensor_set_rng_state(const dip_tensor *state);

/* ---- operations: dip_t_<libtorch's name> --------------------------------- */

/* Elementwise; shapes broadcast. */
dip_tensor *dip_t_add(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_sub(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_mul(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_div(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_maximum(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_add_scalar(const dip_tensor *a, double b);
dip_tensor *dip_t_mul_scalar(const dip_tensor *a, double b);
dip_tensor *dip_t_pow_scalar(const dip_tensor *a, double exponent);
dip_tensor *dip_t_clamp(const dip_tensor *a, double low, double high);
dip_tensor *dip_t_neg(const dip_tensor *a);
dip_tensor *dip_t_exp(const dip_tensor *a);
dip_tensor *dip_t_log(const dip_tensor *a);
dip_tensor *dip_t_sqrt(const dip_tensor *a);
dip_tensor *dip_t_abs(const dip_tensor *a);
dip_tensor *dip_t_relu(const dip_tensor *a);
dip_tensor *dip_t_gelu(const dip_tensor *a); /* exact (erf) */
dip_tensor *dip_t_gelu_tanh(const dip_tensor *a);
dip_tensor *dip_t_quick_gelu(const dip_tensor *a); /* x sigmoid(1.702 x) */
dip_tensor *dip_t_silu(const dip_tensor *a);
dip_tensor *dip_t_sigmoid(const dip_tensor *a);
dip_tensor *dip_t_log_sigmoid(const dip_tensor *a);
dip_tensor *dip_t_tanh(const dip_tensor *a);
dip_tensor *dip_t_softplus(const dip_tensor *a);

/* Comparisons give BOOL. */
dip_tensor *dip_t_eq(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_ne_scalar(const dip_tensor *a, double b);
dip_tensor *dip_t_gt_scalar(const dip_tensor *a, double b);
dip_tensor *dip_t_logical_not(const dip_tensor *a);
dip_tensor *dip_t_logical_and(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_isfinite(const dip_tensor *a);
dip_tensor *dip_t_masked_fill(const dip_tensor *a, const dip_tensor *mask,
                              double value);
dip_tensor *dip_t_where(const dip_tensor *condition, const dip_tensor *a,
                        const dip_tensor *b);

/* Reductions over one dimension, or over all. */
dip_tensor *dip_t_sum(const dip_tensor *a, int dim, bool keepdim);
dip_tensor *dip_t_mean(const dip_tensor *a, int dim, bool keepdim);
dip_tensor *dip_t_amax(const dip_tensor *a, int dim, bool keepdim);
dip_tensor *dip_t_argmax(const dip_tensor *a, int dim, bool keepdim);
dip_tensor *dip_t_logsumexp(const dip_tensor *a, int dim, bool keepdim);
dip_tensor *dip_t_sum_all(const dip_tensor *a);
dip_tensor *dip_t_mean_all(const dip_tensor *a);
dip_tensor *dip_t_norm_all(const dip_tensor *a); /* Euclidean */
/* Unit Euclidean length along `dim`; lengths below eps (1e-12) divide by eps,
 * as torch.nn.functional.normalize does. */
dip_tensor *dip_t_normalize(const dip_tensor *a, int dim);

/* Products and layers. Weights stand as in torch.nn: linear [out, in],
 * conv [out, in / groups, kh, kw]. `bias` may be NULL. */
dip_tensor *dip_t_matmul(const dip_tensor *a, const dip_tensor *b);
dip_tensor *dip_t_linear(const dip_tensor *x, const dip_tensor *weight,
                         const dip_tensor *bias);
dip_tensor *dip_t_conv2d(const dip_tensor *x, const dip_tensor *weight,
                         const dip_tensor *bias, int64_t stride,
                         int64_t padding, int64_t groups);
/* Running statistics are updated in place when `training`. */
dip_tensor *dip_t_batch_norm(const dip_tensor *x, const dip_tensor *weight,
                             const dip_tensor *bias, dip_tensor *running_mean,
                             dip_tensor *running_var, bool training,
                             double momentum, double eps);
/* Over the last dimension. */
dip_tensor *dip_t_layer_norm(const dip_tensor *x, const dip_tensor *weight,
                             const dip_tensor *bias, double eps);
dip_tensor *dip_t_max_pool2d(const dip_tensor *x, int64_t kernel,
                             int64_t stride, int64_t padding);
dip_tensor *dip_t_avg_pool2d(const dip_tensor *x, int64_t kernel,
                             int64_t stride, int64_t padding);
dip_tensor *dip_t_adaptive_avg_pool2d(const dip_tensor *x, int64_t height,
                                      int64_t width);
/* Identity unless `training` and p > 0. */
dip_tensor *dip_t_dropout(const dip_tensor *x, double p, bool training);
/* Rows of weight [V, D] at integer ids of any shape [...]: [..., D]. */
dip_tensor *dip_t_embedding(const dip_tensor *weight, const dip_tensor *ids,
                            int64_t padding_id);
/* The same; the gradient of `weight` holds the looked-up rows alone. */
dip_tensor *dip_t_embedding_sparse(const dip_tensor *weight,
                                   const dip_tensor *ids, int64_t padding_id);
/* q, k, v [B, heads, T, D / heads]; mask BOOL, true = attend, broadcastable
 * to [B, heads, T, T], or NULL. */
dip_tensor *dip_t_attention(const dip_tensor *q, const dip_tensor *k,
                            const dip_tensor *v, const dip_tensor *mask,
                            double dropout, bool causal);
/* LSTM over x [B, T, in], batch first. `weights` as in torch.nn.LSTM: for each
 * layer and direction w_ih, w_hh, b_ih, b_hh. Returns the output
 * [B, T, directions * hidden]; *hidden (may be NULL) gets the last states
 * [layers * directions, B, hidden]. */
dip_tensor *dip_t_lstm(const dip_tensor *x, dip_tensor *const *weights,
                       int weight_count, int layers, double dropout,
                       bool training, bool bidirectional, dip_tensor **hidden);
dip_tensor *dip_t_softmax(const dip_tensor *a, int dim);
dip_tensor *dip_t_log_softmax(const dip_tensor *a, int dim);
/* Mean over rows of logits [N, C] and int64 targets [N]; rows whose target is
 * `ignore` do not count, and 0 is the result when no row counts. `weights`
 * F32 [C] or NULL. */
dip_tensor *dip_t_cross_entropy(const dip_tensor *logits,
                                const dip_tensor *targets,
                                const dip_tensor *weights, int64_t ignore,
                                double label_smoothing);

/* Shapes. */
dip_tensor *dip_t_reshape(const dip_tensor *a, int ndim, const int64_t *sizes);
dip_tensor *dip_t_flatten(const dip_tensor *a, int start, int end);
dip_tensor *dip_t_unflatten(const dip_tensor *a, int dim, int count,
                            const int64_t *sizes); /* one size may be -1 */
dip_tensor *dip_t_transpose(const dip_tensor *a, int dim0, int dim1);
dip_tensor *dip_t_permute(const dip_tensor *a, int count, const int64_t *dims);
dip_tensor *dip_t_unsqueeze(const dip_tensor *a, int dim);
dip_tensor *dip_t_squeeze(const dip_tensor *a, int dim);
dip_tensor *dip_t_expand(const dip_tensor *a, int ndim, const int64_t *sizes);
/* Expands `a` to the shape of `like`: unlike sizes, the shape of a tensor stays
 * dynamic in a trace. */
dip_tensor *dip_t_expand_as(const dip_tensor *a, const dip_tensor *like);
dip_tensor *dip_t_zeros_like(const dip_tensor *a);
dip_tensor *dip_t_cat(dip_tensor *const *parts, int count, int dim);
dip_tensor *dip_t_stack(dip_tensor *const *parts, int count, int dim);
/* Splits into `count` equal parts along `dim`, written to parts[]. */
void dip_t_chunk(dip_tensor **parts, const dip_tensor *a, int count, int dim);
dip_tensor *dip_t_narrow(const dip_tensor *a, int dim, int64_t start,
                         int64_t length);
dip_tensor *dip_t_select(const dip_tensor *a, int dim, int64_t index);
dip_tensor *dip_t_index_select(const dip_tensor *a, int dim,
                               const dip_tensor *index);
dip_tensor *dip_t_gather(const dip_tensor *a, int dim, const dip_tensor *index);
dip_tensor *dip_t_contiguous(const dip_tensor *a);
/* Memory format channels_last for [B, C, H, W]. */
dip_tensor *dip_t_channels_last(const dip_tensor *a);
dip_tensor *dip_t_to_dtype(const dip_tensor *a, dip_dtype dtype);
dip_tensor *dip_t_to_device(const dip_tensor *a, dip_device device);
dip_tensor *dip_t_clone(const dip_tensor *a);
dip_tensor *dip_t_detach(const dip_tensor *a);

/* ---- any operation by its dispatcher name -------------------------------- */

typedef enum {
    DIP_ARG_TENSOR, /* NULL gives None */
    DIP_ARG_INT,
    DIP_ARG_FLOAT,
    DIP_ARG_BOOL,
    DIP_ARG_STRING,
    DIP_ARG_INT_LIST,
    DIP_ARG_TENSOR_LIST,
    DIP_ARG_NONE
} dip_arg_kind;

typedef struct {
    dip_arg_kind kind;
    union {
        const dip_tensor *tensor;
        int64_t i;
        double f;
        bool b;
        const char *string;
        struct {
            const int64_t *items;
            int count;
        } ints;
        struct {
            dip_tensor *const *items;
            int count;
        } tensors;
    } as;
} dip_arg;

/* Calls say "aten::topk" with overload "" and writes its results to
 * outs[0..out_count); lists of tensors are laid out one after the other, and
 * numbers come as tensors of 0 dimensions. Trailing arguments with defaults may
 * be left out. An int fits where a float is asked for; dtype arguments take a
 * dip_dtype, devices a string. An unknown name, a wrong kind of argument or
 * fewer results than out_count are errors. */
void dip_tensor_call(dip_tensor **outs, int out_count, const char *name,
                     const char *overload, const dip_arg *args, int arg_count);

/* ---- optimisers and the like over lists ---------------------------------- */

typedef struct {
    double lr, beta1, beta2, eps, weight_decay;
    int64_t step; /* of this update, counted from 1 */
} dip_adamw_options;

/* One fused, decoupled AdamW update (Loshchilov & Hutter, ICLR 2019) in place.
 * All lists have `count` tensors of equal shapes; gradients must be there. */
void dip_tensor_adamw(dip_tensor *const *params, dip_tensor *const *grads,
                      dip_tensor *const *exp_avgs,
                      dip_tensor *const *exp_avg_sqs, int count,
                      const dip_adamw_options *options);

typedef struct {
    double lr, momentum, weight_decay;
    bool nesterov;
    bool first; /* no momentum buffer yet */
} dip_sgd_options;

/* One update as torch.optim.SGD does it (decay added to the gradient). */
void dip_tensor_sgd(dip_tensor *const *params, dip_tensor *const *grads,
                    dip_tensor *const *momenta, int count,
                    const dip_sgd_options *options);

/* Scales all gradients so that their common norm is at most max_norm
 * (max_norm <= 0: only measures), as torch.nn.utils.clip_grad_norm_ does.
 * Returns the norm before. */
double dip_tensor_clip_grad_norm(dip_tensor *const *grads, int count,
                                 double max_norm);
/* target = decay * target + (1 - decay) * source, in place. */
void dip_tensor_lerp(dip_tensor *const *targets, dip_tensor *const *sources,
                     int count, double decay);

/* ---- TorchScript ----------------------------------------------------------
 */

typedef struct dip_script dip_script;

/* Called under the tracer: computes outputs from inputs. */
typedef void (*dip_trace_fn)(void *user, dip_tensor *const *inputs,
                             dip_tensor **outputs);

typedef struct {
    const char *name; /* dots become nested modules: "visual.conv1.weight" */
    dip_tensor *tensor;
    bool is_buffer;
} dip_named_tensor;

/* Sizes that `fn` reads (dip_tensor_size() and the like), and tensors that it
 * makes from memory, become constants of the graph. To keep the batch size out
 * of it, write flatten, unflatten, -1 and expand_as.
 *
 * Traces `fn` on `inputs` into a method `forward` of a module that owns
 * `parameters` (shared storage), and ends with the tensor or, for more than one
 * output, a tuple. Gradients are off meanwhile. */
dip_status dip_script_trace(dip_script **out, dip_trace_fn fn, void *user,
                            dip_tensor *const *inputs, int input_count,
                            int output_count,
                            const dip_named_tensor *parameters,
                            int parameter_count, dip_err *err) DIP_MUST_CHECK;
dip_status dip_script_save(const dip_script *script, const char *path,
                           dip_err *err) DIP_MUST_CHECK;
dip_status dip_script_load(dip_script **out, const char *path,
                           dip_device device, dip_err *err) DIP_MUST_CHECK;
/* Runs `forward`; outputs go to the open scope. Failures stick. */
void dip_script_run(dip_script *script, dip_tensor *const *inputs,
                    int input_count, dip_tensor **outputs, int output_count);
void dip_script_free(dip_script *script);

#ifdef __cplusplus
}
#endif

#endif
