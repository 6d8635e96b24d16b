#include "report/slices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LEAST_ROWS  10
#define MOST_SLICES 10

/* Of a slice of a task; the first three are of the metric it goes by. */
static size_t task_columns(dip_report_column out[7], char paths[3][96],
                           const char *metric)
{
    static const char *const ends[] = {"mean", "low", "high"};
    size_t n = 0;
    out[n++] = (dip_report_column){"queries", "queries", DIP_REPORT_COUNT};
    for (int i = 0; i < 3; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "interval/%s/%s", metric,
                       ends[i]);
        out[n++] = (dip_report_column){i == 0 ? metric : ends[i], paths[i],
                                       DIP_REPORT_REAL};
    }
    out[n++] = (dip_report_column){"hit@1", "hit@1", DIP_REPORT_REAL};
    out[n++] = (dip_report_column){"hit@10", "hit@10", DIP_REPORT_REAL};
    out[n++] =
        (dip_report_column){"median rank", "median_rank", DIP_REPORT_RANK};
    return n;
}

static const dip_report_column label_columns[] = {
    {"rows", "rows", DIP_REPORT_COUNT},
    {"accuracy", "accuracy", DIP_REPORT_REAL},
    {"low", "interval/accuracy/low", DIP_REPORT_REAL},
    {"high", "interval/accuracy/high", DIP_REPORT_REAL},
    {"balanced", "balanced_accuracy", DIP_REPORT_REAL},
    {"macro F1", "f1_macro", DIP_REPORT_REAL},
};

dip_status dip_report_slices(void *out, const json_t *part, const char *metric,
                             dip_report_tabulate tabulate, dip_err *err)
{
    json_t *slices = json_object_get(part, "slices");
    char paths[3][96];
    dip_report_column columns[7];
    size_t n = DIP_ARRAY_LEN(label_columns);
    memcpy(columns, label_columns, sizeof label_columns);
    if (metric != NULL)
        n = task_columns(columns, paths, metric);
    dip_status st = DIP_OK;
    for (void *i = json_object_iter(slices); i != NULL && st == DIP_OK;
         i = json_object_iter_next(slices, i)) {
        dip_report_rows rows;
        st = dip_report_items(&rows, json_object_iter_value(i),
                              metric != NULL ? "evaluated" : "rows", LEAST_ROWS,
                              err);
        if (st == DIP_OK)
            tabulate(out, json_object_iter_key(i), columns, n, &rows,
                     MOST_SLICES);
        free(rows.items);
    }
    return st;
}
