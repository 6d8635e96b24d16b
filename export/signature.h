/* What an artefact takes or gives. */
#ifndef DIP_EXPORT_SIGNATURE_H
#define DIP_EXPORT_SIGNATURE_H

#include <jansson.h>

#include "tensor/tensor.h"

#define DIP_SIGNATURE_RANK_MAX 5
/* A size that is not fixed; `axes` has the name of the dimension. */
#define DIP_VARIES (-1)

typedef struct {
    const char *name;
    dip_dtype dtype;
    int rank;
    int64_t sizes[DIP_SIGNATURE_RANK_MAX];
    const char *axes[DIP_SIGNATURE_RANK_MAX];
} dip_signature;

/* {"name", "dtype", "shape"}; NULL when memory is out. The caller ends it with
 * json_decref(). */
json_t *dip_signature_json(const dip_signature *signature);

#endif
