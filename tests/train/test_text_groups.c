#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "train/text_groups.h"

enum { SOURCES = 2, ROWS = 40, CONTEXT = 16, ALL = SOURCES * ROWS };

typedef struct {
    int64_t ids[SOURCES][ROWS * CONTEXT], lengths[SOURCES][ROWS];
    dip_batch_text texts[SOURCES];
    const dip_batch_text *list[SOURCES];
} fixture;

static void begin(fixture *f)
{
    memset(f, 0, sizeof *f);
    for (int s = 0; s < SOURCES; s++) {
        f->texts[s] = (dip_batch_text){
            .context = CONTEXT, .ids = f->ids[s], .lengths = f->lengths[s]};
        f->list[s] = &f->texts[s];
    }
}

static const int64_t *text_of(const fixture *f, int64_t index, int64_t *length)
{
    *length = f->lengths[index / ROWS][index % ROWS];
    return f->ids[index / ROWS] + index % ROWS * CONTEXT;
}

static bool equal_texts(const fixture *f, int64_t left, int64_t right)
{
    int64_t a, b;
    const int64_t *x = text_of(f, left, &a), *y = text_of(f, right, &b);
    return a == b && memcmp(x, y, (size_t)a * sizeof *x) == 0;
}

/* What the header promises; gives the tokens that the tower will see. */
static int64_t check(const fixture *f, const dip_text_groups *g, int most,
                     int64_t least)
{
    int64_t tokens = 0, begin = 0, length;
    assert_in_range(g->count, 1, most);
    assert_int_equal(g->ends[g->count - 1], g->distinct);
    for (int64_t i = 0; i < ALL; i++) {
        assert_in_range(g->place[i], 0, g->distinct - 1);
        assert_true(equal_texts(f, i, g->rows[g->place[i]]));
    }
    for (int64_t i = 0; i < g->distinct; i++) {
        for (int64_t j = 0; j < i; j++)
            assert_false(equal_texts(f, g->rows[i], g->rows[j]));
    }
    for (int i = 0; i < g->count; i++) {
        int64_t longest = least;
        assert_true(g->ends[i] > begin);
        for (int64_t j = begin; j < g->ends[i]; j++) {
            (void)text_of(f, g->rows[j], &length);
            longest = length > longest ? length : longest;
        }
        assert_int_equal(g->widths[i], longest);
        tokens += (g->ends[i] - begin) * longest;
        begin = g->ends[i];
    }
    return tokens;
}

static int64_t checked(const fixture *f, int most, int64_t least, int *count)
{
    dip_text_groups groups;
    assert_true(
        dip_text_groups_make(&groups, f->list, SOURCES, ROWS, most, least));
    int64_t tokens = check(f, &groups, most, least);
    *count = groups.count;
    dip_text_groups_free(&groups);
    return tokens;
}

/* Of few words, so that many repeat. */
static void test_text_groups_random(void **state)
{
    (void)state;
    static fixture f;
    dip_rng random = dip_rng_stream(5, 0, 0, 0);
    for (int round = 0; round < 200; round++) {
        begin(&f);
        uint64_t words = 1 + dip_rng_below(&random, 6);
        uint64_t longest = 1 + dip_rng_below(&random, CONTEXT + 1);
        for (int64_t i = 0; i < ALL; i++) {
            int64_t length = (int64_t)dip_rng_below(&random, longest);
            f.lengths[i / ROWS][i % ROWS] = length;
            for (int64_t t = 0; t < length; t++)
                f.ids[i / ROWS][i % ROWS * CONTEXT + t] =
                    3 + (int64_t)dip_rng_below(&random, words);
        }
        int64_t least = 1 + (int64_t)dip_rng_below(&random, 8);
        int one, several;
        int64_t together = checked(&f, 1, least, &one);
        int64_t divided = checked(&f, DIP_TEXT_GROUPS_MAX, least, &several);
        assert_int_equal(one, 1);
        if (several == 1)
            assert_int_equal(divided, together);
        else
            assert_true(divided < together - together / 8);
    }
}

/* Source 0 has long texts, source 1 short ones, all different. */
static void test_text_groups_short_beside_long(void **state)
{
    (void)state;
    static fixture f;
    begin(&f);
    for (int64_t i = 0; i < ALL; i++) {
        int64_t *ids = f.ids[i / ROWS] + i % ROWS * CONTEXT;
        f.lengths[i / ROWS][i % ROWS] = i < ROWS ? 15 : 4;
        ids[3] = i;
    }
    int count;
    assert_int_equal(checked(&f, DIP_TEXT_GROUPS_MAX, 1, &count),
                     ROWS * 15 + ROWS * 4);
    assert_int_equal(count, 2);
    assert_int_equal(checked(&f, 1, 1, &count), ALL * 15);
    assert_int_equal(checked(&f, DIP_TEXT_GROUPS_MAX, 15, &count), ALL * 15);
    assert_int_equal(count, 1);
}

/* Nothing is to be saved: dropout falls on the rows as they come. */
static void test_text_groups_keep_the_order(void **state)
{
    (void)state;
    static fixture f;
    dip_text_groups groups;
    begin(&f);
    for (int64_t i = 0; i < ALL; i++) {
        f.lengths[i / ROWS][i % ROWS] = 12 + i % 2;
        f.ids[i / ROWS][i % ROWS * CONTEXT] = ALL - i;
    }
    assert_true(dip_text_groups_make(&groups, f.list, SOURCES, ROWS,
                                     DIP_TEXT_GROUPS_MAX, 1));
    for (int64_t i = 0; i < ALL; i++) {
        assert_int_equal(groups.rows[i], i);
        assert_int_equal(groups.place[i], i);
    }
    dip_text_groups_free(&groups);
}

static void test_text_groups_nothing_but_one_text(void **state)
{
    (void)state;
    static fixture f;
    begin(&f);
    int count;
    assert_int_equal(checked(&f, DIP_TEXT_GROUPS_MAX, 1, &count), 1);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_groups_random),
        cmocka_unit_test(test_text_groups_short_beside_long),
        cmocka_unit_test(test_text_groups_keep_the_order),
        cmocka_unit_test(test_text_groups_nothing_but_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
