/* What export/onnxruntime.c calls of ONNX Runtime.
 *
 * The library exports one symbol, OrtGetApiBase(), which leads to a table of
 * functions. Positions in it never change, new functions are appended; all that
 * are needed here belong to its first version, so any library will do.
 * Reference: onnxruntime_c_api.h of ONNX Runtime, "struct OrtApi". */
#ifndef DIP_EXPORT_ONNXRUNTIME_API_H
#define DIP_EXPORT_ONNXRUNTIME_API_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Objects of the library. */
typedef struct ort_status ort_status; /* NULL: success */
typedef struct ort_env ort_env;
typedef struct ort_session ort_session;
typedef struct ort_options ort_options; /* of a session */
typedef struct ort_run_options ort_run_options;
typedef struct ort_value ort_value;
typedef struct ort_shape ort_shape; /* type and sizes of a tensor */
typedef struct ort_memory ort_memory;
typedef struct ort_allocator ort_allocator;

/* Its enumerations, as far as they are used. */
enum {
    DIP_ORT_VERSION_OF_TABLE = 1,
    DIP_ORT_NO_SUCH_FILE = 3, /* code of a status */
    DIP_ORT_LOG_FATAL = 4,    /* severity */
    DIP_ORT_SEQUENTIAL = 0,   /* execution mode */
    DIP_ORT_ARENA_ALLOCATOR = 1,
    DIP_ORT_MEMORY_DEFAULT = 0,
};

/* position in the table, name here, result, parameters */
#define DIP_ORT_FUNCTION_TABLE(X)                                              \
    X(1, status_code, int, (const ort_status *))                               \
    X(2, status_message, const char *, (const ort_status *))                   \
    X(3, create_env, ort_status *, (int severity, const char *, ort_env **))   \
    X(6, disable_telemetry, ort_status *, (const ort_env *))                   \
    X(7, create_session, ort_status *,                                         \
      (const ort_env *, const char *path, const ort_options *,                 \
       ort_session **))                                                        \
    X(9, run, ort_status *,                                                    \
      (ort_session *, const ort_run_options *, const char *const *,            \
       const ort_value *const *, size_t, const char *const *, size_t,          \
       ort_value **))                                                          \
    X(10, create_options, ort_status *, (ort_options **))                      \
    X(13, set_execution_mode, ort_status *, (ort_options *, int))              \
    X(24, set_intra_op_threads, ort_status *, (ort_options *, int))            \
    X(25, set_inter_op_threads, ort_status *, (ort_options *, int))            \
    X(30, input_count, ort_status *, (const ort_session *, size_t *))          \
    X(31, output_count, ort_status *, (const ort_session *, size_t *))         \
    X(36, input_name, ort_status *,                                            \
      (const ort_session *, size_t, ort_allocator *, char **))                 \
    X(37, output_name, ort_status *,                                           \
      (const ort_session *, size_t, ort_allocator *, char **))                 \
    X(49, create_tensor, ort_status *,                                         \
      (const ort_memory *, void *data, size_t bytes, const int64_t *sizes,     \
       size_t ndim, int type, ort_value **))                                   \
    X(51, tensor_data, ort_status *, (ort_value *, void **))                   \
    X(60, element_type, ort_status *, (const ort_shape *, int *))              \
    X(61, dimension_count, ort_status *, (const ort_shape *, size_t *))        \
    X(62, dimensions, ort_status *, (const ort_shape *, int64_t *, size_t))    \
    X(65, shape_of, ort_status *, (const ort_value *, ort_shape **))           \
    X(69, create_cpu_memory, ort_status *,                                     \
      (int allocator, int memory, ort_memory **))                              \
    X(76, allocator_free, ort_status *, (ort_allocator *, void *))             \
    X(78, default_allocator, ort_status *, (ort_allocator **))                 \
    X(92, release_env, void, (ort_env *))                                      \
    X(93, release_status, void, (ort_status *))                                \
    X(94, release_memory, void, (ort_memory *))                                \
    X(95, release_session, void, (ort_session *))                              \
    X(96, release_value, void, (ort_value *))                                  \
    X(99, release_shape, void, (ort_shape *))                                  \
    X(100, release_options, void, (ort_options *))

typedef struct {
#define DIP_ORT_FUNCTION_MEMBER(position, name, result, parameters)            \
    result(*name) parameters;
    DIP_ORT_FUNCTION_TABLE(DIP_ORT_FUNCTION_MEMBER)
#undef DIP_ORT_FUNCTION_MEMBER
} dip_ort_api;

typedef struct {
    void *handle;        /* of dlopen() */
    const char *version; /* "1.32.0"; the library's, which is never unmapped */
    dip_ort_api api;
} dip_ort_library;

/* Finds and loads the library. In any case the caller ends *out with
 * dip_ort_library_unload(). DIP_ENOTFOUND when there is none, or what was found
 * is none; the message says how to provide it. */
dip_status dip_ort_library_load(dip_ort_library *out,
                                dip_err *err) DIP_MUST_CHECK;
void dip_ort_library_unload(
    dip_ort_library *library); /* a zeroed one is allowed */

#endif
