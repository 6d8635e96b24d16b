/* An exponential moving average of the weights, as ModelEmaV3 of timm and
 * AveragedModel of torch.optim.swa_utils keep it: after each update
 *
 *   average = decay * average + (1 - decay) * weight
 *
 * for all trained parameters. Buffers (the running statistics of batch norm)
 * are averages already: they are copied. The first update copies the weights,
 * so that random initial values never count. */
#ifndef DIP_TRAIN_EMA_H
#define DIP_TRAIN_EMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/params.h"

typedef struct {
    double decay; /* [0, 1); 0: no average is kept */
    /* The decay climbs to its value as 1 - n^(-2/3), n being the number of the
     * update: an average over a growing part of a short run. */
    bool warmup;
} dip_ema_options;

typedef struct dip_ema dip_ema;

/* What update `step`, counted from 1, keeps of the average: 0 to decay. */
double dip_ema_decay(const dip_ema_options *options, int64_t step);

/* Averages of `params`, which must outlive it; they begin as the weights are.
 * Call after the parameters have their device and layout. The caller ends *out
 * with dip_ema_free(). */
dip_status dip_ema_create(dip_ema **out, dip_params *params,
                          const dip_ema_options *options,
                          dip_err *err) DIP_MUST_CHECK;
void dip_ema_free(dip_ema *ema); /* NULL allowed */

/* Takes in the weights after update `step`, counted from 1. */
dip_status dip_ema_update(dip_ema *ema, int64_t step,
                          dip_err *err) DIP_MUST_CHECK;

/* Lets the model's parameters hold the averages, and the averages the weights;
 * a second call undoes it. No copies are made. Gradients are dropped. */
dip_status dip_ema_swap(dip_ema *ema, dip_err *err) DIP_MUST_CHECK;

/* The averages under the names of their parameters, to be saved and loaded;
 * borrowed. All of them are of kind DIP_PARAM_BUFFER. */
dip_params *dip_ema_params(const dip_ema *ema);

#endif
