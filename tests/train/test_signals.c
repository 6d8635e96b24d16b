#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "train/signals.h"

/* What became of a process that gets the two signals, in this order; it exits
 * with 3 if the first was not noted. */
static int status_after(int first, int second)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dip_signals_install();
        bool before = dip_signals_asked();
        (void)raise(first);
        if (before || !dip_signals_asked())
            _exit(3);
        if (second != 0)
            (void)raise(second);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_signals_first_is_noted(void **state)
{
    (void)state;
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        int status = status_after(numbers[i], 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void test_signals_second_of_either_kind_ends(void **state)
{
    (void)state;
    static const int pairs[][2] = {{SIGTERM, SIGTERM},
                                   {SIGTERM, SIGINT},
                                   {SIGINT, SIGTERM},
                                   {SIGINT, SIGINT}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        int status = status_after(pairs[i][0], pairs[i][1]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_first_is_noted),
        cmocka_unit_test(test_signals_second_of_either_kind_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
