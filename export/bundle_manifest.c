#include "export/bundle_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tensor/tensor.h"

#define FILE_NAME   "manifest.json"
#define BYTES_LIMIT ((size_t)64 << 20)

static dip_status add_file(json_t *files, const char *dir, const char *name,
                           dip_err *err)
{
    char digest[DIP_DIGEST_SIZE];
    dip_file_info info;
    char *path = dip_path_join(dir, name);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = dip_file_stat(&info, path, err);
    if (st == DIP_OK)
        st = dip_digest_file(digest, path, err);
    if (st == DIP_OK &&
        json_array_append_new(files, json_pack("{s:s, s:I, s:s}", "name", name,
                                               "bytes", (json_int_t)info.size,
                                               "sha256", digest)) != 0)
        st = dip_no_memory(err);
    free(path);
    return st;
}

static dip_status list_files(json_t *files, const char *dir, dip_err *err)
{
    char **names = NULL;
    size_t count = 0;
    dip_status st = dip_dir_list(&names, &count, dir, err);
    for (size_t i = 0; i < count && st == DIP_OK; i++)
        st = add_file(files, dir, names[i], err);
    dip_dir_list_free(names, count);
    return st;
}

dip_status dip_bundle_manifest_write(const dip_bundle_manifest *m,
                                     const char *dir, dip_err *err)
{
    json_t *files = json_array();
    char *path = dip_path_join(dir, FILE_NAME);
    dip_status st = path != NULL && files != NULL ? list_files(files, dir, err)
                                                  : dip_no_memory(err);
    if (st == DIP_OK) {
        json_t *json = json_pack(
            "{s:s, s:s, s:s, s:O, s:s, s:O, s:O, s:{s:O, s:I, s:o}}", "schema",
            DIP_EXPORT_SCHEMA, "version", m->version, "libtorch",
            dip_tensor_torch_version(), "run", m->run, "format", m->format,
            "artefacts", m->artefacts, "files", files, "verification", "data",
            m->data, "rows", (json_int_t)m->rows, "checks",
            dip_gate_report_json(m->gate));
        st = dip_json_write(path, json, DIP_JSON_AS_BUILT, err);
        json_decref(json);
    }
    json_decref(files);
    free(path);
    return st;
}

/* ---- checking ------------------------------------------------------------ */

static dip_status check_file(const json_t *file, const char *dir,
                             const char *manifest, dip_err *err)
{
    const char *name, *wanted;
    char digest[DIP_DIGEST_SIZE];
    dip_status st = dip_json_get_string(&name, file, "name", manifest, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&wanted, file, "sha256", manifest, err);
    if (st != DIP_OK)
        return st;
    if (strchr(name, '/') != NULL || name[0] == '.' || name[0] == '\0')
        return dip_fail(err, DIP_EFORMAT, "'%s': '%s' is no name of a file",
                        manifest, name);
    char *path = dip_path_join(dir, name);
    if (path == NULL)
        return dip_no_memory(err);
    if (!dip_file_exists(path))
        st = dip_fail(err, DIP_EVERIFY, "'%s' lacks '%s'", dir, name);
    else
        st = dip_digest_file(digest, path, err);
    if (st == DIP_OK && strcmp(digest, wanted) != 0)
        st = dip_fail(err, DIP_EVERIFY,
                      "'%s' has the digest %s, not the %.64s of the manifest",
                      path, digest, wanted);
    free(path);
    return st;
}

static bool is_listed(const json_t *files, const char *name)
{
    size_t i;
    json_t *file;
    json_array_foreach (files, i, file) {
        if (strcmp(json_string_value(json_object_get(file, "name")), name) == 0)
            return true;
    }
    return strcmp(name, FILE_NAME) == 0;
}

/* All `files` have names. */
static dip_status check_others(const json_t *files, const char *dir,
                               dip_err *err)
{
    char **names = NULL;
    size_t count = 0;
    dip_status st = dip_dir_list(&names, &count, dir, err);
    for (size_t i = 0; i < count && st == DIP_OK; i++) {
        if (!is_listed(files, names[i]))
            st = dip_fail(err, DIP_EVERIFY,
                          "'%s' is not in the manifest of '%s'", names[i], dir);
    }
    dip_dir_list_free(names, count);
    return st;
}

static dip_status check_all(int64_t *count, const json_t *manifest,
                            const char *dir, const char *path, dip_err *err)
{
    const char *schema;
    json_t *files, *file;
    size_t i;
    dip_status st = dip_json_get_string(&schema, manifest, "schema", path, err);
    if (st == DIP_OK && strcmp(schema, DIP_EXPORT_SCHEMA) != 0)
        st = dip_fail(err, DIP_EFORMAT, "'%s': the schema is not '%s'", path,
                      DIP_EXPORT_SCHEMA);
    if (st == DIP_OK)
        st = dip_json_get_array(&files, manifest, "files", path, err);
    if (st != DIP_OK)
        return st;
    *count = (int64_t)json_array_size(files);
    json_array_foreach (files, i, file) {
        st = check_file(file, dir, path, err);
        if (st != DIP_OK)
            return st;
    }
    return check_others(files, dir, err);
}

dip_status dip_bundle_manifest_check(int64_t *count, const char *dir,
                                     dip_err *err)
{
    json_t *manifest = NULL;
    char *path = dip_path_join(dir, FILE_NAME);
    *count = 0;
    dip_status st = path != NULL
                        ? dip_json_load(&manifest, path, BYTES_LIMIT, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = check_all(count, manifest, dir, path, err);
    json_decref(manifest);
    free(path);
    return st;
}
