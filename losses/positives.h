/* Which rows of a batch are right for each other, as lists instead of a matrix
 * [N, N]: made of keys, of which two rows share one. */
#ifndef DIP_LOSSES_POSITIVES_H
#define DIP_LOSSES_POSITIVES_H

#include <stdint.h>

#include "base/status.h"

/* Row i is right with itself and the others of rows[start[i] .. start[i] +
 * count[i]), ascending. Rows of one key share a list, so that memory is [N]
 * where there is one key a row. */
typedef struct {
    int64_t *start, *count; /* [N] */
    int32_t *rows;
} dip_positive_lists;

/* Of keys [n, columns], or of NULL: every row alone. n is at most INT32_MAX.
 * The caller ends *out with dip_positive_lists_free(). */
dip_status dip_positive_lists_build(dip_positive_lists *out,
                                    const int64_t *keys, int64_t n,
                                    int64_t columns,
                                    dip_err *err) DIP_MUST_CHECK;
void dip_positive_lists_free(dip_positive_lists *lists);

#endif
