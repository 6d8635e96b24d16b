/* The rows of the table in format.c. A new format adds its name here, and
 * defines dip_export_<name> in a file of its own. */
#ifndef DIP_EXPORT_FORMATS_H
#define DIP_EXPORT_FORMATS_H

#include "export/format.h"

#define DIP_EXPORT_TABLE(X)                                                    \
    X(safetensors)                                                             \
    X(torchscript)                                                             \
    X(onnx)

#define DIP_EXPORT_DECLARE(name)                                               \
    extern const dip_export_format dip_export_##name;
DIP_EXPORT_TABLE(DIP_EXPORT_DECLARE)
#undef DIP_EXPORT_DECLARE

#endif
