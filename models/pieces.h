/* Tensors under names of any origin, out of which those of other names are put
 * together: the same weights stand whole in one program and in thirds in
 * another (models/origins.h). */
#ifndef DIP_MODELS_PIECES_H
#define DIP_MODELS_PIECES_H

#include "models/origins.h"
#include "tensor/tensor.h"

typedef struct {
    dip_origin_name origin;
    int tensor;  /* of what is behind `get` */
    bool wanted; /* something was made of it */
} dip_piece;

typedef struct {
    dip_piece *items;
    int count;
    dip_tensor *(*get)(void *user, int tensor); /* into the open scope */
    void *user;
} dip_pieces;

/* The tensor that `want` names, in the open scope; NULL when not all of it is
 * there. Failures stick. */
dip_tensor *dip_pieces_assemble(dip_pieces *pieces,
                                const dip_origin_name *want);

#endif
