#include <stdlib.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/rows.h"

#define LEAST_ROWS  10
#define MOST_SLICES 10

/* Slices of one kind, the worst first, by the interval of `metric`; `count` is
 * the key of how many they are over. */
static dip_status add_kind(dip_str *out, const char *kind, const json_t *slices,
                           const char *metric, const char *count, dip_err *err)
{
    dip_report_rows rows;
    dip_status st = dip_report_items(&rows, slices, count, LEAST_ROWS, err);
    if (st != DIP_OK || rows.count == 0) {
        free(rows.items);
        return st;
    }
    dip_str_add(out, "<figure><figcaption><b>By ");
    dip_html_name(out, kind);
    dip_str_addf(out,
                 "</b> <span>the worst first, with at least %d</span>"
                 "</figcaption>",
                 LEAST_ROWS);
    dip_html_scroll(out, kind);
    dip_str_add(out, "<table><thead><tr><th scope=\"col\">slice</th>"
                     "<th scope=\"col\">rows</th><th scope=\"col\">");
    dip_html_text(out, metric);
    dip_str_add(out, "</th><th scope=\"col\"><span class=\"unseen\">drawn"
                     "</span></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < rows.count && i < MOST_SLICES; i++) {
        const json_t *slice = rows.items[i].values;
        const json_t *rows_of = json_object_get(slice, count);
        dip_str_add(out, "<tr><th scope=\"row\">");
        dip_html_name(out, rows.items[i].name);
        dip_str_add(out, "</th><td>");
        dip_html_count(out, json_integer_value(rows_of));
        dip_str_add(out, "</td>");
        dip_html_interval_cells(
            out, json_object_get(json_object_get(slice, "interval"), metric), 0,
            1, false);
        dip_str_add(out, "</tr>\n");
    }
    dip_str_add(out, "</tbody></table></div></figure>\n");
    free(rows.items);
    return DIP_OK;
}

static dip_status add_part(dip_str *out, const dip_report_row *part,
                           const char *kind, const char *metric,
                           const char *count, bool open, dip_err *err)
{
    json_t *slices = json_object_get(part->values, "slices");
    dip_status st = DIP_OK;
    if (json_object_size(slices) == 0)
        return DIP_OK;
    dip_str_addf(out, "<details class=\"panel\"%s><summary>",
                 open ? " open" : "");
    dip_html_name(out, part->name);
    dip_str_addf(out, " <small>%s</small>", kind);
    dip_str_add(out, "</summary><div class=\"pairs\">\n");
    for (void *i = json_object_iter(slices); i != NULL && st == DIP_OK;
         i = json_object_iter_next(slices, i))
        st = add_kind(out, json_object_iter_key(i), json_object_iter_value(i),
                      metric, count, err);
    dip_str_add(out, "</div></details>\n");
    return st;
}

dip_status dip_html_slices(dip_html_page *page, dip_err *err)
{
    const char *chosen = json_string_value(json_object_get(
        json_object_get(page->report, "protocol"), "slice_metric"));
    const struct {
        const char *key, *kind, *metric, *count;
    } parts[] = {{"retrieval", "retrieval", chosen != NULL ? chosen : "mrr",
                  "evaluated"},
                 {"classification", "classification", "accuracy", "rows"},
                 {"zero_shot", "zero-shot", "accuracy", "rows"},
                 {"knn", "nearest neighbours", "accuracy", "rows"},
                 {"linear_probe", "linear probe", "accuracy", "rows"}};
    dip_status st = DIP_OK;
    for (size_t p = 0; p < DIP_ARRAY_LEN(parts) && st == DIP_OK; p++) {
        dip_report_rows rows;
        st = dip_report_members(
            &rows, json_object_get(page->report, parts[p].key), err);
        for (size_t i = 0; i < rows.count && st == DIP_OK; i++)
            st = add_part(page->out, &rows.items[i], parts[p].kind,
                          parts[p].metric, parts[p].count, page->out->len == 0,
                          err);
        free(rows.items);
    }
    return st;
}
