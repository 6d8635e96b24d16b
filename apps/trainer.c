#include "apps/trainer.h"

#include "apps/train_tasks.h"

dip_status dip_trainer_run(const dip_settings *settings,
                           const dip_trainer_options *options, dip_err *err)
{
    switch (settings->task) {
    case DIP_TASK_RETRIEVAL:
        return dip_train_retrieval(settings, options, err);
    case DIP_TASK_RECOMMENDATION:
        return dip_train_recommendation(settings, options, err);
    }
    return dip_fail(err, DIP_FAIL, "no such task");
}
