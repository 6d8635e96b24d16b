/* All kinds of losses against their peers, by the file that
 * tests/parity/gen_loss_kinds.py made; another of its files may be named on the
 * command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "losses/distill.h"
#include "losses/kinds.h"
#include "losses/matryoshka.h"
#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"

static const char *golden = "tests/golden/losses/kinds.safetensors";

static dip_tensor *get(const dip_safetensors *file, const char *name)
{
    int i = dip_safetensors_find(file, name);
    if (i < 0)
        fail_msg("no '%s' in '%s'", name, golden);
    return dip_safetensors_tensor(file, i);
}

static dip_tensor *get_f32(const dip_safetensors *file, const char *name)
{
    return dip_t_to_dtype(get(file, name), DIP_F32);
}

/* What gradients are compared of. */
typedef struct {
    dip_tensor *queries, *items, *scale, *bias;
} leaves;

static leaves leaves_of(const dip_safetensors *file)
{
    leaves l = {get_f32(file, "queries"), get_f32(file, "items"),
                get_f32(file, "scale"), get_f32(file, "bias")};
    dip_tensor_set_requires_grad(l.queries, true);
    dip_tensor_set_requires_grad(l.items, true);
    dip_tensor_set_requires_grad(l.scale, true);
    dip_tensor_set_requires_grad(l.bias, true);
    return l;
}

/* The larger of `worst` and the relative gap. */
static double compare(double worst, const dip_safetensors *file,
                      const char *name, const char *part, const dip_tensor *got)
{
    dip_tensor *wanted = golden_find(file, name, part);
    if (wanted == NULL)
        return worst; /* the peer has a plain number there */
    double gap = relative(got, wanted);
    if (!(gap <= 1e-5))
        fail_msg("%s: %s is %g away", name, part, gap);
    return gap > worst ? gap : worst;
}

static void compare_all(const dip_safetensors *file, const char *name,
                        const dip_tensor *loss, const leaves *l)
{
    dip_tensor_backward(loss);
    assert_no_error();
    assert_non_null(golden_find(file, name, "loss"));
    double worst = compare(0, file, name, "loss", loss);
    worst = compare(worst, file, name, "queries", dip_tensor_grad(l->queries));
    worst = compare(worst, file, name, "items", dip_tensor_grad(l->items));
    worst = compare(worst, file, name, "scale", dip_tensor_grad(l->scale));
    worst = compare(worst, file, name, "bias", dip_tensor_grad(l->bias));
    print_message("%s %.1e\n", name, worst);
}

/* ---- kinds ---- */

enum {
    POSITIVES = 1,
    VALID = 2,
    BIAS = 4,
    SCORES = 8,
    PAST = 16,
    HIDDEN = 32,
    UNIT = 64, /* the peer normalises rows itself, gradients included */
};

typedef struct {
    const char *name, *kind;
    int parts;
    dip_loss_options options;
} loss_case;

#define STEPS .steps = {1, 3}, .weights = {0.25, 1.5}, .step_count = 2, .max = 4

static const loss_case CASES[] = {
    {"infonce_one_way", "infonce", 0, {.one_way = true}},
    {"infonce_one_way_past", "infonce", PAST, {.one_way = true}},
    {"infonce_past", "infonce", POSITIVES | PAST | HIDDEN, {0}},
    {"supcon_out_all", "supcon", POSITIVES, {0}},
    {"supcon_out_cross", "supcon", POSITIVES, {.views = DIP_VIEWS_CROSS}},
    {"supcon_in_all", "supcon", POSITIVES, {.form = DIP_SUPCON_IN}},
    {"supcon_in_cross",
     "supcon",
     POSITIVES,
     {.form = DIP_SUPCON_IN, .views = DIP_VIEWS_CROSS}},
    {"supcon_past", "supcon", POSITIVES | PAST | HIDDEN, {0}},
    {"siglip_diagonal", "siglip", BIAS, {0}},
    {"siglip_positives", "siglip", POSITIVES | BIAS, {0}},
    {"siglip_valid", "siglip", POSITIVES | BIAS | VALID, {0}},
    {"siglip_past", "siglip", POSITIVES | BIAS | PAST | HIDDEN, {0}},
    {"triplet_all_cosine", "triplet", POSITIVES | UNIT, {.margin = 0.2}},
    {"triplet_all_squared",
     "triplet",
     POSITIVES | UNIT,
     {.margin = 0.3, .distance = DIP_DISTANCE_SQUARED}},
    {"triplet_hardest_cosine",
     "triplet",
     POSITIVES | UNIT,
     {.margin = 0.2, .mining = DIP_MINING_HARDEST}},
    {"triplet_hardest_squared",
     "triplet",
     POSITIVES | UNIT,
     {.margin = 0.3,
      .mining = DIP_MINING_HARDEST,
      .distance = DIP_DISTANCE_SQUARED}},
    {"triplet_semi_hard_cosine",
     "triplet",
     POSITIVES | UNIT,
     {.margin = 0.2, .mining = DIP_MINING_SEMI_HARD}},
    {"triplet_semi_hard_squared",
     "triplet",
     POSITIVES | UNIT,
     {.margin = 0.3,
      .mining = DIP_MINING_SEMI_HARD,
      .distance = DIP_DISTANCE_SQUARED}},
    {"triplet_one_way",
     "triplet",
     POSITIVES | UNIT,
     {.margin = 0.2, .one_way = true}},
    {"gcl_constant",
     "gcl",
     SCORES,
     {.score = {DIP_SCORE_WEIGHT_CONSTANT, STEPS}}},
    {"gcl_linear", "gcl", SCORES, {.score = {DIP_SCORE_WEIGHT_LINEAR, STEPS}}},
    {"gcl_inverse",
     "gcl",
     SCORES,
     {.score = {DIP_SCORE_WEIGHT_INVERSE, STEPS}}},
    {"gcl_inverse_sqrt",
     "gcl",
     SCORES,
     {.score = {DIP_SCORE_WEIGHT_INVERSE_SQRT, STEPS}}},
    {"gcl_log", "gcl", SCORES, {.score = {DIP_SCORE_WEIGHT_LOG, STEPS}}},
    {"gcl_piecewise",
     "gcl",
     SCORES,
     {.score = {DIP_SCORE_WEIGHT_PIECEWISE, STEPS}}},
    {"gcl_grouped",
     "gcl",
     SCORES | POSITIVES,
     {.positives = DIP_POSITIVES_EXCLUDE,
      .score = {DIP_SCORE_WEIGHT_INVERSE, STEPS}}},
};

static dip_loss_input input_of(const dip_safetensors *file, const leaves *l,
                               int parts)
{
    dip_loss_input in = {
        .queries = l->queries, .items = l->items, .scale = l->scale};
    if (parts & UNIT) {
        in.queries = dip_t_normalize(l->queries, 1);
        in.items = dip_t_normalize(l->items, 1);
    }
    if (parts & POSITIVES)
        in.positives = get(file, "positives");
    if (parts & VALID)
        in.valid = get(file, "valid");
    if (parts & BIAS)
        in.bias = l->bias;
    if (parts & SCORES)
        in.scores = get_f32(file, "scores");
    if (parts & PAST) {
        in.past_queries = get_f32(file, "past_queries");
        in.past_items = get_f32(file, "past_items");
        in.past_hidden = get(file, "past_hidden");
        if (!(parts & HIDDEN))
            in.past_hidden = dip_t_zeros_like(in.past_hidden);
    }
    return in;
}

static void test_kinds_equal_the_peers(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(golden);
    for (size_t i = 0; i < DIP_ARRAY_LEN(CASES); i++) {
        const loss_case *c = &CASES[i];
        leaves l = leaves_of(file);
        dip_loss_input in = input_of(file, &l, c->parts);
        compare_all(file, c->name,
                    dip_loss_kind_find(c->kind)->fn(&in, &c->options), &l);
    }
    dip_safetensors_close(file);
}

static void test_kinds_matryoshka_equals_the_peer(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(golden);
    leaves l = leaves_of(file);
    dip_loss_input in = input_of(file, &l, 0);
    int64_t dim = dip_tensor_size(l.queries, 1);
    const dip_matryoshka m = {
        .dims = {dim, dim / 2, dim / 4}, .weights = {1, .75, .5}, .count = 3};
    const dip_loss_options one_way = {.one_way = true};
    compare_all(file, "matryoshka",
                dip_matryoshka_loss(&m, DIP_SIMILARITY_COSINE,
                                    dip_loss_kind_find("infonce"), &in,
                                    &one_way),
                &l);
    dip_safetensors_close(file);
}

static void test_kinds_distillation_equals_the_peers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *queries, *items;
        dip_distill_kind kind;
        bool valid;
    } cases[] = {
        {"distill_kl", "teacher_queries", "teacher_items", DIP_DISTILL_KL,
         false},
        {"distill_kl_valid", "teacher_queries", "teacher_items", DIP_DISTILL_KL,
         true},
        {"distill_cosine", "teacher_same_queries", "teacher_same_items",
         DIP_DISTILL_COSINE, false},
        {"distill_mse", "teacher_same_queries", "teacher_same_items",
         DIP_DISTILL_MSE, false},
    };
    dip_safetensors *file = golden_open(golden);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        leaves l = leaves_of(file);
        dip_distill_input in = {
            .queries = l.queries,
            .items = l.items,
            .scale = l.scale,
            .teacher_queries = get_f32(file, cases[i].queries),
            .teacher_items = get_f32(file, cases[i].items),
            .temperature = .05,
            .valid = cases[i].valid ? get(file, "valid") : NULL,
        };
        compare_all(file, cases[i].name, dip_loss_distill(&in, cases[i].kind),
                    &l);
    }
    dip_safetensors_close(file);
}

/* ---- every row of the table ---- */

enum { ROWS = 6, DIM = 4 };

/* Rows that depend on `shift`, not of unit length. */
static dip_tensor *waves(int64_t rows, double shift)
{
    float cells[ROWS * DIM];
    for (int i = 0; i < ROWS * DIM; i++)
        cells[i] = (float)sin(1.7 * i + shift);
    return dip_tensor_from(cells, DIP_F32, SIZES(rows, DIM));
}

static dip_tensor *pairs_of_rows(void)
{
    uint8_t cells[ROWS * ROWS];
    for (int i = 0; i < ROWS * ROWS; i++)
        cells[i] = i / ROWS / 2 == i % ROWS / 2; /* 0 1, 2 3, 4 5 */
    return dip_tensor_from(cells, DIP_BOOL, SIZES(ROWS, ROWS));
}

typedef struct {
    dip_tensor *queries, *items; /* trained */
    const dip_tensor *positives, *valid;
    bool past;
} batch;

static dip_tensor *loss_of(const dip_loss_kind *kind, const batch *b)
{
    int64_t rows = dip_tensor_size(b->queries, 0);
    dip_loss_input in = {
        .queries = dip_t_normalize(b->queries, 1),
        .items = dip_t_normalize(b->items, 1),
        .scale = dip_tensor_scalar(5, DIP_F32),
        .bias = kind->has_bias ? dip_tensor_scalar(-2, DIP_F32) : NULL,
        .positives = b->positives,
        .valid = b->valid,
        .scores = dip_tensor_full(1, DIP_F32, SIZES(rows)),
    };
    if (b->past) {
        in.past_queries = dip_t_normalize(waves(ROWS, 3), 1);
        in.past_items = dip_t_normalize(waves(ROWS, 4), 1);
        in.past_hidden = dip_tensor_full(0, DIP_BOOL, SIZES(rows, ROWS));
    }
    return kind->fn(&in, &kind->defaults);
}

static batch batch_of(int64_t rows)
{
    batch b = {waves(rows, 0), waves(rows, 1), NULL, NULL, false};
    dip_tensor_set_requires_grad(b.queries, true);
    dip_tensor_set_requires_grad(b.items, true);
    return b;
}

static void test_kinds_have_all_that_the_table_asks_for(void **state)
{
    (void)state;
    assert_true(dip_loss_kind_count() >= 5);
    for (int i = 0; i < dip_loss_kind_count(); i++) {
        const dip_loss_kind *kind = dip_loss_kind_at(i);
        assert_ptr_equal(dip_loss_kind_find(kind->name), kind);
        assert_true(strlen(kind->summary) > 0);
        assert_non_null(kind->options[0]);
        assert_true(dip_loss_kind_reads(kind, kind->options[0]));
        assert_false(dip_loss_kind_reads(kind, "kind"));
    }
    assert_null(dip_loss_kind_find("triplets"));
}

/* A step against the gradient lowers the loss, again and again. */
static void test_kinds_train(void **state)
{
    (void)state;
    for (int i = 0; i < dip_loss_kind_count(); i++) {
        const dip_loss_kind *kind = dip_loss_kind_at(i);
        batch b = batch_of(ROWS);
        b.positives = pairs_of_rows();
        double first = dip_tensor_item(loss_of(kind, &b)), last = first;
        for (int step = 0; step < 100; step++) {
            dip_scope_open();
            dip_tensor *loss = loss_of(kind, &b);
            last = dip_tensor_item(loss);
            dip_tensor_backward(loss);
            dip_tensor *leaf[] = {b.queries, b.items};
            for (int j = 0; j < 2; j++) {
                dip_tensor *change =
                    dip_t_mul_scalar(dip_tensor_grad(leaf[j]), -.05);
                dip_tensor_clear_grad(leaf[j]);
                dip_tensor_assign(leaf[j],
                                  dip_t_add(dip_t_detach(leaf[j]), change));
            }
            dip_scope_close();
        }
        assert_no_error();
        if (!(last < .8 * first))
            fail_msg("%s: from %g to %g", kind->name, first, last);
    }
}

static void check_slope(const char *name, const dip_loss_kind *kind, batch *b,
                        dip_tensor *leaf, const float *grad, int at)
{
    const double h = 1e-2;
    float cells[ROWS * DIM];
    double value[2];
    dip_tensor *whole = dip_t_clone(dip_t_detach(leaf));
    for (int side = 0; side < 2; side++) {
        dip_tensor_read(whole, DIP_F32, cells, sizeof cells);
        cells[at] += (float)(side ? h : -h);
        dip_tensor_assign(leaf,
                          dip_tensor_from(cells, DIP_F32, SIZES(ROWS, DIM)));
        value[side] = dip_tensor_item(loss_of(kind, b));
    }
    dip_tensor_assign(leaf, whole);
    double slope = (value[1] - value[0]) / (2 * h);
    if (!(fabs(slope - (double)grad[at]) <= 2e-3 * (1 + fabs(slope))))
        fail_msg("%s: slope %g, gradient %g", name, slope, (double)grad[at]);
}

static void test_kinds_gradients_are_slopes(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * dip_loss_kind_count(); i++) {
        const dip_loss_kind *kind = dip_loss_kind_at(i / 2);
        batch b = batch_of(ROWS);
        float grads[2][ROWS * DIM];
        b.positives = pairs_of_rows();
        b.past = i % 2 == 1;
        dip_tensor_backward(loss_of(kind, &b));
        dip_tensor_read(dip_tensor_grad(b.queries), DIP_F32, grads[0],
                        sizeof grads[0]);
        dip_tensor_read(dip_tensor_grad(b.items), DIP_F32, grads[1],
                        sizeof grads[1]);
        for (int at = 0; at < ROWS * DIM; at += 5) {
            check_slope(kind->name, kind, &b, b.queries, grads[0], at);
            check_slope(kind->name, kind, &b, b.items, grads[1], at);
        }
        assert_no_error();
    }
}

/* The loss, after a backward pass whose gradients are finite. */
static double finite_loss(const dip_loss_kind *kind, const batch *b)
{
    dip_tensor *loss = loss_of(kind, b);
    double value = dip_tensor_item(loss);
    dip_tensor_backward(loss);
    double norm = dip_tensor_item(dip_t_norm_all(dip_tensor_grad(b->queries)));
    assert_no_error();
    if (!isfinite(value) || !isfinite(norm))
        fail_msg("%s: loss %g, gradient %g", kind->name, value, norm);
    return value;
}

static void test_kinds_of_odd_batches_are_finite(void **state)
{
    (void)state;
    for (int i = 0; i < dip_loss_kind_count(); i++) {
        const dip_loss_kind *kind = dip_loss_kind_at(i);
        batch one = batch_of(1), none = batch_of(ROWS), same = batch_of(ROWS);
        (void)finite_loss(kind, &one);
        one.past = true;
        (void)finite_loss(kind, &one);
        none.valid = dip_tensor_full(0, DIP_BOOL, SIZES(ROWS));
        none.positives = pairs_of_rows();
        assert_near(finite_loss(kind, &none), 0, 0);
        none.past = true;
        assert_near(finite_loss(kind, &none), 0, 0);
        same.positives = dip_tensor_full(1, DIP_BOOL, SIZES(ROWS, ROWS));
        (void)finite_loss(kind, &same);
    }
}

#define LOSS_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_test, end_test)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LOSS_TEST(test_kinds_equal_the_peers),
        LOSS_TEST(test_kinds_matryoshka_equals_the_peer),
        LOSS_TEST(test_kinds_distillation_equals_the_peers),
        LOSS_TEST(test_kinds_have_all_that_the_table_asks_for),
        LOSS_TEST(test_kinds_train),
        LOSS_TEST(test_kinds_gradients_are_slopes),
        LOSS_TEST(test_kinds_of_odd_batches_are_finite),
    };
    if (argc > 1)
        golden = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
