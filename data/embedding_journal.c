#include "data/embedding_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

#define MAGIC    "DIPEMBJ1"
#define KEY_SIZE 64

typedef struct {
    char magic[sizeof MAGIC - 1];
    char key[KEY_SIZE];
    int64_t dim;
} head;

typedef struct {
    dip_row_digest digest;
    uint32_t present;
} row_head;

struct dip_embedding_journal {
    char *path;
    FILE *file;
    int64_t dim;
    int64_t count; /* records */
    size_t size;   /* bytes of a record */
    char *record;  /* one of them */
};

static dip_status fail_errno(const dip_embedding_journal *j, const char *verb,
                             dip_err *err)
{
    return dip_fail(err, DIP_EIO, "cannot %s '%s': %s", verb, j->path,
                    strerror(errno));
}

static uint32_t checksum(const dip_embedding_journal *j)
{
    return (uint32_t)crc32(0, (const unsigned char *)j->record,
                           (unsigned)(j->size - sizeof(uint32_t)));
}

static uint32_t stored_checksum(const dip_embedding_journal *j)
{
    uint32_t sum;
    memcpy(&sum, j->record + j->size - sizeof sum, sizeof sum);
    return sum;
}

static off_t place_of(const dip_embedding_journal *j, int64_t row)
{
    return (off_t)sizeof(head) + (off_t)row * (off_t)j->size;
}

/* Reads the next record; false at the end, or where it is damaged. */
static bool next_record(dip_embedding_journal *j)
{
    return fread(j->record, j->size, 1, j->file) == 1 &&
           checksum(j) == stored_checksum(j);
}

/* ---- opening ---- */

static dip_status open_file(dip_embedding_journal *j, dip_err *err)
{
    int fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail_errno(j, "open", err);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        dip_status st =
            errno == EWOULDBLOCK
                ? dip_fail(err, DIP_EIO, "another process writes to '%s'",
                           j->path)
                : fail_errno(j, "lock", err);
        (void)close(fd);
        return st;
    }
    j->file = fdopen(fd, "r+b");
    if (j->file == NULL) {
        (void)close(fd);
        return dip_no_memory(err);
    }
    return DIP_OK;
}

/* Where it is not ours, only the lock was touched so far: an empty file, or one
 * with our magic, may be overwritten; another may be somebody's. */
static dip_status read_head(bool *same, dip_embedding_journal *j,
                            const head *wanted, dip_err *err)
{
    head found;
    size_t n = fread(&found, 1, sizeof found, j->file);
    *same = n == sizeof found && memcmp(&found, wanted, sizeof found) == 0;
    size_t magic = n < sizeof found.magic ? n : sizeof found.magic;
    if (memcmp(found.magic, MAGIC, magic) != 0)
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' is in the way: it is no journal of embeddings",
                        j->path);
    return DIP_OK;
}

static void keep_records(dip_embedding_journal *j, const dip_row_digest *wanted,
                         int64_t rows)
{
    while (j->count < rows && next_record(j) &&
           memcmp(j->record, &wanted[j->count], sizeof *wanted) == 0)
        j->count++;
}

static dip_status begin(dip_embedding_journal *j, const char *key,
                        const dip_row_digest *wanted, int64_t rows,
                        dip_err *err)
{
    head h = {.dim = j->dim};
    bool same = false;
    memcpy(h.magic, MAGIC, sizeof h.magic);
    memcpy(h.key, key, sizeof h.key);
    dip_status st = read_head(&same, j, &h, err);
    if (st != DIP_OK)
        return st;
    if (same)
        keep_records(j, wanted, rows);
    if (ftruncate(fileno(j->file), same ? place_of(j, j->count) : 0) != 0)
        return fail_errno(j, "cut", err);
    if (fseeko(j->file, 0, same ? SEEK_END : SEEK_SET) != 0 ||
        (!same && fwrite(&h, sizeof h, 1, j->file) != 1) ||
        fflush(j->file) != 0)
        return fail_errno(j, "write", err);
    return DIP_OK;
}

dip_status dip_embedding_journal_open(dip_embedding_journal **out,
                                      int64_t *kept, const char *path,
                                      const char *key, int64_t dim,
                                      const dip_row_digest *wanted,
                                      int64_t rows, dip_err *err)
{
    *out = NULL;
    *kept = 0;
    dip_embedding_journal *j = dip_calloc(1, sizeof *j);
    if (j == NULL)
        return dip_no_memory(err);
    j->dim = dim;
    j->size = sizeof(row_head) + (size_t)dim * sizeof(float) + sizeof(uint32_t);
    j->path = dip_strdup(path);
    j->record = dip_calloc(j->size, 1);
    dip_status st = j->path != NULL && j->record != NULL ? open_file(j, err)
                                                         : dip_no_memory(err);
    if (st == DIP_OK)
        st = begin(j, key, wanted, rows, err);
    if (st != DIP_OK) {
        dip_embedding_journal_close(j);
        return st;
    }
    *kept = j->count;
    *out = j;
    return DIP_OK;
}

/* ---- rows ---- */

dip_status dip_embedding_journal_add(dip_embedding_journal *j,
                                     const dip_row_digest *digests,
                                     const uint8_t *present,
                                     const float *values, int64_t count,
                                     dip_err *err)
{
    size_t bytes = (size_t)j->dim * sizeof *values;
    if (fseeko(j->file, place_of(j, j->count), SEEK_SET) != 0)
        return fail_errno(j, "write", err);
    for (int64_t i = 0; i < count; i++) {
        row_head row = {digests[i], present[i] != 0};
        memcpy(j->record, &row, sizeof row);
        memcpy(j->record + sizeof row, values + i * j->dim, bytes);
        uint32_t sum = checksum(j);
        memcpy(j->record + sizeof row + bytes, &sum, sizeof sum);
        if (fwrite(j->record, j->size, 1, j->file) != 1)
            return fail_errno(j, "write", err);
    }
    if (fflush(j->file) != 0)
        return fail_errno(j, "write", err);
    j->count += count;
    return DIP_OK;
}

dip_status dip_embedding_journal_read(float *values, uint8_t *present,
                                      dip_embedding_journal *j, int64_t first,
                                      int64_t count, dip_err *err)
{
    if (fseeko(j->file, place_of(j, first), SEEK_SET) != 0)
        return fail_errno(j, "read", err);
    for (int64_t i = 0; i < count; i++) {
        row_head row;
        if (!next_record(j))
            return dip_fail(err, DIP_EFORMAT, "damaged record %lld of '%s'",
                            (long long)(first + i), j->path);
        memcpy(&row, j->record, sizeof row);
        present[i] = row.present != 0;
        memcpy(values + i * j->dim, j->record + sizeof row,
               (size_t)j->dim * sizeof *values);
    }
    return DIP_OK;
}

dip_status dip_embedding_journal_remove(dip_embedding_journal *j, dip_err *err)
{
    return unlink(j->path) == 0 ? DIP_OK : fail_errno(j, "remove", err);
}

void dip_embedding_journal_close(dip_embedding_journal *j)
{
    if (j == NULL)
        return;
    if (j->file != NULL)
        (void)fclose(j->file);
    free(j->path);
    free(j->record);
    free(j);
}
