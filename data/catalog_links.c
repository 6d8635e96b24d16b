#include "data/catalog_links.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/manifest.h"

static const struct {
    const char *names, *items, *who, *weight;
    bool timed;
} kinds[] = {
#define KIND_ROW(name, names, items, who, weight, timed)                       \
    {names, items, who, weight, timed},
    DIP_LINK_TABLE(KIND_ROW)
#undef KIND_ROW
};

typedef struct {
    char text[DIP_H5_NAME_SIZE];
} object_name;

static object_name name_in(const char *group, const char *name)
{
    object_name full;
    (void)snprintf(full.text, sizeof full.text, "%s/%s", group, name);
    return full;
}

/* ---- bytes + offsets ---- */

dip_status dip_check_offsets(const int64_t *offsets, int64_t rows, size_t bytes,
                             const dip_h5_file *file, const char *group,
                             dip_err *err)
{
    if (offsets[0] != 0)
        return dip_fail(err, DIP_EFORMAT,
                        "offsets do not start at 0 in '%s' of '%s'", group,
                        file->path);
    for (int64_t i = 0; i < rows; i++) {
        if (offsets[i + 1] < offsets[i])
            return dip_fail(err, DIP_EFORMAT,
                            "offsets fall after row %lld in '%s' of '%s'",
                            (long long)i, group, file->path);
    }
    if ((uint64_t)offsets[rows] > bytes)
        return dip_fail(err, DIP_EFORMAT,
                        "offsets end at %lld, beyond %zu bytes, in '%s' of "
                        "'%s'",
                        (long long)offsets[rows], bytes, group, file->path);
    return DIP_OK;
}

dip_status dip_load_texts(char **bytes, int64_t **offsets, int64_t *rows,
                          const dip_h5_file *file, const char *group,
                          dip_err *err)
{
    void *data = NULL, *ends = NULL;
    int64_t size = 0, count = 0;
    *bytes = NULL;
    *offsets = NULL;
    dip_status st =
        dip_h5_load(&ends, &count, file, name_in(group, "offsets").text,
                    DIP_H5_I64, *rows < 0 ? -1 : *rows + 1, err);
    if (st == DIP_OK && count == 0)
        st = dip_fail(err, DIP_EFORMAT, "no offsets in '%s' of '%s'", group,
                      file->path);
    if (st == DIP_OK)
        st = dip_h5_load(&data, &size, file, name_in(group, "bytes").text,
                         DIP_H5_U8, -1, err);
    if (st == DIP_OK)
        st = dip_check_offsets(ends, count - 1, (size_t)size, file, group, err);
    if (st == DIP_OK)
        st = dip_check_texts(data, ends, count - 1, file, group, err);
    if (st != DIP_OK) {
        free(data);
        free(ends);
        return st;
    }
    *bytes = data;
    *offsets = ends;
    *rows = count - 1;
    return DIP_OK;
}

dip_status dip_check_texts(const char *bytes, const int64_t *offsets,
                           int64_t rows, const dip_h5_file *file,
                           const char *group, dip_err *err)
{
    for (int64_t i = 0; i < rows; i++) {
        size_t len = (size_t)(offsets[i + 1] - offsets[i]);
        if (len > 0 && !dip_utf8_valid(bytes + offsets[i], len, NULL))
            return dip_fail(err, DIP_EFORMAT,
                            "text is not UTF-8 in row %lld of '%s' in '%s'",
                            (long long)i, group, file->path);
    }
    return DIP_OK;
}

/* ---- checks of both directions ---- */

static dip_status check_names(const dip_links *links, dip_link_kind kind,
                              const dip_h5_file *file, dip_err *err)
{
    for (int64_t i = 0; i < links->names; i++) {
        if (links->offsets[i + 1] == links->offsets[i])
            return dip_fail(err, DIP_EFORMAT, "%s %lld is empty in '%s'",
                            kinds[kind].names, (long long)i, file->path);
    }
    return dip_check_texts(links->bytes, links->offsets, links->names, file,
                           kinds[kind].names, err);
}

static dip_status check_items(const dip_links *links, dip_link_kind kind,
                              int64_t rows, const dip_h5_file *file,
                              dip_err *err)
{
    const char *items = kinds[kind].items;
    for (int64_t i = 0; i < links->count; i++) {
        long long at = (long long)i;
        if (links->who[i] < 0 || links->who[i] >= links->names)
            return dip_fail(err, DIP_EFORMAT,
                            "%s %lld of %lld in %s %lld of '%s'",
                            kinds[kind].who, (long long)links->who[i],
                            (long long)links->names, items, at, file->path);
        if (links->row[i] < 0 || links->row[i] >= rows)
            return dip_fail(err, DIP_EFORMAT,
                            "row %lld of %lld in %s %lld of '%s'",
                            (long long)links->row[i], (long long)rows, items,
                            at, file->path);
        if (!isfinite(links->weight[i]) || links->weight[i] < 0)
            return dip_fail(err, DIP_EFORMAT, "%s %g in %s %lld of '%s'",
                            kinds[kind].weight, (double)links->weight[i], items,
                            at, file->path);
        if (links->split[i] >= DIP_SPLIT_COUNT)
            return dip_fail(err, DIP_EFORMAT, "split %u in %s %lld of '%s'",
                            links->split[i], items, at, file->path);
    }
    return DIP_OK;
}

dip_status dip_links_check(const dip_links *links, dip_link_kind kind,
                           const char *path, int64_t rows, dip_err *err)
{
    dip_h5_file file = {.id = H5I_INVALID_HID, .path = path};
    dip_status st = check_names(links, kind, &file, err);
    return st == DIP_OK ? check_items(links, kind, rows, &file, err) : st;
}

/* ---- reading ---- */

static dip_status read_items(dip_links *out, dip_link_kind kind,
                             const dip_h5_file *file, dip_err *err)
{
    const char *items = kinds[kind].items;
    void *who, *row = NULL, *weight = NULL, *time = NULL, *split = NULL;
    dip_status st =
        dip_h5_load(&who, &out->count, file,
                    name_in(items, kinds[kind].who).text, DIP_H5_I64, -1, err);
    int64_t n = out->count;
    if (st == DIP_OK)
        st = dip_h5_load(&row, NULL, file, name_in(items, "row").text,
                         DIP_H5_I64, n, err);
    if (st == DIP_OK)
        st = dip_h5_load(&weight, NULL, file,
                         name_in(items, kinds[kind].weight).text, DIP_H5_F32, n,
                         err);
    if (st == DIP_OK && kinds[kind].timed)
        st = dip_h5_load(&time, NULL, file, name_in(items, "time").text,
                         DIP_H5_I64, n, err);
    if (st == DIP_OK)
        st = dip_h5_load(&split, NULL, file, name_in(items, "split").text,
                         DIP_H5_U8, n, err);
    out->who = who;
    out->row = row;
    out->weight = weight;
    out->time = time;
    out->split = split;
    return st;
}

dip_status dip_links_read(dip_links *out, dip_link_kind kind, const char *path,
                          int64_t rows, dip_err *err)
{
    *out = (dip_links){.names = -1};
    dip_h5_file file;
    dip_status st = dip_h5_open(&file, path, err);
    if (st == DIP_OK)
        st = dip_load_texts(&out->bytes, &out->offsets, &out->names, &file,
                            kinds[kind].names, err);
    if (st == DIP_OK)
        st = read_items(out, kind, &file, err);
    if (st == DIP_OK)
        st = dip_links_check(out, kind, path, rows, err);
    dip_h5_close(&file);
    if (st != DIP_OK)
        dip_links_free(out);
    return st;
}

void dip_links_free(dip_links *links)
{
    free(links->bytes);
    free(links->offsets);
    free(links->who);
    free(links->row);
    free(links->weight);
    free(links->time);
    free(links->split);
    *links = (dip_links){0};
}

/* ---- writing ---- */

static dip_status write_names(const dip_links *links, const char *group,
                              const dip_h5_file *file, dip_err *err)
{
    dip_status st = dip_h5_make_group(file, group, err);
    if (st == DIP_OK)
        st = dip_h5_write(file, name_in(group, "bytes").text, DIP_H5_U8,
                          links->offsets[links->names], links->bytes, err);
    if (st == DIP_OK)
        st = dip_h5_write(file, name_in(group, "offsets").text, DIP_H5_I64,
                          links->names + 1, links->offsets, err);
    return st;
}

static dip_status write_items(const dip_links *links, dip_link_kind kind,
                              const dip_h5_file *file, dip_err *err)
{
    const char *items = kinds[kind].items;
    int64_t n = links->count;
    dip_status st = dip_h5_make_group(file, items, err);
    if (st == DIP_OK)
        st = dip_h5_write(file, name_in(items, kinds[kind].who).text,
                          DIP_H5_I64, n, links->who, err);
    if (st == DIP_OK)
        st = dip_h5_write(file, name_in(items, "row").text, DIP_H5_I64, n,
                          links->row, err);
    if (st == DIP_OK)
        st = dip_h5_write(file, name_in(items, kinds[kind].weight).text,
                          DIP_H5_F32, n, links->weight, err);
    if (st == DIP_OK && kinds[kind].timed)
        st = dip_h5_write(file, name_in(items, "time").text, DIP_H5_I64, n,
                          links->time, err);
    if (st == DIP_OK)
        st = dip_h5_write(file, name_in(items, "split").text, DIP_H5_U8, n,
                          links->split, err);
    return st;
}

dip_status dip_links_write(const dip_links *links, dip_link_kind kind,
                           const char *path, dip_err *err)
{
    dip_h5_file file;
    dip_status st = dip_h5_create(&file, path, err);
    if (st != DIP_OK)
        return st;
    st = dip_h5_put_text(&file, "format", DIP_CATALOG_FORMAT, err);
    if (st == DIP_OK)
        st = dip_h5_put_int(&file, "version", DIP_CATALOG_VERSION, err);
    if (st == DIP_OK)
        st = write_names(links, kinds[kind].names, &file, err);
    if (st == DIP_OK)
        st = write_items(links, kind, &file, err);
    if (st == DIP_OK)
        st = dip_h5_finish(&file, err);
    dip_h5_close(&file);
    return st;
}
