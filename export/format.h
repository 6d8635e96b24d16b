/* Formats of exported weights. A format is one file and one row in the table of
 * format.c. */
#ifndef DIP_EXPORT_FORMAT_H
#define DIP_EXPORT_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "export/gate.h"
#include "export/samples.h"
#include "models/model.h"

/* All borrowed; models on the CPU. */
typedef struct {
    dip_model *model;
    dip_model *blank; /* a second one of the same config, to read files into */
    const dip_samples *samples; /* encoded by `model` */
    /* Of formats that another program runs: write them without it. */
    bool unverified;
    /* Called before each part and at the end; false asks to stop. May be
     * NULL. */
    bool (*tick)(void *user, int64_t done, int64_t total);
    void *tick_user;
} dip_export_job;

/* Calls the tick; DIP_EINTERRUPT when it asks to stop. */
dip_status dip_export_tick(const dip_export_job *job, int64_t done,
                           int64_t total, dip_err *err) DIP_MUST_CHECK;

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
