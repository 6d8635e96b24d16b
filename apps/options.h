/* The one table of what a config may say. docs/config.md is made from it. */
#ifndef DIP_APPS_OPTIONS_H
#define DIP_APPS_OPTIONS_H

#include <stddef.h>

#include "base/config.h"

/* Static; *count gets the number of rows. */
const dip_option *dip_options_table(size_t *count);

#endif
