/* What the embeddings of a split tell of labels, learnt from the train split:
 * by the nearest neighbours, and by a linear classifier. */
#ifndef DIP_APPS_EVALUATE_PROBES_H
#define DIP_APPS_EVALUATE_PROBES_H

#include <jansson.h>

#include "apps/evaluate.h"

/* Adds "knn" and "linear_probe", an object for each label that the settings
 * name and the catalog has: as dip_evaluate_head() makes it, and how it was
 * learnt, or {"skipped": reason}. Encodes the train split, and for linear
 * classifiers the val split, where one is asked for. */
dip_status dip_evaluate_probes(json_t *report, const dip_evaluation *evaluation,
                               const dip_embedded *embedded,
                               dip_err *err) DIP_MUST_CHECK;

#endif
