/* `diptych export` of a run of the task `recommendation`. */
#ifndef DIP_APPS_EXPORT_RECOMMENDATION_H
#define DIP_APPS_EXPORT_RECOMMENDATION_H

#include "base/status.h"
#include "export/format.h"

typedef struct {
    const char *dir, *out, *data, *checkpoint; /* data: NULL as trained */
    const dip_export_format *format;
    dip_onnx_options onnx;
    int64_t rows, samples;
} dip_export_recommendation_options;

/* Writes and verifies the bundle; `report` is the caller's, as that of
 * dip_bundle_write(). */
dip_status
dip_export_recommendation(dip_gate_report *report,
                          const dip_export_recommendation_options *options,
                          dip_err *err) DIP_MUST_CHECK;

#endif
