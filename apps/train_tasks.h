/* The training of each task; dip_trainer_run() chooses. */
#ifndef DIP_APPS_TRAIN_TASKS_H
#define DIP_APPS_TRAIN_TASKS_H

#include "apps/trainer.h"

/* Of retrieval and of both classifications. */
dip_status dip_train_towers(const dip_settings *settings,
                            const dip_trainer_options *options,
                            dip_err *err) DIP_MUST_CHECK;
dip_status dip_train_recommendation(const dip_settings *settings,
                                    const dip_trainer_options *options,
                                    dip_err *err) DIP_MUST_CHECK;

#endif
