/* The frame of a page, and what its sections share. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/plot.h"

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

void dip_html_span_cells(dip_str *out, const double span[3], double from,
                         double to, bool with_sign)
{
    if (!isfinite(span[0])) {
        dip_str_add(out, "<td>–</td><td></td>");
        return;
    }
    const char *form = with_sign ? "<td><b>%+.3f</b> <small>%+.3f to "
                                   "%+.3f</small></td><td>"
                                 : "<td><b>%.3f</b> <small>%.3f to "
                                   "%.3f</small></td><td>";
    if (isfinite(span[1]) && isfinite(span[2]))
        dip_str_addf(out, form, span[0], span[1], span[2]);
    else
        dip_str_addf(out,
                     with_sign ? "<td><b>%+.3f</b></td><td>"
                               : "<td><b>%.3f</b></td><td>",
                     span[0]);
    dip_plot_add_interval(out, span[0], span[1], span[2], from, to);
    dip_str_add(out, "</td>");
}

void dip_html_interval_cells(dip_str *out, const json_t *interval, double from,
                             double to, bool with_sign)
{
    const double span[3] = {dip_html_value(interval, "mean"),
                            dip_html_value(interval, "low"),
                            dip_html_value(interval, "high")};
    dip_html_span_cells(out, span, from, to, with_sign);
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

/* ---- the frame ---- */

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
    dip_str_add(out, "</title>\n<style>\n");
    dip_html_style(out);
    dip_str_add(out, "</style>\n</head>\n<body>\n<a class=\"skip\" "
                     "href=\"#content\">Skip to the content</a>\n");
}

static void add_header(dip_str *out, const dip_html_heading *heading)
{
    dip_str_addf(out, "<header><p class=\"over\">%s</p><h1>", heading->kind);
    dip_html_name(out, heading->name);
    dip_str_addf(out, "</h1><p class=\"lead\">%s</p></header>\n",
                 heading->lead);
}

static void add_sections(dip_str *out, const dip_html_section *sections,
                         const dip_str *bodies, size_t n)
{
    dip_str_add(out, "<nav aria-label=\"Sections\"><ul>");
    for (size_t i = 0; i < n; i++) {
        if (bodies[i].len > 0)
            dip_str_addf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i].id,
                         sections[i].title);
    }
    dip_str_add(out, "</ul></nav>\n<main id=\"content\" tabindex=\"-1\">\n");
    for (size_t i = 0; i < n; i++) {
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

dip_status dip_html_frame(dip_html_page *page, const dip_html_heading *heading,
                          const dip_html_section *sections, size_t n,
                          dip_err *err)
{
    dip_str *out = page->out;
    dip_str *bodies = dip_calloc(n, sizeof *bodies);
    dip_status st = bodies != NULL ? DIP_OK : dip_no_memory(err);
    for (size_t i = 0; i < n && st == DIP_OK; i++) {
        page->out = &bodies[i];
        st = sections[i].add(page, err);
        if (st == DIP_OK)
            st = dip_str_status(&bodies[i], err);
    }
    page->out = out;
    if (st == DIP_OK) {
        add_head(out, heading->name);
        add_header(out, heading);
        add_sections(out, sections, bodies, n);
        dip_str_addf(out, "<footer><p>%s</p></footer>\n</body>\n</html>\n",
                     heading->foot);
        st = dip_str_status(out, err);
    }
    for (size_t i = 0; i < n && bodies != NULL; i++)
        dip_str_free(&bodies[i]);
    free(bodies);
    return st;
}
