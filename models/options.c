#include "models/options.h"

#include <string.h>

#include "base/str.h"

static bool is_set(const void *options, const dip_field *field)
{
    const void *at = (const char *)options + field->offset;
    switch (field->type) {
    case DIP_FIELD_INT:
        return *(const int64_t *)at != 0;
    case DIP_FIELD_COUNT:
        return *(const int *)at != 0;
    case DIP_FIELD_REAL:
        return *(const double *)at != 0.0;
    case DIP_FIELD_BOOL:
        return *(const bool *)at;
    case DIP_FIELD_STRING:
        return *(const char *const *)at != NULL;
    }
    return false;
}

static bool contains(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

dip_status dip_options_unread(const void *options, const dip_field *fields,
                              size_t count, const char *const *read,
                              const char *prefix, const char *kind,
                              dip_err *err)
{
    for (size_t i = 0; i < count; i++)
        if (is_set(options, &fields[i]) && !contains(read, fields[i].name))
            return dip_fail(err, DIP_ECONFIG, "%s.%s: not an option of '%s'",
                            prefix, fields[i].name, kind);
    return DIP_OK;
}

dip_status dip_option_int(int64_t value, int64_t low, int64_t high,
                          const char *name, dip_err *err)
{
    if (value < low || value > high)
        return dip_fail(err, DIP_ECONFIG, "%s: %lld is not in %lld..%lld", name,
                        (long long)value, (long long)low, (long long)high);
    return DIP_OK;
}

dip_status dip_option_real(double value, double low, double high,
                           const char *name, dip_err *err)
{
    if (!(value >= low && value <= high)) /* NaN fails, too */
        return dip_fail(err, DIP_ECONFIG, "%s: %g is not in %g..%g", name,
                        value, low, high);
    return DIP_OK;
}

dip_status dip_option_share(double value, const char *name, dip_err *err)
{
    if (!(value >= 0.0 && value < 1.0))
        return dip_fail(err, DIP_ECONFIG,
                        "%s: %g is not a share from 0 to below 1", name, value);
    return DIP_OK;
}

dip_status dip_option_choice(const char **value, const char *const *choices,
                             const char *name, dip_err *err)
{
    if (!*value)
        *value = choices[0];
    if (contains(choices, *value))
        return DIP_OK;
    dip_str list = {0};
    for (int i = 0; choices[i]; i++)
        dip_str_addf(&list, "%s%s", i ? ", " : "", choices[i]);
    dip_fail(err, DIP_ECONFIG, "%s: '%s' is none of %s", name, *value,
             dip_str_text(&list));
    dip_str_free(&list);
    return DIP_ECONFIG;
}

bool dip_option_is(const char *value, const char *choice)
{
    return value && strcmp(value, choice) == 0;
}
