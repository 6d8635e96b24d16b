/* Files: bounded reading, atomic files and directories, trees, paths.
 *
 * What is written appears whole or not at all: it is made under a temporary
 * name beside its place, synced, renamed, and the folder that holds it is
 * synced. Messages name the path and the system's reason. */
#ifndef DIP_BASE_FILE_H
#define DIP_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/* ---- reading ---- */

/* Reads all of `path`, at most `limit` bytes (more is DIP_ERANGE). The caller
 * frees *out, which carries a NUL after its *len bytes. */
dip_status dip_file_read(char **out, size_t *len, const char *path,
                         size_t limit, dip_err *err) DIP_MUST_CHECK;

typedef struct {
    uint64_t device;
    uint64_t inode;
    int64_t size;     /* bytes */
    int64_t mtime_ns; /* since 1970 */
    bool is_directory;
} dip_file_info;

/* Follows symbolic links; a missing file is DIP_ENOTFOUND. */
dip_status dip_file_stat(dip_file_info *out, const char *path,
                         dip_err *err) DIP_MUST_CHECK;
bool dip_file_exists(const char *path);
bool dip_file_is_directory(const char *path);
/* Whether both are there, and are one file under two names or one. */
bool dip_file_same(const char *a, const char *b);

/* ---- writing ---- */

/* Replaces `path` by `n` bytes, atomically. */
dip_status dip_file_write(const char *path, const void *bytes, size_t n,
                          dip_err *err) DIP_MUST_CHECK;

/* A file that is written in pieces. */
typedef struct dip_file_writer dip_file_writer;

/* Makes the temporary file. The caller ends *out with
 * dip_file_writer_close(), committed or not. */
dip_status dip_file_writer_open(dip_file_writer **out, const char *path,
                                dip_err *err) DIP_MUST_CHECK;
/* Borrowed: the stream to write to. */
FILE *dip_file_writer_stream(dip_file_writer *writer);
/* Borrowed: the temporary file's path, for a library that opens it itself
 * (and has closed it before the commit). */
const char *dip_file_writer_path(const dip_file_writer *writer);
/* Syncs and renames. Fails, and leaves the old file alone, if any write to
 * the stream failed. */
dip_status dip_file_writer_commit(dip_file_writer *writer,
                                  dip_err *err) DIP_MUST_CHECK;
/* Removes the temporary file unless it was committed. Accepts NULL. */
void dip_file_writer_close(dip_file_writer *writer);

/* A directory that is filled and then put in its place. */
typedef struct dip_dir_writer dip_dir_writer;

/* Makes `<path>.tmp-<number>`. A `path` that exists and is not an empty
 * directory is DIP_EIO: nothing is replaced. */
dip_status dip_dir_writer_open(dip_dir_writer **out, const char *path,
                               dip_err *err) DIP_MUST_CHECK;
/* The same for a `path` that may exist: the commit then puts the new directory
 * in its place in one step, and the old one is removed after it. A file system
 * that cannot exchange two names needs two steps, between which there is
 * neither. */
dip_status dip_dir_writer_open_over(dip_dir_writer **out, const char *path,
                                    dip_err *err) DIP_MUST_CHECK;
/* Borrowed: the temporary directory, into which the caller writes. */
const char *dip_dir_writer_path(const dip_dir_writer *writer);
/* Syncs every file and folder inside, renames, syncs the parent. */
dip_status dip_dir_writer_commit(dip_dir_writer *writer,
                                 dip_err *err) DIP_MUST_CHECK;
/* Removes the temporary directory unless it was committed. Accepts NULL. */
void dip_dir_writer_close(dip_dir_writer *writer);

/* Makes `path` a symbolic link to `target`, replacing an earlier link (and
 * nothing else than a link). */
dip_status dip_link_replace(const char *path, const char *target,
                            dip_err *err) DIP_MUST_CHECK;

/* ---- directories ---- */

/* Makes `path` and the folders above it; that it exists is no error. */
dip_status dip_dir_make(const char *path, dip_err *err) DIP_MUST_CHECK;
/* The names in `path` but "." and "..", in byte order. The caller ends them
 * with dip_dir_list_free(). */
dip_status dip_dir_list(char ***names, size_t *count, const char *path,
                        dip_err *err) DIP_MUST_CHECK;
void dip_dir_list_free(char **names, size_t count);
/* Removes a file or a whole tree without following links; a missing `path` is
 * no error. */
dip_status dip_tree_remove(const char *path, dip_err *err) DIP_MUST_CHECK;

/* ---- paths: text only; NULL when memory is out; the caller frees ---- */

/* "dir/name"; just `name` when it is absolute or `dir` is "" or ".". */
char *dip_path_join(const char *dir, const char *name);
/* The folder of `path`: "." when it names none, "/" for the root. */
char *dip_path_dir(const char *path);
/* Borrowed from `path`: what follows the last slash. */
const char *dip_path_base(const char *path);
/* Whether `path` ends with `suffix`, say ".h5". */
bool dip_path_has_suffix(const char *path, const char *suffix);

#endif
