/* Small catalogs in a folder of their own, for the tests of data/. */
#ifndef DIP_TESTS_DATA_CATALOG_FIXTURE_H
#define DIP_TESTS_DATA_CATALOG_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "data/catalog.h"
#include "data/catalog_writer.h"

/* The folder of the running test; also holds the cache of digests. */
static char fixture_folder[64];

static inline int fixture_enter(void **state)
{
    (void)state;
    (void)snprintf(fixture_folder, sizeof fixture_folder, "%s",
                   "/tmp/diptych-catalog-XXXXXX");
    if (mkdtemp(fixture_folder) == NULL)
        return -1;
    return setenv("XDG_CACHE_HOME", fixture_folder, 1);
}

static inline int fixture_leave(void **state)
{
    (void)state;
    return (int)dip_tree_remove(fixture_folder, NULL);
}

/* A path in the folder; good until the eighth call after it. */
static inline const char *fixture_path(const char *name)
{
    static char paths[8][256];
    static int next;
    next = (next + 1) % 8;
    (void)snprintf(paths[next], sizeof paths[next], "%s/%s", fixture_folder,
                   name);
    return paths[next];
}

static inline dip_bytes bytes_of(const char *text)
{
    return (dip_bytes){text, text != NULL ? strlen(text) : 0};
}

/* Photo (encoded), thumb (2 x 3 x 3 pixels), title, colour, price. */
enum { PHOTO, THUMB, TITLE, COLOUR, PRICE, FIXTURE_COLUMNS };

static const dip_column fixture_columns[FIXTURE_COLUMNS] = {
    {.kind = DIP_COLUMN_IMAGE, .name = "photo", .encoded = true},
    {.kind = DIP_COLUMN_IMAGE,
     .name = "thumb",
     .height = 2,
     .width = 3,
     .channels = 3},
    {.kind = DIP_COLUMN_TEXT, .name = "title"},
    {.kind = DIP_COLUMN_LABEL, .name = "colour"},
    {.kind = DIP_COLUMN_NUMBER, .name = "price"},
};

/* What row `i` of a fixture holds; every fifth has nothing but an id. */
typedef struct {
    char id[32], photo[64], title[64], thumb[18];
    const char *colour, *group;
    float price;
    dip_split split;
    bool empty;
} fixture_row;

static inline fixture_row fixture_row_at(int i)
{
    static const char *const colours[] = {"red", "蓝色", "green"};
    static const char *const groups[] = {"a", NULL, "b"};
    fixture_row row = {.empty = i % 5 == 4, .price = NAN};
    (void)snprintf(row.id, sizeof row.id, "item-%d", i);
    row.split = (dip_split)(i % 3);
    row.group = groups[i % 3];
    if (row.empty)
        return row;
    (void)snprintf(row.photo, sizeof row.photo, "bytes of photo %d%.*s", i,
                   i % 7, "-------");
    (void)snprintf(row.title, sizeof row.title, "连衣裙 dress %d", i);
    for (size_t k = 0; k < sizeof row.thumb; k++)
        row.thumb[k] = (char)(i * 31 + (int)k);
    row.colour = colours[i % 3];
    row.price = (float)i * 0.5F;
    return row;
}

static inline dip_status fixture_add(dip_catalog_writer *writer,
                                     const fixture_row *row, dip_err *err)
{
    dip_value values[FIXTURE_COLUMNS] = {
        [PHOTO] = {.bytes = bytes_of(row->photo)},
        [THUMB] = {.bytes = {row->thumb, row->empty ? 0 : sizeof row->thumb}},
        [TITLE] = {.bytes = bytes_of(row->title)},
        [COLOUR] = {.label = bytes_of(row->colour)},
        [PRICE] = {.number = row->price},
    };
    dip_row full = {.id = bytes_of(row->id),
                    .split = row->split,
                    .group = bytes_of(row->group),
                    .values = values};
    return dip_catalog_writer_add(writer, &full, err);
}

static inline dip_status fixture_create(dip_catalog_writer **out,
                                        const char *path, int64_t shard_rows,
                                        dip_err *err)
{
    dip_catalog_schema schema = {.source = "a test",
                                 .columns = fixture_columns,
                                 .column_count = FIXTURE_COLUMNS,
                                 .shard_rows = shard_rows};
    return dip_catalog_writer_create(out, path, &schema, err);
}

static inline dip_status fixture_write(const char *path, int rows,
                                       int64_t shard_rows, dip_err *err)
{
    dip_catalog_writer *writer;
    dip_status st = fixture_create(&writer, path, shard_rows, err);
    for (int i = 0; i < rows && st == DIP_OK; i++) {
        fixture_row row = fixture_row_at(i);
        st = fixture_add(writer, &row, err);
    }
    if (st == DIP_OK)
        st = dip_catalog_writer_commit(writer, err);
    dip_catalog_writer_end(writer);
    return st;
}

#endif
