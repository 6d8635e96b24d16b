#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/ensemble.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/rows.h"

static void add_fact(dip_str *out, const char *title, const json_t *value)
{
    if (value == NULL || json_is_null(value))
        return;
    dip_str_addf(out, "<dt>%s</dt><dd>", title);
    if (json_is_string(value))
        dip_html_name(out, json_string_value(value));
    else if (json_is_integer(value))
        dip_html_count(out, json_integer_value(value));
    else
        dip_str_addf(out, "%.6g", json_number_value(value));
    dip_str_add(out, "</dd>");
}

static void add_ensemble(dip_str *out, const json_t *report)
{
    const char *title;
    json_t *value, *facts = dip_report_ensemble_facts(report);
    json_object_foreach (facts, title, value) {
        dip_str_add(out, "<dt>");
        dip_html_name(out, title);
        dip_str_add(out, "</dt><dd>");
        dip_html_name(out, json_string_value(value));
        dip_str_add(out, "</dd>");
    }
    out->failed |= facts == NULL;
    json_decref(facts);
}

static void add_run(dip_str *out, const json_t *report)
{
    static const struct {
        const char *part, *key, *title;
    } facts[] = {{"run", "dir", "run directory"},
                 {"run", "checkpoint", "checkpoint"},
                 {"run", "step", "updates"},
                 {"run", "parameters", "trained parameters"},
                 {"run", "similarity", "similarity"},
                 {"run", "seed", "seed"},
                 {"run", "seconds", "seconds of training"},
                 {"run", "cpu_seconds", "seconds of processor time"},
                 {"run", "threads", "threads"},
                 {"run", "version", "Diptych"},
                 {"data", "path", "data"},
                 {"data", "digest", "digest"},
                 {"data", "split", "split"},
                 {"data", "rows", "rows"}};
    dip_str_add(out, "<dl class=\"facts\">");
    for (size_t i = 0; i < DIP_ARRAY_LEN(facts); i++)
        add_fact(out, facts[i].title,
                 json_object_get(json_object_get(report, facts[i].part),
                                 facts[i].key));
    add_ensemble(out, report);
    dip_str_add(out, "</dl>\n");
}

static const json_t *interval_of(const json_t *values, const char *key)
{
    return json_object_get(json_object_get(values, "interval"), key);
}

/* Every number of one task. */
static void add_metrics(dip_str *out, const dip_report_row *task)
{
    dip_str_add(out, "<details class=\"panel\"><summary>All metrics of ");
    dip_html_name(out, task->name);
    dip_str_add(out, "</summary>");
    dip_html_scroll(out, "All metrics");
    dip_str_add(out, "<table><thead><tr><th scope=\"col\">metric</th><th "
                     "scope=\"col\">value</th><th scope=\"col\">95 % "
                     "interval</th></tr></thead><tbody>\n");
    json_t *values = (json_t *)task->values;
    for (void *i = json_object_iter(values); i != NULL;
         i = json_object_iter_next(values, i)) {
        const json_t *value = json_object_iter_value(i);
        const char *key = json_object_iter_key(i);
        if (!json_is_real(value))
            continue;
        const json_t *interval = interval_of(values, key);
        dip_str_add(out, "<tr><th scope=\"row\">");
        dip_html_text(out, key);
        dip_str_add(out, "</th><td>");
        dip_html_number(out, json_number_value(value), 3);
        dip_str_add(out, "</td><td>");
        if (interval != NULL) {
            dip_html_number(out, dip_html_value(interval, "low"), 3);
            dip_str_add(out, " to ");
            dip_html_number(out, dip_html_value(interval, "high"), 3);
        }
        dip_str_add(out, "</td></tr>\n");
    }
    dip_str_add(out, "</tbody></table></div></details>\n");
}

dip_status dip_html_facts(dip_html_page *page, dip_err *err)
{
    dip_report_rows tasks;
    dip_status st = dip_report_members(
        &tasks, json_object_get(page->report, "retrieval"), err);
    for (size_t i = 0; i < tasks.count && st == DIP_OK; i++)
        add_metrics(page->out, &tasks.items[i]);
    free(tasks.items);
    add_run(page->out, page->report);
    return st;
}
