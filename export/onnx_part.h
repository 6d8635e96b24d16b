/* A part of a model as an ONNX file, and what other ONNX files need of it. */
#ifndef DIP_EXPORT_ONNX_PART_H
#define DIP_EXPORT_ONNX_PART_H

#include "export/format.h"
#include "export/onnx.h"
#include "export/part.h"

dip_status dip_onnx_part_save(const dip_part *part, dip_model *model,
                              const dip_onnx_options *options, const char *path,
                              dip_err *err) DIP_MUST_CHECK;
/* Runs the file by ONNX Runtime and compares it with the model; DIP_EVERIFY
 * when they differ. */
dip_status dip_onnx_part_verify(dip_gate_report *report, const dip_part *part,
                                const dip_model *model,
                                const dip_onnx_options *options,
                                const char *path, dip_err *err) DIP_MUST_CHECK;

/* Fails where files have to be verified and nothing can run them. */
dip_status dip_onnx_check_runtime(const dip_onnx_options *options,
                                  dip_err *err) DIP_MUST_CHECK;

/* Turns a finished model into one of this precision. */
dip_status dip_onnx_lose_precision(dip_onnx *onnx, dip_precision precision,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
