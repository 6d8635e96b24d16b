#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <omp.h>

#include "data/neighbour_sampler.h"

enum { USERS = 40, ITEMS = 60, ASKED = 12 };

/* User u had the items u, u + 1, ... of which there are u mod 30. */
static void make_graph(dip_bipartite *g)
{
    dip_edge pairs[USERS * 30];
    dip_err err = {0};
    int64_t count = 0;
    for (int64_t u = 0; u < USERS; u++) {
        for (int64_t i = 0; i < u % 30; i++)
            pairs[count++] = (dip_edge){u, (u + i) % ITEMS};
    }
    assert_int_equal(dip_bipartite_build(g, USERS, ITEMS, pairs, count, &err),
                     DIP_OK);
}

static dip_neighbour_sampler *make_sampler(const dip_bipartite *g, int hops,
                                           int64_t first, int64_t second,
                                           bool replace)
{
    const dip_neighbour_options options = {.hops = hops,
                                           .fanouts = {first, second},
                                           .replace = replace,
                                           .seed = 5};
    dip_neighbour_sampler *s;
    dip_err err = {0};
    assert_int_equal(dip_neighbour_sampler_create(&s, g, &options, &err),
                     DIP_OK);
    return s;
}

static void draw(dip_surroundings *out, dip_neighbour_sampler *s, uint64_t n)
{
    static const int64_t asked[ASKED] = {3,  39, 25, 3,  0,  41,
                                         99, 70, 29, 30, 59, 25};
    dip_err err = {0};
    assert_int_equal(dip_neighbour_sampler_draw(out, s, n, asked, ASKED, &err),
                     DIP_OK);
    for (int i = 0; i < ASKED; i++)
        assert_int_equal(out->nodes[out->places[i]], asked[i]);
}

static bool is_neighbour(const dip_bipartite *g, int64_t a, int64_t b)
{
    return a < USERS ? b >= USERS && dip_bipartite_has(g, a, b - USERS)
                     : b < USERS && dip_bipartite_has(g, b, a - USERS);
}

/* Of each node as many as there should be, all of them neighbours, and each
 * node once in the numbering. */
static void check_parts(const dip_bipartite *g, const dip_surroundings *s,
                        const int64_t *fanouts, bool replace)
{
    uint8_t met[USERS + ITEMS] = {0};
    for (int64_t p = 0; p < s->counts[s->hops]; p++)
        assert_int_equal(met[s->nodes[p]]++, 0);
    int64_t p = 0;
    for (int h = 0; h < s->hops; h++) {
        for (; p < s->counts[h]; p++) {
            int64_t degree = dip_bipartite_of(g, s->nodes[p]).count;
            int64_t wanted = degree;
            if (fanouts[h] > 0 && degree > 0 &&
                (replace || degree > fanouts[h]))
                wanted = fanouts[h];
            assert_int_equal(s->offsets[p + 1] - s->offsets[p], wanted);
            for (int64_t e = s->offsets[p]; e < s->offsets[p + 1]; e++) {
                assert_in_range(s->sources[e], 0, s->counts[h + 1] - 1);
                assert_true(
                    is_neighbour(g, s->nodes[p], s->nodes[s->sources[e]]));
                for (int64_t f = s->offsets[p]; f < e && !replace; f++)
                    assert_int_not_equal(s->sources[e], s->sources[f]);
            }
        }
    }
}

static void test_neighbour_sampler_draws_neighbours(void **state)
{
    (void)state;
    static const int64_t fanouts[][2] = {{4, 3}, {1, 1}, {0, 2}, {0, 0}};
    dip_bipartite g;
    make_graph(&g);
    for (int f = 0; f < 4; f++) {
        for (int replace = 0; replace < 2; replace++) {
            dip_neighbour_sampler *s =
                make_sampler(&g, 2, fanouts[f][0], fanouts[f][1], replace != 0);
            for (uint64_t n = 0; n < 20; n++) {
                dip_surroundings found;
                draw(&found, s, n);
                assert_int_equal(found.counts[0], ASKED - 2);
                check_parts(&g, &found, fanouts[f], replace != 0);
            }
            dip_neighbour_sampler_free(s);
        }
    }
    dip_bipartite_free(&g);
}

static void test_neighbour_sampler_ignores_threads(void **state)
{
    (void)state;
    dip_bipartite g;
    make_graph(&g);
    dip_neighbour_sampler *a = make_sampler(&g, 2, 5, 5, false);
    dip_neighbour_sampler *b = make_sampler(&g, 2, 5, 5, false);
    int threads = omp_get_max_threads();
    for (uint64_t n = 0; n < 10; n++) {
        dip_surroundings one, many;
        omp_set_num_threads(1);
        draw(&one, a, n);
        omp_set_num_threads(7);
        draw(&many, b, n);
        int64_t listed = one.counts[1];
        assert_memory_equal(one.counts, many.counts, sizeof one.counts);
        assert_memory_equal(one.nodes, many.nodes,
                            (size_t)one.counts[2] * sizeof *one.nodes);
        assert_memory_equal(one.sources, many.sources,
                            (size_t)one.offsets[listed] * sizeof *one.sources);
    }
    omp_set_num_threads(threads);
    dip_neighbour_sampler_free(a);
    dip_neighbour_sampler_free(b);
    dip_bipartite_free(&g);
}

static void test_neighbour_sampler_ignores_company(void **state)
{
    (void)state;
    dip_bipartite g;
    make_graph(&g);
    dip_neighbour_sampler *s = make_sampler(&g, 1, 6, 0, false);
    dip_surroundings found;
    dip_err err = {0};
    int64_t alone = 29, before[6];
    assert_int_equal(dip_neighbour_sampler_draw(&found, s, 1, &alone, 1, &err),
                     DIP_OK);
    for (int i = 0; i < 6; i++)
        before[i] = found.nodes[found.sources[i]];
    draw(&found, s, 1);
    int64_t place = found.places[8]; /* of the same node */
    for (int i = 0; i < 6; i++)
        assert_int_equal(found.nodes[found.sources[found.offsets[place] + i]],
                         before[i]);
    dip_neighbour_sampler_free(s);
    dip_bipartite_free(&g);
}

/* User 29 has 29 neighbours; each should be among 6 drawn ones in 6 of 29
 * draws: 4,138 of 20,000, give or take 5 deviations of 57. */
static void test_neighbour_sampler_is_fair(void **state)
{
    (void)state;
    dip_bipartite g;
    make_graph(&g);
    for (int replace = 0; replace < 2; replace++) {
        dip_neighbour_sampler *s = make_sampler(&g, 1, 6, 0, replace != 0);
        int64_t times[USERS + ITEMS] = {0}, node = 29;
        for (uint64_t n = 0; n < 20000; n++) {
            dip_surroundings found;
            dip_err err = {0};
            assert_int_equal(
                dip_neighbour_sampler_draw(&found, s, n, &node, 1, &err),
                DIP_OK);
            for (int64_t e = 0; e < found.offsets[1]; e++)
                times[found.nodes[found.sources[e]]]++;
        }
        dip_neighbours of = dip_bipartite_of(&g, node);
        for (int64_t i = 0; i < of.count; i++)
            assert_in_range(times[of.nodes[i]], 4138 - 320, 4138 + 320);
        dip_neighbour_sampler_free(s);
    }
    dip_bipartite_free(&g);
}

static void test_neighbour_sampler_refuses(void **state)
{
    (void)state;
    dip_bipartite g;
    make_graph(&g);
    dip_neighbour_sampler *s;
    dip_err err = {0};
    dip_neighbour_options options = {.hops = 1, .fanouts = {-1}};
    assert_int_equal(dip_neighbour_sampler_create(&s, &g, &options, &err),
                     DIP_ERANGE);
    assert_null(s);
    options = (dip_neighbour_options){.hops = 0};
    assert_int_equal(dip_neighbour_sampler_create(&s, &g, &options, &err),
                     DIP_ERANGE);
    s = make_sampler(&g, 1, 2, 0, false);
    dip_surroundings found;
    int64_t node = USERS + ITEMS;
    assert_int_equal(dip_neighbour_sampler_draw(&found, s, 0, &node, 1, &err),
                     DIP_EDATA);
    assert_string_equal(err.msg, "node 100 of 100");
    draw(&found, s, 0); /* it is good for another draw */
    dip_neighbour_sampler_free(s);
    dip_bipartite_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbour_sampler_draws_neighbours),
        cmocka_unit_test(test_neighbour_sampler_ignores_threads),
        cmocka_unit_test(test_neighbour_sampler_ignores_company),
        cmocka_unit_test(test_neighbour_sampler_is_fair),
        cmocka_unit_test(test_neighbour_sampler_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
