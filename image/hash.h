/* Fingerprints of pictures, for near-duplicates. */
#ifndef DIP_IMAGE_HASH_H
#define DIP_IMAGE_HASH_H

#include <stdint.h>

#include "base/status.h"
#include "image/image.h"
#include "image/resize.h"

/* The difference hash (N. Krawetz, "Kind of like that", 2013): grey, reduced
 * to 9x8, one bit per pair of horizontal neighbours, 1 when the right one is
 * brighter; row by row, the first bit highest. Copies of other size, quality
 * or brightness differ in few bits. */
dip_status dip_image_dhash(uint64_t *out, dip_resizer *resizer,
                           const dip_image_view *image,
                           dip_err *err) DIP_MUST_CHECK;

/* Number of bits in which two hashes differ, 0 to 64. */
int dip_image_hash_distance(uint64_t a, uint64_t b);

#endif
