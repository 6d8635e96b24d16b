/* A part of a model as an ONNX file. */
#ifndef DIP_EXPORT_ONNX_PART_H
#define DIP_EXPORT_ONNX_PART_H

#include "export/format.h"
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

#endif
