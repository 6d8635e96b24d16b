/* Batches, made ahead of their use by a team of threads.
 *
 * The threads of the team take rows one by one, decode and transform them
 * into the buffers of a ring of batches; one reader thread makes all calls of
 * HDF5 where images are not mapped. What a batch holds is a pure function of
 * the options and of (epoch, batch): the number of threads, the depth of the
 * ring and where it was started change nothing. */
#ifndef DIP_DATA_LOADER_H
#define DIP_DATA_LOADER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"
#include "data/damage.h"
#include "data/relevance.h"
#include "data/row_text.h"
#include "data/tokenizer.h"
#include "image/decode.h"
#include "image/transform.h"

/* A text of each row: made by a template, or one of its judged queries. All
 * that is pointed to is borrowed and must outlive the loader. */
typedef struct {
    const dip_row_text *format;     /* NULL when `queries` is given */
    const dip_row_queries *queries; /* one of the row's; none: length 0 */
    const dip_tokenizer *tokenizer;
    int64_t context;          /* ids of a row, >= 1 */
    const dip_damage *damage; /* NULL: none */
    double word_dropout;      /* 0 to 1, only where `train` is set */
} dip_text_source;

/* A label or a number of each row. All that is pointed to is borrowed and must
 * outlive the loader. */
typedef struct {
    int column; /* of labels when `ids` is given, else of numbers */
    /* [classes of the column] the id that a class has in a batch; NULL for a
     * number. */
    const int64_t *ids;
    int64_t unknown;        /* the id of names without one of their own, */
    double unknown_dropout; /* which training gives with this probability */
} dip_attribute_source;

/* What to do with an image that cannot be decoded; names stand in configs. */
#define DIP_BAD_IMAGE_TABLE(X)                                                 \
    X(ERROR, "error") /* dip_loader_next() fails */                            \
    X(SKIP, "skip")   /* as if the row had none */

typedef enum {
#define DIP_BAD_IMAGE_ENUM(name, word) DIP_BAD_IMAGE_##name,
    DIP_BAD_IMAGE_TABLE(DIP_BAD_IMAGE_ENUM)
#undef DIP_BAD_IMAGE_ENUM
        DIP_BAD_IMAGE_COUNT
} dip_bad_image;

/* Start from dip_loader_defaults(). The arrays are copied. */
typedef struct {
    const dip_catalog *catalog; /* borrowed */
    const int64_t *rows;        /* [row_count] */
    int64_t row_count;
    int64_t batch_size;
    bool shuffle, drop_last;
    bool train; /* augmentation and word dropout on */
    uint64_t seed;
    /* Of data/sampler.h; rows are those of the catalog. NULL: none. */
    const int64_t *near;
    int64_t near_width;

    int image_column; /* -1: no images */
    dip_transform transform;
    bool keep_orientation; /* ignore EXIF */
    int64_t max_pixels;    /* 0 = DIP_DECODE_MAX_PIXELS */
    /* Decode large JPEGs in full, not at the 1/2, 1/4 or 1/8 that the
     * transform has use for: slower, for parity with other programs. */
    bool full_decode;
    dip_bad_image bad_image;

    const dip_text_source *texts;
    int text_count;
    const int *labels; /* label columns */
    int label_count;
    const dip_attribute_source *attributes;
    int attribute_count;

    int threads; /* of the team; 0 = processors of the machine */
    int depth;   /* batches of the ring with the one in use; 0 = 3 */
    /* Held around calls of HDF5 by the reader thread: to be shared by all who
     * call a library that is not thread-safe. NULL: none. */
    pthread_mutex_t *hdf5_lock;
} dip_loader_options;

typedef struct {
    int64_t context;
    int64_t *ids;     /* [size, context], padded with DIP_TOKEN_PAD */
    int64_t *lengths; /* [size], 0 to context; 0 = absent: no word */
    int64_t *queries; /* [size] index of the judged query or -1; else NULL */
} dip_batch_text;

/* One of the two is given. */
typedef struct {
    int64_t *labels; /* [size], -1 = missing */
    float *numbers;  /* [size], missing where not finite */
} dip_batch_attribute;

typedef struct {
    int64_t epoch, index;  /* the `index`th batch of the epoch, from 0 */
    int64_t size;          /* rows, at most batch_size */
    int64_t *rows;         /* [size] of the catalog */
    float *images;         /* [size, 3, S, S], zeros where absent; or NULL */
    uint8_t *present;      /* [size] 1 = has an image; NULL without images */
    dip_batch_text *texts; /* [text_count] */
    int64_t **labels;      /* [label_count][size], -1 = missing */
    dip_batch_attribute *attributes; /* [attribute_count] */
} dip_batch;

/* Whether row `i` of a batch has a value. */
bool dip_batch_attribute_present(const dip_batch_attribute *attribute,
                                 int64_t i);

typedef struct dip_loader dip_loader;

dip_loader_options dip_loader_defaults(void);
/* DIP_ENOTFOUND, listing the right names, when `name` is none. */
dip_status dip_bad_image_from_name(dip_bad_image *out, const char *name,
                                   dip_err *err) DIP_MUST_CHECK;

/* No thread runs before dip_loader_start(). */
dip_status dip_loader_create(dip_loader **out,
                             const dip_loader_options *options,
                             dip_err *err) DIP_MUST_CHECK;
/* Stops first. Accepts NULL; good at any time. */
void dip_loader_free(dip_loader *loader);

/* Batches of an epoch. */
int64_t dip_loader_batches(const dip_loader *loader);

/* Begins at batch `batch` of `epoch` and goes on to the end of epoch
 * `end_epoch` - 1; stops what ran before. `batch` may be dip_loader_batches():
 * the begin of the next epoch. */
dip_status dip_loader_start(dip_loader *loader, int64_t epoch, int64_t batch,
                            int64_t end_epoch, dip_err *err) DIP_MUST_CHECK;
/* The next batch in order, borrowed until the next call of next, start, stop
 * or free; NULL after the last. The caller may change its arrays. Waits where
 * it is not ready. An error of the team, which names the row's id, comes in
 * the place of its batch and again at each further call. */
dip_status dip_loader_next(const dip_batch **out, dip_loader *loader,
                           dip_err *err) DIP_MUST_CHECK;
/* Ends the threads. Good at any time, from the thread that calls next. */
void dip_loader_stop(dip_loader *loader);

/* Seconds that dip_loader_next() waited, since the loader was created. */
double dip_loader_waited(const dip_loader *loader);
/* Images given as absent because they could not be decoded, in the batches
 * that next has handed out so far. */
int64_t dip_loader_skipped(const dip_loader *loader);

#endif
