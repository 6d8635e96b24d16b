#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

static dip_status fail_errno(dip_err *err, const char *what, const char *path)
{
    return dip_fail(err, DIP_EIO, "cannot %s '%s': %s", what, path,
                    strerror(errno));
}

/* ---- reading ---- */

static dip_status read_stream(dip_str *text, FILE *stream, const char *path,
                              size_t limit, dip_err *err)
{
    char chunk[1 << 16];
    size_t n;
    do {
        n = fread(chunk, 1, sizeof chunk, stream);
        if (n > limit - text->len)
            return dip_fail(err, DIP_ERANGE, "'%s' is larger than %zu bytes",
                            path, limit);
        dip_str_add_n(text, chunk, n);
    } while (n == sizeof chunk && !text->failed);
    if (ferror(stream))
        return fail_errno(err, "read", path);
    return dip_str_status(text, err);
}

dip_status dip_file_read(char **out, size_t *len, const char *path,
                         size_t limit, dip_err *err)
{
    *out = NULL;
    *len = 0;
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL)
        return fail_errno(err, "open", path);
    dip_str text = {0};
    dip_status st = read_stream(&text, stream, path, limit, err);
    (void)fclose(stream); /* only read */
    if (st != DIP_OK) {
        dip_str_free(&text);
        return st;
    }
    *out = text.data;
    *len = text.len;
    return DIP_OK;
}

dip_status dip_file_stat(dip_file_info *out, const char *path, dip_err *err)
{
    struct stat found;
    if (stat(path, &found) != 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return dip_fail(err, missing ? DIP_ENOTFOUND : DIP_EIO,
                        "cannot open '%s': %s", path, strerror(errno));
    }
    *out = (dip_file_info){
        .device = (uint64_t)found.st_dev,
        .inode = (uint64_t)found.st_ino,
        .size = (int64_t)found.st_size,
        .mtime_ns = (int64_t)found.st_mtim.tv_sec * 1000000000 +
                    (int64_t)found.st_mtim.tv_nsec,
        .is_directory = S_ISDIR(found.st_mode),
    };
    return DIP_OK;
}

bool dip_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool dip_file_is_directory(const char *path)
{
    dip_file_info info;
    return dip_file_stat(&info, path, NULL) == DIP_OK && info.is_directory;
}

bool dip_file_same(const char *a, const char *b)
{
    dip_file_info first, second;
    return dip_file_stat(&first, a, NULL) == DIP_OK &&
           dip_file_stat(&second, b, NULL) == DIP_OK &&
           first.device == second.device && first.inode == second.inode;
}

/* ---- writing ---- */

/* Syncs a file or a directory by its name. */
static dip_status sync_path(const char *path, dip_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail_errno(err, "open", path);
    dip_status st = DIP_OK;
    if (fsync(fd) != 0)
        st = fail_errno(err, "sync", path);
    (void)close(fd);
    return st;
}

static dip_status sync_parent(const char *path, dip_err *err)
{
    char *parent = dip_path_dir(path);
    if (parent == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    int fd = open(parent, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0 || fsync(fd) != 0)
        st = fail_errno(err, "sync", parent);
    if (fd >= 0)
        (void)close(fd);
    free(parent);
    return st;
}

static dip_status rename_synced(const char *from, const char *to, dip_err *err)
{
    if (rename(from, to) != 0)
        return fail_errno(err, "write", to);
    return sync_parent(to, err);
}

/* "<path><suffix>"; NULL when memory is out. */
static char *with_suffix(const char *path, const char *suffix)
{
    dip_str s = {0};
    dip_str_add(&s, path);
    /* "runs/a/" means "runs/a": the temporary stands beside it. */
    while (s.len > 1 && s.data[s.len - 1] == '/')
        s.data[--s.len] = '\0';
    dip_str_add(&s, suffix);
    if (s.failed)
        dip_str_free(&s);
    return s.data;
}

#define TEMP_ATTEMPTS 100

/* A name beside `path` that no other process and no attempt uses. mkstemp()
 * would make a private file; these get the modes that umask leaves. */
static char *temp_name(const char *path, int attempt)
{
    char suffix[48];
    (void)snprintf(suffix, sizeof suffix, ".tmp-%lx%02x", (long)getpid(),
                   (unsigned)attempt);
    return with_suffix(path, suffix);
}

typedef int temp_maker(const char *name); /* below 0: failed, see errno */

static int make_temp_file(const char *name)
{
    return open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

static int make_temp_dir(const char *name)
{
    return mkdir(name, 0777);
}

/* Makes something new beside `path`; *made is what `maker` returned. */
static dip_status make_temp(char **name, int *made, const char *path,
                            temp_maker *maker, dip_err *err)
{
    *name = NULL;
    for (int attempt = 0; attempt < TEMP_ATTEMPTS; attempt++) {
        char *temp = temp_name(path, attempt);
        if (temp == NULL)
            return dip_no_memory(err);
        *made = maker(temp);
        if (*made >= 0) {
            *name = temp;
            return DIP_OK;
        }
        free(temp);
        if (errno != EEXIST)
            break;
    }
    return fail_errno(err, "write", path);
}

struct dip_file_writer {
    char *path;
    char *temp; /* NULL when there is none, or no longer */
    FILE *stream;
};

dip_status dip_file_writer_open(dip_file_writer **out, const char *path,
                                dip_err *err)
{
    *out = NULL;
    dip_file_writer *writer = dip_calloc(1, sizeof *writer);
    if (writer == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    writer->path = dip_strdup(path);
    if (writer->path == NULL) {
        st = dip_no_memory(err);
        goto close_writer;
    }
    int fd = -1;
    st = make_temp(&writer->temp, &fd, path, make_temp_file, err);
    if (st != DIP_OK)
        goto close_writer;
    writer->stream = fdopen(fd, "wb");
    if (writer->stream == NULL) {
        st = fail_errno(err, "write", path);
        (void)close(fd);
        goto close_writer;
    }
    *out = writer;
    writer = NULL;
close_writer:
    dip_file_writer_close(writer);
    return st;
}

FILE *dip_file_writer_stream(dip_file_writer *writer)
{
    return writer->stream;
}

const char *dip_file_writer_path(const dip_file_writer *writer)
{
    return writer->temp;
}

/* A stream that failed does not say why; one more write to the file, which is
 * thrown away, does. A write may be cut short before one fails. */
static dip_status fail_stream(FILE *stream, const char *path, dip_err *err)
{
    static const char bytes[1 << 16];
    for (int i = 0; i < 2; i++) {
        if (write(fileno(stream), bytes, sizeof bytes) < 0)
            return fail_errno(err, "write", path);
    }
    return dip_fail(err, DIP_EIO, "cannot write '%s'", path);
}

dip_status dip_file_writer_commit(dip_file_writer *writer, dip_err *err)
{
    FILE *stream = writer->stream;
    if (ferror(stream))
        return fail_stream(stream, writer->path, err);
    if (fflush(stream) != 0 || fsync(fileno(stream)) != 0)
        return fail_errno(err, "write", writer->path);
    writer->stream = NULL;
    if (fclose(stream) != 0)
        return fail_errno(err, "write", writer->path);
    if (rename(writer->temp, writer->path) != 0)
        return fail_errno(err, "write", writer->path);
    free(writer->temp);
    writer->temp = NULL;
    return sync_parent(writer->path, err);
}

void dip_file_writer_close(dip_file_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->stream != NULL)
        (void)fclose(writer->stream); /* of a file that is thrown away */
    if (writer->temp != NULL)
        (void)unlink(writer->temp);
    free(writer->temp);
    free(writer->path);
    free(writer);
}

dip_status dip_file_write(const char *path, const void *bytes, size_t n,
                          dip_err *err)
{
    dip_file_writer *writer;
    dip_status st = dip_file_writer_open(&writer, path, err);
    if (st != DIP_OK)
        return st;
    if (n > 0 && fwrite(bytes, 1, n, writer->stream) != n)
        st = fail_errno(err, "write", path);
    else
        st = dip_file_writer_commit(writer, err);
    dip_file_writer_close(writer);
    return st;
}

dip_status dip_link_replace(const char *path, const char *target, dip_err *err)
{
    struct stat found;
    if (lstat(path, &found) == 0 && !S_ISLNK(found.st_mode))
        return dip_fail(err, DIP_EIO, "'%s' is not a link", path);
    char *temp = with_suffix(path, ".tmp-link");
    if (temp == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    (void)unlink(temp); /* left by a crash */
    if (symlink(target, temp) != 0)
        st = fail_errno(err, "write", path);
    else
        st = rename_synced(temp, path, err);
    if (st != DIP_OK)
        (void)unlink(temp);
    free(temp);
    return st;
}

/* ---- a directory at once ---- */

struct dip_dir_writer {
    char *path;
    char *temp; /* NULL when there is none, or no longer */
    bool over;  /* what is there may be replaced */
};

static dip_status check_replaceable(const char *path, dip_err *err)
{
    struct stat found;
    if (lstat(path, &found) != 0)
        return DIP_OK;
    char **names = NULL;
    size_t count = 1;
    if (S_ISDIR(found.st_mode)) {
        dip_status st = dip_dir_list(&names, &count, path, err);
        if (st != DIP_OK)
            return st;
        dip_dir_list_free(names, count);
    }
    if (count > 0)
        return dip_fail(err, DIP_EIO, "'%s' exists already", path);
    return DIP_OK;
}

static dip_status open_dir_writer(dip_dir_writer **out, const char *path,
                                  bool over, dip_err *err)
{
    *out = NULL;
    dip_dir_writer *writer = dip_calloc(1, sizeof *writer);
    if (writer == NULL)
        return dip_no_memory(err);
    writer->over = over;
    writer->path = with_suffix(path, "");
    int made = -1;
    dip_status st = writer->path != NULL ? make_temp(&writer->temp, &made, path,
                                                     make_temp_dir, err)
                                         : dip_no_memory(err);
    if (st != DIP_OK) {
        dip_dir_writer_close(writer);
        return st;
    }
    *out = writer;
    return DIP_OK;
}

dip_status dip_dir_writer_open(dip_dir_writer **out, const char *path,
                               dip_err *err)
{
    *out = NULL;
    dip_status st = check_replaceable(path, err);
    return st == DIP_OK ? open_dir_writer(out, path, false, err) : st;
}

dip_status dip_dir_writer_open_over(dip_dir_writer **out, const char *path,
                                    dip_err *err)
{
    return open_dir_writer(out, path, true, err);
}

const char *dip_dir_writer_path(const dip_dir_writer *writer)
{
    return writer->temp;
}

void dip_dir_writer_close(dip_dir_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->temp != NULL)
        (void)!dip_tree_remove(writer->temp, NULL);
    free(writer->temp);
    free(writer->path);
    free(writer);
}

/* ---- trees ---- */

typedef dip_status tree_visit(const char *path, mode_t mode, dip_err *err);

/* Visits the entries of a tree, a directory after what it holds. */
static dip_status walk_tree(const char *path, tree_visit *visit, dip_err *err)
{
    struct stat found;
    if (lstat(path, &found) != 0)
        return fail_errno(err, "open", path);
    char **names = NULL;
    size_t count = 0;
    dip_status st = DIP_OK;
    if (S_ISDIR(found.st_mode))
        st = dip_dir_list(&names, &count, path, err);
    for (size_t i = 0; i < count && st == DIP_OK; i++) {
        char *child = dip_path_join(path, names[i]);
        st = child != NULL ? walk_tree(child, visit, err) : dip_no_memory(err);
        free(child);
    }
    dip_dir_list_free(names, count);
    return st == DIP_OK ? visit(path, found.st_mode, err) : st;
}

static dip_status sync_entry(const char *path, mode_t mode, dip_err *err)
{
    if (!S_ISREG(mode) && !S_ISDIR(mode))
        return DIP_OK; /* a link lives in its directory */
    return sync_path(path, err);
}

static dip_status remove_entry(const char *path, mode_t mode, dip_err *err)
{
    int failed = S_ISDIR(mode) ? rmdir(path) : unlink(path);
    return failed ? fail_errno(err, "remove", path) : DIP_OK;
}

/* Puts the new directory in the place of the old one, which then has the
 * temporary name; in two steps where the file system cannot exchange names. */
static dip_status exchange(dip_dir_writer *writer, dip_err *err)
{
    if (renameat2(AT_FDCWD, writer->temp, AT_FDCWD, writer->path,
                  RENAME_EXCHANGE) == 0)
        return DIP_OK;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return fail_errno(err, "write", writer->path);
    char *aside = with_suffix(writer->temp, ".old");
    if (aside == NULL)
        return dip_no_memory(err);
    (void)!dip_tree_remove(aside, NULL); /* left by a crash */
    if (rename(writer->path, aside) != 0) {
        free(aside);
        return fail_errno(err, "write", writer->path);
    }
    if (rename(writer->temp, writer->path) != 0) {
        dip_status st = fail_errno(err, "write", writer->path);
        (void)rename(aside, writer->path);
        free(aside);
        return st;
    }
    free(writer->temp);
    writer->temp = aside;
    return DIP_OK;
}

dip_status dip_dir_writer_commit(dip_dir_writer *writer, dip_err *err)
{
    dip_status st = walk_tree(writer->temp, sync_entry, err);
    if (st != DIP_OK)
        return st;
    if (writer->over && dip_file_exists(writer->path)) {
        /* Closing removes what has the temporary name now. */
        st = exchange(writer, err);
        return st == DIP_OK ? sync_parent(writer->path, err) : st;
    }
    if (rename(writer->temp, writer->path) != 0)
        return fail_errno(err, "write", writer->path);
    free(writer->temp);
    writer->temp = NULL;
    return sync_parent(writer->path, err);
}

dip_status dip_tree_remove(const char *path, dip_err *err)
{
    struct stat found;
    if (lstat(path, &found) != 0 && errno == ENOENT)
        return DIP_OK;
    return walk_tree(path, remove_entry, err);
}
