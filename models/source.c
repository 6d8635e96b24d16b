#include "models/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tensor/safetensors.h"

#define INDEX_SUFFIX ".index.json"
#define INDEX_LIMIT  ((size_t)64 << 20)
#define FILES_MAX    1024

/* What a folder is searched for, in this order. */
static const char *const names[] = {"model.safetensors",
                                    "model.safetensors.index.json",
                                    "open_clip_model.safetensors"};

typedef struct {
    int file, tensor;
} place;

struct dip_source {
    dip_safetensors **files;
    size_t file_count, file_capacity;
    place *places;
    size_t count, capacity;
};

static dip_status add_file(dip_source *s, const char *path, dip_err *err)
{
    dip_status st = dip_reserve(&s->files, &s->file_capacity, s->file_count + 1,
                                sizeof *s->files, err);
    if (st == DIP_OK)
        st = dip_safetensors_open(&s->files[s->file_count], path, err);
    if (st != DIP_OK)
        return st;
    int file = (int)s->file_count++;
    int count = dip_safetensors_count(s->files[file]);
    st = dip_reserve(&s->places, &s->capacity, s->count + (size_t)count,
                     sizeof *s->places, err);
    for (int i = 0; i < count && st == DIP_OK; i++)
        s->places[s->count++] = (place){file, i};
    return st;
}

/* A file of an index lies beside it; a name that leads elsewhere is refused. */
static dip_status add_beside(dip_source *s, const char *index, const char *name,
                             dip_err *err)
{
    if (*name == '\0' || strchr(name, '/'))
        return dip_fail(err, DIP_EFORMAT, "'%s' is no name of a file in '%s'",
                        name, index);
    char *folder = dip_path_dir(index);
    char *path = folder ? dip_path_join(folder, name) : NULL;
    dip_status st = path ? add_file(s, path, err) : dip_no_memory(err);
    free(path);
    free(folder);
    return st;
}

/* Opens each file that "weight_map" names, once. */
static dip_status add_index(dip_source *s, const char *path, dip_err *err)
{
    json_t *index = NULL, *map = NULL, *value;
    const char *tensor;
    json_t *seen = json_object();
    dip_status st = seen ? dip_json_load(&index, path, INDEX_LIMIT, err)
                         : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_json_get_object(&map, index, "weight_map", path, err);
    json_object_foreach (map, tensor, value) {
        const char *name = json_string_value(value);
        if (!name)
            st = dip_fail(err, DIP_EFORMAT,
                          "weight_map '%.100s' names no file in '%s'", tensor,
                          path);
        else if (json_object_size(seen) == FILES_MAX)
            st = dip_fail(err, DIP_EFORMAT, "more than %d files in '%s'",
                          FILES_MAX, path);
        else if (!json_object_get(seen, name))
            st = json_object_set_new(seen, name, json_true()) == 0
                     ? add_beside(s, path, name, err)
                     : dip_no_memory(err);
        if (st != DIP_OK)
            break;
    }
    json_decref(seen);
    json_decref(index);
    return st;
}

static dip_status add_path(dip_source *s, const char *path, dip_err *err)
{
    return dip_path_has_suffix(path, INDEX_SUFFIX) ? add_index(s, path, err)
                                                   : add_file(s, path, err);
}

static dip_status add_folder(dip_source *s, const char *folder, dip_err *err)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(names); i++) {
        char *path = dip_path_join(folder, names[i]);
        if (!path)
            return dip_no_memory(err);
        bool there = dip_file_exists(path);
        dip_status st = there ? add_path(s, path, err) : DIP_OK;
        free(path);
        if (there)
            return st;
    }
    return dip_fail(err, DIP_ENOTFOUND,
                    "no model.safetensors in the folder '%s'", folder);
}

dip_status dip_source_open(dip_source **out, const char *path, dip_err *err)
{
    *out = NULL;
    dip_source *s = dip_calloc(1, sizeof *s);
    if (!s)
        return dip_no_memory(err);
    dip_status st = dip_file_is_directory(path) ? add_folder(s, path, err)
                                                : add_path(s, path, err);
    if (st != DIP_OK) {
        dip_source_close(s);
        return st;
    }
    *out = s;
    return DIP_OK;
}

void dip_source_close(dip_source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->file_count; i++)
        dip_safetensors_close(s->files[i]);
    free(s->files);
    free(s->places);
    free(s);
}

int dip_source_count(const dip_source *s)
{
    return (int)s->count;
}

const char *dip_source_name(const dip_source *s, int i)
{
    return dip_safetensors_name(s->files[s->places[i].file],
                                s->places[i].tensor);
}

dip_tensor *dip_source_tensor(const dip_source *s, int i)
{
    return dip_safetensors_tensor(s->files[s->places[i].file],
                                  s->places[i].tensor);
}
