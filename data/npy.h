/* Writing arrays as numpy.load() reads them (NEP 1, version 1.0), some rows at
 * a time. */
#ifndef DIP_DATA_NPY_H
#define DIP_DATA_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dip_npy dip_npy;

/* [rows, width] of `type`, numpy's word for it: "<f4", "<f2". The file appears
 * with the commit. The caller ends *out with dip_npy_close(). */
dip_status dip_npy_open(dip_npy **out, const char *path, const char *type,
                        int64_t rows, int64_t width,
                        dip_err *err) DIP_MUST_CHECK;
dip_status dip_npy_add(dip_npy *npy, const void *values, size_t bytes,
                       dip_err *err) DIP_MUST_CHECK;
dip_status dip_npy_commit(dip_npy *npy, dip_err *err) DIP_MUST_CHECK;
void dip_npy_close(dip_npy *npy); /* NULL allowed */

#endif
