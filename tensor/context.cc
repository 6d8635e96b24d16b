#include "tensor/internal.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <new>
#include <string>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace
{

/* Closed scopes stay in `scopes` so that their memory is used again. */
struct context {
    dip_err error{};
    std::vector<std::vector<dip_tensor *>> scopes;
    int depth = 0;
};

/* The scope stack and the sticky error of the calling thread. */
thread_local context here;

/* Live handles of all threads: leak tests compare it before and after. */
std::atomic<int64_t> live{0};

/* libtorch's messages may span lines; ours are one line. */
std::string one_line(const char *text)
{
    std::string line;
    for (; *text != '\0'; text++) {
        char c = *text == '\n' || *text == '\t' ? ' ' : *text;
        if (c != ' ' || (!line.empty() && line.back() != ' '))
            line += c;
    }
    while (!line.empty() && (line.back() == ' ' || line.back() == '.'))
        line.pop_back();
    return line;
}

void fail_with(dip_status code, const char *operation, const char *what)
{
    dip_tensor_fail(code, "%s: %s", operation, one_line(what).c_str());
}

/* Takes `t` out of the scope that would free it. */
void leave_scope(dip_tensor *t)
{
    if (t->scope == dip::kept)
        return;
    auto &handles = here.scopes[t->scope];
    handles[t->slot] = nullptr;
    if (t->slot + 1 == handles.size())
        handles.pop_back();
    t->scope = dip::kept;
}

void enter_scope(dip_tensor *t, int scope)
{
    auto &handles = here.scopes[scope];
    handles.push_back(t);
    t->scope = scope;
    t->slot = handles.size() - 1;
}

} // namespace

bool dip::failed()
{
    return here.error.code != DIP_OK;
}

void dip::fail_null(const char *operation, int input)
{
    dip_tensor_fail(DIP_ETENSOR, "%s: input %d is NULL", operation, input);
}

void dip::fail_exception(const char *operation)
{
    try {
        throw;
    } catch (const c10::OutOfMemoryError &e) {
        fail_with(DIP_ENOMEM, operation, e.what_without_backtrace());
    } catch (const c10::Error &e) {
        fail_with(DIP_ETENSOR, operation, e.what_without_backtrace());
    } catch (const std::bad_alloc &) {
        fail_with(DIP_ENOMEM, operation, "out of memory");
    } catch (const std::exception &e) {
        fail_with(DIP_ETENSOR, operation, e.what());
    } catch (...) {
        fail_with(DIP_ETENSOR, operation, "unknown exception");
    }
}

dip_tensor *dip::push(at::Tensor value)
{
    assert(here.depth > 0 && "an operation needs an open scope");
    auto *t = new dip_tensor{std::move(value), kept, 0};
    try {
        enter_scope(t, here.depth - 1);
    } catch (...) {
        delete t;
        throw;
    }
    live.fetch_add(1, std::memory_order_relaxed);
    return t;
}

extern "C" {

dip_status dip_tensor_status(dip_err *err)
{
    if (here.error.code == DIP_OK)
        return DIP_OK;
    dip_status code = dip_fail(err, here.error.code, "%s", here.error.msg);
    here.error.code = DIP_OK;
    return code;
}

bool dip_tensor_failed(void)
{
    return dip::failed();
}

void dip_tensor_fail(dip_status code, const char *fmt, ...)
{
    if (dip::failed())
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(here.error.msg, sizeof here.error.msg, fmt, args);
    va_end(args);
    here.error.code = code == DIP_OK ? DIP_FAIL : code;
}

void dip_scope_open(void)
{
    if (static_cast<size_t>(here.depth) == here.scopes.size())
        here.scopes.emplace_back();
    here.depth++;
}

void dip_scope_close(void)
{
    assert(here.depth > 0 && "more scopes closed than opened");
    auto &handles = here.scopes[here.depth - 1];
    while (!handles.empty()) {
        dip_tensor *t = handles.back();
        handles.pop_back();
        if (t == nullptr)
            continue;
        t->scope = dip::kept;
        dip_tensor_free(t);
    }
    here.depth--;
}

int64_t dip_tensor_live_count(void)
{
    return live.load(std::memory_order_relaxed);
}

const char *dip_tensor_torch_version(void)
{
    return TORCH_VERSION;
}

void dip_tensor_set_threads(int threads)
{
    dip::run("set_threads", [&] { at::set_num_threads(threads); });
}

int dip_tensor_threads(void)
{
    return at::get_num_threads();
}

bool dip_tensor_has_cuda(void)
{
    return dip::guarded("has_cuda", false, [] { return at::hasCUDA(); });
}

bool dip_tensor_has_fast_bf16(dip_device device)
{
    if (device == DIP_CUDA)
        return dip_tensor_has_cuda();
#if defined(__x86_64__)
    /* Every CPU with AMX has AVX512_BF16 too. */
    return __builtin_cpu_supports("avx512bf16") != 0;
#elif defined(__aarch64__)
    constexpr unsigned long hwcap2_bf16 = 1UL << 14;
    return (getauxval(AT_HWCAP2) & hwcap2_bf16) != 0;
#else
    return false;
#endif
}

dip_tensor *dip_tensor_keep(dip_tensor *t)
{
    if (dip::failed())
        return nullptr;
    if (t == nullptr) {
        dip::fail_null("keep", 1);
        return nullptr;
    }
    if (t->scope == dip::kept) {
        dip_tensor_fail(DIP_ETENSOR, "keep: the tensor is kept already");
        return nullptr;
    }
    leave_scope(t);
    return t;
}

dip_tensor *dip_tensor_return(dip_tensor *t)
{
    assert(here.depth > 1 && "no scope around the innermost");
    bool moved = dip::run(
        "return",
        [&](const auto &) {
            if (t->scope != here.depth - 1)
                return;
            leave_scope(t);
            enter_scope(t, here.depth - 2);
        },
        t);
    return moved ? t : nullptr;
}

void dip_tensor_free(dip_tensor *t)
{
    if (t == nullptr)
        return;
    leave_scope(t);
    delete t;
    live.fetch_sub(1, std::memory_order_relaxed);
}

dip_tensor *dip_tensor_alias(const dip_tensor *t)
{
    return dip::op(
        "alias", [](const at::Tensor &x) { return x; }, t);
}

} // extern "C"
