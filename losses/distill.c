#include "losses/distill.h"

#include "losses/contrast.h"
#include "losses/lift.h"

typedef struct {
    dip_tensor *queries, *items, *teacher_queries, *teacher_items;
} pairs;

/* F32 rows where `at` (NULL = all) says. */
static dip_tensor *take(const dip_tensor *rows, const dip_tensor *at)
{
    dip_tensor *all = dip_t_to_dtype(rows, DIP_F32);
    return at ? dip_t_index_select(all, 0, at) : all;
}

/* Mean over rows of the cross-entropy between two softmaxes along `dim`. */
static dip_tensor *divergence(const dip_tensor *teacher,
                              const dip_tensor *student, int dim)
{
    dip_tensor *terms =
        dip_t_mul(dip_t_softmax(teacher, dim), dip_t_log_softmax(student, dim));
    return dip_t_neg(dip_t_mean_all(dip_t_sum(terms, dim, false)));
}

static dip_tensor *by_similarities(const pairs *p, const dip_distill_input *in)
{
    const dip_tensor *queries = p->queries, *items = p->items;
    if (in->similarity == DIP_SIMILARITY_EUCLIDEAN) {
        queries = dip_lift_queries(queries);
        items = dip_lift_items(items);
    }
    dip_tensor *student =
        dip_t_mul(dip_t_matmul(queries, dip_t_transpose(items, 0, 1)),
                  dip_t_to_dtype(in->scale, DIP_F32));
    dip_tensor *teacher =
        dip_t_mul_scalar(dip_t_matmul(p->teacher_queries,
                                      dip_t_transpose(p->teacher_items, 0, 1)),
                         1.0 / in->temperature);
    return dip_t_mul_scalar(dip_t_add(divergence(teacher, student, 1),
                                      divergence(teacher, student, 0)),
                            0.5);
}

static dip_tensor *by_rows(const dip_tensor *student, const dip_tensor *teacher,
                           dip_distill_kind kind)
{
    if (kind == DIP_DISTILL_MSE)
        return dip_t_mean_all(
            dip_t_pow_scalar(dip_t_sub(student, teacher), 2.0));
    dip_tensor *cosine = dip_t_sum(
        dip_t_mul(dip_t_normalize(student, 1), dip_t_normalize(teacher, 1)), 1,
        false);
    return dip_t_add_scalar(dip_t_neg(dip_t_mean_all(cosine)), 1.0);
}

static dip_tensor *loss_of(const dip_distill_input *in, dip_distill_kind kind)
{
    dip_tensor *at =
        in->valid ? dip_t_flatten(dip_places(in->valid), 0, 1) : NULL;
    pairs p = {take(in->queries, at), take(in->items, at),
               take(in->teacher_queries, at), take(in->teacher_items, at)};
    if (dip_tensor_size(p.queries, 0) == 0)
        return dip_t_sum_all(p.queries); /* zero, and still differentiable */
    if (kind == DIP_DISTILL_KL)
        return by_similarities(&p, in);
    return dip_t_mul_scalar(
        dip_t_add(by_rows(p.queries, p.teacher_queries, kind),
                  by_rows(p.items, p.teacher_items, kind)),
        0.5);
}

dip_tensor *dip_loss_distill(const dip_distill_input *input,
                             dip_distill_kind kind)
{
    dip_scope_open();
    dip_device device = dip_tensor_device(input->queries);
    bool autocast = dip_tensor_set_autocast(device, false);
    dip_tensor *loss = dip_tensor_return(loss_of(input, kind));
    dip_tensor_set_autocast(device, autocast);
    dip_scope_close();
    return loss;
}
