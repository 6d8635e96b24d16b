#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "export/onnxruntime_api.h"

/* Where the build found it; the Makefile says. */
#ifndef DIP_ONNXRUNTIME
#define DIP_ONNXRUNTIME ""
#endif

#define LIBRARY "libonnxruntime.so"

typedef void (*any_function)(void);

/* What OrtGetApiBase() gives. */
typedef struct {
    const any_function *(*table)(uint32_t version);
    const char *(*version)(void);
} api_base;

/* The file of `folder` that is the library under its shortest name; without a
 * "libonnxruntime.so" or "libonnxruntime.so.1" that of a full version, of which
 * a Python package has one. NULL: none, or memory is out. */
static char *file_in(const char *folder)
{
    char **names = NULL, *path = NULL;
    const char *best = NULL;
    size_t count = 0;
    if (dip_dir_list(&names, &count, folder, NULL) != DIP_OK)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], LIBRARY, strlen(LIBRARY)) == 0 &&
            (best == NULL || strlen(names[i]) < strlen(best)))
            best = names[i];
    }
    if (best != NULL)
        path = dip_path_join(folder, best);
    dip_dir_list_free(names, count);
    return path;
}

/* A folder of a release has it below lib/, a Python package below capi/. */
static char *file_below(const char *folder)
{
    static const char *const below[] = {"lib", "capi"};
    char *file = file_in(folder);
    for (size_t i = 0; i < 2 && file == NULL; i++) {
        char *inner = dip_path_join(folder, below[i]);
        file = inner != NULL ? file_in(inner) : NULL;
        free(inner);
    }
    return file;
}

/* It stays mapped: its threads and its name of the version may outlive the last
 * session. */
static void *load(const char *file)
{
    return dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static dip_status load_named(void **handle, const char *named, dip_err *err)
{
    char *file = dip_file_is_directory(named) ? file_below(named) : NULL;
    *handle = load(file != NULL ? file : named);
    dip_status st =
        *handle != NULL
            ? DIP_OK
            : dip_fail(err, DIP_ENOTFOUND,
                       "cannot load ONNX Runtime from ONNXRUNTIME='%s': %s",
                       named, dlerror());
    free(file);
    return st;
}

static dip_status load_found(void **handle, dip_err *err)
{
    static const char *const files[] = {LIBRARY ".1", LIBRARY, DIP_ONNXRUNTIME};
    for (size_t i = 0; i < 3 && *handle == NULL; i++)
        *handle = *files[i] != '\0' ? load(files[i]) : NULL;
    if (*handle != NULL)
        return DIP_OK;
    return dip_fail(err, DIP_ENOTFOUND,
                    "no ONNX Runtime found: set ONNXRUNTIME to " LIBRARY
                    " or its folder (a release has it in lib/, the Python "
                    "package onnxruntime in capi/)");
}

static void fill(dip_ort_api *api, const any_function *table)
{
#define DIP_ORT_FUNCTION_FILL(position, name, result, parameters)              \
    api->name = (result(*) parameters)table[position];
    DIP_ORT_FUNCTION_TABLE(DIP_ORT_FUNCTION_FILL)
#undef DIP_ORT_FUNCTION_FILL
}

dip_status dip_ort_library_load(dip_ort_library *out, dip_err *err)
{
    memset(out, 0, sizeof *out);
    const char *named = getenv("ONNXRUNTIME");
    dip_status st = named != NULL && *named != '\0'
                        ? load_named(&out->handle, named, err)
                        : load_found(&out->handle, err);
    if (st != DIP_OK)
        return st;
    /* C has no cast from a pointer to an object to one to a function. */
    void *symbol = dlsym(out->handle, "OrtGetApiBase");
    const api_base *(*entry)(void);
    memcpy(&entry, &symbol, sizeof entry);
    const api_base *base = symbol != NULL ? entry() : NULL;
    const any_function *table =
        base != NULL ? base->table(DIP_ORT_VERSION_OF_TABLE) : NULL;
    if (table == NULL)
        return dip_fail(err, DIP_ENOTFOUND,
                        "the library that was found for ONNX Runtime is none: "
                        "set ONNXRUNTIME to " LIBRARY);
    out->version = base->version();
    fill(&out->api, table);
    return DIP_OK;
}

void dip_ort_library_unload(dip_ort_library *library)
{
    if (library->handle != NULL)
        (void)dlclose(library->handle);
    library->handle = NULL;
}
