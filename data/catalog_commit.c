#include "data/catalog_commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

dip_status dip_staged_begin(dip_staged *out, const char *folder,
                            const char *base, dip_err *err)
{
    dip_str name = {0};
    *out = (dip_staged){0};
    for (int k = 0; out->temp == NULL; k++) {
        dip_str_clear(&name);
        dip_str_addf(&name, ".%s.%ld-%d.tmp", base, (long)getpid(), k);
        if (dip_str_status(&name, NULL) == DIP_OK)
            out->temp = dip_path_join(folder, name.data);
        if (out->temp == NULL)
            break;
        if (dip_file_exists(out->temp)) {
            free(out->temp);
            out->temp = NULL;
        }
    }
    dip_str_free(&name);
    return out->temp != NULL ? DIP_OK : dip_no_memory(err);
}

static dip_status sync_path(const char *path, dip_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 ? -1 : fsync(fd);
    dip_status st = DIP_OK;
    if (failed != 0)
        st = dip_fail(err, DIP_EIO, "cannot sync '%s': %s", path,
                      strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return st;
}

dip_status dip_staged_describe(dip_manifest_file *out, const dip_staged *file,
                               int64_t rows, dip_file_range *bulk,
                               int bulk_count, dip_err *err)
{
    dip_status st =
        dip_manifest_describe(out, file->temp, rows, bulk, bulk_count, err);
    if (st == DIP_OK)
        st = sync_path(file->temp, err);
    if (st != DIP_OK)
        return st;
    free(out->file);
    out->file = dip_strdup(dip_path_base(file->path));
    return out->file != NULL ? DIP_OK : dip_no_memory(err);
}

void dip_staged_end(dip_staged *file)
{
    if (file->temp != NULL && !file->placed)
        (void)unlink(file->temp);
    free(file->temp);
    free(file->path);
    *file = (dip_staged){0};
}

static dip_status place(dip_staged *files, int count, dip_err *err)
{
    for (int i = 0; i < count; i++) {
        if (rename(files[i].temp, files[i].path) != 0)
            return dip_fail(err, DIP_EIO, "cannot rename '%s' to '%s': %s",
                            files[i].temp, files[i].path, strerror(errno));
        files[i].placed = true;
    }
    return DIP_OK;
}

static bool lists(const dip_manifest *m, const char *file)
{
    for (int i = 0; i < m->shard_count; i++) {
        if (strcmp(m->shards[i].file, file) == 0)
            return true;
    }
    return (m->judgements.file != NULL &&
            strcmp(m->judgements.file, file) == 0) ||
           (m->interactions.file != NULL &&
            strcmp(m->interactions.file, file) == 0);
}

static void remove_unlisted(const dip_manifest *now, const char *folder,
                            const char *file)
{
    if (file == NULL || lists(now, file))
        return;
    char *path = dip_path_join(folder, file);
    if (path != NULL)
        (void)unlink(path);
    free(path);
}

static void remove_former(const dip_manifest *former, const dip_manifest *now,
                          const char *folder)
{
    for (int i = 0; i < former->shard_count; i++)
        remove_unlisted(now, folder, former->shards[i].file);
    remove_unlisted(now, folder, former->judgements.file);
    remove_unlisted(now, folder, former->interactions.file);
}

dip_status dip_commit(const dip_manifest *manifest, const char *manifest_path,
                      dip_staged *files, int count, dip_err *err)
{
    char *folder = dip_path_dir(manifest_path);
    if (folder == NULL)
        return dip_no_memory(err);
    dip_manifest former;
    /* None, or a damaged one: then nothing is known to be removed. */
    bool known = dip_manifest_read(&former, manifest_path, NULL) == DIP_OK;
    dip_status st = place(files, count, err);
    if (st == DIP_OK)
        st = sync_path(folder, err);
    if (st == DIP_OK)
        st = dip_manifest_write(manifest, manifest_path, err);
    for (int i = 0; i < count && st != DIP_OK; i++) {
        bool was_there = known && lists(&former, dip_path_base(files[i].path));
        if (files[i].placed && !was_there)
            (void)unlink(files[i].path);
    }
    if (st == DIP_OK && known)
        remove_former(&former, manifest, folder);
    if (known)
        dip_manifest_free(&former);
    free(folder);
    return st;
}
