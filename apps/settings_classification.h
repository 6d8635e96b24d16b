/* The part of apps/settings.h that reads a config of the tasks
 * image_classification and text_classification. */
#ifndef DIP_APPS_SETTINGS_CLASSIFICATION_H
#define DIP_APPS_SETTINGS_CLASSIFICATION_H

#include "apps/settings.h"

void dip_settings_read_classification(dip_settings *settings);

#endif
