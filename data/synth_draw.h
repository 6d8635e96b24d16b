/* Photos of synthetic products. */
#ifndef DIP_DATA_SYNTH_DRAW_H
#define DIP_DATA_SYNTH_DRAW_H

#include <stdint.h>

#include "base/status.h"
#include "data/synth_product.h"
#include "image/image.h"

/* Memory that drawings reuse. One per thread. */
typedef struct dip_synth_artist dip_synth_artist;

dip_status dip_synth_artist_create(dip_synth_artist **out, int size,
                                   dip_err *err) DIP_MUST_CHECK;
void dip_synth_artist_destroy(dip_synth_artist *artist);

/* Draws the photo of a row, [size, size, 3]: background, scale, angle and
 * light are its own. The pixels belong to the artist until the next drawing. */
dip_image_view dip_synth_draw(dip_synth_artist *artist, uint64_t seed,
                              int64_t row, const dip_synth_product *product);

#endif
