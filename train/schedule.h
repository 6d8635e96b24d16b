/* The learning rate of each step: linear warm-up, then one of the shapes. */
#ifndef DIP_TRAIN_SCHEDULE_H
#define DIP_TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* The names stand in configs. */
#define DIP_SCHEDULE_TABLE(X)                                                  \
    X(COSINE, "cosine")     /* half a cosine down to min_ratio */              \
    X(LINEAR, "linear")     /* straight down to min_ratio */                   \
    X(CONSTANT, "constant") /* stays */

typedef enum {
#define DIP_SCHEDULE_ENUM(name, word) DIP_SCHEDULE_##name,
    DIP_SCHEDULE_TABLE(DIP_SCHEDULE_ENUM)
#undef DIP_SCHEDULE_ENUM
        DIP_SCHEDULE_COUNT
} dip_schedule_kind;

typedef struct {
    dip_schedule_kind kind;
    double lr;            /* the peak */
    double min_ratio;     /* of the peak, at the last step */
    int64_t warmup_steps; /* step 1 runs at lr / warmup_steps */
    int64_t total_steps;
    /* Updates after which the shape, warm-up included, begins anew; 0: it does
     * not. The optimizer's state and the averages of weights begin with it. */
    int64_t restart;
} dip_schedule;

/* False when `name` is none of the table. */
bool dip_schedule_parse(dip_schedule_kind *out, const char *name);
/* Update `step`, counted from 1, as the part of the run counts that it is of.
 */
int64_t dip_schedule_own_step(const dip_schedule *schedule, int64_t step);
/* The rate of update `step`, counted from 1. */
double dip_schedule_lr(const dip_schedule *schedule, int64_t step);

#endif
