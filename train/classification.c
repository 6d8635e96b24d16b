#include "train/classification.h"

#include "train/retrieval.h"

static dip_tensor *head_loss(const dip_classification *r, int h,
                             const dip_encoded_batch *encoded,
                             const dip_batch *batch, const dip_mix *mix)
{
    dip_tensor *input =
        dip_retrieval_head_input(r->model, h, encoded, NULL, true);
    return dip_head_loss(r->model, h, input, batch, &r->head_targets[h], mix,
                         r->device);
}

dip_status dip_classification_loss(dip_tensor **loss,
                                   const dip_classification *r,
                                   const dip_batch *batch, dip_err *err)
{
    dip_mix mix =
        dip_mixing_draw(&r->mixing, batch->epoch, batch->index, r->image_size);
    dip_encode_options options = {.image = r->text_count == 0,
                                  .texts = {r->text_count > 0},
                                  .features = r->features,
                                  .image_size = r->image_size,
                                  .device = r->device,
                                  .channels_last = r->channels_last,
                                  .training = true,
                                  .mix = mix.share < 1 ? &mix : NULL};
    dip_encoded_batch encoded =
        dip_encode_batch(r->model, batch, r->text_count, &options);
    *loss = NULL;
    for (int h = 0; h < dip_model_head_count(r->model); h++) {
        if (!(r->head_weights[h] > 0))
            continue;
        dip_tensor *part = head_loss(r, h, &encoded, batch, &mix);
        r->terms[h] += dip_tensor_item(part);
        part = dip_t_mul_scalar(part, r->head_weights[h]);
        *loss = *loss == NULL ? part : dip_t_add(*loss, part);
    }
    return dip_tensor_status(err);
}
