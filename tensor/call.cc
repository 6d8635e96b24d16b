/* Any operation by its dispatcher name: arguments are converted by the types
 * in the operation's schema. */
#include "tensor/internal.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/jit_type.h>
#include <ATen/core/stack.h>
#include <ATen/ops/scalar_tensor.h>

using c10::IValue;
using c10::TypeKind;

namespace
{

/* Tells that the argument does not fit; the caller knows its name. */
struct mismatch {
};

const char *const kind_names[] = {"a tensor",      "an int",   "a float",
                                  "a bool",        "a string", "an int list",
                                  "a tensor list", "none"};

IValue number(const dip_arg &arg)
{
    switch (arg.kind) {
    case DIP_ARG_INT:
        return arg.as.i;
    case DIP_ARG_FLOAT:
        return arg.as.f;
    case DIP_ARG_BOOL:
        return arg.as.b;
    default:
        throw mismatch{};
    }
}

IValue int_list(const dip_arg &arg, std::optional<int32_t> length)
{
    c10::List<int64_t> list;
    if (arg.kind == DIP_ARG_INT && length) { /* kernel_size=3 means [3, 3] */
        for (int32_t i = 0; i < *length; i++)
            list.push_back(arg.as.i);
        return list;
    }
    if (arg.kind != DIP_ARG_INT_LIST)
        throw mismatch{};
    for (int64_t item : dip::to_torch(arg.as.ints.count, arg.as.ints.items))
        list.push_back(item);
    return list;
}

IValue bool_list(const dip_arg &arg)
{
    if (arg.kind != DIP_ARG_INT_LIST)
        throw mismatch{};
    c10::List<bool> list;
    for (int64_t item : dip::to_torch(arg.as.ints.count, arg.as.ints.items))
        list.push_back(item != 0);
    return list;
}

template <class Element> IValue tensor_list(const dip_arg &arg)
{
    if (arg.kind != DIP_ARG_TENSOR_LIST)
        throw mismatch{};
    c10::List<Element> list;
    for (int i = 0; i < arg.as.tensors.count; i++) {
        const dip_tensor *t = arg.as.tensors.items[i];
        if (t != nullptr)
            list.push_back(t->value);
        else if constexpr (std::is_same_v<Element, std::optional<at::Tensor>>)
            list.push_back(std::nullopt);
        else
            TORCH_CHECK(false, "tensor ", i + 1, " of a list is NULL");
    }
    return list;
}

IValue list(const dip_arg &arg, const c10::Type &element,
            std::optional<int32_t> length)
{
    switch (element.kind()) {
    case TypeKind::IntType:
    case TypeKind::SymIntType:
        return int_list(arg, length);
    case TypeKind::BoolType:
        return bool_list(arg);
    case TypeKind::TensorType:
        return tensor_list<at::Tensor>(arg);
    case TypeKind::OptionalType:
        return tensor_list<std::optional<at::Tensor>>(arg);
    default:
        throw mismatch{};
    }
}

IValue integer(const dip_arg &arg, const c10::Argument &spec)
{
    if (arg.kind != DIP_ARG_INT)
        throw mismatch{};
    c10::TypePtr real = spec.real_type();
    if (auto optional = real->cast<c10::OptionalType>())
        real = optional->getElementType();
    if (real->kind() != TypeKind::ScalarTypeType)
        return arg.as.i;
    TORCH_CHECK(arg.as.i >= 0 && arg.as.i < DIP_DTYPE_COUNT,
                "no dtype of number ", arg.as.i);
    return static_cast<int64_t>(
        dip::to_torch(static_cast<dip_dtype>(arg.as.i)));
}

IValue convert(const dip_arg &arg, const c10::Type &type,
               const c10::Argument &spec)
{
    bool is_tensor = arg.kind == DIP_ARG_TENSOR;
    bool is_none =
        arg.kind == DIP_ARG_NONE || (is_tensor && arg.as.tensor == nullptr);
    switch (type.kind()) {
    case TypeKind::OptionalType:
        if (is_none)
            return IValue();
        return convert(
            arg, *type.expectRef<c10::OptionalType>().getElementType(), spec);
    case TypeKind::TensorType:
        if (!is_tensor || is_none)
            throw mismatch{};
        return arg.as.tensor->value;
    case TypeKind::IntType:
    case TypeKind::SymIntType:
        return integer(arg, spec);
    case TypeKind::FloatType:
        if (arg.kind == DIP_ARG_INT)
            return static_cast<double>(arg.as.i);
        if (arg.kind != DIP_ARG_FLOAT)
            throw mismatch{};
        return arg.as.f;
    case TypeKind::NumberType:
        return number(arg);
    case TypeKind::BoolType:
        if (arg.kind != DIP_ARG_BOOL)
            throw mismatch{};
        return arg.as.b;
    case TypeKind::StringType:
    case TypeKind::DeviceObjType:
        if (arg.kind != DIP_ARG_STRING || arg.as.string == nullptr)
            throw mismatch{};
        if (type.kind() == TypeKind::DeviceObjType)
            return at::Device(arg.as.string);
        return std::string(arg.as.string);
    case TypeKind::ListType:
        return list(arg, *type.expectRef<c10::ListType>().getElementType(),
                    spec.N());
    default:
        throw mismatch{};
    }
}

IValue argument(const c10::Argument &spec, const dip_arg *arg)
{
    if (arg == nullptr) {
        TORCH_CHECK(spec.default_value().has_value(), "argument '", spec.name(),
                    "' is missing");
        return *spec.default_value();
    }
    /* C may have put any number there, which C++ must not load as the enum. */
    int kind;
    static_assert(sizeof kind == sizeof arg->kind);
    std::memcpy(&kind, &arg->kind, sizeof kind);
    TORCH_CHECK(kind >= 0 && kind <= DIP_ARG_NONE, "argument '", spec.name(),
                "' is of no known kind");
    try {
        return convert(*arg, *spec.type(), spec);
    } catch (const mismatch &) {
        bool absent = arg->kind == DIP_ARG_TENSOR && arg->as.tensor == nullptr;
        TORCH_CHECK(false, "argument '", spec.name(), "' is ",
                    absent ? "a tensor that is NULL" : kind_names[arg->kind],
                    ", not ", spec.real_type()->annotation_str());
    }
}

void append_results(std::vector<at::Tensor> &results, const IValue &value)
{
    if (value.isTensor()) {
        results.push_back(value.toTensor());
    } else if (value.isTensorList()) {
        for (const at::Tensor &t : value.toTensorVector())
            results.push_back(t);
    } else if (value.isInt()) {
        results.push_back(at::scalar_tensor(value.toInt(), at::kLong));
    } else if (value.isDouble()) {
        results.push_back(at::scalar_tensor(value.toDouble(), at::kDouble));
    } else if (value.isBool()) {
        results.push_back(at::scalar_tensor(value.toBool(), at::kBool));
    } else {
        TORCH_CHECK(false, "a result is a ", value.tagKind());
    }
}

std::vector<at::Tensor> call(const char *name, const char *overload,
                             const dip_arg *args, int arg_count)
{
    auto op = c10::Dispatcher::singleton().findSchema({name, overload});
    TORCH_CHECK(op.has_value(), "there is no operation '", name,
                "' with overload '", overload, "'");
    const auto &specs = op->schema().arguments();
    TORCH_CHECK(arg_count >= 0 &&
                    static_cast<size_t>(arg_count) <= specs.size(),
                arg_count, " arguments, takes ", specs.size());
    torch::jit::Stack stack;
    stack.reserve(specs.size());
    for (size_t i = 0; i < specs.size(); i++) {
        bool given = i < static_cast<size_t>(arg_count);
        stack.push_back(argument(specs[i], given ? &args[i] : nullptr));
    }
    op->callBoxed(&stack);
    std::vector<at::Tensor> results;
    for (const IValue &value : stack)
        append_results(results, value);
    return results;
}

} // namespace

extern "C" void dip_tensor_call(dip_tensor **outs, int out_count,
                                const char *name, const char *overload,
                                const dip_arg *args, int arg_count)
{
    std::fill_n(outs, std::max(out_count, 0), nullptr);
    if (name == nullptr || overload == nullptr) {
        dip_tensor_fail(DIP_ETENSOR, "call: the name or overload is NULL");
        return;
    }
    dip::run(name, [&] {
        std::vector<at::Tensor> results = call(name, overload, args, arg_count);
        TORCH_CHECK(out_count <= static_cast<int>(results.size()),
                    results.size(), " results, not ", out_count);
        for (int i = 0; i < out_count; i++) {
            outs[i] = results[i].defined() ? dip::push(std::move(results[i]))
                                           : nullptr;
        }
    });
}
