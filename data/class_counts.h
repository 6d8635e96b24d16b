/* How often the classes of a label come. */
#ifndef DIP_DATA_CLASS_COUNTS_H
#define DIP_DATA_CLASS_COUNTS_H

#include <jansson.h>

#include "base/status.h"
#include "data/catalog.h"

typedef struct {
    int64_t rows, split_rows[DIP_SPLIT_COUNT];
    int32_t value; /* of the label */
} dip_class_count;

typedef struct {
    dip_class_count *items; /* the most frequent first; owned */
    int64_t count;
    int64_t missing; /* rows without the label */
} dip_class_counts;

dip_status dip_class_counts_make(dip_class_counts *out,
                                 const dip_catalog *catalog, int column,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_class_counts_free(dip_class_counts *counts);

/* Weights [classes] that let every class of a split count alike: rows /
 * (present classes x rows of the class), so that their mean over the rows is
 * 1; 0 for a class without rows. The caller frees *out. */
dip_status dip_class_weights_balanced(float **out, const dip_catalog *catalog,
                                      int column, dip_split split,
                                      dip_err *err) DIP_MUST_CHECK;

/* {"name", "classes", "missing", "counts": [{"name", "rows", "train", ...}]},
 * at most `most` of them. NULL when memory is out. */
json_t *dip_class_counts_json(const dip_class_counts *counts,
                              const dip_catalog *catalog, int column,
                              int64_t most);
#endif
