#include <math.h>

#include "report/html_text.h"
#include "report/plot.h"

typedef struct {
    dip_plot_axis x, y;
    double sums[2];
} frame;

static double share(const dip_plot_histogram *p, const frame *f, int side,
                    size_t bin)
{
    return f->sums[side] > 0 ? p->counts[side][bin] / f->sums[side] : 0;
}

static bool set_frame(frame *f, const dip_plot_histogram *p)
{
    double most = 0;
    *f = (frame){0};
    for (int side = 0; side < 2; side++) {
        for (size_t b = 0; b < p->bins; b++)
            f->sums[side] += p->counts[side][b];
        for (size_t b = 0; b < p->bins; b++)
            most = fmax(most, share(p, f, side, b));
    }
    f->x = (dip_plot_axis){.low = p->from,
                           .high = p->from + p->width * (double)p->bins};
    f->y = (dip_plot_axis){.low = 0, .high = most * 1.06};
    dip_plot_axes(&f->x, &f->y);
    return most > 0;
}

static void add_side(dip_str *out, const dip_plot_histogram *p, const frame *f,
                     int side)
{
    dip_str_addf(out, "<path class=\"area s%d\" d=\"M%.1f %.1f", side,
                 f->x.start, f->y.start);
    for (size_t b = 0; b < p->bins; b++)
        dip_str_addf(out, "V%.1fH%.1f",
                     dip_plot_at(&f->y, share(p, f, side, b)),
                     dip_plot_at(&f->x, p->from + p->width * (double)(b + 1)));
    dip_str_addf(out, "V%.1fZ\"/>\n", f->y.start);
}

/* Where the middle one of the side's values falls. */
static double median(const dip_plot_histogram *p, const frame *f, int side)
{
    double below = 0;
    for (size_t b = 0; b < p->bins; b++) {
        double here = share(p, f, side, b);
        if (here > 0 && below + here >= .5)
            return p->from + p->width * ((double)b + (.5 - below) / here);
        below += here;
    }
    return NAN;
}

static void add_words(dip_str *words, const dip_plot_histogram *p,
                      const frame *f)
{
    dip_str_addf(words, "Histogram: %s.", p->caption);
    for (int side = 0; side < 2; side++) {
        if (f->sums[side] > 0)
            dip_str_addf(words, " %s: %.0f, half of them above %.3f.",
                         p->names[side], f->sums[side], median(p, f, side));
    }
}

static void add_key(dip_str *out, const dip_plot_histogram *p, const frame *f,
                    int side)
{
    if (!(f->sums[side] > 0))
        return;
    dip_str_addf(out,
                 "<li><svg class=\"key\" viewBox=\"0 0 28 12\" "
                 "aria-hidden=\"true\"><path class=\"area s%d\" "
                 "d=\"M2 1H26V11H2Z\"/></svg>",
                 side);
    dip_html_name(out, p->names[side]);
    dip_str_addf(out, ", median %.3f</li>", median(p, f, side));
}

void dip_plot_add_histogram(dip_str *out, const dip_plot_histogram *p)
{
    frame f;
    if (!set_frame(&f, p))
        return;
    dip_str words = {0};
    add_words(&words, p, &f);
    dip_plot_open(out, p->caption, p->note, dip_str_text(&words));
    out->failed |= words.failed;
    dip_str_free(&words);
    dip_plot_frame(out, &f.x, p->x_name, &f.y, "share");
    add_side(out, p, &f, 1);
    add_side(out, p, &f, 0);
    if (isfinite(p->mark))
        dip_str_addf(out,
                     "<path class=\"ideal\" d=\"M%.1f %.1fv%.1f\"><title>%s "
                     "%.3f</title></path>",
                     dip_plot_at(&f.x, p->mark), f.y.start, f.y.length,
                     p->mark_name, p->mark);
    dip_str_add(out, "</svg>\n<ul class=\"legend\">");
    add_key(out, p, &f, 0);
    add_key(out, p, &f, 1);
    if (isfinite(p->mark))
        dip_str_addf(out, "<li>dotted: %s %.3f</li>", p->mark_name, p->mark);
    dip_str_add(out, "</ul></figure>\n");
}
