#include "train/recommendation.h"

/* The embeddings of the batch's nodes, [(2 + K) * size, D]. */
static dip_status embed(dip_tensor **out, const dip_recommendation_recipe *r,
                        const dip_triple_batch *batch, int64_t count,
                        dip_err *err)
{
    const int64_t *places = batch->all;
    dip_tensor *nodes;
    if (r->sampler == NULL) {
        nodes = dip_recommender_forward(r->model, NULL, true);
    } else {
        dip_surroundings s;
        uint64_t draw = (uint64_t)batch->epoch << 32 | (uint64_t)batch->batch;
        dip_status st = dip_neighbour_sampler_draw(&s, r->sampler, draw,
                                                   batch->all, count, err);
        if (st != DIP_OK)
            return st;
        const dip_recommender_part part = {s.counts, s.nodes, s.offsets,
                                           s.sources};
        nodes = dip_recommender_forward(r->model, &part, true);
        places = s.places;
    }
    *out = dip_t_index_select(nodes, 0,
                              dip_recommender_index(r->model, places, count));
    if (r->cosine)
        *out = dip_t_normalize(*out, 1);
    return DIP_OK;
}

static dip_tensor *penalty(const dip_recommendation_recipe *r,
                           const dip_triple_batch *batch, int64_t count)
{
    dip_tensor *start = dip_recommender_start(
        r->model, dip_recommender_index(r->model, batch->all, count));
    return dip_t_mul_scalar(dip_t_sum_all(dip_t_mul(start, start)),
                            r->l2 / 2 / (double)batch->size);
}

dip_status dip_recommendation_loss(dip_tensor **loss,
                                   const dip_recommendation_recipe *r,
                                   const dip_triple_batch *batch, dip_err *err)
{
    int64_t size = batch->size;
    int64_t negatives = batch->negative_count, count = (2 + negatives) * size;
    dip_tensor *all;
    *loss = NULL;
    dip_status st = embed(&all, r, batch, count, err);
    if (st != DIP_OK)
        return st;
    dip_tensor *users = dip_t_narrow(all, 0, 0, size);
    dip_tensor *items = dip_t_narrow(all, 0, size, size);
    dip_tensor *others =
        dip_t_unflatten(dip_t_narrow(all, 0, 2 * size, negatives * size), 0, 2,
                        (const int64_t[]){size, negatives});
    double scale = 1 / r->temperature;
    dip_tensor *had = dip_t_sum(dip_t_mul(users, items), 1, false);
    dip_tensor *had_not =
        dip_t_sum(dip_t_mul(others, dip_t_unsqueeze(users, 1)), 2, false);
    *loss = r->loss->loss(dip_t_mul_scalar(had, scale),
                          dip_t_mul_scalar(had_not, scale));
    if (r->l2 > 0)
        *loss = dip_t_add(*loss, penalty(r, batch, count));
    return DIP_OK;
}
