/* The part of apps/settings.h that reads the task `recommendation`. */
#ifndef DIP_APPS_SETTINGS_RECOMMENDATION_H
#define DIP_APPS_SETTINGS_RECOMMENDATION_H

#include "apps/settings.h"

/* Reads `graph:` and `recommendation:`. */
void dip_settings_read_recommendation(dip_settings *settings);

#endif
