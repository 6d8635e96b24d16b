#include "apps/trainer.h"

#include "apps/train_tasks.h"

dip_status dip_trainer_run(const dip_settings *settings,
                           const dip_trainer_options *options, dip_err *err)
{
    switch (settings->task) {
    case DIP_TASK_RETRIEVAL:
    case DIP_TASK_IMAGE_CLASSIFICATION:
    case DIP_TASK_TEXT_CLASSIFICATION:
        return dip_train_towers(settings, options, err);
    case DIP_TASK_RECOMMENDATION:
        return dip_train_recommendation(settings, options, err);
    }
    return dip_fail(err, DIP_FAIL, "no such task");
}
