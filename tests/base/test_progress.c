#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"
#include "base/term.h"
#include "base/utf8.h"

#define DOT " \xc2\xb7 "

static void expect_line(const dip_progress_state *state, int width,
                        const char *expected)
{
    dip_str line = {0};
    dip_progress_line(&line, state, width);
    assert_string_equal(dip_str_text(&line), expected);
    dip_str_free(&line);
}

static void test_progress_line_shows_rate_and_eta(void **state)
{
    (void)state;
    dip_progress_state at = {.label = "train",
                             .unit = "steps",
                             .suffix = "loss 1.23" DOT "wait 3 %",
                             .done = 250,
                             .total = 1000,
                             .seconds = 10};
    expect_line(&at, 0,
                "train [#####...............] 250/1000 steps 25 %" DOT
                "25 steps/s" DOT "ETA 0:30" DOT "loss 1.23" DOT "wait 3 %");
    at.done = 1000;
    at.suffix = "";
    expect_line(&at, 0,
                "train [####################] 1000/1000 steps 100 %" DOT
                "100 steps/s" DOT "0:10");
}

static void test_progress_line_counts_from_where_it_resumed(void **state)
{
    (void)state;
    dip_progress_state at = {.label = "train",
                             .unit = "steps",
                             .suffix = "",
                             .first = 500,
                             .done = 510,
                             .total = 600,
                             .seconds = 5};
    expect_line(&at, 50,
                "train 510/600 steps 85 %" DOT "2.00 steps/s" DOT "ETA 0:45");
}

static void test_progress_line_knows_nothing_at_the_start(void **state)
{
    (void)state;
    dip_progress_state at = {
        .label = "import", .unit = "rows", .suffix = "", .total = 9};
    expect_line(&at, 40, "import 0/9 rows 0 %" DOT "ETA -:--");
    at.total = 0;
    at.done = 40;
    at.seconds = 2;
    expect_line(&at, 0, "import 40 rows" DOT "20 rows/s" DOT "0:02");
}

static void test_progress_line_fits_its_width(void **state)
{
    (void)state;
    dip_progress_state at = {.label = "train",
                             .unit = "steps",
                             .suffix = "a very long text of the caller",
                             .done = 1,
                             .total = 2,
                             .seconds = 1};
    for (int width = 20; width < 120; width++) {
        dip_str line = {0};
        dip_progress_line(&line, &at, width);
        assert_true(dip_utf8_width(line.data, line.len) <= (size_t)width);
        dip_str_free(&line);
    }
}

static void test_progress_times(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {0, "0:00"},           {59.4, "0:59"},
        {59.6, "1:00"},        {754, "12:34"},
        {3723, "1:02:03"},     {-1, "-:--"},
        {(double)NAN, "-:--"}, {(double)INFINITY, "-:--"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_str out = {0};
        dip_progress_time(&out, cases[i].seconds);
        assert_string_equal(dip_str_text(&out), cases[i].text);
        dip_str_free(&out);
    }
}

static void test_progress_writes_one_line_into_a_file(void **state)
{
    (void)state;
    char text[512] = "";
    FILE *stream = tmpfile();
    assert_non_null(stream);
    dip_progress_options options = {
        .stream = stream, .label = "import", .unit = "rows", .total = 3};
    dip_progress *progress = dip_progress_start(&options);
    assert_non_null(progress);
    for (int64_t i = 1; i <= 3; i++)
        dip_progress_update(progress, i, "ok");
    dip_progress_clear(progress);
    dip_progress_finish(progress);
    rewind(stream);
    size_t n = fread(text, 1, sizeof text - 1, stream);
    assert_memory_equal(text, "import [####################] 3/3 rows 100 %",
                        44);
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
    assert_null(strchr(text, '\r'));
    assert_non_null(strstr(text, DOT "ok\n"));
    (void)fclose(stream);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at != NULL;
         at = strstr(at + 1, part))
        count++;
    return count;
}

static void test_progress_redraws_seldom_on_a_terminal(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    FILE *stream = fopen(ptsname(master), "w");
    assert_non_null(stream);
    assert_true(dip_term_is_terminal(stream));
    dip_progress_options options = {
        .stream = stream, .label = "import", .unit = "rows", .total = 2000};
    struct timespec start, end;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &start), 0);
    dip_progress *progress = dip_progress_start(&options);
    for (int64_t i = 1; i <= 2000; i++)
        dip_progress_update(progress, i, NULL);
    dip_progress_finish(progress);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &end), 0);
    char text[4096] = "";
    size_t used = 0;
    while (strchr(text, '\n') == NULL) {
        ssize_t n = read(master, text + used, sizeof text - 1 - used);
        assert_true(n > 0);
        used += (size_t)n;
    }
    size_t tenths = (size_t)(end.tv_sec - start.tv_sec + 1) * 10;
    size_t drawn = count_of(text, "\r\033[K");
    assert_in_range(drawn, 2, 2 + tenths);
    assert_non_null(strstr(text, "2000/2000 rows 100 %"));
    assert_int_equal(count_of(text, "\n"), 1);
    (void)fclose(stream);
    (void)close(master);
}

static void test_progress_is_silent_when_quiet(void **state)
{
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    dip_progress_options options = {
        .stream = stream, .label = "a", .unit = "b", .quiet = true};
    dip_progress *progress = dip_progress_start(&options);
    dip_progress_update(progress, 1, "x");
    dip_progress_clear(progress);
    dip_progress_finish(progress);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    assert_int_equal(ftell(stream), 0);
    (void)fclose(stream);
}

static void test_progress_term_takes_the_width_of_columns(void **state)
{
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    static const struct {
        const char *columns;
        int width;
    } cases[] = {{"132", 132}, {"19", 80}, {"x", 80}, {"99999", 80}, {"", 80}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        assert_int_equal(setenv("COLUMNS", cases[i].columns, 1), 0);
        assert_int_equal(dip_term_width(stream), cases[i].width);
    }
    assert_false(dip_term_is_terminal(stream));
    assert_false(dip_term_has_colour(stream));
    (void)fclose(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress_line_shows_rate_and_eta),
        cmocka_unit_test(test_progress_line_counts_from_where_it_resumed),
        cmocka_unit_test(test_progress_line_knows_nothing_at_the_start),
        cmocka_unit_test(test_progress_line_fits_its_width),
        cmocka_unit_test(test_progress_times),
        cmocka_unit_test(test_progress_writes_one_line_into_a_file),
        cmocka_unit_test(test_progress_redraws_seldom_on_a_terminal),
        cmocka_unit_test(test_progress_is_silent_when_quiet),
        cmocka_unit_test(test_progress_term_takes_the_width_of_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
