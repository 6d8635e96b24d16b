#include "train/schedule.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

bool dip_schedule_parse(dip_schedule_kind *out, const char *name)
{
    static const char *const names[] = {
#define DIP_SCHEDULE_NAME(kind, word) word,
        DIP_SCHEDULE_TABLE(DIP_SCHEDULE_NAME)
#undef DIP_SCHEDULE_NAME
    };
    for (size_t i = 0; i < DIP_SCHEDULE_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (dip_schedule_kind)i;
            return true;
        }
    }
    return false;
}

/* Share of the way from peak to end that is still ahead, 1 down to 0. */
static double shape(dip_schedule_kind kind, double progress)
{
    const double pi = 3.14159265358979323846;
    switch (kind) {
    case DIP_SCHEDULE_COSINE:
        return .5 * (1 + cos(pi * progress));
    case DIP_SCHEDULE_LINEAR:
        return 1 - progress;
    case DIP_SCHEDULE_CONSTANT:
    case DIP_SCHEDULE_COUNT:
        break;
    }
    return 1;
}

int64_t dip_schedule_own_step(const dip_schedule *schedule, int64_t step)
{
    return step > schedule->restart ? step - schedule->restart : step;
}

double dip_schedule_lr(const dip_schedule *schedule, int64_t step)
{
    int64_t end = step > schedule->restart
                      ? schedule->total_steps - schedule->restart
                      : schedule->restart;
    step = dip_schedule_own_step(schedule, step);
    if (step <= schedule->warmup_steps)
        return schedule->lr * (double)step / (double)schedule->warmup_steps;
    int64_t span = end - schedule->warmup_steps;
    if (span < 1)
        span = 1;
    double progress = (double)(step - schedule->warmup_steps) / (double)span;
    if (progress > 1)
        progress = 1;
    double ratio = schedule->min_ratio +
                   (1 - schedule->min_ratio) * shape(schedule->kind, progress);
    return schedule->lr * ratio;
}
