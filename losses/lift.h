/* Distances as dot products:
 *
 *   -|q - p|^2 = [2 q, -|q|^2, 1] . [p, 1, -|p|^2]
 *
 * so that every loss over dot products of queries and items is, on lifted rows,
 * the same loss over minus the squared distances, gradients included. */
#ifndef DIP_LOSSES_LIFT_H
#define DIP_LOSSES_LIFT_H

#include "tensor/tensor.h"

/* F32 [B, D] to [B, D + 2]; follow tensor/tensor.h. */
dip_tensor *dip_lift_queries(const dip_tensor *rows);
dip_tensor *dip_lift_items(const dip_tensor *rows);

#endif
