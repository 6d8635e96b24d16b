/* Adding search logs and behaviour to a catalog that exists. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/catalog_commit.h"
#include "data/catalog_links.h"
#include "data/catalog_writer.h"

static dip_status fill_names(dip_links *links, const dip_bytes *names,
                             int64_t count, dip_err *err)
{
    size_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        if (dip_add_overflows(total, names[i].len, &total))
            return dip_no_memory(err);
    }
    links->names = count;
    links->bytes = dip_calloc(total, 1);
    links->offsets = dip_calloc((size_t)count + 1, sizeof *links->offsets);
    if (links->bytes == NULL || links->offsets == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++) {
        if (names[i].len > 0)
            memcpy(links->bytes + links->offsets[i], names[i].data,
                   names[i].len);
        links->offsets[i + 1] = links->offsets[i] + (int64_t)names[i].len;
    }
    return DIP_OK;
}

static dip_status make_items(dip_links *links, int64_t count, dip_err *err)
{
    size_t n = (size_t)count;
    links->count = count;
    links->who = dip_calloc(n, sizeof *links->who);
    links->row = dip_calloc(n, sizeof *links->row);
    links->weight = dip_calloc(n, sizeof *links->weight);
    links->time = dip_calloc(n, sizeof *links->time);
    links->split = dip_calloc(n, sizeof *links->split);
    return links->who != NULL && links->row != NULL && links->weight != NULL &&
                   links->time != NULL && links->split != NULL
               ? DIP_OK
               : dip_no_memory(err);
}

/* A value that fits no byte becomes one that the check refuses. */
static uint8_t split_byte(dip_split split)
{
    return (unsigned)split < DIP_SPLIT_COUNT ? (uint8_t)split : UINT8_MAX;
}

/* "<folder>/X.<words>-<8 digits of the digest>.h5": a new name for new content,
 * so that the former file stays whole until the manifest is replaced. */
static dip_status name_file(dip_staged *file, const char *manifest_path,
                            const char *words, dip_err *err)
{
    char hex[DIP_DIGEST_SIZE];
    dip_status st = dip_digest_file(hex, file->temp, err);
    if (st != DIP_OK)
        return st;
    dip_str path = {0};
    dip_str_add_n(&path, manifest_path,
                  strlen(manifest_path) - strlen(DIP_MANIFEST_SUFFIX));
    dip_str_addf(&path, ".%s-%.8s.h5", words, hex);
    st = dip_str_status(&path, err);
    if (st == DIP_OK)
        file->path = path.data;
    else
        dip_str_free(&path);
    return st;
}

/* Writes the file and renews the manifest, where `slot` stands for it. */
static dip_status replace(dip_manifest *m, dip_manifest_file *slot,
                          const dip_links *links, dip_link_kind kind,
                          const char *words, const char *manifest_path,
                          dip_err *err)
{
    dip_staged file = {0};
    dip_manifest_file about = {0};
    char *folder = dip_path_dir(manifest_path);
    dip_status st = folder == NULL
                        ? dip_no_memory(err)
                        : dip_staged_begin(&file, folder, words, err);
    if (st == DIP_OK)
        st = dip_links_write(links, kind, file.temp, err);
    if (st == DIP_OK)
        st = name_file(&file, manifest_path, words, err);
    if (st == DIP_OK)
        st = dip_staged_describe(&about, &file, links->count, NULL, 0, err);
    if (st == DIP_OK) {
        dip_manifest_file_free(slot);
        *slot = about;
        about = (dip_manifest_file){0};
        st = dip_commit(m, manifest_path, &file, 1, err);
    }
    dip_manifest_file_free(&about);
    dip_staged_end(&file);
    free(folder);
    return st;
}

static dip_status put(const char *path, const dip_links *links,
                      dip_link_kind kind, const char *words, dip_err *err)
{
    char *manifest_path = dip_manifest_path(path);
    if (manifest_path == NULL)
        return dip_no_memory(err);
    dip_manifest m = {0};
    dip_status st = dip_manifest_read(&m, manifest_path, err);
    if (st != DIP_OK)
        goto free_path;
    st = dip_links_check(links, kind, path, m.rows, err);
    if (st == DIP_OK)
        st = replace(
            &m, kind == DIP_LINK_JUDGEMENTS ? &m.judgements : &m.interactions,
            links, kind, words, manifest_path, err);
free_path:
    dip_manifest_free(&m);
    free(manifest_path);
    return st;
}

dip_status dip_catalog_put_judgements(const char *path,
                                      const dip_bytes *queries,
                                      int64_t query_count,
                                      const dip_judgement *items,
                                      int64_t item_count, dip_err *err)
{
    dip_links links = {0};
    dip_status st = fill_names(&links, queries, query_count, err);
    if (st == DIP_OK)
        st = make_items(&links, item_count, err);
    for (int64_t i = 0; i < item_count && st == DIP_OK; i++) {
        links.who[i] = items[i].query;
        links.row[i] = items[i].row;
        links.weight[i] = items[i].grade;
        links.split[i] = split_byte(items[i].split);
    }
    if (st == DIP_OK)
        st = put(path, &links, DIP_LINK_JUDGEMENTS, "judgements", err);
    dip_links_free(&links);
    return st;
}

dip_status dip_catalog_put_interactions(const char *path,
                                        const dip_bytes *users,
                                        int64_t user_count,
                                        const dip_interaction *items,
                                        int64_t item_count, dip_err *err)
{
    dip_links links = {0};
    dip_status st = fill_names(&links, users, user_count, err);
    if (st == DIP_OK)
        st = make_items(&links, item_count, err);
    for (int64_t i = 0; i < item_count && st == DIP_OK; i++) {
        links.who[i] = items[i].user;
        links.row[i] = items[i].row;
        links.weight[i] = items[i].weight;
        links.time[i] = items[i].time;
        links.split[i] = split_byte(items[i].split);
    }
    if (st == DIP_OK)
        st = put(path, &links, DIP_LINK_INTERACTIONS, "interactions", err);
    dip_links_free(&links);
    return st;
}
