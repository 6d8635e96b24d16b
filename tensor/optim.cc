/* Updates of whole lists of tensors: optimisers, clipping, averaging. */
#include "tensor/internal.h"

#include <limits>

#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>

using at::Tensor;
using tensor_vector = std::vector<Tensor>;

namespace
{

/* A copy of `t` that lies in memory as `like` does. */
Tensor laid_out_as(const Tensor &t, const Tensor &like)
{
    return at::empty_like(like, t.options()).copy_(t);
}

bool fits(const Tensor &t, const Tensor &param)
{
    TORCH_CHECK(t.sizes() == param.sizes(), "shape ", t.sizes(),
                " beside a parameter of shape ", param.sizes());
    return t.strides() == param.strides();
}

/* The fused kernels walk through memory without looking at strides, so
 * gradients must lie as their parameters do... */
void match_gradients(tensor_vector &grads, const tensor_vector &params)
{
    for (size_t i = 0; i < params.size(); i++) {
        if (!fits(grads[i], params[i]))
            grads[i] = laid_out_as(grads[i], params[i]);
    }
}

/* ... and so must the optimiser's state, which differs after a parameter went
 * to channels_last, or a contiguous state was loaded. */
void match_state(tensor_vector &states, const tensor_vector &params)
{
    for (size_t i = 0; i < params.size(); i++) {
        if (!fits(states[i], params[i]))
            states[i].set_data(laid_out_as(states[i], params[i]));
    }
}

double scale_to_norm(tensor_vector &grads, double max_norm)
{
    if (grads.empty())
        return 0;
    Tensor norms = at::stack(at::_foreach_norm(grads, 2));
    double norm = at::linalg_vector_norm(norms, 2).item().toDouble();
    double scale = max_norm / (norm + 1e-6);
    /* Written so that a NaN norm reaches the gradients, as in PyTorch. */
    if (max_norm > 0 && !(scale >= 1))
        at::_foreach_mul_(grads, scale);
    return norm;
}

} // namespace

extern "C" {

void dip_tensor_adamw(dip_tensor *const *params, dip_tensor *const *grads,
                      dip_tensor *const *exp_avgs,
                      dip_tensor *const *exp_avg_sqs, int count,
                      const dip_adamw_options *options)
{
    dip::run(
        "adamw",
        [&](const tensor_vector &p, tensor_vector g, tensor_vector m,
            tensor_vector v) {
            if (p.empty())
                return;
            at::NoGradGuard no_grad;
            match_gradients(g, p);
            match_state(m, p);
            match_state(v, p);
            Tensor step = at::full({}, static_cast<double>(options->step),
                                   p[0].options().dtype(at::kFloat));
            at::_fused_adamw_(p, g, m, v, {}, tensor_vector(p.size(), step),
                              options->lr, options->beta1, options->beta2,
                              options->weight_decay, options->eps, false,
                              false);
        },
        dip::handle_list{params, count}, dip::handle_list{grads, count},
        dip::handle_list{exp_avgs, count},
        dip::handle_list{exp_avg_sqs, count});
}

void dip_tensor_sgd(dip_tensor *const *params, dip_tensor *const *grads,
                    dip_tensor *const *momenta, int count,
                    const dip_sgd_options *options)
{
    int momentum_count = options->momentum != 0 ? count : 0;
    dip::run(
        "sgd",
        [&](const tensor_vector &p, tensor_vector g, tensor_vector m) {
            if (p.empty())
                return;
            at::NoGradGuard no_grad;
            match_gradients(g, p);
            if (!m.empty())
                match_state(m, p);
            at::_fused_sgd_(p, g, m, options->weight_decay, options->momentum,
                            options->lr, 0, options->nesterov, false,
                            options->first);
        },
        dip::handle_list{params, count}, dip::handle_list{grads, count},
        dip::handle_list{momenta, momentum_count});
}

double dip_tensor_clip_grad_norm(dip_tensor *const *grads, int count,
                                 double max_norm)
{
    return dip::guarded(
        "clip_grad_norm", std::numeric_limits<double>::quiet_NaN(),
        [&](tensor_vector g) {
            at::NoGradGuard no_grad;
            return scale_to_norm(g, max_norm);
        },
        dip::handle_list{grads, count});
}

void dip_tensor_lerp(dip_tensor *const *targets, dip_tensor *const *sources,
                     int count, double decay)
{
    dip::run(
        "lerp",
        [&](const tensor_vector &to, const tensor_vector &from) {
            if (to.empty())
                return;
            at::NoGradGuard no_grad;
            at::_foreach_lerp_(to, from, 1 - decay);
        },
        dip::handle_list{targets, count}, dip::handle_list{sources, count});
}

} // extern "C"
