#include "data/fashion_mnist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE };

static const char *const classes[DIP_FASHION_MNIST_CLASSES] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

const char *dip_fashion_mnist_class(int class)
{
    return classes[class];
}

/* ---- idx files: big-endian magic, counts, bytes -------------------------- */

typedef struct {
    gzFile file;
    char *path;
    uint32_t count;
} idx_file;

static void idx_close(idx_file *idx)
{
    if (idx->file != NULL)
        (void)gzclose(idx->file);
    free(idx->path);
    *idx = (idx_file){0};
}

/* The message of zlib is used where there is one: a wrong checksum, say. */
static dip_status idx_read(idx_file *idx, void *out, unsigned n, dip_err *err)
{
    int got = gzread(idx->file, out, n);
    if (got == (int)n)
        return DIP_OK;
    int code;
    const char *words = gzerror(idx->file, &code);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return dip_fail(err, DIP_EFORMAT, "damaged file '%s': %s", idx->path,
                        words);
    return dip_fail(err, DIP_EFORMAT, "'%s' is cut short", idx->path);
}

static dip_status idx_read_u32(idx_file *idx, uint32_t *out, dip_err *err)
{
    unsigned char b[4];
    dip_status st = idx_read(idx, b, sizeof b, err);
    if (st == DIP_OK)
        *out = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
               (uint32_t)b[2] << 8 | b[3];
    return st;
}

/* Opens "<folder>/<name>" or the same with ".gz". */
static dip_status idx_find(idx_file *idx, const char *folder, const char *name,
                           dip_err *err)
{
    static const char *const endings[] = {"", ".gz"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(endings); i++) {
        dip_str path = {0};
        dip_str_addf(&path, "%s/%s%s", folder, name, endings[i]);
        if (dip_str_status(&path, err) != DIP_OK)
            return DIP_ENOMEM;
        free(idx->path);
        idx->path = path.data;
        if (dip_file_exists(idx->path))
            break;
    }
    idx->file = gzopen(idx->path, "rb"); /* reads plain files too */
    if (idx->file == NULL)
        return dip_fail(err, DIP_EIO, "no file '%s/%s' or '%s/%s.gz'", folder,
                        name, folder, name);
    return DIP_OK;
}

/* Two magics are known: 0x801 for [n] bytes, 0x803 for [n, 28, 28]. */
static dip_status idx_open(idx_file *idx, const char *folder, const char *name,
                           uint32_t magic, dip_err *err)
{
    dip_status st = idx_find(idx, folder, name, err);
    uint32_t found = 0, sides[2] = {SIDE, SIDE};
    if (st == DIP_OK)
        st = idx_read_u32(idx, &found, err);
    if (st != DIP_OK)
        return st;
    if (found != magic)
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' begins with 0x%08x, not with 0x%08x", idx->path,
                        found, magic);
    st = idx_read_u32(idx, &idx->count, err);
    for (uint32_t i = 0; i < magic % 256 - 1 && st == DIP_OK; i++)
        st = idx_read_u32(idx, &sides[i], err);
    if (st == DIP_OK && (sides[0] != SIDE || sides[1] != SIDE))
        return dip_fail(err, DIP_EFORMAT,
                        "images of %u x %u in '%s', not of 28 x 28", sides[1],
                        sides[0], idx->path);
    return st;
}

/* Reads on past the last item, so that zlib checks the file's checksum. */
static dip_status idx_finish(idx_file *idx, dip_err *err)
{
    char extra;
    int got = gzread(idx->file, &extra, 1), code;
    const char *words = gzerror(idx->file, &code);
    if (got > 0)
        return dip_fail(err, DIP_EFORMAT, "'%s' goes on after its %u items",
                        idx->path, idx->count);
    if (code == Z_BUF_ERROR) /* zlib's word for a file that ends too early */
        return dip_fail(err, DIP_EFORMAT, "'%s' is cut short", idx->path);
    if (got < 0)
        return dip_fail(err, DIP_EFORMAT, "damaged file '%s': %s", idx->path,
                        words);
    return DIP_OK;
}

/* ---- rows ---------------------------------------------------------------- */

/* One of the two parts; the last `val_rows` of it are for validation. */
static dip_status add_rows(dip_photo_set *set, idx_file *images,
                           idx_file *labels, const char *prefix,
                           dip_split split, int64_t val_rows, dip_err *err)
{
    int64_t count = images->count;
    for (int64_t i = 0; i < count; i++) {
        unsigned char pixels[PIXELS], class;
        dip_status st = idx_read(images, pixels, PIXELS, err);
        if (st == DIP_OK)
            st = idx_read(labels, &class, 1, err);
        if (st != DIP_OK)
            return st;
        if (class >= DIP_FASHION_MNIST_CLASSES)
            return dip_fail(err, DIP_EFORMAT, "item %lld in '%s' has class %d",
                            (long long)i, labels->path, class);
        st = dip_photo_set_add(set, prefix, i,
                               i < count - val_rows ? split : DIP_SPLIT_VAL,
                               pixels, classes[class], err);
        if (st != DIP_OK)
            return st;
    }
    dip_status st = idx_finish(images, err);
    return st == DIP_OK ? idx_finish(labels, err) : st;
}

static dip_status add_part(dip_photo_set *set, const char *stem,
                           const char *prefix, dip_split split,
                           int64_t val_rows, dip_err *err)
{
    const char *folder = set->options->folder;
    char name[40];
    idx_file images = {0}, labels = {0};
    (void)snprintf(name, sizeof name, "%s-images-idx3-ubyte", stem);
    dip_status st = idx_open(&images, folder, name, 0x803, err);
    (void)snprintf(name, sizeof name, "%s-labels-idx1-ubyte", stem);
    if (st == DIP_OK)
        st = idx_open(&labels, folder, name, 0x801, err);
    if (st == DIP_OK && images.count != labels.count)
        st = dip_fail(err, DIP_EFORMAT, "%u images in '%s' but %u labels",
                      images.count, images.path, labels.count);
    if (st == DIP_OK && val_rows > images.count)
        st = dip_fail(err, DIP_ERANGE,
                      "%lld rows for validation, but '%s' has only %u",
                      (long long)val_rows, images.path, images.count);
    if (st == DIP_OK)
        st = add_rows(set, &images, &labels, prefix, split, val_rows, err);
    idx_close(&images);
    idx_close(&labels);
    return st;
}

dip_status dip_import_fashion_mnist(dip_import_report *report,
                                    const dip_photo_set_options *options,
                                    dip_err *err)
{
    *report = (dip_import_report){0};
    dip_photo_set set = {.options = options,
                         .report = report,
                         .source = "Fashion-MNIST",
                         .side = SIDE,
                         .channels = 1};
    dip_status st = dip_photo_set_begin(&set, err);
    if (st == DIP_OK)
        st = add_part(&set, "train", "train", DIP_SPLIT_TRAIN,
                      options->val_rows, err);
    if (st == DIP_OK)
        st = add_part(&set, "t10k", "test", DIP_SPLIT_TEST, 0, err);
    if (st == DIP_OK)
        st = dip_photo_set_commit(&set, err);
    dip_photo_set_end(&set);
    return st;
}
