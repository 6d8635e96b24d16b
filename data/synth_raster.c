#include "data/synth_raster.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { CURVE_STEPS = 8, ELLIPSE_STEPS = 48, MAX_POINTS = 512 };

/* Each edge adds to a pixel the share of its area that lies right of the edge,
 * signed by direction, as the difference to the pixel on the left; summed from
 * left to right the pixels then hold their coverage. */
struct dip_raster {
    int width, height;
    size_t stride;
    float *cover;    /* [height, stride], zero between fills */
    int top, bottom; /* rows that the current path touches */
};

dip_affine dip_affine_inverse(dip_affine m)
{
    double s = 1.0 / (m.a * m.e - m.b * m.d);
    dip_affine r = {.a = m.e * s, .b = -m.b * s, .d = -m.d * s, .e = m.a * s};
    r.c = -(r.a * m.c + r.b * m.f);
    r.f = -(r.d * m.c + r.e * m.f);
    return r;
}

dip_status dip_raster_create(dip_raster **out, int width, int height,
                             dip_err *err)
{
    *out = NULL;
    dip_raster *raster = calloc(1, sizeof *raster);
    if (raster == NULL)
        return dip_no_memory(err);
    raster->width = width;
    raster->height = height;
    raster->stride = (size_t)width + 2; /* an edge may end on the border */
    raster->cover = dip_calloc((size_t)height, raster->stride * sizeof(float));
    if (raster->cover == NULL) {
        dip_raster_destroy(raster);
        return dip_no_memory(err);
    }
    *out = raster;
    return DIP_OK;
}

void dip_raster_destroy(dip_raster *raster)
{
    if (raster == NULL)
        return;
    free(raster->cover);
    free(raster);
}

/* ---- edges --------------------------------------------------------------- */

static double clamp(double v, double least, double most)
{
    return v < least ? least : v > most ? most : v;
}

/* A piece inside one row of pixels, of signed height `h`, from x0 to x1. */
static void add_piece(dip_raster *raster, float *row, double x0, double x1,
                      double h)
{
    double left = clamp(fmin(x0, x1), 0.0, raster->width);
    double right = clamp(fmax(x0, x1), 0.0, raster->width);
    double slope = right > left ? h / (right - left) : 0.0;
    int last = (int)right;
    for (int x = (int)left; x <= last; x++) {
        double lo = fmax(left, x), hi = fmin(right, x + 1);
        double share = slope != 0.0 ? slope * (hi - lo) : h;
        double mean = 0.5 * (lo + hi) - x;
        row[x] += (float)(share * (1.0 - mean));
        row[x + 1] += (float)(share * mean);
    }
}

static void add_edge(dip_raster *raster, double x0, double y0, double x1,
                     double y1)
{
    double sign = 1.0;
    if (y0 > y1) {
        double x = x0, y = y0;
        x0 = x1, y0 = y1, x1 = x, y1 = y;
        sign = -1.0;
    }
    if (y1 <= 0.0 || y0 >= raster->height || y0 == y1)
        return;
    double slope = (x1 - x0) / (y1 - y0);
    double from = fmax(y0, 0.0), to = fmin(y1, raster->height);
    int first = (int)from, last = (int)ceil(to) - 1;
    for (int y = first; y <= last; y++) {
        double a = fmax(from, y), b = fmin(to, y + 1);
        add_piece(raster, raster->cover + (size_t)y * raster->stride,
                  x0 + (a - y0) * slope, x0 + (b - y0) * slope, sign * (b - a));
    }
    raster->top = first < raster->top ? first : raster->top;
    raster->bottom = last > raster->bottom ? last : raster->bottom;
}

/* ---- paths --------------------------------------------------------------- */

typedef struct {
    dip_raster *raster;
    dip_affine map;
    bool mirrored;
    double x[MAX_POINTS], y[MAX_POINTS]; /* of the subpath */
    int count;
} pen;

static void put_point(pen *p, double x, double y)
{
    if (p->count == MAX_POINTS)
        return;
    p->x[p->count] = x;
    p->y[p->count++] = y;
}

static void put_curve(pen *p, const double v[6])
{
    double x0 = p->x[p->count - 1], y0 = p->y[p->count - 1];
    for (int i = 1; i <= CURVE_STEPS; i++) {
        double t = (double)i / CURVE_STEPS, u = 1.0 - t;
        double a = u * u * u, b = 3 * u * u * t, c = 3 * u * t * t;
        double d = t * t * t;
        put_point(p, a * x0 + b * v[0] + c * v[2] + d * v[4],
                  a * y0 + b * v[1] + c * v[3] + d * v[5]);
    }
}

static void put_ellipse(pen *p, const double v[4])
{
    for (int i = 0; i < ELLIPSE_STEPS; i++) {
        double turn = 6.283185307179586 * i / ELLIPSE_STEPS;
        put_point(p, v[0] + v[2] * cos(turn), v[1] + v[3] * sin(turn));
    }
}

/* Closes the subpath and hands its edges over. */
static void end_subpath(pen *p)
{
    if (p->mirrored) {
        for (int i = p->count - 1; i >= 0; i--)
            put_point(p, 100.0 - p->x[i], p->y[i]);
    }
    const dip_affine *m = &p->map;
    for (int i = 0; i < p->count; i++) {
        int j = i + 1 < p->count ? i + 1 : 0;
        add_edge(p->raster, m->a * p->x[i] + m->b * p->y[i] + m->c,
                 m->d * p->x[i] + m->e * p->y[i] + m->f,
                 m->a * p->x[j] + m->b * p->y[j] + m->c,
                 m->d * p->x[j] + m->e * p->y[j] + m->f);
    }
    p->count = 0;
}

/* Reads the numbers behind a letter and returns what follows them. */
static const char *read_numbers(const char *at, double *out, int count)
{
    char *end = NULL;
    for (int i = 0; i < count; i++) {
        out[i] = strtod(at, &end);
        at = end;
    }
    return at;
}

static void walk_path(pen *p, const char *path)
{
    double v[6];
    for (const char *at = path; *at != '\0';) {
        char letter = *at++;
        switch (letter) {
        case 'S':
            p->mirrored = true;
            break;
        case 'M':
            end_subpath(p);
            /* fall through */
        case 'L':
            at = read_numbers(at, v, 2);
            put_point(p, v[0], v[1]);
            break;
        case 'C':
            at = read_numbers(at, v, 6);
            put_curve(p, v);
            break;
        case 'O':
            end_subpath(p);
            at = read_numbers(at, v, 4);
            put_ellipse(p, v);
            break;
        default: /* Z and blanks: subpaths are closed anyway */
            break;
        }
    }
    end_subpath(p);
}

void dip_raster_fill(dip_raster *raster, const char *path, dip_affine map,
                     dip_raster_span span, void *user)
{
    pen p = {.raster = raster, .map = map};
    raster->top = raster->height;
    raster->bottom = -1;
    walk_path(&p, path);
    for (int y = raster->top; y <= raster->bottom; y++) {
        float *row = raster->cover + (size_t)y * raster->stride;
        float sum = 0.0f;
        int first = raster->width, last = -1;
        for (int x = 0; x < raster->width; x++) {
            sum += row[x];
            row[x] = fminf(fabsf(sum), 1.0f);
            if (row[x] > 0.002f) { /* what rounding leaves is no cover */
                first = x < first ? x : first;
                last = x;
            }
        }
        if (last >= first)
            span(user, first, y, last - first + 1, row + first);
        memset(row, 0, raster->stride * sizeof *row);
    }
}
