/* A bundle: a directory that holds all that a serving team needs.
 *
 *   weights (export/format.h)   config.yaml   tokenizer.json   labels.json
 *   preprocessing.json   samples.safetensors   model_card.md   manifest.json
 *
 * manifest.json (export/bundle_manifest.h) is written last. */
#ifndef DIP_EXPORT_BUNDLE_H
#define DIP_EXPORT_BUNDLE_H

#include <jansson.h>

#include "base/status.h"
#include "data/tokenizer.h"
#include "export/card.h"
#include "export/format.h"

/* The tokenizer's own file, and its name beside the files of an origin, which
 * may have one of the first name. */
#define DIP_BUNDLE_TOKENIZER       "tokenizer.json"
#define DIP_BUNDLE_OTHER_TOKENIZER "diptych_tokenizer.json"

/* All borrowed. */
typedef struct {
    const dip_export_format *format;
    dip_export_job job;
    const char *config_path;        /* copied to config.yaml */
    const dip_tokenizer *tokenizer; /* NULL: texts are not read */
    const json_t *labels;
    const json_t *preprocessing;
    const char *version; /* of the program */
    const dip_card *card;
    int64_t sample_rows; /* that go into samples.safetensors */
    json_t *run;         /* object: name, checkpoint, step */
    json_t *data;        /* object: where the verified rows come from */
} dip_bundle;

/* Writes the bundle as `dir`, which must not exist or be empty (DIP_EIO). On
 * failure nothing is left. `report` is the caller's, and holds what was
 * measured before a failure, too. */
dip_status dip_bundle_write(dip_gate_report *report, const dip_bundle *bundle,
                            const char *dir, dip_err *err) DIP_MUST_CHECK;
/* Copies the config of a run, as it stands. */
dip_status dip_bundle_copy_config(const char *to, const char *from,
                                  dip_err *err) DIP_MUST_CHECK;

#endif
