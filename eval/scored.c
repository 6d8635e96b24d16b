#include "eval/scored.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static int by_score_down(const void *a, const void *b)
{
    const dip_scored *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

dip_status dip_scored_sort(dip_scored_list *out, const int32_t *labels,
                           const double *scores, int64_t n, dip_err *err)
{
    *out =
        (dip_scored_list){.items = dip_calloc((size_t)n, sizeof *out->items)};
    if (out->items == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < -1 || labels[i] > 1)
            return dip_fail(err, DIP_EDATA,
                            "row %" PRId64 " has label %" PRId32
                            ", which is not 0, 1 or -1",
                            i, labels[i]);
        if (labels[i] == -1)
            continue;
        if (isnan(scores[i]))
            return dip_fail(err, DIP_ENUMERIC,
                            "the score of row %" PRId64 " is NaN", i);
        out->items[out->count++] = (dip_scored){scores[i], labels[i] == 1};
        out->right += labels[i] == 1;
    }
    qsort(out->items, (size_t)out->count, sizeof *out->items, by_score_down);
    return DIP_OK;
}

void dip_scored_free(dip_scored_list *list)
{
    free(list->items);
    *list = (dip_scored_list){0};
}
