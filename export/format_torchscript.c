/* One TorchScript module for each part of the model: graph and weights, traced
 * in eval mode and F32, with pooling, projection and normalisation inside. */
#include <stdlib.h>

#include "base/file.h"
#include "export/formats.h"
#include "export/traced.h"

typedef struct {
    dip_script *script;
    int input_count;
} runner;

static dip_tensor *run(void *user, dip_tensor *const *inputs)
{
    const runner *r = user;
    dip_tensor *rows = NULL;
    dip_script_run(r->script, inputs, r->input_count, &rows, 1);
    return rows;
}

/* Reads the file back and compares it with the model. */
static dip_status verify_part(dip_gate_report *report, const dip_part *part,
                              const dip_model *model, const char *path,
                              dip_err *err)
{
    dip_signature inputs[DIP_PART_INPUTS_MAX];
    runner r = {.input_count = dip_part_inputs(inputs, part)};
    dip_status st = dip_script_load(&r.script, path, DIP_CPU, err);
    if (st == DIP_OK)
        st = dip_part_verify(report, part, model, dip_path_base(path),
                             &(dip_gate_side){run, &r}, DIP_GATE_FP32, err);
    dip_script_free(r.script);
    return st;
}

static dip_status write_part(dip_export_result *result,
                             const dip_export_job *job, const dip_part *part,
                             const char *path, dip_err *err)
{
    dip_script *script = NULL;
    dip_status st = dip_part_trace(&script, part, job->model, err);
    if (st == DIP_OK)
        st = dip_script_save(script, path, err);
    dip_script_free(script);
    return st == DIP_OK
               ? verify_part(&result->gate, part, job->model, path, err)
               : st;
}

static dip_status write_parts(dip_export_result *result,
                              const dip_export_job *job, const char *dir,
                              dip_err *err)
{
    return dip_export_parts(result, job, dir, ".pt", write_part, err);
}

const dip_export_format dip_export_torchscript = {
    .name = "torchscript",
    .summary = "traced modules with their weights, for torch.jit.load()",
    .write = write_parts,
};
