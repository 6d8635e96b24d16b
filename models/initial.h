/* Initial values from a file of weights, whatever program wrote it
 * (models/origins.h). */
#ifndef DIP_MODELS_INITIAL_H
#define DIP_MODELS_INITIAL_H

#include <stddef.h>

#include "base/status.h"
#include "models/tower.h"
#include "tensor/params.h"

typedef struct {
    char **items; /* owned */
    size_t count, capacity;
} dip_names;

/* What became of the names. Ours: matched (resized ones among them) and
 * missing, of the part that was asked for. The file's: unexpected. */
typedef struct {
    dip_names matched;
    dip_names resized; /* positions of another image size or text length */
    dip_names unfit;   /* projections of another shape: left as they were */
    dip_names missing;
    dip_names unexpected;
    size_t elsewhere; /* of the file, in parts that were not asked for */
} dip_initial_report;

void dip_initial_report_free(dip_initial_report *report); /* NULL allowed */

/* What is asked for: the name in configs, what it covers. */
#define DIP_INITIAL_PART_TABLE(X)                                              \
    X(IMAGE, "image", "the image tower and its projection")                    \
    X(TEXT, "text", "the text tower and its projection")                       \
    X(MODEL, "model", "everything")

typedef enum {
#define DIP_INITIAL_PART_ENUM(name, word, words) DIP_INITIAL_##name,
    DIP_INITIAL_PART_TABLE(DIP_INITIAL_PART_ENUM)
#undef DIP_INITIAL_PART_ENUM
        DIP_INITIAL_PART_COUNT
} dip_initial_part;

const char *dip_initial_part_name(dip_initial_part part);

/* Sets the parameters and buffers of `part` that `path` holds: a safetensors
 * file, an index of several (model.safetensors.index.json), or a folder with
 * model.safetensors, such an index or open_clip_model.safetensors in it. A
 * projection whose shape does not fit stays as it is; so do the parameters that
 * are missing. A text tower of fewer places than the file has takes the first
 * of them; those of an image are resized to the model's grid. `image` (may be
 * NULL) is the kind of the image tower.
 *
 * DIP_EDATA: nothing matches, or a shape is another (both are named). No
 * parameter has changed after an error. The caller ends *report in any case. */
dip_status dip_initial_load(dip_initial_report *report, dip_params *params,
                            dip_initial_part part, const dip_image_kind *image,
                            const char *path, dip_err *err) DIP_MUST_CHECK;

#endif
