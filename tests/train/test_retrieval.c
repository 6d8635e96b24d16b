#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/models/helper.h"
#include "train/retrieval.h"

#define ROWS    5
#define DIM     8
#define SIDE    16
#define CONTEXT 4
#define CLASSES 3

enum { TITLE, QUERY, TEXTS };      /* text sources of the batch */
enum { IMAGE_FIELD, TITLE_FIELD }; /* fields of the model */

/* Five rows: row 1 has no photo, row 3 no title; rows 0 and 2 are the same
 * thing; row 4 has no label. */
typedef struct {
    int64_t rows[ROWS];
    float images[ROWS * 3 * SIDE * SIDE];
    uint8_t present[ROWS];
    int64_t ids[TEXTS][ROWS * CONTEXT], lengths[TEXTS][ROWS], queries[ROWS];
    dip_batch_text texts[TEXTS];
    int64_t labels[ROWS], *label_list[1];
    dip_batch batch;

    int64_t key_values[ROWS];
    dip_row_keys keys;
    dip_retrieval_task tasks[2];
    int field_text[2];
    double head_weights[1];
    dip_model *model;
    dip_retrieval recipe;
} fixture;

static void fill_batch(fixture *f)
{
    static const int64_t lengths[TEXTS][ROWS] = {{4, 2, 3, 0, 1},
                                                 {2, 2, 1, 3, 4}};
    static const int64_t labels[ROWS] = {0, 2, 1, 1, -1};
    static const int64_t keys[ROWS] = {10, 11, 10, 13, 14};
    for (int i = 0; i < ROWS * 3 * SIDE * SIDE; i++)
        f->images[i] = (float)sin(.37 * i + i / (3 * SIDE * SIDE));
    for (int i = 0; i < ROWS; i++) {
        f->rows[i] = i;
        f->key_values[i] = keys[i];
        f->present[i] = i != 1;
        f->labels[i] = labels[i];
        f->queries[i] = -1;
        for (int s = 0; s < TEXTS; s++) {
            f->lengths[s][i] = lengths[s][i];
            for (int64_t t = 0; t < lengths[s][i]; t++)
                f->ids[s][i * CONTEXT + t] = 3 + (i * 5 + s * 7 + t * 2) % 17;
        }
    }
    memset(f->images + 3 * SIDE * SIDE, 0,
           3 * SIDE * SIDE * sizeof f->images[0]);
    for (int s = 0; s < TEXTS; s++)
        f->texts[s] = (dip_batch_text){
            .context = CONTEXT, .ids = f->ids[s], .lengths = f->lengths[s]};
    f->label_list[0] = f->labels;
    f->batch = (dip_batch){.size = ROWS,
                           .rows = f->rows,
                           .images = f->images,
                           .present = f->present,
                           .texts = f->texts,
                           .labels = f->label_list};
    f->keys = (dip_row_keys){ROWS, 1, f->key_values};
}

static void begin_with_match(fixture *f, int64_t match_hidden)
{
    dip_err err = {0};
    memset(f, 0, sizeof *f);
    fill_batch(f);
    const dip_model_config config = {
        .image = {.kind = "cnn",
                  .image_size = SIDE,
                  .widths = {8, 16},
                  .width_count = 2},
        .text = {.kind = "bag",
                 .vocabulary = 20,
                 .context = CONTEXT,
                 .width = 16,
                 .depth = 1},
        .embed_dim = DIM,
        .fields = {"image", "title"},
        .field_count = 2,
        .heads = {{"type", CLASSES, DIP_HEAD_IMAGE}},
        .head_count = 1,
        .match_hidden = match_hidden,
        .seed = 4,
    };
    assert_ok(dip_model_create(&f->model, &config, &err), &err);
    f->tasks[0] = (dip_retrieval_task){.query = TITLE,
                                       .fields = {[IMAGE_FIELD] = true},
                                       .weight = 1,
                                       .keys = &f->keys};
    f->tasks[1] = (dip_retrieval_task){
        .query = QUERY,
        .fields = {[IMAGE_FIELD] = true, [TITLE_FIELD] = true},
        .weight = .5,
        .keys = &f->keys};
    f->field_text[IMAGE_FIELD] = DIP_SOURCE_IMAGE;
    f->field_text[TITLE_FIELD] = TITLE;
    f->head_weights[0] = .25;
    f->recipe = (dip_retrieval){.model = f->model,
                                .tasks = f->tasks,
                                .task_count = 2,
                                .text_count = TEXTS,
                                .field_text = f->field_text,
                                .head_weights = f->head_weights,
                                .loss = dip_loss_kind_find("infonce"),
                                .seed = 9,
                                .image_size = SIDE,
                                .device = DIP_CPU};
}

static void begin(fixture *f)
{
    begin_with_match(f, 0);
}

static double loss_of(const fixture *f)
{
    dip_tensor *loss;
    dip_err err = {0};
    dip_scope_open();
    assert_ok(dip_retrieval_loss(&loss, &f->recipe, &f->batch, &err), &err);
    assert_int_equal(dip_tensor_ndim(loss), 0);
    assert_int_equal(dip_tensor_dtype(loss), DIP_F32);
    double value = dip_tensor_item(loss);
    dip_scope_close();
    assert_no_error();
    return value;
}

/* ---- the same by hand, in double precision ------------------------------- */

typedef struct {
    double image[ROWS][DIM], title[ROWS][DIM], query[ROWS][DIM];
    double logits[ROWS][CLASSES], scale;
} encoded;

static void encode(encoded *e, const fixture *f)
{
    dip_scope_open();
    const dip_encode_options options = {.image = true,
                                        .texts = {true, true},
                                        .image_size = SIDE,
                                        .device = DIP_CPU,
                                        .training = true};
    dip_encoded_batch all =
        dip_encode_batch(f->model, &f->batch, TEXTS, &options);
    dip_tensor_read(all.image.embedding, DIP_F64, e->image, sizeof e->image);
    dip_tensor_read(all.texts[TITLE].embedding, DIP_F64, e->title,
                    sizeof e->title);
    dip_tensor_read(all.texts[QUERY].embedding, DIP_F64, e->query,
                    sizeof e->query);
    dip_tensor_read(dip_model_head_logits(f->model, 0, all.image.embedding),
                    DIP_F64, e->logits, sizeof e->logits);
    e->scale = dip_tensor_item(dip_model_scale(f->model));
    dip_scope_close();
    assert_no_error();
}

/* Unit length of the sum of the fields that take part; fusion starts with equal
 * weights. False when none does. */
static bool fuse(double out[DIM], const encoded *e, int row, bool image,
                 bool title)
{
    double norm = 0;
    for (int d = 0; d < DIM; d++) {
        out[d] = image * e->image[row][d] + title * e->title[row][d];
        norm += out[d] * out[d];
    }
    for (int d = 0; d < DIM; d++)
        out[d] /= norm > 0 ? sqrt(norm) : 1;
    return image || title;
}

typedef struct {
    double query[ROWS][DIM], item[ROWS][DIM];
    bool valid[ROWS], right[ROWS][ROWS];
    double scale;
} contrast;

/* Anchors on one side against the candidates of the other. */
static double one_way(const contrast *c, bool from_items)
{
    double sum = 0;
    int anchors = 0;
    for (int i = 0; i < ROWS; i++) {
        double logits[ROWS], total = 0, found = 0;
        int right = 0;
        if (!c->valid[i])
            continue;
        for (int j = 0; j < ROWS; j++) {
            const double *a = from_items ? c->item[i] : c->query[i];
            const double *b = from_items ? c->query[j] : c->item[j];
            logits[j] = 0;
            for (int d = 0; d < DIM; d++)
                logits[j] += c->scale * a[d] * b[d];
            total += c->valid[j] ? exp(logits[j]) : 0;
        }
        for (int j = 0; j < ROWS; j++) {
            if (!c->valid[j] || !(from_items ? c->right[j][i] : c->right[i][j]))
                continue;
            found += logits[j] - log(total);
            right++;
        }
        sum -= found / right;
        anchors++;
    }
    return anchors > 0 ? sum / anchors : 0;
}

static double infonce(const contrast *c)
{
    return (one_way(c, false) + one_way(c, true)) / 2;
}

static void by_keys(contrast *c, const fixture *f)
{
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < ROWS; j++)
            c->right[i][j] = f->key_values[i] == f->key_values[j];
    }
}

static double title_to_image(const fixture *f, const encoded *e)
{
    contrast c = {.scale = e->scale};
    by_keys(&c, f);
    memcpy(c.query, e->title, sizeof c.query);
    for (int i = 0; i < ROWS; i++)
        c.valid[i] = fuse(c.item[i], e, i, f->present[i] != 0, false) &&
                     f->lengths[TITLE][i] > 0;
    return infonce(&c);
}

/* The second task when `hidden[i]` says which fields of a row are hidden: 1 the
 * photo, 2 the title. */
static double query_to_product(const fixture *f, const encoded *e,
                               const int hidden[ROWS])
{
    contrast c = {.scale = e->scale};
    by_keys(&c, f);
    memcpy(c.query, e->query, sizeof c.query);
    for (int i = 0; i < ROWS; i++)
        c.valid[i] = fuse(c.item[i], e, i, f->present[i] && !(hidden[i] & 1),
                          f->lengths[TITLE][i] > 0 && !(hidden[i] & 2)) &&
                     f->lengths[QUERY][i] > 0;
    return infonce(&c);
}

static double cross_entropy(const fixture *f, const encoded *e)
{
    double sum = 0;
    int count = 0;
    for (int i = 0; i < ROWS; i++) {
        double total = 0;
        if (f->labels[i] < 0)
            continue;
        for (int k = 0; k < CLASSES; k++)
            total += exp(e->logits[i][k]);
        sum += log(total) - e->logits[i][f->labels[i]];
        count++;
    }
    return sum / count;
}

static const int nothing_hidden[ROWS] = {0};

/* ---- sums ---------------------------------------------------------------- */

static void test_retrieval_sums_tasks_and_heads_with_their_weights(void **state)
{
    (void)state;
    fixture f;
    encoded e;
    begin(&f);
    encode(&e, &f);
    double first = title_to_image(&f, &e);
    double second = query_to_product(&f, &e, nothing_hidden);
    double head = cross_entropy(&f, &e);
    assert_true(first > .1 && second > .1 && head > .1);
    assert_near(loss_of(&f), first + .5 * second + .25 * head, 1e-4);
    dip_model_free(f.model);
}

static void test_retrieval_leaves_out_what_weighs_nothing(void **state)
{
    (void)state;
    fixture f;
    encoded e;
    begin(&f);
    encode(&e, &f);
    f.head_weights[0] = 0;
    f.tasks[0].weight = 0;
    f.tasks[1].weight = 2;
    assert_near(loss_of(&f), 2 * query_to_product(&f, &e, nothing_hidden),
                1e-4);
    f.tasks[1].weight = 0;
    dip_tensor *loss;
    dip_err err = {0};
    assert_int_equal(dip_retrieval_loss(&loss, &f.recipe, &f.batch, &err),
                     DIP_ECONFIG);
    assert_string_equal(err.msg, "no task and no head has a weight above 0");
    dip_model_free(f.model);
}

static void test_retrieval_trains_all_of_the_model(void **state)
{
    (void)state;
    fixture f;
    dip_tensor *loss;
    dip_err err = {0};
    begin(&f);
    assert_ok(dip_retrieval_loss(&loss, &f.recipe, &f.batch, &err), &err);
    dip_tensor_backward(loss);
    assert_gradients(dip_model_params(f.model), "");
    dip_model_free(f.model);
}

static void test_retrieval_of_a_photo_finds_titles(void **state)
{
    (void)state;
    fixture f;
    encoded e;
    begin(&f);
    encode(&e, &f);
    f.head_weights[0] = f.tasks[1].weight = 0;
    f.tasks[0].query = DIP_SOURCE_IMAGE;
    f.tasks[0].fields[IMAGE_FIELD] = false;
    f.tasks[0].fields[TITLE_FIELD] = true;
    /* The loss has two equal sides. */
    assert_near(loss_of(&f), title_to_image(&f, &e), 1e-4);
    dip_model_free(f.model);
}

/* ---- judgements ---------------------------------------------------------- */

static void test_retrieval_takes_judged_queries(void **state)
{
    (void)state;
    /* Query 0 is answered by rows 0 and 4, 1 by row 2, 2 by rows 2 and 3. */
    int64_t offsets[ROWS + 1] = {0, 1, 1, 3, 4, 5};
    int64_t answered[] = {0, 1, 2, 2, 0};
    float grades[] = {3, 1, 2, 1, 3};
    const dip_row_queries judged = {ROWS, offsets, answered, grades, 3};
    static const int64_t asked[ROWS] = {0, -1, 1, 2, 0};
    fixture f;
    encoded e;
    begin(&f);
    f.head_weights[0] = f.tasks[0].weight = 0;
    f.tasks[1].weight = 1;
    f.tasks[1].keys = NULL;
    f.tasks[1].judged = &judged;
    memcpy(f.queries, asked, sizeof asked);
    f.texts[QUERY].queries = f.queries;
    f.lengths[QUERY][1] = 0; /* as the loader gives a row without a query */
    encode(&e, &f);
    contrast c = {.scale = e.scale,
                  .right = {[0] = {[0] = true, [4] = true},
                            [1] = {[1] = true},
                            [2] = {[2] = true},
                            [3] = {[2] = true, [3] = true},
                            [4] = {[0] = true, [4] = true}}};
    memcpy(c.query, e.query, sizeof c.query);
    for (int i = 0; i < ROWS; i++)
        c.valid[i] = fuse(c.item[i], &e, i, f.present[i] != 0,
                          f.lengths[TITLE][i] > 0) &&
                     asked[i] >= 0;
    assert_near(loss_of(&f), infonce(&c), 1e-4);
    dip_model_free(f.model);
}

/* ---- field dropout ------------------------------------------------------- */

/* Which fields were hidden, found by trying all ways in which each row keeps
 * one that it has; -1 when none of them explains the loss. */
static int explain(const fixture *f, const encoded *e, double loss)
{
    int ways = 1;
    for (int i = 0; i < ROWS; i++)
        ways *= 3;
    for (int way = 0; way < ways; way++) {
        int hidden[ROWS], rest = way;
        bool possible = true;
        for (int i = 0; i < ROWS; i++, rest /= 3) {
            hidden[i] = rest % 3;
            bool whole = f->present[i] && f->lengths[TITLE][i] > 0;
            possible = possible && (whole || hidden[i] == 0);
        }
        if (possible && fabs(query_to_product(f, e, hidden) - loss) < 2e-5)
            return way;
    }
    return -1;
}

static void drop_fields(double p, int least_ways)
{
    fixture f;
    encoded e;
    int seen[40], ways = 0;
    begin(&f);
    f.head_weights[0] = f.tasks[0].weight = 0;
    f.tasks[1].weight = 1;
    f.recipe.field_dropout = p;
    encode(&e, &f);
    for (f.batch.epoch = 0; f.batch.epoch < 40; f.batch.epoch++) {
        double loss = loss_of(&f);
        int way = explain(&f, &e, loss), i = 0;
        if (way < 0)
            fail_msg("a row lost all of its fields in epoch %d",
                     (int)f.batch.epoch);
        assert_near(loss_of(&f), loss, 1e-6); /* a function of the epoch */
        while (i < ways && seen[i] != way)
            i++;
        if (i == ways)
            seen[ways++] = way;
    }
    assert_true(ways >= least_ways);
    dip_model_free(f.model);
}

static void test_retrieval_never_hides_all_fields_of_a_row(void **state)
{
    (void)state;
    drop_fields(.5, 10);
    drop_fields(.95, 2);
}

static void test_retrieval_hides_nothing_of_a_single_field(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    f.head_weights[0] = f.tasks[1].weight = 0;
    double before = loss_of(&f);
    f.recipe.field_dropout = .99;
    assert_near(loss_of(&f), before, 1e-6);
    dip_model_free(f.model);
}

/* ---- other losses -------------------------------------------------------- */

static void test_retrieval_trains_with_every_kind(void **state)
{
    (void)state;
    for (int i = 0; i < dip_loss_kind_count(); i++) {
        fixture f;
        begin(&f);
        f.recipe.loss = dip_loss_kind_at(i);
        f.recipe.loss_options = f.recipe.loss->defaults;
        double whole = loss_of(&f);
        assert_true(isfinite(whole) && whole > 0);
        f.recipe.matryoshka = (dip_matryoshka){{DIM}, {1}, 1};
        assert_near(loss_of(&f), whole, 1e-5);
        f.recipe.matryoshka = (dip_matryoshka){{DIM, DIM / 2}, {1, 1}, 2};
        assert_true(loss_of(&f) > whole);
        dip_model_free(f.model);
    }
}

static void test_retrieval_tells_the_terms_of_its_sum(void **state)
{
    (void)state;
    fixture f;
    dip_retrieval_terms terms = {0};
    begin(&f);
    f.recipe.terms = &terms;
    double loss = loss_of(&f);
    assert_int_equal(terms.batches, 1);
    assert_near(terms.tasks[0] + .5 * terms.tasks[1] + .25 * terms.heads[0],
                loss, 1e-5);
    dip_model_free(f.model);
}

/* .7 of the query's text and .3 of the title, of what is there; then the photo
 * is searched for. */
static void test_retrieval_averages_the_fields_of_a_query(void **state)
{
    (void)state;
    fixture f;
    encoded e;
    begin(&f);
    f.lengths[QUERY][0] = f.lengths[QUERY][4] = f.lengths[TITLE][4] = 0;
    f.tasks[0].query = QUERY;
    f.tasks[0].mix = (dip_query_mix){2, {QUERY, TITLE}, {.7, .3}};
    f.tasks[1].weight = f.head_weights[0] = 0;
    encode(&e, &f);
    contrast c = {.scale = e.scale};
    by_keys(&c, &f);
    for (int i = 0; i < ROWS; i++) {
        double query = f.lengths[QUERY][i] > 0 ? .7 : 0;
        double title = f.lengths[TITLE][i] > 0 ? .3 : 0, norm = 0;
        for (int d = 0; d < DIM; d++) {
            c.query[i][d] = query * e.query[i][d] + title * e.title[i][d];
            norm += c.query[i][d] * c.query[i][d];
        }
        for (int d = 0; d < DIM; d++)
            c.query[i][d] /= norm > 0 ? sqrt(norm) : 1;
        c.valid[i] =
            fuse(c.item[i], &e, i, f.present[i] != 0, false) && norm > 0;
    }
    assert_near(loss_of(&f), infonce(&c), 1e-5);
    dip_model_free(f.model);
}

/* Of both sides [ROWS, 3]; row 2 is not there. */
static void teach(dip_feature_table *table, double phase)
{
    dip_err err = {0};
    assert_ok(dip_feature_table_create(table, ROWS, 3, &err), &err);
    float *values = dip_tensor_data(table->values);
    uint8_t *present = dip_tensor_data(table->present);
    for (int i = 0; i < ROWS * 3; i++)
        values[i] = (float)sin(phase + 1.3 * i);
    for (int i = 0; i < ROWS; i++)
        present[i] = i != 2;
}

static void test_retrieval_weighs_a_teacher(void **state)
{
    (void)state;
    fixture f;
    dip_retrieval_terms terms = {0};
    dip_feature_table queries, items;
    begin(&f);
    teach(&queries, 0);
    teach(&items, 1);
    double plain = loss_of(&f);
    f.tasks[1].teacher = (dip_teacher_rows){&queries, &items};
    f.recipe.distill = (dip_distill_recipe){.temperature = .1};
    f.recipe.terms = &terms;
    assert_near(loss_of(&f), plain, 1e-6);
    double own = terms.tasks[1], taught = terms.distill[1];
    assert_true(taught > 0 && fabs(taught - own) > 1e-2);
    assert_near(terms.distill[0], 0, 0);
    f.recipe.distill.weight = .3;
    double mixed = loss_of(&f);
    assert_near(mixed, plain + .5 * .3 * (taught - own), 1e-5);
    ((float *)dip_tensor_data(items.values))[2 * 3] = 100; /* not there */
    assert_near(loss_of(&f), mixed, 1e-6);
    ((float *)dip_tensor_data(items.values))[3 * 3] = 100;
    assert_true(fabs(loss_of(&f) - mixed) > 1e-3);
    dip_feature_table_free(&queries);
    dip_feature_table_free(&items);
    dip_model_free(f.model);
}

static void test_retrieval_weighs_classes_of_heads(void **state)
{
    (void)state;
    fixture f;
    const float first[CLASSES] = {1, 0, 0}, even[CLASSES] = {2, 2, 2};
    begin(&f);
    f.tasks[0].weight = f.tasks[1].weight = 0;
    double plain = loss_of(&f);
    dip_head_target target = {.class_weights = even};
    f.recipe.head_targets = &target;
    assert_near(loss_of(&f), plain, 1e-5);
    target.class_weights = first;
    assert_true(fabs(loss_of(&f) - plain) > 1e-3);
    dip_model_free(f.model);
}

static void test_retrieval_matches_beside_a_blocked_loss(void **state)
{
    (void)state;
    fixture f;
    begin_with_match(&f, 6);
    double plain = loss_of(&f);
    f.recipe.match = (dip_match_recipe){.weight = 1, .negatives = 2};
    double dense = loss_of(&f);
    assert_true(dense > plain + .1);
    f.recipe.blocked_from = 1;
    assert_true(fabs(loss_of(&f) - dense) < 1e-5);
    dip_model_free(f.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_retrieval_sums_tasks_and_heads_with_their_weights),
        MODEL_TEST(test_retrieval_leaves_out_what_weighs_nothing),
        MODEL_TEST(test_retrieval_trains_all_of_the_model),
        MODEL_TEST(test_retrieval_of_a_photo_finds_titles),
        MODEL_TEST(test_retrieval_takes_judged_queries),
        MODEL_TEST(test_retrieval_never_hides_all_fields_of_a_row),
        MODEL_TEST(test_retrieval_hides_nothing_of_a_single_field),
        MODEL_TEST(test_retrieval_trains_with_every_kind),
        MODEL_TEST(test_retrieval_tells_the_terms_of_its_sum),
        MODEL_TEST(test_retrieval_averages_the_fields_of_a_query),
        MODEL_TEST(test_retrieval_weighs_a_teacher),
        MODEL_TEST(test_retrieval_weighs_classes_of_heads),
        MODEL_TEST(test_retrieval_matches_beside_a_blocked_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
