#include "train/ema.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

struct dip_ema {
    dip_ema_options options;
    dip_params *params;   /* borrowed */
    dip_params *averages; /* beside `params`, in their order */
    /* Room for the lists of one update: the trained ones. */
    dip_tensor **to, **from;
};

double dip_ema_decay(const dip_ema_options *options, int64_t step)
{
    if (step <= 1)
        return 0;
    double decay = options->decay;
    return options->warmup ? fmin(decay, 1 - pow((double)step, -2.0 / 3))
                           : decay;
}

static dip_status copy_params(dip_ema *ema, dip_err *err)
{
    dip_scope_open();
    for (int i = 0; i < dip_params_count(ema->params); i++)
        (void)dip_params_add(
            ema->averages, dip_params_name(ema->params, i), DIP_PARAM_BUFFER,
            dip_t_clone(dip_t_detach(dip_params_tensor(ema->params, i))));
    dip_scope_close();
    return dip_tensor_status(err);
}

dip_status dip_ema_create(dip_ema **out, dip_params *params,
                          const dip_ema_options *options, dip_err *err)
{
    size_t count = (size_t)dip_params_count(params);
    *out = NULL;
    dip_ema *ema = dip_calloc(1, sizeof *ema);
    if (ema == NULL)
        return dip_no_memory(err);
    ema->options = *options;
    ema->params = params;
    ema->to = dip_calloc(count, sizeof(dip_tensor *));
    ema->from = dip_calloc(count, sizeof(dip_tensor *));
    dip_status st = ema->to != NULL && ema->from != NULL
                        ? dip_params_create(&ema->averages, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = copy_params(ema, err);
    if (st != DIP_OK) {
        dip_ema_free(ema);
        return st;
    }
    *out = ema;
    return DIP_OK;
}

void dip_ema_free(dip_ema *ema)
{
    if (ema == NULL)
        return;
    dip_params_free(ema->averages);
    free(ema->to);
    free(ema->from);
    free(ema);
}

dip_status dip_ema_update(dip_ema *ema, int64_t step, dip_err *err)
{
    int trained = 0;
    dip_scope_open();
    for (int i = 0; i < dip_params_count(ema->params); i++) {
        dip_tensor *average = dip_params_tensor(ema->averages, i);
        dip_tensor *weight = dip_params_tensor(ema->params, i);
        if (dip_params_kind(ema->params, i) == DIP_PARAM_BUFFER) {
            dip_tensor_assign(average, weight);
            continue;
        }
        ema->to[trained] = average;
        ema->from[trained++] = weight;
    }
    dip_tensor_lerp(ema->to, ema->from, trained,
                    dip_ema_decay(&ema->options, step));
    dip_scope_close();
    return dip_tensor_status(err);
}

dip_status dip_ema_swap(dip_ema *ema, dip_err *err)
{
    dip_scope_open();
    for (int i = 0; i < dip_params_count(ema->params); i++) {
        dip_tensor *average = dip_params_tensor(ema->averages, i);
        dip_tensor *weight = dip_params_tensor(ema->params, i);
        dip_tensor *held = dip_t_detach(weight);
        dip_tensor_rebind(weight, average);
        dip_tensor_rebind(average, held);
    }
    dip_scope_close();
    return dip_tensor_status(err);
}

dip_params *dip_ema_params(const dip_ema *ema)
{
    return ema->averages;
}
