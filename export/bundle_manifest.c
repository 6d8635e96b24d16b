#include "export/bundle_manifest.h"

#include <stdlib.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tensor/tensor.h"

#define FILE_NAME "manifest.json"

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
