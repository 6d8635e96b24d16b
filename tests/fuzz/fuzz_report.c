#include "base/json.h"
#include "report/html.h"
#include "report/report.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/golden/report.json",
                                  "tests/fuzz/seeds/report.json", NULL};

const char *const fuzz_words[] = {
    "null",         "1e308",
    "-1",           "\"\"",
    "{}",           "[]",
    "[[1, 2]]",     "\"mrr\"",
    "\"interval\"", "\"confusion\"",
    "\"counts\"",   "\"classes\"",
    "\"slices\"",   "\"per_class\"",
    "\"alone\"",    "\"training\"",
    "\"loss\"",     "\"step\"",
    "\"<&>\"",      NULL,
};

/* report.json as Markdown, as text and as a page. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes;
    json_t *report;
    dip_str out = {0};
    dip_err err = {0};
    if (dip_json_load(&report, path, FUZZ_MAX_BYTES, &err) != DIP_OK)
        return;
    (void)!dip_report_markdown(&out, report, &err);
    (void)!dip_report_text(&out, report, (int)(n % 128), &err);
    (void)!dip_report_html(&out, report, NULL, &err);
    json_decref(report);
    dip_str_free(&out);
}
