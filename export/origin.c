#include "export/origin.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const dip_origin *const TABLES[] = {
    dip_origins_open_clip, dip_origins_huggingface, dip_origins_towers};

const dip_origin *dip_origin_at(int i)
{
    for (size_t t = 0; t < DIP_ARRAY_LEN(TABLES); t++)
        for (const dip_origin *row = TABLES[t]; row->name != NULL; row++)
            if (i-- == 0)
                return row;
    return NULL;
}

int dip_origin_count(void)
{
    int count = 0;
    while (dip_origin_at(count) != NULL)
        count++;
    return count;
}

static const char *image_of(const dip_model_config *config)
{
    return config->towers == DIP_TOWERS_TEXT ? "none" : config->image.kind;
}

static const char *text_of(const dip_model_config *config)
{
    return config->towers == DIP_TOWERS_IMAGE ? "none" : config->text.kind;
}

static bool has_towers(const dip_origin *row, const dip_model_config *config)
{
    return (row->image == NULL || strcmp(row->image, image_of(config)) == 0) &&
           (row->text == NULL || strcmp(row->text, text_of(config)) == 0);
}

static dip_status fail_name(const char *name, dip_err *err)
{
    dip_str names = {0};
    const char *last = "";
    for (int i = 0; i < dip_origin_count(); i++) {
        const char *word = dip_origin_at(i)->name;
        if (strcmp(word, last) != 0)
            dip_str_addf(&names, "%s%s", i > 0 ? ", " : "", word);
        last = word;
    }
    (void)dip_fail(err, DIP_EUSAGE, "unknown names '%s': one of %s", name,
                   dip_str_text(&names));
    dip_str_free(&names);
    return DIP_EUSAGE;
}

dip_status dip_origin_find(const dip_origin **out, const char *name,
                           const dip_model_config *config, dip_err *err)
{
    bool known = false;
    *out = NULL;
    for (int i = 0; i < dip_origin_count() && *out == NULL; i++) {
        const dip_origin *row = dip_origin_at(i);
        if (strcmp(row->name, name) != 0)
            continue;
        known = true;
        if (has_towers(row, config))
            *out = row;
    }
    if (*out != NULL)
        return DIP_OK;
    if (!known)
        return fail_name(name, err);
    return dip_fail(err, DIP_ECONFIG,
                    "%s has no model with the towers '%s' and '%s'", name,
                    image_of(config), text_of(config));
}

void dip_origin_cover(dip_origin_fit *fit, const char *beginning)
{
    fit->covered[fit->covered_count++] = beginning;
}

dip_status dip_origin_need(bool ok, const char *origin, const char *what,
                           dip_err *err)
{
    if (ok)
        return DIP_OK;
    return dip_fail(err, DIP_ECONFIG, "%s has no %s", origin, what);
}

dip_status dip_origin_write_json(const char *dir, const char *name,
                                 json_t *json, dip_err *err)
{
    char *path = dip_path_join(dir, name);
    dip_status st = path != NULL
                        ? dip_json_write(path, json, DIP_JSON_AS_BUILT, err)
                        : dip_no_memory(err);
    free(path);
    json_decref(json);
    return st;
}
