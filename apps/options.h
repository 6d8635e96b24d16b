/* The one table of what a config may say. docs/config.md is made from it. */
#ifndef DIP_APPS_OPTIONS_H
#define DIP_APPS_OPTIONS_H

#include <stddef.h>

#include "base/config.h"

/* What is learnt, in the order of the choices of `task`. */
typedef enum {
    DIP_TASK_RETRIEVAL,
    DIP_TASK_RECOMMENDATION,
    DIP_TASK_IMAGE_CLASSIFICATION,
    DIP_TASK_TEXT_CLASSIFICATION
} dip_task_kind;

/* Static; *count gets the number of rows. */
const dip_option *dip_options_table(size_t *count);

/* The rows that a config of the task may set. The caller frees it; NULL when
 * memory is out. */
dip_option *dip_options_of_task(size_t *count, dip_task_kind task);

#endif
