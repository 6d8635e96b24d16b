/* HDF5 files that are sound but hold anything: an input is a list of datasets,
 * of which each is a byte that says which it is, one for its type, one for its
 * length, and the values. A type beyond those of data/h5.h means int64 made of
 * bytes, as offsets are small. Files that are damaged themselves are no input
 * for libhdf5, which is no match for them (docs/data-format.md). */
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

static inline size_t fuzz_put_record(const dip_h5_file *file, const char *name,
                                     const char *bytes, size_t n)
{
    static const size_t sizes[] = {
#define SIZE(type, words, size, cls, sign) size,
        DIP_H5_TYPE_TABLE(SIZE)
#undef SIZE
    };
    const unsigned char *head = (const unsigned char *)bytes;
    size_t kind = head[1] % 8, count = head[2];
    bool widen = kind >= DIP_ARRAY_LEN(sizes);
    size_t size = widen ? 1 : sizes[kind];
    int64_t values[UINT8_MAX] = {0};
    if (strstr(name, "pixels") != NULL) {
        dip_h5_dataset pixels;
        const int64_t dims[] = {(int64_t)count, head[1] % 5, 1 + head[1] % 3,
                                3};
        if (dip_h5_create_bytes(&pixels, file, name, 4, dims, NULL) == DIP_OK)
            dip_h5_dataset_close(&pixels);
        return 3;
    }
    if (count > (n - 3) / size)
        count = (n - 3) / size;
    if (!widen)
        memcpy(values, bytes + 3, count * size);
    for (size_t i = 0; widen && i < count; i++)
        values[i] = (signed char)bytes[3 + i];
    (void)!dip_h5_write(file, name, widen ? DIP_H5_I64 : (dip_h5_type)kind,
                        (int64_t)count, values, NULL);
    return 3 + count * size;
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
