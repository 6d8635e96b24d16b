#include <math.h>

#include "report/html_text.h"
#include "report/plot.h"

#define MOST_ROWS 40 /* of the table of numbers */

typedef struct {
    dip_plot_axis x, y;
} frame;

static size_t shown(const dip_plot_lines *p)
{
    return p->count < DIP_PLOT_SERIES ? p->count : DIP_PLOT_SERIES;
}

/* The range of all points; false when there is none. */
static bool find_range(frame *f, const dip_plot_lines *p)
{
    f->x = (dip_plot_axis){.low = INFINITY, .high = -INFINITY};
    f->y = f->x;
    for (size_t s = 0; s < shown(p); s++) {
        for (size_t i = 0; i < p->series[s].n; i++) {
            double x = p->series[s].x[i], y = p->series[s].y[i];
            if (!isfinite(x) || !isfinite(y))
                continue;
            f->x.low = fmin(f->x.low, x);
            f->x.high = fmax(f->x.high, x);
            f->y.low = fmin(f->y.low, y);
            f->y.high = fmax(f->y.high, y);
        }
    }
    return f->x.low <= f->x.high;
}

/* Room above and below, and an axis that starts at 0 when 0 is near. */
static void widen(dip_plot_axis *y)
{
    double room = (y->high - y->low) * .06;
    if (!(room > 0))
        room = fabs(y->high) * .1 + 1e-6;
    bool positive = y->low >= 0;
    y->low -= room;
    y->high += room;
    if (positive && y->low < y->high * .35)
        y->low = 0;
}

static void set_frame(frame *f, const dip_plot_lines *p)
{
    f->x.log = p->log_x;
    if (p->diagonal)
        f->x = (dip_plot_axis){.low = 0, .high = 1};
    if (p->unit || p->diagonal)
        f->y = (dip_plot_axis){.low = 0, .high = 1};
    else
        widen(&f->y);
    dip_plot_axes(&f->x, &f->y);
}

/* ---- drawing ---- */

static void add_mark(dip_str *out, size_t shape, double x, double y)
{
    static const char *const paths[] = {
        "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
        "m-3.2-3.2h6.4v6.4h-6.4z",
        "m0-4.4l4.2 7.4h-8.4z",
        "m0-4.6l4.6 4.6l-4.6 4.6l-4.6-4.6z",
        "m0 4.4l4.2-7.4h-8.4z",
        "m-4 0h8m-4-4v8"};
    dip_str_addf(out, "<path class=\"mark\" d=\"M%.1f %.1f%s\">", x, y,
                 paths[shape]);
}

static void add_number(dip_str *out, double value)
{
    dip_str_addf(out, "%.4g", value);
}

static void add_line(dip_str *out, const frame *f, const dip_plot_series *s)
{
    bool pen_down = false;
    dip_str_add(out, "<path class=\"line\" d=\"");
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->x[i]) || !isfinite(s->y[i]))
            continue;
        dip_str_addf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M',
                     dip_plot_at(&f->x, s->x[i]), dip_plot_at(&f->y, s->y[i]));
        pen_down = true;
    }
    dip_str_add(out, "\"/>");
}

static void add_series(dip_str *out, const frame *f, const dip_plot_lines *p,
                       size_t index)
{
    const dip_plot_series *s = &p->series[index];
    dip_str_addf(out, "<g class=\"s%zu\">", index);
    if (!s->dots)
        add_line(out, f, s);
    for (size_t i = 0; i < s->n && (p->marks || s->dots); i++) {
        if (!isfinite(s->x[i]) || !isfinite(s->y[i]))
            continue;
        add_mark(out, index, dip_plot_at(&f->x, s->x[i]),
                 dip_plot_at(&f->y, s->y[i]));
        dip_str_add(out, "<title>");
        dip_html_text(out, s->name);
        dip_str_add(out, ": ");
        add_number(out, s->y[i]);
        dip_str_add(out, " at ");
        add_number(out, s->x[i]);
        dip_str_add(out, "</title></path>");
    }
    dip_str_add(out, "</g>\n");
}

static void add_legend(dip_str *out, const dip_plot_lines *p)
{
    if (p->count < 2 && !p->diagonal)
        return;
    dip_str_add(out, "<ul class=\"legend\">");
    for (size_t s = 0; s < shown(p); s++) {
        dip_str_addf(out,
                     "<li><svg class=\"key s%zu\" viewBox=\"0 0 28 12\" "
                     "aria-hidden=\"true\">",
                     s);
        if (!p->series[s].dots)
            dip_str_add(out, "<path class=\"line\" d=\"M1 6H27\"/>");
        if (p->marks || p->series[s].dots) {
            add_mark(out, s, 14, 6);
            dip_str_add(out, "</path>");
        }
        dip_str_add(out, "</svg>");
        dip_html_name(out, p->series[s].name);
        dip_str_add(out, "</li>");
    }
    dip_str_add(out, "</ul>\n");
}

/* ---- words and numbers ---- */

static void add_words(dip_str *words, const dip_plot_lines *p)
{
    dip_str_addf(words, "Line chart: %s, %s against %s.", p->caption, p->y_name,
                 p->x_name);
    for (size_t s = 0; s < shown(p); s++) {
        const dip_plot_series *line = &p->series[s];
        if (line->n == 0)
            continue;
        dip_str_addf(words, " %s: %.4g at %.4g", line->name, line->y[0],
                     line->x[0]);
        if (line->n > 1)
            dip_str_addf(words, ", %.4g at %.4g", line->y[line->n - 1],
                         line->x[line->n - 1]);
        dip_str_add(words, ".");
    }
}

static void add_rows(dip_str *out, const dip_plot_series *s)
{
    size_t step = (s->n + MOST_ROWS - 1) / MOST_ROWS;
    for (size_t i = 0; i < s->n; i++) {
        if (i % step != 0 && i + 1 != s->n)
            continue;
        dip_str_add(out, "<tr><td>");
        dip_html_name(out, s->name);
        dip_str_add(out, "</td><td>");
        add_number(out, s->x[i]);
        dip_str_add(out, "</td><td>");
        add_number(out, s->y[i]);
        dip_str_add(out, "</td></tr>");
    }
}

static void add_numbers(dip_str *out, const dip_plot_lines *p)
{
    dip_str_add(out, "<details class=\"numbers\"><summary>Numbers of this "
                     "chart</summary><div class=\"scroll\" tabindex=\"0\" "
                     "role=\"region\" aria-label=\"Numbers: ");
    dip_html_text(out, p->caption);
    dip_str_add(out, "\"><table><thead><tr><th scope=\"col\">line</th><th "
                     "scope=\"col\">");
    dip_html_text(out, p->x_name);
    dip_str_add(out, "</th><th scope=\"col\">");
    dip_html_text(out, p->y_name);
    dip_str_add(out, "</th></tr></thead><tbody>");
    for (size_t s = 0; s < shown(p); s++)
        add_rows(out, &p->series[s]);
    dip_str_add(out, "</tbody></table></div></details>");
}

void dip_plot_add_lines(dip_str *out, const dip_plot_lines *p)
{
    frame f;
    if (!find_range(&f, p))
        return;
    set_frame(&f, p);
    dip_str words = {0};
    add_words(&words, p);
    dip_plot_open(out, p->caption, p->note, dip_str_text(&words));
    out->failed |= words.failed;
    dip_str_free(&words);
    dip_plot_frame(out, &f.x, p->x_name, &f.y, p->y_name);
    if (p->diagonal)
        dip_str_addf(out, "<path class=\"ideal\" d=\"M%.1f %.1fL%.1f %.1f\"/>",
                     dip_plot_at(&f.x, 0), dip_plot_at(&f.y, 0),
                     dip_plot_at(&f.x, 1), dip_plot_at(&f.y, 1));
    for (size_t s = 0; s < shown(p); s++)
        add_series(out, &f, p, s);
    dip_str_add(out, "</svg>\n");
    add_legend(out, p);
    if (p->count > DIP_PLOT_SERIES)
        dip_str_addf(out, "<p class=\"left\">%zu more are in the JSON.</p>",
                     p->count - DIP_PLOT_SERIES);
    add_numbers(out, p);
    dip_str_add(out, "</figure>\n");
}
