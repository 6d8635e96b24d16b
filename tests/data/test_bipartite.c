#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/bipartite.h"

static void assert_neighbours(const dip_bipartite *g, int64_t node,
                              const int32_t *expected, int64_t count)
{
    dip_neighbours of = dip_bipartite_of(g, node);
    assert_int_equal(of.count, count);
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(of.nodes[i], expected[i]);
}

/* Users 0 to 2, of whom 1 had nothing; items 3 to 6, of which 5 nobody had. */
static void test_bipartite_knows_both_sides(void **state)
{
    (void)state;
    static const dip_edge pairs[] = {{2, 3}, {0, 1}, {2, 0}, {0, 0}, {2, 1}};
    dip_bipartite g;
    dip_err err = {0};
    assert_int_equal(dip_bipartite_build(&g, 3, 4, pairs, 5, &err), DIP_OK);
    assert_int_equal(g.edges, 5);
    assert_int_equal(g.duplicates, 0);
    assert_int_equal(dip_bipartite_nodes(&g), 7);
    assert_neighbours(&g, 0, (int32_t[]){3, 4}, 2);
    assert_neighbours(&g, 1, NULL, 0);
    assert_neighbours(&g, 2, (int32_t[]){3, 4, 6}, 3);
    assert_neighbours(&g, 3, (int32_t[]){0, 2}, 2);
    assert_neighbours(&g, 4, (int32_t[]){0, 2}, 2);
    assert_neighbours(&g, 5, NULL, 0);
    assert_neighbours(&g, 6, (int32_t[]){2}, 1);
    assert_true(dip_bipartite_has(&g, 2, 3));
    assert_false(dip_bipartite_has(&g, 2, 2));
    assert_false(dip_bipartite_has(&g, 1, 0));
    dip_bipartite_free(&g);
}

static void test_bipartite_merges_equal_pairs(void **state)
{
    (void)state;
    static const dip_edge pairs[] = {{0, 1}, {1, 0}, {0, 1}, {0, 0}, {0, 1}};
    dip_bipartite g;
    dip_err err = {0};
    assert_int_equal(dip_bipartite_build(&g, 2, 2, pairs, 5, &err), DIP_OK);
    assert_int_equal(g.edges, 3);
    assert_int_equal(g.duplicates, 2);
    assert_neighbours(&g, 0, (int32_t[]){2, 3}, 2);
    assert_neighbours(&g, 1, (int32_t[]){2}, 1);
    assert_neighbours(&g, 2, (int32_t[]){0, 1}, 2);
    assert_neighbours(&g, 3, (int32_t[]){0}, 1);
    dip_bipartite_free(&g);
}

static void test_bipartite_without_edges(void **state)
{
    (void)state;
    dip_bipartite g;
    dip_err err = {0};
    assert_int_equal(dip_bipartite_build(&g, 2, 3, NULL, 0, &err), DIP_OK);
    assert_int_equal(dip_bipartite_nodes(&g), 5);
    for (int64_t n = 0; n < 5; n++)
        assert_neighbours(&g, n, NULL, 0);
    dip_bipartite_free(&g);
}

static void assert_refused(int64_t users, int64_t items, dip_edge pair,
                           dip_status expected, const char *words)
{
    dip_bipartite g;
    dip_err err = {0};
    assert_int_equal(dip_bipartite_build(&g, users, items, &pair, 1, &err),
                     expected);
    assert_string_equal(err.msg, words);
    assert_null(g.offsets);
}

static void test_bipartite_refuses_bad_pairs(void **state)
{
    (void)state;
    assert_refused(2, 3, (dip_edge){2, 0}, DIP_EDATA,
                   "interaction 0 is of user 2 of 2");
    assert_refused(2, 3, (dip_edge){-1, 0}, DIP_EDATA,
                   "interaction 0 is of user -1 of 2");
    assert_refused(2, 3, (dip_edge){1, INT64_C(1) << 32}, DIP_EDATA,
                   "interaction 0 is of item 4294967296 of 3");
    assert_refused(INT32_MAX, 1, (dip_edge){0, 0}, DIP_ERANGE,
                   "more than 2147483647 users and items: 2147483647 and 1");
}

/* Against a table of all pairs. */
static void test_bipartite_random_graphs(void **state)
{
    (void)state;
    enum { USERS = 17, ITEMS = 23, PAIRS = 150 };
    for (uint64_t seed = 0; seed < 20; seed++) {
        bool had[USERS][ITEMS] = {{false}};
        dip_edge pairs[PAIRS];
        dip_rng rng = dip_rng_stream(seed, 1, 0, 0);
        for (int i = 0; i < PAIRS; i++) {
            pairs[i] = (dip_edge){(int64_t)dip_rng_below(&rng, USERS),
                                  (int64_t)dip_rng_below(&rng, ITEMS)};
            had[pairs[i].user][pairs[i].item] = true;
        }
        dip_bipartite g;
        dip_err err = {0};
        assert_int_equal(
            dip_bipartite_build(&g, USERS, ITEMS, pairs, PAIRS, &err), DIP_OK);
        int64_t edges = 0;
        for (int64_t u = 0; u < USERS; u++) {
            for (int64_t i = 0; i < ITEMS; i++) {
                assert_int_equal(dip_bipartite_has(&g, u, i), had[u][i]);
                edges += had[u][i];
            }
        }
        assert_int_equal(g.edges, edges);
        assert_int_equal(g.offsets[USERS + ITEMS], 2 * edges);
        for (int64_t i = 0; i < ITEMS; i++) {
            int32_t users[USERS];
            int64_t n = 0;
            for (int32_t u = 0; u < USERS; u++) {
                if (had[u][i])
                    users[n++] = u;
            }
            assert_neighbours(&g, USERS + i, users, n);
        }
        dip_bipartite_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bipartite_knows_both_sides),
        cmocka_unit_test(test_bipartite_merges_equal_pairs),
        cmocka_unit_test(test_bipartite_without_edges),
        cmocka_unit_test(test_bipartite_refuses_bad_pairs),
        cmocka_unit_test(test_bipartite_random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
