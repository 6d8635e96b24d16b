#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/damage.h"
#include "tests/data/small_catalog.h"

static const struct small_row rows[] = {
    {.id = "a", .gender = "Men", .colour = "Navy Blue", .type = "Tshirts"},
    {.id = "b", .gender = "Women", .colour = "Red", .type = "Dresses"},
    {.id = "c",
     .gender = "Men",
     .colour = "\xc3\x89"
               "cru",
     .type = NULL},
};

static struct small_catalog small;

static int setup(void **state)
{
    (void)state;
    small_write(&small, rows, DIP_ARRAY_LEN(rows));
    small_open(&small);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_close(&small);
    return 0;
}

/* Over gender, colour and type. */
static dip_damage *damage_of(double p, int first_words, uint64_t seed)
{
    const int labels[] = {small.column[SMALL_GENDER],
                          small.column[SMALL_COLOUR], small.column[SMALL_TYPE]};
    dip_damage_options options = {labels, 3, first_words, p, seed};
    dip_damage *damage;
    dip_err err = {0};
    small_ok(dip_damage_create(&damage, &options, small.catalog, &err), &err);
    return damage;
}

static void check(int first_words, int64_t row, const char *before,
                  const char *after)
{
    dip_damage *damage = damage_of(1, first_words, 5);
    dip_str text = {0};
    dip_str_add(&text, before);
    dip_damage_apply(damage, &text, row);
    assert_string_equal(dip_str_text(&text), after);
    assert_int_equal(text.len, strlen(after));
    dip_str_free(&text);
    dip_damage_free(damage);
}

static void test_damage_drops_words_of_the_labels(void **state)
{
    (void)state;
    check(0, 0, "Nike Men Navy Blue Striped Tshirt", "Nike Striped");
    check(0, 0, "Nike MEN'S navy-blue T-Shirts, blue", "Nike navy-blue");
    check(0, 0, "Women Red Dress", "Women Red Dress"); /* of another row */
    check(0, 1, "Vero Moda Women Red Dress", "Vero Moda");
    check(0, 2,
          "\xc3\xa9"
          "CRU shirt",
          "shirt");
    check(0, 0, "", "");
}

static void test_damage_drops_the_first_words(void **state)
{
    (void)state;
    check(2, 0, "United Colors Men Striped Tshirt", "Striped");
    check(9, 0, "Only Four Words Here", "");
}

/* Which of 64 first words go, as bits. */
static uint64_t pattern(uint64_t seed, int64_t row)
{
    dip_damage *damage = damage_of(.5, 64, seed);
    dip_str text = {0};
    for (int i = 0; i < 64; i++)
        dip_str_addf(&text, "w%02d ", i);
    dip_damage_apply(damage, &text, row);
    uint64_t kept = 0;
    for (size_t at = 0; at + 2 < text.len; at += 4) {
        int number = (text.data[at + 1] - '0') * 10 + (text.data[at + 2] - '0');
        kept |= UINT64_C(1) << number;
    }
    dip_str_free(&text);
    dip_damage_free(damage);
    return ~kept;
}

static void test_damage_is_a_function_of_seed_row_and_word(void **state)
{
    (void)state;
    uint64_t first = pattern(1, 0);
    assert_true(first == pattern(1, 0));
    assert_true(first != pattern(2, 0));
    assert_true(first != pattern(1, 1));
    /* Half of 64 within 4 standard deviations. */
    assert_in_range(__builtin_popcountll(first), 16, 48);
}

static void test_damage_refuses_impossible_options(void **state)
{
    (void)state;
    dip_damage *damage;
    dip_err err = {0};
    dip_damage_options options = {.p = 1.5};
    assert_int_equal(dip_damage_create(&damage, &options, small.catalog, &err),
                     DIP_ERANGE);
    assert_null(damage);
    assert_string_equal(err.msg, "probability is not in 0..1: 1.5");
    options = (dip_damage_options){.first_words = -1};
    assert_int_equal(dip_damage_create(&damage, &options, small.catalog, &err),
                     DIP_ERANGE);
    assert_string_equal(err.msg, "first_words is negative: -1");
}

/* ---- word dropout ---- */

static void drop(dip_str *text, const char *before, double p, uint64_t seed)
{
    dip_rng rng = dip_rng_stream(seed, 0, 0, 0);
    dip_str_clear(text);
    dip_str_add(text, before);
    dip_word_dropout(text, p, &rng);
}

static void test_damage_dropout_keeps_one_word(void **state)
{
    (void)state;
    dip_str text = {0};
    drop(&text, " one two  three ", 1, 1);
    assert_string_equal(text.data, "one");
    drop(&text, "one  two three", 0, 1);
    assert_string_equal(text.data, "one two three");
    drop(&text, "", .5, 1);
    assert_string_equal(text.data, "");
    dip_str_free(&text);
}

static void test_damage_dropout_reaches_every_subset(void **state)
{
    (void)state;
    static const char *const subsets[] = {"a",   "b",   "c",    "a b",
                                          "a c", "b c", "a b c"};
    int seen[DIP_ARRAY_LEN(subsets)] = {0};
    dip_str text = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        size_t i = 0;
        drop(&text, "a b c", .5, seed);
        while (i < DIP_ARRAY_LEN(subsets) && strcmp(subsets[i], text.data) != 0)
            i++;
        assert_true(i < DIP_ARRAY_LEN(subsets));
        seen[i]++;
    }
    /* Each has 1/8 of 400, "a" twice that; 4.5 standard deviations. */
    assert_in_range(seen[0], 61, 139);
    for (size_t i = 1; i < DIP_ARRAY_LEN(subsets); i++)
        assert_in_range(seen[i], 20, 80);
    dip_str_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_drops_words_of_the_labels),
        cmocka_unit_test(test_damage_drops_the_first_words),
        cmocka_unit_test(test_damage_is_a_function_of_seed_row_and_word),
        cmocka_unit_test(test_damage_refuses_impossible_options),
        cmocka_unit_test(test_damage_dropout_keeps_one_word),
        cmocka_unit_test(test_damage_dropout_reaches_every_subset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
