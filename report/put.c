#include "report/put.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/utf8.h"

json_t *dip_report_whole(json_t *object, int faults)
{
    if (faults == 0)
        return object;
    json_decref(object);
    return NULL;
}

int dip_report_put_real(json_t *object, const char *key, double value)
{
    return json_object_set_new(object, key, dip_json_real(value));
}

int dip_report_put_count(json_t *object, const char *key, int64_t value)
{
    return json_object_set_new(object, key, json_integer(value));
}

json_t *dip_report_name(const char *bytes)
{
    size_t n = strlen(bytes);
    if (dip_utf8_valid(bytes, n, NULL))
        return json_stringn(bytes, n);
    dip_str clean = {0};
    for (size_t at = 0; at < n;)
        dip_utf8_add(&clean, dip_utf8_next(bytes, n, &at));
    json_t *out = clean.failed ? NULL : json_stringn(clean.data, clean.len);
    dip_str_free(&clean);
    return out;
}
