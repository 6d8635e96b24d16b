#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/embedding_file.h"
#include "data/h5.h"
#include "tests/data/catalog_fixture.h"

/* Rows 0, 3 and 6 of the catalog are of the train split. */
enum { ROWS = 7, WIDTH = 2 };

static dip_catalog *open_catalog(void)
{
    dip_err err = {0};
    dip_catalog *catalog;
    assert_int_equal(fixture_write(fixture_path("a.h5"), ROWS, 0, &err),
                     DIP_OK);
    assert_int_equal(
        dip_catalog_open(&catalog, fixture_path("a.h5"), NULL, &err), DIP_OK);
    return catalog;
}

static void put_matrix(const dip_h5_file *file, hid_t type, int64_t rows,
                       int64_t width, const float *values)
{
    hsize_t size[2] = {(hsize_t)rows, (hsize_t)width};
    hid_t space = H5Screate_simple(2, size, NULL);
    hid_t data = H5Dcreate2(file->id, "embedding/photo", type, space,
                            H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(data >= 0);
    assert_true(H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                         values) >= 0);
    (void)H5Dclose(data);
    (void)H5Sclose(space);
}

typedef struct {
    const char *format;
    int64_t version;
    int ids[5]; /* of items */
    int64_t rows, matrix_rows;
    bool doubles;
    float values[5 * WIDTH];
} contents;

/* Not in the order of the catalog, with a row that it does not have (20) and
 * one of another split (1); item 3 is absent. */
static contents good(void)
{
    return (contents){DIP_EMBEDDING_FORMAT,
                      DIP_EMBEDDING_VERSION,
                      {6, 20, 0, 1, 3},
                      5,
                      5,
                      false,
                      {3, 4, 9, 9, 0, -2, 7, 7, 0, 0}};
}

static void write_file(const contents *c)
{
    dip_err err = {0};
    dip_h5_file file;
    char ids[128] = "";
    int64_t offsets[6] = {0};
    for (int64_t i = 0; i < c->rows; i++)
        offsets[i + 1] = offsets[i] + snprintf(ids + offsets[i], sizeof ids / 5,
                                               "item-%d", c->ids[i]);
    (void)remove(fixture_path("e.h5"));
    assert_int_equal(dip_h5_create(&file, fixture_path("e.h5"), &err), DIP_OK);
    dip_status st = dip_h5_put_text(&file, "format", c->format, &err);
    if (st == DIP_OK)
        st = dip_h5_put_int(&file, "version", c->version, &err);
    if (st == DIP_OK)
        st = dip_h5_make_group(&file, "id", &err);
    if (st == DIP_OK)
        st = dip_h5_make_group(&file, "embedding", &err);
    if (st == DIP_OK)
        st = dip_h5_write(&file, "id/bytes", DIP_H5_U8, offsets[c->rows], ids,
                          &err);
    if (st == DIP_OK)
        st = dip_h5_write(&file, "id/offsets", DIP_H5_I64, c->rows + 1, offsets,
                          &err);
    assert_int_equal(st, DIP_OK);
    put_matrix(&file, c->doubles ? H5T_IEEE_F64LE : H5T_NATIVE_FLOAT,
               c->matrix_rows, WIDTH, c->values);
    assert_int_equal(dip_h5_finish(&file, &err), DIP_OK);
}

static dip_status read_file(float *values, uint8_t *present, const char *name,
                            dip_err *err)
{
    dip_embedding_file *file;
    int64_t width;
    dip_catalog *catalog = open_catalog();
    dip_status st = dip_embedding_file_open(&file, fixture_path("e.h5"),
                                            catalog, DIP_SPLIT_TRAIN, err);
    if (st == DIP_OK)
        st = dip_embedding_file_width(&width, file, name, err);
    if (st == DIP_OK)
        assert_int_equal(width, WIDTH);
    if (st == DIP_OK)
        st = dip_embedding_file_read(values, present, file, name, err);
    dip_embedding_file_close(file);
    dip_catalog_close(catalog);
    return st;
}

static void test_embedding_file_gives_unit_rows_by_id(void **state)
{
    (void)state;
    const float wanted[ROWS * WIDTH] = {0, -1, 5, 5, 5, 5,   0,
                                        0, 5,  5, 5, 5, .6F, .8F};
    const uint8_t there[ROWS] = {1, 5, 5, 0, 5, 5, 1};
    float values[ROWS * WIDTH];
    uint8_t present[ROWS];
    dip_err err = {0};
    contents c = good();
    for (int i = 0; i < ROWS * WIDTH; i++)
        values[i] = 5; /* what is not of the split stays */
    memset(present, 5, sizeof present);
    write_file(&c);
    assert_int_equal(read_file(values, present, "photo", &err), DIP_OK);
    for (int i = 0; i < ROWS * WIDTH; i++)
        assert_float_equal(values[i], wanted[i], 1e-7);
    assert_memory_equal(present, there, sizeof there);
}

/* The message has the file for %s. */
static void refuses(const contents *c, const char *name, dip_status status,
                    const char *message)
{
    float values[ROWS * WIDTH];
    uint8_t present[ROWS];
    char wanted[DIP_ERR_SIZE];
    dip_err err = {0};
    write_file(c);
    assert_int_equal(read_file(values, present, name, &err), status);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(wanted, sizeof wanted, message, fixture_path("e.h5"));
#pragma GCC diagnostic pop
    assert_string_equal(err.msg, wanted);
}

static void test_embedding_file_names_what_is_wrong(void **state)
{
    (void)state;
    contents c = good();
    refuses(&c, "title", DIP_ENOTFOUND,
            "no 'embedding/title' in '%s'; there are: photo");
    c.values[9] = (float)INFINITY;
    refuses(&c, "photo", DIP_EFORMAT,
            "a number that is not finite in row 4, 'item-3', of "
            "'embedding/photo' in '%s'");
    c = good();
    c.values[3] = NAN; /* of a row that nobody asks for */
    float values[ROWS * WIDTH];
    uint8_t present[ROWS];
    dip_err err = {0};
    write_file(&c);
    assert_int_equal(read_file(values, present, "photo", &err), DIP_OK);
    c = good();
    c.ids[2] = 2;
    refuses(&c, "photo", DIP_EDATA,
            "no row of 'item-0' in '%s', which lacks 1 of the 3 rows of the "
            "split 'train'");
    c = good();
    c.ids[3] = 6;
    refuses(&c, "photo", DIP_EFORMAT,
            "id 'item-6' a second time in row 3 of '%s'");
    c = good();
    c.matrix_rows = 4;
    refuses(&c, "photo", DIP_EFORMAT,
            "dataset 'embedding/photo' of '%s' has 4 rows, not 5");
    c = good();
    c.doubles = true;
    refuses(&c, "photo", DIP_EFORMAT,
            "dataset 'embedding/photo' of '%s' is not float32");
    c = good();
    c.format = "diptych-catalog";
    refuses(&c, "photo", DIP_EFORMAT,
            "format of '%s' is not diptych-embeddings");
    c = good();
    c.version = 2;
    refuses(&c, "photo", DIP_EFORMAT, "version 2 of '%s', where 1 is read");
}

/* Cut anywhere it is an error, never a crash. */
static void test_embedding_file_is_not_half_a_file(void **state)
{
    (void)state;
    contents c = good();
    char *bytes;
    size_t length;
    dip_err err = {0};
    write_file(&c);
    assert_int_equal(
        dip_file_read(&bytes, &length, fixture_path("e.h5"), 1 << 20, &err),
        DIP_OK);
    for (size_t cut = 0; cut < length; cut += length / 16) {
        float values[ROWS * WIDTH];
        uint8_t present[ROWS];
        assert_int_equal(dip_file_write(fixture_path("e.h5"), bytes, cut, &err),
                         DIP_OK);
        assert_int_equal(read_file(values, present, "photo", &err),
                         DIP_EFORMAT);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedding_file_gives_unit_rows_by_id),
        cmocka_unit_test(test_embedding_file_names_what_is_wrong),
        cmocka_unit_test(test_embedding_file_is_not_half_a_file),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
