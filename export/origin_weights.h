/* The weights of a model as a file that its origin reads. */
#ifndef DIP_EXPORT_ORIGIN_WEIGHTS_H
#define DIP_EXPORT_ORIGIN_WEIGHTS_H

#include "export/format.h"

/* Writes job->origin's file of weights into `dir`, reads it back into
 * job->blank, and compares: every weight bit for bit, then the rows of the
 * encoders that the origin takes. What the origin has no place for is named in
 * the artefact's "left_out". */
dip_status dip_origin_weights_write(dip_export_result *result,
                                    const dip_export_job *job, const char *dir,
                                    dip_err *err) DIP_MUST_CHECK;

#endif
