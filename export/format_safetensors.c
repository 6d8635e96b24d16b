/* All weights in one file, under the names of tensor/params.h, or those that an
 * origin takes under its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "export/bits.h"
#include "export/formats.h"
#include "export/origin_weights.h"
#include "export/part.h"
#include "models/weights.h"

#define FILE_NAME "model.safetensors"

/* ---- bits ---------------------------------------------------------------- */

static dip_status compare_file(const dip_safetensors *file,
                               const dip_params *params, dip_err *err)
{
    if (dip_safetensors_count(file) != dip_params_count(params))
        return dip_fail(err, DIP_EVERIFY, "'%s' holds %d tensors, not %d",
                        FILE_NAME, dip_safetensors_count(file),
                        dip_params_count(params));
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        int found = dip_safetensors_find(file, name);
        if (found < 0)
            return dip_fail(err, DIP_EVERIFY, "'%s' lacks '%s'", FILE_NAME,
                            name);
        dip_scope_open();
        bool same = dip_bits_equal(dip_safetensors_tensor(file, found),
                                   dip_params_tensor(params, i));
        dip_scope_close();
        dip_status st = dip_tensor_status(err);
        if (st == DIP_OK && !same)
            st = dip_fail(err, DIP_EVERIFY, "'%s': '%s' differs from the model",
                          FILE_NAME, name);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status verify_bits(const char *path, const dip_params *params,
                              dip_err *err)
{
    dip_safetensors *file = NULL;
    dip_status st = dip_safetensors_open(&file, path, err);
    if (st == DIP_OK)
        st = compare_file(file, params, err);
    dip_safetensors_close(file);
    return st;
}

/* ---- rows ---------------------------------------------------------------- */

typedef struct {
    const dip_part *part;
    const dip_model *model;
} reader;

static dip_tensor *compute(void *user, dip_tensor *const *inputs)
{
    const reader *r = user;
    return dip_part_compute(r->part, r->model, inputs);
}

static dip_status verify_part(dip_export_result *result,
                              const dip_export_job *job, const dip_part *part,
                              dip_err *err)
{
    char name[DIP_GATE_NAME_MAX];
    (void)snprintf(name, sizeof name, "%s %.*s", FILE_NAME, DIP_PART_NAME_MAX,
                   part->name);
    reader r = {part, job->blank};
    return dip_part_verify(&result->gate, part, job->model, name,
                           &(dip_gate_side){compute, &r}, DIP_GATE_FP32, err);
}

/* The file, read into the blank model, must encode as the live one does. */
static dip_status verify_rows(dip_export_result *result,
                              const dip_export_job *job, const char *path,
                              dip_err *err)
{
    dip_part parts[DIP_PARTS_MAX];
    int count = dip_part_list(parts, job->model, job->samples);
    dip_status st =
        dip_weights_load(dip_model_params(job->blank), "", path, err);
    for (int i = 0; i < count && st == DIP_OK; i++) {
        st = dip_export_tick(job, i, count, err);
        if (st == DIP_OK)
            st = verify_part(result, job, &parts[i], err);
    }
    return st == DIP_OK ? dip_export_tick(job, count, count, err) : st;
}

static dip_status write_weights(dip_export_result *result,
                                const dip_export_job *job, const char *dir,
                                dip_err *err)
{
    /* Loaders of Python's transformers insist on this entry. */
    static const dip_metadata metadata[] = {{"format", "pt"}};
    if (job->origin != NULL)
        return dip_origin_weights_write(result, job, dir, err);
    const dip_params *params = dip_model_params(job->model);
    char *path = dip_path_join(dir, FILE_NAME);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st =
        dip_weights_save(params, path, metadata, DIP_ARRAY_LEN(metadata), err);
    if (st == DIP_OK)
        st = verify_bits(path, params, err);
    if (st == DIP_OK)
        st = verify_rows(result, job, path, err);
    free(path);
    json_t *artefact = json_pack("{s:s, s:i}", "file", FILE_NAME, "tensors",
                                 dip_params_count(params));
    if (json_array_append_new(result->artefacts, artefact) != 0 && st == DIP_OK)
        st = dip_no_memory(err);
    return st;
}

const dip_export_format dip_export_safetensors = {
    .name = "safetensors",
    .summary = "all weights by name, without the graph",
    .write = write_weights,
};
