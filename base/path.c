/* Directories and the text of paths: the second half of base/file.h. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- directories ---- */

static dip_status make_one(const char *path, dip_err *err)
{
    if (mkdir(path, 0777) == 0 ||
        (errno == EEXIST && dip_file_is_directory(path)))
        return DIP_OK;
    return dip_fail(err, DIP_EIO, "cannot make directory '%s': %s", path,
                    strerror(errno));
}

dip_status dip_dir_make(const char *path, dip_err *err)
{
    char *part = dip_strdup(path);
    if (part == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    for (char *at = part + 1; part[0] != '\0' && st == DIP_OK; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        st = make_one(part, err);
        if (c == '\0')
            break;
        *at = c;
    }
    free(part);
    return st;
}

static int compare_names(const void *a, const void *b)
{
    const char *left, *right;
    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return strcmp(left, right);
}

/* Appends the next name; *end is set after the last. */
static dip_status read_name(char ***names, size_t *count, size_t *capacity,
                            DIR *dir, const char *path, bool *end, dip_err *err)
{
    errno = 0;
    const struct dirent *entry = readdir(dir);
    *end = entry == NULL;
    if (entry == NULL && errno != 0)
        return dip_fail(err, DIP_EIO, "cannot read '%s': %s", path,
                        strerror(errno));
    if (entry == NULL || strcmp(entry->d_name, ".") == 0 ||
        strcmp(entry->d_name, "..") == 0)
        return DIP_OK;
    dip_status st =
        dip_reserve(names, capacity, *count + 1, sizeof **names, err);
    if (st != DIP_OK)
        return st;
    char *name = dip_strdup(entry->d_name);
    if (name == NULL)
        return dip_no_memory(err);
    (*names)[(*count)++] = name;
    return DIP_OK;
}

dip_status dip_dir_list(char ***names, size_t *count, const char *path,
                        dip_err *err)
{
    *names = NULL;
    *count = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return dip_fail(err, DIP_EIO, "cannot open '%s': %s", path,
                        strerror(errno));
    size_t capacity = 0;
    bool end = false;
    dip_status st = DIP_OK;
    while (!end && st == DIP_OK)
        st = read_name(names, count, &capacity, dir, path, &end, err);
    (void)closedir(dir);
    if (st != DIP_OK) {
        dip_dir_list_free(*names, *count);
        *names = NULL;
        *count = 0;
    } else if (*count > 1) {
        qsort(*names, *count, sizeof **names, compare_names);
    }
    return st;
}

void dip_dir_list_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* ---- paths ---- */

char *dip_path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0' || strcmp(dir, ".") == 0)
        return dip_strdup(name);
    dip_str path = {0};
    dip_str_add(&path, dir);
    if (dir[strlen(dir) - 1] != '/')
        dip_str_add(&path, "/");
    dip_str_add(&path, name);
    if (path.failed)
        dip_str_free(&path);
    return path.data;
}

char *dip_path_dir(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--; /* "a/b/" names b */
    while (n > 0 && path[n - 1] != '/')
        n--;
    if (n == 0)
        return dip_strdup(".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    return dip_strndup(path, n);
}

const char *dip_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

bool dip_path_has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    size_t tail = strlen(suffix);
    return n >= tail && strcmp(path + n - tail, suffix) == 0;
}
