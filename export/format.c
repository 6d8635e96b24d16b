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
