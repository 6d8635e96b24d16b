#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <omp.h>

#include "data/synth.h"
#include "data/synth_product.h"
#include "data/synth_raster.h"
#include "data/synth_shapes.h"
#include "image/decode.h"
#include "tests/data/catalog_fixture.h"

static dip_synth_options options_of(const char *name, int64_t rows)
{
    return (dip_synth_options){
        .out = fixture_path(name), .rows = rows, .seed = 7, .size = 32};
}

static dip_catalog *make(const dip_synth_options *options)
{
    dip_err err = {0};
    dip_import_report report;
    dip_catalog *catalog;
    dip_status st = dip_synth_write(&report, options, &err);
    if (st == DIP_OK) {
        assert_int_equal(report.rows, options->rows);
        char name[256]; /* "X" for "X.h5": good for shards too */
        (void)snprintf(name, sizeof name, "%.*s", (int)strlen(options->out) - 3,
                       options->out);
        st = dip_catalog_open(&catalog, name, NULL, &err);
    }
    if (st != DIP_OK)
        fail_msg("%s", err.msg);
    return catalog;
}

static int column_of(const dip_catalog *c, dip_column_kind kind,
                     const char *name)
{
    int column;
    assert_int_equal(dip_catalog_find(c, kind, name, &column, NULL), DIP_OK);
    return column;
}

static void assert_same_bytes(dip_bytes a, dip_bytes b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
}

static dip_bytes image_of(const dip_catalog *c, int64_t row, char *scratch,
                          size_t size)
{
    dip_image_source source;
    int column = column_of(c, DIP_COLUMN_IMAGE, "image");
    assert_true(dip_catalog_image_scratch(c, column) <= size);
    assert_int_equal(dip_catalog_image(c, column, row, scratch, &source, NULL),
                     DIP_OK);
    return source.encoded;
}

static void assert_same_rows(const dip_catalog *a, const dip_catalog *b,
                             int64_t rows)
{
    static char scratch[2][1 << 16];
    int title = column_of(a, DIP_COLUMN_TEXT, "title");
    int price = column_of(a, DIP_COLUMN_NUMBER, "price");
    for (int64_t i = 0; i < rows; i++) {
        assert_same_bytes(dip_catalog_id(a, i), dip_catalog_id(b, i));
        assert_same_bytes(dip_catalog_text(a, title, i),
                          dip_catalog_text(b, title, i));
        assert_int_equal(dip_catalog_split(a, i), dip_catalog_split(b, i));
        assert_true(dip_catalog_number(a, price, i) ==
                    dip_catalog_number(b, price, i));
        assert_same_bytes(image_of(a, i, scratch[0], sizeof scratch[0]),
                          image_of(b, i, scratch[1], sizeof scratch[1]));
    }
}

static void test_synth_does_not_depend_on_threads_or_rows(void **state)
{
    (void)state;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    dip_synth_options options = options_of("one.h5", 700);
    dip_catalog *one = make(&options);
    omp_set_num_threads(4);
    options = options_of("four.h5", 700);
    options.shard_rows = 300; /* files change nothing either */
    dip_catalog *four = make(&options);
    options = options_of("short.h5", 100);
    dip_catalog *shorter = make(&options);
    omp_set_num_threads(threads);
    assert_same_rows(one, four, 700);
    assert_same_rows(one, shorter, 100);
    dip_catalog_close(one);
    dip_catalog_close(four);
    dip_catalog_close(shorter);
}

static void test_synth_seeds_differ(void **state)
{
    (void)state;
    int equal = 0;
    for (int64_t row = 0; row < 200; row++) {
        dip_synth_product a = dip_synth_product_of(1, row);
        dip_synth_product b = dip_synth_product_of(2, row);
        equal += memcmp(a.value, b.value, sizeof a.value) == 0;
    }
    assert_in_range(equal, 0, 3);
}

static void test_synth_groups_are_photos_of_one_product(void **state)
{
    (void)state;
    int64_t sizes[4] = {0};
    for (int64_t row = 0, end; row < 8000; row = end) {
        dip_synth_product first = dip_synth_product_of(3, row);
        dip_split split = dip_synth_split_of(3, &first);
        assert_int_equal(first.photo, 0);
        for (end = row + 1; end < 8000; end++) {
            dip_synth_product next = dip_synth_product_of(3, end);
            if (next.number != first.number)
                break;
            assert_int_equal(next.photo, end - row);
            assert_memory_equal(next.value, first.value, sizeof first.value);
            assert_int_equal(dip_synth_split_of(3, &next), split);
        }
        assert_in_range(end - row, 1, 3);
        sizes[end - row]++;
    }
    /* Of 5 products in 8 rows one has two photos and one has three. */
    assert_int_equal(sizes[1], 3000);
    assert_int_equal(sizes[2], 1000);
    assert_int_equal(sizes[3], 1000);
}

static bool contains(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == word[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

static void test_synth_titles_name_colour_and_type(void **state)
{
    (void)state;
    static const dip_synth_attribute named[] = {DIP_SYNTH_COLOUR,
                                                DIP_SYNTH_TYPE};
    for (int64_t row = 0; row < 2000; row++) {
        dip_synth_product p = dip_synth_product_of(5, row);
        dip_str english = {0}, chinese = {0};
        dip_synth_title(&english, &p);
        dip_synth_title_zh(&chinese, &p);
        for (int i = 0; i < 2; i++) {
            int value = p.value[named[i]];
            assert_true(
                contains(english.data, dip_synth_value_name(named[i], value)));
            assert_non_null(
                strstr(chinese.data, dip_synth_value_name_zh(named[i], value)));
        }
        dip_str_free(&english);
        dip_str_free(&chinese);
    }
}

static void test_synth_values_are_spread(void **state)
{
    (void)state;
    enum { ROWS = 16000 };
    int64_t splits[DIP_SPLIT_COUNT] = {0}, types[64] = {0}, colours[64] = {0};
    for (int64_t row = 0; row < ROWS; row++) {
        dip_synth_product p = dip_synth_product_of(1, row);
        splits[dip_synth_split_of(1, &p)]++;
        types[p.value[DIP_SYNTH_TYPE]]++;
        colours[p.value[DIP_SYNTH_COLOUR]]++;
        const dip_shape *shape = dip_shape_get(p.value[DIP_SYNTH_TYPE]);
        assert_int_equal(p.value[DIP_SYNTH_GENDER] != 0, shape->worn);
        assert_true(p.price > 0.0F);
    }
    assert_int_equal(dip_shape_count(), 16);
    for (int i = 0; i < 16; i++) /* 1000 expected */
        assert_in_range(types[i], 700, 1300);
    for (int i = 0; i < 12; i++) /* 1333 expected */
        assert_in_range(colours[i], 1000, 1700);
    assert_in_range(splits[DIP_SPLIT_TRAIN], 12300, 13300);
    assert_in_range(splits[DIP_SPLIT_VAL], 1300, 1900);
    assert_in_range(splits[DIP_SPLIT_TEST], 1300, 1900);
}

static int grade_by_words(const dip_catalog *c, dip_bytes query, int64_t row)
{
    static const char *const names[] = {"colour", "pattern", "type"};
    char text[128];
    int equal = 0;
    (void)snprintf(text, sizeof text, " %.*s ", (int)query.len, query.data);
    for (int i = 0; i < 3; i++) {
        int column = column_of(c, DIP_COLUMN_LABEL, names[i]);
        dip_bytes name = dip_catalog_label_name(
            c, column, dip_catalog_label(c, column, row));
        char word[64];
        (void)snprintf(word, sizeof word, " %.*s ", (int)name.len, name.data);
        equal += strstr(text, word) != NULL;
    }
    return equal;
}

static void test_synth_judgements_follow_the_labels(void **state)
{
    (void)state;
    dip_synth_options options = options_of("judged.h5", 2000);
    options.queries = 40;
    dip_catalog *c = make(&options);
    assert_int_equal(dip_catalog_query_count(c), 40);
    int exact[40] = {0}, all[40] = {0};
    for (int64_t i = 0; i < dip_catalog_judgement_count(c); i++) {
        dip_judgement j = dip_catalog_judgement(c, i);
        int grade = grade_by_words(c, dip_catalog_query(c, j.query), j.row);
        assert_true(j.grade == (float)grade);
        assert_int_equal(j.split, dip_catalog_split(c, j.row));
        exact[j.query] += grade == 3;
        all[j.query]++;
    }
    for (int q = 0; q < 40; q++) {
        assert_in_range(exact[q], 1, 10);
        assert_in_range(all[q], 4, 40);
    }
    dip_catalog_close(c);
}

static void test_synth_refuses_too_many_queries(void **state)
{
    (void)state;
    dip_synth_options options = options_of("few.h5", 10);
    options.queries = 50;
    dip_import_report report;
    dip_err err = {0};
    assert_int_equal(dip_synth_write(&report, &options, &err), DIP_ERANGE);
    assert_non_null(strstr(err.msg, "10 rows give only "));
    assert_non_null(strstr(err.msg, " distinct queries, not 50"));
}

static void test_synth_users_have_tastes(void **state)
{
    (void)state;
    dip_synth_options options = options_of("users.h5", 3000);
    options.users = 200;
    dip_catalog *c = make(&options);
    assert_int_equal(dip_catalog_user_count(c), 200);
    int type = column_of(c, DIP_COLUMN_LABEL, "type");
    int counts[200][16] = {{0}}, totals[200] = {0}, last[200];
    int64_t times[200] = {0}, n = dip_catalog_interaction_count(c);
    for (int64_t i = 0; i < n; i++) {
        dip_interaction it = dip_catalog_interaction(c, i);
        assert_true(it.time > times[it.user]);
        times[it.user] = it.time;
        counts[it.user][dip_catalog_label(c, type, it.row)]++;
        totals[it.user]++;
        last[it.user] = (int)it.split;
    }
    int64_t liked = 0;
    for (int u = 0; u < 200; u++) {
        int best = 0, second = 0;
        for (int t = 0; t < 16; t++) {
            if (counts[u][t] > best) {
                second = best;
                best = counts[u][t];
            } else if (counts[u][t] > second) {
                second = counts[u][t];
            }
        }
        liked += best + second;
        if (totals[u] >= 3)
            assert_int_equal(last[u], DIP_SPLIT_TEST);
    }
    /* Without tastes the two best of 16 types would have a third or so. */
    assert_true(liked * 10 > n * 6);
    dip_catalog_close(c);
}

static void test_synth_images_decode_in_their_size(void **state)
{
    (void)state;
    static char scratch[1 << 16];
    dip_synth_options options = options_of("images.h5", 64);
    options.size = 48;
    dip_catalog *c = make(&options);
    dip_decoder *decoder;
    assert_int_equal(dip_decoder_create(&decoder, NULL), DIP_OK);
    for (int64_t i = 0; i < 64; i++) {
        dip_bytes jpeg = image_of(c, i, scratch, sizeof scratch);
        dip_image_view view;
        assert_int_equal(
            dip_image_decode(&view, decoder, jpeg.data, jpeg.len, NULL, NULL),
            DIP_OK);
        assert_int_equal(view.width, 48);
        assert_int_equal(view.height, 48);
    }
    dip_decoder_destroy(decoder);
    dip_catalog_close(c);
}

/* ---- the rasteriser, against areas known from geometry ------------------- */

typedef struct {
    double area;
    float top_left; /* coverage of pixel (10, 20) */
} measured;

static void measure_span(void *user, int x, int y, int count,
                         const float *coverage)
{
    measured *m = user;
    for (int i = 0; i < count; i++) {
        assert_true(coverage[i] >= 0.0F && coverage[i] <= 1.0F);
        m->area += (double)coverage[i];
        if (x + i == 10 && y == 20)
            m->top_left = coverage[i];
    }
}

static void test_synth_raster_covers_exact_areas(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        double area;
    } cases[] = {
        {"M10.25 20.5 L30.75 20.5 L30.75 40 L10.25 40 Z", 20.5 * 19.5},
        {"M30.75 20.5 L10.25 20.5 L10.25 40 L30.75 40 Z", 20.5 * 19.5},
        {"M10 10 L90 10 L50 70 Z", 80.0 * 60.0 / 2.0},
        /* A polygon of 48 corners: n / 2 r^2 sin(2 pi / n). */
        {"O50 50 40 40", 24.0 * 1600.0 * 0.13052619222005157},
        {"S M50 10 L70 10 L70 30 L50 30", 40.0 * 20.0},
        {"M-20 40 L120 40 L120 60 L-20 60 Z", 100.0 * 20.0}, /* cut off */
        {"M0 0 C0 40 60 60 100 100 L0 100 Z", 4040.0},
    };
    dip_raster *raster;
    dip_affine same = {.a = 1.0, .e = 1.0};
    assert_int_equal(dip_raster_create(&raster, 100, 100, NULL), DIP_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        measured m = {0};
        dip_raster_fill(raster, cases[i].path, same, measure_span, &m);
        /* The curve is drawn with 8 lines: its area may be 1 % off (the
         * exact one is from a numeric integral). */
        double allowed = strchr(cases[i].path, 'C') != NULL ? 40.4 : 0.2;
        if (fabs(m.area - cases[i].area) > allowed)
            fail_msg("%s covers %f", cases[i].path, m.area);
        if (i == 0)
            assert_true(fabsf(m.top_left - 0.375F) < 1e-5F);
    }
    dip_raster_destroy(raster);
}

#define IN_FOLDER(test)                                                        \
    cmocka_unit_test_setup_teardown(test, fixture_enter, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_synth_does_not_depend_on_threads_or_rows),
        cmocka_unit_test(test_synth_seeds_differ),
        cmocka_unit_test(test_synth_groups_are_photos_of_one_product),
        cmocka_unit_test(test_synth_titles_name_colour_and_type),
        cmocka_unit_test(test_synth_values_are_spread),
        IN_FOLDER(test_synth_judgements_follow_the_labels),
        IN_FOLDER(test_synth_refuses_too_many_queries),
        IN_FOLDER(test_synth_users_have_tastes),
        IN_FOLDER(test_synth_images_decode_in_their_size),
        cmocka_unit_test(test_synth_raster_covers_exact_areas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
