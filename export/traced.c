#include "export/traced.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "models/weights.h"

typedef struct {
    const dip_part *part;
    const dip_model *model;
} traced;

static void compute(void *user, dip_tensor *const *inputs, dip_tensor **outputs)
{
    const traced *t = user;
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

/* Two rows of any content; a trace bakes sizes in, and 2 is none that a model
 * has by chance everywhere. Returns how many. */
static int make_example(dip_tensor **inputs, const dip_part *part)
{
    dip_signature given[DIP_PART_INPUTS_MAX];
    dip_part plain = *part;
    plain.raw_images = false;
    int count = dip_part_inputs(given, &plain);
    for (int i = 0; i < count; i++) {
        int64_t sizes[DIP_SIGNATURE_RANK_MAX];
        for (int k = 0; k < given[i].rank; k++)
            sizes[k] = given[i].sizes[k] >= 0 ? given[i].sizes[k]
                       : k == 0               ? 2
                                              : 1;
        inputs[i] = dip_tensor_full(given[i].dtype == DIP_F32 ? 0.5 : 1.0,
                                    given[i].dtype, given[i].rank, sizes);
    }
    return count;
}

dip_status dip_part_trace(dip_script **out, const dip_part *part,
                          dip_model *model, dip_err *err)
{
    dip_named_tensor *list = NULL;
    dip_tensor *inputs[DIP_PART_INPUTS_MAX] = {0};
    const dip_params *params = dip_model_params(model);
    *out = NULL;
    dip_status st = dip_weights_list(&list, params, err);
    if (st != DIP_OK)
        return st;
    int count = keep_needed(list, dip_params_count(params), part, model);
    traced t = {part, model};
    dip_scope_open();
    int given = make_example(inputs, part);
    st = dip_script_trace(out, compute, &t, inputs, given, 1, list, count, err);
    dip_scope_close();
    free(list);
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
                             const char *path, dip_part_writer write,
                             dip_err *err)
{
    dip_status st = write(result, job, part, path, err);
    if (st == DIP_OK)
        st = describe(result->artefacts, part, job->model, dip_path_base(path),
                      err);
    return st;
}

dip_status dip_export_parts(dip_export_result *result,
                            const dip_export_job *job, const char *dir,
                            const char *suffix, dip_part_writer write,
                            dip_err *err)
{
    dip_part parts[DIP_PARTS_MAX];
    int count = dip_part_list(parts, job->model, job->samples);
    dip_status st = DIP_OK;
    for (int i = 0; i < count && st == DIP_OK; i++) {
        char file[DIP_GATE_NAME_MAX];
        parts[i].raw_images = job->onnx.raw_images;
        (void)snprintf(file, sizeof file, "%.*s%s", DIP_PART_NAME_MAX,
                       parts[i].name, suffix);
        char *path = dip_path_join(dir, file);
        st = path != NULL ? dip_export_tick(job, i, count, err)
                          : dip_no_memory(err);
        if (st == DIP_OK)
            st = write_part(result, job, &parts[i], path, write, err);
        free(path);
    }
    return st == DIP_OK ? dip_export_tick(job, count, count, err) : st;
}
