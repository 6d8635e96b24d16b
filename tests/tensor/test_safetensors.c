#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "tests/tensor/golden.h"

#define GOLDEN "tests/golden/tensor/dtypes.safetensors"

static char path[] = "/tmp/dip-safetensors-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static dip_tensor *named(const dip_safetensors *file, const char *name)
{
    int i = dip_safetensors_find(file, name);
    assert_true(i >= 0);
    assert_string_equal(dip_safetensors_name(file, i), name);
    return dip_safetensors_tensor(file, i);
}

/* The file was written by the reference implementation. */
static void test_safetensors_reads_the_reference_writer(void **state)
{
    (void)state;
    dip_scope_open();
    dip_safetensors *file = golden_open(GOLDEN);
    assert_int_equal(dip_safetensors_count(file), 10);
    assert_tensor(named(file, "f32"), 1.5, -2, 0.25, (double)3e38F);
    assert_int_equal(dip_tensor_size(named(file, "f32"), 0), 2);
    assert_tensor(named(file, "f16"), 0.5, -65504);
    assert_tensor(named(file, "i32"), INT32_MIN, INT32_MAX);
    assert_tensor(named(file, "u8"), 0, 7, 255);
    assert_tensor(named(file, "bool"), 1, 0, 1);
    assert_tensor(named(file, "模型.weight"), 8);
    double wide[2];
    dip_tensor_read(named(file, "f64"), DIP_F64, wide, sizeof wide);
    assert_true(wide[0] == 1e300 && wide[1] == -0.1);
    assert_near(dip_tensor_item(named(file, "i64")), -9223372036854775808.0, 0);
    assert_int_equal(dip_tensor_dtype(named(file, "bf16")), DIP_BF16);
    assert_int_equal(dip_tensor_size(named(file, "empty"), 1), 3);
    assert_int_equal(dip_tensor_numel(named(file, "empty")), 0);
    assert_string_equal(dip_safetensors_metadata(file, "a"), "b");
    assert_string_equal(dip_safetensors_metadata(file, "词"), "✓");
    assert_null(dip_safetensors_metadata(file, "none"));
    assert_int_equal(dip_safetensors_find(file, "none"), -1);
    dip_safetensors_close(file);
    dip_safetensors_close(NULL);
    dip_scope_close();
}

static void write_ok(const dip_named_tensor *tensors, int count,
                     const dip_metadata *metadata, int metadata_count)
{
    dip_err err = {0};
    if (dip_safetensors_write(path, tensors, count, metadata, metadata_count,
                              &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void test_safetensors_round_trips_every_dtype(void **state)
{
    (void)state;
    dip_scope_open();
    dip_safetensors *golden = golden_open(GOLDEN);
    dip_named_tensor tensors[10];
    int count = dip_safetensors_count(golden);
    for (int i = 0; i < count; i++)
        tensors[i] =
            (dip_named_tensor){.name = dip_safetensors_name(golden, i),
                               .tensor = dip_safetensors_tensor(golden, i)};
    const dip_metadata metadata[] = {{"step", "500"}, {"quote", "\"\\\n"}};
    write_ok(tensors, count, metadata, 2);
    dip_safetensors *file = golden_open(path);
    assert_int_equal(dip_safetensors_count(file), count);
    for (int i = 0; i < count; i++) {
        dip_tensor *back = named(file, tensors[i].name);
        assert_int_equal(dip_tensor_dtype(back),
                         dip_tensor_dtype(tensors[i].tensor));
        assert_true(distance(back, tensors[i].tensor) == 0);
    }
    assert_string_equal(dip_safetensors_metadata(file, "quote"), "\"\\\n");
    dip_safetensors_close(file);
    dip_safetensors_close(golden);
    dip_scope_close();
}

/* Any layout is written row-major, and larger elements first, so that each
 * tensor is aligned for readers that map the file. */
static void test_safetensors_writes_row_major_and_aligned(void **state)
{
    (void)state;
    const float data[] = {1, 2, 3, 4, 5, 6};
    dip_scope_open();
    dip_tensor *grid = dip_tensor_from(data, DIP_F32, SIZES(2, 3));
    dip_tensor_set_requires_grad(grid, true);
    const dip_named_tensor tensors[] = {
        {.name = "byte", .tensor = dip_tensor_full(9, DIP_U8, SIZES(1))},
        {.name = "turned", .tensor = dip_t_transpose(grid, 0, 1)},
        {.name = "wide", .tensor = dip_tensor_full(7, DIP_F64, SIZES(1))},
    };
    write_ok(tensors, 3, NULL, 0);
    dip_safetensors *file = golden_open(path);
    assert_string_equal(dip_safetensors_name(file, 0), "wide");
    assert_string_equal(dip_safetensors_name(file, 2), "byte");
    assert_tensor(named(file, "turned"), 1, 4, 2, 5, 3, 6);
    dip_safetensors_close(file);
    FILE *stream = fopen(path, "rbe");
    assert_non_null(stream);
    assert_int_equal(fgetc(stream) % 8, 0); /* the header's length */
    (void)fclose(stream);
    dip_scope_close();
}

static dip_status write_status(const dip_named_tensor *tensors, int count,
                               const dip_metadata *metadata, int metadata_count,
                               dip_err *err)
{
    *err = (dip_err){0};
    dip_status st = dip_safetensors_write("/tmp/dip-never-written", tensors,
                                          count, metadata, metadata_count, err);
    assert_int_not_equal(access("/tmp/dip-never-written", F_OK), 0);
    return st;
}

static void test_safetensors_refuses_what_it_cannot_write(void **state)
{
    (void)state;
    dip_scope_open();
    dip_err err;
    dip_tensor *one = dip_tensor_scalar(1, DIP_F32);
    dip_named_tensor pair[] = {{.name = "w", .tensor = one},
                               {.name = "w", .tensor = one}};
    assert_int_equal(write_status(pair, 2, NULL, 0, &err), DIP_EDATA);
    assert_string_equal(err.msg, "tensor name 'w' is taken");
    pair[1].name = "__metadata__";
    assert_int_equal(write_status(pair, 2, NULL, 0, &err), DIP_EDATA);
    pair[1].name = "not \xff UTF-8";
    assert_int_equal(write_status(pair, 2, NULL, 0, &err), DIP_EDATA);
    pair[1] = (dip_named_tensor){.name = "absent"};
    assert_int_equal(write_status(pair, 2, NULL, 0, &err), DIP_EDATA);
    const dip_metadata twice[] = {{"k", "1"}, {"k", "2"}};
    assert_int_equal(write_status(pair, 1, twice, 2, &err), DIP_EDATA);
    assert_string_equal(err.msg, "two metadata named 'k'");
    dip_tensor *complex;
    dip_arg args[] = {{.kind = DIP_ARG_TENSOR, .as.tensor = one},
                      {.kind = DIP_ARG_TENSOR, .as.tensor = one}};
    dip_tensor_call(&complex, 1, "aten::complex", "", args, 2);
    pair[1] = (dip_named_tensor){.name = "complex", .tensor = complex};
    assert_int_equal(write_status(pair, 2, NULL, 0, &err), DIP_ETENSOR);
    assert_non_null(strstr(err.msg, "are not supported"));
    dip_tensor_fail(DIP_FAIL, "earlier");
    assert_int_equal(write_status(pair, 1, NULL, 0, &err), DIP_FAIL);
    assert_string_equal(err.msg, "earlier");
    assert_int_equal(
        dip_safetensors_write("/tmp/no/such/folder/x", pair, 1, NULL, 0, &err),
        DIP_EIO);
    assert_no_error();
    dip_scope_close();
}

/* ---- damaged files ------------------------------------------------------ */

static void put_file(uint64_t header_length, const char *header,
                     size_t data_size)
{
    FILE *stream = fopen(path, "wbe");
    assert_non_null(stream);
    for (int i = 0; i < 8; i++)
        (void)fputc((int)(header_length >> 8 * i & 0xff), stream);
    (void)fputs(header, stream);
    for (size_t i = 0; i < data_size; i++)
        (void)fputc(2, stream);
    assert_int_equal(fclose(stream), 0);
}

#define INFO(dtype, shape, offsets)                                            \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* data: bytes behind the header; words: what the message must hold */
static const struct {
    const char *header;
    size_t data;
    const char *words;
} damaged[] = {
    {"", 0, "starts without '{'"},
    {" {}", 0, "starts without '{'"},
    {"{\"a\":", 0, "header of"},
    {"{} x", 0, "header of"},
    {"[]", 0, "starts without '{'"},
    {"{\"\xff\":1}", 0, "header of"},
    {"{\"a\":" INFO("F32", "[1]", "[0,4]") ",\"a\":" INFO("F32", "[1]",
                                                          "[0,4]") "}",
     4, "duplicate"},
    {"{\"a\":1}", 0, "not dtype, shape and data_offsets alone of tensor 'a'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "alone"},
    {"{\"a\":" INFO("F8_E4M3", "[4]", "[0,4]") "}", 4, "unsupported dtype"},
    {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "unsupported dtype"},
    {"{\"a\":" INFO("F32", "[-1]", "[0,4]") "}", 4, "wrong shape"},
    {"{\"a\":" INFO("F32", "[1.0]", "[0,4]") "}", 4, "wrong shape"},
    {"{\"a\":" INFO("F32", "4", "[0,4]") "}", 4, "wrong shape"},
    {"{\"a\":" INFO("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]") "}",
     4, "wrong shape"},
    {"{\"a\":" INFO("F32", "[4294967296,4294967296,4294967296]", "[0,4]") "}",
     4, "wrong shape"},
    {"{\"a\":" INFO("F32", "[4611686018427387905]", "[0,4]") "}", 4,
     "do not fit dtype and shape"},
    {"{\"a\":" INFO("F32", "[99999999999999999999]", "[0,4]") "}", 4,
     "header of"},
    {"{\"a\":" INFO("F32", "[2]", "[0,4]") "}", 4,
     "do not fit dtype and shape"},
    {"{\"a\":" INFO("F32", "[1]", "[-4,0]") "}", 4, "do not lie in the data"},
    {"{\"a\":" INFO("F32", "[1]", "[4,0]") "}", 4, "do not lie in the data"},
    {"{\"a\":" INFO("F32", "[1]", "[0]") "}", 4, "do not lie in the data"},
    {"{\"a\":" INFO("F32", "[1]", "[0,4]") "}", 3, "do not lie in the data"},
    {"{\"a\":" INFO("F32", "[1]", "[0,4]") "}", 5,
     "1 bytes belong to no tensor"},
    {"{\"a\":" INFO("F32", "[1]", "[1,5]") "}", 5, "gap before the data"},
    {"{\"a\":" INFO("F32", "[1]", "[0,4]") ",\"b\":" INFO("F32", "[1]",
                                                          "[2,6]") "}",
     6, "overlapping data of tensor 'b'"},
    {"{\"a\":" INFO("F32", "[1]", "[0,4]") ",\"b\":" INFO("F32", "[1]",
                                                          "[0,4]") "}",
     4, "overlapping data"},
    {"{\"__metadata__\":[]}", 0, "is no object"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "'k' is no string"},
};

static dip_status open_status(dip_err *err)
{
    dip_safetensors *file;
    *err = (dip_err){0};
    dip_status st = dip_safetensors_open(&file, path, err);
    if (st != DIP_OK)
        assert_null(file);
    dip_safetensors_close(file);
    return st;
}

static void test_safetensors_refuses_damaged_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < DIP_ARRAY_LEN(damaged); i++) {
        dip_err err;
        put_file(strlen(damaged[i].header), damaged[i].header, damaged[i].data);
        dip_status st = open_status(&err);
        if (st != DIP_EFORMAT || strstr(err.msg, damaged[i].words) == NULL ||
            strstr(err.msg, path) == NULL)
            fail_msg("%s: status %d, '%s'", damaged[i].header, (int)st,
                     err.msg);
    }
}

static void test_safetensors_refuses_wrong_header_lengths(void **state)
{
    (void)state;
    dip_err err;
    put_file(3, "{}", 0);
    assert_int_equal(open_status(&err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "passes the end"));
    put_file(100000001, "{}", 0);
    assert_int_equal(open_status(&err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "more than 100000000"));
    put_file(UINT64_MAX, "{}", 0);
    assert_int_equal(open_status(&err), DIP_EFORMAT);
    assert_int_equal(truncate(path, 7), 0);
    assert_int_equal(open_status(&err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "only 7 bytes"));
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(open_status(&err), DIP_EFORMAT);
    dip_safetensors *file;
    assert_int_equal(dip_safetensors_open(&file, "/tmp/no/such", &err),
                     DIP_ENOTFOUND);
    assert_int_equal(dip_safetensors_open(&file, "/tmp", &err), DIP_EIO);
}

/* Little text that would become much memory. */
static void test_safetensors_refuses_header_bombs(void **state)
{
    (void)state;
    size_t n = (size_t)5 << 20;
    char *header = malloc(n + 1);
    assert_non_null(header);
    memset(header, ',', n);
    for (size_t i = 0; i < n; i += 2)
        header[i] = '1';
    memcpy(header, "{\"a\":[", 6);
    header[n] = '\0';
    dip_err err;
    put_file(n, header, 0);
    free(header);
    assert_int_equal(open_status(&err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "header with more than 2097152 commas in"));
    assert_non_null(strstr(err.msg, path));
}

static void test_safetensors_every_truncation_is_refused(void **state)
{
    (void)state;
    dip_scope_open();
    const dip_named_tensor tensor = {
        .name = "w", .tensor = dip_tensor_full(1, DIP_F32, SIZES(3, 2))};
    write_ok(&tensor, 1, NULL, 0);
    FILE *stream = fopen(path, "rbe");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    long size = ftell(stream);
    (void)fclose(stream);
    dip_err err;
    assert_int_equal(open_status(&err), DIP_OK);
    while (size-- > 0) {
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(open_status(&err), DIP_EFORMAT);
    }
    dip_scope_close();
}

static void test_safetensors_bytes_that_are_no_bool_are_refused(void **state)
{
    (void)state;
    const char *header = "{\"a\":" INFO("BOOL", "[2]", "[0,2]") "}";
    put_file(strlen(header), header, 2);
    dip_scope_open();
    dip_safetensors *file = golden_open(path);
    assert_null(dip_safetensors_tensor(file, 0));
    assert_error("byte 0 of tensor 'a' is no BOOL");
    dip_safetensors_close(file);
    dip_scope_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors_reads_the_reference_writer),
        cmocka_unit_test(test_safetensors_round_trips_every_dtype),
        cmocka_unit_test(test_safetensors_writes_row_major_and_aligned),
        cmocka_unit_test(test_safetensors_refuses_what_it_cannot_write),
        cmocka_unit_test(test_safetensors_refuses_damaged_headers),
        cmocka_unit_test(test_safetensors_refuses_wrong_header_lengths),
        cmocka_unit_test(test_safetensors_refuses_header_bombs),
        cmocka_unit_test(test_safetensors_every_truncation_is_refused),
        cmocka_unit_test(test_safetensors_bytes_that_are_no_bool_are_refused),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
