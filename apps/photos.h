/* Small copies of a catalog's photos, for pages. */
#ifndef DIP_APPS_PHOTOS_H
#define DIP_APPS_PHOTOS_H

#include "base/status.h"
#include "base/str.h"
#include "data/catalog.h"

#define DIP_PHOTO_SIDE 96 /* pixels of the longer side at most */

typedef struct dip_photos dip_photos;

/* Borrows the catalog. `column` is its image column, -1: there is none; `exif`
 * whether photos are turned as their EXIF data say. The caller ends *out with
 * dip_photos_free(). */
dip_status dip_photos_open(dip_photos **out, const dip_catalog *catalog,
                           int column, bool exif, int64_t max_pixels,
                           dip_err *err) DIP_MUST_CHECK;
void dip_photos_free(dip_photos *photos); /* NULL allowed */

/* Appends a JPEG of the row's photo; nothing when the row is outside the
 * catalog, has none, or it is damaged. `photos` is a dip_photos, as
 * dip_report_photos wants it. */
dip_status dip_photos_add(void *photos, dip_str *jpeg, int64_t row,
                          dip_err *err) DIP_MUST_CHECK;

#endif
