#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/embedding_file.h"
#include "data/embedding_journal.h"
#include "data/embedding_store.h"
#include "data/h5.h"
#include "data/npy.h"
#include "tests/data/catalog_fixture.h"

enum { ROWS = 5, DIM = 9 };

#define MODEL "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const dip_bytes ids[ROWS] = {
    {"a", 1}, {"bb", 2}, {"", 0}, {"\xc3\xa9", 2}, {"e", 1}};
static const uint8_t present[ROWS] = {1, 1, 0, 1, 1};

typedef struct {
    float values[ROWS * DIM];
    dip_row_digest digests[ROWS];
} rows;

/* Multiples of 1/8 below 2, which all floats can hold; row 2 is absent. */
static rows make_rows(void)
{
    rows r = {0};
    for (int i = 0; i < ROWS * DIM; i++)
        r.values[i] = present[i / DIM] ? (float)(i * 7 % 31 - 15) / 8 : 0;
    for (int i = 0; i < ROWS; i++)
        memset(r.digests[i].bytes, i + 1, DIP_ROW_DIGEST_SIZE);
    return r;
}

static dip_embedding_info info_of(dip_codes precision, bool has_rescore)
{
    return (dip_embedding_info){.name = "product",
                                .model = MODEL,
                                .recipe = "product of title in fp32",
                                .similarity = DIP_SIMILARITY_EUCLIDEAN,
                                .precision = precision,
                                .has_rescore = has_rescore,
                                .rescore = DIP_CODES_FP16,
                                .rows = ROWS,
                                .dim = DIM};
}

/* In two pieces, as batches come. */
static void write_file(const char *path, const dip_embedding_info *info)
{
    dip_err err = {0};
    dip_embedding_writer *w;
    rows r = make_rows();
    assert_int_equal(dip_tree_remove(path, &err), DIP_OK);
    assert_int_equal(dip_embedding_writer_open(&w, path, info, ids, &err),
                     DIP_OK);
    assert_int_equal(
        dip_embedding_writer_add(w, r.values, present, r.digests, 2, &err),
        DIP_OK);
    assert_false(dip_file_exists(path));
    assert_int_equal(dip_embedding_writer_add(w, r.values + 2 * DIM,
                                              present + 2, r.digests + 2, 3,
                                              &err),
                     DIP_OK);
    assert_int_equal(dip_embedding_writer_commit(w, &err), DIP_OK);
    dip_embedding_writer_close(w);
}

static void check_rows(const dip_embedding_store *store,
                       const dip_embedding_info *info)
{
    dip_err err = {0};
    rows r = make_rows();
    float coarse[ROWS * DIM], out[ROWS * DIM], peaks[ROWS];
    char codes[ROWS * DIM * sizeof(float)];
    dip_codes_encode(codes, peaks, info->precision, r.values, ROWS, DIM);
    dip_codes_decode(coarse, info->precision, codes, peaks, ROWS, DIM);
    memset(coarse + 2 * DIM, 0, DIM * sizeof(float)); /* the absent row */
    assert_int_equal(dip_embedding_store_read(out, store, 0, ROWS, false, &err),
                     DIP_OK);
    assert_memory_equal(out, coarse, sizeof out);
    assert_int_equal(dip_embedding_store_read(out, store, 3, 2, true, &err),
                     DIP_OK);
    bool fine = info->has_rescore || info->precision <= DIP_CODES_FP16;
    assert_memory_equal(out, (fine ? r.values : coarse) + 3 * DIM,
                        2 * DIM * sizeof(float));
}

static void test_embedding_store_reads_what_was_written(void **state)
{
    (void)state;
    for (int p = 0; p < DIP_CODES_COUNT; p++) {
        dip_err err = {0};
        dip_embedding_store *store;
        rows r = make_rows();
        dip_row_digest *digests;
        dip_embedding_info info = info_of((dip_codes)p, p >= 2);
        const char *path = fixture_path("e.h5");
        write_file(path, &info);
        assert_int_equal(dip_embedding_store_open(&store, path, &err), DIP_OK);
        const dip_embedding_info *found = dip_embedding_store_info(store);
        assert_int_equal(found->precision, p);
        assert_int_equal(found->has_rescore, p >= 2);
        assert_int_equal(found->similarity, DIP_SIMILARITY_EUCLIDEAN);
        assert_string_equal(found->model, MODEL);
        assert_string_equal(found->recipe, info.recipe);
        assert_int_equal(found->rows, ROWS);
        for (int i = 0; i < ROWS; i++) {
            dip_bytes id = dip_embedding_store_id(store, i);
            assert_int_equal(id.len, ids[i].len);
            assert_memory_equal(id.data, ids[i].data, id.len);
        }
        assert_memory_equal(dip_embedding_store_present(store), present, ROWS);
        check_rows(store, &info);
        assert_int_equal(dip_embedding_store_digests(&digests, store, &err),
                         DIP_OK);
        assert_memory_equal(digests, r.digests, sizeof r.digests);
        free(digests);
        dip_embedding_store_close(store);
    }
}

/* ---- damage ---- */

typedef struct {
    const char *attribute, *text; /* replaced; NULL: a dataset is */
    const char *dataset;
    dip_h5_type type;
    int64_t rows, width;
    float value;
    const char *message;
} damage;

static void put_damage(const char *path, const damage *d)
{
    dip_h5_file file;
    dip_h5_dataset data;
    dip_err err = {0};
    float values[ROWS * DIM];
    assert_int_equal(dip_h5_open_write(&file, path, &err), DIP_OK);
    if (d->attribute != NULL) {
        assert_true(H5Adelete(file.id, d->attribute) >= 0);
        if (d->text != NULL)
            assert_int_equal(
                dip_h5_put_text(&file, d->attribute, d->text, &err), DIP_OK);
    } else {
        assert_true(H5Ldelete(file.id, d->dataset, H5P_DEFAULT) >= 0);
        for (int i = 0; i < ROWS * DIM; i++)
            values[i] = d->value;
        assert_int_equal(dip_h5_create_rows(&data, &file, d->dataset, d->type,
                                            d->rows, d->width, &err),
                         DIP_OK);
        assert_int_equal(
            dip_h5_write_rows(&data, d->type, 0, d->rows, values, &err),
            DIP_OK);
        dip_h5_dataset_close(&data);
    }
    assert_int_equal(dip_h5_finish(&file, &err), DIP_OK);
}

static void test_embedding_store_refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const damage cases[] = {
        {"format", "diptych-outcomes", .message = "format of"},
        {"precision", "fp64", .message = "precision 'fp64' in"},
        {"rescore", "int8", .message = "rescore 'int8' in"},
        {"similarity", "dot", .message = "similarity 'dot' in"},
        {"model", "0123", .message = "model '0123' in"},
        {"recipe", NULL, .message = "no attribute 'recipe' in"},
        {NULL, NULL, "present", DIP_H5_U8, 4, 1, 0, "has 4 rows, not 5"},
        {NULL, NULL, "embedding/product", DIP_H5_I8, ROWS, 8, 0,
         "has 8 columns, not 9"},
        {NULL, NULL, "embedding/product", DIP_H5_U8, ROWS, DIM, 0,
         "is not int8"},
        {NULL, NULL, "peak/product", DIP_H5_F32, ROWS, 1, -1,
         "peak of row 0 in"},
        {NULL, NULL, "rescore/product", DIP_H5_F32, ROWS, DIM, 0,
         "is not float16"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_err err = {0};
        dip_embedding_store *store;
        dip_embedding_info info = info_of(DIP_CODES_INT8, true);
        const char *path = fixture_path("e.h5");
        write_file(path, &info);
        put_damage(path, &cases[i]);
        assert_int_equal(dip_embedding_store_open(&store, path, &err),
                         DIP_EFORMAT);
        assert_null(store);
        assert_non_null(strstr(err.msg, cases[i].message));
    }
}

static void test_embedding_store_names_a_row_that_is_not_finite(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_embedding_store *store;
    float out[ROWS * DIM];
    dip_embedding_info info = info_of(DIP_CODES_FP32, false);
    const char *path = fixture_path("e.h5");
    const damage nan = {.dataset = "embedding/product",
                        .type = DIP_H5_F32,
                        .rows = ROWS,
                        .width = DIM,
                        .value = NAN};
    write_file(path, &info);
    put_damage(path, &nan);
    assert_int_equal(dip_embedding_store_open(&store, path, &err), DIP_OK);
    assert_int_equal(dip_embedding_store_read(out, store, 2, 2, true, &err),
                     DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "in row 3 of")); /* row 2 is absent */
    dip_embedding_store_close(store);
}

/* ---- the journal ---- */

static dip_embedding_journal *open_journal(int64_t *kept, const char *key,
                                           const dip_row_digest *wanted,
                                           int64_t count)
{
    dip_err err = {0};
    dip_embedding_journal *j;
    assert_int_equal(dip_embedding_journal_open(&j, kept,
                                                fixture_path("j.partial"), key,
                                                DIM, wanted, count, &err),
                     DIP_OK);
    return j;
}

static void fill_journal(int64_t count)
{
    dip_err err = {0};
    int64_t kept;
    rows r = make_rows();
    dip_embedding_journal *j = open_journal(&kept, MODEL, r.digests, ROWS);
    assert_int_equal(kept, 0);
    assert_int_equal(
        dip_embedding_journal_add(j, r.digests, present, r.values, count, &err),
        DIP_OK);
    dip_embedding_journal_close(j);
}

static void change_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
}

static void test_embedding_journal_goes_on_where_it_stopped(void **state)
{
    (void)state;
    dip_err err = {0};
    int64_t kept;
    rows r = make_rows();
    float values[ROWS * DIM];
    uint8_t there[ROWS];
    fill_journal(3);
    dip_embedding_journal *j = open_journal(&kept, MODEL, r.digests, ROWS);
    assert_int_equal(kept, 3);
    assert_int_equal(dip_embedding_journal_add(j, r.digests + 3, present + 3,
                                               r.values + 3 * DIM, 2, &err),
                     DIP_OK);
    assert_int_equal(
        dip_embedding_journal_read(values, there, j, 0, ROWS, &err), DIP_OK);
    assert_memory_equal(values, r.values, sizeof values);
    assert_memory_equal(there, present, sizeof there);
    assert_int_equal(dip_embedding_journal_remove(j, &err), DIP_OK);
    dip_embedding_journal_close(j);
    assert_false(dip_file_exists(fixture_path("j.partial")));
}

static void test_embedding_journal_cuts_what_it_cannot_use(void **state)
{
    (void)state;
    enum { HEAD = 80, RECORD = 16 + 4 + 4 * DIM + 4 };
    int64_t kept;
    rows r = make_rows(), other = make_rows();
    other.digests[1].bytes[15] ^= 1;
    fill_journal(3); /* a row that changed since then, and those behind it */
    dip_embedding_journal_close(
        open_journal(&kept, MODEL, other.digests, ROWS));
    assert_int_equal(kept, 1);
    dip_embedding_journal_close(open_journal(&kept, MODEL, r.digests, ROWS));
    assert_int_equal(kept, 1);
    assert_int_equal(dip_tree_remove(fixture_path("j.partial"), NULL), DIP_OK);
    fill_journal(3); /* a damaged number in record 2 */
    change_byte(fixture_path("j.partial"), HEAD + 2 * RECORD + 30);
    dip_embedding_journal_close(open_journal(&kept, MODEL, r.digests, ROWS));
    assert_int_equal(kept, 2);
    dip_embedding_journal_close(/* another model */
                                open_journal(&kept, "f" MODEL, r.digests,
                                             ROWS));
    assert_int_equal(kept, 0);
}

static void test_embedding_journal_leaves_other_files_alone(void **state)
{
    (void)state;
    dip_err err = {0};
    int64_t kept;
    rows r = make_rows();
    dip_embedding_journal *j, *second;
    const char *path = fixture_path("j.partial");
    assert_int_equal(dip_file_write(path, "my notes", 8, &err), DIP_OK);
    assert_int_equal(dip_embedding_journal_open(&j, &kept, path, MODEL, DIM,
                                                r.digests, ROWS, &err),
                     DIP_EFORMAT);
    assert_int_equal(dip_tree_remove(path, &err), DIP_OK);
    j = open_journal(&kept, MODEL, r.digests, ROWS);
    assert_int_equal(dip_embedding_journal_open(&second, &kept, path, MODEL,
                                                DIM, r.digests, ROWS, &err),
                     DIP_EIO);
    assert_null(second);
    dip_embedding_journal_close(j);
}

/* ---- numpy ---- */

/* The first 128 bytes of numpy.save() of float32 [2, 3], numpy 2.4. */
static void test_npy_begins_as_that_of_numpy(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_npy *npy;
    char *bytes;
    size_t length;
    const float values[6] = {1, 2, 3, 4, 5, 6};
    const char *path = fixture_path("x.npy");
    static const char text[] = "\x93NUMPY\x01\x00v\x00{'descr': '<f4', "
                               "'fortran_order': False, 'shape': (2, 3), }";
    char wanted[128];
    memset(wanted, ' ', sizeof wanted);
    memcpy(wanted, text, sizeof text - 1);
    wanted[127] = '\n';
    assert_int_equal(dip_npy_open(&npy, path, "<f4", 2, 3, &err), DIP_OK);
    assert_int_equal(dip_npy_add(npy, values, sizeof values, &err), DIP_OK);
    assert_int_equal(dip_npy_commit(npy, &err), DIP_OK);
    dip_npy_close(npy);
    assert_int_equal(dip_file_read(&bytes, &length, path, 4096, &err), DIP_OK);
    assert_int_equal(length, 128 + sizeof values);
    assert_memory_equal(bytes, wanted, sizeof wanted);
    assert_memory_equal(bytes + 128, values, sizeof values);
    free(bytes);
}

int main(void)
{
#define FIXED(test)                                                            \
    cmocka_unit_test_setup_teardown(test, fixture_enter, fixture_leave)
    const struct CMUnitTest tests[] = {
        FIXED(test_embedding_store_reads_what_was_written),
        FIXED(test_embedding_store_refuses_what_does_not_fit),
        FIXED(test_embedding_store_names_a_row_that_is_not_finite),
        FIXED(test_embedding_journal_goes_on_where_it_stopped),
        FIXED(test_embedding_journal_cuts_what_it_cannot_use),
        FIXED(test_embedding_journal_leaves_other_files_alone),
        FIXED(test_npy_begins_as_that_of_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
