#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tensor/graph.h"
#include "tests/tensor/scope.h"

/* Two weights below a module, a chunk into two, a list put together, and a
 * product that nothing needs. */
static void compute(void *user, dip_tensor *const *inputs, dip_tensor **outputs)
{
    dip_tensor *const *weights = user;
    dip_tensor *parts[2] = {0};
    dip_tensor *y = dip_t_linear(inputs[0], weights[0], weights[1]);
    (void)dip_t_mul(y, y);
    dip_t_chunk(parts, y, 2, 1);
    dip_tensor *list[] = {parts[1], parts[0], inputs[1]};
    outputs[0] = dip_t_cat(list, 3, 1);
}

static dip_graph *trace(void)
{
    dip_tensor *weights[2] = {
        dip_tensor_full(0.5, DIP_F32, 2, (int64_t[]){4, 3}),
        dip_tensor_full(2, DIP_F32, 1, (int64_t[]){4})};
    const dip_named_tensor parameters[] = {
        {.name = "text.block.weight", .tensor = weights[0]},
        {.name = "text.block.bias", .tensor = weights[1]}};
    dip_tensor *inputs[2] = {dip_tensor_full(1, DIP_F32, 2, (int64_t[]){2, 3}),
                             dip_tensor_full(1, DIP_F32, 2, (int64_t[]){2, 1})};
    dip_script *script = NULL;
    dip_graph *graph = NULL;
    dip_err err = {0};
    assert_int_equal(dip_script_trace(&script, compute, weights, inputs, 2, 1,
                                      parameters, 2, &err),
                     DIP_OK);
    assert_int_equal(dip_graph_make(&graph, script, &err), DIP_OK);
    dip_script_free(script);
    return graph;
}

static const dip_graph_value *argument(const dip_graph *graph, int node, int i)
{
    return dip_graph_value_at(graph,
                              dip_graph_node_at(graph, node)->arguments[i]);
}

static void test_graph_has_the_nodes_that_are_needed(void **state)
{
    (void)state;
    dip_graph *graph = trace();
    assert_int_equal(dip_graph_input_count(graph), 2);
    assert_int_equal(dip_graph_node_count(graph), 3);
    static const char *const ops[] = {"aten::linear", "aten::chunk",
                                      "aten::cat"};
    for (int n = 0; n < 3; n++)
        assert_string_equal(dip_graph_node_at(graph, n)->op, ops[n]);
    const dip_graph_node *last = dip_graph_node_at(graph, 2);
    assert_int_equal(last->results[0], dip_graph_output(graph));
    const dip_graph_value *output =
        dip_graph_value_at(graph, dip_graph_output(graph));
    assert_int_equal(output->rank, 2);
    assert_int_equal(output->sizes[1], 5);
    assert_int_equal(output->dtype, DIP_F32);
    dip_graph_free(graph);
}

static void test_graph_names_weights_and_outlives_the_script(void **state)
{
    (void)state;
    dip_graph *graph = trace();
    const dip_graph_value *x = argument(graph, 0, 0);
    const dip_graph_value *weight = argument(graph, 0, 1);
    assert_int_equal(x->kind, DIP_VALUE_INPUT);
    assert_int_equal(dip_graph_node_at(graph, 0)->arguments[0],
                     dip_graph_input(graph, 0));
    assert_int_equal(weight->kind, DIP_VALUE_PARAMETER);
    assert_string_equal(weight->text, "text.block.weight");
    assert_int_equal(weight->sizes[0], 4);
    assert_int_equal(weight->sizes[1], 3);
    assert_true(dip_tensor_item(dip_t_sum_all(weight->content)) == 6);
    assert_string_equal(argument(graph, 0, 2)->text, "text.block.bias");
    dip_graph_free(graph);
}

static void test_graph_gives_the_parts_of_a_list(void **state)
{
    (void)state;
    dip_graph *graph = trace();
    const dip_graph_node *chunk = dip_graph_node_at(graph, 1);
    const dip_graph_value *list = argument(graph, 2, 0);
    assert_int_equal(chunk->result_count, 2);
    assert_int_equal(argument(graph, 1, 1)->kind, DIP_VALUE_INT);
    assert_int_equal(argument(graph, 1, 1)->i, 2);
    assert_int_equal(list->kind, DIP_VALUE_LIST);
    assert_int_equal(list->count, 3);
    assert_int_equal(list->items[0], chunk->results[1]);
    assert_int_equal(list->items[1], chunk->results[0]);
    assert_int_equal(list->items[2], dip_graph_input(graph, 1));
    dip_graph_free(graph);
}

static void test_graph_needs_a_script(void **state)
{
    (void)state;
    dip_graph *graph = NULL;
    dip_err err = {0};
    assert_int_equal(dip_graph_make(&graph, NULL, &err), DIP_ETENSOR);
    assert_null(graph);
    assert_non_null(strstr(err.msg, "the script is NULL"));
    dip_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_graph_has_the_nodes_that_are_needed),
        CASE(test_graph_names_weights_and_outlives_the_script),
        CASE(test_graph_gives_the_parts_of_a_list),
        CASE(test_graph_needs_a_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
