/* What `diptych inspect` tells: gathered as JSON, so that it can be shown as it
 * is or as text. */
#ifndef DIP_DATA_INSPECT_H
#define DIP_DATA_INSPECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    int64_t sample_rows;
    bool verify; /* digests, cache or not */
    void (*warn)(void *user, const char *message);
    void *user;
} dip_inspection;

/* Facts about the catalog at `path`, {"schema": "diptych-inspect/1", ...}. The
 * caller ends *out with json_decref(); NULL on failure. */
dip_status dip_inspect(json_t **out, const char *path,
                       const dip_inspection *inspection,
                       dip_err *err) DIP_MUST_CHECK;

#endif
