#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/layout_table.h"
#include "tests/data/catalog_fixture.h"

/* The files were made with h5py by tests/parity/gen_layouts.py. */
#define GOLDEN "tests/golden"

static dip_catalog *open_mapped(const char *path, const dip_mapping *mapping)
{
    dip_err err = {0};
    dip_catalog *catalog;
    dip_catalog_options options = {.mapping = mapping};
    if (dip_catalog_open(&catalog, path, &options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return catalog;
}

static void assert_bytes(dip_bytes found, const char *expected)
{
    assert_int_equal(found.len, strlen(expected));
    if (found.len > 0)
        assert_memory_equal(found.data, expected, found.len);
}

static int column_of(const dip_catalog *catalog, dip_column_kind kind,
                     const char *name)
{
    dip_err err = {0};
    int column;
    if (dip_catalog_find(catalog, kind, name, &column, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return column;
}

static void check_text(const dip_catalog *catalog, const char *column,
                       int64_t row, const char *expected)
{
    int index = column_of(catalog, DIP_COLUMN_TEXT, column);
    assert_bytes(dip_catalog_text(catalog, index, row), expected);
}

static void check_label(const dip_catalog *catalog, const char *column,
                        int64_t row, const char *expected)
{
    int index = column_of(catalog, DIP_COLUMN_LABEL, column);
    int32_t value = dip_catalog_label(catalog, index, row);
    if (expected == NULL)
        assert_int_equal(value, -1);
    else
        assert_bytes(dip_catalog_label_name(catalog, index, value), expected);
}

/* image() of the generator: value k of row r of a file is 50 r + k mod 256. */
static void check_image(const dip_catalog *catalog, int64_t row,
                        int64_t in_file, int64_t height, int64_t width)
{
    dip_err err = {0};
    dip_image_source image;
    int column = column_of(catalog, DIP_COLUMN_IMAGE, "image");
    void *scratch = malloc(dip_catalog_image_scratch(catalog, column) + 1);
    assert_non_null(scratch);
    if (dip_catalog_image(catalog, column, row, scratch, &image, &err) !=
        DIP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(image.height, height);
    assert_int_equal(image.width, width);
    assert_int_equal(image.channels, 3);
    for (int64_t k = 0; k < height * width * 3; k++)
        assert_int_equal(image.pixels[k], (in_file * 50 + k) % 256);
    free(scratch);
}

static void test_layout_fashion_gen_reads_splits_in_place(void **state)
{
    (void)state;
    dip_mapping mapping = {
        .layout = "fashion_gen",
        .splits = {"layout_fashion_train.h5", "layout_fashion_val.h5"}};
    dip_catalog *catalog = open_mapped(GOLDEN, &mapping);
    assert_int_equal(dip_catalog_rows(catalog), 6);
    assert_int_equal(dip_catalog_split_rows(catalog, DIP_SPLIT_VAL), 2);
    assert_int_equal(dip_catalog_split(catalog, 4), DIP_SPLIT_VAL);
    assert_bytes(dip_catalog_id(catalog, 3), "train-3");
    assert_bytes(dip_catalog_id(catalog, 4), "val-0");
    check_text(catalog, "name", 0, "Silk dress");
    check_text(catalog, "name", 1, "丝绸连衣裙");
    check_text(catalog, "name", 2, "Robe d'été à pois");
    check_text(catalog, "name", 3, "");
    check_text(catalog, "description", 5, "long 1");
    check_label(catalog, "category", 1, "TOPS");
    check_label(catalog, "category", 3, NULL);
    check_label(catalog, "category", 4, "DRESSES");
    for (int64_t i = 0; i < 6; i++)
        check_image(catalog, i, i < 4 ? i : i - 4, 4, 5);
    dip_catalog_close(catalog);
}

/* Products 100 101 100 102 in one file, 101 102 in the other. */
static void test_layout_fashion_gen_groups_by_product(void **state)
{
    (void)state;
    static const int products[] = {100, 101, 100, 102, 101, 102};
    dip_mapping mapping = {
        .layout = "fashion_gen",
        .splits = {"layout_fashion_train.h5", "layout_fashion_val.h5"}};
    dip_catalog *catalog = open_mapped(GOLDEN, &mapping);
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 6; j++)
            assert_int_equal(dip_catalog_group(catalog, i) ==
                                 dip_catalog_group(catalog, j),
                             products[i] == products[j]);
    }
    dip_catalog_close(catalog);
}

static void test_layout_fashion_gen_takes_named_columns(void **state)
{
    (void)state;
    dip_dataset_name texts[] = {{"title", "input_name"}};
    dip_dataset_name numbers[] = {{"price", "input_msrpUSD"}};
    dip_mapping mapping = {.layout = "fashion_gen",
                           .texts = texts,
                           .text_count = 1,
                           .numbers = numbers,
                           .number_count = 1,
                           .group = "input_name"};
    dip_catalog *catalog =
        open_mapped(GOLDEN "/layout_fashion_val.h5", &mapping);
    assert_int_equal(dip_catalog_column_count(catalog), 3);
    check_text(catalog, "title", 1, "丝绸连衣裙");
    int price = column_of(catalog, DIP_COLUMN_NUMBER, "price");
    assert_true(dip_catalog_number(catalog, price, 0) == 99.5F);
    assert_true(dip_catalog_images_mapped(
        catalog, column_of(catalog, DIP_COLUMN_IMAGE, "image")));
    dip_catalog_close(catalog);
}

static void test_layout_coco_captions_reads_words(void **state)
{
    (void)state;
    dip_mapping mapping = {.layout = "coco_captions"};
    dip_catalog *catalog =
        open_mapped(GOLDEN "/layout_coco/TRAIN_IMAGES_tiny.hdf5", &mapping);
    assert_int_equal(dip_catalog_rows(catalog), 2);
    check_text(catalog, "caption_0", 0, "a red dress");
    check_text(catalog, "caption_1", 0, "dress");
    check_text(catalog, "caption_0", 1, "狗");
    check_text(catalog, "caption_1", 1, "a <unk> dress dress");
    check_image(catalog, 0, 0, 2, 4);
    check_image(catalog, 1, 1, 2, 4);
    dip_catalog_close(catalog);
}

static void test_layout_messages_name_what_is_missing(void **state)
{
    (void)state;
    static const char val[] = GOLDEN "/layout_fashion_val.h5";
    dip_dataset_name none[] = {{"x", "input_none"}};
    dip_dataset_name pixels[] = {{"x", "input_image"}};
    const struct {
        dip_mapping mapping;
        const char *path, *message;
    } cases[] = {
        {{.layout = "fashiongen"},
         val,
         "unknown layout 'fashiongen' (known: 'fashion_gen', "
         "'coco_captions')"},
        {{.layout = "fashion_gen"},
         GOLDEN,
         "the mapping names no file for a split in folder '" GOLDEN "'"},
        {{.layout = "fashion_gen", .splits = {"layout_fashion_train.h5"}},
         val,
         "no folder '" GOLDEN "/layout_fashion_val.h5' for the files that the "
         "mapping names"},
        {{.layout = "fashion_gen", .image = "photos"},
         val,
         "no dataset 'photos' in '" GOLDEN "/layout_fashion_val.h5'"},
        {{.layout = "fashion_gen", .texts = none, .text_count = 1},
         val,
         "no dataset 'input_none' in '" GOLDEN "/layout_fashion_val.h5'"},
        {{.layout = "fashion_gen", .texts = pixels, .text_count = 1},
         val,
         "dataset 'input_image' of '" GOLDEN
         "/layout_fashion_val.h5' is not of 2 rows and one column"},
        {{.layout = "coco_captions", .image = "input_image"},
         val,
         "no attribute 'captions_per_image' in '" GOLDEN
         "/layout_fashion_val.h5'"},
        {{.layout = "coco_captions", .word_map = "TRAIN_CAPLENS_tiny.json"},
         GOLDEN "/layout_coco/TRAIN_IMAGES_tiny.hdf5",
         "no JSON object in '" GOLDEN "/layout_coco/TRAIN_CAPLENS_tiny.json'"},
        {{.layout = "coco_captions", .captions = "WORDMAP_tiny.json"},
         GOLDEN "/layout_coco/TRAIN_IMAGES_tiny.hdf5",
         "0 captions instead of 4 in '" GOLDEN
         "/layout_coco/WORDMAP_tiny.json'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dip_err err = {0};
        dip_catalog *catalog;
        dip_catalog_options options = {.mapping = &cases[i].mapping};
        assert_int_not_equal(
            dip_catalog_open(&catalog, cases[i].path, &options, &err), DIP_OK);
        assert_null(catalog);
        assert_string_equal(err.msg, cases[i].message);
    }
}

/* Every row of the table has a file above. */
static void test_layout_table_is_covered(void **state)
{
    (void)state;
    assert_string_equal(dip_layout_name(0), "fashion_gen");
    assert_string_equal(dip_layout_name(1), "coco_captions");
    assert_null(dip_layout_name(2));
    assert_null(dip_layout_find("catalog"));
}

static void count_warning(void *user, const char *message)
{
    assert_non_null(strstr(message, "no manifest"));
    ++*(int *)user;
}

/* The documented format by another hand, stored contiguously and with chunks
 * and compression. */
static void test_layout_catalog_of_h5py_opens(void **state)
{
    (void)state;
    static const char *const files[] = {GOLDEN "/layout_catalog_h5py.h5",
                                        GOLDEN "/layout_catalog_h5py_gzip.h5"};
    for (int i = 0; i < 2; i++) {
        dip_err err = {0};
        dip_catalog *catalog;
        int warnings = 0;
        dip_catalog_options options = {.warn = count_warning,
                                       .user = &warnings};
        if (dip_catalog_open(&catalog, files[i], &options, &err) != DIP_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(warnings, 1);
        assert_string_equal(dip_catalog_name(catalog), "by h5py");
        assert_bytes(dip_catalog_id(catalog, 2), "品3");
        check_text(catalog, "title", 0, "Red dress");
        check_text(catalog, "title", 1, "");
        check_text(catalog, "title", 2, "红裙");
        check_label(catalog, "colour", 1, NULL);
        check_label(catalog, "colour", 2, "红");
        assert_int_equal(dip_catalog_group(catalog, 1), 5);
        assert_int_equal(dip_catalog_split(catalog, 2), DIP_SPLIT_TEST);
        int photo = column_of(catalog, DIP_COLUMN_IMAGE, "photo");
        assert_int_equal(dip_catalog_images_mapped(catalog, photo), i == 0);
        assert_int_equal(dip_catalog_image_scratch(catalog, photo),
                         i == 0 ? 0 : 5);
        char scratch[16];
        dip_image_source image;
        assert_int_equal(
            dip_catalog_image(catalog, photo, 2, scratch, &image, &err),
            DIP_OK);
        assert_bytes(image.encoded, "three");
        assert_int_equal(
            dip_catalog_image(catalog, photo, 1, scratch, &image, &err),
            DIP_OK);
        assert_int_equal(image.encoded.len, 0);
        int thumb = column_of(catalog, DIP_COLUMN_IMAGE, "thumb");
        assert_int_equal(
            dip_catalog_image(catalog, thumb, 2, scratch, &image, &err),
            DIP_OK);
        for (int k = 0; k < 12; k++)
            assert_int_equal(image.pixels[k], 100 + k);
        dip_catalog_close(catalog);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_fashion_gen_reads_splits_in_place),
        cmocka_unit_test(test_layout_fashion_gen_groups_by_product),
        cmocka_unit_test(test_layout_fashion_gen_takes_named_columns),
        cmocka_unit_test(test_layout_coco_captions_reads_words),
        cmocka_unit_test(test_layout_messages_name_what_is_missing),
        cmocka_unit_test(test_layout_table_is_covered),
        cmocka_unit_test(test_layout_catalog_of_h5py_opens),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
