/* The names that other programs give to the same weights: open_clip and
 * OpenAI's CLIP, Hugging Face's CLIP, SigLIP and BERT, torchvision, timm.
 *
 * Every name, ours included, is read into one language: the part of the model
 * it belongs to, as in models/model.h, and behind it the words of open_clip.
 * Two tensors of one such name are the same weights. */
#ifndef DIP_MODELS_ORIGINS_H
#define DIP_MODELS_ORIGINS_H

#include <stdbool.h>

#define DIP_ORIGIN_NAME_MAX 256

/* Some keep the projections of queries, keys and values in one tensor, others
 * in two or three: a tensor holds `count` of these thirds, from `first` on, one
 * behind the other in its first dimension. Any other tensor holds all three. */
#define DIP_ORIGIN_THIRDS 3

typedef struct {
    char name[DIP_ORIGIN_NAME_MAX]; /* "image.transformer.resblocks.0.…" */
    int first, count;
    bool transposed; /* a matrix that stands the other way round */
} dip_origin_name;

/* Reads a name. One that tells no part ("conv1.weight") is of `part`, "image"
 * or "text"; NULL: of the text tower where the words are those of CLIP's, whose
 * files have it at the root, else of none. False for what is no weight (masks,
 * counters) and for a name that is too long. */
bool dip_origin_read(dip_origin_name *out, const char *name, const char *part);

/* Whether the name tells its part. In a file with such names, those without a
 * part are at the root of a whole model. */
bool dip_origin_tells_part(const char *name);

#endif
