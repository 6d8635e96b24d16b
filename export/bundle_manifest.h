/* manifest.json of a bundle, schema "diptych-export/1": what was exported,
 * every other file with its bytes and SHA-256, and what was verified. */
#ifndef DIP_EXPORT_BUNDLE_MANIFEST_H
#define DIP_EXPORT_BUNDLE_MANIFEST_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "export/gate.h"

#define DIP_EXPORT_SCHEMA "diptych-export/1"

/* All borrowed. */
typedef struct {
    const char *version; /* of the program */
    const char *format;
    json_t *run;       /* object: name, checkpoint, step */
    json_t *artefacts; /* array of {"file": …, "inputs": …, "output": …} */
    json_t *data;      /* object: where the verified rows come from */
    int64_t rows;      /* that were verified */
    const dip_gate_report *gate;
} dip_bundle_manifest;

/* Writes it into `dir`, which holds all other files. */
dip_status dip_bundle_manifest_write(const dip_bundle_manifest *manifest,
                                     const char *dir,
                                     dip_err *err) DIP_MUST_CHECK;

/* Compares the files of the bundle `dir` with its manifest, which is untrusted
 * input, and counts them. DIP_EVERIFY names the file that differs, lacks or is
 * not listed, DIP_EFORMAT the key of a manifest that is none. */
dip_status dip_bundle_manifest_check(int64_t *count, const char *dir,
                                     dip_err *err) DIP_MUST_CHECK;

#endif
