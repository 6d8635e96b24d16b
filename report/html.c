#include "report/html.h"

#include <string.h>

#include "base/mem.h"
#include "report/check.h"
#include "report/html_parts.h"
#include "report/html_text.h"

static const dip_html_section sections[] = {
    {"summary", "Summary", dip_html_summary},
    {"learning", "Learning", dip_html_learning},
    {"retrieval", "Retrieval", dip_html_retrieval},
    {"galleries", "Galleries", dip_html_galleries},
    {"slices", "Slices", dip_html_slices},
    {"classification", "Classification", dip_html_classification},
    {"zero-shot", "Zero-shot", dip_html_zero_shot},
    {"knn", "Nearest neighbours", dip_html_knn},
    {"linear-probe", "Linear probe", dip_html_linear_probe},
    {"matching", "Matching", dip_html_matching},
    {"facts", "Run and data", dip_html_facts},
};

static const char *word(const json_t *report, const char *part, const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(report, part), key));
}

static void add_lead(dip_str *out, const json_t *report)
{
    const char *split = word(report, "data", "split");
    const char *path = word(report, "data", "path");
    const char *checkpoint = word(report, "run", "checkpoint");
    const json_t *rows =
        json_object_get(json_object_get(report, "data"), "rows");
    if (split != NULL) {
        dip_str_add(out, "On the ");
        dip_html_name(out, split);
        dip_str_add(out, " split");
    }
    if (path != NULL) {
        const char *slash = strrchr(path, '/');
        dip_str_add(out, " of ");
        dip_html_name(out, slash != NULL ? slash + 1 : path);
    }
    if (rows != NULL) {
        dip_str_add(out, ", ");
        dip_html_count(out, json_integer_value(rows));
        dip_str_add(out, " products");
    }
    if (checkpoint != NULL) {
        dip_str_add(out, " · checkpoint ");
        dip_html_name(out, checkpoint);
    }
}

dip_status dip_report_html(dip_str *out, const json_t *report,
                           const dip_report_photos *photos, dip_err *err)
{
    dip_status st = dip_report_check(report, err);
    if (st != DIP_OK)
        return st;
    dip_html_page page = {.out = out, .report = report, .photos = photos};
    const char *name = word(report, "run", "name");
    dip_str lead = {0};
    add_lead(&lead, report);
    st = dip_str_status(&lead, err);
    const dip_html_heading heading = {
        .kind = "Diptych evaluation",
        .name = name != NULL ? name : "A run",
        .lead = dip_str_text(&lead),
        .foot = "All numbers stand in the JSON beside this file. Intervals are "
                "95 % bootstrap intervals over products.",
    };
    if (st == DIP_OK)
        st = dip_html_frame(&page, &heading, sections, DIP_ARRAY_LEN(sections),
                            err);
    dip_str_free(&lead);
    return st;
}
