#include "data/fashion_mnist.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/catalog_writer.h"
#include "data/template.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, TICK_ROWS = 256 };

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

typedef struct {
    const dip_fashion_mnist_options *options;
    dip_template *title;
    dip_catalog_writer *writer;
    dip_import_report *report;
} importer;

static dip_status add_row(importer *self, const char *prefix, int64_t number,
                          dip_split split, const unsigned char *pixels,
                          const char *name, dip_err *err)
{
    char id[40];
    int n = snprintf(id, sizeof id, "%s-%05lld", prefix, (long long)number);
    dip_bytes class = {name, strlen(name)};
    dip_str title = {0};
    dip_template_render(&title, self->title, &class);
    dip_status st = dip_str_status(&title, err);
    const dip_value values[] = {
        {.bytes = {(const char *)pixels, PIXELS}, .number = NAN},
        {.bytes = {dip_str_text(&title), title.len}, .number = NAN},
        {.label = class, .number = NAN}};
    dip_row row = {.id = {id, (size_t)n}, .split = split, .values = values};
    if (st == DIP_OK)
        st = dip_catalog_writer_add(self->writer, &row, err);
    if (st == DIP_OK) {
        dip_import_report_good(self->report, split);
        self->report->image_bytes += PIXELS;
    }
    dip_str_free(&title);
    return st;
}

/* One of the two parts; the last `val_rows` of it are for validation. */
static dip_status add_rows(importer *self, idx_file *images, idx_file *labels,
                           const char *prefix, dip_split split,
                           int64_t val_rows, dip_err *err)
{
    const dip_import_progress *progress = &self->options->progress;
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
        st = add_row(self, prefix, i,
                     i < count - val_rows ? split : DIP_SPLIT_VAL, pixels,
                     classes[class], err);
        if (st == DIP_OK && i % TICK_ROWS == 0)
            st = dip_import_tick(progress, self->report->rows, 0, err);
        if (st != DIP_OK)
            return st;
    }
    dip_status st = idx_finish(images, err);
    return st == DIP_OK ? idx_finish(labels, err) : st;
}

static dip_status add_part(importer *self, const char *stem, const char *prefix,
                           dip_split split, int64_t val_rows, dip_err *err)
{
    const char *folder = self->options->folder;
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
        st = add_rows(self, &images, &labels, prefix, split, val_rows, err);
    idx_close(&images);
    idx_close(&labels);
    return st;
}

static dip_status start(importer *self, dip_err *err)
{
    static const char *const names[] = {"class"};
    static const dip_column columns[] = {
        {.kind = DIP_COLUMN_IMAGE,
         .name = "image",
         .height = SIDE,
         .width = SIDE,
         .channels = 1},
        {.kind = DIP_COLUMN_TEXT, .name = "title"},
        {.kind = DIP_COLUMN_LABEL, .name = "class"}};
    const char *title = self->options->title;
    dip_status st = dip_template_parse(
        &self->title, title != NULL ? title : "{class}", names, 1, err);
    if (st == DIP_OK && dip_template_column_count(self->title) > 1)
        st = dip_fail(err, DIP_EUSAGE, "{class} stands twice in '%s'", title);
    if (st != DIP_OK)
        return st;
    dip_catalog_schema schema = {.source = "Fashion-MNIST",
                                 .columns = columns,
                                 .column_count = DIP_ARRAY_LEN(columns),
                                 .shard_rows = self->options->shard_rows};
    return dip_catalog_writer_create(&self->writer, self->options->out, &schema,
                                     err);
}

dip_status dip_import_fashion_mnist(dip_import_report *report,
                                    const dip_fashion_mnist_options *options,
                                    dip_err *err)
{
    *report = (dip_import_report){0};
    importer self = {.options = options, .report = report};
    dip_status st = start(&self, err);
    if (st == DIP_OK)
        st = add_part(&self, "train", "train", DIP_SPLIT_TRAIN,
                      options->val_rows, err);
    if (st == DIP_OK)
        st = add_part(&self, "t10k", "test", DIP_SPLIT_TEST, 0, err);
    if (st == DIP_OK)
        st = dip_catalog_writer_commit(self.writer, err);
    dip_catalog_writer_end(self.writer);
    dip_template_free(self.title);
    return st;
}
