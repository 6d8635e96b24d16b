/* One TorchScript module for each part of the model: graph and weights, traced
 * in eval mode and F32 at batch size 2, with pooling, projection and
 * normalisation inside. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "export/formats.h"
#include "export/part.h"
#include "models/weights.h"

typedef struct {
    const dip_part *part;
    const dip_model *model;
} traced;

/* Longer texts are cut to the context; slicing knows no width of the batch. */
static void cut(dip_tensor **inputs, dip_tensor *const *given, int64_t context)
{
    const dip_arg slice[] = {{.kind = DIP_ARG_TENSOR, .as.tensor = given[0]},
                             {.kind = DIP_ARG_INT, .as.i = 1}, /* dim */
                             {.kind = DIP_ARG_INT, .as.i = 0}, /* start */
                             {.kind = DIP_ARG_INT, .as.i = context}};
    const dip_arg clamp[] = {{.kind = DIP_ARG_TENSOR, .as.tensor = given[1]},
                             {.kind = DIP_ARG_INT, .as.i = context}};
    dip_tensor_call(&inputs[0], 1, "aten::slice", "Tensor", slice, 4);
    dip_tensor_call(&inputs[1], 1, "aten::clamp_max", "", clamp, 2);
}

static void trace_part(void *user, dip_tensor *const *inputs,
                       dip_tensor **outputs)
{
    const traced *t = user;
    dip_tensor *texts[2];
    if (t->part->input == DIP_PART_TEXTS) {
        cut(texts, inputs, t->part->samples->context);
        inputs = texts;
    }
    outputs[0] = dip_part_compute(t->part, t->model, inputs);
}

/* Moves the parameters that the part needs to the front. */
static int keep_needed(dip_named_tensor *list, int count, const dip_part *part,
                       const dip_model *model)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        if (dip_part_needs(part, model, list[i].name))
            list[kept++] = list[i];
    }
    return kept;
}

static dip_status save_part(const dip_part *part, dip_model *model,
                            const char *path, dip_err *err)
{
    dip_script *script = NULL;
    dip_named_tensor *list = NULL;
    dip_tensor *inputs[DIP_GATE_TENSORS_MAX] = {0};
    const dip_params *params = dip_model_params(model);
    dip_status st = dip_weights_list(&list, params, err);
    if (st != DIP_OK)
        return st;
    int count = keep_needed(list, dip_params_count(params), part, model);
    traced t = {part, model};
    dip_scope_open();
    dip_part_example(part, inputs);
    st = dip_script_trace(&script, trace_part, &t, inputs,
                          dip_part_input_count(part), 1, list, count, err);
    dip_scope_close();
    if (st == DIP_OK)
        st = dip_script_save(script, path, err);
    dip_script_free(script);
    free(list);
    return st;
}

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
    runner r = {.input_count = dip_part_input_count(part)};
    dip_status st = dip_script_load(&r.script, path, DIP_CPU, err);
    if (st == DIP_OK)
        st = dip_part_verify(report, part, model, dip_path_base(path),
                             &(dip_gate_side){run, &r}, DIP_GATE_FP32, err);
    dip_script_free(r.script);
    return st;
}

static dip_status describe(json_t *artefacts, const dip_part *part,
                           const dip_model *model, const char *file,
                           dip_err *err)
{
    json_t *json = json_pack("{s:s}", "file", file);
    json_t *rest = dip_part_describe(part, model);
    bool ok = json_object_update(json, rest) == 0;
    json_decref(rest);
    if (!ok)
        json_decref(json);
    return ok && json_array_append_new(artefacts, json) == 0
               ? DIP_OK
               : dip_no_memory(err);
}

static dip_status write_part(dip_export_result *result,
                             const dip_export_job *job, const dip_part *part,
                             const char *dir, dip_err *err)
{
    char file[DIP_GATE_NAME_MAX];
    (void)snprintf(file, sizeof file, "%.*s.pt", DIP_PART_NAME_MAX, part->name);
    char *path = dip_path_join(dir, file);
    dip_status st = path != NULL ? save_part(part, job->model, path, err)
                                 : dip_no_memory(err);
    if (st == DIP_OK)
        st = verify_part(&result->gate, part, job->model, path, err);
    if (st == DIP_OK)
        st = describe(result->artefacts, part, job->model, file, err);
    free(path);
    return st;
}

static dip_status write_parts(dip_export_result *result,
                              const dip_export_job *job, const char *dir,
                              dip_err *err)
{
    dip_part parts[DIP_PARTS_MAX];
    int count = dip_part_list(parts, job->model, job->samples);
    dip_status st = DIP_OK;
    for (int i = 0; i < count && st == DIP_OK; i++) {
        st = dip_export_tick(job, i, count, err);
        if (st == DIP_OK)
            st = write_part(result, job, &parts[i], dir, err);
    }
    return st == DIP_OK ? dip_export_tick(job, count, count, err) : st;
}

const dip_export_format dip_export_torchscript = {
    .name = "torchscript",
    .summary = "traced modules with their weights, for torch.jit.load()",
    .write = write_parts,
};
