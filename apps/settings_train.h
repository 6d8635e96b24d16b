/* The part of apps/settings.h that reads `train:` and `freeze:`. */
#ifndef DIP_APPS_SETTINGS_TRAIN_H
#define DIP_APPS_SETTINGS_TRAIN_H

#include "apps/settings.h"

/* What trainings of all tasks have. */
void dip_settings_read_loop(dip_settings *settings);
/* What trainings of towers have beside it. */
void dip_settings_read_towers_training(dip_settings *settings);
/* All for retrieval. */
void dip_settings_read_train(dip_settings *settings);

#endif
