#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <omp.h>
#include <stdlib.h>

#include "data/triples.h"

enum { USERS = 9, ITEMS = 13, NEGATIVES = 3 };

/* User u had the items of which u + item is a multiple of 3, user 4 none and
 * user 5 all but item 7. */
static bool had(int64_t u, int64_t i)
{
    if (u == 4)
        return false;
    return u == 5 ? i != 7 : (u + i) % 3 == 0;
}

static void make_graph(dip_bipartite *g)
{
    dip_edge edges[USERS * ITEMS];
    dip_err err = {0};
    int64_t count = 0;
    for (int64_t u = 0; u < USERS; u++) {
        for (int64_t i = 0; i < ITEMS; i++) {
            if (had(u, i))
                edges[count++] = (dip_edge){u, i};
        }
    }
    assert_int_equal(dip_bipartite_build(g, USERS, ITEMS, edges, count, &err),
                     DIP_OK);
}

static dip_triples *make_triples(const dip_bipartite *g, int64_t batch,
                                 uint64_t seed)
{
    const dip_triple_options options = {
        .batch_size = batch, .negatives = NEGATIVES, .seed = seed};
    dip_triples *t;
    dip_err err = {0};
    assert_int_equal(dip_triples_create(&t, g, &options, &err), DIP_OK);
    return t;
}

/* Each edge once an epoch, and nothing that the user had among the others. */
static void test_triples_go_through_all_edges(void **state)
{
    (void)state;
    dip_bipartite g;
    make_graph(&g);
    dip_triples *t = make_triples(&g, 7, 1);
    assert_int_equal(dip_triples_batches(t), (g.edges + 6) / 7);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int met[USERS][ITEMS] = {{0}};
        int64_t edges = 0;
        for (int64_t b = 0; b < dip_triples_batches(t); b++) {
            dip_triple_batch batch;
            dip_triples_next(&batch, t);
            assert_int_equal(batch.epoch, epoch);
            assert_int_equal(batch.batch, b);
            assert_int_equal(batch.negative_count, NEGATIVES);
            for (int64_t i = 0; i < batch.size; i++) {
                int64_t u = batch.users[i], item = batch.items[i] - USERS;
                assert_true(had(u, item));
                assert_int_equal(met[u][item]++, 0);
                for (int64_t n = 0; n < NEGATIVES; n++) {
                    int64_t other = batch.negatives[i * NEGATIVES + n] - USERS;
                    assert_in_range(other, 0, ITEMS - 1);
                    assert_false(had(u, other));
                }
            }
            edges += batch.size;
        }
        assert_int_equal(edges, g.edges);
    }
    dip_triples_free(t);
    dip_bipartite_free(&g);
}

/* All that a user has not had is drawn about equally often. */
static void test_triples_are_fair(void **state)
{
    (void)state;
    dip_bipartite g;
    make_graph(&g);
    dip_triples *t = make_triples(&g, 1000, 2);
    int64_t times[USERS][ITEMS] = {{0}}, edges[USERS] = {0};
    const int64_t epochs = 2000;
    for (int64_t e = 0; e < epochs; e++) {
        dip_triple_batch b;
        dip_triples_next(&b, t);
        for (int64_t i = 0; i < b.size; i++) {
            edges[b.users[i]]++;
            for (int64_t n = 0; n < NEGATIVES; n++)
                times[b.users[i]][b.negatives[i * NEGATIVES + n] - USERS]++;
        }
    }
    for (int64_t u = 0; u < USERS; u++) {
        int64_t missing = ITEMS - dip_bipartite_of(&g, u).count;
        for (int64_t i = 0; i < ITEMS && u != 4; i++) {
            double expected = (double)(edges[u] * NEGATIVES) / (double)missing;
            if (!had(u, i))
                assert_true(abs((int)times[u][i] - (int)expected) <
                            (int)(expected * .1));
        }
    }
    dip_triples_free(t);
    dip_bipartite_free(&g);
}

static void test_triples_go_on_anywhere(void **state)
{
    (void)state;
    dip_bipartite g;
    make_graph(&g);
    dip_triples *a = make_triples(&g, 7, 3), *b = make_triples(&g, 7, 3);
    dip_triple_batch x, y;
    for (int64_t i = 0; i < dip_triples_batches(a) + 3; i++)
        dip_triples_next(&x, a);
    int threads = omp_get_max_threads();
    omp_set_num_threads(5);
    dip_triples_seek(b, 1, 2);
    dip_triples_next(&y, b);
    omp_set_num_threads(threads);
    assert_int_equal(x.epoch, y.epoch);
    assert_int_equal(x.batch, y.batch);
    assert_memory_equal(x.all, y.all,
                        (size_t)((2 + NEGATIVES) * x.size) * sizeof *x.all);
    dip_triples_free(a);
    dip_triples_free(b);
    dip_bipartite_free(&g);
}

static void test_triples_refuse(void **state)
{
    (void)state;
    const dip_triple_options options = {.batch_size = 4, .negatives = 1};
    dip_bipartite g;
    dip_triples *t;
    dip_err err = {0};
    const dip_edge edges[] = {{1, 0}, {1, 1}};
    for (int64_t count = 0; count <= 2; count += 2) {
        assert_int_equal(dip_bipartite_build(&g, 2, 2, edges, count, &err),
                         DIP_OK);
        assert_int_equal(dip_triples_create(&t, &g, &options, &err), DIP_EDATA);
        assert_null(t);
        assert_string_equal(
            err.msg, count == 0 ? "nothing to learn from: the train split has "
                                  "no interactions"
                                : "nothing to learn from: all users have had "
                                  "all items");
        dip_bipartite_free(&g);
    }
}

/* Items that nobody has had are not drawn where that is asked for, and a user
 * who has had all others is left out. */
static void test_triples_draw_known_items(void **state)
{
    (void)state;
    enum { OF_THREE = 3 };
    /* Items 0 and 3 are new; user 1 has had all others. */
    const dip_edge edges[] = {{0, 1}, {1, 1}, {1, 2}, {1, 4},
                              {2, 4}, {2, 2}, {0, 2}};
    dip_bipartite g;
    dip_triples *t;
    dip_triple_batch b;
    dip_err err = {0};
    const dip_triple_options options = {
        .batch_size = 100, .negatives = 50, .known_items = true, .seed = 4};
    assert_int_equal(dip_bipartite_build(&g, OF_THREE, 5, edges, 7, &err),
                     DIP_OK);
    assert_int_equal(dip_triples_create(&t, &g, &options, &err), DIP_OK);
    dip_triples_next(&b, t);
    assert_int_equal(b.size, 4);
    for (int64_t i = 0; i < b.size; i++) {
        assert_int_not_equal(b.users[i], 1);
        for (int64_t n = 0; n < b.negative_count; n++)
            assert_int_equal(b.negatives[i * b.negative_count + n] - OF_THREE,
                             b.users[i] == 0 ? 4 : 1);
    }
    dip_triples_free(t);
    dip_bipartite_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_triples_go_through_all_edges),
        cmocka_unit_test(test_triples_are_fair),
        cmocka_unit_test(test_triples_go_on_anywhere),
        cmocka_unit_test(test_triples_refuse),
        cmocka_unit_test(test_triples_draw_known_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
