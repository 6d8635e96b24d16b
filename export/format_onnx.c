/* One ONNX model for each part of the model: its trace, lowered, with any
 * number of rows and tokens, and pooling, projection and normalisation inside.
 * ONNX Runtime verifies the files. */
#include "base/file.h"
#include "export/formats.h"
#include "export/onnx_lower.h"
#include "export/onnx_part.h"
#include "export/onnxruntime.h"
#include "export/traced.h"

/* ---- writing ------------------------------------------------------------- */

static dip_status lower(dip_onnx *onnx, const dip_part *part,
                        const dip_model *model, const dip_script *script,
                        dip_err *err)
{
    dip_signature inputs[DIP_PART_INPUTS_MAX], output;
    dip_graph *graph = NULL;
    (void)dip_part_inputs(inputs, part);
    dip_part_output(&output, part, model);
    dip_status st = dip_graph_make(&graph, script, err);
    if (st == DIP_OK)
        st = dip_onnx_lower(onnx, graph, inputs, &output, err);
    dip_graph_free(graph);
    return st;
}

dip_status dip_onnx_part_save(const dip_part *part, dip_model *model,
                              const char *path, dip_err *err)
{
    dip_onnx *onnx = NULL;
    dip_script *script = NULL;
    dip_status st = dip_onnx_make(&onnx, part->name, DIP_VERSION, err);
    if (st == DIP_OK)
        st = dip_part_trace(&script, part, model, err);
    if (st == DIP_OK)
        st = lower(onnx, part, model, script, err);
    if (st == DIP_OK)
        st = dip_onnx_save(dip_onnx_model(onnx), path, err);
    else
        st = dip_fail_context(err, "'%s'", dip_path_base(path));
    dip_script_free(script);
    dip_onnx_free(onnx);
    return st;
}

/* ---- verifying ----------------------------------------------------------- */

typedef struct {
    dip_ort *session;
    const char *names[DIP_PART_INPUTS_MAX];
    int count;
    const char *output;
} runner;

static dip_tensor *run(void *user, dip_tensor *const *inputs)
{
    const runner *r = user;
    dip_tensor *rows = NULL;
    dip_err err = {0};
    dip_status st = dip_ort_run(r->session, r->names, inputs, r->count,
                                r->output, &rows, &err);
    if (st != DIP_OK)
        dip_tensor_fail(st, "%s", err.msg);
    return rows;
}

dip_status dip_onnx_part_verify(dip_gate_report *report, const dip_part *part,
                                const dip_model *model, const char *path,
                                dip_err *err)
{
    dip_signature inputs[DIP_PART_INPUTS_MAX], output;
    runner r = {.count = dip_part_inputs(inputs, part)};
    dip_part_output(&output, part, model);
    r.output = output.name;
    for (int i = 0; i < r.count; i++)
        r.names[i] = inputs[i].name;
    dip_status st = dip_ort_open(&r.session, path, dip_tensor_threads(), err);
    if (st == DIP_OK)
        st = dip_part_verify(report, part, model, dip_path_base(path),
                             &(dip_gate_side){run, &r}, DIP_GATE_FP32, err);
    dip_ort_close(r.session);
    return st;
}

static dip_status write_part(dip_export_result *result,
                             const dip_export_job *job, const dip_part *part,
                             const char *path, dip_err *err)
{
    dip_status st = dip_onnx_part_save(part, job->model, path, err);
    if (st != DIP_OK || job->unverified)
        return st;
    return dip_onnx_part_verify(&result->gate, part, job->model, path, err);
}

static dip_status write_parts(dip_export_result *result,
                              const dip_export_job *job, const char *dir,
                              dip_err *err)
{
    dip_status st = job->unverified ? DIP_OK : dip_ort_available(err);
    if (st != DIP_OK)
        return dip_fail_context(err, "onnx files cannot be verified "
                                     "(--unverified writes them all the same)");
    return dip_export_parts(result, job, dir, ".onnx", write_part, err);
}

const dip_export_format dip_export_onnx = {
    .name = "onnx",
    .summary = "ONNX models, opset 17, for ONNX Runtime and others",
    .write = write_parts,
};
