/* The typed operations: each is libtorch's of the same name. */
#include "tensor/internal.h"

#include <algorithm>

#include <ATen/ATen.h>

using at::Tensor;
using dip::handle_list;
using dip::optional_handle;

namespace
{

using maybe = std::optional<Tensor>;

/* Zero states [layers * directions, B, hidden] for x [B, T, in]. They are
 * derived from x, since a size taken from it would be baked into a trace. */
Tensor lstm_zero_state(const Tensor &x, int64_t rows, int64_t hidden)
{
    Tensor column = at::zeros_like(x.select(1, 0).narrow(1, 0, 1)); /* [B, 1] */
    return column.unsqueeze(0).expand({rows, -1, hidden}).contiguous();
}

/* Mean cross-entropy, 0 rather than NaN when every row is ignored. */
Tensor cross_entropy(const Tensor &logits, const Tensor &targets,
                     const maybe &weights, int64_t ignore, double smoothing)
{
    Tensor loss = at::cross_entropy_loss(
        logits, targets, weights, at::Reduction::Mean, ignore, smoothing);
    return at::where(targets.ne(ignore).any(), loss, at::zeros_like(loss));
}

} // namespace

extern "C" {

/* ---- elementwise -------------------------------------------------------- */

#define DIP_UNARY(name, expression)                                            \
    dip_tensor *dip_t_##name(const dip_tensor *a)                              \
    {                                                                          \
        return dip::op(                                                        \
            #name, [](const Tensor &x) { return expression; }, a);             \
    }

DIP_UNARY(neg, at::neg(x))
DIP_UNARY(exp, at::exp(x))
DIP_UNARY(log, at::log(x))
DIP_UNARY(sqrt, at::sqrt(x))
DIP_UNARY(abs, at::abs(x))
DIP_UNARY(relu, at::relu(x))
DIP_UNARY(gelu, at::gelu(x))
DIP_UNARY(gelu_tanh, at::gelu(x, "tanh"))
/* silu(1.702 x) / 1.702: autograd saves one tensor instead of three. */
DIP_UNARY(quick_gelu, at::silu(x * 1.702) * (1 / 1.702))
DIP_UNARY(silu, at::silu(x))
DIP_UNARY(sigmoid, at::sigmoid(x))
DIP_UNARY(log_sigmoid, at::log_sigmoid(x))
DIP_UNARY(tanh, at::tanh(x))
DIP_UNARY(softplus, at::softplus(x))
DIP_UNARY(logical_not, at::logical_not(x))
DIP_UNARY(isfinite, at::isfinite(x))
DIP_UNARY(sum_all, at::sum(x))
DIP_UNARY(mean_all, at::mean(x))
DIP_UNARY(norm_all, at::linalg_vector_norm(x))
DIP_UNARY(zeros_like, at::zeros_like(x))
DIP_UNARY(contiguous, x.contiguous())
DIP_UNARY(channels_last, x.contiguous(at::MemoryFormat::ChannelsLast))
DIP_UNARY(clone, at::clone(x))
DIP_UNARY(detach, x.detach())

#undef DIP_UNARY

#define DIP_BINARY(name, expression)                                           \
    dip_tensor *dip_t_##name(const dip_tensor *a, const dip_tensor *b)         \
    {                                                                          \
        return dip::op(                                                        \
            #name,                                                             \
            [](const Tensor &x, const Tensor &y) { return expression; }, a,    \
            b);                                                                \
    }

DIP_BINARY(add, at::add(x, y))
DIP_BINARY(sub, at::sub(x, y))
DIP_BINARY(mul, at::mul(x, y))
DIP_BINARY(div, at::div(x, y))
DIP_BINARY(maximum, at::maximum(x, y))
DIP_BINARY(eq, at::eq(x, y))
DIP_BINARY(logical_and, at::logical_and(x, y))
DIP_BINARY(matmul, at::matmul(x, y))
DIP_BINARY(expand_as, x.expand_as(y))

#undef DIP_BINARY

#define DIP_WITH_SCALAR(name, expression)                                      \
    dip_tensor *dip_t_##name(const dip_tensor *a, double b)                    \
    {                                                                          \
        return dip::op(                                                        \
            #name, [&](const Tensor &x) { return expression; }, a);            \
    }

DIP_WITH_SCALAR(add_scalar, at::add(x, b))
DIP_WITH_SCALAR(mul_scalar, at::mul(x, b))
DIP_WITH_SCALAR(pow_scalar, at::pow(x, b))
DIP_WITH_SCALAR(ne_scalar, at::ne(x, b))
DIP_WITH_SCALAR(gt_scalar, at::gt(x, b))

#undef DIP_WITH_SCALAR

dip_tensor *dip_t_clamp(const dip_tensor *a, double low, double high)
{
    return dip::op(
        "clamp", [&](const Tensor &x) { return at::clamp(x, low, high); }, a);
}

dip_tensor *dip_t_masked_fill(const dip_tensor *a, const dip_tensor *mask,
                              double value)
{
    return dip::op(
        "masked_fill",
        [&](const Tensor &x, const Tensor &m) {
            return at::masked_fill(x, m, value);
        },
        a, mask);
}

dip_tensor *dip_t_where(const dip_tensor *condition, const dip_tensor *a,
                        const dip_tensor *b)
{
    return dip::op(
        "where",
        [](const Tensor &c, const Tensor &x, const Tensor &y) {
            return at::where(c, x, y);
        },
        condition, a, b);
}

/* ---- reductions --------------------------------------------------------- */

#define DIP_REDUCTION(name, expression)                                        \
    dip_tensor *dip_t_##name(const dip_tensor *a, int dim, bool keepdim)       \
    {                                                                          \
        return dip::op(                                                        \
            #name, [&](const Tensor &x) { return expression; }, a);            \
    }

DIP_REDUCTION(sum, at::sum(x, dim, keepdim))
DIP_REDUCTION(mean, at::mean(x, dim, keepdim))
DIP_REDUCTION(amax, at::amax(x, dim, keepdim))
DIP_REDUCTION(argmax, at::argmax(x, dim, keepdim))
DIP_REDUCTION(logsumexp, at::logsumexp(x, dim, keepdim))

#undef DIP_REDUCTION

dip_tensor *dip_t_normalize(const dip_tensor *a, int dim)
{
    return dip::op(
        "normalize",
        [&](const Tensor &x) {
            return x / at::linalg_vector_norm(x, 2, dim, true).clamp_min(1e-12);
        },
        a);
}

/* ---- products and layers ------------------------------------------------ */

dip_tensor *dip_t_linear(const dip_tensor *x, const dip_tensor *weight,
                         const dip_tensor *bias)
{
    return dip::op(
        "linear",
        [](const Tensor &in, const Tensor &w, const maybe &b) {
            return at::linear(in, w, b);
        },
        x, weight, optional_handle{bias});
}

dip_tensor *dip_t_conv2d(const dip_tensor *x, const dip_tensor *weight,
                         const dip_tensor *bias, int64_t stride,
                         int64_t padding, int64_t groups)
{
    return dip::op(
        "conv2d",
        [&](const Tensor &in, const Tensor &w, const maybe &b) {
            return at::conv2d(in, w, b, stride, padding, 1, groups);
        },
        x, weight, optional_handle{bias});
}

dip_tensor *dip_t_batch_norm(const dip_tensor *x, const dip_tensor *weight,
                             const dip_tensor *bias, dip_tensor *running_mean,
                             dip_tensor *running_var, bool training,
                             double momentum, double eps)
{
    return dip::op(
        "batch_norm",
        [&](const Tensor &in, const maybe &w, const maybe &b, const maybe &mean,
            const maybe &var) {
            return at::batch_norm(in, w, b, mean, var, training, momentum, eps,
                                  true);
        },
        x, optional_handle{weight}, optional_handle{bias},
        optional_handle{running_mean}, optional_handle{running_var});
}

dip_tensor *dip_t_layer_norm(const dip_tensor *x, const dip_tensor *weight,
                             const dip_tensor *bias, double eps)
{
    return dip::op(
        "layer_norm",
        [&](const Tensor &in, const maybe &w, const maybe &b) {
            return at::layer_norm(in, in.size(-1), w, b, eps);
        },
        x, optional_handle{weight}, optional_handle{bias});
}

dip_tensor *dip_t_max_pool2d(const dip_tensor *x, int64_t kernel,
                             int64_t stride, int64_t padding)
{
    return dip::op(
        "max_pool2d",
        [&](const Tensor &in) {
            return at::max_pool2d(in, kernel, stride, padding);
        },
        x);
}

dip_tensor *dip_t_avg_pool2d(const dip_tensor *x, int64_t kernel,
                             int64_t stride, int64_t padding)
{
    return dip::op(
        "avg_pool2d",
        [&](const Tensor &in) {
            return at::avg_pool2d(in, kernel, stride, padding);
        },
        x);
}

dip_tensor *dip_t_adaptive_avg_pool2d(const dip_tensor *x, int64_t height,
                                      int64_t width)
{
    return dip::op(
        "adaptive_avg_pool2d",
        [&](const Tensor &in) {
            return at::adaptive_avg_pool2d(in, {height, width});
        },
        x);
}

dip_tensor *dip_t_dropout(const dip_tensor *x, double p, bool training)
{
    return dip::op(
        "dropout",
        [&](const Tensor &in) {
            return training && p != 0 ? at::dropout(in, p, true) : in;
        },
        x);
}

dip_tensor *dip_t_embedding(const dip_tensor *weight, const dip_tensor *ids,
                            int64_t padding_id)
{
    return dip::op(
        "embedding",
        [&](const Tensor &w, const Tensor &i) {
            return at::embedding(w, i, padding_id);
        },
        weight, ids);
}

dip_tensor *dip_t_embedding_sparse(const dip_tensor *weight,
                                   const dip_tensor *ids, int64_t padding_id)
{
    return dip::op(
        "embedding_sparse",
        [&](const Tensor &w, const Tensor &i) {
            return at::embedding(w, i, padding_id, false, true);
        },
        weight, ids);
}

dip_tensor *dip_t_attention(const dip_tensor *q, const dip_tensor *k,
                            const dip_tensor *v, const dip_tensor *mask,
                            double dropout, bool causal)
{
    return dip::op(
        "attention",
        [&](const Tensor &queries, const Tensor &keys, const Tensor &values,
            const maybe &attend) {
            return at::scaled_dot_product_attention(queries, keys, values,
                                                    attend, dropout, causal);
        },
        q, k, v, optional_handle{mask});
}

dip_tensor *dip_t_lstm(const dip_tensor *x, dip_tensor *const *weights,
                       int weight_count, int layers, double dropout,
                       bool training, bool bidirectional, dip_tensor **hidden)
{
    if (hidden != nullptr)
        *hidden = nullptr;
    return dip::op(
        "lstm",
        [&](const Tensor &in, const std::vector<Tensor> &w) {
            int directions = bidirectional ? 2 : 1;
            TORCH_CHECK(in.dim() == 3, "input of ", in.dim(),
                        " dimensions, not 3");
            TORCH_CHECK(layers > 0 && weight_count == 4 * layers * directions,
                        weight_count, " weights for ", layers, " layers");
            Tensor zero =
                lstm_zero_state(in, layers * directions, w[1].size(-1));
            auto [output, last, cell] =
                at::lstm(in, {zero, zero}, w, true, layers, dropout, training,
                         bidirectional, true);
            if (hidden != nullptr)
                *hidden = dip::push(last);
            return output;
        },
        x, handle_list{weights, weight_count});
}

dip_tensor *dip_t_softmax(const dip_tensor *a, int dim)
{
    return dip::op(
        "softmax", [&](const Tensor &x) { return at::softmax(x, dim); }, a);
}

dip_tensor *dip_t_log_softmax(const dip_tensor *a, int dim)
{
    return dip::op(
        "log_softmax", [&](const Tensor &x) { return at::log_softmax(x, dim); },
        a);
}

dip_tensor *dip_t_cross_entropy(const dip_tensor *logits,
                                const dip_tensor *targets,
                                const dip_tensor *weights, int64_t ignore,
                                double label_smoothing)
{
    return dip::op(
        "cross_entropy",
        [&](const Tensor &x, const Tensor &y, const maybe &w) {
            return cross_entropy(x, y, w, ignore, label_smoothing);
        },
        logits, targets, optional_handle{weights});
}

/* ---- shapes ------------------------------------------------------------- */

dip_tensor *dip_t_reshape(const dip_tensor *a, int ndim, const int64_t *sizes)
{
    return dip::op(
        "reshape",
        [&](const Tensor &x) {
            return at::reshape(x, dip::to_torch(ndim, sizes));
        },
        a);
}

dip_tensor *dip_t_flatten(const dip_tensor *a, int start, int end)
{
    return dip::op(
        "flatten", [&](const Tensor &x) { return at::flatten(x, start, end); },
        a);
}

dip_tensor *dip_t_unflatten(const dip_tensor *a, int dim, int count,
                            const int64_t *sizes)
{
    return dip::op(
        "unflatten",
        [&](const Tensor &x) {
            return at::unflatten(x, dim, dip::to_torch(count, sizes));
        },
        a);
}

dip_tensor *dip_t_transpose(const dip_tensor *a, int dim0, int dim1)
{
    return dip::op(
        "transpose",
        [&](const Tensor &x) { return at::transpose(x, dim0, dim1); }, a);
}

dip_tensor *dip_t_permute(const dip_tensor *a, int count, const int64_t *dims)
{
    return dip::op(
        "permute",
        [&](const Tensor &x) {
            return at::permute(x, dip::to_torch(count, dims));
        },
        a);
}

dip_tensor *dip_t_unsqueeze(const dip_tensor *a, int dim)
{
    return dip::op(
        "unsqueeze", [&](const Tensor &x) { return at::unsqueeze(x, dim); }, a);
}

dip_tensor *dip_t_squeeze(const dip_tensor *a, int dim)
{
    return dip::op(
        "squeeze", [&](const Tensor &x) { return at::squeeze(x, dim); }, a);
}

dip_tensor *dip_t_expand(const dip_tensor *a, int ndim, const int64_t *sizes)
{
    return dip::op(
        "expand",
        [&](const Tensor &x) { return x.expand(dip::to_torch(ndim, sizes)); },
        a);
}

dip_tensor *dip_t_cat(dip_tensor *const *parts, int count, int dim)
{
    return dip::op(
        "cat",
        [&](const std::vector<Tensor> &list) { return at::cat(list, dim); },
        handle_list{parts, count});
}

dip_tensor *dip_t_stack(dip_tensor *const *parts, int count, int dim)
{
    return dip::op(
        "stack",
        [&](const std::vector<Tensor> &list) { return at::stack(list, dim); },
        handle_list{parts, count});
}

void dip_t_chunk(dip_tensor **parts, const dip_tensor *a, int count, int dim)
{
    std::fill_n(parts, std::max(count, 0), nullptr);
    dip::run(
        "chunk",
        [&](const Tensor &x) {
            TORCH_CHECK(count > 0 && x.size(dim) % count == 0, "size ",
                        x.size(dim), " cannot be split into ", count,
                        " equal parts");
            std::vector<Tensor> chunks = at::chunk(x, count, dim);
            /* A size of 0 gives one empty chunk. */
            TORCH_CHECK(chunks.size() == static_cast<size_t>(count),
                        "nothing to split");
            for (int i = 0; i < count; i++)
                parts[i] = dip::push(std::move(chunks[i]));
        },
        a);
}

dip_tensor *dip_t_narrow(const dip_tensor *a, int dim, int64_t start,
                         int64_t length)
{
    return dip::op(
        "narrow",
        [&](const Tensor &x) { return at::narrow(x, dim, start, length); }, a);
}

dip_tensor *dip_t_select(const dip_tensor *a, int dim, int64_t index)
{
    return dip::op(
        "select", [&](const Tensor &x) { return at::select(x, dim, index); },
        a);
}

dip_tensor *dip_t_index_select(const dip_tensor *a, int dim,
                               const dip_tensor *index)
{
    return dip::op(
        "index_select",
        [&](const Tensor &x, const Tensor &i) {
            return at::index_select(x, dim, i);
        },
        a, index);
}

dip_tensor *dip_t_gather(const dip_tensor *a, int dim, const dip_tensor *index)
{
    return dip::op(
        "gather",
        [&](const Tensor &x, const Tensor &i) { return at::gather(x, dim, i); },
        a, index);
}

dip_tensor *dip_t_to_dtype(const dip_tensor *a, dip_dtype dtype)
{
    return dip::op(
        "to_dtype", [&](const Tensor &x) { return x.to(dip::to_torch(dtype)); },
        a);
}

dip_tensor *dip_t_to_device(const dip_tensor *a, dip_device device)
{
    return dip::op(
        "to_device",
        [&](const Tensor &x) { return x.to(dip::to_torch(device)); }, a);
}

} // extern "C"
