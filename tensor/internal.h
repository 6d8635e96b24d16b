/* What the .cc files of this folder share: the handle, the thread's context
 * and the one way in which an operation is carried out.
 *
 * guarded() is that way. It returns at once when an error sticks, turns a NULL
 * input into an error, hands the tensors behind the handles to a lambda, and
 * turns what the lambda throws into the sticky error. */
#ifndef DIP_TENSOR_INTERNAL_H
#define DIP_TENSOR_INTERNAL_H

#include <cassert>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

extern "C" {
#include "base/status.h"
}
#include "tensor/tensor.h"

struct dip_tensor {
    at::Tensor value;
    int scope;   /* index of the open scope that frees it; kept: below 0 */
    size_t slot; /* place there */
};

namespace dip
{

constexpr int kept = -1;

/* A parameter that may be NULL. */
struct optional_handle {
    const dip_tensor *t;
};

/* `count` handles, none of them NULL. */
struct handle_list {
    dip_tensor *const *items;
    int count;
};

bool failed();
/* Makes "operation: input 2 is NULL" stick (counted from 1). */
void fail_null(const char *operation, int input);
/* Makes the exception in flight stick; for catch blocks only. */
void fail_exception(const char *operation);

/* A new handle in the innermost scope. */
dip_tensor *push(at::Tensor value);

at::ScalarType to_torch(dip_dtype dtype);
dip_dtype from_torch(at::ScalarType type);
at::Device to_torch(dip_device device);
at::IntArrayRef to_torch(int count, const int64_t *items);

inline bool is_present(const dip_tensor *t)
{
    return t != nullptr;
}

inline bool is_present(optional_handle)
{
    return true;
}

inline bool is_present(handle_list list)
{
    if (list.count > 0 && list.items == nullptr)
        return false;
    for (int i = 0; i < list.count; i++) {
        if (list.items[i] == nullptr)
            return false;
    }
    return true;
}

inline const at::Tensor &unwrap(const dip_tensor *t)
{
    return t->value;
}

inline std::optional<at::Tensor> unwrap(optional_handle handle)
{
    if (handle.t == nullptr)
        return std::nullopt;
    return handle.t->value;
}

inline std::vector<at::Tensor> unwrap(handle_list list)
{
    std::vector<at::Tensor> tensors;
    tensors.reserve(list.count > 0 ? list.count : 0);
    for (int i = 0; i < list.count; i++)
        tensors.push_back(list.items[i]->value);
    return tensors;
}

/* The place of the first NULL input, counted from 1; 0 when there is none. */
template <class... Inputs> int first_absent(Inputs... inputs)
{
    int place = 0;
    bool all = ((place++, is_present(inputs)) && ...);
    return all ? 0 : place;
}

/* Runs f(unwrapped inputs...) and returns its result, or `fallback`. */
template <class R, class F, class... Inputs>
R guarded(const char *operation, R fallback, F &&f, Inputs... inputs)
{
    if (failed())
        return fallback;
    int absent = first_absent(inputs...);
    if (absent != 0) {
        fail_null(operation, absent);
        return fallback;
    }
    try {
        return f(unwrap(inputs)...);
    } catch (...) {
        fail_exception(operation);
    }
    return fallback;
}

/* The same for f that returns a tensor: the result becomes a handle. */
template <class F, class... Inputs>
dip_tensor *op(const char *operation, F &&f, Inputs... inputs)
{
    return guarded(
        operation, static_cast<dip_tensor *>(nullptr),
        [&](const auto &...tensors) { return push(f(tensors...)); }, inputs...);
}

/* The same for f without a result; true on success. */
template <class F, class... Inputs>
bool run(const char *operation, F &&f, Inputs... inputs)
{
    return guarded(
        operation, false,
        [&](const auto &...tensors) {
            f(tensors...);
            return true;
        },
        inputs...);
}

} // namespace dip

#endif
