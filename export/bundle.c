#include "export/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "export/bundle_manifest.h"

#define CONFIG_LIMIT ((size_t)16 << 20)

dip_status dip_bundle_copy_config(const char *to, const char *from,
                                  dip_err *err)
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
    return dip_bundle_copy_config(path, b->config_path, err);
}

static dip_status write_tokenizer(const dip_bundle *b, const char *path,
                                  dip_err *err)
{
    return b->tokenizer != NULL ? dip_tokenizer_save(b->tokenizer, path, err)
                                : DIP_OK;
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

static dip_status write_companions(const dip_bundle *b, const char *dir,
                                   dip_err *err)
{
    const struct {
        const char *name;
        write_fn write;
    } files[] = {
        {"config.yaml", write_config},
        {b->job.origin != NULL ? DIP_BUNDLE_OTHER_TOKENIZER
                               : DIP_BUNDLE_TOKENIZER,
         write_tokenizer},
        {"labels.json", write_labels},
        {"preprocessing.json", write_preprocessing},
        {"samples.safetensors", write_samples},
    };
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(files) && st == DIP_OK; i++) {
        char *path = dip_path_join(dir, files[i].name);
        st = path != NULL ? files[i].write(b, path, err) : dip_no_memory(err);
        free(path);
    }
    return st;
}

static dip_status write_card(const dip_bundle *b,
                             const dip_export_result *result, const char *dir,
                             dip_err *err)
{
    char *path = dip_path_join(dir, "model_card.md");
    dip_status st = dip_no_memory(err);
    if (path != NULL)
        st = dip_card_write(&(dip_card_facts){.card = b->card,
                                              .job = &b->job,
                                              .format = b->format,
                                              .run = b->run,
                                              .data = b->data,
                                              .preprocessing = b->preprocessing,
                                              .version = b->version,
                                              .gate = &result->gate,
                                              .config_path = b->config_path},
                            path, err);
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
    const dip_origin *origin = bundle->job.origin;
    if (st == DIP_OK && origin != NULL && origin->write != NULL)
        st = origin->write(&bundle->job.handed, dir, err);
    if (st == DIP_OK)
        st = write_card(bundle, result, dir, err);
    if (st == DIP_OK)
        st = dip_bundle_manifest_write(
            &(dip_bundle_manifest){.version = bundle->version,
                                   .format = bundle->format->name,
                                   .run = bundle->run,
                                   .artefacts = result->artefacts,
                                   .data = bundle->data,
                                   .rows = bundle->job.samples->rows,
                                   .gate = &result->gate},
            dir, err);
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
