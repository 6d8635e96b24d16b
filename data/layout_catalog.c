/* Our own format, as docs/data-format.md describes it. */
#include "data/layout_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* "group/column/part", or without the last when it is NULL. */
typedef struct {
    char text[DIP_H5_NAME_SIZE];
} object_name;

static object_name name_in(dip_column_kind kind, const char *column,
                           const char *part)
{
    object_name name;
    /* Columns' names are checked to be short before this. */
    (void)snprintf(name.text, sizeof name.text, "%s/%s%s%s",
                   dip_column_kind_name(kind), column, part != NULL ? "/" : "",
                   part != NULL ? part : "");
    return name;
}

static dip_status check_version(const dip_h5_file *file, dip_err *err)
{
    char *format = NULL;
    int64_t version;
    dip_status st = dip_h5_get_text(&format, file, "format", NULL);
    bool ours = st == DIP_OK && strcmp(format, DIP_CATALOG_FORMAT) == 0;
    free(format);
    if (!ours)
        return dip_fail(err, DIP_EFORMAT, "not a " DIP_CATALOG_FORMAT ": '%s'",
                        file->path);
    if (dip_h5_get_int(&version, file, "version", NULL) != DIP_OK)
        return dip_fail(err, DIP_EFORMAT, "no catalog version in '%s'",
                        file->path);
    if (version != DIP_CATALOG_VERSION)
        return dip_fail(
            err, DIP_EFORMAT,
            "catalog version %lld is not %d, the one known, in '%s'",
            (long long)version, DIP_CATALOG_VERSION, file->path);
    return DIP_OK;
}

/* ---- ids, splits, groups ---- */

static dip_status read_ids(dip_catalog *catalog, dip_part *part, dip_err *err)
{
    char *bytes;
    int64_t *offsets;
    int64_t rows = -1;
    dip_status st =
        dip_load_texts(&bytes, &offsets, &rows, &part->file, "id", err);
    if (st == DIP_OK)
        st = dip_part_set_rows(catalog, part, rows, err);
    for (int64_t i = 0; i < rows && st == DIP_OK; i++)
        st = dip_part_add_id(catalog, part,
                             (dip_bytes){bytes + offsets[i],
                                         (size_t)(offsets[i + 1] - offsets[i])},
                             err);
    free(bytes);
    free(offsets);
    return st;
}

static dip_status read_rows_of(dip_catalog *catalog, const dip_part *part,
                               dip_err *err)
{
    void *splits, *groups = NULL;
    size_t rows = (size_t)part->rows;
    dip_status st = dip_h5_load(&splits, NULL, &part->file, "split", DIP_H5_U8,
                                part->rows, err);
    if (st == DIP_OK)
        st = dip_h5_load(&groups, NULL, &part->file, "group", DIP_H5_I64,
                         part->rows, err);
    for (size_t i = 0; i < rows && st == DIP_OK; i++) {
        unsigned split = ((uint8_t *)splits)[i];
        if (split >= DIP_SPLIT_COUNT)
            st = dip_fail(err, DIP_EFORMAT, "split %u in row %zu of '%s'",
                          split, i, part->path);
    }
    if (st == DIP_OK) {
        memcpy(catalog->splits + part->first, splits, rows);
        memcpy(catalog->groups + part->first, groups,
               rows * sizeof *catalog->groups);
    }
    free(splits);
    free(groups);
    return st;
}

/* ---- columns ---- */

/* Bytes + offsets that are mapped, else loaded (texts) or left in the file
 * (images). */
static dip_status read_bytes(dip_catalog *catalog, dip_part *part, int index,
                             const char *group, bool load, dip_err *err)
{
    char name[DIP_H5_NAME_SIZE + 8];
    dip_part_column *column = &part->columns[index];
    dip_h5_dataset d;
    (void)snprintf(name, sizeof name, "%s/bytes", group);
    dip_status st = dip_h5_dataset_open(&d, &part->file, name, err);
    if (st == DIP_OK)
        st = dip_h5_expect(&d, DIP_H5_U8, 1, err);
    if (st != DIP_OK)
        goto close_dataset;
    void *offsets;
    (void)snprintf(name, sizeof name, "%s/offsets", group);
    st = dip_h5_load(&offsets, NULL, &part->file, name, DIP_H5_I64,
                     part->rows + 1, err);
    if (st != DIP_OK)
        goto close_dataset;
    column->offsets = offsets;
    st = dip_check_offsets(offsets, part->rows, d.bytes, &part->file, group,
                           err);
    if (st != DIP_OK)
        goto close_dataset;
    column->bytes = dip_part_mapped(part, &d);
    if (column->bytes != NULL)
        goto close_dataset;
    if (load) {
        column->owned = dip_calloc(d.bytes, 1);
        column->bytes = column->owned;
        st = column->owned == NULL
                 ? dip_no_memory(err)
                 : dip_h5_read(&d, DIP_H5_U8, column->owned, err);
        goto close_dataset;
    }
    for (int64_t i = 0; i < part->rows; i++) {
        size_t len = (size_t)(column->offsets[i + 1] - column->offsets[i]);
        if (len > catalog->columns[index].scratch)
            catalog->columns[index].scratch = len;
    }
    column->dataset = d;
    d = DIP_H5_NO_DATASET;
close_dataset:
    dip_h5_dataset_close(&d);
    return st;
}

static dip_status read_pixels(dip_catalog *catalog, dip_part *part,
                              const char *name, dip_err *err)
{
    object_name pixels = name_in(DIP_COLUMN_IMAGE, name, "pixels");
    object_name given = name_in(DIP_COLUMN_IMAGE, name, "given");
    dip_h5_dataset d;
    int index;
    dip_status st = dip_part_open_pixels(&d, part, pixels.text, err);
    if (st != DIP_OK)
        return st;
    dip_column about = {.kind = DIP_COLUMN_IMAGE,
                        .name = name,
                        .height = d.dims[1],
                        .width = d.dims[2],
                        .channels = d.dims[3]};
    st = dip_h5_expect_rows(&d, DIP_H5_U8, 4, part->rows, err);
    if (st == DIP_OK)
        st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK && dip_h5_exists(&part->file, given.text)) {
        void *flags;
        st = dip_h5_load(&flags, NULL, &part->file, given.text, DIP_H5_U8,
                         part->rows, err);
        part->columns[index].given = flags;
    }
    if (st == DIP_OK)
        dip_part_set_pixels(catalog, part, index, &d, false);
    dip_h5_dataset_close(&d);
    return st;
}

static dip_status read_image(dip_catalog *catalog, dip_part *part,
                             const char *name, dip_err *err)
{
    object_name pixels = name_in(DIP_COLUMN_IMAGE, name, "pixels");
    if (dip_h5_exists(&part->file, pixels.text))
        return read_pixels(catalog, part, name, err);
    dip_column about = {
        .kind = DIP_COLUMN_IMAGE, .name = name, .encoded = true};
    object_name group = name_in(DIP_COLUMN_IMAGE, name, NULL);
    int index;
    dip_status st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK)
        st = read_bytes(catalog, part, index, group.text, false, err);
    return st;
}

static dip_status read_text(dip_catalog *catalog, dip_part *part,
                            const char *name, dip_err *err)
{
    dip_column about = {.kind = DIP_COLUMN_TEXT, .name = name};
    object_name group = name_in(DIP_COLUMN_TEXT, name, NULL);
    int index;
    dip_status st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK)
        st = read_bytes(catalog, part, index, group.text, true, err);
    if (st != DIP_OK)
        return st;
    const dip_part_column *column = &part->columns[index];
    return dip_check_texts((const char *)column->bytes, column->offsets,
                           part->rows, &part->file, group.text, err);
}

/* All parts carry the same names in the same order. */
static dip_status read_names(dip_names *names, const dip_part *part,
                             const char *group, dip_err *err)
{
    char *bytes;
    int64_t *offsets;
    int64_t count = -1;
    bool again = part->first > 0;
    int64_t known = names->count;
    dip_status st =
        dip_load_texts(&bytes, &offsets, &count, &part->file, group, err);
    if (st == DIP_OK && (count > INT32_MAX || (again && count != known)))
        st = dip_fail(err, DIP_EFORMAT,
                      "%lld names instead of %lld in '%s' of "
                      "'%s'",
                      (long long)count, (long long)known, group, part->path);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        int64_t number;
        dip_bytes name = {bytes + offsets[i],
                          (size_t)(offsets[i + 1] - offsets[i])};
        st = dip_names_add(names, name, &number, err);
        if (st == DIP_OK && number != i)
            st = dip_fail(err, DIP_EFORMAT,
                          "name %lld of '%s' in '%s' is met twice or differs "
                          "between shards",
                          (long long)i, group, part->path);
    }
    free(bytes);
    free(offsets);
    return st;
}

static dip_status read_label(dip_catalog *catalog, dip_part *part,
                             const char *name, dip_err *err)
{
    dip_column about = {.kind = DIP_COLUMN_LABEL, .name = name};
    object_name names = name_in(DIP_COLUMN_LABEL, name, "names");
    object_name values = name_in(DIP_COLUMN_LABEL, name, "values");
    int index;
    void *labels = NULL;
    dip_status st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK)
        st = read_names(&catalog->columns[index].names, part, names.text, err);
    if (st == DIP_OK)
        st = dip_h5_load(&labels, NULL, &part->file, values.text, DIP_H5_I32,
                         part->rows, err);
    if (st != DIP_OK)
        return st;
    dip_store *store = &catalog->columns[index];
    store->about.classes = store->names.count;
    for (int64_t i = 0; i < part->rows && st == DIP_OK; i++) {
        int32_t value = ((int32_t *)labels)[i];
        if (value < -1 || value >= store->names.count)
            st = dip_fail(err, DIP_EFORMAT,
                          "label %d of %lld names in row %lld of '%s' in '%s'",
                          value, (long long)store->names.count, (long long)i,
                          values.text, part->path);
        store->labels[part->first + i] = value;
    }
    free(labels);
    return st;
}

static dip_status read_number(dip_catalog *catalog, dip_part *part,
                              const char *name, dip_err *err)
{
    dip_column about = {.kind = DIP_COLUMN_NUMBER, .name = name};
    object_name dataset = name_in(DIP_COLUMN_NUMBER, name, NULL);
    int index;
    void *numbers = NULL;
    dip_status st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK)
        st = dip_h5_load(&numbers, NULL, &part->file, dataset.text, DIP_H5_F32,
                         part->rows, err);
    if (st == DIP_OK)
        memcpy(catalog->columns[index].numbers + part->first, numbers,
               (size_t)part->rows * sizeof(float));
    free(numbers);
    return st;
}

static const struct {
    dip_column_kind kind;
    dip_status (*read)(dip_catalog *catalog, dip_part *part, const char *name,
                       dip_err *err);
} readers[] = {
    {DIP_COLUMN_IMAGE, read_image},
    {DIP_COLUMN_TEXT, read_text},
    {DIP_COLUMN_LABEL, read_label},
    {DIP_COLUMN_NUMBER, read_number},
};

static dip_status read_columns(dip_catalog *catalog, dip_part *part,
                               dip_err *err)
{
    dip_status st = DIP_OK;
    for (size_t k = 0; k < DIP_ARRAY_LEN(readers) && st == DIP_OK; k++) {
        const char *group = dip_column_kind_name(readers[k].kind);
        char **names;
        int count;
        st = dip_h5_list(&names, &count, &part->file, group, err);
        for (int i = 0; i < count && st == DIP_OK; i++) {
            size_t len = strlen(names[i]);
            if (len > 255 || !dip_utf8_valid(names[i], len, NULL))
                st = dip_fail(err, DIP_EFORMAT,
                              "name of %s column %d is too long or not UTF-8 "
                              "in '%s'",
                              group, i, part->path);
            else
                st = readers[k].read(catalog, part, names[i], err);
        }
        dip_h5_list_free(names, count);
    }
    return st;
}

/* An attribute that may be missing; the first part's stands for all. */
static dip_status read_note(char **out, const dip_part *part, const char *name,
                            dip_err *err)
{
    if (*out != NULL)
        return DIP_OK;
    dip_status st = dip_h5_get_text(out, &part->file, name, err);
    if (st == DIP_ENOTFOUND) {
        *out = dip_strdup("");
        st = *out != NULL ? DIP_OK : dip_no_memory(err);
    }
    return st;
}

dip_status dip_layout_catalog(dip_catalog *catalog,
                              const dip_layout_input *input, dip_err *err)
{
    dip_part *part;
    dip_status st = dip_part_begin(&part, catalog, input->path, err);
    if (st == DIP_OK)
        st = check_version(&part->file, err);
    if (st == DIP_OK)
        st = read_note(&catalog->name, part, "name", err);
    if (st == DIP_OK)
        st = read_note(&catalog->created, part, "created", err);
    if (st == DIP_OK)
        st = read_note(&catalog->source, part, "source", err);
    if (st == DIP_OK)
        st = read_ids(catalog, part, err);
    if (st == DIP_OK)
        st = read_rows_of(catalog, part, err);
    if (st == DIP_OK)
        st = read_columns(catalog, part, err);
    if (st == DIP_OK)
        st = dip_part_end(catalog, part, err);
    return st;
}
