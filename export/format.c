#include "export/format.h"

#include <string.h>

#include "base/mem.h"
#include "export/formats.h"

static const dip_export_format *const FORMATS[] = {
#define FORMAT_ROW(name) &dip_export_##name,
    DIP_EXPORT_TABLE(FORMAT_ROW)
#undef FORMAT_ROW
};

int dip_export_format_count(void)
{
    return (int)DIP_ARRAY_LEN(FORMATS);
}

const dip_export_format *dip_export_format_at(int i)
{
    return FORMATS[i];
}

const dip_export_format *dip_export_format_find(const char *name)
{
    for (int i = 0; i < dip_export_format_count(); i++) {
        if (strcmp(FORMATS[i]->name, name) == 0)
            return FORMATS[i];
    }
    return NULL;
}

dip_status dip_export_tick(const dip_export_job *job, int64_t done,
                           int64_t total, dip_err *err)
{
    if (job->tick == NULL || job->tick(job->tick_user, done, total))
        return DIP_OK;
    return dip_fail(err, DIP_EINTERRUPT, "stopped; nothing was written");
}

/* ---- precisions ---------------------------------------------------------- */

static const struct {
    const char *name;
    double tolerance;
} precisions[] = {
#define DIP_PRECISION_ROW(name, word, tolerance, words) {word, tolerance},
    DIP_PRECISION_TABLE(DIP_PRECISION_ROW)
#undef DIP_PRECISION_ROW
};

bool dip_precision_parse(dip_precision *out, const char *name)
{
    for (int i = 0; i < DIP_PRECISION_COUNT; i++) {
        if (strcmp(precisions[i].name, name) == 0) {
            *out = (dip_precision)i;
            return true;
        }
    }
    return false;
}

const char *dip_precision_name(dip_precision precision)
{
    return precisions[precision].name;
}

double dip_precision_tolerance(dip_precision precision)
{
    return precisions[precision].tolerance;
}
