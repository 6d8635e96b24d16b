#include "export/origin_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "export/bits.h"
#include "export/part.h"
#include "models/initial.h"
#include "models/spelled.h"
#include "tensor/safetensors.h"

typedef struct {
    const dip_export_job *job;
    dip_origin_fit fit;
    const char *path;
} handing;

/* ---- writing ---- */

static dip_status save(const handing *h, int *count, dip_err *err)
{
    /* Loaders of Python's transformers insist on this entry. */
    static const dip_metadata metadata[] = {{"format", "pt"}};
    dip_spelled spelled;
    dip_scope_open();
    dip_status st = dip_spelled_make(&spelled, dip_model_params(h->job->model),
                                     h->fit.covered, h->fit.spelling, err);
    if (st == DIP_OK && h->fit.zero_bias) {
        const int64_t one = 1; /* dip_spelled_make() leaves room for one more */
        spelled.items[spelled.count].name = dip_strdup("logit_bias");
        spelled.items[spelled.count++].tensor =
            dip_tensor_full(0, DIP_F32, 1, &one);
    }
    if (st == DIP_OK)
        st = dip_safetensors_write(h->path, spelled.items, spelled.count,
                                   metadata, DIP_ARRAY_LEN(metadata), err);
    *count = spelled.count;
    dip_spelled_free(&spelled);
    dip_scope_close();
    return st;
}

/* ---- reading back ---- */

/* What the file does not have comes from the live model. */
static void copy_left_out(const handing *h)
{
    const dip_params *live = dip_model_params(h->job->model);
    dip_params *blank = dip_model_params(h->job->blank);
    for (int i = 0; i < dip_params_count(live); i++) {
        if (!dip_spelled_covers(h->fit.covered, dip_params_name(live, i)))
            dip_tensor_assign(dip_params_tensor(blank, i),
                              dip_params_tensor(live, i));
    }
}

static dip_initial_part part_of(const dip_origin_fit *fit)
{
    if ((fit->spelling & DIP_SPELLING_ALONE) == 0)
        return DIP_INITIAL_MODEL;
    return dip_spelled_covers(fit->covered, "image.") ? DIP_INITIAL_IMAGE
                                                      : DIP_INITIAL_TEXT;
}

/* All that the origin takes must have been in the file. */
static dip_status check_report(const handing *h,
                               const dip_initial_report *report, dip_err *err)
{
    const dip_names *lists[] = {&report->missing, &report->unfit,
                                &report->resized};
    for (size_t l = 0; l < DIP_ARRAY_LEN(lists); l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            if (dip_spelled_covers(h->fit.covered, lists[l]->items[i]))
                return dip_fail(err, DIP_EVERIFY, "'%s' lacks '%s'",
                                dip_path_base(h->path), lists[l]->items[i]);
    return DIP_OK;
}

static dip_status read_back(const handing *h, dip_err *err)
{
    dip_initial_report report;
    const dip_export_job *job = h->job;
    dip_scope_open();
    copy_left_out(h);
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st != DIP_OK)
        return st;
    st = dip_initial_load(
        &report, dip_model_params(job->blank), part_of(&h->fit),
        dip_image_kind_find(job->handed.config->image.kind), h->path, err);
    if (st == DIP_OK)
        st = check_report(h, &report, err);
    dip_initial_report_free(&report);
    return st;
}

static dip_status verify_bits(const handing *h, dip_err *err)
{
    const dip_params *live = dip_model_params(h->job->model);
    const dip_params *blank = dip_model_params(h->job->blank);
    for (int i = 0; i < dip_params_count(live); i++) {
        const char *name = dip_params_name(live, i);
        dip_scope_open();
        bool same = dip_bits_equal(dip_params_tensor(blank, i),
                                   dip_params_tensor(live, i));
        dip_scope_close();
        dip_status st = dip_tensor_status(err);
        if (st == DIP_OK && !same)
            st = dip_fail(err, DIP_EVERIFY, "'%s': '%s' differs from the model",
                          dip_path_base(h->path), name);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

typedef struct {
    const dip_part *part;
    const dip_model *model;
} reader;

static dip_tensor *compute(void *user, dip_tensor *const *inputs)
{
    const reader *r = user;
    return dip_part_compute(r->part, r->model, inputs);
}

static bool is_covered(const handing *h, const dip_part *part)
{
    if (part->head >= 0)
        return false;
    return (part->input == DIP_PART_IMAGES &&
            dip_spelled_covers(h->fit.covered, "image.")) ||
           (part->input == DIP_PART_TEXTS &&
            dip_spelled_covers(h->fit.covered, "text."));
}

static dip_status verify_rows(dip_export_result *result, const handing *h,
                              dip_err *err)
{
    dip_part parts[DIP_PARTS_MAX];
    const dip_export_job *job = h->job;
    int count = dip_part_list(parts, job->model, job->samples);
    dip_status st = DIP_OK;
    for (int i = 0; i < count && st == DIP_OK; i++) {
        char name[DIP_GATE_NAME_MAX];
        reader r = {&parts[i], job->blank};
        st = dip_export_tick(job, i, count, err);
        (void)snprintf(name, sizeof name, "%s %.*s", dip_path_base(h->path),
                       DIP_PART_NAME_MAX, parts[i].name);
        if (st == DIP_OK && is_covered(h, &parts[i]))
            st = dip_part_verify(&result->gate, &parts[i], job->model, name,
                                 &(dip_gate_side){compute, &r}, DIP_GATE_FP32,
                                 err);
    }
    return st == DIP_OK ? dip_export_tick(job, count, count, err) : st;
}

/* ---- telling ---- */

/* The parts of the model, each once, that the origin has no place for. */
static json_t *list_left_out(const handing *h)
{
    const dip_params *params = dip_model_params(h->job->model);
    json_t *list = json_array();
    char last[DIP_ORIGIN_NAME_MAX] = "";
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        size_t n = strcspn(name, ".");
        if (dip_spelled_covers(h->fit.covered, name) ||
            (strncmp(name, last, n) == 0 && last[n] == '\0'))
            continue;
        (void)snprintf(last, sizeof last, "%.*s", (int)n, name);
        (void)json_array_append_new(list, json_string(last));
    }
    return list;
}

static dip_status tell(dip_export_result *result, const handing *h, int count,
                       dip_err *err)
{
    const dip_origin *origin = h->job->origin;
    json_t *artefact =
        json_pack("{s:s, s:i, s:s, s:o}", "file", origin->file, "tensors",
                  count, "names", origin->name, "left_out", list_left_out(h));
    return json_array_append_new(result->artefacts, artefact) == 0
               ? DIP_OK
               : dip_no_memory(err);
}

dip_status dip_origin_weights_write(dip_export_result *result,
                                    const dip_export_job *job, const char *dir,
                                    dip_err *err)
{
    int count = 0;
    handing h = {.job = job};
    char *path = dip_path_join(dir, job->origin->file);
    dip_status st = path != NULL ? job->origin->fit(&h.fit, &job->handed, err)
                                 : dip_no_memory(err);
    h.path = path;
    if (st == DIP_OK)
        st = save(&h, &count, err);
    if (st == DIP_OK)
        st = read_back(&h, err);
    if (st == DIP_OK)
        st = verify_bits(&h, err);
    if (st == DIP_OK)
        st = verify_rows(result, &h, err);
    if (st == DIP_OK)
        st = tell(result, &h, count, err);
    free(path);
    return st;
}
