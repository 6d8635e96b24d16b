#include "report/plot.h"

#include <math.h>
#include <stdio.h>

#include "report/html_text.h"

#define LEFT   54.
#define RIGHT  10.
#define TOP    10.
#define BOTTOM 40.

double dip_plot_at(const dip_plot_axis *axis, double value)
{
    double low = axis->low, high = axis->high;
    if (axis->log) {
        low = log(low);
        high = log(high);
        value = log(value);
    }
    double share = high > low ? (value - low) / (high - low) : .5;
    return axis->start + axis->length * fmin(fmax(share, 0), 1);
}

void dip_plot_axes(dip_plot_axis *x, dip_plot_axis *y)
{
    x->start = LEFT;
    x->length = DIP_PLOT_WIDTH - LEFT - RIGHT;
    y->start = DIP_PLOT_HEIGHT - BOTTOM;
    y->length = -(DIP_PLOT_HEIGHT - BOTTOM - TOP);
}

static const double steps[] = {1, 2, 5};

static size_t log_ticks(double out[DIP_PLOT_TICKS], const dip_plot_axis *axis)
{
    size_t n = 0;
    double power = pow(10, floor(log10(axis->low)));
    for (int i = 0; n < DIP_PLOT_TICKS && power <= axis->high; i++) {
        double tick = power * steps[i % 3];
        if (tick >= axis->low * .999 && tick <= axis->high * 1.001)
            out[n++] = tick;
        if (i % 3 == 2)
            power *= 10;
    }
    return n;
}

size_t dip_plot_ticks(double out[DIP_PLOT_TICKS], const dip_plot_axis *axis,
                      size_t most)
{
    double span = axis->high - axis->low;
    if (axis->log)
        return log_ticks(out, axis);
    if (!(span > 0) || !isfinite(span))
        return 0;
    double step = pow(10, floor(log10(span)) - 1);
    for (int i = 0; i < 12; i++) { /* the second round fits at the latest */
        double size = step * steps[i % 3];
        if (floor(axis->high / size + 1e-9) - ceil(axis->low / size - 1e-9) +
                1 <=
            (double)most) {
            step = size;
            break;
        }
        if (i % 3 == 2)
            step *= 10;
    }
    size_t n = 0;
    double first = ceil(axis->low / step - 1e-9);
    while (n < DIP_PLOT_TICKS &&
           (first + (double)n) * step <= axis->high + step * 1e-9) {
        out[n] = (first + (double)n) * step;
        n++;
    }
    return n;
}

void dip_plot_open(dip_str *out, const char *caption, const char *note,
                   const char *words)
{
    dip_str_add(out, "<figure class=\"chart\"><figcaption><b>");
    dip_html_text(out, caption);
    dip_str_add(out, "</b>");
    if (note != NULL) {
        dip_str_add(out, " <span>");
        dip_html_text(out, note);
        dip_str_add(out, "</span>");
    }
    dip_str_addf(out,
                 "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
                 "aria-label=\"",
                 DIP_PLOT_WIDTH, DIP_PLOT_HEIGHT);
    dip_html_text(out, words);
    dip_str_add(out, "\">\n");
}

/* -0 is 0; digits as many as the tick needs. */
static void add_tick(dip_str *out, double value)
{
    dip_str_addf(out, "%.4g", fabs(value) < 1e-12 ? 0. : value);
}

void dip_plot_frame(dip_str *out, const dip_plot_axis *x, const char *x_name,
                    const dip_plot_axis *y, const char *y_name)
{
    double ticks[DIP_PLOT_TICKS];
    double right = x->start + x->length, top = y->start + y->length;
    size_t n = dip_plot_ticks(ticks, y, 6);
    for (size_t i = 0; i < n; i++) {
        double at = dip_plot_at(y, ticks[i]);
        dip_str_addf(out,
                     "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>"
                     "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
                     "text-anchor=\"end\">",
                     x->start, at, right, x->start - 6, at + 4);
        add_tick(out, ticks[i]);
        dip_str_add(out, "</text>\n");
    }
    n = dip_plot_ticks(ticks, x, 7);
    for (size_t i = 0; i < n; i++) {
        double at = dip_plot_at(x, ticks[i]);
        dip_str_addf(out,
                     "<path class=\"notch\" d=\"M%.1f %.1fv4\"/>"
                     "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
                     "text-anchor=\"middle\">",
                     at, y->start, at, y->start + 17);
        add_tick(out, ticks[i]);
        dip_str_add(out, "</text>\n");
    }
    dip_str_addf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n",
                 x->start, y->start, right);
    dip_str_addf(out,
                 "<text class=\"name\" x=\"%.1f\" y=\"%d\" "
                 "text-anchor=\"end\">",
                 right, DIP_PLOT_HEIGHT - 6);
    dip_html_text(out, x_name);
    dip_str_addf(out,
                 "</text>\n<text class=\"name\" transform=\"translate(10 %.1f)"
                 " rotate(-90)\" text-anchor=\"end\">",
                 top);
    dip_html_text(out, y_name);
    dip_str_add(out, "</text>\n");
}

void dip_plot_add_interval(dip_str *out, double mean, double low, double high,
                           double from, double to)
{
    dip_plot_axis axis = {.low = from, .high = to, .start = 5, .length = 150};
    if (!isfinite(mean))
        return;
    dip_str_add(out, "<svg class=\"whisker\" viewBox=\"0 0 160 16\" "
                     "aria-hidden=\"true\"><path class=\"grid\" "
                     "d=\"M5 8H155\"/>");
    if (from < 0 && to > 0)
        dip_str_addf(out, "<path class=\"axis\" d=\"M%.1f 1V15\"/>",
                     dip_plot_at(&axis, 0));
    if (isfinite(low) && isfinite(high))
        dip_str_addf(out, "<path class=\"span\" d=\"M%.1f 8H%.1f\"/>",
                     dip_plot_at(&axis, low), dip_plot_at(&axis, high));
    dip_str_addf(out, "<circle cx=\"%.1f\" cy=\"8\" r=\"3.5\"/></svg>",
                 dip_plot_at(&axis, mean));
}
