#include "models/masked.h"

dip_masked_head dip_make_masked_head(const dip_maker *maker, int64_t features,
                                     int64_t vocabulary)
{
    return (dip_masked_head){
        .hidden = dip_make_linear(maker, "hidden", features, features, true),
        .norm = dip_make_layer_norm(maker, "norm", features),
        .out = dip_make_linear(maker, "out", features, vocabulary, true),
    };
}

dip_tensor *dip_masked_head_forward(const dip_masked_head *head,
                                    const dip_tensor *tokens)
{
    dip_scope_open();
    dip_tensor *x = dip_t_gelu(dip_linear_forward(&head->hidden, tokens));
    x = dip_linear_forward(&head->out, dip_layer_norm_forward(&head->norm, x));
    x = dip_tensor_return(dip_t_to_dtype(x, DIP_F32));
    dip_scope_close();
    return x;
}
