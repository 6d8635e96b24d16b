/* HDF5, each call checked once: messages name the file and the object, and the
 * library's own error stack is never printed.
 *
 * Files are untrusted. A dataset that is opened here lies in the file itself
 * (no external or virtual storage), and its extent is bounded by what the file
 * stores, so that sizes may be used for allocations. */
#ifndef DIP_DATA_H5_H
#define DIP_DATA_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DIP_H5_NAME_SIZE 320 /* a dataset's path inside the file, with NUL */
#define DIP_H5_MAX_RANK  4

/* name, what messages call it, bytes, H5T class, H5T sign (integers) */
#define DIP_H5_TYPE_TABLE(X)                                                   \
    X(U8, "uint8", 1, H5T_INTEGER, H5T_SGN_NONE)                               \
    X(I32, "int32", 4, H5T_INTEGER, H5T_SGN_2)                                 \
    X(I64, "int64", 8, H5T_INTEGER, H5T_SGN_2)                                 \
    X(F32, "float32", 4, H5T_FLOAT, H5T_SGN_ERROR)                             \
    X(F64, "float64", 8, H5T_FLOAT, H5T_SGN_ERROR)                             \
    X(F16, "float16", 2, H5T_FLOAT, H5T_SGN_ERROR) /* bits in uint16_t */      \
    X(I8, "int8", 1, H5T_INTEGER, H5T_SGN_2)

typedef enum {
#define DIP_H5_TYPE_ENUM(name, words, size, cls, sign) DIP_H5_##name,
    DIP_H5_TYPE_TABLE(DIP_H5_TYPE_ENUM)
#undef DIP_H5_TYPE_ENUM
} dip_h5_type;

typedef struct {
    hid_t id;         /* H5I_INVALID_HID when closed */
    const char *path; /* borrowed, for messages */
} dip_h5_file;

typedef struct {
    hid_t id; /* H5I_INVALID_HID when closed */
    const char *path;
    char name[DIP_H5_NAME_SIZE];
    H5T_class_t type_class;
    H5T_sign_t sign;
    size_t item; /* bytes of an element */
    int rank;
    int64_t dims[DIP_H5_MAX_RANK];
    size_t bytes;   /* of all elements; checked against what is stored */
    int64_t offset; /* in the file, when contiguous and not empty; else -1 */
} dip_h5_dataset;

#define DIP_H5_NO_FILE    ((dip_h5_file){.id = H5I_INVALID_HID})
#define DIP_H5_NO_DATASET ((dip_h5_dataset){.id = H5I_INVALID_HID})

/* ---- files ---- */

dip_status dip_h5_open(dip_h5_file *out, const char *path,
                       dip_err *err) DIP_MUST_CHECK;
/* Opens for adding datasets. */
dip_status dip_h5_open_write(dip_h5_file *out, const char *path,
                             dip_err *err) DIP_MUST_CHECK;
/* `path` must not exist (DIP_EIO). */
dip_status dip_h5_create(dip_h5_file *out, const char *path,
                         dip_err *err) DIP_MUST_CHECK;
/* Empties `path` first if it exists. */
dip_status dip_h5_create_over(dip_h5_file *out, const char *path,
                              dip_err *err) DIP_MUST_CHECK;
/* Closes after writing: says whether all reached the file. */
dip_status dip_h5_finish(dip_h5_file *file, dip_err *err) DIP_MUST_CHECK;
void dip_h5_close(dip_h5_file *file); /* closed already: does nothing */

/* ---- attributes of the root ---- */

/* A missing attribute is DIP_ENOTFOUND. The caller frees *out. Longer than
 * 64 KiB is an error. */
dip_status dip_h5_get_text(char **out, const dip_h5_file *file,
                           const char *name, dip_err *err) DIP_MUST_CHECK;
dip_status dip_h5_get_int(int64_t *out, const dip_h5_file *file,
                          const char *name, dip_err *err) DIP_MUST_CHECK;
dip_status dip_h5_put_text(const dip_h5_file *file, const char *name,
                           const char *text, dip_err *err) DIP_MUST_CHECK;
dip_status dip_h5_put_int(const dip_h5_file *file, const char *name,
                          int64_t value, dip_err *err) DIP_MUST_CHECK;

/* ---- groups ---- */

/* Links inside remember the order in which they were made. */
dip_status dip_h5_make_group(const dip_h5_file *file, const char *name,
                             dip_err *err) DIP_MUST_CHECK;
bool dip_h5_exists(const dip_h5_file *file, const char *name);
/* Names of the links in a group, in the order in which they were made if the
 * file knows it, else in byte order. A group that is not there has none. End
 * with dip_h5_list_free(). */
dip_status dip_h5_list(char ***names, int *count, const dip_h5_file *file,
                       const char *group, dip_err *err) DIP_MUST_CHECK;
void dip_h5_list_free(char **names, int count);

/* ---- reading datasets ---- */

dip_status dip_h5_dataset_open(dip_h5_dataset *out, const dip_h5_file *file,
                               const char *name, dip_err *err) DIP_MUST_CHECK;
void dip_h5_dataset_close(dip_h5_dataset *dataset);
/* DIP_EFORMAT unless it has exactly this type and number of dimensions. */
dip_status dip_h5_expect(const dip_h5_dataset *dataset, dip_h5_type type,
                         int rank, dip_err *err) DIP_MUST_CHECK;
/* The same, and `rows` entries along the first dimension. */
dip_status dip_h5_expect_rows(const dip_h5_dataset *dataset, dip_h5_type type,
                              int rank, int64_t rows,
                              dip_err *err) DIP_MUST_CHECK;
/* All elements, or the entries [first, first + count) of the first dimension,
 * converted to `type`. The caller has room for them. */
dip_status dip_h5_read(const dip_h5_dataset *dataset, dip_h5_type type,
                       void *out, dip_err *err) DIP_MUST_CHECK;
dip_status dip_h5_read_rows(const dip_h5_dataset *dataset, dip_h5_type type,
                            int64_t first, int64_t count, void *out,
                            dip_err *err) DIP_MUST_CHECK;
/* Fixed-length byte strings as they stand, dataset->bytes of them. */
dip_status dip_h5_read_strings(const dip_h5_dataset *dataset, char *out,
                               dip_err *err) DIP_MUST_CHECK;
/* Opens, expects [rows] of `type`, reads into new memory (the caller frees
 * *out). rows < 0: any number of rows, told in *count (may be NULL). */
dip_status dip_h5_load(void **out, int64_t *count, const dip_h5_file *file,
                       const char *name, dip_h5_type type, int64_t rows,
                       dip_err *err) DIP_MUST_CHECK;

/* ---- writing datasets ---- */

/* [count], chunked, with Fletcher-32 checksums. */
dip_status dip_h5_write(const dip_h5_file *file, const char *name,
                        dip_h5_type type, int64_t count, const void *values,
                        dip_err *err) DIP_MUST_CHECK;
/* The same, compressed: for what is kept and seldom read. */
dip_status dip_h5_write_packed(const dip_h5_file *file, const char *name,
                               dip_h5_type type, int64_t count,
                               const void *values, dip_err *err) DIP_MUST_CHECK;
/* An empty place of uint8, contiguous and uncompressed, allocated at once.
 * Ends with dip_h5_dataset_close(). */
dip_status dip_h5_create_bytes(dip_h5_dataset *out, const dip_h5_file *file,
                               const char *name, int rank, const int64_t *dims,
                               dip_err *err) DIP_MUST_CHECK;
/* An empty place [rows, width >= 1] of `type` that is written row by row:
 * chunked, with Fletcher-32 checksums. Ends with dip_h5_dataset_close(). */
dip_status dip_h5_create_rows(dip_h5_dataset *out, const dip_h5_file *file,
                              const char *name, dip_h5_type type, int64_t rows,
                              int64_t width, dip_err *err) DIP_MUST_CHECK;
/* Entries [first, first + count) of the first dimension, given as `type`. */
dip_status dip_h5_write_rows(const dip_h5_dataset *dataset, dip_h5_type type,
                             int64_t first, int64_t count, const void *values,
                             dip_err *err) DIP_MUST_CHECK;

/* Of the headers that this program was built with: "1.10.8"; static. */
const char *dip_h5_version(void);

#endif
