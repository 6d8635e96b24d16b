/* Making and looking at tensors, autograd, autocast, random state. */
#include "tensor/internal.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/TracerMode.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sparse_csr_tensor.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

using at::Tensor;

namespace
{

struct dtype_row {
    const char *name;
    size_t size;
    at::ScalarType type;
};

constexpr at::ScalarType torch_F32 = at::kFloat, torch_F64 = at::kDouble,
                         torch_F16 = at::kHalf, torch_BF16 = at::kBFloat16,
                         torch_I32 = at::kInt, torch_I64 = at::kLong,
                         torch_U8 = at::kByte, torch_I8 = at::kChar,
                         torch_BOOL = at::kBool;

constexpr dtype_row dtypes[] = {
#define DIP_DTYPE_ROW(name, size, safetensors)                                 \
    {safetensors, size, torch_##name},
    DIP_DTYPE_TABLE(DIP_DTYPE_ROW)
#undef DIP_DTYPE_ROW
};

/* Sizes of a new tensor: counted, present and not negative. */
at::IntArrayRef new_sizes(int ndim, const int64_t *sizes)
{
    at::IntArrayRef checked = dip::to_torch(ndim, sizes);
    for (int64_t size : checked)
        TORCH_CHECK(size >= 0, "negative size ", size);
    return checked;
}

at::TensorOptions options_of(dip_dtype dtype)
{
    return at::TensorOptions().dtype(dip::to_torch(dtype));
}

} // namespace

at::ScalarType dip::to_torch(dip_dtype dtype)
{
    TORCH_CHECK(dtype >= 0 && dtype < DIP_DTYPE_COUNT, "no dtype of number ",
                static_cast<int>(dtype));
    return dtypes[dtype].type;
}

dip_dtype dip::from_torch(at::ScalarType type)
{
    for (int i = 0; i < DIP_DTYPE_COUNT; i++) {
        if (dtypes[i].type == type)
            return static_cast<dip_dtype>(i);
    }
    TORCH_CHECK(false, "elements of type ", type, " are not supported");
}

at::Device dip::to_torch(dip_device device)
{
    return at::Device(device == DIP_CUDA ? at::kCUDA : at::kCPU);
}

at::IntArrayRef dip::to_torch(int count, const int64_t *items)
{
    TORCH_CHECK(count >= 0, "negative count ", count);
    TORCH_CHECK(count == 0 || items != nullptr, "the list of sizes is NULL");
    return at::IntArrayRef(items, static_cast<size_t>(count));
}

extern "C" {

size_t dip_dtype_size(dip_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *dip_dtype_name(dip_dtype dtype)
{
    return dtypes[dtype].name;
}

/* ---- making ------------------------------------------------------------- */

/* The tracer cannot see elements being copied in: such a tensor must stay out
 * of its sight to become a constant of the graph. */
dip_tensor *dip_tensor_from(const void *data, dip_dtype dtype, int ndim,
                            const int64_t *sizes)
{
    return dip::op("tensor_from", [&] {
        at::tracer::impl::NoTracerDispatchMode untraced;
        Tensor t = at::empty(new_sizes(ndim, sizes), options_of(dtype));
        TORCH_CHECK(data != nullptr || t.numel() == 0, "the data are NULL");
        if (t.numel() > 0)
            std::memcpy(t.mutable_data_ptr(), data, t.nbytes());
        return t;
    });
}

dip_tensor *dip_tensor_borrow(void *data, dip_dtype dtype, int ndim,
                              const int64_t *sizes)
{
    return dip::op("tensor_borrow", [&] {
        Tensor t =
            at::from_blob(data, new_sizes(ndim, sizes), options_of(dtype));
        TORCH_CHECK(data != nullptr || t.numel() == 0, "the data are NULL");
        return t;
    });
}

dip_tensor *dip_tensor_empty(dip_dtype dtype, int ndim, const int64_t *sizes)
{
    return dip::op("tensor_empty", [&] {
        return at::empty(new_sizes(ndim, sizes), options_of(dtype));
    });
}

dip_tensor *dip_tensor_full(double value, dip_dtype dtype, int ndim,
                            const int64_t *sizes)
{
    return dip::op("tensor_full", [&] {
        return at::full(new_sizes(ndim, sizes), value, options_of(dtype));
    });
}

dip_tensor *dip_tensor_scalar(double value, dip_dtype dtype)
{
    return dip_tensor_full(value, dtype, 0, nullptr);
}

dip_tensor *dip_tensor_arange(int64_t end)
{
    return dip::op("tensor_arange", [&] { return at::arange(end, at::kLong); });
}

dip_tensor *dip_tensor_eye(int64_t n)
{
    return dip::op("tensor_eye", [&] { return at::eye(n, at::kFloat); });
}

dip_tensor *dip_tensor_sparse(const dip_tensor *offsets,
                              const dip_tensor *columns,
                              const dip_tensor *values, int64_t width)
{
    /* libtorch calls the format beta at its first use, on stderr. */
    struct silent : c10::WarningHandler {
        void process(const c10::Warning &) override
        {
        }
    } handler;
    return dip::op(
        "tensor_sparse",
        [&](const Tensor &o, const Tensor &c, const Tensor &v) {
            c10::WarningUtils::WarningHandlerGuard guard(&handler);
            return at::sparse_csr_tensor(o, c, v, {o.numel() - 1, width},
                                         v.options().layout(at::kSparseCsr));
        },
        offsets, columns, values);
}

/* ---- looking ------------------------------------------------------------ */

int dip_tensor_ndim(const dip_tensor *t)
{
    return dip::guarded(
        "ndim", 0, [](const Tensor &x) { return static_cast<int>(x.dim()); },
        t);
}

int64_t dip_tensor_size(const dip_tensor *t, int dim)
{
    return dip::guarded(
        "size", int64_t{0}, [&](const Tensor &x) { return x.size(dim); }, t);
}

int64_t dip_tensor_numel(const dip_tensor *t)
{
    return dip::guarded(
        "numel", int64_t{0}, [](const Tensor &x) { return x.numel(); }, t);
}

dip_dtype dip_tensor_dtype(const dip_tensor *t)
{
    return dip::guarded(
        "dtype", DIP_F32,
        [](const Tensor &x) { return dip::from_torch(x.scalar_type()); }, t);
}

dip_device dip_tensor_device(const dip_tensor *t)
{
    return dip::guarded(
        "device", DIP_CPU,
        [](const Tensor &x) { return x.is_cuda() ? DIP_CUDA : DIP_CPU; }, t);
}

double dip_tensor_item(const dip_tensor *t)
{
    return dip::guarded(
        "item", std::numeric_limits<double>::quiet_NaN(),
        [](const Tensor &x) { return x.item().toDouble(); }, t);
}

void dip_tensor_read(const dip_tensor *t, dip_dtype dtype, void *out,
                     size_t bytes)
{
    dip::run(
        "read",
        [&](const Tensor &x) {
            Tensor plain =
                x.detach().to(at::kCPU, dip::to_torch(dtype)).contiguous();
            TORCH_CHECK(plain.nbytes() <= bytes, "room for ", bytes,
                        " bytes, needs ", plain.nbytes());
            if (plain.numel() > 0)
                std::memcpy(out, plain.const_data_ptr(), plain.nbytes());
        },
        t);
}

void *dip_tensor_data(const dip_tensor *t)
{
    return dip::guarded(
        "data", static_cast<void *>(nullptr),
        [](const Tensor &x) {
            TORCH_CHECK(x.is_cpu(), "the tensor is not on the CPU");
            TORCH_CHECK(x.is_contiguous(), "the tensor is not contiguous");
            return x.mutable_data_ptr();
        },
        t);
}

void dip_tensor_assign(dip_tensor *t, const dip_tensor *source)
{
    dip::run(
        "assign",
        [](const Tensor &to, const Tensor &from) {
            TORCH_CHECK(to.sizes() == from.sizes(), "shape ", from.sizes(),
                        " does not fit ", to.sizes());
            at::NoGradGuard no_grad;
            to.copy_(from);
        },
        t, source);
}

void dip_tensor_put_rows(dip_tensor *t, const dip_tensor *rows,
                         const dip_tensor *source)
{
    dip::run(
        "put_rows",
        [](const Tensor &x, const Tensor &at, const Tensor &from) {
            at::NoGradGuard no_grad;
            x.index_copy_(0, at, from);
        },
        t, rows, source);
}

void dip_tensor_rebind(dip_tensor *t, const dip_tensor *source)
{
    dip::run(
        "rebind",
        [](const Tensor &to, const Tensor &from) {
            TORCH_CHECK(to.is_leaf(), "only a leaf can be bound anew");
            to.mutable_grad().reset();
            to.set_data(from.detach());
        },
        t, source);
}

void dip_tensor_point(dip_tensor *t, const dip_tensor *source)
{
    if (t != nullptr && source != nullptr)
        t->value = source->value;
}

/* ---- autograd ----------------------------------------------------------- */

void dip_tensor_set_requires_grad(dip_tensor *t, bool on)
{
    dip::run(
        "set_requires_grad", [&](const Tensor &x) { x.set_requires_grad(on); },
        t);
}

bool dip_tensor_requires_grad(const dip_tensor *t)
{
    return dip::guarded(
        "requires_grad", false,
        [](const Tensor &x) { return x.requires_grad(); }, t);
}

void dip_tensor_backward(const dip_tensor *loss)
{
    dip::run(
        "backward", [](const Tensor &x) { x.backward(); }, loss);
}

dip_tensor *dip_tensor_grad(const dip_tensor *t)
{
    return dip::guarded(
        "grad", static_cast<dip_tensor *>(nullptr),
        [](const Tensor &x) {
            const Tensor &grad = x.grad();
            return grad.defined() ? dip::push(grad) : nullptr;
        },
        t);
}

void dip_tensor_grad_rows(const dip_tensor *t, dip_tensor **rows,
                          dip_tensor **values)
{
    *rows = *values = nullptr;
    dip::run(
        "grad_rows",
        [&](const Tensor &x) {
            const Tensor &grad = x.grad();
            if (!grad.defined())
                return;
            TORCH_CHECK(grad.is_sparse(), "the gradient is not sparse");
            Tensor summed = grad.coalesce();
            *rows = dip::push(summed.indices().select(0, 0));
            *values = dip::push(summed.values());
        },
        t);
}

void dip_tensor_set_grad(dip_tensor *t, const dip_tensor *grad)
{
    dip::run(
        "set_grad",
        [](const Tensor &x, const Tensor &g) {
            TORCH_CHECK(x.sizes() == g.sizes(), "gradient of shape ", g.sizes(),
                        " for a tensor of shape ", x.sizes());
            x.mutable_grad() = g.detach();
        },
        t, grad);
}

void dip_tensor_clear_grad(dip_tensor *t)
{
    dip::run(
        "clear_grad", [](const Tensor &x) { x.mutable_grad().reset(); }, t);
}

bool dip_tensor_set_grad_mode(bool on)
{
    bool before = at::GradMode::is_enabled();
    at::GradMode::set_enabled(on);
    return before;
}

/* Works while an error sticks too: modes must be handed back then as well. */
bool dip_tensor_set_autocast(dip_device device, bool on)
{
    bool before = false;
    try {
        at::DeviceType type = dip::to_torch(device).type();
        before = at::autocast::is_autocast_enabled(type);
        at::autocast::set_autocast_dtype(type, at::kBFloat16);
        at::autocast::set_autocast_enabled(type, on);
        if (!on)
            at::autocast::clear_cache();
    } catch (...) {
        dip::fail_exception("set_autocast");
    }
    return before;
}

/* ---- random numbers ----------------------------------------------------- */

void dip_tensor_seed(uint64_t seed)
{
    dip::run("seed", [&] { at::manual_seed(seed); });
}

dip_tensor *dip_tensor_rng_state(void)
{
    return dip::op("rng_state", [] {
        at::Generator generator = at::detail::getDefaultCPUGenerator();
        std::lock_guard<std::mutex> lock(generator.mutex());
        return generator.get_state();
    });
}

void dip_tensor_set_rng_state(const dip_tensor *state)
{
    dip::run(
        "set_rng_state",
        [](const Tensor &saved) {
            at::Generator generator = at::detail::getDefaultCPUGenerator();
            std::lock_guard<std::mutex> lock(generator.mutex());
            generator.set_state(saved);
        },
        state);
}

} // extern "C"
