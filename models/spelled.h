/* The weights of a model under the names of another program: the way back from
 * models/initial.h. */
#ifndef DIP_MODELS_SPELLED_H
#define DIP_MODELS_SPELLED_H

#include "base/status.h"
#include "models/origins.h"
#include "tensor/params.h"

typedef struct {
    dip_named_tensor *items; /* owned, their names too; tensors are not. There
                                is room for one more than `count` */
    int count;
    int taken; /* parameters and buffers of the model that are among them */
} dip_spelled;

/* Spells (models/origins.h) all whose names begin with one of the
 * NULL-terminated `covered`. Tensors are in the open scope, as that program
 * shapes them. DIP_EDATA when two get one name, or when dip_origin_read() would
 * take one for another weight. The caller ends *out with dip_spelled_free(). */
dip_status dip_spelled_make(dip_spelled *out, const dip_params *params,
                            const char *const *covered, unsigned spelling,
                            dip_err *err) DIP_MUST_CHECK;
void dip_spelled_free(dip_spelled *spelled);

/* Whether `name` begins with one of `covered`. */
bool dip_spelled_covers(const char *const *covered, const char *name);

#endif
