#include "report/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "report/check.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/plot.h"

static const struct {
    const char *id, *title;
    dip_html_part add;
} sections[] = {
    {"summary", "Summary", dip_html_summary},
    {"learning", "Learning", dip_html_learning},
    {"retrieval", "Retrieval", dip_html_retrieval},
    {"galleries", "Galleries", dip_html_galleries},
    {"classification", "Classification", dip_html_classification},
    {"zero-shot", "Zero-shot", dip_html_zero_shot},
    {"matching", "Matching", dip_html_matching},
    {"facts", "Run and data", dip_html_facts},
};

/* ---- shared ---- */

double dip_html_value(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

void dip_html_count(dip_str *out, int64_t value)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%" PRId64, value);
    for (int i = 0; i < n; i++) {
        int left = n - i;
        if (i > 0 && left % 3 == 0 && digits[i - 1] != '-')
            dip_str_add(out, ",");
        dip_str_add_n(out, digits + i, 1);
    }
}

void dip_html_interval_cells(dip_str *out, const json_t *interval, double from,
                             double to, bool with_sign)
{
    double mean = dip_html_value(interval, "mean");
    double low = dip_html_value(interval, "low");
    double high = dip_html_value(interval, "high");
    if (!isfinite(mean)) {
        dip_str_add(out, "<td>–</td><td></td>");
        return;
    }
    const char *form = with_sign ? "<td><b>%+.3f</b> <small>%+.3f to "
                                   "%+.3f</small></td><td>"
                                 : "<td><b>%.3f</b> <small>%.3f to "
                                   "%.3f</small></td><td>";
    if (isfinite(low) && isfinite(high))
        dip_str_addf(out, form, mean, low, high);
    else
        dip_str_addf(out, "<td><b>%.3f</b></td><td>", mean);
    dip_plot_add_interval(out, mean, low, high, from, to);
    dip_str_add(out, "</td>");
}

void dip_html_scroll(dip_str *out, const char *name)
{
    dip_str_add(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                     "aria-label=\"");
    dip_html_text(out, name);
    dip_str_add(out, "\">");
}

size_t dip_html_numbers(double *out, const json_t *array, size_t most)
{
    size_t n = json_array_size(array);
    if (n > most)
        n = most;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, i);
        out[i] = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
    return n;
}

/* ---- the page ---- */

static const char *word(const json_t *report, const char *part, const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(report, part), key));
}

/* Scripts and all that would have to be fetched are forbidden, should foreign
 * text ever get past the escaping. */
static void add_head(dip_str *out, const char *name)
{
    dip_str_add(
        out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
             "<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\""
             "default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, "
             "initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<link rel=\"icon\" href=\"data:,\">\n<title>");
    dip_html_text(out, name);
    dip_str_add(out, " – evaluation</title>\n<style>\n");
    dip_html_style(out);
    dip_str_add(out, "</style>\n</head>\n<body>\n<a class=\"skip\" "
                     "href=\"#content\">Skip to the content</a>\n");
}

static void add_subtitle(dip_str *out, const json_t *report)
{
    const char *split = word(report, "data", "split");
    const char *path = word(report, "data", "path");
    const char *checkpoint = word(report, "run", "checkpoint");
    const json_t *rows =
        json_object_get(json_object_get(report, "data"), "rows");
    dip_str_add(out, "<p class=\"lead\">");
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
    dip_str_add(out, "</p>");
}

static void add_header(dip_str *out, const json_t *report, const char *name)
{
    dip_str_add(out, "<header><p class=\"over\">Diptych evaluation</p><h1>");
    dip_html_name(out, name);
    dip_str_add(out, "</h1>");
    add_subtitle(out, report);
    dip_str_add(out, "</header>\n");
}

static void add_sections(dip_str *out, const dip_str *bodies)
{
    dip_str_add(out, "<nav aria-label=\"Sections\"><ul>");
    for (size_t i = 0; i < DIP_ARRAY_LEN(sections); i++) {
        if (bodies[i].len > 0)
            dip_str_addf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i].id,
                         sections[i].title);
    }
    dip_str_add(out, "</ul></nav>\n<main id=\"content\" tabindex=\"-1\">\n");
    for (size_t i = 0; i < DIP_ARRAY_LEN(sections); i++) {
        if (bodies[i].len == 0)
            continue;
        dip_str_addf(out,
                     "<section id=\"%s\" aria-labelledby=\"%s-title\">"
                     "<h2 id=\"%s-title\">%s</h2>\n",
                     sections[i].id, sections[i].id, sections[i].id,
                     sections[i].title);
        dip_str_add_n(out, bodies[i].data, bodies[i].len);
        dip_str_add(out, "</section>\n");
    }
    dip_str_add(out, "</main>\n");
}

dip_status dip_report_html(dip_str *out, const json_t *report,
                           const dip_report_photos *photos, dip_err *err)
{
    dip_status st = dip_report_check(report, err);
    if (st != DIP_OK)
        return st;
    dip_str bodies[DIP_ARRAY_LEN(sections)] = {0};
    dip_html_page page = {.report = report, .photos = photos};
    for (size_t i = 0; i < DIP_ARRAY_LEN(sections) && st == DIP_OK; i++) {
        page.out = &bodies[i];
        st = sections[i].add(&page, err);
        if (st == DIP_OK)
            st = dip_str_status(&bodies[i], err);
    }
    const char *name = word(report, "run", "name");
    if (st == DIP_OK) {
        add_head(out, name != NULL ? name : "A run");
        add_header(out, report, name != NULL ? name : "A run");
        add_sections(out, bodies);
        dip_str_add(out, "<footer><p>All numbers stand in the JSON beside this "
                         "file. Intervals are 95 % bootstrap intervals over "
                         "products.</p></footer>\n</body>\n</html>\n");
        st = dip_str_status(out, err);
    }
    for (size_t i = 0; i < DIP_ARRAY_LEN(sections); i++)
        dip_str_free(&bodies[i]);
    return st;
}
