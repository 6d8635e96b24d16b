/* Several trained runs that answer as one (docs/ensembles.md). */
#ifndef DIP_APPS_ENSEMBLE_H
#define DIP_APPS_ENSEMBLE_H

#include <jansson.h>
#include <stdbool.h>

#include "apps/evaluate.h"
#include "apps/run_dir.h"
#include "base/status.h"
#include "eval/ensemble.h"

typedef enum { DIP_VOTE_SOFT, DIP_VOTE_HARD, DIP_VOTE_RANK } dip_vote;

/* A run, and what it makes of the split that was embedded last. */
typedef struct {
    dip_trained *run;
    dip_corpus *corpus;
    dip_embed_job job;
    dip_embedded embedded;
} dip_ensemble_member;

typedef struct {
    dip_ensemble_member members[DIP_ENSEMBLE_MAX];
    int count;
} dip_ensemble;

/* Loads the runs with the weights of checkpoints/<which>, each with the catalog
 * `data`; NULL: that of the first one's training. The caller ends *ensemble,
 * which is {0} before, with dip_ensemble_close() in any case. */
dip_status dip_ensemble_open(dip_ensemble *ensemble, const char *const *dirs,
                             int count, const char *which, const char *data,
                             bool quiet, dip_err *err) DIP_MUST_CHECK;
void dip_ensemble_close(dip_ensemble *ensemble);

/* Encodes a split by every member, in place of what was there. */
dip_status dip_ensemble_embed(dip_ensemble *ensemble, dip_split split,
                              dip_err *err) DIP_MUST_CHECK;

/* The number that task `t` or head `h` of the first member has in another one;
 * -1: none. DIP_EDATA when the name means something else there: right answers
 * by other labels, other classes. The same classes may stand in another order.
 */
dip_status dip_ensemble_task(int *out, const dip_ensemble *ensemble, int member,
                             int t, dip_err *err) DIP_MUST_CHECK;
dip_status dip_ensemble_head(int *out, const dip_ensemble *ensemble, int member,
                             int h, dip_err *err) DIP_MUST_CHECK;
/* The number that each class of the first member's head `h` has in another one
 * that has it, [classes]; NULL: the same. The caller frees *out. */
dip_status dip_ensemble_class_order(int64_t **out, const dip_ensemble *ensemble,
                                    int member, int h,
                                    dip_err *err) DIP_MUST_CHECK;

/* ---- evaluation ---- */

typedef enum {
    DIP_WEIGHTS_EQUAL,
    DIP_WEIGHTS_TUNED, /* on the validation split */
    DIP_WEIGHTS_GIVEN
} dip_ensemble_weighing;

typedef struct {
    dip_vote vote;
    dip_ensemble_norm norm; /* of soft votes on rankings */
    int64_t depth;          /* of rank votes */
    dip_ensemble_weighing weighing;
    double weights[DIP_ENSEMBLE_MAX]; /* that are given */
    dip_split split;
} dip_ensemble_options;

/* Evaluates the tasks and heads that all members have and the vote can decide:
 * soft both, hard heads, rank tasks. *out gets the "protocol", "retrieval" and
 * "classification" of a report, *weights the weights of each by its name;
 * `outcomes` the outcomes of queries. DIP_EDATA when there is nothing to
 * decide. The caller ends both with json_decref() in any case. */
dip_status dip_ensemble_evaluate(json_t **out, json_t **weights,
                                 dip_outcome_set *outcomes,
                                 dip_ensemble *ensemble,
                                 const dip_ensemble_options *options,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
