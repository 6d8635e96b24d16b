/* Parts of apps/settings.c: which columns stand behind the fields of a product
 * and behind a query. */
#ifndef DIP_APPS_SETTINGS_FIELDS_H
#define DIP_APPS_SETTINGS_FIELDS_H

#include <stdbool.h>

#include "apps/settings.h"

/* The product field of this name, or -1. */
int dip_settings_find_field(const dip_settings *settings, const char *name);
/* The source of a field's text; added when it is new. -1, and a fault of `key`,
 * when there is no room. */
int dip_settings_field_source(dip_settings *settings, const char *name,
                              const char *key);
/* Whether the config makes the field an attribute: of a label or a number. */
bool dip_settings_is_attribute(const dip_settings *settings, const char *field);
/* Reads the options of the attribute `name` as those of product field `field`;
 * faults go to the config. */
void dip_settings_read_attribute(dip_settings *settings, int field,
                                 const char *name);
/* Finds the product fields of the task that hold a column of `query`, a field
 * of its query: faults, or, where the task says `allow_leak`, the name of the
 * first in task->leak. */
void dip_settings_check_leaks(dip_settings *settings, dip_task_settings *task,
                              const char *query);

#endif
