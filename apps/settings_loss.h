/* The part of apps/settings.h that reads losses. */
#ifndef DIP_APPS_SETTINGS_LOSS_H
#define DIP_APPS_SETTINGS_LOSS_H

#include "apps/settings.h"

/* Reads `loss:`, and what it asks of the model; after the rest of the model's
 * options. */
void dip_settings_read_loss(dip_settings *settings);
/* Reads the loss of head `head`, whose name is known. */
void dip_settings_read_head(dip_settings *settings, int head);

#endif
