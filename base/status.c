#include "base/status.h"

#include <stdio.h>
#include <string.h>

dip_status dip_fail(dip_err *err, dip_status code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    /* Formatted aside: an argument may point into err->msg. */
    char msg[DIP_ERR_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    err->code = code;
    memcpy(err->msg, msg, sizeof msg);
    return code;
}

dip_status dip_fail_context(dip_err *err, const char *fmt, ...)
{
    if (err == NULL)
        return DIP_FAIL;
    char words[DIP_ERR_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return dip_fail(err, err->code, "%s: %s", words, err->msg);
}

static const struct {
    const char *name;
    int exit_code;
} statuses[] = {
#define DIP_STATUS_ROW(name, exit_code, words) {#name, exit_code},
    DIP_STATUS_TABLE(DIP_STATUS_ROW)
#undef DIP_STATUS_ROW
};

const char *dip_status_name(dip_status code)
{
    return statuses[code].name;
}

int dip_status_exit_code(dip_status code)
{
    return statuses[code].exit_code;
}
