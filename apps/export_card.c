#include "apps/export_card.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/report.h"

#define REPORT_LIMIT ((size_t)256 << 20)

static bool is_of_step(const json_t *report, int64_t step)
{
    const char *schema = json_string_value(json_object_get(report, "schema"));
    const json_t *of = json_object_get(json_object_get(report, "run"), "step");
    return schema != NULL && strcmp(schema, DIP_REPORT_SCHEMA) == 0 &&
           json_is_integer(of) && json_integer_value(of) == step;
}

static dip_status read_report(dip_export_card *out, const char *dir,
                              int64_t step, dip_err *err)
{
    char *path = dip_path_join(dir, "report.json");
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    out->card.no_report = "Nobody has evaluated the run.";
    if (dip_file_exists(path)) {
        st = dip_json_load(&out->report, path, REPORT_LIMIT, err);
        if (st == DIP_OK && is_of_step(out->report, step))
            out->card.report = out->report;
        else
            out->card.no_report =
                "The report of the run is of another checkpoint.";
    }
    free(path);
    return st;
}

dip_status dip_export_card_read(dip_export_card *out, const dip_trained *run,
                                int64_t step, const dip_corpus *corpus,
                                dip_err *err)
{
    const dip_model_config *m = &run->settings->model;
    if (m->towers != DIP_TOWERS_TEXT)
        out->card.image_tower = m->image.kind;
    if (m->towers != DIP_TOWERS_IMAGE)
        out->card.text_tower = m->text.kind;
    if (run->settings->field_count > 0)
        out->card.fusion = m->fusion.kind;
    for (int i = 0; i < DIP_SPLIT_COUNT; i++)
        out->card.split_rows[i] =
            dip_catalog_split_rows(corpus->catalog, (dip_split)i);
    dip_status st = dip_run_about(&out->about, run->dir, err);
    out->card.about = out->about;
    return st == DIP_OK ? read_report(out, run->dir, step, err) : st;
}

void dip_export_card_free(dip_export_card *card)
{
    json_decref(card->about);
    json_decref(card->report);
}
