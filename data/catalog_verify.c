#include "data/catalog_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    BLOCK = 1 << 18,
    FRESH_SECONDS = 2,
    CACHE_LIMIT = 1 << 18 /* bytes; some 2,000 files, then it starts over */
};

/* ---- digest of the metadata ---- */

static dip_status add_range(dip_digest *digest, FILE *file, const char *path,
                            dip_file_range range, char *block, dip_err *err)
{
    if (fseeko(file, (off_t)range.offset, SEEK_SET) != 0)
        return dip_fail(err, DIP_EIO, "cannot read '%s': %s", path,
                        strerror(errno));
    while (range.bytes > 0) {
        size_t n = range.bytes < BLOCK ? (size_t)range.bytes : BLOCK;
        if (fread(block, 1, n, file) != n)
            return dip_fail(err, DIP_EIO, "'%s' ends too early", path);
        dip_status st = dip_digest_add(digest, block, n, err);
        if (st != DIP_OK)
            return st;
        range.bytes -= (int64_t)n;
    }
    return DIP_OK;
}

static dip_status add_gaps(dip_digest *digest, FILE *file, const char *path,
                           int64_t size, const dip_file_range *bulk,
                           int bulk_count, dip_err *err)
{
    char *block = malloc(BLOCK);
    if (block == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    int64_t at = 0;
    for (int i = 0; i <= bulk_count && st == DIP_OK; i++) {
        int64_t end = i < bulk_count ? bulk[i].offset : size;
        st = add_range(digest, file, path, (dip_file_range){at, end - at},
                       block, err);
        if (i < bulk_count)
            at = bulk[i].offset + bulk[i].bytes;
    }
    free(block);
    return st;
}

dip_status dip_verify_metadata(char hex[DIP_DIGEST_SIZE], const char *path,
                               int64_t size, const dip_file_range *bulk,
                               int bulk_count, dip_err *err)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return dip_fail(err, DIP_EIO, "cannot open '%s': %s", path,
                        strerror(errno));
    dip_digest *digest = NULL;
    dip_status st = dip_digest_new(&digest, err);
    if (st == DIP_OK)
        st = add_gaps(digest, file, path, size, bulk, bulk_count, err);
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    (void)fclose(file);
    return st;
}

/* ---- what was computed before ---- */

/* The caller frees it; NULL when there is no place for a cache. */
static char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    if (cache != NULL && cache[0] == '/')
        return dip_path_join(cache, "diptych");
    const char *home = getenv("HOME");
    return home != NULL && home[0] == '/'
               ? dip_path_join(home, ".cache/diptych")
               : NULL;
}

static char *cache_path(void)
{
    char *folder = cache_folder();
    char *path = folder == NULL ? NULL : dip_path_join(folder, "digests");
    free(folder);
    return path;
}

/* "device inode size time " of a file, as a line of the cache starts. */
static int format_key(char *out, size_t size, const dip_file_info *file)
{
    return snprintf(out, size,
                    "%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " ",
                    file->device, file->inode, file->size, file->mtime_ns);
}

static bool is_digest(const char *text)
{
    return strspn(text, "0123456789abcdef") == DIP_DIGEST_SIZE - 1;
}

bool dip_verify_recall(char hex[DIP_DIGEST_SIZE], const dip_file_info *file)
{
    char key[128];
    int key_len = format_key(key, sizeof key, file);
    char *path = cache_path();
    FILE *cache = path == NULL ? NULL : fopen(path, "re");
    bool found = false;
    char line[256];
    while (cache != NULL && !found && fgets(line, sizeof line, cache) != NULL) {
        const char *digest = line + key_len;
        found = strncmp(line, key, (size_t)key_len) == 0 && is_digest(digest) &&
                digest[DIP_DIGEST_SIZE - 1] == '\n';
        if (found) {
            memcpy(hex, digest, DIP_DIGEST_SIZE - 1);
            hex[DIP_DIGEST_SIZE - 1] = '\0';
        }
    }
    if (cache != NULL)
        (void)fclose(cache);
    free(path);
    return found;
}

/* A file that was just written could change again within the resolution of its
 * time, and nothing would tell. */
static bool is_fresh(const dip_file_info *file)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return true;
    return file->mtime_ns / 1000000000 + FRESH_SECONDS >= (int64_t)now.tv_sec;
}

void dip_verify_remember(const char *hex, const dip_file_info *file)
{
    if (is_fresh(file))
        return;
    char line[256];
    int len = format_key(line, sizeof line, file);
    len += snprintf(line + len, sizeof line - (size_t)len, "%s\n", hex);
    char *folder = cache_folder();
    char *path = cache_path();
    if (folder == NULL || path == NULL || dip_dir_make(folder, NULL) != DIP_OK)
        goto free_paths;
    dip_file_info cache;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    if (dip_file_stat(&cache, path, NULL) == DIP_OK && cache.size > CACHE_LIMIT)
        flags |= O_TRUNC;
    int fd = open(path, flags, 0666);
    if (fd >= 0) {
        ssize_t written = write(fd, line, (size_t)len); /* whole, or useless */
        (void)written;
        (void)close(fd);
    }
free_paths:
    free(path);
    free(folder);
}
