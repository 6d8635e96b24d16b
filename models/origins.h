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

/* How names are spelled: a set. What none of them spells stands as in our
 * language, which has the words of open_clip. */
enum {
    DIP_SPELLING_VISUAL = 1 << 0, /* photos: visual.*, a matrix projects */
    DIP_SPELLING_TRUNK = 1 << 1,  /* photos: visual.trunk.*, a layer projects */
    DIP_SPELLING_ROOT = 1 << 2,   /* texts: at the root */
    DIP_SPELLING_TEXT = 1 << 3,   /* texts: text.* */
    DIP_SPELLING_TEXT_PLAIN = 1 << 4,   /* a matrix projects them */
    DIP_SPELLING_TEXT_BIAS = 1 << 5,    /* a layer projects them */
    DIP_SPELLING_HUGGING_FACE = 1 << 6, /* its CLIP's and SigLIP's */
    DIP_SPELLING_TEXT_HEAD = 1 << 7,    /* SigLIP's there */
    DIP_SPELLING_TIMM = 1 << 8,  /* the words of its vision transformers */
    DIP_SPELLING_ALONE = 1 << 9, /* a tower alone, without its part's name */
};

/* Writes the names, one or three, that hold the weights of a name of our
 * language between them; returns how many. dip_origin_read() reads each. */
int dip_origin_write(char names[DIP_ORIGIN_THIRDS][DIP_ORIGIN_NAME_MAX],
                     const char *ours, unsigned spelling);

/* Dimensions of the tensor of a written name, leading ones among them; 0: as
 * many as ours has. */
int dip_origin_ndim(const char *name, unsigned spelling);

/* Whether the name tells its part. In a file with such names, those without a
 * part are at the root of a whole model. */
bool dip_origin_tells_part(const char *name);

#endif
