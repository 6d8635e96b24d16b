/* One loss at several lengths of the embeddings (Matryoshka representation
 * learning, arXiv 2205.13147): the first numbers of an embedding are trained to
 * be an embedding of their own. */
#ifndef DIP_LOSSES_MATRYOSHKA_H
#define DIP_LOSSES_MATRYOSHKA_H

#include "base/similarity.h"
#include "losses/loss.h"

#define DIP_MATRYOSHKA_MAX 16

typedef struct {
    int64_t dims[DIP_MATRYOSHKA_MAX]; /* each 1 to D */
    double weights[DIP_MATRYOSHKA_MAX];
    int count; /* 0: the loss of the whole rows */
} dip_matryoshka;

/* The first `dim` numbers of rows [B, D], unit rows again where the similarity
 * is the cosine. */
dip_tensor *dip_matryoshka_rows(const dip_tensor *rows, int64_t dim,
                                dip_similarity similarity);

/* The weighted sum of the loss at all lengths. Rows of `input` are plain ones:
 * they are lifted here (losses/lift.h) where the similarity asks for it. */
dip_tensor *dip_matryoshka_loss(const dip_matryoshka *matryoshka,
                                dip_similarity similarity,
                                const dip_loss_kind *kind,
                                const dip_loss_input *input,
                                const dip_loss_options *options);

#endif
