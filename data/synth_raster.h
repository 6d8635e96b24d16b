/* Filling paths with anti-aliased edges. */
#ifndef DIP_DATA_SYNTH_RASTER_H
#define DIP_DATA_SYNTH_RASTER_H

#include "base/status.h"

/* From path coordinates to pixels: x' = a x + b y + c, y' = d x + e y + f. */
typedef struct {
    double a, b, c, d, e, f;
} dip_affine;

dip_affine dip_affine_inverse(dip_affine m);

typedef struct dip_raster dip_raster;

dip_status dip_raster_create(dip_raster **out, int width, int height,
                             dip_err *err) DIP_MUST_CHECK;
void dip_raster_destroy(dip_raster *raster);

/* Receives the covered pixels [x, x + count) of row y, each coverage in
 * (0, 1]. */
typedef void (*dip_raster_span)(void *user, int x, int y, int count,
                                const float *coverage);

/* Fills a path in the letters of data/synth_shapes.h by the non-zero rule as
 * far as subpaths of one direction need it: the exact share of each pixel,
 * summed over subpaths and cut at 1. */
void dip_raster_fill(dip_raster *raster, const char *path, dip_affine map,
                     dip_raster_span span, void *user);

#endif
