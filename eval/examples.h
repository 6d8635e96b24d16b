/* Which queries of a task to show: those that went most wrong, those that were
 * most nearly right, and some at random. */
#ifndef DIP_EVAL_EXAMPLES_H
#define DIP_EVAL_EXAMPLES_H

#include <stdint.h>

#include "base/status.h"
#include "eval/outcomes.h"
#include "eval/relevance.h"
#include "eval/scores.h"

#define DIP_EXAMPLES_MOST 50

/* A wrong row came first in the two first kinds. */
typedef enum {
    DIP_EXAMPLES_WORST,    /* first right row deepest in the ranking */
    DIP_EXAMPLES_CONFUSED, /* first row furthest above the best right one */
    DIP_EXAMPLES_RANDOM,
    DIP_EXAMPLES_KINDS
} dip_example_kind;

typedef struct {
    int64_t outcome; /* place in the outcomes */
    int64_t wanted;  /* gallery row: of the right ones the best; -1: none */
    double score;    /* its */
} dip_example;

typedef struct {
    dip_example items[DIP_EXAMPLES_KINDS][DIP_EXAMPLES_MOST];
    int64_t counts[DIP_EXAMPLES_KINDS];
} dip_examples;

/* All borrowed. */
typedef struct {
    const dip_outcomes *outcomes;
    const int64_t *query; /* [outcomes->count] row in `queries` */
    dip_embeddings queries, gallery;
    const dip_relevance *relevance;
} dip_examples_source;

/* Chooses up to `most` (at most DIP_EXAMPLES_MOST) of each kind. Of queries of
 * one group one is shown at most, and none in two lists. Of more than a few
 * thousand failures the confusions are chosen among as many, evenly spaced. A
 * function of the arguments alone. */
dip_status dip_examples_choose(dip_examples *out,
                               const dip_examples_source *source, int64_t most,
                               uint64_t seed, dip_err *err) DIP_MUST_CHECK;

#endif
