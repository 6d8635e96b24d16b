#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "tests/data/catalog_fixture.h"

#define assert_ok(st, err)                                                     \
    do {                                                                       \
        if ((st) != DIP_OK)                                                    \
            fail_msg("%s", (err).msg);                                         \
    } while (0)

static void assert_bytes(dip_bytes found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    if (found.len > 0)
        assert_memory_equal(found.data, expected, found.len);
}

static dip_catalog *open_fixture(const char *path)
{
    dip_err err = {0};
    dip_catalog *catalog;
    assert_ok(dip_catalog_open(&catalog, path, NULL, &err), err);
    return catalog;
}

static int column_of(const dip_catalog *catalog, dip_column_kind kind,
                     const char *name)
{
    dip_err err = {0};
    int column;
    assert_ok(dip_catalog_find(catalog, kind, name, &column, &err), err);
    return column;
}

static void check_images(const dip_catalog *catalog, int64_t at,
                         const fixture_row *row)
{
    dip_err err = {0};
    dip_image_source image;
    int photo = column_of(catalog, DIP_COLUMN_IMAGE, "photo");
    int thumb = column_of(catalog, DIP_COLUMN_IMAGE, "thumb");
    assert_ok(dip_catalog_image(catalog, photo, at, NULL, &image, &err), err);
    assert_bytes(image.encoded, row->photo);
    assert_null(image.pixels);
    assert_ok(dip_catalog_image(catalog, thumb, at, NULL, &image, &err), err);
    assert_int_equal(image.encoded.len, 0);
    if (row->empty) {
        assert_null(image.pixels);
        return;
    }
    assert_int_equal(image.height, 2);
    assert_int_equal(image.width, 3);
    assert_int_equal(image.channels, 3);
    assert_memory_equal(image.pixels, row->thumb, sizeof row->thumb);
}

static void check_row(const dip_catalog *catalog, int64_t at,
                      const fixture_row *row)
{
    int title = column_of(catalog, DIP_COLUMN_TEXT, "title");
    int colour = column_of(catalog, DIP_COLUMN_LABEL, "colour");
    int price = column_of(catalog, DIP_COLUMN_NUMBER, "price");
    assert_bytes(dip_catalog_id(catalog, at), row->id);
    assert_int_equal(dip_catalog_row_of(catalog, bytes_of(row->id)), at);
    assert_int_equal(dip_catalog_split(catalog, at), row->split);
    assert_bytes(dip_catalog_text(catalog, title, at), row->title);
    int32_t label = dip_catalog_label(catalog, colour, at);
    if (row->colour == NULL)
        assert_int_equal(label, -1);
    else
        assert_bytes(dip_catalog_label_name(catalog, colour, label),
                     row->colour);
    float number = dip_catalog_number(catalog, price, at);
    assert_true(row->empty ? isnan(number) : number == row->price);
    check_images(catalog, at, row);
}

/* Rows 0, 3, 6, ... share group "a", 2, 5, ... group "b", the others none. */
static void check_groups(const dip_catalog *catalog)
{
    int64_t rows = dip_catalog_rows(catalog);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < rows; j++) {
            bool same = i == j || (i % 3 == j % 3 && i % 3 != 1);
            assert_int_equal(dip_catalog_group(catalog, i) ==
                                 dip_catalog_group(catalog, j),
                             same);
        }
    }
}

static void check_fixture(const dip_catalog *catalog, int rows)
{
    assert_int_equal(dip_catalog_rows(catalog), rows);
    assert_int_equal(dip_catalog_column_count(catalog), FIXTURE_COLUMNS);
    int colour = column_of(catalog, DIP_COLUMN_LABEL, "colour");
    assert_int_equal(dip_catalog_column(catalog, colour)->classes, 3);
    for (int i = 0; i < rows; i++) {
        fixture_row row = fixture_row_at(i);
        check_row(catalog, i, &row);
    }
    check_groups(catalog);
    assert_int_equal(dip_catalog_row_of(catalog, bytes_of("item-x")), -1);
}

static void test_catalog_gives_back_what_was_written(void **state)
{
    (void)state;
    dip_err err = {0};
    assert_ok(fixture_write(fixture_path("x.h5"), 23, 0, &err), err);
    dip_catalog *catalog = open_fixture(fixture_path("x.h5"));
    check_fixture(catalog, 23);
    assert_string_equal(dip_catalog_name(catalog), "x");
    assert_string_equal(dip_catalog_source(catalog), "a test");
    assert_int_equal(dip_catalog_split_rows(catalog, DIP_SPLIT_TRAIN), 8);
    assert_int_equal(dip_catalog_split_rows(catalog, DIP_SPLIT_TEST), 7);
    assert_int_equal(dip_catalog_shard_count(catalog), 1);
    assert_int_equal(strlen(dip_catalog_digest(catalog)), 64);
    dip_catalog_close(catalog);
}

static void test_catalog_reads_shards_as_one(void **state)
{
    (void)state;
    dip_err err = {0};
    assert_ok(fixture_write(fixture_path("s.h5"), 23, 7, &err), err);
    assert_true(dip_file_exists(fixture_path("s-00000-of-00004.h5")));
    assert_true(dip_file_exists(fixture_path("s-00003-of-00004.h5")));
    assert_false(dip_file_exists(fixture_path("s.h5")));
    const char *const names[] = {"s", "s.manifest.json"};
    for (int i = 0; i < 2; i++) {
        dip_catalog *catalog = open_fixture(fixture_path(names[i]));
        check_fixture(catalog, 23);
        assert_int_equal(dip_catalog_shard_count(catalog), 4);
        assert_int_equal(dip_catalog_shard(catalog, 3).rows, 2);
        dip_catalog_close(catalog);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_catalog_gives_back_what_was_written),
        cmocka_unit_test(test_catalog_reads_shards_as_one),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
