#include "export/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define CONFIG_LIMIT ((size_t)16 << 20)
#define MANIFEST     "manifest.json"

static dip_status copy_config(const char *to, const char *from, dip_err *err)
{
    char *text = NULL;
    size_t length = 0;
    dip_status st = dip_file_read(&text, &length, from, CONFIG_LIMIT, err);
    if (st == DIP_OK)
        st = dip_file_write(to, text, length, err);
    free(text);
    return st;
}

/* What each of the files beside the weights is written by. */
typedef dip_status (*write_fn)(const dip_bundle *bundle, const char *path,
                               dip_err *err);

static dip_status write_config(const dip_bundle *b, const char *path,
                               dip_err *err)
{
    return copy_config(path, b->config_path, err);
}

static dip_status write_tokenizer(const dip_bundle *b, const char *path,
                                  dip_err *err)
{
    return dip_tokenizer_save(b->tokenizer, path, err);
}

static dip_status write_labels(const dip_bundle *b, const char *path,
                               dip_err *err)
{
    return dip_json_write(path, b->labels, DIP_JSON_AS_BUILT, err);
}

static dip_status write_preprocessing(const dip_bundle *b, const char *path,
                                      dip_err *err)
{
    return dip_json_write(path, b->preprocessing, DIP_JSON_AS_BUILT, err);
}

static dip_status write_samples(const dip_bundle *b, const char *path,
                                dip_err *err)
{
    return dip_samples_save(b->job.samples, b->sample_rows, path, err);
}

static dip_status write_companions(const dip_bundle *bundle, const char *dir,
                                   dip_err *err)
{
    static const struct {
        const char *name;
        write_fn write;
    } files[] = {
        {"config.yaml", write_config},
        {"tokenizer.json", write_tokenizer},
        {"labels.json", write_labels},
        {"preprocessing.json", write_preprocessing},
        {"samples.safetensors", write_samples},
    };
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(files) && st == DIP_OK; i++) {
        char *path = dip_path_join(dir, files[i].name);
        st = path != NULL ? files[i].write(bundle, path, err)
                          : dip_no_memory(err);
        free(path);
    }
    return st;
}

/* ---- manifest ------------------------------------------------------------ */

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

static dip_status write_manifest(const dip_bundle *b,
                                 const dip_export_result *result,
                                 const char *dir, dip_err *err)
{
    json_t *files = json_array();
    char *path = dip_path_join(dir, MANIFEST);
    dip_status st = path != NULL && files != NULL ? list_files(files, dir, err)
                                                  : dip_no_memory(err);
    if (st == DIP_OK) {
        json_t *manifest =
            json_pack("{s:s, s:s, s:s, s:O, s:s, s:O, s:O, s:{s:O, s:I, s:o}}",
                      "schema", DIP_EXPORT_SCHEMA, "version", b->version,
                      "libtorch", dip_tensor_torch_version(), "run", b->run,
                      "format", b->format->name, "artefacts", result->artefacts,
                      "files", files, "verification", "data", b->data, "rows",
                      (json_int_t)b->job.samples->rows, "checks",
                      dip_gate_report_json(&result->gate));
        st = dip_json_write(path, manifest, DIP_JSON_AS_BUILT, err);
        json_decref(manifest);
    }
    json_decref(files);
    free(path);
    return st;
}

/* -------------------------------------------------------------------------- */

static dip_status fill(dip_export_result *result, const dip_bundle *bundle,
                       const char *dir, dip_err *err)
{
    dip_status st = bundle->format->write(result, &bundle->job, dir, err);
    if (st == DIP_OK)
        st = write_companions(bundle, dir, err);
    if (st == DIP_OK)
        st = write_manifest(bundle, result, dir, err);
    return st;
}

dip_status dip_bundle_write(dip_gate_report *report, const dip_bundle *bundle,
                            const char *dir, dip_err *err)
{
    dip_dir_writer *writer = NULL;
    dip_export_result result = {.artefacts = json_array()};
    dip_status st = result.artefacts != NULL
                        ? dip_dir_writer_open(&writer, dir, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = fill(&result, bundle, dip_dir_writer_path(writer), err);
    if (st == DIP_OK)
        st = dip_dir_writer_commit(writer, err);
    dip_dir_writer_close(writer); /* removes what was not committed */
    json_decref(result.artefacts);
    *report = result.gate;
    return st;
}
