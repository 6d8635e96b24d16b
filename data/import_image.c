#include "data/import_image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/decode.h"
#include "image/resize.h"

typedef struct {
    dip_decoder *decoder;
    dip_resizer *resizer;
    dip_image small;
} worker;

struct dip_image_team {
    int count;
    worker *workers;
};

dip_status dip_image_team_create(dip_image_team **out, int threads,
                                 dip_err *err)
{
    *out = NULL;
    dip_image_team *team = calloc(1, sizeof *team);
    if (team == NULL)
        return dip_no_memory(err);
    team->workers = dip_calloc((size_t)threads, sizeof *team->workers);
    dip_status st = team->workers != NULL ? DIP_OK : dip_no_memory(err);
    team->count = st == DIP_OK ? threads : 0;
    for (int i = 0; i < team->count && st == DIP_OK; i++) {
        st = dip_decoder_create(&team->workers[i].decoder, err);
        if (st == DIP_OK)
            st = dip_resizer_create(&team->workers[i].resizer, false, err);
    }
    if (st == DIP_OK) {
        *out = team;
        team = NULL; /* now the caller's */
    }
    dip_image_team_destroy(team);
    return st;
}

void dip_image_team_destroy(dip_image_team *team)
{
    if (team == NULL)
        return;
    for (int i = 0; i < team->count; i++) {
        dip_decoder_destroy(team->workers[i].decoder);
        dip_resizer_destroy(team->workers[i].resizer);
        dip_image_free(&team->workers[i].small);
    }
    free(team->workers);
    free(team);
}

/* The longer side keeps the proportion, cut down as torchvision's Resize
 * does; the crop is rounded as its CenterCrop is. */
static dip_status resize_and_crop(worker *self, const dip_image_view *image,
                                  int side, dip_err *err)
{
    int width = image->width, height = image->height;
    int shorter = width < height ? width : height;
    int64_t wide = (int64_t)side * width / shorter;
    int64_t high = (int64_t)side * height / shorter;
    if (wide > DIP_IMAGE_MAX_SIDE || high > DIP_IMAGE_MAX_SIDE)
        return dip_fail(err, DIP_ERANGE, "too long and narrow (%d x %d)", width,
                        height);
    dip_window middle = {(int)rint((double)(wide - side) / 2),
                         (int)rint((double)(high - side) / 2), side, side};
    dip_resize_options options = {.resample = DIP_RESAMPLE_BICUBIC,
                                  .width = (int)wide,
                                  .height = (int)high,
                                  .window = &middle};
    return dip_resize(&self->small, self->resizer, image, &options, err);
}

static dip_status decode(char **bytes, size_t *len, worker *self,
                         const dip_import_options *options, dip_err *err)
{
    dip_decode_options how = {.keep_orientation = options->keep_orientation,
                              .max_pixels = options->max_pixels};
    dip_image_view image;
    dip_status st =
        dip_image_decode(&image, self->decoder, *bytes, *len, &how, err);
    if (st != DIP_OK || options->pixels == 0)
        return st;
    st = resize_and_crop(self, &image, options->pixels, err);
    if (st != DIP_OK)
        return st;
    size_t size = (size_t)options->pixels * (size_t)options->pixels * 3;
    char *pixels = malloc(size);
    if (pixels == NULL)
        return dip_no_memory(err);
    memcpy(pixels, self->small.pixels, size);
    free(*bytes);
    *bytes = pixels;
    *len = size;
    return DIP_OK;
}

dip_status dip_import_image(char **out, size_t *len, dip_image_team *team,
                            int thread, const char *path,
                            const dip_import_options *options, dip_err *err)
{
    dip_status st = dip_file_read(out, len, path, DIP_IMPORT_MAX_IMAGE, err);
    if (st != DIP_OK)
        return st;
    st = decode(out, len, &team->workers[thread], options, err);
    if (st != DIP_OK) {
        free(*out);
        *out = NULL;
        if (st != DIP_ENOMEM)
            (void)dip_fail_context(err, "cannot decode image '%s'", path);
    }
    return st;
}
