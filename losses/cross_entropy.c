#include "losses/loss.h"

dip_tensor *dip_loss_cross_entropy(const dip_tensor *logits,
                                   const dip_tensor *targets,
                                   const dip_tensor *weights,
                                   double label_smoothing)
{
    dip_scope_open();
    dip_tensor *loss = dip_tensor_return(
        dip_t_cross_entropy(dip_t_to_dtype(logits, DIP_F32), targets, weights,
                            -1, label_smoothing));
    dip_scope_close();
    return loss;
}
