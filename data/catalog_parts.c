#include "data/catalog_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

static dip_status map_file(dip_part *part, dip_err *err)
{
    dip_status st = DIP_OK;
    struct stat info;
    int fd = open(part->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        st = dip_fail(err, errno == ENOENT ? DIP_ENOTFOUND : DIP_EIO,
                      "cannot open '%s': %s", part->path, strerror(errno));
        goto close_file;
    }
    part->bytes = info.st_size;
    if (info.st_size == 0)
        goto close_file; /* HDF5 will say what it thinks of it */
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        st = dip_fail(err, DIP_EIO, "cannot map '%s': %s", part->path,
                      strerror(errno));
        goto close_file;
    }
    part->map = map;
    part->map_bytes = (size_t)info.st_size;
close_file:
    if (fd >= 0)
        (void)close(fd);
    return st;
}

dip_status dip_part_begin(dip_part **out, dip_catalog *catalog,
                          const char *path, dip_err *err)
{
    *out = NULL;
    dip_status st = dip_reserve(&catalog->parts, &catalog->part_capacity,
                                (size_t)catalog->part_count + 1,
                                sizeof *catalog->parts, err);
    if (st != DIP_OK)
        return st;
    dip_part *part = &catalog->parts[catalog->part_count++];
    *part = (dip_part){.first = catalog->rows, .file = DIP_H5_NO_FILE};
    part->path = dip_strdup(path);
    if (part->path == NULL)
        return dip_no_memory(err);
    st = map_file(part, err);
    if (st == DIP_OK)
        st = dip_h5_open(&part->file, part->path, err);
    if (st == DIP_OK && catalog->column_count > 0)
        st = dip_reserve(&part->columns, &part->column_capacity,
                         (size_t)catalog->column_count, sizeof *part->columns,
                         err);
    if (st != DIP_OK)
        return st;
    for (int i = 0; i < catalog->column_count; i++)
        part->columns[i] = (dip_part_column){.dataset = DIP_H5_NO_DATASET};
    *out = part;
    return DIP_OK;
}

/* Grows an array to `total` items; *array is a pointer to any type. */
static dip_status grow(void *array, int64_t total, size_t size, dip_err *err)
{
    void *old, *grown;
    size_t bytes;
    memcpy(&old, array, sizeof old);
    if (dip_mul_overflows((size_t)total, size, &bytes))
        return dip_no_memory(err);
    grown = realloc(old, bytes);
    if (grown == NULL)
        return dip_no_memory(err);
    memcpy(array, &grown, sizeof grown);
    return DIP_OK;
}

static dip_status grow_column(dip_store *store, int64_t first, int64_t total,
                              dip_err *err)
{
    dip_status st = DIP_OK;
    if (store->about.kind == DIP_COLUMN_LABEL)
        st = grow(&store->labels, total, sizeof *store->labels, err);
    if (store->about.kind == DIP_COLUMN_NUMBER)
        st = grow(&store->numbers, total, sizeof *store->numbers, err);
    if (st != DIP_OK)
        return st;
    for (int64_t i = first; i < total; i++) {
        if (store->about.kind == DIP_COLUMN_LABEL)
            store->labels[i] = -1;
        else if (store->about.kind == DIP_COLUMN_NUMBER)
            store->numbers[i] = NAN;
    }
    return DIP_OK;
}

dip_status dip_part_set_rows(dip_catalog *catalog, dip_part *part, int64_t rows,
                             dip_err *err)
{
    if (rows <= 0)
        return dip_fail(err, DIP_EFORMAT, "no rows in '%s'", part->path);
    if (rows > INT64_MAX / 16 - part->first)
        return dip_fail(err, DIP_ERANGE, "too many rows in '%s'", part->path);
    int64_t total = part->first + rows;
    part->rows = rows;
    dip_status st = grow(&catalog->splits, total, sizeof *catalog->splits, err);
    if (st == DIP_OK)
        st = grow(&catalog->groups, total, sizeof *catalog->groups, err);
    for (int i = 0; i < catalog->column_count && st == DIP_OK; i++)
        st = grow_column(&catalog->columns[i], part->first, total, err);
    return st;
}

/* The first part: appends the column to the catalog and to the part. */
static dip_status declare(int *index, dip_catalog *catalog, dip_part *part,
                          const dip_column *about, dip_err *err)
{
    size_t count = (size_t)catalog->column_count + 1;
    dip_status st = dip_reserve(&catalog->columns, &catalog->column_capacity,
                                count, sizeof *catalog->columns, err);
    if (st == DIP_OK)
        st = dip_reserve(&part->columns, &part->column_capacity, count,
                         sizeof *part->columns, err);
    if (st != DIP_OK)
        return st;
    char *name = dip_strdup(about->name);
    if (name == NULL)
        return dip_no_memory(err);
    *index = catalog->column_count++;
    part->columns[*index] = (dip_part_column){.dataset = DIP_H5_NO_DATASET};
    dip_store *store = &catalog->columns[*index];
    *store = (dip_store){.about = *about};
    store->about.name = name;
    return grow_column(store, 0, part->rows, err);
}

static int find_column(const dip_catalog *catalog, const dip_column *about)
{
    for (int i = 0; i < catalog->column_count; i++) {
        const dip_column *c = &catalog->columns[i].about;
        if (c->kind == about->kind && strcmp(c->name, about->name) == 0)
            return i;
    }
    return -1;
}

static bool same_images(const dip_column *a, const dip_column *b)
{
    return a->encoded == b->encoded && a->height == b->height &&
           a->width == b->width && a->channels == b->channels;
}

dip_status dip_part_add_column(int *index, dip_catalog *catalog, dip_part *part,
                               const dip_column *about, dip_err *err)
{
    dip_status st = DIP_OK;
    const char *kind = dip_column_kind_name(about->kind);
    *index = find_column(catalog, about);
    if (*index >= 0 && part->columns[*index].present)
        return dip_fail(err, DIP_EFORMAT, "two %s columns '%s' in '%s'", kind,
                        about->name, part->path);
    if (*index < 0 && catalog->part_count == 1)
        st = declare(index, catalog, part, about, err);
    else if (*index < 0 || !same_images(about, &catalog->columns[*index].about))
        st = dip_fail(err, DIP_EFORMAT,
                      "%s column '%s' of '%s' is not that of '%s'", kind,
                      about->name, part->path, catalog->parts[0].path);
    if (st == DIP_OK)
        part->columns[*index].present = true;
    return st;
}

dip_status dip_part_add_id(dip_catalog *catalog, const dip_part *part,
                           dip_bytes id, dip_err *err)
{
    long long row = (long long)catalog->ids.count;
    if (id.len == 0)
        return dip_fail(err, DIP_EFORMAT, "empty id in row %lld of '%s'", row,
                        part->path);
    if (!dip_utf8_valid(id.data, id.len, NULL))
        return dip_fail(err, DIP_EFORMAT, "id is not UTF-8 in row %lld of '%s'",
                        row, part->path);
    int64_t number;
    dip_status st = dip_names_add(&catalog->ids, id, &number, err);
    if (st == DIP_OK && number != row)
        return dip_fail(err, DIP_EFORMAT,
                        "rows %lld and %lld have the same id '%.*s' in '%s'",
                        (long long)number, row,
                        (int)(id.len < 200 ? id.len : 200), id.data,
                        part->path);
    return st;
}

dip_status dip_part_end(dip_catalog *catalog, dip_part *part, dip_err *err)
{
    bool reads = false;
    for (int i = 0; i < catalog->column_count; i++) {
        const dip_store *store = &catalog->columns[i];
        if (!part->columns[i].present)
            return dip_fail(err, DIP_EFORMAT, "no %s column '%s' in '%s'",
                            dip_column_kind_name(store->about.kind),
                            store->about.name, part->path);
        reads = reads || part->columns[i].dataset.id >= 0;
    }
    for (int64_t i = part->first; i < part->first + part->rows; i++)
        catalog->split_rows[catalog->splits[i]]++;
    catalog->rows += part->rows;
    if (!reads)
        dip_h5_close(&part->file);
    return DIP_OK;
}

dip_status dip_catalog_add_digest(dip_catalog *catalog, const char *path,
                                  dip_err *err)
{
    char hex[DIP_DIGEST_SIZE];
    dip_status st = dip_manifest_digest(hex, path, err);
    if (st != DIP_OK)
        return st;
    dip_str_addf(&catalog->digests, "%s  %s\n", hex, dip_path_base(path));
    return dip_str_status(&catalog->digests, err);
}

const uint8_t *dip_part_mapped(const dip_part *part,
                               const dip_h5_dataset *dataset)
{
    if (dataset->bytes == 0)
        return part->map; /* nothing of it will be read */
    if (dataset->offset < 0 || dataset->bytes > part->map_bytes ||
        (size_t)dataset->offset > part->map_bytes - dataset->bytes)
        return NULL;
    return part->map + dataset->offset;
}

dip_status dip_part_open_pixels(dip_h5_dataset *out, const dip_part *part,
                                const char *dataset, dip_err *err)
{
    dip_status st = dip_h5_dataset_open(out, &part->file, dataset, err);
    if (st == DIP_OK)
        st = dip_h5_expect(out, DIP_H5_U8, 4, err);
    if (st == DIP_OK && out->dims[0] > 0 && out->bytes == 0)
        st = dip_fail(err, DIP_EFORMAT, "images of no size in '%s' of '%s'",
                      dataset, part->path);
    if (st != DIP_OK)
        dip_h5_dataset_close(out);
    return st;
}

void dip_part_set_pixels(dip_catalog *catalog, dip_part *part, int column,
                         dip_h5_dataset *dataset, bool planar)
{
    dip_part_column *to = &part->columns[column];
    dip_store *store = &catalog->columns[column];
    size_t image = dataset->bytes / (size_t)dataset->dims[0];
    to->planar = planar;
    to->bytes = dip_part_mapped(part, dataset);
    size_t scratch = (to->bytes == NULL ? image : 0) + (planar ? image : 0);
    store->scratch = scratch > store->scratch ? scratch : store->scratch;
    if (to->bytes != NULL) {
        dip_h5_dataset_close(dataset);
    } else {
        to->dataset = *dataset;
        *dataset = DIP_H5_NO_DATASET;
    }
}
