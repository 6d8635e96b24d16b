/* Reading single values of an import. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/import.h"

enum { LONGEST_NUMBER = 63 };

/* [+-] digits [. digits] [e [+-] digits], with a digit before the exponent:
 * strtod() would also take blanks, "inf", "nan" and hexadecimals. */
static bool is_decimal(const char *s)
{
    s += *s == '+' || *s == '-';
    size_t whole = strspn(s, "0123456789"), fraction = 0;
    s += whole;
    if (*s == '.') {
        fraction = strspn(s + 1, "0123456789");
        s += fraction + 1;
    }
    if (whole + fraction == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        size_t digits = strspn(s, "0123456789");
        s += digits;
        if (digits == 0)
            return false;
    }
    return *s == '\0';
}

dip_status dip_import_number(double *out, dip_bytes field, dip_err *err)
{
    char text[LONGEST_NUMBER + 1];
    int shown = field.len < LONGEST_NUMBER ? (int)field.len : LONGEST_NUMBER;
    if (field.len <= LONGEST_NUMBER) {
        memcpy(text, field.data, field.len);
        text[field.len] = '\0';
    }
    if (field.len > LONGEST_NUMBER || !is_decimal(text))
        return dip_fail(err, DIP_EDATA, "not a number: '%.*s'", shown,
                        field.data);
    double value = strtod(text, NULL);
    if (fabs(value) > FLT_MAX)
        return dip_fail(err, DIP_ERANGE, "number out of range: '%s'", text);
    *out = value;
    return DIP_OK;
}

dip_status dip_import_check_path(const char *path, dip_err *err)
{
    if (path[0] == '\0')
        return dip_fail(err, DIP_EDATA, "no image is named");
    if (path[0] == '/')
        return dip_fail(err, DIP_EDATA, "image path '%s' is absolute", path);
    for (const char *part = path;; part++) {
        size_t len = strcspn(part, "/");
        if (len == 2 && memcmp(part, "..", 2) == 0)
            return dip_fail(err, DIP_EDATA, "image path '%s' leaves the folder",
                            path);
        part += len;
        if (*part == '\0')
            return DIP_OK;
    }
}
