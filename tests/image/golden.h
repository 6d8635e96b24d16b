/* Reading the goldens of tests/golden/image, which
 * tests/parity/gen_image.py writes. Any failure fails the test. Bodies stand
 * here because each test program is one file. */
#ifndef DIP_TESTS_IMAGE_GOLDEN_H
#define DIP_TESTS_IMAGE_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "image/image.h"

enum { SOURCE_WIDTH = 61, SOURCE_HEIGHT = 47 };

typedef struct {
    uint8_t *data;
    size_t size;
} golden_bytes;

/* A list of cases for fscanf(), or NULL when there is no such file. */
static inline FILE *golden_open(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/image/%s", name);
    return fopen(path, "rb");
}

/* The whole file; ends with free(bytes.data). */
static inline golden_bytes golden_read(const char *name)
{
    FILE *file = golden_open(name);
    if (!file)
        fail_msg("no golden %s", name);
    golden_bytes bytes = {0};
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    bytes.size = (size_t)ftell(file);
    rewind(file);
    bytes.data = malloc(bytes.size);
    assert_non_null(bytes.data);
    assert_int_equal(fread(bytes.data, 1, bytes.size, file), bytes.size);
    fclose(file);
    return bytes;
}

/* source.rgb as a view of `bytes`. */
static inline dip_image_view golden_source(const golden_bytes *bytes)
{
    assert_int_equal(bytes->size, 3 * SOURCE_WIDTH * SOURCE_HEIGHT);
    return (dip_image_view){
        .pixels = bytes->data,
        .width = SOURCE_WIDTH,
        .height = SOURCE_HEIGHT,
        .channels = 3,
    };
}

/* Fails when some byte differs by more than `tolerance`. */
static inline void golden_assert_near(const char *what, const uint8_t *got,
                                      const uint8_t *expected, size_t size,
                                      int tolerance)
{
    for (size_t i = 0; i < size; i++)
        if (abs(got[i] - expected[i]) > tolerance)
            fail_msg("%s: byte %zu is %d, not %d", what, i, got[i],
                     expected[i]);
}

#endif
