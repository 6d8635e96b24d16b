/* A product from raw inputs to its embedding in one graph: what is exported in
 * place of the fusion alone where that reads the tokens of the towers, which
 * would be large to hand from one graph to another.
 *
 * Inputs, those that the model's fields need, in this order:
 *   images  F32 [B, 3, S, S]   of the photo
 *   ids     I64 [B, F_t, T]    of the F_t fields that are texts, in their order
 *   lengths I64 [B, F_t]
 *   fields  F32 [B, F, D]      embeddings of the fields that are neither; what
 *                              stands at the others is not read
 *   present BOOL [B, F]        a text of length 0 is absent in any case
 *
 * Functions that make tensors follow tensor/tensor.h. */
#ifndef DIP_EXPORT_PRODUCT_H
#define DIP_EXPORT_PRODUCT_H

#include "export/samples.h"
#include "export/signature.h"
#include "models/model.h"

#define DIP_PRODUCT_INPUTS_MAX 5

/* Writes what the product of these samples is made of; returns how many. */
int dip_product_inputs(dip_signature inputs[DIP_PRODUCT_INPUTS_MAX],
                       const dip_samples *samples);

/* All rows of the samples, in the order of dip_product_inputs(). */
void dip_product_rows(dip_tensor **inputs, const dip_samples *samples);

/* Products [B, D] of inputs; texts are cut to the context. */
dip_tensor *dip_product_compute(const dip_samples *samples,
                                const dip_model *model,
                                dip_tensor *const *inputs);

/* Cuts ids [..., T], along dimension `dim`, and their lengths to the context.
 * Slicing, unlike dip_t_narrow(), takes texts that are shorter. */
void dip_text_cut(dip_tensor **texts, dip_tensor *const *given, int64_t dim,
                  int64_t context);

#endif
