#include "data/cifar10.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    SIDE = 32,
    PLANE = SIDE * SIDE,
    RECORD = 1 + 3 * PLANE,
    PUBLISHED_BATCHES = 5,
    BATCHES_MAX = 1000,
    NAMES_LIMIT = 1 << 16
};

static const char *const published[DIP_CIFAR10_CLASSES] = {
    "airplane", "automobile", "bird",  "cat",  "deer",
    "dog",      "frog",       "horse", "ship", "truck"};

/* ---- names --------------------------------------------------------------- */

/* The lines of `text`, which is cut in place, that are not empty. */
static dip_status split_names(const char *names[DIP_CIFAR10_CLASSES],
                              char *text, const char *path, dip_err *err)
{
    int count = 0;
    for (char *line = text; *line != '\0';) {
        size_t n = strcspn(line, "\r\n");
        char *next = line + n + strspn(line + n, "\r\n");
        line[n] = '\0';
        if (n > 0 && count < DIP_CIFAR10_CLASSES)
            names[count] = line;
        count += n > 0;
        line = next;
    }
    for (int i = 0; i < count && count == DIP_CIFAR10_CLASSES; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                return dip_fail(err, DIP_EFORMAT, "class '%s' twice in '%s'",
                                names[i], path);
    return count == DIP_CIFAR10_CLASSES
               ? DIP_OK
               : dip_fail(err, DIP_EFORMAT,
                          "%d names of classes in '%s', not %d", count, path,
                          DIP_CIFAR10_CLASSES);
}

/* *text holds the names that are not the published ones; the caller's. */
static dip_status read_names(const char *names[DIP_CIFAR10_CLASSES],
                             char **text, const char *folder, dip_err *err)
{
    size_t n = 0;
    *text = NULL;
    memcpy(names, published, sizeof published);
    char *path = dip_path_join(folder, "batches.meta.txt");
    dip_status st = path != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK && dip_file_exists(path)) {
        st = dip_file_read(text, &n, path, NAMES_LIMIT, err);
        if (st == DIP_OK && strlen(*text) != n)
            st = dip_fail(err, DIP_EFORMAT, "zero byte in '%s'", path);
        if (st == DIP_OK)
            st = split_names(names, *text, path, err);
    }
    free(path);
    return st;
}

/* ---- batches ------------------------------------------------------------- */

static char *batch_path(const char *folder, int batch)
{
    char name[40];
    (void)snprintf(name, sizeof name, "data_batch_%d.bin", batch);
    return dip_path_join(folder, batch > 0 ? name : "test_batch.bin");
}

/* The records of a file by its size. */
static dip_status count_records(int64_t *count, const char *path, dip_err *err)
{
    dip_file_info info;
    dip_status st = dip_file_stat(&info, path, err);
    if (st != DIP_OK)
        return st;
    if (info.size == 0 || info.size % RECORD != 0)
        return dip_fail(err, DIP_EFORMAT,
                        "%lld bytes in '%s' are no whole number of records of "
                        "%d bytes",
                        (long long)info.size, path, RECORD);
    *count = info.size / RECORD;
    return DIP_OK;
}

/* How many batches there are, and their records. */
static dip_status count_training(int *batches, int64_t *total,
                                 const char *folder, dip_err *err)
{
    dip_status st = DIP_OK;
    bool more = true;
    *batches = 0;
    *total = 0;
    while (more && st == DIP_OK && *batches < BATCHES_MAX) {
        int64_t count = 0;
        char *path = batch_path(folder, *batches + 1);
        if (path == NULL)
            return dip_no_memory(err);
        more = dip_file_exists(path);
        if (more)
            st = count_records(&count, path, err);
        *total += count;
        *batches += more;
        free(path);
    }
    if (st == DIP_OK && *batches == 0)
        st = dip_fail(err, DIP_ENOTFOUND, "no file '%s/data_batch_1.bin'",
                      folder);
    return st;
}

/* A number that is left out is a file that was lost. */
static dip_status check_gap(const char *folder, int batches, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int b = batches + 2; b <= PUBLISHED_BATCHES && st == DIP_OK; b++) {
        char *path = batch_path(folder, b);
        if (path == NULL)
            return dip_no_memory(err);
        if (dip_file_exists(path))
            st = dip_fail(err, DIP_ENOTFOUND,
                          "no file '%s/data_batch_%d.bin', but one '%s'",
                          folder, batches + 1, path);
        free(path);
    }
    return st;
}

static void interleave(unsigned char *out, const unsigned char *planes)
{
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++)
            out[3 * i + c] = planes[c * PLANE + i];
}

/* Which rows a file adds. */
typedef struct {
    const char *prefix;
    dip_split split;
    int64_t next;     /* number of the next row */
    int64_t val_from; /* rows from this number on are for validation */
    const char *const *names;
} part;

static dip_status add_records(dip_photo_set *set, part *p, FILE *file,
                              const char *path, int64_t count, dip_err *err)
{
    unsigned char record[RECORD], pixels[3 * PLANE];
    for (int64_t i = 0; i < count; i++, p->next++) {
        if (fread(record, 1, RECORD, file) != RECORD)
            return dip_fail(err, DIP_EIO, "cannot read '%s'", path);
        if (record[0] >= DIP_CIFAR10_CLASSES)
            return dip_fail(err, DIP_EFORMAT,
                            "record %lld in '%s' has class %d", (long long)i,
                            path, record[0]);
        interleave(pixels, record + 1);
        dip_status st =
            dip_photo_set_add(set, p->prefix, p->next,
                              p->next < p->val_from ? p->split : DIP_SPLIT_VAL,
                              pixels, p->names[record[0]], err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status add_batch(dip_photo_set *set, part *p, int batch,
                            dip_err *err)
{
    int64_t count = 0;
    char *path = batch_path(set->options->folder, batch);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = count_records(&count, path, err);
    FILE *file = st == DIP_OK ? fopen(path, "rb") : NULL;
    if (st == DIP_OK && file == NULL)
        st = dip_fail(err, DIP_EIO, "cannot open '%s': %s", path,
                      strerror(errno));
    if (st == DIP_OK)
        st = add_records(set, p, file, path, count, err);
    if (file != NULL)
        (void)fclose(file);
    free(path);
    return st;
}

static dip_status add_all(dip_photo_set *set,
                          const char *const names[DIP_CIFAR10_CLASSES],
                          dip_err *err)
{
    int batches;
    int64_t total, val = set->options->val_rows;
    dip_status st = count_training(&batches, &total, set->options->folder, err);
    if (st == DIP_OK)
        st = check_gap(set->options->folder, batches, err);
    if (st == DIP_OK && val > total)
        st = dip_fail(err, DIP_ERANGE,
                      "%lld rows for validation, but the training batches of "
                      "'%s' have only %lld",
                      (long long)val, set->options->folder, (long long)total);
    if (st != DIP_OK)
        return st;
    part train = {"train", DIP_SPLIT_TRAIN, 0, total - val, names};
    part test = {"test", DIP_SPLIT_TEST, 0, INT64_MAX, names};
    for (int b = 1; b <= batches && st == DIP_OK; b++)
        st = add_batch(set, &train, b, err);
    return st == DIP_OK ? add_batch(set, &test, 0, err) : st;
}

dip_status dip_import_cifar10(dip_import_report *report,
                              const dip_photo_set_options *options,
                              dip_err *err)
{
    *report = (dip_import_report){0};
    dip_photo_set set = {.options = options,
                         .report = report,
                         .source = "CIFAR-10",
                         .side = SIDE,
                         .channels = 3};
    const char *names[DIP_CIFAR10_CLASSES];
    char *text;
    dip_status st = read_names(names, &text, options->folder, err);
    if (st == DIP_OK)
        st = dip_photo_set_begin(&set, err);
    if (st == DIP_OK)
        st = add_all(&set, names, err);
    if (st == DIP_OK)
        st = dip_photo_set_commit(&set, err);
    dip_photo_set_end(&set);
    free(text);
    return st;
}
