/* The classes of a label by name, and the label of each embedded row. */
#ifndef DIP_APPS_CLASS_SET_H
#define DIP_APPS_CLASS_SET_H

#include <jansson.h>
#include <stdint.h>

#include "apps/corpus.h"
#include "apps/embed.h"
#include "base/status.h"

/* Those that are known to what classifies and, behind them, names that stand in
 * the data only. */
typedef struct {
    const char **names;
    int64_t known, count;
    int32_t *labels; /* [N] of the split; -1: missing */
    int64_t unknown; /* rows of a class that is not known */
    char file[80];   /* of the predictions, without its suffix */
    char *storage;   /* of the names that are copies */
} dip_class_set;

/* `known`: a JSON array of names, which must outlive the set, or NULL when the
 * catalog's own are asked. In any case the caller ends *out, which is empty
 * before, with dip_class_set_free(). */
dip_status dip_class_set_make(dip_class_set *out, const json_t *known,
                              const dip_corpus *corpus, int column,
                              const dip_embedded *embedded,
                              dip_err *err) DIP_MUST_CHECK;
void dip_class_set_free(dip_class_set *set);

/* Takes the labels away from rows that are not `present` [N]; NULL: all are. */
void dip_class_set_leave_out(dip_class_set *set, const uint8_t *present,
                             int64_t n);

/* Follows dip_class_name (report/report.h); `set` is the user's. */
const char *dip_class_set_name(void *set, int64_t index);

#endif
