#include "apps/class_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *dip_class_set_name(void *user, int64_t index)
{
    const dip_class_set *set = user;
    return set->names[index];
}

void dip_class_set_free(dip_class_set *set)
{
    free(set->names);
    free(set->labels);
    free(set->storage);
}

static dip_status copy_catalog_names(dip_class_set *set,
                                     const dip_catalog *catalog, int column,
                                     int64_t classes, dip_err *err)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < classes; i++)
        bytes += dip_catalog_label_name(catalog, column, (int32_t)i).len + 1;
    set->storage = dip_calloc(bytes, 1);
    if (set->storage == NULL)
        return dip_no_memory(err);
    char *at = set->storage;
    for (int64_t i = 0; i < classes; i++) {
        dip_bytes name = dip_catalog_label_name(catalog, column, (int32_t)i);
        memcpy(at, name.data, name.len);
        set->names[set->known + i] = at;
        at += name.len + 1;
    }
    return DIP_OK;
}

/* Index of the catalog's class among the run's, by name; else a new one. */
static int32_t *map_classes(dip_class_set *set, int64_t classes, dip_err *err)
{
    int32_t *map = dip_calloc((size_t)classes, sizeof *map);
    if (map == NULL) {
        (void)dip_no_memory(err);
        return NULL;
    }
    set->count = set->known;
    for (int64_t i = 0; i < classes; i++) {
        const char *name = set->names[set->known + i];
        int64_t found = 0;
        while (found < set->known && strcmp(set->names[found], name) != 0)
            found++;
        if (found == set->known) {
            set->names[set->count] = name;
            found = set->count++;
        }
        map[i] = (int32_t)found;
    }
    return map;
}

dip_status dip_class_set_make(dip_class_set *set, const json_t *known,
                              const dip_corpus *corpus, int column,
                              const dip_embedded *e, dip_err *err)
{
    int64_t classes = dip_catalog_column(corpus->catalog, column)->classes;
    set->known = (int64_t)json_array_size(known);
    set->names = dip_calloc((size_t)(set->known + classes), sizeof *set->names);
    set->labels = dip_calloc((size_t)e->count, sizeof *set->labels);
    if (set->names == NULL || set->labels == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < set->known; i++)
        set->names[i] = json_string_value(json_array_get(known, (size_t)i));
    dip_status st =
        copy_catalog_names(set, corpus->catalog, column, classes, err);
    if (st != DIP_OK)
        return st;
    int32_t *map = map_classes(set, classes, err);
    if (map == NULL)
        return DIP_ENOMEM;
    for (int64_t i = 0; i < e->count; i++) {
        int32_t label = dip_catalog_label(corpus->catalog, column, e->row[i]);
        set->labels[i] = label < 0 ? -1 : map[label];
        set->unknown += known != NULL && set->labels[i] >= set->known;
    }
    free(map);
    return DIP_OK;
}

void dip_class_set_leave_out(dip_class_set *set, const uint8_t *present,
                             int64_t n)
{
    for (int64_t i = 0; i < n && present != NULL; i++) {
        if (present[i])
            continue;
        set->unknown -= set->unknown > 0 && set->labels[i] >= set->known;
        set->labels[i] = -1;
    }
}
