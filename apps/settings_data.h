/* The sections of a config that say what is read: data, augment, tokenizer. */
#ifndef DIP_APPS_SETTINGS_DATA_H
#define DIP_APPS_SETTINGS_DATA_H

#include "apps/settings.h"

/* What follows reports to the config's faults. */
void dip_settings_read_catalog(dip_settings *settings);
void dip_settings_read_photos(dip_settings *settings);
void dip_settings_read_tokenizer(dip_settings *settings);

#endif
