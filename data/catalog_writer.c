#include "data/catalog_writer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "data/catalog_commit.h"
#include "data/catalog_content.h"
#include "data/catalog_links.h"
#include "data/catalog_names.h"
#include "data/catalog_shard.h"

enum { NAME_LIMIT = 255, SOURCE_LIMIT = 4096 };

/* A shard that is written but for its label names. */
typedef struct {
    dip_staged staged;
    int64_t rows;
    dip_file_range *bulk;
    int bulk_count;
} pending_file;

struct dip_catalog_writer {
    char *path, *folder, *stem; /* "dir/X.h5", "dir", "X" */
    char *source;
    char created[32];
    dip_column *columns; /* names owned */
    int column_count;
    int64_t shard_rows;
    dip_shard shard;
    dip_digest *content;
    dip_names ids, groups;
    int64_t *group_rows; /* the first row of each group, which numbers it */
    size_t group_capacity;
    dip_names *label_names; /* [column_count] */
    int32_t *labels;        /* [column_count], of the row being added */
    pending_file *files;
    int file_count;
    size_t file_capacity;
    bool broken; /* a row is half in, or all is committed */
};

/* ---- creating ---- */

static dip_status check_column(const dip_column *columns, int at,
                               const char *path, dip_err *err)
{
    const dip_column *c = &columns[at];
    size_t len = strlen(c->name);
    if (len == 0 || len > NAME_LIMIT || strchr(c->name, '/') != NULL ||
        strcmp(c->name, ".") == 0 || strcmp(c->name, "..") == 0 ||
        !dip_utf8_valid(c->name, len, NULL))
        return dip_fail(err, DIP_EDATA, "bad column name '%s' for '%s'",
                        c->name, path);
    for (int i = 0; i < at; i++) {
        if (columns[i].kind == c->kind && strcmp(columns[i].name, c->name) == 0)
            return dip_fail(err, DIP_EDATA, "two %s columns '%s' for '%s'",
                            dip_column_kind_name(c->kind), c->name, path);
    }
    bool pixels = c->kind == DIP_COLUMN_IMAGE && !c->encoded;
    if (pixels && (c->height < 1 || c->width < 1 || c->channels < 1 ||
                   c->height > 65535 || c->width > 65535 || c->channels > 4))
        return dip_fail(err, DIP_EDATA,
                        "images of %lld x %lld x %lld in column '%s' for '%s'",
                        (long long)c->height, (long long)c->width,
                        (long long)c->channels, c->name, path);
    return DIP_OK;
}

static dip_status copy_columns(dip_catalog_writer *w,
                               const dip_catalog_schema *schema, dip_err *err)
{
    size_t count = (size_t)schema->column_count;
    w->columns = dip_calloc(count, sizeof *w->columns);
    w->label_names = dip_calloc(count, sizeof *w->label_names);
    w->labels = dip_calloc(count, sizeof *w->labels);
    if (w->columns == NULL || w->label_names == NULL || w->labels == NULL)
        return dip_no_memory(err);
    for (int i = 0; i < schema->column_count; i++) {
        dip_status st = check_column(schema->columns, i, w->path, err);
        if (st != DIP_OK)
            return st;
        char *name = dip_strdup(schema->columns[i].name);
        if (name == NULL)
            return dip_no_memory(err);
        w->columns[i] = schema->columns[i];
        w->columns[i].name = name;
        w->columns[i].classes = 0;
        w->column_count++;
    }
    return DIP_OK;
}

/* Now, or SOURCE_DATE_EPOCH for reproducible files (reproducible-builds.org).
 */
static void format_created(char out[32])
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t when = time(NULL);
    char *end = NULL;
    if (epoch != NULL && epoch[0] != '\0') {
        errno = 0;
        long long value = strtoll(epoch, &end, 10);
        if (*end == '\0' && errno == 0 && value >= 0)
            when = (time_t)value;
    }
    struct tm utc;
    if (gmtime_r(&when, &utc) == NULL ||
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        out[0] = '\0';
}

static dip_status set_paths(dip_catalog_writer *w, const char *path,
                            const char *source, dip_err *err)
{
    const char *base = dip_path_base(path);
    if (!dip_path_has_suffix(path, ".h5") || base[0] == '.')
        return dip_fail(err, DIP_EUSAGE, "name of a catalog is no X.h5: '%s'",
                        path);
    if (strlen(source) > SOURCE_LIMIT)
        return dip_fail(err, DIP_ERANGE, "source of '%s' is too long", path);
    w->path = dip_strdup(path);
    w->folder = dip_path_dir(path);
    w->stem = dip_strndup(base, strlen(base) - strlen(".h5"));
    w->source = dip_strdup(source);
    format_created(w->created);
    if (w->path == NULL || w->folder == NULL || w->stem == NULL ||
        w->source == NULL)
        return dip_no_memory(err);
    if (!dip_file_is_directory(w->folder))
        return dip_fail(err, DIP_ENOTFOUND, "no folder '%s' for '%s'",
                        w->folder, path);
    return DIP_OK;
}

dip_status dip_catalog_writer_create(dip_catalog_writer **out, const char *path,
                                     const dip_catalog_schema *schema,
                                     dip_err *err)
{
    *out = NULL;
    dip_catalog_writer *w = dip_calloc(1, sizeof *w);
    if (w == NULL)
        return dip_no_memory(err);
    w->shard_rows = schema->shard_rows;
    dip_status st =
        set_paths(w, path, schema->source != NULL ? schema->source : "", err);
    if (st == DIP_OK)
        st = copy_columns(w, schema, err);
    if (st == DIP_OK)
        st = dip_content_begin(&w->content, w->columns, w->column_count, err);
    if (st == DIP_OK)
        st = dip_shard_init(&w->shard, w->columns, w->column_count, w->folder,
                            err);
    if (st != DIP_OK) {
        dip_catalog_writer_end(w);
        return st;
    }
    *out = w;
    return DIP_OK;
}

void dip_catalog_writer_end(dip_catalog_writer *w)
{
    if (w == NULL)
        return;
    dip_shard_free(&w->shard);
    dip_digest_free(w->content);
    for (int i = 0; i < w->column_count; i++) {
        free((char *)w->columns[i].name);
        dip_names_free(&w->label_names[i]);
    }
    for (int i = 0; i < w->file_count; i++) {
        dip_staged_end(&w->files[i].staged);
        free(w->files[i].bulk);
    }
    free(w->files);
    free(w->columns);
    free(w->label_names);
    free(w->labels);
    dip_names_free(&w->ids);
    dip_names_free(&w->groups);
    free(w->group_rows);
    free(w->path);
    free(w->folder);
    free(w->stem);
    free(w->source);
    free(w);
}

/* ---- adding rows ---- */

static dip_status check_id(const dip_catalog_writer *w, dip_bytes id,
                           dip_err *err)
{
    long long row = (long long)w->ids.count;
    if (id.data == NULL || id.len == 0)
        return dip_fail(err, DIP_EDATA, "empty id in row %lld", row);
    if (!dip_utf8_valid(id.data, id.len, NULL))
        return dip_fail(err, DIP_EDATA, "id is not UTF-8 in row %lld", row);
    int64_t same = dip_names_find(&w->ids, id);
    if (same >= 0)
        return dip_fail(
            err, DIP_EDATA, "id '%.*s' in row %lld was met in row %lld",
            (int)(id.len < 200 ? id.len : 200), id.data, row, (long long)same);
    return DIP_OK;
}

static dip_status check_value(const dip_catalog_writer *w,
                              const dip_column *about, const dip_value *value,
                              dip_err *err)
{
    long long row = (long long)w->ids.count;
    size_t bad = 0;
    dip_bytes text =
        about->kind == DIP_COLUMN_LABEL ? value->label : value->bytes;
    if (about->kind == DIP_COLUMN_NUMBER && isinf(value->number))
        return dip_fail(err, DIP_EDATA, "infinite '%s' in row %lld",
                        about->name, row);
    if (about->kind == DIP_COLUMN_NUMBER)
        return DIP_OK;
    if (about->kind == DIP_COLUMN_IMAGE) {
        size_t size = (size_t)(about->height * about->width * about->channels);
        if (!about->encoded && text.len != 0 && text.len != size)
            return dip_fail(err, DIP_EDATA,
                            "image '%s' has %zu bytes, not %zu, in row %lld",
                            about->name, text.len, size, row);
        return DIP_OK;
    }
    if (text.data != NULL && !dip_utf8_valid(text.data, text.len, &bad))
        return dip_fail(err, DIP_EDATA,
                        "'%s' is not UTF-8 at byte %zu in row %lld",
                        about->name, bad, row);
    return DIP_OK;
}

static dip_status check_row(const dip_catalog_writer *w, const dip_row *row,
                            dip_err *err)
{
    dip_status st = check_id(w, row->id, err);
    if (st == DIP_OK && (unsigned)row->split >= DIP_SPLIT_COUNT)
        st = dip_fail(err, DIP_EDATA, "split %d in row %lld", (int)row->split,
                      (long long)w->ids.count);
    for (int i = 0; i < w->column_count && st == DIP_OK; i++)
        st = check_value(w, &w->columns[i], &row->values[i], err);
    return st;
}

/* A group is numbered by its first row, so rows alone need no other number. */
static dip_status number_group(int64_t *out, dip_catalog_writer *w,
                               dip_bytes group, dip_err *err)
{
    int64_t row = w->ids.count;
    *out = row;
    if (group.data == NULL || group.len == 0)
        return DIP_OK;
    int64_t number, known = w->groups.count;
    dip_status st = dip_reserve(&w->group_rows, &w->group_capacity,
                                (size_t)known + 1, sizeof *w->group_rows, err);
    if (st == DIP_OK)
        st = dip_names_add(&w->groups, group, &number, err);
    if (st != DIP_OK)
        return st;
    if (number == known)
        w->group_rows[number] = row;
    *out = w->group_rows[number];
    return DIP_OK;
}

static dip_status number_labels(dip_catalog_writer *w, const dip_row *row,
                                dip_err *err)
{
    for (int i = 0; i < w->column_count; i++) {
        dip_bytes name = row->values[i].label;
        w->labels[i] = -1;
        if (w->columns[i].kind != DIP_COLUMN_LABEL || name.data == NULL ||
            name.len == 0)
            continue;
        int64_t number;
        dip_status st = dip_names_add(&w->label_names[i], name, &number, err);
        if (st != DIP_OK)
            return st;
        if (number > INT32_MAX)
            return dip_fail(err, DIP_ERANGE, "too many names of label '%s'",
                            w->columns[i].name);
        w->labels[i] = (int32_t)number;
    }
    return DIP_OK;
}

static dip_status flush_shard(dip_catalog_writer *w, dip_err *err)
{
    dip_status st =
        dip_reserve(&w->files, &w->file_capacity, (size_t)w->file_count + 1,
                    sizeof *w->files, err);
    if (st != DIP_OK)
        return st;
    pending_file *file = &w->files[w->file_count];
    *file = (pending_file){.rows = w->shard.rows};
    st =
        dip_staged_begin(&file->staged, w->folder, dip_path_base(w->path), err);
    if (st != DIP_OK)
        return st;
    w->file_count++;
    dip_shard_notes notes = {w->stem, w->created, w->source};
    return dip_shard_flush(&w->shard, &w->ids, &notes, file->staged.temp,
                           &file->bulk, &file->bulk_count, err);
}

static dip_status append(dip_catalog_writer *w, const dip_row *row,
                         dip_err *err)
{
    int64_t group, number;
    dip_status st = DIP_OK;
    if (w->shard_rows > 0 && w->shard.rows == w->shard_rows)
        st = flush_shard(w, err);
    if (st == DIP_OK)
        st = number_group(&group, w, row->group, err);
    if (st == DIP_OK)
        st = number_labels(w, row, err);
    if (st == DIP_OK)
        st = dip_content_add(w->content, w->columns, w->column_count, row,
                             group, err);
    if (st == DIP_OK)
        st = dip_names_add(&w->ids, row->id, &number, err);
    if (st == DIP_OK)
        st = dip_shard_add(&w->shard, row, w->labels, group, err);
    return st;
}

dip_status dip_catalog_writer_add(dip_catalog_writer *w, const dip_row *row,
                                  dip_err *err)
{
    if (w->broken)
        return dip_fail(err, DIP_FAIL, "writing of '%s' ended before", w->path);
    dip_status st = check_row(w, row, err);
    if (st != DIP_OK)
        return st;
    st = append(w, row, err);
    w->broken = st != DIP_OK;
    return st;
}

int64_t dip_catalog_writer_rows(const dip_catalog_writer *w)
{
    return w->ids.count;
}

/* ---- commit ---- */

/* The caller frees it; NULL when memory is out. */
static char *final_path(const dip_catalog_writer *w, int index)
{
    if (w->shard_rows <= 0)
        return dip_strdup(w->path);
    dip_str name = {0};
    dip_str_addf(&name, "%s-%05d-of-%05d.h5", w->stem, index, w->file_count);
    char *path = dip_str_status(&name, NULL) == DIP_OK
                     ? dip_path_join(w->folder, name.data)
                     : NULL;
    dip_str_free(&name);
    return path;
}

static dip_status finish_file(dip_manifest *m, dip_catalog_writer *w, int index,
                              dip_err *err)
{
    pending_file *file = &w->files[index];
    file->staged.path = final_path(w, index);
    if (file->staged.path == NULL)
        return dip_no_memory(err);
    dip_status st = dip_shard_add_names(file->staged.temp, w->columns,
                                        w->column_count, w->label_names, err);
    if (st != DIP_OK)
        return st;
    dip_file_range *bulk = file->bulk;
    file->bulk = NULL;
    m->shard_count++;
    return dip_staged_describe(&m->shards[index], &file->staged, file->rows,
                               bulk, file->bulk_count, err);
}

static dip_status commit_files(dip_catalog_writer *w, dip_manifest *m,
                               dip_err *err)
{
    dip_staged *staged = NULL;
    dip_status st = DIP_OK;
    char *manifest_path = dip_manifest_path(w->path);
    m->shards = dip_calloc((size_t)w->file_count, sizeof *m->shards);
    staged = dip_calloc((size_t)w->file_count, sizeof *staged);
    if (manifest_path == NULL || m->shards == NULL || staged == NULL) {
        st = dip_no_memory(err);
        goto free_all;
    }
    for (int i = 0; i < w->file_count && st == DIP_OK; i++)
        st = finish_file(m, w, i, err);
    for (int i = 0; i < w->file_count; i++)
        staged[i] = w->files[i].staged;
    if (st == DIP_OK)
        st = dip_commit(m, manifest_path, staged, w->file_count, err);
    for (int i = 0; i < w->file_count; i++)
        w->files[i].staged = staged[i];
free_all:
    free(staged);
    free(manifest_path);
    return st;
}

dip_status dip_catalog_writer_commit(dip_catalog_writer *w, dip_err *err)
{
    if (w->broken)
        return dip_fail(err, DIP_FAIL, "writing of '%s' ended before", w->path);
    w->broken = true;
    if (w->ids.count == 0)
        return dip_fail(err, DIP_EDATA, "no rows for '%s'", w->path);
    dip_status st = flush_shard(w, err);
    if (st != DIP_OK)
        return st;
    for (int i = 0; i < w->column_count; i++)
        w->columns[i].classes = w->label_names[i].count;
    /* Names and columns stay the writer's: only `shards` is the manifest's. */
    dip_manifest m = {.name = w->stem,
                      .created = w->created,
                      .source = w->source,
                      .rows = w->ids.count,
                      .columns = w->columns,
                      .column_count = w->column_count};
    st = dip_digest_end(m.content, w->content, err);
    if (st == DIP_OK)
        st = commit_files(w, &m, err);
    for (int i = 0; i < m.shard_count; i++)
        dip_manifest_file_free(&m.shards[i]);
    free(m.shards);
    return st;
}
