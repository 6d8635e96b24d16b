/* The part of apps/settings.h that reads how to evaluate. */
#ifndef DIP_APPS_SETTINGS_EVAL_H
#define DIP_APPS_SETTINGS_EVAL_H

#include "apps/settings.h"

/* Reads `eval:`; after tasks and model. */
void dip_settings_read_eval(dip_settings *settings);
/* The same for classifications, which rank nothing. */
void dip_settings_read_class_eval(dip_settings *settings);

/* What of it rankings of any system have; a fault is `config`'s. */
void dip_settings_read_ranking(dip_ranking_options *out, dip_config *config);

#endif
