/* A catalog of a few rows in a temporary folder, for tests of what reads one.
 * Columns: image "photo", text "title", labels "gender", "colour", "type",
 * number "price". */
#ifndef DIP_TESTS_DATA_SMALL_CATALOG_H
#define DIP_TESTS_DATA_SMALL_CATALOG_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/catalog.h"
#include "data/catalog_writer.h"

enum small_column {
    SMALL_PHOTO,
    SMALL_TITLE,
    SMALL_GENDER,
    SMALL_COLOUR,
    SMALL_TYPE,
    SMALL_PRICE,
    SMALL_COLUMNS
};

struct small_row {
    const char *id, *group, *title, *gender, *colour, *type; /* NULL: none */
    float price;
    dip_split split;
    dip_bytes photo;
};

struct small_catalog {
    char dir[64];
    char path[80];
    dip_catalog *catalog;
    int column[SMALL_COLUMNS]; /* index in the catalog */
};

static const dip_column small_columns[SMALL_COLUMNS] = {
    [SMALL_PHOTO] = {.kind = DIP_COLUMN_IMAGE,
                     .name = "photo",
                     .encoded = true},
    [SMALL_TITLE] = {.kind = DIP_COLUMN_TEXT, .name = "title"},
    [SMALL_GENDER] = {.kind = DIP_COLUMN_LABEL, .name = "gender"},
    [SMALL_COLOUR] = {.kind = DIP_COLUMN_LABEL, .name = "colour"},
    [SMALL_TYPE] = {.kind = DIP_COLUMN_LABEL, .name = "type"},
    [SMALL_PRICE] = {.kind = DIP_COLUMN_NUMBER, .name = "price"},
};

static inline dip_bytes small_bytes(const char *text)
{
    return text != NULL ? (dip_bytes){text, strlen(text)}
                        : (dip_bytes){NULL, 0};
}

static inline void small_ok(dip_status st, const dip_err *err)
{
    if (st != DIP_OK)
        fail_msg("%s: %s", dip_status_name(st), err->msg);
}

static inline void small_add(dip_catalog_writer *writer,
                             const struct small_row *row)
{
    const dip_value values[SMALL_COLUMNS] = {
        [SMALL_PHOTO] = {.bytes = row->photo},
        [SMALL_TITLE] = {.bytes = small_bytes(row->title)},
        [SMALL_GENDER] = {.label = small_bytes(row->gender)},
        [SMALL_COLOUR] = {.label = small_bytes(row->colour)},
        [SMALL_TYPE] = {.label = small_bytes(row->type)},
        [SMALL_PRICE] = {.number = row->price},
    };
    dip_row to_add = {small_bytes(row->id), row->split, small_bytes(row->group),
                      values};
    dip_err err = {0};
    small_ok(dip_catalog_writer_add(writer, &to_add, &err), &err);
}

/* Writes the catalog; small_open() opens it. */
static inline void small_write(struct small_catalog *small,
                               const struct small_row *rows, size_t count)
{
    *small = (struct small_catalog){0};
    snprintf(small->dir, sizeof small->dir, "/tmp/diptych-test.XXXXXX");
    assert_non_null(mkdtemp(small->dir));
    assert_int_equal(setenv("XDG_CACHE_HOME", small->dir, 1), 0);
    snprintf(small->path, sizeof small->path, "%s/small.h5", small->dir);
    dip_catalog_schema schema = {"test", small_columns, SMALL_COLUMNS, 0};
    dip_catalog_writer *writer;
    dip_err err = {0};
    small_ok(dip_catalog_writer_create(&writer, small->path, &schema, &err),
             &err);
    for (size_t i = 0; i < count; i++)
        small_add(writer, &rows[i]);
    small_ok(dip_catalog_writer_commit(writer, &err), &err);
    dip_catalog_writer_end(writer);
}

static inline void small_open(struct small_catalog *small)
{
    dip_err err = {0};
    small_ok(dip_catalog_open(&small->catalog, small->path, NULL, &err), &err);
    for (int c = 0; c < SMALL_COLUMNS; c++)
        small_ok(dip_catalog_find(small->catalog, small_columns[c].kind,
                                  small_columns[c].name, &small->column[c],
                                  &err),
                 &err);
}

static inline void small_close(struct small_catalog *small)
{
    dip_err err = {0};
    dip_catalog_close(small->catalog);
    small_ok(dip_tree_remove(small->dir, &err), &err);
}

#endif
