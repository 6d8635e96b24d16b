/* The sections of a config that describe a model: model, lora. */
#ifndef DIP_APPS_SETTINGS_MODEL_H
#define DIP_APPS_SETTINGS_MODEL_H

#include "apps/settings.h"

/* What follows reports to the config's faults. */
void dip_settings_read_image_tower(dip_settings *settings);
void dip_settings_read_text_tower(dip_settings *settings);
void dip_settings_read_lora(dip_settings *settings);
/* Every head reads `input`; DIP_HEAD_INPUT_COUNT: what its section says. */
void dip_settings_read_heads(dip_settings *settings, dip_head_input input);
/* Of retrieval, with the loss, whose fields and tasks are read. */
void dip_settings_read_model(dip_settings *settings);
void dip_settings_check_model(dip_settings *settings);

#endif
