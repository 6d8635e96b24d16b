/* The sections of the page of report/html.h; for report/html*.c alone. */
#ifndef DIP_REPORT_HTML_PARTS_H
#define DIP_REPORT_HTML_PARTS_H

#include "report/html.h"

typedef struct {
    dip_str *out;
    const json_t *report; /* checked */
    const dip_report_photos *photos;
    size_t photo_bytes; /* that stand in the page so far */
} dip_html_page;

/* Each appends the body of its section, or nothing when the report lacks what
 * it shows. */
typedef dip_status (*dip_html_part)(dip_html_page *page, dip_err *err);
dip_status dip_html_summary(dip_html_page *page, dip_err *err);
dip_status dip_html_learning(dip_html_page *page, dip_err *err);
dip_status dip_html_retrieval(dip_html_page *page, dip_err *err);
dip_status dip_html_classification(dip_html_page *page, dip_err *err);
dip_status dip_html_zero_shot(dip_html_page *page, dip_err *err);
dip_status dip_html_knn(dip_html_page *page, dip_err *err);
dip_status dip_html_linear_probe(dip_html_page *page, dip_err *err);
dip_status dip_html_matching(dip_html_page *page, dip_err *err);
dip_status dip_html_slices(dip_html_page *page, dip_err *err);
dip_status dip_html_galleries(dip_html_page *page, dip_err *err);
dip_status dip_html_facts(dip_html_page *page, dip_err *err);

/* ---- the frame ---- */

typedef struct {
    const char *id, *title;
    dip_html_part add;
} dip_html_section;

typedef struct {
    const char *kind;
    const char *name; /* foreign text */
    const char *lead; /* HTML */
    const char *foot; /* HTML */
} dip_html_heading;

/* Appends a whole page to page->out: head, style, the sections [n] that have a
 * body, and links to them. */
dip_status dip_html_frame(dip_html_page *page, const dip_html_heading *heading,
                          const dip_html_section *sections, size_t n,
                          dip_err *err) DIP_MUST_CHECK;

/* The whole style sheet. */
void dip_html_style(dip_str *out);

/* ---- what they share ---- */

/* A member that is a number; NaN when it is none. */
double dip_html_value(const json_t *object, const char *key);

/* A whole number with its thousands apart: 12,345. */
void dip_html_count(dip_str *out, int64_t value);

/* Two cells of a row: a value with low and high end as text, and drawn on the
 * axis from `from` to `to`. */
void dip_html_span_cells(dip_str *out, const double span[3], double from,
                         double to, bool with_sign);

/* The same of "mean", "low" and "high"; `interval` may be NULL. */
void dip_html_interval_cells(dip_str *out, const json_t *interval, double from,
                             double to, bool with_sign);

/* A region that scrolls by itself, from the keyboard as well; ends with
 * "</div>". */
void dip_html_scroll(dip_str *out, const char *name);

/* Up to `most` numbers of an array, NaN for what is none. Returns how many. */
size_t dip_html_numbers(double *out, const json_t *array, size_t most);

#endif
