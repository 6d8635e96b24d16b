/* Losses. A contrastive loss is one file and one row in the table of loss.c.
 *
 * Losses follow tensor/tensor.h: a result F32 without dimensions in the open
 * scope, failures stick. All compute in F32, also under autocast. */
#ifndef DIP_LOSSES_LOSS_H
#define DIP_LOSSES_LOSS_H

#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

/* How rows with several positives count: name, words. */
#define DIP_POSITIVES_TABLE(X)                                                 \
    X(UNIFORM, "uniform", "target spread evenly over the positives")           \
    X(SUM, "sum", "logarithm of the summed probability of the positives")      \
    X(EXCLUDE, "exclude", "own pair is the target, other positives left out")

typedef enum {
#define DIP_POSITIVES_ENUM(name, string, words) DIP_POSITIVES_##name,
    DIP_POSITIVES_TABLE(DIP_POSITIVES_ENUM)
#undef DIP_POSITIVES_ENUM
        DIP_POSITIVES_COUNT
} dip_positives;

const char *dip_positives_name(dip_positives mode);
/* -1 for an unknown name. */
int dip_positives_find(const char *name);

typedef struct {
    dip_positives positives;
    double label_smoothing; /* [0, 1): share of the target that is spread over
                               all candidates */
} dip_loss_options;

typedef struct {
    const dip_tensor *queries;   /* [B, D], unit rows or lifted ones
                                    (losses/lift.h) */
    const dip_tensor *items;     /* [B, D], likewise; row i belongs to i */
    const dip_tensor *scale;     /* one number, 1 / temperature */
    const dip_tensor *positives; /* BOOL [B, B]: item j is right for query i;
                                    true on the diagonal; NULL = only there */
    const dip_tensor *valid;     /* BOOL [B] or NULL = all: rows that are false
                                    take part neither as anchors nor as
                                    candidates */
    const dip_tensor *weights;   /* F32 [B] or NULL: weight of a row, in both
                                    directions, in the mean over rows */
} dip_loss_input;

typedef dip_tensor *(*dip_loss_fn)(const dip_loss_input *input,
                                   const dip_loss_options *options);

typedef struct {
    const char *name;
    const char *summary;
    dip_loss_fn fn;
} dip_loss_kind;

int dip_loss_kind_count(void);
const dip_loss_kind *dip_loss_kind_at(int i);
const dip_loss_kind *dip_loss_kind_find(const char *name); /* NULL: unknown */

/* Symmetric InfoNCE (CLIP, arXiv 2103.00020, figure 3): the mean of the
 * cross-entropies of queries against items and of items against queries. With
 * several positives, "uniform" is the outer form of supervised contrastive
 * learning (arXiv 2004.11362, equation 2). Zero when no row is valid. */
dip_tensor *dip_loss_infonce(const dip_loss_input *input,
                             const dip_loss_options *options);

/* Cross-entropy of a classification head: logits [B, C], targets int64 [B], -1
 * where the label is missing; the mean over rows that have one, 0 if none. */
dip_tensor *dip_loss_cross_entropy(const dip_tensor *logits,
                                   const dip_tensor *targets,
                                   double label_smoothing);

#endif
