/* What a catalog must refuse, and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/h5.h"
#include "data/manifest.h"
#include "tests/data/catalog_fixture.h"

enum { ROWS = 6 };

/* libhdf5 1.10.8 loses memory of its own on some malformed files. What we hold
 * of it is checked by assert_nothing_open(), our own memory by LeakSanitizer.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void assert_nothing_open(void)
{
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/* ---- files that are damaged inside, without a manifest to tell ---- */

typedef struct {
    const char *dataset; /* replaced, or only removed when values is NULL */
    dip_h5_type type;
    int64_t count;
    const void *values;
    const char *message; /* %s: the file */
} damage;

static const int64_t falling[] = {0, 7, 6, 20, 30, 35, 36};
static const int64_t beyond[] = {0, 6, 12, 18, 24, 30, 37};
static const int64_t late[] = {1, 6, 12, 18, 24, 30, 36};
static const int64_t few[] = {0, 6, 12};
static const int64_t one_offset[] = {0};
static const int64_t gap[] = {0, 6, 6, 18, 24, 30, 36};
static const uint8_t splits[] = {0, 1, 2, 7, 0, 1};
static const int32_t labels[] = {0, 1, 2, 3, -1, 0};
static const int32_t low_labels[] = {0, 1, -2, 0, -1, 0};
static const float numbers[] = {0, 1, 2, 3, 4, 5};
static const char same_ids[] = "item-0item-1item-2item-1item-4item-5";
static const char bad_ids[] = "item-0item-1item-\xffitem-3item-4item-5";
static const char same_names[] = "redredgreen";
static const int64_t name_offsets[] = {0, 3, 6, 11};
static const uint8_t no_utf8[] = "\xe8\xbf";
static const int64_t text_offsets[] = {0, 2, 2, 2, 2, 2, 2};

static const damage damages[] = {
    {"id/offsets", DIP_H5_I64, 7, falling,
     "offsets fall after row 1 in 'id' of '%s'"},
    {"id/offsets", DIP_H5_I64, 7, beyond,
     "offsets end at 37, beyond 36 bytes, in 'id' of '%s'"},
    {"id/offsets", DIP_H5_I64, 7, late,
     "offsets do not start at 0 in 'id' of '%s'"},
    {"id/offsets", DIP_H5_I64, 7, gap, "empty id in row 1 of '%s'"},
    {"id/offsets", DIP_H5_I64, 1, one_offset, "no rows in '%s'"},
    {"id/offsets", DIP_H5_I64, 0, one_offset, "no offsets in 'id' of '%s'"},
    {"id/offsets", DIP_H5_I32, 7, beyond,
     "dataset 'id/offsets' of '%s' is not int64"},
    {"id/bytes", DIP_H5_U8, 36, same_ids,
     "rows 1 and 3 have the same id 'item-1' in '%s'"},
    {"id/bytes", DIP_H5_U8, 36, bad_ids,
     "text is not UTF-8 in row 2 of 'id' in '%s'"},
    {"text/title/offsets", DIP_H5_I64, 3, few,
     "dataset 'text/title/offsets' of '%s' has 3 rows, not 7"},
    {"text/title/bytes", DIP_H5_U8, 2, no_utf8,
     "offsets end at 85, beyond 2 bytes, in 'text/title' of '%s'"},
    {"image/photo/offsets", DIP_H5_I64, 7, falling,
     "offsets fall after row 1 in 'image/photo' of '%s'"},
    {"image/photo/bytes", DIP_H5_F32, 6, numbers,
     "dataset 'image/photo/bytes' of '%s' is not uint8"},
    {"image/thumb/pixels", DIP_H5_U8, 6, splits,
     "dataset 'image/thumb/pixels' of '%s' has 1 dimensions, not 4"},
    {"split", DIP_H5_U8, 6, splits, "split 7 in row 3 of '%s'"},
    {"split", DIP_H5_U8, 5, splits,
     "dataset 'split' of '%s' has 5 rows, not 6"},
    {"split", DIP_H5_U8, 0, NULL, "no dataset 'split' in '%s'"},
    {"group", DIP_H5_I32, 6, labels, "dataset 'group' of '%s' is not int64"},
    {"label/colour/values", DIP_H5_I32, 6, labels,
     "label 3 of 3 names in row 3 of 'label/colour/values' in '%s'"},
    {"label/colour/values", DIP_H5_I32, 6, low_labels,
     "label -2 of 3 names in row 2 of 'label/colour/values' in '%s'"},
    {"label/colour/values", DIP_H5_F32, 6, numbers,
     "dataset 'label/colour/values' of '%s' is not int32"},
    {"label/colour/names", DIP_H5_U8, 0, NULL,
     "no dataset 'label/colour/names/offsets' in '%s'"},
    {"number/price", DIP_H5_F32, 5, numbers,
     "dataset 'number/price' of '%s' has 5 rows, not 6"},
    {"text/title", DIP_H5_I64, 6, text_offsets,
     "no dataset 'text/title/bytes' in '%s'"},
};

static const char *write_fixture(const char *name)
{
    dip_err err = {0};
    const char *path = fixture_path(name);
    if (fixture_write(path, ROWS, 0, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return path;
}

static void remove_manifest(const char *name)
{
    dip_err err = {0};
    assert_int_equal(dip_tree_remove(fixture_path(name), &err), DIP_OK);
}

static void replace_dataset(const char *path, const char *dataset,
                            dip_h5_type type, int64_t count, const void *values)
{
    dip_err err = {0};
    dip_h5_file file;
    assert_int_equal(dip_h5_open_write(&file, path, &err), DIP_OK);
    assert_true(H5Ldelete(file.id, dataset, H5P_DEFAULT) >= 0);
    if (values != NULL)
        assert_int_equal(
            dip_h5_write(&file, dataset, type, count, values, &err), DIP_OK);
    assert_int_equal(dip_h5_finish(&file, &err), DIP_OK);
}

static void assert_refused(const char *path, const char *format,
                           const char *named)
{
    char expected[DIP_ERR_SIZE];
    dip_err err = {0};
    dip_catalog *catalog;
    (void)snprintf(expected, sizeof expected, format, named);
    assert_int_not_equal(dip_catalog_open(&catalog, path, NULL, &err), DIP_OK);
    assert_null(catalog);
    assert_string_equal(err.msg, expected);
}

static void test_catalog_damage_inside_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const damage *d = &damages[i];
        const char *path = write_fixture("d.h5");
        remove_manifest("d.manifest.json");
        replace_dataset(path, d->dataset, d->type, d->count, d->values);
        assert_refused(path, d->message, path);
        assert_nothing_open();
    }
}

static void test_catalog_damage_bad_utf8_in_text(void **state)
{
    (void)state;
    const char *path = write_fixture("u.h5");
    remove_manifest("u.manifest.json");
    replace_dataset(path, "text/title/bytes", DIP_H5_U8, 2, no_utf8);
    replace_dataset(path, "text/title/offsets", DIP_H5_I64, 7, text_offsets);
    assert_refused(path, "text is not UTF-8 in row 0 of 'text/title' in '%s'",
                   path);
}

static void test_catalog_damage_equal_label_names(void **state)
{
    (void)state;
    const char *path = write_fixture("n.h5");
    remove_manifest("n.manifest.json");
    replace_dataset(path, "label/colour/names/bytes", DIP_H5_U8, 11,
                    same_names);
    replace_dataset(path, "label/colour/names/offsets", DIP_H5_I64, 4,
                    name_offsets);
    assert_refused(path,
                   "name 1 of 'label/colour/names' in '%s' is met twice or "
                   "differs between shards",
                   path);
}

static void change_root(const char *path, const char *attribute, int64_t value)
{
    dip_err err = {0};
    dip_h5_file file;
    assert_int_equal(dip_h5_open_write(&file, path, &err), DIP_OK);
    assert_true(H5Adelete(file.id, attribute) >= 0);
    if (value >= 0)
        assert_int_equal(dip_h5_put_int(&file, attribute, value, &err), DIP_OK);
    assert_int_equal(dip_h5_finish(&file, &err), DIP_OK);
}

static void test_catalog_damage_format_and_version(void **state)
{
    (void)state;
    const char *path = write_fixture("v.h5");
    remove_manifest("v.manifest.json");
    change_root(path, "version", 2);
    assert_refused(path, "catalog version 2 is not 1, the one known, in '%s'",
                   path);
    change_root(path, "version", -1);
    assert_refused(path, "no catalog version in '%s'", path);
    change_root(path, "format", 1);
    assert_refused(path, "not a diptych-catalog: '%s'", path);
}

/* Replaces /split by what `make` creates: values that the file does not hold.
 */
static void replace_split(const char *path, hid_t properties, hsize_t rows)
{
    dip_err err = {0};
    dip_h5_file file;
    assert_int_equal(dip_h5_open_write(&file, path, &err), DIP_OK);
    assert_true(H5Ldelete(file.id, "split", H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple(1, &rows, NULL);
    hid_t data = H5Dcreate2(file.id, "split", H5T_STD_U8LE, space, H5P_DEFAULT,
                            properties, H5P_DEFAULT);
    assert_true(data >= 0);
    (void)H5Dclose(data);
    (void)H5Sclose(space);
    (void)H5Pclose(properties);
    assert_int_equal(dip_h5_finish(&file, &err), DIP_OK);
}

static void test_catalog_damage_storage_outside_of_the_file(void **state)
{
    (void)state;
    const char *path = write_fixture("e.h5");
    remove_manifest("e.manifest.json");
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_external(properties, "/etc/hostname", 0, ROWS) >= 0);
    replace_split(path, properties, ROWS);
    assert_refused(path, "dataset 'split' of '%s' lies outside of the file",
                   path);
}

static void test_catalog_damage_link_to_another_file(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_h5_file file;
    (void)write_fixture("other.h5");
    const char *path = write_fixture("l.h5");
    remove_manifest("l.manifest.json");
    assert_int_equal(dip_h5_open_write(&file, path, &err), DIP_OK);
    assert_true(H5Ldelete(file.id, "group", H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_external("other.h5", "group", file.id, "group",
                                   H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_int_equal(dip_h5_finish(&file, &err), DIP_OK);
    assert_refused(path, "dataset 'group' of '%s' lies outside of the file",
                   path);
}

static void test_catalog_damage_extent_without_values(void **state)
{
    (void)state;
    const hsize_t chunk = 1 << 20;
    const char *path = write_fixture("b.h5");
    remove_manifest("b.manifest.json");
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(properties, 1, &chunk) >= 0);
    replace_split(path, properties, (hsize_t)1 << 45);
    assert_refused(
        path, "dataset 'split' of '%s' is larger than what the file stores",
        path);
}

/* ---- bytes that changed or went missing ---- */

static char *read_all(const char *path, size_t *len)
{
    dip_err err = {0};
    char *text;
    if (dip_file_read(&text, len, path, 1 << 24, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return text;
}

static void write_all(const char *path, const char *text, size_t len)
{
    dip_err err = {0};
    if (dip_file_write(path, text, len, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void test_catalog_damage_truncated_file(void **state)
{
    (void)state;
    size_t len;
    const char *path = write_fixture("t.h5");
    char *bytes = read_all(path, &len);
    char expected[256];
    (void)snprintf(expected, sizeof expected,
                   "'%s' has 100 bytes, its manifest says %zu: the file is "
                   "damaged or an import was interrupted",
                   path, len);
    write_all(path, bytes, 100);
    assert_refused(path, "%s", expected);
    remove_manifest("t.manifest.json");
    assert_refused(path, "not a readable HDF5 file: '%s'", path);
    write_all(path, bytes, 0);
    assert_refused(path, "not a readable HDF5 file: '%s'", path);
    free(bytes);
}

/* With a manifest every changed byte is found, wherever it is. */
static void test_catalog_damage_any_byte_is_found(void **state)
{
    (void)state;
    size_t len;
    const char *path = write_fixture("f.h5");
    char *bytes = read_all(path, &len);
    for (size_t i = 0; i < len; i += 97) {
        bytes[i] ^= 1;
        write_all(path, bytes, len);
        bytes[i] ^= 1;
        assert_refused(path,
                       "digest of '%s' is not the manifest's: the file is "
                       "damaged or an import was interrupted",
                       path);
    }
    free(bytes);
}

static void read_every_row(const dip_catalog *catalog)
{
    dip_err err = {0};
    for (int64_t row = 0; row < dip_catalog_rows(catalog); row++) {
        for (int i = 0; i < dip_catalog_column_count(catalog); i++) {
            dip_column_kind kind = dip_catalog_column(catalog, i)->kind;
            if (kind == DIP_COLUMN_TEXT) {
                dip_bytes text = dip_catalog_text(catalog, i, row);
                free(memcpy(malloc(text.len + 1), text.data, text.len));
            }
            if (kind != DIP_COLUMN_IMAGE)
                continue;
            dip_image_source image;
            void *scratch = malloc(dip_catalog_image_scratch(catalog, i) + 1);
            dip_status st =
                dip_catalog_image(catalog, i, row, scratch, &image, &err);
            if (st == DIP_OK && image.encoded.len > 0)
                free(memcpy(malloc(image.encoded.len), image.encoded.data,
                            image.encoded.len));
            free(scratch);
        }
    }
}

/* Without one, whatever is changed, opening and reading end in order. */
static void test_catalog_damage_never_crashes(void **state)
{
    (void)state;
    size_t len;
    int opened = 0, refused = 0;
    const char *path = write_fixture("z.h5");
    remove_manifest("z.manifest.json");
    char *bytes = read_all(path, &len);
    for (size_t i = 0; i < len; i += 61) {
        dip_err err = {0};
        dip_catalog *catalog;
        size_t end = i % 3 == 0 ? i : len; /* a third are cut there */
        bytes[i] = (char)~bytes[i];
        write_all(path, bytes, end);
        bytes[i] = (char)~bytes[i];
        if (dip_catalog_open(&catalog, path, NULL, &err) == DIP_OK) {
            opened++;
            read_every_row(catalog);
        } else {
            refused++;
            assert_true(err.msg[0] != '\0');
        }
        dip_catalog_close(catalog);
        assert_nothing_open();
    }
    assert_true(opened > 0); /* an image byte, say */
    assert_true(refused > 0);
    free(bytes);
}

static void test_catalog_damage_manifest_contradicts_files(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_manifest m;
    char expected[256];
    const char *path = fixture_path("k.manifest.json");
    assert_int_equal(fixture_write(fixture_path("k.h5"), 5, 2, &err), DIP_OK);
    assert_int_equal(dip_manifest_read(&m, path, &err), DIP_OK);
    m.columns[COLOUR].classes++;
    assert_int_equal(dip_manifest_write(&m, path, &err), DIP_OK);
    (void)snprintf(expected, sizeof expected,
                   "columns of '%s' are not those in '%s'",
                   fixture_path("k-00000-of-00003.h5"), path);
    assert_refused(path, "%s", expected);
    m.shards[0].rows = 1; /* the sum stays */
    m.shards[2].rows = 2;
    assert_int_equal(dip_manifest_write(&m, path, &err), DIP_OK);
    assert_refused(path, "'%s' has 2 rows, its manifest says 1",
                   fixture_path("k-00000-of-00003.h5"));
    dip_manifest_free(&m);
}

/* An interrupted import: the new file is in place, the manifest is the old. */
static void test_catalog_damage_crash_before_the_manifest(void **state)
{
    (void)state;
    dip_err err = {0};
    size_t len, new_len;
    const char *path = write_fixture("c.h5");
    const char *manifest = fixture_path("c.manifest.json");
    char *old = read_all(manifest, &len);
    assert_int_equal(fixture_write(path, ROWS + 1, 0, &err), DIP_OK);
    write_all(manifest, old, len);
    free(read_all(path, &new_len));
    dip_catalog *catalog;
    assert_int_equal(dip_catalog_open(&catalog, path, NULL, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "an import was interrupted"));
    free(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_catalog_damage_inside_is_named),
        cmocka_unit_test(test_catalog_damage_bad_utf8_in_text),
        cmocka_unit_test(test_catalog_damage_equal_label_names),
        cmocka_unit_test(test_catalog_damage_format_and_version),
        cmocka_unit_test(test_catalog_damage_storage_outside_of_the_file),
        cmocka_unit_test(test_catalog_damage_link_to_another_file),
        cmocka_unit_test(test_catalog_damage_extent_without_values),
        cmocka_unit_test(test_catalog_damage_truncated_file),
        cmocka_unit_test(test_catalog_damage_any_byte_is_found),
        cmocka_unit_test(test_catalog_damage_never_crashes),
        cmocka_unit_test(test_catalog_damage_manifest_contradicts_files),
        cmocka_unit_test(test_catalog_damage_crash_before_the_manifest),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
