/* Reading a catalog: products as rows of checked HDF5 (docs/data-format.md).
 *
 * Ids, texts, labels, numbers, splits and groups are in memory (or mapped)
 * once the catalog is open, and may be read from any thread. So may images,
 * where dip_catalog_images_mapped() says so; otherwise dip_catalog_image()
 * calls HDF5, and one thread at a time may do so, for all catalogs together. */
#ifndef DIP_DATA_CATALOG_H
#define DIP_DATA_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef struct dip_catalog dip_catalog;

/* Bytes that somebody else owns; not NUL-terminated. */
typedef struct {
    const char *data;
    size_t len;
} dip_bytes;

/* name in tables and configs */
#define DIP_SPLIT_TABLE(X)                                                     \
    X(TRAIN, "train")                                                          \
    X(VAL, "val")                                                              \
    X(TEST, "test")

typedef enum {
#define DIP_SPLIT_ENUM(name, word) DIP_SPLIT_##name,
    DIP_SPLIT_TABLE(DIP_SPLIT_ENUM)
#undef DIP_SPLIT_ENUM
        DIP_SPLIT_COUNT
} dip_split;

const char *dip_split_name(dip_split split);
/* False when `name` is none of the table. */
bool dip_split_parse(dip_split *out, const char *name);

/* name, word in manifests and group in files */
#define DIP_COLUMN_TABLE(X)                                                    \
    X(IMAGE, "image")                                                          \
    X(TEXT, "text")                                                            \
    X(LABEL, "label")                                                          \
    X(NUMBER, "number")

typedef enum {
#define DIP_COLUMN_ENUM(name, word) DIP_COLUMN_##name,
    DIP_COLUMN_TABLE(DIP_COLUMN_ENUM)
#undef DIP_COLUMN_ENUM
} dip_column_kind;

const char *dip_column_kind_name(dip_column_kind kind);
bool dip_column_kind_parse(dip_column_kind *out, const char *name);

typedef struct {
    dip_column_kind kind;
    const char *name;
    bool encoded;                    /* image: JPEG, PNG or WebP bytes */
    int64_t height, width, channels; /* image: of pixels, else 0 */
    int64_t classes;                 /* label: names known */
} dip_column;

/* How a foreign HDF5 file is read in place, without conversion. A lone catalog
 * needs none (layout NULL). */
typedef struct {
    const char *name; /* the column's name here */
    const char *dataset;
} dip_dataset_name;

typedef struct {
    const char *layout; /* "fashion_gen", "coco_captions" */
    const char *image;  /* dataset; NULL: the layout's usual name */
    dip_dataset_name *texts, *labels, *numbers;
    int text_count, label_count, number_count;
    const char *group;    /* dataset whose equal values make a group */
    const char *word_map; /* coco_captions: file; NULL: the sibling's name */
    const char *captions; /* coco_captions: file; NULL: the sibling's name */
    const char *splits[DIP_SPLIT_COUNT]; /* a file for each split, or NULL */
} dip_mapping;

typedef struct {
    const dip_mapping *mapping; /* NULL: the catalog format */
    bool verify;                /* check every digest again, cache or not */
    /* Called for what is worth saying but no error ("no manifest"). */
    void (*warn)(void *user, const char *message);
    void *user;
} dip_catalog_options;

/* `path`: a manifest, a .h5 file, or the common name of shards. With a mapping
 * that names files for splits it is their folder (NULL: the current one); with
 * another mapping it is the one file, and all its rows are of the training
 * split. `options` may be NULL. The caller owns *out. */
dip_status dip_catalog_open(dip_catalog **out, const char *path,
                            const dip_catalog_options *options,
                            dip_err *err) DIP_MUST_CHECK;
void dip_catalog_close(dip_catalog *catalog);

const char *dip_catalog_path(const dip_catalog *catalog);
const char *dip_catalog_name(const dip_catalog *catalog);
/* SHA-256 over the manifest's content (64 hex digits): names this data. Of the
 * file itself when there is no manifest. */
const char *dip_catalog_digest(const dip_catalog *catalog);
/* When and from what it was made; "" where the files do not say. */
const char *dip_catalog_created(const dip_catalog *catalog);
const char *dip_catalog_source(const dip_catalog *catalog);
int64_t dip_catalog_rows(const dip_catalog *catalog);
int64_t dip_catalog_split_rows(const dip_catalog *catalog, dip_split split);

int dip_catalog_column_count(const dip_catalog *catalog);
const dip_column *dip_catalog_column(const dip_catalog *catalog, int column);
/* Index of the column, or DIP_ENOTFOUND with the names that there are. */
dip_status dip_catalog_find(const dip_catalog *catalog, dip_column_kind kind,
                            const char *name, int *column,
                            dip_err *err) DIP_MUST_CHECK;

/* The files that hold the rows, in the order of the rows. Borrowed. */
typedef struct {
    const char *file; /* its path */
    int64_t rows, bytes;
    const char *sha256; /* as the manifest has it; "" without one */
} dip_shard_info;

int dip_catalog_shard_count(const dip_catalog *catalog);
dip_shard_info dip_catalog_shard(const dip_catalog *catalog, int shard);

/* Values of a row; `row` is in [0, rows). Borrowed. */
dip_bytes dip_catalog_id(const dip_catalog *catalog, int64_t row);
dip_split dip_catalog_split(const dip_catalog *catalog, int64_t row);
int64_t dip_catalog_group(const dip_catalog *catalog, int64_t row);
dip_bytes dip_catalog_text(const dip_catalog *catalog, int column, int64_t row);
int32_t dip_catalog_label(const dip_catalog *catalog, int column,
                          int64_t row); /* -1: missing */
dip_bytes dip_catalog_label_name(const dip_catalog *catalog, int column,
                                 int32_t value);
float dip_catalog_number(const dip_catalog *catalog, int column,
                         int64_t row); /* NaN: missing */
/* The row of an id, or -1. */
int64_t dip_catalog_row_of(const dip_catalog *catalog, dip_bytes id);

/* An image as it stands in the file. */
typedef struct {
    dip_bytes encoded;     /* len 0 when the column holds pixels or none */
    const uint8_t *pixels; /* [height, width, channels], or NULL */
    int64_t height, width, channels;
} dip_image_source;

bool dip_catalog_images_mapped(const dip_catalog *catalog, int column);
/* Bytes of scratch that dip_catalog_image() may need; 0 when mapped. */
size_t dip_catalog_image_scratch(const dip_catalog *catalog, int column);
/* Borrowed from the catalog or from `scratch`. A row without an image gives
 * encoded.len = 0 and pixels = NULL. */
dip_status dip_catalog_image(const dip_catalog *catalog, int column,
                             int64_t row, void *scratch, dip_image_source *out,
                             dip_err *err) DIP_MUST_CHECK;

/* ---- search logs and behaviour ------------------------------------------- */

typedef struct {
    int64_t query; /* index of the query */
    int64_t row;
    float grade; /* >= 0 */
    dip_split split;
} dip_judgement;

typedef struct {
    int64_t user; /* index of the user */
    int64_t row;
    float weight;
    int64_t time; /* seconds since 1970, or as given */
    dip_split split;
} dip_interaction;

int64_t dip_catalog_query_count(const dip_catalog *catalog);
dip_bytes dip_catalog_query(const dip_catalog *catalog, int64_t query);
int64_t dip_catalog_judgement_count(const dip_catalog *catalog);
dip_judgement dip_catalog_judgement(const dip_catalog *catalog, int64_t i);
int64_t dip_catalog_user_count(const dip_catalog *catalog);
dip_bytes dip_catalog_user(const dip_catalog *catalog, int64_t user);
int64_t dip_catalog_interaction_count(const dip_catalog *catalog);
dip_interaction dip_catalog_interaction(const dip_catalog *catalog, int64_t i);

#endif
