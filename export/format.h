/* Formats of exported weights. A format is one file and one row in the table of
 * format.c. */
#ifndef DIP_EXPORT_FORMAT_H
#define DIP_EXPORT_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "export/gate.h"
#include "export/origin.h"
#include "export/samples.h"
#include "models/model.h"

/* name, tolerance of the gate, words */
#define DIP_PRECISION_TABLE(X)                                                 \
    X(FP32, "fp32", DIP_GATE_FP32, "as the model")                             \
    X(FP16, "fp16", DIP_GATE_FP16, "weights and products in half precision")   \
    X(INT8, "int8", DIP_GATE_INT8,                                             \
      "linear layers in 8 bits, quantised anew "                               \
      "for each batch")

typedef enum {
#define DIP_PRECISION_ENUM(name, word, tolerance, words) DIP_PRECISION_##name,
    DIP_PRECISION_TABLE(DIP_PRECISION_ENUM)
#undef DIP_PRECISION_ENUM
        DIP_PRECISION_COUNT
} dip_precision;

/* False for an unknown name. */
bool dip_precision_parse(dip_precision *out, const char *name);
const char *dip_precision_name(dip_precision precision);
double dip_precision_tolerance(dip_precision precision);

/* Of ONNX files. */
typedef struct {
    dip_precision precision;
    /* Photos are uint8 [B, S, S, 3], as decoders give them; else float32
     * [B, 3, S, S], normalised by these. */
    bool raw_images;
    float mean[3], std[3];
    bool unverified; /* write them where nothing can run them */
} dip_onnx_options;

/* All borrowed; models on the CPU. */
typedef struct {
    dip_model *model;
    dip_model *blank; /* a second one of the same config, to read files into */
    const dip_samples *samples; /* encoded by `model` */
    dip_onnx_options onnx;      /* of formats that take them */
    const dip_origin *origin;   /* whose files are written; NULL: our own. Only
                                   the format safetensors knows of it */
    dip_origin_model handed;    /* to the origin */
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
    bool takes_onnx_options;
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
