/* A run directory: what is in it, and a trained model out of it.
 *
 *   config.yaml  run.json  tokenizer.json  labels.json  fields.json  log.jsonl
 *   checkpoints/ */
#ifndef DIP_APPS_RUN_DIR_H
#define DIP_APPS_RUN_DIR_H

#include <jansson.h>

#include "apps/corpus.h"
#include "apps/settings.h"
#include "base/status.h"
#include "data/tokenizer.h"
#include "models/model.h"

/* A trained run, ready to encode. */
typedef struct {
    char *dir;
    char *checkpoint; /* folder that the weights came from */
    dip_settings *settings;
    dip_tokenizer *tokenizer; /* NULL: there is no text tower */
    json_t *labels; /* {"articleType": ["Shirts", …], …}: the heads' classes */
    json_t *fields; /* apps/fields.h */
    dip_model *model;
    dip_device device;
    bool bf16;
} dip_trained;

/* Loads `dir` with the weights of checkpoints/<which> ("best"; "latest" when
 * there is none): the averaged ones when the settings, overrides included, say
 * that averages are kept. The caller ends *out with dip_trained_free(). */
dip_status dip_trained_load(dip_trained **out, const char *dir,
                            const char *which, const char *const *overrides,
                            size_t override_count, dip_err *err) DIP_MUST_CHECK;
void dip_trained_free(dip_trained *run); /* NULL allowed */

/* Opens `path` (NULL: what the run was trained on) with the words and names of
 * the run, which must outlive *out. The caller ends it with dip_corpus_free().
 */
dip_status dip_trained_corpus(dip_corpus **out, const dip_trained *run,
                              const char *path, dip_err *err) DIP_MUST_CHECK;

/* Writes config.yaml, tokenizer.json (unless it is NULL), labels.json,
 * fields.json (when there are any) and run.json into `dir`, which exists.
 * `sources` is what run.json tells of the files that the run starts or learns
 * from, by key. */
dip_status dip_run_write(const char *dir, const dip_settings *settings,
                         const dip_corpus *corpus,
                         const dip_tokenizer *tokenizer, json_t *labels,
                         json_t *fields, json_t *sources,
                         dip_err *err) DIP_MUST_CHECK;

/* Writes config.yaml, with all defaults. */
dip_status dip_run_write_config(const char *dir, const dip_settings *settings,
                                dip_err *err) DIP_MUST_CHECK;

/* Writes config.yaml and run.json alone, for tasks without words and labels. */
dip_status dip_run_write_plain(const char *dir, const dip_settings *settings,
                               const dip_catalog *catalog, json_t *sources,
                               dip_err *err) DIP_MUST_CHECK;

/* The settings of the run in `dir`; DIP_ENOTFOUND when it is no run directory.
 * The caller ends *out with dip_settings_free() in any case. */
dip_status dip_run_settings(dip_settings **out, const char *dir,
                            const char *const *overrides, size_t count,
                            dip_err *err) DIP_MUST_CHECK;

/* The task that the run in `dir` is of; DIP_ENOTFOUND when it is no run
 * directory. */
dip_status dip_run_task(dip_task_kind *out, const char *dir,
                        dip_err *err) DIP_MUST_CHECK;

/* Reads the weights of checkpoints/<which>, as dip_trained_load() says, into
 * `params`. The caller frees *checkpoint, its folder, in any case. */
dip_status dip_run_weights(char **checkpoint, dip_params *params,
                           const char *dir, const char *which,
                           const dip_settings *settings,
                           dip_err *err) DIP_MUST_CHECK;

/* run.json as it stands. The caller ends *out with json_decref(). */
dip_status dip_run_about(json_t **out, const char *dir,
                         dip_err *err) DIP_MUST_CHECK;

/* The words and classes that the run in `dir` began with: tokenizer.json, which
 * must be the one of run.json (NULL when the settings have no text tower),
 * labels.json and fields.json (empty when there is none). In any case the
 * caller ends all three. */
dip_status dip_run_read_words(dip_tokenizer **tokenizer, json_t **labels,
                              json_t **fields, const char *dir,
                              const dip_settings *settings,
                              dip_err *err) DIP_MUST_CHECK;
/* DIP_EDATA unless `catalog` is the one that the run in `dir` began with. */
dip_status dip_run_check_catalog(const char *dir, const dip_catalog *catalog,
                                 dip_err *err) DIP_MUST_CHECK;

/* DIP_EDATA, calling the file `words`, unless the digest in `input`, {"path",
 * "sha256"}, is that of `section` in run.json of `dir`. */
dip_status dip_run_check_input(const char *dir, const char *section,
                               const char *words, const json_t *input,
                               dip_err *err) DIP_MUST_CHECK;

/* DIP_ECONFIG, showing the first line that differs, unless the settings are
 * those that the run in `dir` began with. Where catalog and teacher lie,
 * threads, logs and how many checkpoints are kept may differ, and how many
 * trials and workers a sweep has: they change no result, or are checked on
 * their own. */
dip_status dip_run_check_config(const char *dir, const dip_settings *settings,
                                dip_err *err) DIP_MUST_CHECK;

/* The same for another config, that in `dir`/`file`. */
dip_status dip_run_check_config_of(const char *dir, const char *file,
                                   const dip_config *config,
                                   dip_err *err) DIP_MUST_CHECK;

/* The names of the heads' classes as the catalog has them. The caller ends *out
 * with json_decref(). */
dip_status dip_run_labels(json_t **out, const dip_corpus *corpus,
                          dip_err *err) DIP_MUST_CHECK;

/* The config of the next, checked and with all defaults. Its strings are those
 * of the settings and of `fields`. */
dip_status dip_run_model_config(dip_model_config *out,
                                const dip_settings *settings,
                                const dip_tokenizer *tokenizer,
                                const json_t *labels, const json_t *fields,
                                dip_err *err) DIP_MUST_CHECK;

/* The model that the settings describe, with the sizes that tokenizer, labels
 * (NULL: no text tower) and fields give it. */
dip_status dip_run_model(dip_model **out, const dip_settings *settings,
                         const dip_tokenizer *tokenizer, const json_t *labels,
                         const json_t *fields, dip_err *err) DIP_MUST_CHECK;

/* The processors that this process may run on, which taskset or a container can
 * make fewer than the machine has. */
int dip_run_processors(void);

/* Sets libtorch's threads and chooses device and precision as the settings
 * say; DIP_ECONFIG when cuda is asked for and not there. */
dip_status dip_run_machine(const dip_settings *settings, dip_device *device,
                           bool *bf16, int *threads,
                           dip_err *err) DIP_MUST_CHECK;

#endif
