/* Which runs make a side. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/compare_parts.h"

const char *dip_compared_text(const dip_compared_run *run, const char *part,
                              const char *key)
{
    const char *text = json_string_value(
        json_object_get(json_object_get(run->report, part), key));
    return text != NULL ? text : "";
}

const json_t *dip_compared_config(const dip_compared_run *run)
{
    return json_object_get(json_object_get(run->report, "run"), "config");
}

json_int_t dip_compared_seed(const dip_compared_run *run)
{
    return json_integer_value(
        json_object_get(json_object_get(run->report, "run"), "seed"));
}

bool dip_compared_may_differ(const char *key)
{
    static const char *const keys[] = {
        "name",
        "seed",
        "data.catalog",
        "train.threads",
        "train.loader_threads",
        "train.keep_last",
        "train.log_every",
        "train.checkpoint_every",
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i], key) == 0)
            return true;
    }
    return false;
}

/* Whether all keys of `a` stand in `b` with equal values. */
static bool holds_keys(const json_t *b, const json_t *a)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)a, key, value) {
        if (!dip_compared_may_differ(key) &&
            !json_equal(value, json_object_get(b, key)))
            return false;
    }
    return true;
}

static bool same_config(const dip_compared_run *a, const dip_compared_run *b)
{
    const json_t *x = dip_compared_config(a), *y = dip_compared_config(b);
    return holds_keys(x, y) && holds_keys(y, x);
}

static dip_status add_to_side(dip_side *side, const dip_compared_run *run,
                              dip_err *err)
{
    for (size_t i = 0; i < side->count; i++) {
        if (dip_compared_seed(side->runs[i]) == dip_compared_seed(run))
            return dip_fail(err, DIP_EDATA,
                            "'%s' and '%s' have one config and one seed: they "
                            "are no two samples of it (--each takes each run "
                            "by itself)",
                            side->runs[i]->path, run->path);
    }
    size_t capacity = side->count;
    dip_status st = dip_reserve(&side->runs, &capacity, side->count + 1,
                                sizeof *side->runs, err);
    if (st == DIP_OK)
        side->runs[side->count++] = run;
    return st;
}

/* Bytes that two names begin with, no character or number cut in two. */
static size_t common_length(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] != '\0' && a[n] == b[n])
        n++;
    if (isdigit((unsigned char)a[n]) || isdigit((unsigned char)b[n])) {
        while (n > 0 && isdigit((unsigned char)a[n - 1]))
            n--;
    }
    while (n > 0 && ((unsigned char)a[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* What the names of the runs have in common, up to the number that tells them
 * apart: "vit-b32" of "vit-b32-0" and "vit-b32-1"; the one name of a single
 * run. */
static char *name_side(const dip_side *side)
{
    const char *first = dip_compared_text(side->runs[0], "run", "name");
    size_t length = strlen(first);
    for (size_t i = 1; i < side->count; i++) {
        size_t same = common_length(
            first, dip_compared_text(side->runs[i], "run", "name"));
        length = same < length ? same : length;
    }
    while (side->count > 1 && length > 0 && strchr("-_. ", first[length - 1]))
        length--;
    return length > 0 ? dip_strndup(first, length)
                      : dip_strdup(side->runs[0]->path);
}

/* Two sides of one name are told apart by their first runs' paths. */
static dip_status name_sides(dip_sides *sides, dip_err *err)
{
    for (size_t s = 0; s < sides->count; s++) {
        dip_side *side = &sides->items[s];
        side->name = name_side(side);
        for (size_t t = 0; t < s && side->name != NULL; t++) {
            if (strcmp(side->name, sides->items[t].name) != 0)
                continue;
            free(side->name);
            side->name = dip_strdup(side->runs[0]->path);
        }
        if (side->name == NULL)
            return dip_no_memory(err);
    }
    return DIP_OK;
}

static dip_status find_baseline(dip_sides *sides, const char *path,
                                dip_err *err)
{
    for (size_t s = 0; s < sides->count && path != NULL; s++) {
        for (size_t i = 0; i < sides->items[s].count; i++) {
            if (strcmp(sides->items[s].runs[i]->path, path) == 0) {
                sides->baseline = s;
                return DIP_OK;
            }
        }
    }
    if (path == NULL)
        return DIP_OK;
    return dip_fail(err, DIP_EDATA,
                    "the baseline '%s' is none of the runs to compare", path);
}

void dip_sides_free(dip_sides *sides)
{
    for (size_t s = 0; s < sides->count; s++) {
        free(sides->items[s].runs);
        free(sides->items[s].name);
    }
    free(sides->items);
}

dip_status dip_sides_make(dip_sides *sides, const dip_compared_run *runs,
                          size_t count, const dip_compare_options *options,
                          dip_err *err)
{
    dip_status st = DIP_OK;
    sides->items = dip_calloc(count, sizeof *sides->items);
    if (sides->items == NULL)
        return dip_no_memory(err);
    for (size_t r = 0; r < count && st == DIP_OK; r++) {
        size_t s = 0;
        while (
            s < sides->count &&
            (options->each || !same_config(sides->items[s].runs[0], &runs[r])))
            s++;
        sides->count += s == sides->count;
        st = add_to_side(&sides->items[s], &runs[r], err);
    }
    if (st == DIP_OK)
        st = name_sides(sides, err);
    return st == DIP_OK ? find_baseline(sides, options->baseline, err) : st;
}
