#include "data/catalog_shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/h5.h"

enum { BLOCK = 1 << 20 };

/* ---- collecting rows ---- */

static bool has_spool(const dip_column *about)
{
    return about->kind == DIP_COLUMN_IMAGE || about->kind == DIP_COLUMN_TEXT;
}

static bool has_pixels(const dip_column *about)
{
    return about->kind == DIP_COLUMN_IMAGE && !about->encoded;
}

static size_t image_size(const dip_column *about)
{
    return (size_t)about->height * (size_t)about->width *
           (size_t)about->channels;
}

/* A temporary file that has no name, so that a crash leaves nothing. */
static dip_status open_spool(FILE **out, const char *folder, dip_err *err)
{
    char *name = dip_path_join(folder, ".diptych-spool-XXXXXX");
    if (name == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(name);
    *out = fd < 0 ? NULL : fdopen(fd, "w+");
    if (*out == NULL) {
        st = dip_fail(err, DIP_EIO, "cannot write to folder '%s': %s", folder,
                      strerror(errno));
        if (fd >= 0)
            (void)close(fd);
    } else {
        (void)setvbuf(*out, NULL, _IOFBF, BLOCK);
    }
    free(name);
    return st;
}

dip_status dip_shard_init(dip_shard *out, const dip_column *columns,
                          int column_count, const char *folder, dip_err *err)
{
    *out = (dip_shard){.columns = columns, .column_count = column_count};
    out->data = dip_calloc((size_t)column_count, sizeof *out->data);
    if (out->data == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    for (int i = 0; i < column_count && st == DIP_OK; i++) {
        if (has_spool(&columns[i]))
            st = open_spool(&out->data[i].spool, folder, err);
    }
    return st;
}

void dip_shard_free(dip_shard *shard)
{
    for (int i = 0; shard->data != NULL && i < shard->column_count; i++) {
        dip_shard_column *c = &shard->data[i];
        free(c->offsets);
        free(c->given);
        free(c->labels);
        free(c->numbers);
        if (c->spool != NULL)
            (void)fclose(c->spool); /* nothing of it is wanted any more */
    }
    free(shard->data);
    free(shard->splits);
    free(shard->groups);
    *shard = (dip_shard){0};
}

static dip_status spool(dip_shard_column *c, const void *bytes, size_t n,
                        dip_err *err)
{
    if (n > 0 && fwrite(bytes, 1, n, c->spool) != n)
        return dip_fail(err, DIP_EIO, "cannot write a temporary file: %s",
                        strerror(errno));
    c->spooled += (int64_t)n;
    return DIP_OK;
}

static dip_status add_bytes(dip_shard_column *c, int64_t row, dip_bytes bytes,
                            dip_err *err)
{
    dip_status st = dip_reserve(&c->offsets, &c->capacity, (size_t)row + 2,
                                sizeof *c->offsets, err);
    if (st == DIP_OK)
        st = spool(c, bytes.data, bytes.len, err);
    if (st != DIP_OK)
        return st;
    c->offsets[0] = 0;
    c->offsets[row + 1] = c->spooled;
    return DIP_OK;
}

static dip_status add_pixels(dip_shard_column *c, const dip_column *about,
                             int64_t row, dip_bytes pixels, dip_err *err)
{
    dip_status st = dip_reserve(&c->given, &c->capacity, (size_t)row + 1,
                                sizeof *c->given, err);
    if (st != DIP_OK)
        return st;
    c->given[row] = pixels.len > 0;
    if (pixels.len > 0)
        return spool(c, pixels.data, pixels.len, err);
    c->any_missing = true;
    void *black = dip_calloc(image_size(about), 1);
    if (black == NULL)
        return dip_no_memory(err);
    st = spool(c, black, image_size(about), err);
    free(black);
    return st;
}

static dip_status add_value(dip_shard_column *c, const dip_column *about,
                            int64_t row, const dip_value *value, int32_t label,
                            dip_err *err)
{
    dip_status st = DIP_OK;
    switch (about->kind) {
    case DIP_COLUMN_IMAGE:
        return about->encoded ? add_bytes(c, row, value->bytes, err)
                              : add_pixels(c, about, row, value->bytes, err);
    case DIP_COLUMN_TEXT:
        return add_bytes(c, row, value->bytes, err);
    case DIP_COLUMN_LABEL:
        st = dip_reserve(&c->labels, &c->capacity, (size_t)row + 1,
                         sizeof *c->labels, err);
        if (st == DIP_OK)
            c->labels[row] = label;
        return st;
    case DIP_COLUMN_NUMBER:
        st = dip_reserve(&c->numbers, &c->capacity, (size_t)row + 1,
                         sizeof *c->numbers, err);
        if (st == DIP_OK)
            c->numbers[row] = value->number;
        return st;
    }
    return st;
}

dip_status dip_shard_add(dip_shard *shard, const dip_row *row,
                         const int32_t *labels, int64_t group, dip_err *err)
{
    size_t need = (size_t)shard->rows + 1;
    dip_status st = dip_reserve(&shard->splits, &shard->split_capacity, need,
                                sizeof *shard->splits, err);
    if (st == DIP_OK)
        st = dip_reserve(&shard->groups, &shard->group_capacity, need,
                         sizeof *shard->groups, err);
    for (int i = 0; i < shard->column_count && st == DIP_OK; i++)
        st = add_value(&shard->data[i], &shard->columns[i], shard->rows,
                       &row->values[i], labels[i], err);
    if (st != DIP_OK)
        return st;
    shard->splits[shard->rows] = (uint8_t)row->split;
    shard->groups[shard->rows] = group;
    shard->rows++;
    return DIP_OK;
}

/* ---- writing the file ---- */

/* What is passed along while a shard is written. */
typedef struct {
    const dip_shard *shard;
    dip_h5_file file;
    dip_file_range *bulk; /* [column_count] */
    int bulk_count;
} shard_output;

typedef struct {
    char text[DIP_H5_NAME_SIZE];
} object_name;

static object_name name_in(const dip_column *about, const char *part)
{
    object_name name;
    (void)snprintf(name.text, sizeof name.text, "%s/%s%s",
                   dip_column_kind_name(about->kind), about->name, part);
    return name;
}

static dip_status copy_blocks(const dip_h5_dataset *to, FILE *spool,
                              int64_t count, size_t item, char *block,
                              int64_t block_items, dip_err *err)
{
    dip_status st = DIP_OK;
    rewind(spool); /* flushes; an error in it shows when reading */
    for (int64_t at = 0; at < count && st == DIP_OK; at += block_items) {
        int64_t n = count - at < block_items ? count - at : block_items;
        if (fread(block, item, (size_t)n, spool) != (size_t)n)
            return dip_fail(err, DIP_EIO, "cannot read a temporary file: %s",
                            ferror(spool) ? strerror(errno) : "it is short");
        st = dip_h5_write_rows(to, DIP_H5_U8, at, n, block, err);
    }
    return st;
}

/* Makes a contiguous dataset of what was spooled: count items. */
static dip_status write_spool(shard_output *out, dip_shard_column *c,
                              const char *name, int rank, const int64_t *dims,
                              dip_err *err)
{
    size_t item = 1;
    for (int i = 1; i < rank; i++)
        item *= (size_t)dims[i];
    size_t block_items = item < BLOCK ? BLOCK / item : 1;
    char *block = dip_calloc(block_items, item);
    if (block == NULL)
        return dip_no_memory(err);
    dip_h5_dataset d;
    dip_status st = dip_h5_create_bytes(&d, &out->file, name, rank, dims, err);
    if (st == DIP_OK)
        st = copy_blocks(&d, c->spool, dims[0], item, block,
                         (int64_t)block_items, err);
    if (st == DIP_OK && d.offset >= 0)
        out->bulk[out->bulk_count++] = (dip_file_range){d.offset, c->spooled};
    dip_h5_dataset_close(&d);
    free(block);
    return st;
}

static dip_status write_bytes(shard_output *out, dip_shard_column *c,
                              const dip_column *about, dip_err *err)
{
    dip_status st = dip_h5_make_group(&out->file, name_in(about, "").text, err);
    if (st == DIP_OK)
        st = write_spool(out, c, name_in(about, "/bytes").text, 1, &c->spooled,
                         err);
    if (st == DIP_OK)
        st = dip_h5_write(&out->file, name_in(about, "/offsets").text,
                          DIP_H5_I64, out->shard->rows + 1, c->offsets, err);
    return st;
}

static dip_status write_pixels(shard_output *out, dip_shard_column *c,
                               const dip_column *about, dip_err *err)
{
    int64_t dims[] = {out->shard->rows, about->height, about->width,
                      about->channels};
    dip_status st = dip_h5_make_group(&out->file, name_in(about, "").text, err);
    if (st == DIP_OK)
        st = write_spool(out, c, name_in(about, "/pixels").text, 4, dims, err);
    if (st == DIP_OK && c->any_missing)
        st = dip_h5_write(&out->file, name_in(about, "/given").text, DIP_H5_U8,
                          out->shard->rows, c->given, err);
    return st;
}

static dip_status write_labels(shard_output *out, dip_shard_column *c,
                               const dip_column *about, dip_err *err)
{
    dip_status st = dip_h5_make_group(&out->file, name_in(about, "").text, err);
    if (st == DIP_OK)
        st = dip_h5_write(&out->file, name_in(about, "/values").text,
                          DIP_H5_I32, out->shard->rows, c->labels, err);
    return st;
}

static dip_status write_column(shard_output *out, dip_shard_column *c,
                               const dip_column *about, dip_err *err)
{
    switch (about->kind) {
    case DIP_COLUMN_IMAGE:
        return has_pixels(about) ? write_pixels(out, c, about, err)
                                 : write_bytes(out, c, about, err);
    case DIP_COLUMN_TEXT:
        return write_bytes(out, c, about, err);
    case DIP_COLUMN_LABEL:
        return write_labels(out, c, about, err);
    case DIP_COLUMN_NUMBER:
        break;
    }
    return dip_h5_write(&out->file, name_in(about, "").text, DIP_H5_F32,
                        out->shard->rows, c->numbers, err);
}

static dip_status write_columns(shard_output *out, dip_err *err)
{
    const dip_shard *shard = out->shard;
    dip_status st = DIP_OK;
    for (int i = 0; i < shard->column_count && st == DIP_OK; i++) {
        const dip_column *about = &shard->columns[i];
        const char *kind = dip_column_kind_name(about->kind);
        if (!dip_h5_exists(&out->file, kind))
            st = dip_h5_make_group(&out->file, kind, err);
        if (st == DIP_OK)
            st = write_column(out, &shard->data[i], about, err);
    }
    return st;
}

/* `count` names from `first` on as bytes + offsets, which start at 0. */
static dip_status write_names(const dip_h5_file *file, const char *group,
                              const dip_names *names, int64_t first,
                              int64_t count, dip_err *err)
{
    char name[DIP_H5_NAME_SIZE + 8];
    int64_t *offsets = dip_calloc((size_t)count + 1, sizeof *offsets);
    if (offsets == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++)
        offsets[i + 1] = names->offsets[first + i + 1] - names->offsets[first];
    const char *bytes = count > 0 ? names->bytes + names->offsets[first] : "";
    dip_status st = dip_h5_make_group(file, group, err);
    (void)snprintf(name, sizeof name, "%s/bytes", group);
    if (st == DIP_OK)
        st = dip_h5_write(file, name, DIP_H5_U8, offsets[count], bytes, err);
    (void)snprintf(name, sizeof name, "%s/offsets", group);
    if (st == DIP_OK)
        st = dip_h5_write(file, name, DIP_H5_I64, count + 1, offsets, err);
    free(offsets);
    return st;
}

static dip_status write_notes(const dip_h5_file *file,
                              const dip_shard_notes *notes, dip_err *err)
{
    dip_status st = dip_h5_put_text(file, "format", DIP_CATALOG_FORMAT, err);
    if (st == DIP_OK)
        st = dip_h5_put_int(file, "version", DIP_CATALOG_VERSION, err);
    if (st == DIP_OK)
        st = dip_h5_put_text(file, "name", notes->name, err);
    if (st == DIP_OK)
        st = dip_h5_put_text(file, "created", notes->created, err);
    if (st == DIP_OK)
        st = dip_h5_put_text(file, "source", notes->source, err);
    return st;
}

static dip_status write_rows(shard_output *out, const dip_names *ids,
                             dip_err *err)
{
    const dip_shard *shard = out->shard;
    dip_status st =
        write_names(&out->file, "id", ids, shard->first, shard->rows, err);
    if (st == DIP_OK)
        st = dip_h5_write(&out->file, "split", DIP_H5_U8, shard->rows,
                          shard->splits, err);
    if (st == DIP_OK)
        st = dip_h5_write(&out->file, "group", DIP_H5_I64, shard->rows,
                          shard->groups, err);
    return st;
}

static dip_status start_next(dip_shard *shard, dip_err *err)
{
    shard->first += shard->rows;
    shard->rows = 0;
    for (int i = 0; i < shard->column_count; i++) {
        dip_shard_column *c = &shard->data[i];
        c->spooled = 0;
        c->any_missing = false;
        if (c->spool == NULL)
            continue;
        rewind(c->spool);
        if (ftruncate(fileno(c->spool), 0) != 0)
            return dip_fail(err, DIP_EIO, "cannot empty a temporary file: %s",
                            strerror(errno));
    }
    return DIP_OK;
}

dip_status dip_shard_flush(dip_shard *shard, const dip_names *ids,
                           const dip_shard_notes *notes, const char *path,
                           dip_file_range **bulk, int *bulk_count, dip_err *err)
{
    *bulk = NULL;
    *bulk_count = 0;
    shard_output out = {.shard = shard, .file = DIP_H5_NO_FILE};
    out.bulk = dip_calloc((size_t)shard->column_count, sizeof *out.bulk);
    if (out.bulk == NULL)
        return dip_no_memory(err);
    dip_status st = dip_h5_create(&out.file, path, err);
    if (st == DIP_OK)
        st = write_notes(&out.file, notes, err);
    if (st == DIP_OK)
        st = write_rows(&out, ids, err);
    if (st == DIP_OK)
        st = write_columns(&out, err);
    if (st == DIP_OK)
        st = dip_h5_finish(&out.file, err);
    dip_h5_close(&out.file);
    if (st == DIP_OK)
        st = start_next(shard, err);
    if (st != DIP_OK) {
        free(out.bulk);
        return st;
    }
    *bulk = out.bulk;
    *bulk_count = out.bulk_count;
    return DIP_OK;
}

dip_status dip_shard_add_names(const char *path, const dip_column *columns,
                               int column_count, const dip_names *names,
                               dip_err *err)
{
    dip_h5_file file;
    dip_status st = dip_h5_open_write(&file, path, err);
    for (int i = 0; i < column_count && st == DIP_OK; i++) {
        if (columns[i].kind == DIP_COLUMN_LABEL)
            st = write_names(&file, name_in(&columns[i], "/names").text,
                             &names[i], 0, names[i].count, err);
    }
    if (st == DIP_OK)
        st = dip_h5_finish(&file, err);
    dip_h5_close(&file);
    return st;
}
