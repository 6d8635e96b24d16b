#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tensor/shape.h"
#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"

static void test_shape_is_sizes_in_their_order(void **state)
{
    (void)state;
    dip_tensor *t = dip_tensor_full(0, DIP_F32, SIZES(2, 3));
    assert_true(dip_shape_equal(t, dip_tensor_full(1, DIP_I64, SIZES(2, 3))));
    assert_false(dip_shape_equal(t, dip_tensor_full(0, DIP_F32, SIZES(3, 2))));
    assert_false(
        dip_shape_equal(t, dip_tensor_full(0, DIP_F32, SIZES(2, 3, 1))));
    assert_true(dip_shape_equal(dip_tensor_scalar(1, DIP_F32),
                                dip_tensor_scalar(2, DIP_F32)));
    assert_no_error();
}

static void test_shape_has_words(void **state)
{
    (void)state;
    dip_str text = {0};
    dip_shape_add_unlike(&text, dip_tensor_full(0, DIP_F32, SIZES(2, 3)),
                         dip_tensor_scalar(1, DIP_F32));
    assert_string_equal(dip_str_text(&text),
                        "the file has [2, 3], the model has []");
    dip_str_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_shape_is_sizes_in_their_order),
        CASE(test_shape_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
