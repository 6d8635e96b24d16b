#include "data/catalog.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "data/catalog_parts.h"

/* ---- words ---- */

static const char *const split_words[] = {
#define SPLIT_WORD(name, word) word,
    DIP_SPLIT_TABLE(SPLIT_WORD)
#undef SPLIT_WORD
};

static const char *const kind_words[] = {
#define KIND_WORD(name, word) word,
    DIP_COLUMN_TABLE(KIND_WORD)
#undef KIND_WORD
};

static int find_word(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0)
            return (int)i;
    }
    return -1;
}

const char *dip_split_name(dip_split split)
{
    return split_words[split];
}

bool dip_split_parse(dip_split *out, const char *name)
{
    int found = find_word(split_words, DIP_ARRAY_LEN(split_words), name);
    if (found >= 0)
        *out = (dip_split)found;
    return found >= 0;
}

const char *dip_column_kind_name(dip_column_kind kind)
{
    return kind_words[kind];
}

bool dip_column_kind_parse(dip_column_kind *out, const char *name)
{
    int found = find_word(kind_words, DIP_ARRAY_LEN(kind_words), name);
    if (found >= 0)
        *out = (dip_column_kind)found;
    return found >= 0;
}

/* ---- the end ---- */

static void close_part(dip_part *part, int column_count)
{
    for (int i = 0; part->columns != NULL && i < column_count; i++) {
        free(part->columns[i].offsets);
        free(part->columns[i].given);
        free(part->columns[i].owned);
        dip_h5_dataset_close(&part->columns[i].dataset);
    }
    free(part->columns);
    dip_h5_close(&part->file);
    if (part->map != NULL)
        (void)munmap((void *)part->map, part->map_bytes);
    free(part->path);
}

void dip_catalog_close(dip_catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (int i = 0; i < catalog->part_count; i++)
        close_part(&catalog->parts[i], catalog->column_count);
    free(catalog->parts);
    for (int i = 0; i < catalog->column_count; i++) {
        free((char *)catalog->columns[i].about.name);
        free(catalog->columns[i].labels);
        free(catalog->columns[i].numbers);
        dip_names_free(&catalog->columns[i].names);
    }
    free(catalog->columns);
    dip_names_free(&catalog->ids);
    free(catalog->splits);
    free(catalog->groups);
    dip_links_free(&catalog->judgements);
    dip_links_free(&catalog->interactions);
    dip_manifest_free(&catalog->manifest);
    dip_str_free(&catalog->digests);
    free(catalog->path);
    free(catalog->name);
    free(catalog->created);
    free(catalog->source);
    free(catalog);
}

/* ---- the whole ---- */

const char *dip_catalog_path(const dip_catalog *catalog)
{
    return catalog->path;
}

const char *dip_catalog_name(const dip_catalog *catalog)
{
    return catalog->name;
}

const char *dip_catalog_digest(const dip_catalog *catalog)
{
    return catalog->digest;
}

const char *dip_catalog_created(const dip_catalog *catalog)
{
    return catalog->created;
}

const char *dip_catalog_source(const dip_catalog *catalog)
{
    return catalog->source;
}

int64_t dip_catalog_rows(const dip_catalog *catalog)
{
    return catalog->rows;
}

int64_t dip_catalog_split_rows(const dip_catalog *catalog, dip_split split)
{
    return catalog->split_rows[split];
}

int dip_catalog_shard_count(const dip_catalog *catalog)
{
    return catalog->part_count;
}

dip_shard_info dip_catalog_shard(const dip_catalog *catalog, int shard)
{
    const dip_part *part = &catalog->parts[shard];
    bool listed = shard < catalog->manifest.shard_count;
    return (dip_shard_info){part->path, part->rows, part->bytes,
                            listed ? catalog->manifest.shards[shard].sha256
                                   : ""};
}

/* ---- columns ---- */

int dip_catalog_column_count(const dip_catalog *catalog)
{
    return catalog->column_count;
}

const dip_column *dip_catalog_column(const dip_catalog *catalog, int column)
{
    return &catalog->columns[column].about;
}

dip_status dip_catalog_find(const dip_catalog *catalog, dip_column_kind kind,
                            const char *name, int *column, dip_err *err)
{
    *column = -1;
    dip_str names = {0};
    for (int i = 0; i < catalog->column_count && *column < 0; i++) {
        const dip_column *about = &catalog->columns[i].about;
        if (about->kind != kind)
            continue;
        dip_str_addf(&names, "%s'%s'", names.len > 0 ? ", " : "", about->name);
        if (strcmp(about->name, name) == 0)
            *column = i;
    }
    dip_status st = DIP_OK;
    if (*column < 0)
        st = dip_fail(err, DIP_ENOTFOUND,
                      "no %s column '%s' in '%s' (it has %s)",
                      dip_column_kind_name(kind), name, catalog->path,
                      names.len > 0 ? dip_str_text(&names) : "none");
    dip_str_free(&names);
    return st;
}

/* ---- rows ---- */

/* The part that holds `row`. */
static const dip_part *part_of(const dip_catalog *catalog, int64_t row)
{
    int low = 0, high = catalog->part_count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (catalog->parts[middle].first <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return &catalog->parts[low];
}

dip_bytes dip_catalog_id(const dip_catalog *catalog, int64_t row)
{
    return dip_names_get(&catalog->ids, row);
}

dip_split dip_catalog_split(const dip_catalog *catalog, int64_t row)
{
    return (dip_split)catalog->splits[row];
}

int64_t dip_catalog_group(const dip_catalog *catalog, int64_t row)
{
    return catalog->groups[row];
}

dip_bytes dip_catalog_text(const dip_catalog *catalog, int column, int64_t row)
{
    const dip_part *part = part_of(catalog, row);
    const dip_part_column *c = &part->columns[column];
    const int64_t *at = c->offsets + (row - part->first);
    return (dip_bytes){(const char *)c->bytes + at[0], (size_t)(at[1] - at[0])};
}

int32_t dip_catalog_label(const dip_catalog *catalog, int column, int64_t row)
{
    return catalog->columns[column].labels[row];
}

dip_bytes dip_catalog_label_name(const dip_catalog *catalog, int column,
                                 int32_t value)
{
    return dip_names_get(&catalog->columns[column].names, value);
}

float dip_catalog_number(const dip_catalog *catalog, int column, int64_t row)
{
    return catalog->columns[column].numbers[row];
}

int64_t dip_catalog_row_of(const dip_catalog *catalog, dip_bytes id)
{
    return dip_names_find(&catalog->ids, id);
}

/* ---- images ---- */

bool dip_catalog_images_mapped(const dip_catalog *catalog, int column)
{
    return catalog->columns[column].scratch == 0;
}

size_t dip_catalog_image_scratch(const dip_catalog *catalog, int column)
{
    return catalog->columns[column].scratch;
}

static dip_status get_encoded(const dip_part_column *c, int64_t at,
                              void *scratch, dip_image_source *out,
                              dip_err *err)
{
    int64_t start = c->offsets[at];
    int64_t len = c->offsets[at + 1] - start;
    out->encoded.len = (size_t)len;
    if (c->bytes != NULL) {
        out->encoded.data = (const char *)c->bytes + start;
        return DIP_OK;
    }
    out->encoded.data = scratch;
    return len == 0 ? DIP_OK
                    : dip_h5_read_rows(&c->dataset, DIP_H5_U8, start, len,
                                       scratch, err);
}

/* [channels, pixels] to [pixels, channels] */
static void interleave(uint8_t *to, const uint8_t *from, size_t pixels,
                       size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < pixels; i++)
            to[i * channels + c] = from[c * pixels + i];
    }
}

static dip_status get_pixels(const dip_part_column *c, const dip_column *about,
                             int64_t at, void *scratch, dip_image_source *out,
                             dip_err *err)
{
    if (c->given != NULL && c->given[at] == 0)
        return DIP_OK;
    size_t pixels = (size_t)about->height * (size_t)about->width;
    size_t channels = (size_t)about->channels;
    uint8_t *room = scratch;
    const uint8_t *found = NULL;
    if (c->bytes != NULL) {
        found = c->bytes + (size_t)at * pixels * channels;
    } else {
        uint8_t *raw = c->planar ? room + pixels * channels : room;
        dip_status st =
            dip_h5_read_rows(&c->dataset, DIP_H5_U8, at, 1, raw, err);
        if (st != DIP_OK)
            return st;
        found = raw;
    }
    if (c->planar) {
        interleave(room, found, pixels, channels);
        found = room;
    }
    out->pixels = found;
    out->height = about->height;
    out->width = about->width;
    out->channels = about->channels;
    return DIP_OK;
}

dip_status dip_catalog_image(const dip_catalog *catalog, int column,
                             int64_t row, void *scratch, dip_image_source *out,
                             dip_err *err)
{
    const dip_part *part = part_of(catalog, row);
    const dip_part_column *c = &part->columns[column];
    const dip_column *about = &catalog->columns[column].about;
    int64_t at = row - part->first;
    *out = (dip_image_source){0};
    return about->encoded ? get_encoded(c, at, scratch, out, err)
                          : get_pixels(c, about, at, scratch, out, err);
}

/* ---- search logs and behaviour ---- */

static dip_bytes name_of(const dip_links *links, int64_t i)
{
    int64_t start = links->offsets[i];
    return (dip_bytes){links->bytes + start,
                       (size_t)(links->offsets[i + 1] - start)};
}

int64_t dip_catalog_query_count(const dip_catalog *catalog)
{
    return catalog->judgements.names;
}

dip_bytes dip_catalog_query(const dip_catalog *catalog, int64_t query)
{
    return name_of(&catalog->judgements, query);
}

int64_t dip_catalog_judgement_count(const dip_catalog *catalog)
{
    return catalog->judgements.count;
}

dip_judgement dip_catalog_judgement(const dip_catalog *catalog, int64_t i)
{
    const dip_links *links = &catalog->judgements;
    return (dip_judgement){.query = links->who[i],
                           .row = links->row[i],
                           .grade = links->weight[i],
                           .split = (dip_split)links->split[i]};
}

int64_t dip_catalog_user_count(const dip_catalog *catalog)
{
    return catalog->interactions.names;
}

dip_bytes dip_catalog_user(const dip_catalog *catalog, int64_t user)
{
    return name_of(&catalog->interactions, user);
}

int64_t dip_catalog_interaction_count(const dip_catalog *catalog)
{
    return catalog->interactions.count;
}

dip_interaction dip_catalog_interaction(const dip_catalog *catalog, int64_t i)
{
    const dip_links *links = &catalog->interactions;
    return (dip_interaction){.user = links->who[i],
                             .row = links->row[i],
                             .weight = links->weight[i],
                             .time = links->time[i],
                             .split = (dip_split)links->split[i]};
}
