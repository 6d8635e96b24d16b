/* cmocka cases inside a scope of their own that must leave no tensor alive. */
#ifndef DIP_TESTS_TENSOR_SCOPE_H
#define DIP_TESTS_TENSOR_SCOPE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tensor/tensor.h"

static inline int open_test(void **state)
{
    (void)state;
    dip_scope_open();
    return 0;
}

static inline int end_test(void **state)
{
    (void)state;
    dip_scope_close();
    return dip_tensor_live_count() == 0 ? 0 : -1;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, open_test, end_test)

#endif
