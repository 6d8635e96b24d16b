#include "data/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/catalog_content.h"
#include "data/catalog_verify.h"

enum { MANIFEST_LIMIT = 64 << 20 };

void dip_manifest_file_free(dip_manifest_file *file)
{
    free(file->file);
    free(file->bulk);
    *file = (dip_manifest_file){0};
}

void dip_manifest_free(dip_manifest *m)
{
    free(m->name);
    free(m->created);
    free(m->source);
    for (int i = 0; i < m->column_count; i++)
        free((char *)m->columns[i].name);
    free(m->columns);
    for (int i = 0; i < m->shard_count; i++)
        dip_manifest_file_free(&m->shards[i]);
    free(m->shards);
    dip_manifest_file_free(&m->judgements);
    dip_manifest_file_free(&m->interactions);
    *m = (dip_manifest){0};
}

char *dip_manifest_path(const char *path)
{
    if (dip_path_has_suffix(path, DIP_MANIFEST_SUFFIX))
        return dip_strdup(path);
    size_t len = strlen(path);
    if (dip_path_has_suffix(path, ".h5"))
        len -= strlen(".h5");
    dip_str out = {0};
    dip_str_add_n(&out, path, len);
    dip_str_add(&out, DIP_MANIFEST_SUFFIX);
    if (dip_str_status(&out, NULL) == DIP_OK)
        return out.data;
    dip_str_free(&out);
    return NULL;
}

/* ---- reading ---- */

/* Every key of `object` must be one of `known`, a NULL-terminated list. */
static dip_status check_keys(json_t *object, const char *const *known,
                             const char *path, dip_err *err)
{
    if (!json_is_object(object))
        return dip_fail(err, DIP_EFORMAT, "list item is no object in '%s'",
                        path);
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        int i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] == NULL)
            return dip_fail(err, DIP_EFORMAT, "unknown key '%s' in '%s'", key,
                            path);
    }
    return DIP_OK;
}

static dip_status read_text(char **out, const json_t *object, const char *key,
                            const char *path, dip_err *err)
{
    const char *text;
    dip_status st = dip_json_get_string(&text, object, key, path, err);
    if (st != DIP_OK)
        return st;
    *out = dip_strdup(text);
    return *out != NULL ? DIP_OK : dip_no_memory(err);
}

static dip_status read_count(int64_t *out, const json_t *object,
                             const char *key, const char *path, dip_err *err)
{
    dip_status st = dip_json_get_int(out, object, key, path, err);
    if (st == DIP_OK && *out < 0)
        return dip_fail(err, DIP_EFORMAT, "key '%s' is negative in '%s'", key,
                        path);
    return st;
}

static dip_status read_digest(char hex[DIP_DIGEST_SIZE], const json_t *object,
                              const char *key, const char *path, dip_err *err)
{
    const char *text;
    dip_status st = dip_json_get_string(&text, object, key, path, err);
    if (st != DIP_OK)
        return st;
    size_t len = strlen(text);
    if (len != DIP_DIGEST_SIZE - 1 || strspn(text, "0123456789abcdef") != len)
        return dip_fail(err, DIP_EFORMAT, "key '%s' is no SHA-256 in '%s'", key,
                        path);
    memcpy(hex, text, DIP_DIGEST_SIZE);
    return DIP_OK;
}

/* A manifest must not make us read files elsewhere. */
static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
           strlen(name) < 256;
}

static dip_status read_bulk(dip_manifest_file *file, const json_t *object,
                            const char *path, dip_err *err)
{
    json_t *list;
    dip_status st = dip_json_get_array(&list, object, "bulk", path, err);
    if (st != DIP_OK)
        return st;
    file->bulk = dip_calloc(json_array_size(list), sizeof *file->bulk);
    if (file->bulk == NULL)
        return dip_no_memory(err);
    int64_t end = 0;
    size_t i;
    json_t *pair;
    json_array_foreach (list, i, pair) {
        const json_t *offset = json_array_get(pair, 0);
        const json_t *bytes = json_array_get(pair, 1);
        dip_file_range range = {json_integer_value(offset),
                                json_integer_value(bytes)};
        if (json_array_size(pair) != 2 || !json_is_integer(offset) ||
            !json_is_integer(bytes) || range.offset < end || range.bytes < 0 ||
            range.offset > file->bytes ||
            range.bytes > file->bytes - range.offset)
            return dip_fail(err, DIP_EFORMAT,
                            "bulk range %zu of '%s' is wrong in '%s'", i,
                            file->file, path);
        end = range.offset + range.bytes;
        file->bulk[file->bulk_count++] = range;
    }
    return DIP_OK;
}

static dip_status read_file(dip_manifest_file *out, json_t *object,
                            const char *path, dip_err *err)
{
    static const char *const known[] = {
        "file", "rows", "bytes", "sha256", "metadata_sha256", "bulk", NULL};
    dip_status st = check_keys(object, known, path, err);
    if (st == DIP_OK)
        st = read_text(&out->file, object, "file", path, err);
    if (st == DIP_OK && !is_plain_name(out->file))
        st = dip_fail(err, DIP_EFORMAT,
                      "file name '%s' leads out of the folder in '%s'",
                      out->file, path);
    if (st == DIP_OK)
        st = read_count(&out->rows, object, "rows", path, err);
    if (st == DIP_OK)
        st = read_count(&out->bytes, object, "bytes", path, err);
    if (st == DIP_OK)
        st = read_digest(out->sha256, object, "sha256", path, err);
    if (st == DIP_OK)
        st = read_digest(out->metadata_sha256, object, "metadata_sha256", path,
                         err);
    if (st == DIP_OK)
        st = read_bulk(out, object, path, err);
    return st;
}

static dip_status read_shards(dip_manifest *m, const json_t *root,
                              const char *path, dip_err *err)
{
    json_t *list;
    dip_status st = dip_json_get_array(&list, root, "shards", path, err);
    if (st != DIP_OK)
        return st;
    if (json_array_size(list) == 0 || json_array_size(list) > 99999)
        return dip_fail(err, DIP_EFORMAT, "%zu shards in '%s'",
                        json_array_size(list), path);
    m->shards = dip_calloc(json_array_size(list), sizeof *m->shards);
    if (m->shards == NULL)
        return dip_no_memory(err);
    int64_t rows = 0;
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        m->shard_count++;
        st = read_file(&m->shards[i], item, path, err);
        if (st != DIP_OK)
            return st;
        if (__builtin_add_overflow(rows, m->shards[i].rows, &rows))
            rows = -1; /* sums to no count of rows */
        if (rows < 0)
            break;
    }
    if (rows != m->rows)
        return dip_fail(err, DIP_EFORMAT,
                        "rows of the shards do not add up to %lld in '%s'",
                        (long long)m->rows, path);
    return DIP_OK;
}

static dip_status read_column(dip_column *out, json_t *object, const char *path,
                              dip_err *err)
{
    static const char *const known[] = {"kind",    "name",  "encoded",
                                        "height",  "width", "channels",
                                        "classes", NULL};
    const char *kind;
    char *name = NULL;
    dip_status st = check_keys(object, known, path, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&kind, object, "kind", path, err);
    if (st == DIP_OK && !dip_column_kind_parse(&out->kind, kind))
        st = dip_fail(err, DIP_EFORMAT, "unknown column kind '%s' in '%s'",
                      kind, path);
    if (st == DIP_OK)
        st = read_text(&name, object, "name", path, err);
    out->name = name;
    if (st != DIP_OK)
        return st;
    if (out->kind == DIP_COLUMN_LABEL)
        return read_count(&out->classes, object, "classes", path, err);
    if (out->kind != DIP_COLUMN_IMAGE)
        return DIP_OK;
    st = dip_json_get_bool(&out->encoded, object, "encoded", path, err);
    if (st != DIP_OK || out->encoded)
        return st;
    st = read_count(&out->height, object, "height", path, err);
    if (st == DIP_OK)
        st = read_count(&out->width, object, "width", path, err);
    if (st == DIP_OK)
        st = read_count(&out->channels, object, "channels", path, err);
    return st;
}

static dip_status read_columns(dip_manifest *m, const json_t *root,
                               const char *path, dip_err *err)
{
    json_t *list;
    dip_status st = dip_json_get_array(&list, root, "columns", path, err);
    if (st != DIP_OK)
        return st;
    m->columns = dip_calloc(json_array_size(list), sizeof *m->columns);
    if (m->columns == NULL)
        return dip_no_memory(err);
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        m->column_count++;
        st = read_column(&m->columns[i], item, path, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status read_versions(const json_t *root, const char *path,
                                dip_err *err)
{
    const char *schema;
    int64_t version;
    dip_status st = dip_json_get_string(&schema, root, "schema", path, err);
    if (st != DIP_OK)
        return st;
    if (strcmp(schema, DIP_MANIFEST_SCHEMA) != 0)
        return dip_fail(err, DIP_EFORMAT,
                        "schema is '%s', not '" DIP_MANIFEST_SCHEMA
                        "', in '%s'",
                        schema, path);
    st = dip_json_get_int(&version, root, "version", path, err);
    if (st == DIP_OK && version != DIP_CATALOG_VERSION)
        return dip_fail(
            err, DIP_EFORMAT,
            "catalog version %lld is not %d, the one known, in '%s'",
            (long long)version, DIP_CATALOG_VERSION, path);
    return st;
}

static dip_status read_optional_file(dip_manifest_file *out, const json_t *root,
                                     const char *key, const char *path,
                                     dip_err *err)
{
    json_t *object = json_object_get(root, key);
    return object == NULL ? DIP_OK : read_file(out, object, path, err);
}

static dip_status read_manifest(dip_manifest *m, json_t *root, const char *path,
                                dip_err *err)
{
    static const char *const known[] = {
        "schema", "version",    "name",           "created",
        "source", "rows",       "content_sha256", "columns",
        "shards", "judgements", "interactions",   NULL};
    if (!json_is_object(root))
        return dip_fail(err, DIP_EFORMAT, "no JSON object in '%s'", path);
    dip_status st = read_versions(root, path, err);
    if (st == DIP_OK)
        st = check_keys(root, known, path, err);
    if (st == DIP_OK)
        st = read_text(&m->name, root, "name", path, err);
    if (st == DIP_OK)
        st = read_text(&m->created, root, "created", path, err);
    if (st == DIP_OK)
        st = read_text(&m->source, root, "source", path, err);
    if (st == DIP_OK)
        st = read_count(&m->rows, root, "rows", path, err);
    if (st == DIP_OK && json_object_get(root, "content_sha256") != NULL)
        st = read_digest(m->content, root, "content_sha256", path, err);
    if (st == DIP_OK)
        st = read_columns(m, root, path, err);
    if (st == DIP_OK)
        st = read_shards(m, root, path, err);
    if (st == DIP_OK)
        st = read_optional_file(&m->judgements, root, "judgements", path, err);
    if (st == DIP_OK)
        st = read_optional_file(&m->interactions, root, "interactions", path,
                                err);
    return st;
}

dip_status dip_manifest_read(dip_manifest *out, const char *path, dip_err *err)
{
    *out = (dip_manifest){0};
    char *text;
    size_t len;
    json_t *root = NULL;
    dip_status st = dip_file_read(&text, &len, path, MANIFEST_LIMIT, err);
    if (st == DIP_OK)
        st = dip_json_parse(&root, text, len, path, err);
    if (st == DIP_OK)
        st = read_manifest(out, root, path, err);
    if (st == DIP_OK)
        st = out->content[0] != '\0'
                 ? dip_content_of_manifest(out->digest, out, err)
                 : dip_digest_bytes(out->digest, text, len, err);
    json_decref(root);
    free(text);
    if (st != DIP_OK)
        dip_manifest_free(out);
    return st;
}

/* ---- writing ---- */

static json_t *pack_file(const dip_manifest_file *file)
{
    json_t *bulk = json_array();
    int failed = bulk == NULL;
    for (int i = 0; i < file->bulk_count && failed == 0; i++)
        failed = json_array_append_new(
            bulk, json_pack("[I,I]", (json_int_t)file->bulk[i].offset,
                            (json_int_t)file->bulk[i].bytes));
    if (failed != 0) {
        json_decref(bulk);
        return NULL;
    }
    return json_pack("{s:s,s:I,s:I,s:s,s:s,s:o}", "file", file->file, "rows",
                     (json_int_t)file->rows, "bytes", (json_int_t)file->bytes,
                     "sha256", file->sha256, "metadata_sha256",
                     file->metadata_sha256, "bulk", bulk);
}

static json_t *pack_column(const dip_column *c)
{
    const char *kind = dip_column_kind_name(c->kind);
    if (c->kind == DIP_COLUMN_LABEL)
        return json_pack("{s:s,s:s,s:I}", "kind", kind, "name", c->name,
                         "classes", (json_int_t)c->classes);
    if (c->kind != DIP_COLUMN_IMAGE)
        return json_pack("{s:s,s:s}", "kind", kind, "name", c->name);
    if (c->encoded)
        return json_pack("{s:s,s:s,s:b}", "kind", kind, "name", c->name,
                         "encoded", 1);
    return json_pack("{s:s,s:s,s:b,s:I,s:I,s:I}", "kind", kind, "name", c->name,
                     "encoded", 0, "height", (json_int_t)c->height, "width",
                     (json_int_t)c->width, "channels", (json_int_t)c->channels);
}

/* False when memory ran out. */
static bool pack_lists(json_t *root, const dip_manifest *m)
{
    json_t *columns = json_array();
    json_t *shards = json_array();
    bool ok = json_object_set_new(root, "columns", columns) == 0;
    ok = json_object_set_new(root, "shards", shards) == 0 && ok;
    for (int i = 0; ok && i < m->column_count; i++)
        ok = json_array_append_new(columns, pack_column(&m->columns[i])) == 0;
    for (int i = 0; ok && i < m->shard_count; i++)
        ok = json_array_append_new(shards, pack_file(&m->shards[i])) == 0;
    if (ok && m->judgements.file != NULL)
        ok = json_object_set_new(root, "judgements",
                                 pack_file(&m->judgements)) == 0;
    if (ok && m->interactions.file != NULL)
        ok = json_object_set_new(root, "interactions",
                                 pack_file(&m->interactions)) == 0;
    return ok;
}

dip_status dip_manifest_write(const dip_manifest *m, const char *path,
                              dip_err *err)
{
    json_t *root = json_pack(
        "{s:s,s:i,s:s,s:s,s:s,s:I,s:s*}", "schema", DIP_MANIFEST_SCHEMA,
        "version", DIP_CATALOG_VERSION, "name", m->name, "created", m->created,
        "source", m->source, "rows", (json_int_t)m->rows, "content_sha256",
        m->content[0] != '\0' ? m->content : NULL);
    dip_status st = root != NULL && pack_lists(root, m)
                        ? dip_json_write(path, root, DIP_JSON_AS_BUILT, err)
                        : dip_no_memory(err);
    json_decref(root);
    return st;
}

/* ---- files ---- */

static int by_offset(const void *a, const void *b)
{
    int64_t x = ((const dip_file_range *)a)->offset;
    int64_t y = ((const dip_file_range *)b)->offset;
    return (x > y) - (x < y);
}

dip_status dip_manifest_describe(dip_manifest_file *out, const char *path,
                                 int64_t rows, dip_file_range *bulk,
                                 int bulk_count, dip_err *err)
{
    *out = (dip_manifest_file){
        .rows = rows, .bulk = bulk, .bulk_count = bulk_count};
    if (bulk_count > 1)
        qsort(bulk, (size_t)bulk_count, sizeof *bulk, by_offset);
    dip_file_info info;
    dip_status st = dip_file_stat(&info, path, err);
    if (st != DIP_OK)
        return st;
    out->bytes = info.size;
    st = dip_verify_metadata(out->metadata_sha256, path, info.size, bulk,
                             bulk_count, err);
    if (st == DIP_OK)
        st = dip_digest_file(out->sha256, path, err);
    if (st != DIP_OK)
        return st;
    out->file = dip_strdup(dip_path_base(path));
    return out->file != NULL ? DIP_OK : dip_no_memory(err);
}

static dip_status fail_digest(const char *path, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT,
                    "digest of '%s' is not the manifest's: the file is damaged "
                    "or an import was interrupted",
                    path);
}

dip_status dip_manifest_check(const dip_manifest_file *file, const char *path,
                              bool again, dip_err *err)
{
    dip_file_info info;
    dip_status st = dip_file_stat(&info, path, err);
    if (st != DIP_OK)
        return st;
    if (info.size != file->bytes)
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' has %lld bytes, its manifest says %lld: the file "
                        "is damaged or an import was interrupted",
                        path, (long long)info.size, (long long)file->bytes);
    char hex[DIP_DIGEST_SIZE];
    st = dip_verify_metadata(hex, path, info.size, file->bulk, file->bulk_count,
                             err);
    if (st != DIP_OK)
        return st;
    if (strcmp(hex, file->metadata_sha256) != 0)
        return fail_digest(path, err);
    bool known = !again && dip_verify_recall(hex, &info);
    if (!known) {
        st = dip_digest_file(hex, path, err);
        if (st != DIP_OK)
            return st;
        dip_verify_remember(hex, &info);
    }
    return strcmp(hex, file->sha256) == 0 ? DIP_OK : fail_digest(path, err);
}

dip_status dip_manifest_digest(char hex[DIP_DIGEST_SIZE], const char *path,
                               dip_err *err)
{
    dip_file_info info;
    dip_status st = dip_file_stat(&info, path, err);
    if (st != DIP_OK || dip_verify_recall(hex, &info))
        return st;
    st = dip_digest_file(hex, path, err);
    if (st == DIP_OK)
        dip_verify_remember(hex, &info);
    return st;
}
