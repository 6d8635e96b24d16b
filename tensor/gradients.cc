/* A node of autograd whose gradients are known when it is made. */
#include "tensor/gradients.h"

#include "tensor/internal.h"

#include <ATen/ops/mul.h>
#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace
{

struct known_gradients : torch::autograd::Function<known_gradients> {
    /* `gradients` come as a plain vector, which autograd does not look into. */
    static Tensor forward(AutogradContext *context, const Tensor &value,
                          at::TensorList inputs,
                          const std::vector<Tensor> &gradients)
    {
        (void)inputs;
        context->save_for_backward(gradients);
        return value.clone();
    }

    static variable_list backward(AutogradContext *context,
                                  const variable_list &outputs)
    {
        variable_list found{Tensor()}; /* of the value */
        bool is_one = outputs[0].item<double>() == 1.0;
        for (const Tensor &gradient : context->get_saved_variables()) {
            /* Most often the value is the loss itself: no copy then. */
            found.push_back(!gradient.defined() || is_one
                                ? gradient
                                : at::mul(gradient, outputs[0]));
        }
        found.push_back(Tensor()); /* of the gradients */
        return found;
    }
};

} // namespace

extern "C" {

dip_tensor *dip_t_with_gradients(const dip_tensor *value,
                                 dip_tensor *const *inputs,
                                 dip_tensor *const *gradients, int count)
{
    return dip::op(
        "with_gradients",
        [&](const Tensor &v, const std::vector<Tensor> &x) {
            TORCH_CHECK(v.numel() == 1, "the value is not one number");
            std::vector<Tensor> known;
            for (int i = 0; i < count; i++) {
                const dip_tensor *g = gradients[i];
                known.push_back(g == nullptr ? Tensor() : g->value.detach());
                TORCH_CHECK(
                    g == nullptr || known.back().sizes() ==
                                        x[static_cast<size_t>(i)].sizes(),
                    "gradient ", i, " has another shape than its input");
            }
            return known_gradients::apply(v.detach(), at::TensorList(x), known);
        },
        value, dip::handle_list{inputs, count});
}

} // extern "C"
