/* Weights that a run starts from: the config's section `init`. */
#ifndef DIP_APPS_INITIAL_H
#define DIP_APPS_INITIAL_H

#include <jansson.h>

#include "apps/settings.h"
#include "base/status.h"
#include "models/model.h"

/* Sets the weights that settings->init names, the whole model's first. A path
 * may also be a run directory, whose best weights are taken. What was matched,
 * is missing and unexpected becomes *report (NULL allowed), an object for
 * run.json, which the caller ends with json_decref(); NULL without `init`. */
dip_status dip_initial_apply(json_t **report, const dip_settings *settings,
                             dip_model *model, dip_err *err) DIP_MUST_CHECK;

/* The report as a table on stderr; NULL prints nothing. */
void dip_initial_print(const json_t *report);

#endif
