/* HDF5 files that are sound but hold anything: an input is a list of datasets,
 * of which each is a byte that says which it is, one for its type, one for its
 * length, and the values. A type beyond float64 in data/h5.h means int64 made
 * of bytes, as offsets are small. A dataset with "pixels" or "_image" in its
 * name is uint8 of four dimensions without values, one with "matrix" float32 of
 * two, and "input_..." of a type beyond strings of one column. Files that are
 * damaged themselves are no input for libhdf5, which is no match for them
 * (docs/data-format.md). */
#ifndef DIP_TESTS_FUZZ_RECORDS_H
#define DIP_TESTS_FUZZ_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/h5.h"

typedef struct {
    const char *format;          /* the attribute of this name */
    const char *const *groups;   /* made first; a NULL at the end */
    const char *const *datasets; /* what a record may name; likewise */
} fuzz_records;

#define FUZZ_RECORD_BYTES (UINT8_MAX * sizeof(int64_t)) /* at most */

static inline void fuzz_put_pixels(const dip_h5_file *file, const char *name,
                                   const unsigned char *head)
{
    dip_h5_dataset pixels;
    const int64_t dims[] = {head[2], head[1] % 5, 1 + head[1] % 3, 3};
    if (dip_h5_create_bytes(&pixels, file, name, 4, dims, NULL) == DIP_OK)
        dip_h5_dataset_close(&pixels);
}

/* Rows [count, width] of `type`, as many as there are bytes for; returns how
 * many bytes they take. */
static inline size_t fuzz_put_rows(const dip_h5_file *file, const char *name,
                                   hid_t type, size_t count, size_t width,
                                   const char *bytes, size_t n)
{
    char values[FUZZ_RECORD_BYTES];
    size_t row = H5Tget_size(type) * width;
    n = n < sizeof values ? n : sizeof values;
    count = count < n / row ? count : n / row;
    memcpy(values, bytes, count * row);
    const hsize_t size[] = {count, width};
    hid_t space = H5Screate_simple(2, size, NULL);
    hid_t data = H5Dcreate2(file->id, name, type, space, H5P_DEFAULT,
                            H5P_DEFAULT, H5P_DEFAULT);
    if (data >= 0) { /* else there is one of the name */
        (void)H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        (void)H5Dclose(data);
    }
    (void)H5Sclose(space);
    return count * row;
}

static inline size_t fuzz_put_strings(const dip_h5_file *file, const char *name,
                                      size_t count, size_t size,
                                      const char *bytes, size_t n)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    (void)H5Tset_size(type, size);
    size_t used = fuzz_put_rows(file, name, type, count, 1, bytes, n);
    (void)H5Tclose(type);
    return used;
}

static inline size_t fuzz_put_numbers(const dip_h5_file *file, const char *name,
                                      size_t kind, size_t count,
                                      const char *bytes, size_t n)
{
    static const size_t sizes[] = {
#define SIZE(type, words, size, cls, sign) size,
        DIP_H5_TYPE_TABLE(SIZE)
#undef SIZE
    };
    bool widen = kind > DIP_H5_F64;
    size_t size = widen ? 1 : sizes[kind];
    int64_t values[UINT8_MAX] = {0};
    if (count > n / size)
        count = n / size;
    if (!widen)
        memcpy(values, bytes, count * size);
    for (size_t i = 0; widen && i < count; i++)
        values[i] = (signed char)bytes[i];
    (void)!dip_h5_write(file, name, widen ? DIP_H5_I64 : (dip_h5_type)kind,
                        (int64_t)count, values, NULL);
    return count * size;
}

/* Returns how many of the bytes the record takes. */
static inline size_t fuzz_put_record(const dip_h5_file *file, const char *name,
                                     const char *bytes, size_t n)
{
    const unsigned char *head = (const unsigned char *)bytes;
    size_t kind = head[1] % 8, count = head[2];
    bytes += 3, n -= 3;
    if (strstr(name, "pixels") != NULL || strstr(name, "_image") != NULL) {
        fuzz_put_pixels(file, name, head);
        return 3;
    }
    if (strstr(name, "matrix") != NULL)
        return 3 + fuzz_put_rows(file, name, H5T_NATIVE_FLOAT, count,
                                 1 + kind % 3, bytes, n);
    if (strncmp(name, "input_", 6) == 0 && kind > DIP_H5_F64)
        return 3 + fuzz_put_strings(file, name, count, 1 + head[1] / 8 % 8,
                                    bytes, n);
    return 3 + fuzz_put_numbers(file, name, kind, count, bytes, n);
}

/* Writes "<path>.h5", whose name is *out; the caller frees it in any case. */
static inline bool fuzz_write_records(dip_str *out, const char *path,
                                      const fuzz_records *records,
                                      const char *bytes, size_t n)
{
    dip_h5_file file;
    size_t known = 0;
    dip_str_addf(out, "%s.h5", path);
    (void)unlink(out->data);
    if (dip_h5_create(&file, out->data, NULL) != DIP_OK)
        return false;
    bool done =
        dip_h5_put_text(&file, "format", records->format, NULL) == DIP_OK &&
        dip_h5_put_int(&file, "version", 1, NULL) == DIP_OK;
    for (const char *const *group = records->groups; *group != NULL; group++)
        done = done && dip_h5_make_group(&file, *group, NULL) == DIP_OK;
    while (records->datasets[known] != NULL)
        known++;
    for (size_t at = 0; n - at >= 3;) {
        size_t which = (unsigned char)bytes[at] % known;
        at += fuzz_put_record(&file, records->datasets[which], bytes + at,
                              n - at);
    }
    return dip_h5_finish(&file, NULL) == DIP_OK && done;
}

#endif
