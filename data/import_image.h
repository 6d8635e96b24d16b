/* One image on its way into a catalog: read, checked by decoding, resized. */
#ifndef DIP_DATA_IMPORT_IMAGE_H
#define DIP_DATA_IMPORT_IMAGE_H

#include "base/status.h"
#include "data/import.h"

#define DIP_IMPORT_MAX_IMAGE ((size_t)256 << 20) /* bytes of a file */

/* Decoders and resizers, one for each thread of a team. */
typedef struct dip_image_team dip_image_team;

dip_status dip_image_team_create(dip_image_team **out, int threads,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_image_team_destroy(dip_image_team *team);

/* Reads and decodes `path`. *out, which the caller frees, is the file as found
 * or, for options->pixels, [side, side, 3]. DIP_EIO when it cannot be read,
 * DIP_EFORMAT or DIP_ERANGE when it is no image that we take; messages name the
 * file. `thread` is the caller's number in the team. */
dip_status dip_import_image(char **out, size_t *len, dip_image_team *team,
                            int thread, const char *path,
                            const dip_import_options *options,
                            dip_err *err) DIP_MUST_CHECK;

#endif
