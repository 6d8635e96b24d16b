#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "eval/matching.h"

enum { QUERIES = 300, PRODUCTS = 200, DIM = 2 };

typedef struct {
    float query_data[QUERIES * DIM], product_data[PRODUCTS * DIM];
    int64_t query_group[QUERIES], product_group[PRODUCTS];
    int64_t query_category[QUERIES], product_category[PRODUCTS];
    dip_matching_split split;
} catalog;

/* Groups of a few rows and some without; category = group modulo 5, or -1. */
static catalog *make_catalog(void)
{
    catalog *c = calloc(1, sizeof *c);
    assert_non_null(c);
    dip_rng rng = dip_rng_stream(3, 1, 0, 0);
    for (int i = 0; i < QUERIES; i++) {
        c->query_group[i] = (int64_t)dip_rng_below(&rng, 101) - 1;
        c->query_category[i] = i % 10 == 0 ? -1 : c->query_group[i] % 5;
    }
    for (int i = 0; i < PRODUCTS; i++) {
        c->product_group[i] = (int64_t)dip_rng_below(&rng, 101) - 1;
        c->product_category[i] =
            c->product_group[i] < 0 ? -1 : c->product_group[i] % 5;
    }
    for (int i = 0; i < QUERIES * DIM; i++)
        c->query_data[i] = (float)dip_rng_normal(&rng);
    for (int i = 0; i < PRODUCTS * DIM; i++)
        c->product_data[i] = (float)dip_rng_normal(&rng);
    c->split = (dip_matching_split){
        {c->query_data, QUERIES, DIM, DIP_SIMILARITY_COSINE},
        {c->product_data, PRODUCTS, DIM, DIP_SIMILARITY_COSINE},
        c->query_group,
        c->product_group,
        c->query_category,
        c->product_category,
    };
    return c;
}

static void test_matching_pairs_are_complete_and_balanced(void **state)
{
    (void)state;
    catalog *c = make_catalog();
    dip_pairs pairs;
    assert_int_equal(dip_matching_pairs(&pairs, &c->split, 1, NULL), DIP_OK);
    bool *seen = calloc((size_t)QUERIES * PRODUCTS, sizeof *seen);
    assert_non_null(seen);
    int64_t positives = 0;
    for (int64_t i = 0; i < pairs.count; i++) {
        dip_pair pair = pairs.items[i];
        bool same =
            c->query_group[pair.query] >= 0 &&
            c->query_group[pair.query] == c->product_group[pair.product];
        assert_int_equal(pair.match, same);
        assert_int_equal(pair.match, i % 2 == 0);
        assert_int_equal(pair.query, pairs.items[i / 2 * 2].query);
        if (!pair.match)
            continue;
        assert_false(seen[pair.query * PRODUCTS + pair.product]);
        seen[pair.query * PRODUCTS + pair.product] = true;
        positives++;
    }
    for (int q = 0; q < QUERIES; q++) {
        for (int p = 0; p < PRODUCTS; p++)
            assert_int_equal(seen[q * PRODUCTS + p],
                             c->query_group[q] >= 0 &&
                                 c->query_group[q] == c->product_group[p]);
    }
    assert_int_equal(pairs.positives, positives);
    assert_int_equal(pairs.count, 2 * positives);
    assert_int_equal(pairs.random + pairs.same_category, positives);
    free(seen);
    dip_pairs_free(&pairs);
    free(c);
}

static void test_matching_takes_every_second_from_the_category(void **state)
{
    (void)state;
    catalog *c = make_catalog();
    dip_pairs pairs;
    assert_int_equal(dip_matching_pairs(&pairs, &c->split, 1, NULL), DIP_OK);
    int64_t near = 0;
    for (int64_t i = 0; i < pairs.positives; i++) {
        dip_pair pair = pairs.items[2 * i + 1];
        if (i % 2 == 1 || c->query_category[pair.query] < 0)
            continue;
        assert_int_equal(c->product_category[pair.product],
                         c->query_category[pair.query]);
        near++;
    }
    assert_int_equal(pairs.same_category, near);
    assert_true(near > pairs.positives / 3);
    dip_pairs_free(&pairs);

    c->split.query_category = c->split.product_category = NULL;
    assert_int_equal(dip_matching_pairs(&pairs, &c->split, 1, NULL), DIP_OK);
    assert_int_equal(pairs.same_category, 0);
    assert_int_equal(pairs.random, pairs.positives);
    dip_pairs_free(&pairs);
    free(c);
}

static void test_matching_pairs_follow_the_seed(void **state)
{
    (void)state;
    catalog *c = make_catalog();
    dip_pairs a, b, other;
    assert_int_equal(dip_matching_pairs(&a, &c->split, 1, NULL), DIP_OK);
    assert_int_equal(dip_matching_pairs(&b, &c->split, 1, NULL), DIP_OK);
    assert_int_equal(dip_matching_pairs(&other, &c->split, 2, NULL), DIP_OK);
    assert_int_equal(a.count, other.count);
    int64_t same = 0, moved = 0;
    for (int64_t i = 0; i < a.count; i++) {
        same += a.items[i].product == b.items[i].product;
        moved += a.items[i].product != other.items[i].product;
    }
    assert_int_equal(same, a.count);
    assert_true(moved > a.positives / 2);
    dip_pairs_free(&other);
    dip_pairs_free(&b);
    dip_pairs_free(&a);
    free(c);
}

/* 4,000 queries of group 0: one product of their own, 9 others, of which 3 are
 * in their category. Draws are binomial; 5 standard deviations are allowed. */
static void test_matching_negatives_are_uniform(void **state)
{
    (void)state;
    enum { N = 4000, M = 10 };
    static const int64_t product_group[M] = {1, 1, 0, 2, 3, 4, 5, 6, -1, 7};
    static const int64_t product_category[M] = {0, 1, 0, 0, 1, 1, 0, 1, -1, 1};
    int64_t *zeros = calloc(N, sizeof *zeros);
    assert_non_null(zeros);
    dip_matching_split split = {{NULL, N, 1, DIP_SIMILARITY_COSINE},
                                {NULL, M, 1, DIP_SIMILARITY_COSINE},
                                zeros,
                                product_group,
                                zeros,
                                product_category};
    dip_pairs pairs;
    assert_int_equal(dip_matching_pairs(&pairs, &split, 9, NULL), DIP_OK);
    assert_int_equal(pairs.positives, N);
    int64_t near[M] = {0}, far[M] = {0};
    for (int64_t i = 0; i < N; i++) {
        int64_t *drawn = i % 2 == 0 ? near : far;
        drawn[pairs.items[2 * i + 1].product]++;
    }
    for (int p = 0; p < M; p++) {
        bool other = product_group[p] != 0;
        double p_far = other ? 1. / 9 : 0;
        double p_near = other && product_category[p] == 0 ? 1. / 3 : 0;
        double half = N / 2.;
        assert_true(fabs((double)far[p] - half * p_far) <=
                    5 * sqrt(half * p_far * (1 - p_far)));
        assert_true(fabs((double)near[p] - half * p_near) <=
                    5 * sqrt(half * p_near * (1 - p_near)));
    }
    dip_pairs_free(&pairs);
    free(zeros);
}

static void test_matching_falls_back_to_all_products(void **state)
{
    (void)state;
    static const int64_t query_group[] = {0}, category[] = {5};
    static const int64_t product_group[] = {0, 1}, product_category[] = {5, 6};
    dip_matching_split split = {{NULL, 1, 1, DIP_SIMILARITY_COSINE},
                                {NULL, 2, 1, DIP_SIMILARITY_COSINE},
                                query_group,
                                product_group,
                                category,
                                product_category};
    dip_pairs pairs;
    assert_int_equal(dip_matching_pairs(&pairs, &split, 1, NULL), DIP_OK);
    assert_int_equal(pairs.count, 2);
    assert_int_equal(pairs.items[1].product, 1);
    assert_int_equal(pairs.random, 1);
    assert_int_equal(pairs.same_category, 0);
    dip_pairs_free(&pairs);
}

static void test_matching_refuses_splits_without_pairs(void **state)
{
    (void)state;
    static const float data[] = {1, 1};
    static const int64_t zero[] = {0, 0}, one[] = {1, 1}, missing[] = {-1, -1};
    dip_matching_split split = {{data, 2, 1, DIP_SIMILARITY_COSINE},
                                {data, 2, 1, DIP_SIMILARITY_COSINE},
                                zero,
                                one,
                                NULL,
                                NULL};
    dip_pairs pairs;
    dip_err err = {0};
    assert_int_equal(dip_matching_pairs(&pairs, &split, 1, &err), DIP_EDATA);
    assert_string_equal(err.msg,
                        "no query and product of the split share a group");
    split.query_group = split.product_group = missing;
    assert_int_equal(dip_matching_pairs(&pairs, &split, 1, &err), DIP_EDATA);
    split.query_group = split.product_group = zero;
    assert_int_equal(dip_matching_pairs(&pairs, &split, 1, &err), DIP_EDATA);
    assert_string_equal(err.msg, "query 0 has no product of another group");
    assert_null(pairs.items);

    dip_matching m;
    assert_int_equal(dip_matching_evaluate(&m, &split, &split, 1, &err),
                     DIP_EDATA);
    assert_string_equal(
        err.msg, "validation split: query 0 has no product of another group");
}

static void test_matching_refuses_nan(void **state)
{
    (void)state;
    catalog *c = make_catalog();
    catalog *broken = make_catalog();
    broken->product_data[7] = NAN;
    dip_matching m;
    dip_err err = {0};
    assert_int_equal(
        dip_matching_evaluate(&m, &c->split, &broken->split, 1, &err),
        DIP_ENUMERIC);
    assert_string_equal(err.msg,
                        "test split: product row 3 holds NaN at dimension 1");
    assert_int_equal(dip_matching_evaluate(&m, &c->split, &c->split, 1, &err),
                     DIP_OK);
    assert_int_equal(m.random + m.same_category, m.negatives);
    free(broken);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching_pairs_are_complete_and_balanced),
        cmocka_unit_test(test_matching_takes_every_second_from_the_category),
        cmocka_unit_test(test_matching_pairs_follow_the_seed),
        cmocka_unit_test(test_matching_negatives_are_uniform),
        cmocka_unit_test(test_matching_falls_back_to_all_products),
        cmocka_unit_test(test_matching_refuses_splits_without_pairs),
        cmocka_unit_test(test_matching_refuses_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
