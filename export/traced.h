/* What the formats of traced parts share. */
#ifndef DIP_EXPORT_TRACED_H
#define DIP_EXPORT_TRACED_H

#include "export/format.h"
#include "export/part.h"

/* Traces the part in eval mode and F32, at two rows and one token, over the
 * parameters that it needs. The caller ends *out with dip_script_free(). */
dip_status dip_part_trace(dip_script **out, const dip_part *part,
                          dip_model *model, dip_err *err) DIP_MUST_CHECK;

/* Writes the part to `path` and verifies the file. */
typedef dip_status (*dip_part_writer)(dip_export_result *result,
                                      const dip_export_job *job,
                                      const dip_part *part, const char *path,
                                      dip_err *err);

/* Writes every part of the model to DIR/<part><suffix>, and describes it. */
dip_status dip_export_parts(dip_export_result *result,
                            const dip_export_job *job, const char *dir,
                            const char *suffix, dip_part_writer write,
                            dip_err *err) DIP_MUST_CHECK;

#endif
