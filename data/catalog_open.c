#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/catalog_parts.h"
#include "data/layout_table.h"

static void warn(const dip_catalog_options *options, const dip_err *message)
{
    if (options != NULL && options->warn != NULL)
        options->warn(options->user, message->msg);
}

/* ---- a catalog with a manifest ---- */

/* "X.h5" beside a manifest must be what the manifest speaks of, unless it is
 * only the common name of shards. */
static dip_status check_listed(const dip_manifest *manifest, const char *path,
                               const char *manifest_path, dip_err *err)
{
    if (!dip_path_has_suffix(path, ".h5") || !dip_file_exists(path))
        return DIP_OK;
    for (int i = 0; i < manifest->shard_count; i++) {
        if (strcmp(manifest->shards[i].file, dip_path_base(path)) == 0)
            return DIP_OK;
    }
    return dip_fail(err, DIP_EFORMAT, "'%s' does not list '%s'", manifest_path,
                    dip_path_base(path));
}

static dip_status check_columns(const dip_catalog *catalog,
                                const char *manifest_path, dip_err *err)
{
    const dip_manifest *m = &catalog->manifest;
    int found = 0;
    for (int i = 0; i < m->column_count; i++) {
        for (int j = 0; j < catalog->column_count; j++) {
            const dip_column *a = &m->columns[i];
            const dip_column *b = &catalog->columns[j].about;
            found += a->kind == b->kind && strcmp(a->name, b->name) == 0 &&
                     a->encoded == b->encoded && a->height == b->height &&
                     a->width == b->width && a->channels == b->channels &&
                     a->classes == b->classes;
        }
    }
    if (found == m->column_count && found == catalog->column_count)
        return DIP_OK;
    return dip_fail(err, DIP_EFORMAT, "columns of '%s' are not those in '%s'",
                    catalog->parts[0].path, manifest_path);
}

static dip_status open_shard(dip_catalog *catalog, const char *folder,
                             const dip_manifest_file *shard, bool verify,
                             dip_err *err)
{
    char *path = dip_path_join(folder, shard->file);
    if (path == NULL)
        return dip_no_memory(err);
    int64_t before = catalog->rows;
    dip_layout_input input = {.path = path};
    dip_status st = dip_manifest_check(shard, path, verify, err);
    if (st == DIP_OK)
        st = dip_layout_catalog(catalog, &input, err);
    if (st == DIP_OK && catalog->rows - before != shard->rows)
        st = dip_fail(
            err, DIP_EFORMAT, "'%s' has %lld rows, its manifest says %lld",
            path, (long long)(catalog->rows - before), (long long)shard->rows);
    free(path);
    return st;
}

static dip_status open_links(dip_links *out, dip_link_kind kind,
                             const char *folder, const dip_manifest_file *file,
                             int64_t rows, bool verify, dip_err *err)
{
    if (file->file == NULL)
        return DIP_OK;
    char *path = dip_path_join(folder, file->file);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = dip_manifest_check(file, path, verify, err);
    if (st == DIP_OK)
        st = dip_links_read(out, kind, path, rows, err);
    if (st == DIP_OK && out->count != file->rows)
        st = dip_fail(err, DIP_EFORMAT,
                      "'%s' has %lld rows, its manifest says %lld", path,
                      (long long)out->count, (long long)file->rows);
    free(path);
    return st;
}

static dip_status copy_notes(dip_catalog *catalog, const char *name,
                             const char *created, const char *source,
                             dip_err *err)
{
    catalog->name = dip_strdup(name);
    catalog->created = dip_strdup(created);
    catalog->source = dip_strdup(source);
    return catalog->name != NULL && catalog->created != NULL &&
                   catalog->source != NULL
               ? DIP_OK
               : dip_no_memory(err);
}

static dip_status open_listed(dip_catalog *catalog, const char *manifest_path,
                              bool verify, dip_err *err)
{
    dip_manifest *m = &catalog->manifest;
    dip_status st = dip_manifest_read(m, manifest_path, err);
    if (st == DIP_OK)
        st = check_listed(m, catalog->path, manifest_path, err);
    if (st == DIP_OK)
        st = copy_notes(catalog, m->name, m->created, m->source, err);
    if (st != DIP_OK)
        return st;
    memcpy(catalog->digest, m->digest, sizeof catalog->digest);
    char *folder = dip_path_dir(manifest_path);
    if (folder == NULL)
        return dip_no_memory(err);
    for (int i = 0; i < m->shard_count && st == DIP_OK; i++)
        st = open_shard(catalog, folder, &m->shards[i], verify, err);
    if (st == DIP_OK)
        st = check_columns(catalog, manifest_path, err);
    if (st == DIP_OK)
        st = open_links(&catalog->judgements, DIP_LINK_JUDGEMENTS, folder,
                        &m->judgements, catalog->rows, verify, err);
    if (st == DIP_OK)
        st = open_links(&catalog->interactions, DIP_LINK_INTERACTIONS, folder,
                        &m->interactions, catalog->rows, verify, err);
    free(folder);
    return st;
}

/* ---- a file alone ---- */

static dip_status open_lone(dip_catalog *catalog, const char *manifest_path,
                            const dip_catalog_options *options, dip_err *err)
{
    dip_err message;
    (void)dip_fail(&message, DIP_OK,
                   "no manifest '%s': nothing vouches for '%s'", manifest_path,
                   catalog->path);
    warn(options, &message);
    dip_layout_input input = {.path = catalog->path};
    dip_status st = dip_manifest_digest(catalog->digest, catalog->path, err);
    return st == DIP_OK ? dip_layout_catalog(catalog, &input, err) : st;
}

static dip_status open_own(dip_catalog *catalog,
                           const dip_catalog_options *options, dip_err *err)
{
    const char *path = catalog->path;
    char *manifest_path = dip_manifest_path(path);
    if (manifest_path == NULL)
        return dip_no_memory(err);
    dip_status st;
    if (dip_file_exists(manifest_path))
        st = open_listed(catalog, manifest_path,
                         options != NULL && options->verify, err);
    else if (dip_file_exists(path) && !dip_file_is_directory(path) &&
             strcmp(path, manifest_path) != 0)
        st = open_lone(catalog, manifest_path, options, err);
    else
        st = dip_fail(err, DIP_ENOTFOUND,
                      "no catalog '%s': there is no manifest '%s'", path,
                      manifest_path);
    free(manifest_path);
    return st;
}

/* ---- foreign layouts ---- */

/* Digest of the digests of all files: names the data as a manifest would. */
static dip_status digest_files(dip_catalog *catalog, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < catalog->part_count && st == DIP_OK; i++)
        st = dip_catalog_add_digest(catalog, catalog->parts[i].path, err);
    if (st == DIP_OK)
        st = dip_digest_bytes(catalog->digest, catalog->digests.data,
                              catalog->digests.len, err);
    return st;
}

static dip_status open_file(dip_catalog *catalog, dip_layout_read *read,
                            const dip_mapping *mapping, const char *folder,
                            const char *file, dip_split split,
                            dip_names *groups, dip_err *err)
{
    char *path = dip_path_join(folder, file);
    if (path == NULL)
        return dip_no_memory(err);
    dip_layout_input input = {
        .path = path, .mapping = mapping, .split = split, .groups = groups};
    dip_status st = read(catalog, &input, err);
    free(path);
    return st;
}

static dip_status fail_layout(const char *layout, dip_err *err)
{
    dip_str known = {0};
    for (int i = 0; dip_layout_name(i) != NULL; i++)
        dip_str_addf(&known, "%s'%s'", i > 0 ? ", " : "", dip_layout_name(i));
    dip_status st =
        dip_fail(err, DIP_ECONFIG, "unknown layout '%s' (known: %s)", layout,
                 dip_str_text(&known));
    dip_str_free(&known);
    return st;
}

/* Either the mapping names files in a folder, or the path is the one file. */
static dip_status check_place(const char *path, bool named, dip_err *err)
{
    bool folder = dip_file_is_directory(path);
    if (named && !folder)
        return dip_fail(err, DIP_ECONFIG,
                        "no folder '%s' for the files that the mapping names",
                        path);
    if (!named && folder)
        return dip_fail(err, DIP_ECONFIG,
                        "the mapping names no file for a split in folder '%s'",
                        path);
    return DIP_OK;
}

static dip_status open_foreign(dip_catalog *catalog, const dip_mapping *mapping,
                               dip_err *err)
{
    dip_layout_read *read = dip_layout_find(mapping->layout);
    if (read == NULL)
        return fail_layout(mapping->layout, err);
    bool named = false;
    for (int s = 0; s < DIP_SPLIT_COUNT; s++)
        named = named || mapping->splits[s] != NULL;
    dip_names groups = {0};
    dip_status st = check_place(catalog->path, named, err);
    if (st == DIP_OK)
        st = copy_notes(catalog, dip_path_base(catalog->path), "", "", err);
    for (int s = 0; s < DIP_SPLIT_COUNT && st == DIP_OK; s++) {
        if (mapping->splits[s] != NULL)
            st = open_file(catalog, read, mapping, catalog->path,
                           mapping->splits[s], (dip_split)s, &groups, err);
    }
    if (!named && st == DIP_OK)
        st = open_file(catalog, read, mapping, "", catalog->path,
                       DIP_SPLIT_TRAIN, &groups, err);
    dip_names_free(&groups);
    return st == DIP_OK ? digest_files(catalog, err) : st;
}

dip_status dip_catalog_open(dip_catalog **out, const char *path,
                            const dip_catalog_options *options, dip_err *err)
{
    *out = NULL;
    dip_catalog *catalog = dip_calloc(1, sizeof *catalog);
    if (catalog == NULL)
        return dip_no_memory(err);
    const dip_mapping *mapping = options != NULL ? options->mapping : NULL;
    dip_status st = DIP_OK;
    catalog->path = dip_strdup(path != NULL ? path : ".");
    if (catalog->path == NULL)
        st = dip_no_memory(err);
    else if (mapping != NULL && mapping->layout != NULL)
        st = open_foreign(catalog, mapping, err);
    else
        st = open_own(catalog, options, err);
    if (st != DIP_OK) {
        dip_catalog_close(catalog);
        return st;
    }
    *out = catalog;
    return DIP_OK;
}
