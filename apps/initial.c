#include "apps/initial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "models/initial.h"
#include "train/checkpoint.h"

#define SHOWN_MAX 3 /* names of a list on the terminal */

/* The lists of a report: key in run.json, words for the terminal. */
static const struct {
    const char *key, *words;
} lists[] = {
    {"resized", "positions resized"},
    {"unfit", "projections of another shape, not taken"},
    {"missing", "missing: start as without init"},
    {"unexpected", "unexpected in the file, not used"},
};

/* The file behind a path: for a run directory its best weights, averaged ones
 * where it has them. */
static dip_status find_file(char **out, const char *path, dip_err *err)
{
    *out = NULL;
    char *checkpoints = dip_path_join(path, "checkpoints");
    if (checkpoints == NULL)
        return dip_no_memory(err);
    char *folder = NULL;
    dip_status st = DIP_OK;
    if (dip_file_is_directory(checkpoints)) {
        st = dip_checkpoint_find(&folder, checkpoints, "best", err);
        if (st == DIP_ENOTFOUND)
            st = dip_checkpoint_find(&folder, checkpoints, "latest", err);
        if (st == DIP_OK)
            *out = dip_path_join(folder, "ema.safetensors");
        if (*out != NULL && !dip_file_exists(*out)) {
            free(*out);
            *out = dip_path_join(folder, "model.safetensors");
        }
    } else {
        *out = dip_strdup(path);
    }
    if (st == DIP_OK && *out == NULL)
        st = dip_no_memory(err);
    free(folder);
    free(checkpoints);
    return st;
}

static json_t *list_names(const dip_names *names)
{
    json_t *list = json_array();
    for (size_t i = 0; i < names->count; i++)
        (void)json_array_append_new(list, json_string(names->items[i]));
    return list;
}

static json_t *describe(const char *path, const dip_initial_report *r)
{
    return json_pack(
        "{s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "file", path, "matched",
        (json_int_t)r->matched.count, "elsewhere", (json_int_t)r->elsewhere,
        lists[0].key, list_names(&r->resized), lists[1].key,
        list_names(&r->unfit), lists[2].key, list_names(&r->missing),
        lists[3].key, list_names(&r->unexpected));
}

static dip_status apply_part(json_t *all, const dip_settings *s,
                             dip_initial_part part, dip_model *model,
                             dip_err *err)
{
    dip_initial_report report = {0};
    char *path;
    const dip_image_kind *kind = dip_image_kind_find(s->model.image.kind);
    dip_status st = find_file(&path, s->init[part], err);
    if (st == DIP_OK)
        st = dip_initial_load(&report, dip_model_params(model), part, kind,
                              path, err);
    if (st == DIP_OK && json_object_set_new(all, dip_initial_part_name(part),
                                            describe(path, &report)) != 0)
        st = dip_no_memory(err);
    dip_initial_report_free(&report);
    free(path);
    if (st != DIP_OK)
        (void)dip_fail_context(err, "init.%s", dip_initial_part_name(part));
    return st;
}

dip_status dip_initial_apply(json_t **report, const dip_settings *settings,
                             dip_model *model, dip_err *err)
{
    static const dip_initial_part order[] = {
        DIP_INITIAL_MODEL, DIP_INITIAL_IMAGE, DIP_INITIAL_TEXT};
    json_t *all = json_object();
    dip_status st = all != NULL ? DIP_OK : dip_no_memory(err);
    for (size_t i = 0; i < DIP_ARRAY_LEN(order) && st == DIP_OK; i++) {
        if (settings->init[order[i]] != NULL)
            st = apply_part(all, settings, order[i], model, err);
    }
    bool some = st == DIP_OK && json_object_size(all) > 0;
    if (report != NULL)
        *report = some ? json_incref(all) : NULL;
    json_decref(all);
    return st;
}

static void print_list(const json_t *part, const char *key, const char *words)
{
    const json_t *names = json_object_get(part, key);
    size_t count = json_array_size(names);
    if (count == 0)
        return;
    (void)fprintf(stderr, "  %5zu  %s: ", count, words);
    for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
        (void)fprintf(stderr, "%s%s", i > 0 ? ", " : "",
                      json_string_value(json_array_get(names, i)));
    (void)fprintf(stderr, "%s\n", count > SHOWN_MAX ? ", ..." : "");
}

void dip_initial_print(const json_t *report)
{
    const char *name;
    json_t *part;
    json_object_foreach ((json_t *)report, name, part) {
        (void)fprintf(stderr, "init.%s: %s\n", name,
                      json_string_value(json_object_get(part, "file")));
        (void)fprintf(
            stderr, "  %5lld  matched\n",
            (long long)json_integer_value(json_object_get(part, "matched")));
        for (size_t i = 0; i < DIP_ARRAY_LEN(lists); i++)
            print_list(part, lists[i].key, lists[i].words);
        long long elsewhere =
            json_integer_value(json_object_get(part, "elsewhere"));
        if (elsewhere > 0)
            (void)fprintf(stderr, "  %5lld  in other parts of the file\n",
                          elsewhere);
    }
}
