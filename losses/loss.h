/* Losses. A contrastive loss is one file and one row in losses/kinds.h; what
 * they share is in losses/contrast.h.
 *
 * Losses follow tensor/tensor.h: a result F32 without dimensions in the open
 * scope, failures stick. All compute in F32, also under autocast,
 * and give zero where no row is valid. */
#ifndef DIP_LOSSES_LOSS_H
#define DIP_LOSSES_LOSS_H

#include <stdbool.h>
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

/* The choices of the other options, in the order of their config keys. */
typedef enum { DIP_SUPCON_OUT, DIP_SUPCON_IN } dip_supcon_form;
typedef enum { DIP_VIEWS_ALL, DIP_VIEWS_CROSS } dip_views;
typedef enum {
    DIP_MINING_ALL,
    DIP_MINING_HARDEST,
    DIP_MINING_SEMI_HARD
} dip_mining;
typedef enum { DIP_DISTANCE_COSINE, DIP_DISTANCE_SQUARED } dip_distance;

/* From a pair's score (grade) s to its weight, with the rank r = max - s + 1
 * that the best score makes 1: name, string, words. */
#define DIP_SCORE_WEIGHT_TABLE(X)                                              \
    X(CONSTANT, "constant", "1")                                               \
    X(LINEAR, "linear", "s / max")                                             \
    X(INVERSE, "inverse", "1 / r")                                             \
    X(INVERSE_SQRT, "inverse_sqrt", "1 / sqrt(r)")                             \
    X(LOG, "log", "1 / log2(r + 1)")                                           \
    X(PIECEWISE, "piecewise", "weight of the highest step that s reaches")

typedef enum {
#define DIP_SCORE_WEIGHT_ENUM(name, string, words) DIP_SCORE_WEIGHT_##name,
    DIP_SCORE_WEIGHT_TABLE(DIP_SCORE_WEIGHT_ENUM)
#undef DIP_SCORE_WEIGHT_ENUM
        DIP_SCORE_WEIGHT_COUNT
} dip_score_weight;

#define DIP_SCORE_STEPS_MAX 16

typedef struct {
    dip_score_weight kind;
    double max; /* the best score, > 0 */
    /* piecewise: scores, ascending, and the weight from each on; below the
     * first it is 0. */
    double steps[DIP_SCORE_STEPS_MAX], weights[DIP_SCORE_STEPS_MAX];
    int step_count;
} dip_score_options;

/* Each kind reads those that it lists. Start from a kind's defaults. */
typedef struct {
    dip_positives positives;
    double label_smoothing; /* [0, 1): share of the target that is spread over
                               all candidates */
    bool one_way;           /* only queries against items */
    dip_supcon_form form;
    dip_views views;
    dip_mining mining;
    dip_distance distance;
    double margin;
    dip_score_options score;
    double bias; /* start of the model's logit_bias */
} dip_loss_options;

typedef struct {
    const dip_tensor *queries;   /* [B, D], unit rows or lifted ones
                                    (losses/lift.h) */
    const dip_tensor *items;     /* [B, D], likewise; row i belongs to i */
    const dip_tensor *scale;     /* one number, 1 / temperature */
    const dip_tensor *positives; /* BOOL [B, B]: item j is right for query i;
                                    true on the diagonal; NULL = only there */
    /* Instead of positives: I64 [B, K], rows that share a key are right for
     * each other. Only to kinds that read keys, on the CPU and without a past:
     * then no matrix [B, B] is made (losses/blocked.h). */
    const dip_tensor *keys;
    const dip_tensor *valid;   /* BOOL [B] or NULL = all: rows that are false
                                  take part neither as anchors nor as
                                  candidates */
    const dip_tensor *weights; /* F32 [B] or NULL: weight of a row, in both
                                  directions, in the mean over rows */
    const dip_tensor *scores;  /* F32 [B] or NULL: how right a row's own pair
                                  is, say its grade */
    const dip_tensor *bias;    /* one number or NULL = 0: of the logits */
    bool lifted;               /* the rows are lifted ones */
    /* Rows of earlier batches, more wrong answers for either side; both or
     * none. */
    const dip_tensor *past_queries, *past_items; /* [Q, D], without gradient */
    const dip_tensor *past_hidden; /* BOOL [B, Q]: pairs that may be right, or
                                      places that are empty: left out */
} dip_loss_input;

typedef dip_tensor *(*dip_loss_fn)(const dip_loss_input *input,
                                   const dip_loss_options *options);

typedef struct {
    const char *name;
    const char *summary;
    const char *const *options; /* keys that it reads, NULL at the end */
    dip_loss_options defaults;
    bool has_bias;      /* wants the model to have a logit_bias */
    bool reads_keys;    /* has a blocked form */
    double temperature; /* start, where it is not the model's own; else 0 */
    dip_loss_fn fn;
} dip_loss_kind;

int dip_loss_kind_count(void);
const dip_loss_kind *dip_loss_kind_at(int i);
const dip_loss_kind *dip_loss_kind_find(const char *name); /* NULL: unknown */
/* Whether the kind reads the option. */
bool dip_loss_kind_reads(const dip_loss_kind *kind, const char *option);

/* The function of the kind "infonce". */
dip_tensor *dip_loss_infonce(const dip_loss_input *input,
                             const dip_loss_options *options);

/* Cross-entropy of a classification head: logits [B, C], targets int64 [B], -1
 * where the label is missing; the mean over rows that have one (NaN if none), a
 * row counting by the weight of its class. `weights` F32 [C] or NULL. */
dip_tensor *dip_loss_cross_entropy(const dip_tensor *logits,
                                   const dip_tensor *targets,
                                   const dip_tensor *weights,
                                   double label_smoothing);

#endif
