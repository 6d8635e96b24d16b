#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/embedding_codes.h"
#include "data/h5.h"

enum { ROWS = 5, DIM = 21 };

static void load(void **out, const char *name, dip_h5_type type, int64_t items)
{
    dip_h5_file file;
    dip_err err = {0};
    assert_int_equal(
        dip_h5_open(&file, "tests/golden/embedding_codes.h5", &err), DIP_OK);
    assert_int_equal(dip_h5_load(out, NULL, &file, name, type, items, &err),
                     DIP_OK);
    dip_h5_close(&file);
}

static const struct {
    dip_codes precision;
    const char *dataset;
    dip_h5_type type;
} goldens[] = {{DIP_CODES_FP32, "values", DIP_H5_F32},
               {DIP_CODES_FP16, "half", DIP_H5_F16},
               {DIP_CODES_INT8, "int8", DIP_H5_I8},
               {DIP_CODES_BINARY, "bits", DIP_H5_U8}};

static int64_t items_of(dip_codes precision)
{
    return precision == DIP_CODES_BINARY
               ? ROWS * (int64_t)dip_codes_bytes(precision, DIM)
               : (int64_t)ROWS * DIM;
}

static void test_embedding_codes_are_those_of_numpy(void **state)
{
    (void)state;
    void *values, *peak;
    load(&values, "values", DIP_H5_F32, ROWS * DIM);
    load(&peak, "peak", DIP_H5_F32, ROWS);
    for (size_t i = 0; i < DIP_ARRAY_LEN(goldens); i++) {
        dip_codes p = goldens[i].precision;
        char codes[ROWS * DIM * sizeof(float)];
        float peaks[ROWS];
        void *wanted;
        load(&wanted, goldens[i].dataset, goldens[i].type, items_of(p));
        dip_codes_encode(codes, peaks, p, values, ROWS, DIM);
        assert_memory_equal(codes, wanted, ROWS * dip_codes_bytes(p, DIM));
        if (p == DIP_CODES_INT8)
            assert_memory_equal(peaks, peak, sizeof peaks);
        free(wanted);
    }
    free(values);
    free(peak);
}

/* So that a row may be read from one file and written to another. */
static void test_embedding_codes_of_decoded_rows_are_the_same(void **state)
{
    (void)state;
    void *values;
    load(&values, "values", DIP_H5_F32, ROWS * DIM);
    for (int p = 0; p < DIP_CODES_COUNT; p++) {
        char codes[ROWS * DIM * sizeof(float)] = {0}, again[sizeof codes] = {0};
        float peaks[ROWS] = {0}, peaks_again[ROWS] = {0};
        float decoded[ROWS * DIM];
        dip_codes_encode(codes, peaks, (dip_codes)p, values, ROWS, DIM);
        dip_codes_decode(decoded, (dip_codes)p, codes, peaks, ROWS, DIM);
        dip_codes_encode(again, peaks_again, (dip_codes)p, decoded, ROWS, DIM);
        assert_memory_equal(codes, again, sizeof codes);
        assert_memory_equal(peaks, peaks_again, sizeof peaks);
    }
    free(values);
}

static void test_embedding_codes_decode_to_what_they_stand_for(void **state)
{
    (void)state;
    const int8_t codes[4] = {127, -127, 0, 64};
    const uint16_t halves[4] = {0x3c00, 0xc000, 0x0001, 0x7bff};
    const uint8_t bits[1] = {0xa0};
    const float peak[1] = {254};
    float out[4];
    dip_codes_decode(out, DIP_CODES_INT8, codes, peak, 1, 4);
    const float by_peak[4] = {254, -254, 0, 128};
    assert_memory_equal(out, by_peak, sizeof out);
    dip_codes_decode(out, DIP_CODES_FP16, halves, NULL, 1, 4);
    const float by_half[4] = {1, -2, 0x1p-24F, 65504};
    assert_memory_equal(out, by_half, sizeof out);
    dip_codes_decode(out, DIP_CODES_BINARY, bits, NULL, 1, 4);
    const float by_bits[4] = {1, -1, 1, -1};
    assert_memory_equal(out, by_bits, sizeof out);
}

static void test_embedding_codes_have_names(void **state)
{
    (void)state;
    dip_codes found;
    for (int p = 0; p < DIP_CODES_COUNT; p++) {
        assert_true(dip_codes_parse(&found, dip_codes_name((dip_codes)p)));
        assert_int_equal(found, p);
    }
    assert_false(dip_codes_parse(&found, "fp64"));
    assert_int_equal(dip_codes_bytes(DIP_CODES_BINARY, 9), 2);
    assert_int_equal(dip_codes_bytes(DIP_CODES_FP16, 9), 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedding_codes_are_those_of_numpy),
        cmocka_unit_test(test_embedding_codes_of_decoded_rows_are_the_same),
        cmocka_unit_test(test_embedding_codes_decode_to_what_they_stand_for),
        cmocka_unit_test(test_embedding_codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
