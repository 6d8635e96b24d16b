/* What the tests of passes over ONNX models share: models of one input, and
 * running them. */
#ifndef DIP_TESTS_EXPORT_ONNX_HELPER_H
#define DIP_TESTS_EXPORT_ONNX_HELPER_H

#include "export/onnx.h"
#include "export/onnx_rewrite.h"
#include "export/onnxruntime.h"
#include "tests/export/helper.h"

static inline dip_onnx *make_onnx(void)
{
    dip_onnx *onnx = NULL;
    dip_err err = {0};
    assert_ok(dip_onnx_make(&onnx, "test", "0", &err), &err);
    return onnx;
}

static inline dip_signature rows_of(const char *name, int64_t width)
{
    return (dip_signature){.name = name,
                           .dtype = DIP_F32,
                           .rank = 2,
                           .sizes = {-1, width},
                           .axes = {"B"}};
}

/* F32 [B, width] */
static inline const char *add_input(dip_onnx *onnx, const char *name,
                                    int64_t width)
{
    const dip_signature s = rows_of(name, width);
    return dip_onnx_input(onnx, &s);
}

static inline void add_output(dip_onnx *onnx, const char *name,
                              const char *value, int64_t width)
{
    const dip_signature s = rows_of(name, width);
    dip_onnx_output(onnx, value, &s);
}

static inline int count_nodes(dip_onnx *onnx, const char *op)
{
    const Onnx__GraphProto *graph = dip_onnx_model(onnx)->graph;
    int count = 0;
    for (size_t i = 0; i < graph->n_node; i++)
        count += strcmp(graph->node[i]->op_type, op) == 0;
    return count;
}

/* An output for the input "x", by way of a file. */
static inline dip_tensor *run_onnx(dip_onnx *onnx, dip_tensor *x,
                                   const char *output)
{
    static const char *const names[] = {"x"};
    char path[64];
    place p = make_place();
    dip_err err = {0};
    dip_ort *session = NULL;
    dip_tensor *y = NULL;
    (void)snprintf(path, sizeof path, "%s/model.onnx", p.root);
    assert_ok(dip_onnx_status(onnx, &err), &err);
    assert_ok(dip_onnx_save(dip_onnx_model(onnx), path, &err), &err);
    assert_ok(dip_ort_open(&session, path, 1, &err), &err);
    assert_ok(dip_ort_run(session, names, &x, 1, output, &y, &err), &err);
    dip_ort_close(session);
    remove_place(&p);
    return y;
}

#endif
