/* Formats of exported weights. A format is one file and one row in the table of
 * format.c. */
#ifndef DIP_EXPORT_FORMAT_H
#define DIP_EXPORT_FORMAT_H

#include <jansson.h>

#include "base/status.h"
#include "export/gate.h"
#include "export/samples.h"
#include "models/model.h"

/* All borrowed; models on the CPU. */
typedef struct {
    dip_model *model;
    dip_model *blank; /* a second one of the same config, to read files into */
    const dip_samples *samples; /* encoded by `model` */
} dip_export_job;

/* What a format says of its files. */
typedef struct {
    dip_gate_report gate;
    json_t *artefacts; /* array of {"file": …, "inputs": …, "output": …} */
} dip_export_result;

typedef struct {
    const char *name;
    const char *summary; /* a line of help */
    /* Writes the weights into the directory `dir`, reads them back and
     * compares; DIP_EVERIFY when they differ. */
    dip_status (*write)(dip_export_result *result, const dip_export_job *job,
                        const char *dir, dip_err *err);
} dip_export_format;

int dip_export_format_count(void);
const dip_export_format *dip_export_format_at(int i);
/* NULL for an unknown name. */
const dip_export_format *dip_export_format_find(const char *name);

#endif
