/* Charts as SVG in HTML figures; for report/ alone. A chart carries its
 * caption, a legend, what it shows in words for those who do not see it, and
 * its numbers in a table that can be opened. Colours come from the page's style
 * and are never alone: lines differ in their dashes and marks, too. */
#ifndef DIP_REPORT_PLOT_H
#define DIP_REPORT_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define DIP_PLOT_SERIES 6 /* colours; a chart leaves out further lines */

typedef struct {
    const char *name;
    const double *x, *y; /* [n], x ascending; a y that is NaN is left out */
    size_t n;
    bool dots; /* marks alone, and x in any order */
} dip_plot_series;

typedef struct {
    const char *caption;
    const char *note; /* below the caption; NULL: none */
    const char *x_name, *y_name;
    bool log_x;    /* every x is above 0 */
    bool unit;     /* y from 0 to 1 */
    bool diagonal; /* x from 0 to 1, and the line y = x */
    bool marks;    /* a mark on each point */
    const dip_plot_series *series;
    size_t count;
} dip_plot_lines;

/* Nothing when no series has a point. */
void dip_plot_add_lines(dip_str *out, const dip_plot_lines *plot);

/* Two distributions over the same bins, each as shares of its own sum. */
typedef struct {
    const char *caption, *note;
    const char *x_name;
    double from, width; /* of the first bin, of each */
    const char *names[2];
    const double *counts[2]; /* [bins] */
    size_t bins;
    double mark; /* a line across at this x; NaN: none */
    const char *mark_name;
} dip_plot_histogram;

void dip_plot_add_histogram(dip_str *out, const dip_plot_histogram *plot);

/* A dot at `mean` and a bar from `low` to `high` on the axis from `from` to
 * `to`, with a line at 0 if it lies inside; for a cell of a table, whose text
 * says the same. */
void dip_plot_add_interval(dip_str *out, double mean, double low, double high,
                           double from, double to);

/* ---- for the charts ---- */

/* The box of a chart, in units of its drawing. */
#define DIP_PLOT_WIDTH  360
#define DIP_PLOT_HEIGHT 230

typedef struct {
    double low, high;
    bool log;
    double start, length; /* where low stands; length < 0 goes upwards */
} dip_plot_axis;

double dip_plot_at(const dip_plot_axis *axis, double value);

/* Steps of 1, 2 or 5 times a power of ten, at most `most` of them, inside the
 * axis; for a log axis 1, 2, 5, 10, 20 …. Returns how many. */
#define DIP_PLOT_TICKS 16
size_t dip_plot_ticks(double out[DIP_PLOT_TICKS], const dip_plot_axis *axis,
                      size_t most);

/* Opens the figure: caption, note and the <svg> with its words. */
void dip_plot_open(dip_str *out, const char *caption, const char *note,
                   const char *words);
/* Grid, ticks and names of both axes. */
void dip_plot_frame(dip_str *out, const dip_plot_axis *x, const char *x_name,
                    const dip_plot_axis *y, const char *y_name);
/* The axes of a chart with the usual margins. */
void dip_plot_axes(dip_plot_axis *x, dip_plot_axis *y);

#endif
