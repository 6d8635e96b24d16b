/* The catalog and the logs of tests/golden/judgements.json. */
#ifndef DIP_TESTS_DATA_JUDGEMENT_FIXTURE_H
#define DIP_TESTS_DATA_JUDGEMENT_FIXTURE_H

#include "base/json.h"
#include "data/grading.h"
#include "data/import.h"
#include "tests/data/catalog_fixture.h"

static json_t *golden;

static inline void write_text(const char *name, const char *text)
{
    assert_int_equal(
        dip_file_write(fixture_path(name), text, strlen(text), NULL), DIP_OK);
}

/* Reads the golden file, and writes its products to rows.h5. */
static inline int judgement_enter(void **state)
{
    if (fixture_enter(state) != 0 ||
        dip_json_load(&golden, "tests/golden/judgements.json", (size_t)1 << 20,
                      NULL) != DIP_OK)
        return -1;
    static const dip_column title = {.kind = DIP_COLUMN_TEXT, .name = "title"};
    const dip_catalog_schema schema = {
        .source = "a test", .columns = &title, .column_count = 1};
    dip_catalog_writer *writer;
    dip_status st = dip_catalog_writer_create(&writer, fixture_path("rows.h5"),
                                              &schema, NULL);
    size_t i;
    json_t *row;
    json_array_foreach (json_object_get(golden, "rows"), i, row) {
        dip_value value = {
            .bytes = bytes_of(json_string_value(json_array_get(row, 1)))};
        dip_row full = {.id =
                            bytes_of(json_string_value(json_array_get(row, 0))),
                        .values = &value};
        if (!dip_split_parse(&full.split,
                             json_string_value(json_array_get(row, 2))))
            return -1;
        if (st == DIP_OK)
            st = dip_catalog_writer_add(writer, &full, NULL);
    }
    if (st == DIP_OK)
        st = dip_catalog_writer_commit(writer, NULL);
    dip_catalog_writer_end(writer);
    return (int)st;
}

static inline int judgement_leave(void **state)
{
    json_decref(golden);
    return fixture_leave(state);
}

static inline dip_catalog *open_rows(void)
{
    dip_catalog *catalog;
    dip_err err = {0};
    if (dip_catalog_open(&catalog, fixture_path("rows.h5"), NULL, &err) !=
        DIP_OK)
        fail_msg("%s", err.msg);
    return catalog;
}

/* The judgement of a query for a row in a split; one that there is not has a
 * grade of -1. */
static inline dip_judgement find_judgement(const dip_catalog *catalog,
                                           const char *query, int64_t row,
                                           dip_split split)
{
    dip_bytes wanted = bytes_of(query);
    for (int64_t i = 0; i < dip_catalog_judgement_count(catalog); i++) {
        dip_judgement j = dip_catalog_judgement(catalog, i);
        dip_bytes text = dip_catalog_query(catalog, j.query);
        if (j.row == row && j.split == split && text.len == wanted.len &&
            memcmp(text.data, wanted.data, text.len) == 0)
            return j;
    }
    return (dip_judgement){.grade = -1};
}

/* A member of the options of a case, or what it is without one. */
static inline double option_of(const json_t *options, const char *name,
                               double without)
{
    const json_t *value = json_object_get(options, name);
    return json_is_number(value) ? json_number_value(value) : without;
}

static inline dip_grading grading_of(const json_t *options)
{
    dip_grading g = {.scale = option_of(options, "scale", 3),
                     .full = option_of(options, "full", 0),
                     .log = json_is_true(json_object_get(options, "log")),
                     .whole = json_is_true(json_object_get(options, "whole"))};
    const char *word = json_string_value(json_object_get(options, "grades"));
    if (word != NULL)
        assert_true(dip_grading_parse(&g.kind, word));
    return g;
}

#endif
