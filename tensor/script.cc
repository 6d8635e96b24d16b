/* TorchScript: tracing into a module that owns its parameters, and running
 * saved modules. */
#include "tensor/script.h"
#include "tensor/internal.h"

#include <algorithm>
#include <memory>
#include <string>

#include <ATen/core/stack.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/serialization/import.h>

namespace jit = torch::jit;
using c10::IValue;

namespace
{

using unit_ptr = std::shared_ptr<jit::CompilationUnit>;

jit::Module new_module(const std::string &class_name, const unit_ptr &unit)
{
    jit::Module module(c10::QualifiedName("__torch__." + class_name), unit,
                       /*shouldMangle=*/true);
    /* Module::eval() of those who load the file insists on it. */
    module.register_attribute("training", c10::BoolType::get(), false);
    return module;
}

/* The submodule `name` of `parent`, made when there is none. */
jit::Module submodule(jit::Module &parent, const std::string &name,
                      const unit_ptr &unit)
{
    if (parent.hasattr(name))
        return parent.attr(name).toModule();
    jit::Module child = new_module("Module", unit);
    parent.register_module(name, child);
    return child;
}

/* Registers "a.b.weight" as the attribute `weight` of the module a.b. */
void register_tensor(jit::Module module, const dip_named_tensor &named,
                     const unit_ptr &unit)
{
    TORCH_CHECK(named.name != nullptr && named.tensor != nullptr,
                "a parameter or its name is NULL");
    std::string rest = named.name;
    for (size_t dot; (dot = rest.find('.')) != std::string::npos;) {
        TORCH_CHECK(dot > 0, "empty part in the name '", named.name, "'");
        module = submodule(module, rest.substr(0, dot), unit);
        rest.erase(0, dot + 1);
    }
    TORCH_CHECK(!rest.empty(), "empty part in the name '", named.name, "'");
    TORCH_CHECK(!module.hasattr(rest), "two parameters named '", named.name,
                "'");
    module.register_parameter(rest, named.tensor->value, named.is_buffer);
}

struct trace_job {
    dip_trace_fn fn;
    void *user;
    int output_count;
};

/* Runs the caller's function on handles of the traced inputs. */
jit::Stack run_traced(const trace_job &job, const jit::Stack &traced)
{
    std::vector<dip_tensor *> inputs;
    for (const IValue &value : traced)
        inputs.push_back(dip::push(value.toTensor()));
    std::vector<dip_tensor *> outputs(job.output_count, nullptr);
    job.fn(job.user, inputs.data(), outputs.data());
    TORCH_CHECK(!dip::failed(), "the traced function failed");
    std::vector<IValue> values;
    for (const dip_tensor *output : outputs) {
        TORCH_CHECK(output != nullptr,
                    "the traced function left an output out");
        values.emplace_back(output->value);
    }
    if (values.size() == 1)
        return values;
    return {c10::ivalue::Tuple::create(std::move(values))};
}

jit::Module trace(const trace_job &job, jit::Stack inputs,
                  const dip_named_tensor *parameters, int parameter_count)
{
    auto unit = std::make_shared<jit::CompilationUnit>();
    jit::Module module = new_module("Diptych", unit);
    for (int i = 0; i < parameter_count; i++)
        register_tensor(module, parameters[i], unit);
    auto traced = jit::tracer::trace(
        std::move(inputs),
        [&](const jit::Stack &stack) { return run_traced(job, stack); },
        [](const at::Tensor &) { return std::string(); },
        /*strict=*/true, /*force_outplace=*/false, &module);
    c10::QualifiedName name(*module.type()->name(), "forward");
    jit::Function *method = unit->create_function(name, traced.first->graph);
    module.type()->addMethod(method);
    return module;
}

} // namespace

extern "C" {

dip_status dip_script_trace(dip_script **out, dip_trace_fn fn, void *user,
                            dip_tensor *const *inputs, int input_count,
                            int output_count,
                            const dip_named_tensor *parameters,
                            int parameter_count, dip_err *err)
{
    *out = nullptr;
    bool grad_before = dip_tensor_set_grad_mode(false);
    dip_scope_open();
    dip::run(
        "trace",
        [&](const std::vector<at::Tensor> &tensors) {
            TORCH_CHECK(fn != nullptr && output_count > 0,
                        "no function or no outputs");
            jit::Stack stack(tensors.begin(), tensors.end());
            *out =
                new dip_script{trace({fn, user, output_count}, std::move(stack),
                                     parameters, parameter_count)};
        },
        dip::handle_list{inputs, input_count});
    dip_scope_close();
    dip_tensor_set_grad_mode(grad_before);
    return dip_tensor_status(err);
}

dip_status dip_script_save(const dip_script *script, const char *path,
                           dip_err *err)
{
    dip::run("save", [&] {
        TORCH_CHECK(script != nullptr, "the script is NULL");
        script->module.save(std::string(path));
    });
    return dip_tensor_status(err);
}

dip_status dip_script_load(dip_script **out, const char *path,
                           dip_device device, dip_err *err)
{
    *out = nullptr;
    dip::run("load", [&] {
        *out =
            new dip_script{jit::load(std::string(path), dip::to_torch(device))};
    });
    return dip_tensor_status(err);
}

void dip_script_run(dip_script *script, dip_tensor *const *inputs,
                    int input_count, dip_tensor **outputs, int output_count)
{
    std::fill_n(outputs, std::max(output_count, 0), nullptr);
    dip::run(
        "forward",
        [&](const std::vector<at::Tensor> &tensors) {
            TORCH_CHECK(script != nullptr, "the script is NULL");
            IValue result = script->module.forward(
                std::vector<IValue>(tensors.begin(), tensors.end()));
            std::vector<IValue> values{result};
            if (result.isTuple())
                values = result.toTupleRef().elements().vec();
            TORCH_CHECK(values.size() == static_cast<size_t>(output_count),
                        values.size(), " outputs, not ", output_count);
            for (int i = 0; i < output_count; i++)
                outputs[i] = dip::push(values[i].toTensor());
        },
        dip::handle_list{inputs, input_count});
}

void dip_script_free(dip_script *script)
{
    delete script;
}

} // extern "C"
