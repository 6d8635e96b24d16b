/* The whole model in one graph: how well each query fits each product.
 *
 * Inputs: ids I64 [Q, T] and lengths I64 [Q] of queries, then the inputs of
 * export/product.h of B products; the scores [Q, B] are similarities divided by
 * the temperature, plus the bias of a model that has one. */
#ifndef DIP_EXPORT_SCORER_H
#define DIP_EXPORT_SCORER_H

#include "export/product.h"

#define DIP_SCORER_INPUTS_MAX (2 + DIP_PRODUCT_INPUTS_MAX)

/* Writes what the scorer takes, in order; returns how many. */
int dip_scorer_inputs(dip_signature inputs[DIP_SCORER_INPUTS_MAX],
                      const dip_samples *samples);

/* Scores [Q, B]; texts are cut to the context. Follows tensor/tensor.h. */
dip_tensor *dip_scorer_compute(const dip_samples *samples,
                               const dip_model *model,
                               dip_tensor *const *inputs);

#endif
