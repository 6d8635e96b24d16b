/* Graded judgements of which products go with which, from the interactions of a
 * catalog: the query is a text of the first product, the row is the second.
 *
 *   affinity  of the numbers of users that had the one, the other, and both
 *             (data/affinity.h), times c / (c + shrink), so that little says
 *             little (Bell and Koren, ICDM 2007)
 *   grade     of the affinities of a product's nearest (data/grading.h)
 *
 * Splits. A judgement is of the split that both its products are of: pairs
 * across splits make none, and a row's text is a query of no other split. Of an
 * interaction counts what its row's split and its own allow: one of a later
 * split than the row (train, val, test) does not, so that nothing of the test
 * reaches the training. Each interaction thus counts for one split at most. */
#ifndef DIP_DATA_COPURCHASE_H
#define DIP_DATA_COPURCHASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/affinity.h"
#include "data/grading.h"
#include "data/import_report.h"

typedef struct {
    const char *into;  /* the catalog */
    const char *query; /* template of a query's text (data/row_text.h) */
    dip_affinity affinity;
    double shrink;      /* 0 or more */
    int64_t neighbours; /* of a product at most, the nearest; 1 or more */
    int64_t least;      /* users that had both, at least; 1 or more */
    int64_t history;    /* of a user the last so many products; 1 or more */
    /* Interactions count only where their own split is that of the row. */
    bool same_split;
    /* Absolute grades are parts of an affinity of 1: `full` is not read. */
    dip_grading grading;
    double own; /* grade of a product for its own text; 0: not judged */
    dip_import_progress progress;
} dip_copurchase_options;

typedef struct {
    int64_t interactions, counted; /* of the catalog; that may count */
    int64_t cut_histories;         /* of a user in a split, that are too long */
    int64_t textless;              /* products with neighbours and no text */
} dip_copurchase_report;

/* Replaces the catalog's judgements; `report` counts them. A product without
 * neighbours is no query; one text that several products have is one query, and
 * has the best of their grades. The time that it takes grows with the
 * interactions times `history`, memory with interactions, rows and judgements.
 * DIP_EDATA without interactions, or when no pair is left. */
dip_status dip_import_copurchases(dip_import_report *report,
                                  dip_copurchase_report *details,
                                  const dip_copurchase_options *options,
                                  dip_err *err) DIP_MUST_CHECK;

#endif
