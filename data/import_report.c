#include "data/import_report.h"

#include <stdlib.h>

#include "base/mem.h"

const char *dip_bad_row_words(dip_bad_row reason)
{
    static const char *const words[] = {
#define DIP_BAD_ROW_WORDS(name, text) text,
        DIP_BAD_ROW_TABLE(DIP_BAD_ROW_WORDS)
#undef DIP_BAD_ROW_WORDS
    };
    return words[reason];
}

void dip_import_report_bad(dip_import_report *report, dip_bad_row reason,
                           const char *message)
{
    report->bad[reason]++;
    report->bad_total++;
    if (report->message_count == DIP_BAD_ROWS_SHOWN)
        return;
    char *copy = dip_strdup(message);
    if (copy != NULL) /* without memory the count alone must do */
        report->messages[report->message_count++] = copy;
}

void dip_import_report_good(dip_import_report *report, dip_split split)
{
    report->rows++;
    report->split_rows[split]++;
}

dip_status dip_import_report_verdict(const dip_import_report *report,
                                     const char *path, bool skip_bad,
                                     dip_err *err)
{
    int64_t all = report->rows + report->bad_total;
    if (report->bad_total > 0 && !skip_bad)
        return dip_fail(err, DIP_EDATA,
                        "%lld of %lld rows in '%s' are bad (--skip-bad leaves "
                        "them out)",
                        (long long)report->bad_total, (long long)all, path);
    if (report->rows == 0 && all > 0)
        return dip_fail(err, DIP_EDATA, "all %lld rows in '%s' are bad",
                        (long long)all, path);
    if (report->rows == 0)
        return dip_fail(err, DIP_EDATA, "no rows in '%s'", path);
    return DIP_OK;
}

void dip_import_report_free(dip_import_report *report)
{
    for (int i = 0; i < report->message_count; i++)
        free(report->messages[i]);
    *report = (dip_import_report){0};
}

dip_status dip_import_tick(const dip_import_progress *progress, int64_t done,
                           int64_t total, dip_err *err)
{
    if (progress->tick == NULL || progress->tick(progress->user, done, total))
        return DIP_OK;
    return dip_fail(err, DIP_EINTERRUPT, "stopped; nothing was written");
}
