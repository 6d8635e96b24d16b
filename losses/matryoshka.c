#include "losses/matryoshka.h"

#include "losses/lift.h"

dip_tensor *dip_matryoshka_rows(const dip_tensor *rows, int64_t dim,
                                dip_similarity similarity)
{
    dip_tensor *part = dip_t_narrow(rows, 1, 0, dim);
    return similarity == DIP_SIMILARITY_COSINE ? dip_t_normalize(part, 1)
                                               : part;
}

static dip_tensor *loss_of(dip_similarity similarity, const dip_loss_kind *kind,
                           const dip_loss_input *input,
                           const dip_loss_options *options)
{
    dip_loss_input in = *input;
    in.lifted = similarity == DIP_SIMILARITY_EUCLIDEAN;
    if (in.lifted) {
        in.queries = dip_lift_queries(in.queries);
        in.items = dip_lift_items(in.items);
    }
    if (in.lifted && in.past_items) {
        in.past_queries = dip_lift_queries(in.past_queries);
        in.past_items = dip_lift_items(in.past_items);
    }
    return kind->fn(&in, options);
}

static const dip_tensor *cut(const dip_tensor *rows, int64_t dim,
                             dip_similarity similarity)
{
    return rows ? dip_matryoshka_rows(rows, dim, similarity) : NULL;
}

dip_tensor *dip_matryoshka_loss(const dip_matryoshka *m,
                                dip_similarity similarity,
                                const dip_loss_kind *kind,
                                const dip_loss_input *input,
                                const dip_loss_options *options)
{
    if (m->count == 0)
        return loss_of(similarity, kind, input, options);
    dip_scope_open();
    dip_tensor *sum = NULL;
    for (int i = 0; i < m->count; i++) {
        dip_loss_input in = *input;
        in.queries = cut(in.queries, m->dims[i], similarity);
        in.items = cut(in.items, m->dims[i], similarity);
        in.past_queries = cut(in.past_queries, m->dims[i], similarity);
        in.past_items = cut(in.past_items, m->dims[i], similarity);
        dip_tensor *part = dip_t_mul_scalar(
            loss_of(similarity, kind, &in, options), m->weights[i]);
        sum = sum ? dip_t_add(sum, part) : part;
    }
    sum = dip_tensor_return(sum);
    dip_scope_close();
    return sum;
}
