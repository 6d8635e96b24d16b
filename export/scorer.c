#include "export/scorer.h"

int dip_scorer_inputs(dip_signature inputs[DIP_SCORER_INPUTS_MAX],
                      const dip_samples *samples)
{
    const int64_t any = DIP_VARIES;
    inputs[0] = (dip_signature){
        "query_ids", DIP_I64, 2, {any, any}, {"queries", "query_tokens"}};
    inputs[1] =
        (dip_signature){"query_lengths", DIP_I64, 1, {any}, {"queries"}};
    return 2 + dip_product_inputs(inputs + 2, samples);
}

/* -|q - p|^2 = 2 q p' - |q|^2 - |p|^2 */
static dip_tensor *minus_distances(dip_tensor *products,
                                   const dip_tensor *queries,
                                   const dip_tensor *rows)
{
    dip_tensor *q = dip_t_sum(dip_t_mul(queries, queries), 1, true);
    dip_tensor *p = dip_t_sum(dip_t_mul(rows, rows), 1, false);
    dip_tensor *twice = dip_t_mul_scalar(products, 2.0);
    return dip_t_sub(dip_t_sub(twice, q), p);
}

dip_tensor *dip_scorer_compute(const dip_samples *samples,
                               const dip_model *model,
                               dip_tensor *const *inputs)
{
    dip_tensor *texts[2];
    dip_text_cut(texts, inputs, 1, samples->context);
    dip_tensor *queries =
        dip_model_encode_text(model, texts[0], texts[1], false).embedding;
    dip_tensor *rows = dip_product_compute(samples, model, inputs + 2);
    dip_tensor *scores = dip_t_matmul(queries, dip_t_transpose(rows, 0, 1));
    dip_tensor *bias = dip_model_bias(model);
    if (dip_model_similarity(model) == DIP_SIMILARITY_EUCLIDEAN)
        scores = minus_distances(scores, queries, rows);
    scores = dip_t_mul(scores, dip_model_scale(model));
    return bias != NULL ? dip_t_add(scores, bias) : scores;
}
