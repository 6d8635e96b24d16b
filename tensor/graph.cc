/* Traced scripts as plain data: a walk over libtorch's graph. */
#include "tensor/graph.h"

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include "tensor/internal.h"
#include "tensor/script.h"

namespace jit = torch::jit;
using c10::IValue;

/* The deques stay where they are: what they hold is pointed at. */
struct dip_graph {
    std::vector<dip_graph_value> values;
    std::vector<dip_graph_node> nodes;
    std::vector<int> inputs;
    int output = -1;
    std::deque<std::string> texts;
    std::deque<std::vector<int64_t>> ints;
    std::deque<std::vector<int>> lists;
    std::deque<dip_tensor> tensors;
};

namespace
{

struct reader {
    dip_graph &out;
    std::unordered_map<const jit::Value *, jit::Module> modules;
    std::unordered_map<const jit::Value *, std::string> paths;
    std::unordered_map<const jit::Value *, int> numbers;
    /* By the list that a node gives: the node's number in `out`. */
    std::unordered_map<const jit::Value *, size_t> splits;
};

int add(reader &r, const jit::Value *value, const dip_graph_value &described)
{
    r.out.values.push_back(described);
    return r.numbers[value] = static_cast<int>(r.out.values.size()) - 1;
}

int number_of(const reader &r, const jit::Value *value)
{
    auto found = r.numbers.find(value);
    TORCH_CHECK(found != r.numbers.end(), "value %", value->debugName(), " of ",
                value->node()->kind().toQualString(),
                " is of no kind that graphs can hold");
    return found->second;
}

const char *keep_text(reader &r, const std::string &s)
{
    r.out.texts.push_back(s);
    return r.out.texts.back().c_str();
}

/* ---- values ---- */

void describe(dip_graph_value &value, at::ScalarType dtype,
              at::IntArrayRef sizes)
{
    TORCH_CHECK(sizes.size() <= DIP_GRAPH_RANK_MAX, "a tensor of ",
                sizes.size(), " dimensions");
    value.dtype = dip::from_torch(dtype);
    value.rank = static_cast<int>(sizes.size());
    std::copy(sizes.begin(), sizes.end(), value.sizes);
}

/* A tensor that is computed, or an input. */
dip_graph_value traced(const jit::Value *value)
{
    dip_graph_value result{};
    bool is_input = value->node()->kind() == c10::prim::Param;
    result.kind = is_input ? DIP_VALUE_INPUT : DIP_VALUE_RESULT;
    auto type = value->type()->cast<c10::TensorType>();
    if (type && type->scalarType() && type->sizes().concrete_sizes())
        describe(result, *type->scalarType(), *type->sizes().concrete_sizes());
    return result;
}

dip_graph_value holding(reader &r, dip_value_kind kind,
                        const at::Tensor &tensor)
{
    dip_graph_value result{};
    result.kind = kind;
    describe(result, tensor.scalar_type(), tensor.sizes());
    r.out.tensors.push_back(dip_tensor{tensor, dip::kept, 0});
    result.content = &r.out.tensors.back();
    return result;
}

void set_ints(reader &r, dip_graph_value &value, std::vector<int64_t> items)
{
    r.out.ints.push_back(std::move(items));
    value.kind = DIP_VALUE_INTS;
    value.ints = r.out.ints.back().data();
    value.count = static_cast<int>(r.out.ints.back().size());
}

void set_integer(dip_graph_value &value, dip_value_kind kind, int64_t i)
{
    value.kind = kind;
    value.i = i;
}

/* False for a constant of a kind that no model uses. */
bool read_constant(reader &r, dip_graph_value &value, const IValue &constant)
{
    if (constant.isTensor()) {
        value = holding(r, DIP_VALUE_TENSOR, constant.toTensor());
    } else if (constant.isNone() || constant.isDevice()) {
        value.kind = DIP_VALUE_NONE;
    } else if (constant.isInt()) {
        set_integer(value, DIP_VALUE_INT, constant.toInt());
    } else if (constant.isBool()) {
        set_integer(value, DIP_VALUE_BOOL, constant.toBool());
    } else if (constant.isDouble()) {
        value.kind = DIP_VALUE_FLOAT;
        value.f = constant.toDouble();
    } else if (constant.isString()) {
        value.kind = DIP_VALUE_STRING;
        value.text = keep_text(r, constant.toStringRef());
    } else if (constant.isIntList()) {
        set_ints(r, value, constant.toIntVector());
    } else {
        return false;
    }
    return true;
}

/* ---- nodes ---- */

/* self.image.layer1: a module, or a tensor by its dotted path. */
void read_attribute(reader &r, const jit::Node *node)
{
    const jit::Value *parent = node->input();
    const std::string &name = node->s(c10::attr::name);
    std::string path =
        r.paths.count(parent) ? r.paths[parent] + "." + name : name;
    IValue found = r.modules.at(parent).attr(name);
    if (found.isModule()) {
        r.modules.emplace(node->output(), found.toModule());
        r.paths[node->output()] = path;
        return;
    }
    dip_graph_value value = holding(r, DIP_VALUE_PARAMETER, found.toTensor());
    value.text = keep_text(r, path);
    add(r, node->output(), value);
}

void read_list(reader &r, const jit::Node *node)
{
    dip_graph_value value{};
    std::vector<int64_t> ints;
    std::vector<int> items;
    for (const jit::Value *item : node->inputs()) {
        items.push_back(number_of(r, item));
        const dip_graph_value &known = r.out.values[items.back()];
        if (known.kind == DIP_VALUE_INT || known.kind == DIP_VALUE_BOOL)
            ints.push_back(known.i);
    }
    if (ints.size() == items.size()) {
        set_ints(r, value, std::move(ints));
    } else {
        r.out.lists.push_back(std::move(items));
        value.kind = DIP_VALUE_LIST;
        value.items = r.out.lists.back().data();
        value.count = static_cast<int>(r.out.lists.back().size());
    }
    add(r, node->output(), value);
}

void set_results(reader &r, dip_graph_node &described, const jit::Node *node)
{
    r.out.lists.emplace_back();
    for (const jit::Value *output : node->outputs())
        r.out.lists.back().push_back(add(r, output, traced(output)));
    described.results = r.out.lists.back().data();
    described.result_count = static_cast<int>(r.out.lists.back().size());
}

void read_operation(reader &r, const jit::Node *node)
{
    dip_graph_node described{};
    r.out.lists.emplace_back();
    for (const jit::Value *input : node->inputs())
        r.out.lists.back().push_back(number_of(r, input));
    described.op = keep_text(r, node->kind().toQualString());
    described.arguments = r.out.lists.back().data();
    described.argument_count = static_cast<int>(r.out.lists.back().size());
    set_results(r, described, node);
    r.out.nodes.push_back(described);
    if (node->outputs().size() == 1)
        r.splits[node->output()] = r.out.nodes.size() - 1;
}

/* The tensors of a list are results of the node that gave the list. */
void read_unpacked(reader &r, const jit::Node *node)
{
    auto split = r.splits.find(node->input());
    TORCH_CHECK(split != r.splits.end(), "a list of unknown origin");
    set_results(r, r.out.nodes[split->second], node);
}

void read_node(reader &r, const jit::Node *node)
{
    auto kind = node->kind();
    if (kind == c10::prim::Constant) {
        dip_graph_value value{};
        auto constant = jit::toIValue(node->output());
        if (constant && read_constant(r, value, *constant))
            add(r, node->output(), value);
    } else if (kind == c10::prim::GetAttr) {
        read_attribute(r, node);
    } else if (kind == c10::prim::ListConstruct) {
        read_list(r, node);
    } else if (kind == c10::prim::ListUnpack) {
        read_unpacked(r, node);
    } else if (kind != c10::prim::TupleConstruct) {
        read_operation(r, node);
    }
}

const jit::Value *first_output(const jit::Graph &graph)
{
    const jit::Value *value = graph.outputs()[0];
    bool is_tuple = value->node()->kind() == c10::prim::TupleConstruct;
    return is_tuple ? value->node()->input(0) : value;
}

void read_graph(reader &r, const jit::Graph &graph, const jit::Module &self)
{
    TORCH_CHECK(!graph.inputs().empty() && graph.outputs().size() == 1,
                "a graph without inputs or with many outputs");
    r.modules.emplace(graph.inputs()[0], self);
    for (size_t i = 1; i < graph.inputs().size(); i++)
        r.out.inputs.push_back(
            add(r, graph.inputs()[i], traced(graph.inputs()[i])));
    for (const jit::Node *node : graph.nodes())
        read_node(r, node);
    r.out.output = number_of(r, first_output(graph));
}

} // namespace

extern "C" {

dip_status dip_graph_make(dip_graph **out, const dip_script *script,
                          dip_err *err)
{
    *out = nullptr;
    dip::run("graph", [&] {
        TORCH_CHECK(script != nullptr, "the script is NULL");
        auto made = std::make_unique<dip_graph>();
        auto graph = script->module.get_method("forward").graph()->copy();
        jit::EliminateDeadCode(graph);
        reader r{*made, {}, {}, {}, {}};
        read_graph(r, *graph, script->module);
        *out = made.release();
    });
    return dip_tensor_status(err);
}

void dip_graph_free(dip_graph *graph)
{
    delete graph;
}

int dip_graph_value_count(const dip_graph *graph)
{
    return static_cast<int>(graph->values.size());
}

const dip_graph_value *dip_graph_value_at(const dip_graph *graph, int value)
{
    return &graph->values[value];
}

int dip_graph_node_count(const dip_graph *graph)
{
    return static_cast<int>(graph->nodes.size());
}

const dip_graph_node *dip_graph_node_at(const dip_graph *graph, int node)
{
    return &graph->nodes[node];
}

int dip_graph_input_count(const dip_graph *graph)
{
    return static_cast<int>(graph->inputs.size());
}

int dip_graph_input(const dip_graph *graph, int input)
{
    return graph->inputs[input];
}

int dip_graph_output(const dip_graph *graph)
{
    return graph->output;
}

} // extern "C"
