#include "export/index_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "eval/stored.h"

#define BLOCK_FLOATS ((int64_t)1 << 22) /* that are added at a time */
#define JSON_LIMIT   ((size_t)1 << 32)

/* ---- building ---- */

static dip_status find_present(dip_index_built *b,
                               const dip_embedding_store *store, dip_err *err)
{
    const uint8_t *present = dip_embedding_store_present(store);
    int64_t rows = dip_embedding_store_info(store)->rows;
    b->rows = dip_calloc((size_t)rows, sizeof *b->rows);
    if (b->rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < rows; i++) {
        if (present[i] != 0)
            b->rows[b->count++] = i;
    }
    return b->count > 0 ? DIP_OK
                        : dip_fail(err, DIP_EDATA, "no embedding in '%s'",
                                   dip_embedding_store_path(store));
}

static dip_status train(dip_index *index, const dip_index_options *options,
                        const dip_embedding_store *store, dip_err *err)
{
    dip_stored_sample sample = {0};
    int64_t most = dip_index_sample(options);
    if (most == 0)
        return DIP_OK;
    dip_status st = dip_stored_sample_read(&sample, store, most, err);
    if (st == DIP_OK)
        st = dip_index_train(index, sample.values, sample.count, err);
    dip_stored_sample_free(&sample);
    return st;
}

static dip_status add_block(dip_index *index, float *values,
                            const dip_embedding_store *store, int64_t first,
                            int64_t count, dip_err *err)
{
    const uint8_t *present = dip_embedding_store_present(store) + first;
    int64_t dim = dip_embedding_store_info(store)->dim, kept = 0;
    dip_status st =
        dip_embedding_store_read(values, store, first, count, true, err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        if (present[i] == 0)
            continue;
        if (kept < i)
            memcpy(values + kept * dim, values + i * dim,
                   (size_t)dim * sizeof *values);
        kept++;
    }
    return st == DIP_OK ? dip_index_add(index, values, kept, err) : st;
}

static dip_status add_all(dip_index *index, const dip_embedding_store *store,
                          dip_err *err)
{
    const dip_embedding_info *info = dip_embedding_store_info(store);
    int64_t block = info->dim < BLOCK_FLOATS ? BLOCK_FLOATS / info->dim : 1;
    block = block < info->rows ? block : info->rows;
    float *values = dip_calloc((size_t)(block * info->dim), sizeof *values);
    dip_status st = values != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t at = 0; at < info->rows && st == DIP_OK; at += block) {
        int64_t left = info->rows - at;
        st = add_block(index, values, store, at, left < block ? left : block,
                       err);
    }
    free(values);
    return st;
}

dip_status dip_index_build(dip_index_built *out,
                           const dip_index_options *options,
                           const dip_embedding_store *store, dip_err *err)
{
    *out = (dip_index_built){0};
    dip_status st = find_present(out, store, err);
    if (st == DIP_OK)
        st = dip_index_create(&out->index, options, err);
    if (st == DIP_OK)
        st = train(out->index, options, store, err);
    return st == DIP_OK ? add_all(out->index, store, err) : st;
}

void dip_index_built_free(dip_index_built *built)
{
    dip_index_free(built->index);
    free(built->rows);
    *built = (dip_index_built){0};
}

/* ---- writing ---- */

static json_t *list_ids(const dip_index_built *built,
                        const dip_embedding_store *store)
{
    json_t *ids = json_array();
    for (int64_t i = 0; i < built->count; i++) {
        dip_bytes id = dip_embedding_store_id(store, built->rows[i]);
        if (json_array_append_new(ids, json_stringn(id.data, id.len)) != 0) {
            json_decref(ids);
            return NULL;
        }
    }
    return ids;
}

static void add_options(json_t *about, const dip_index_options *o)
{
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"lists", o->lists},
                   {"probes", o->probes},
                   {"links", o->links},
                   {"depth", o->depth},
                   {"code_bytes", o->code_bytes}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(numbers); i++) {
        if (numbers[i].value > 0)
            (void)json_object_set_new(about, numbers[i].key,
                                      json_integer(numbers[i].value));
    }
}

static json_t *describe(const dip_index_built *built,
                        const dip_index_options *options,
                        const dip_embedding_store *store, int64_t bytes,
                        const char *sha256, json_t *measured)
{
    const dip_embedding_info *info = dip_embedding_store_info(store);
    json_t *about = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "schema",
        DIP_INDEX_SCHEMA, "type", dip_index_kind_name(options->kind), "name",
        info->name, "model", info->model, "recipe", info->recipe, "similarity",
        dip_similarity_name(info->similarity), "dim", (json_int_t)info->dim,
        "rows", (json_int_t)built->count, "seed", (json_int_t)options->seed,
        "bytes", (json_int_t)bytes, "sha256", sha256);
    if (about == NULL)
        return NULL;
    add_options(about, options);
    if (measured != NULL)
        (void)json_object_set(about, "measured", measured);
    if (json_object_set_new(about, "ids", list_ids(built, store)) == 0)
        return about;
    json_decref(about);
    return NULL;
}

static char *path_of_json(const char *path, dip_err *err)
{
    dip_str out = {0};
    dip_str_addf(&out, "%s.json", path);
    if (dip_str_status(&out, err) == DIP_OK)
        return out.data;
    dip_str_free(&out);
    return NULL;
}

dip_status dip_index_file_write(const char *path, const dip_index_built *built,
                                const dip_index_options *options,
                                const dip_embedding_store *store,
                                json_t *measured, dip_err *err)
{
    char sha256[DIP_DIGEST_SIZE];
    dip_file_info file = {0};
    char *beside = path_of_json(path, err);
    if (beside == NULL)
        return dip_no_memory(err);
    dip_status st = dip_index_write(built->index, path, err);
    if (st == DIP_OK)
        st = dip_file_stat(&file, path, err);
    if (st == DIP_OK)
        st = dip_digest_file(sha256, path, err);
    if (st == DIP_OK) {
        json_t *about =
            describe(built, options, store, file.size, sha256, measured);
        st = about != NULL
                 ? dip_json_write(beside, about, DIP_JSON_AS_BUILT, err)
                 : dip_no_memory(err);
        json_decref(about);
    }
    free(beside);
    return st;
}

/* ---- reading ---- */

static dip_status read_about(dip_index_file *f, const char *path, dip_err *err)
{
    const char *schema;
    dip_status st = dip_json_load(&f->about, path, JSON_LIMIT, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&schema, f->about, "schema", path, err);
    if (st == DIP_OK && strcmp(schema, DIP_INDEX_SCHEMA) != 0)
        st = dip_fail(err, DIP_EFORMAT,
                      "schema of '%s' is not " DIP_INDEX_SCHEMA, path);
    if (st == DIP_OK)
        st = dip_json_get_string(&f->name, f->about, "name", path, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&f->model, f->about, "model", path, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&f->recipe, f->about, "recipe", path, err);
    if (st == DIP_OK)
        st = dip_json_get_array(&f->ids, f->about, "ids", path, err);
    for (size_t i = 0; st == DIP_OK && i < json_array_size(f->ids); i++) {
        if (!json_is_string(json_array_get(f->ids, i)))
            st = dip_fail(err, DIP_EFORMAT, "id %zu of '%s' is no text", i,
                          path);
    }
    return st;
}

/* Before FAISS sees the file, which trusts the sizes in it. */
static dip_status check_bytes(const dip_index_file *f, const char *path,
                              const char *json_path, dip_err *err)
{
    dip_file_info file;
    int64_t bytes;
    const char *wanted;
    char found[DIP_DIGEST_SIZE];
    dip_status st = dip_json_get_int(&bytes, f->about, "bytes", json_path, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&wanted, f->about, "sha256", json_path, err);
    if (st == DIP_OK)
        st = dip_file_stat(&file, path, err);
    if (st == DIP_OK && file.size != bytes)
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' has %lld bytes, not the %lld of '%s'", path,
                        (long long)file.size, (long long)bytes, json_path);
    if (st == DIP_OK)
        st = dip_digest_file(found, path, err);
    if (st == DIP_OK && strcmp(found, wanted) != 0)
        st = dip_fail(err, DIP_EFORMAT,
                      "'%s' has another sha-256 than '%s' says", path,
                      json_path);
    return st;
}

static dip_status check_index(const dip_index_file *f, const char *json_path,
                              dip_err *err)
{
    const char *type, *similarity;
    int64_t dim;
    dip_status st =
        dip_json_get_string(&type, f->about, "type", json_path, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&similarity, f->about, "similarity", json_path,
                                 err);
    if (st == DIP_OK)
        st = dip_json_get_int(&dim, f->about, "dim", json_path, err);
    if (st != DIP_OK)
        return st;
    dip_similarity found = dip_index_similarity(f->index);
    if (strcmp(type, dip_index_kind_name(dip_index_kind_of(f->index))) != 0 ||
        strcmp(similarity, dip_similarity_name(found)) != 0 ||
        dim != dip_index_dim(f->index) ||
        json_array_size(f->ids) != (size_t)dip_index_rows(f->index))
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' tells of another index than the one beside it",
                        json_path);
    return DIP_OK;
}

dip_status dip_index_file_read(dip_index_file *out, const char *path,
                               dip_err *err)
{
    *out = (dip_index_file){0};
    char *beside = path_of_json(path, err);
    if (beside == NULL)
        return dip_no_memory(err);
    dip_status st = read_about(out, beside, err);
    if (st == DIP_OK)
        st = check_bytes(out, path, beside, err);
    if (st == DIP_OK)
        st = dip_index_read(&out->index, path, err);
    if (st == DIP_OK)
        st = check_index(out, beside, err);
    free(beside);
    return st;
}

void dip_index_file_free(dip_index_file *file)
{
    dip_index_free(file->index);
    json_decref(file->about);
    *file = (dip_index_file){0};
}

dip_bytes dip_index_file_id(const dip_index_file *file, int64_t row)
{
    const json_t *id = json_array_get(file->ids, (size_t)row);
    return (dip_bytes){json_string_value(id), json_string_length(id)};
}
