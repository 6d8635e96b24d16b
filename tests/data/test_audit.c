#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/audit.h"
#include "image/encode.h"
#include "tests/data/catalog_fixture.h"

enum { SIDE = 64, COUNT = 30 };

enum { OTHER_BIT = 99 };

/* Pixels without pattern in common; `noise` is added to all of them. OTHER_BIT
 * turns the order of two neighbours that hardly differ, and with it bits of
 * the difference hash. */
static void paint(uint8_t *pixels, int seed, int noise)
{
    uint8_t cells[8][8][3];
    dip_rng rng = dip_rng_stream((uint64_t)seed, 1, 0, 0);
    for (size_t i = 0; i < sizeof cells; i++)
        ((uint8_t *)cells)[i] = (uint8_t)(20 + dip_rng_below(&rng, 200));
    int step = noise == OTHER_BIT ? 3 : -3;
    for (int c = 0; c < 3; c++)
        for (int x = 2; x < 6; x++) /* a shallow slope in row 3 */
            cells[3][x][c] = (uint8_t)(120 + step * (x - 4));
    noise = noise == OTHER_BIT ? 0 : noise;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++)
                *pixels++ = (uint8_t)(cells[y / 8][x / 8][c] + noise);
}

typedef struct {
    const char *title, *colour, *group;
    dip_split split;
    int picture, noise; /* picture < 0: none; of 100 and more: damaged */
} planted;

/* Row i of a clean catalog: 30 products, 24 for training. */
static planted clean_row(int i)
{
    static char titles[COUNT][32];
    (void)snprintf(titles[i], sizeof titles[i], "product number %d", i);
    return (planted){.title = titles[i],
                     .colour = i % 2 == 0 ? "red" : "blue",
                     .split = i < 24 ? DIP_SPLIT_TRAIN : DIP_SPLIT_TEST,
                     .picture = i};
}

static void add_row(dip_catalog_writer *writer, int i, const planted *p)
{
    uint8_t pixels[SIDE * SIDE * 3];
    char id[16];
    dip_str jpeg = {0};
    dip_err err = {0};
    (void)snprintf(id, sizeof id, "r%d", i);
    if (p->picture >= 100) {
        dip_str_add(&jpeg, "\xff\xd8\xff no picture");
    } else if (p->picture >= 0) {
        dip_image_view view = {pixels, SIDE, SIDE, 3, 0};
        paint(pixels, p->picture, p->noise);
        assert_int_equal(dip_image_encode_jpeg(&jpeg, &view, 95, &err), DIP_OK);
    }
    dip_value values[] = {
        {.bytes = {dip_str_text(&jpeg), jpeg.len}, .number = NAN},
        {.bytes = bytes_of(p->title), .number = NAN},
        {.label = bytes_of(p->colour), .number = NAN}};
    dip_row row = {.id = bytes_of(id),
                   .split = p->split,
                   .group = bytes_of(p->group),
                   .values = values};
    if (dip_catalog_writer_add(writer, &row, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    dip_str_free(&jpeg);
}

static dip_catalog *catalog; /* of the running test */
static dip_audit audit;

static void audit_rows(const planted *rows, int count, int64_t context)
{
    static const dip_column columns[] = {
        {.kind = DIP_COLUMN_IMAGE, .name = "image", .encoded = true},
        {.kind = DIP_COLUMN_TEXT, .name = "title"},
        {.kind = DIP_COLUMN_LABEL, .name = "colour"}};
    dip_catalog_schema schema = {
        .source = "a test", .columns = columns, .column_count = 3};
    dip_catalog_writer *writer;
    dip_err err = {0};
    const char *path = fixture_path("audit.h5");
    assert_int_equal(dip_catalog_writer_create(&writer, path, &schema, &err),
                     DIP_OK);
    for (int i = 0; i < count; i++)
        add_row(writer, i, &rows[i]);
    assert_int_equal(dip_catalog_writer_commit(writer, &err), DIP_OK);
    dip_catalog_writer_end(writer);
    assert_int_equal(dip_catalog_open(&catalog, path, NULL, &err), DIP_OK);
    dip_audit_options options = dip_audit_defaults();
    options.context = context;
    if (dip_audit_run(&audit, catalog, &options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static int enter(void **state)
{
    catalog = NULL;
    audit = (dip_audit){0};
    return fixture_enter(state);
}

static int leave(void **state)
{
    dip_audit_free(&audit);
    dip_catalog_close(catalog);
    return fixture_leave(state);
}

static const dip_finding *find(dip_audit_kind kind)
{
    for (size_t i = 0; i < audit.count; i++) {
        if (audit.findings[i].kind == kind)
            return &audit.findings[i];
    }
    return NULL;
}

/* One finding of this kind, about the two rows, and none else. */
static void assert_only(dip_audit_kind kind, int64_t count, int64_t first,
                        int64_t second)
{
    for (size_t i = 0; i < audit.count; i++) {
        if (audit.findings[i].kind != kind)
            fail_msg("also found %s", dip_audit_name(audit.findings[i].kind));
    }
    const dip_finding *found = find(kind);
    if (found == NULL)
        fail_msg("did not find %s", dip_audit_name(kind));
    assert_int_equal(found->count, count);
    assert_int_equal(found->examples[0][0], first);
    assert_int_equal(found->examples[0][1], second);
}

static void clean_rows(planted rows[COUNT])
{
    for (int i = 0; i < COUNT; i++)
        rows[i] = clean_row(i);
}

static void test_audit_finds_nothing_in_clean_rows(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    audit_rows(rows, COUNT, 32);
    assert_int_equal(audit.count, 0);
}

static void test_audit_finds_groups_across_splits(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    rows[3].group = rows[4].group = rows[27].group = "p";
    audit_rows(rows, COUNT, 32);
    assert_only(DIP_AUDIT_GROUP_LEAK, 3, 3, 27);
}

static void test_audit_compares_normalised_titles(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    rows[5].title = "Red  Shirt \xef\xbc\xa1"; /* full-width A */
    rows[28].title = "red shirt a";
    audit_rows(rows, COUNT, 32);
    assert_only(DIP_AUDIT_TEXT_LEAK, 2, 5, 28);
}

static void test_audit_leaves_photos_of_a_product_alone(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    rows[6] = rows[7];
    rows[6].group = rows[7].group = "p";
    audit_rows(rows, COUNT, 32);
    assert_int_equal(audit.count, 0);
    dip_audit_free(&audit);
    dip_catalog_close(catalog);
    rows[6].group = "q"; /* two products with one title and image */
    audit_rows(rows, COUNT, 32);
    assert_int_equal(find(DIP_AUDIT_TEXT_SAME)->count, 2);
    assert_int_equal(find(DIP_AUDIT_IMAGE_SAME)->count, 2);
    assert_int_equal(audit.count, 2);
}

static void test_audit_finds_images_across_splits(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    rows[29].picture = 8;
    audit_rows(rows, COUNT, 32);
    assert_only(DIP_AUDIT_IMAGE_LEAK, 2, 8, 29);
}

static void test_audit_finds_similar_images(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    rows[29].picture = 8;
    rows[29].noise = 3; /* a little brighter */
    audit_rows(rows, COUNT, 32);
    assert_only(DIP_AUDIT_SIMILAR_LEAK, 2, 8, 29);
    dip_audit_free(&audit);
    dip_catalog_close(catalog);
    rows[29].noise = OTHER_BIT;
    audit_rows(rows, COUNT, 32);
    assert_only(DIP_AUDIT_SIMILAR_LEAK, 2, 8, 29);
    dip_audit_free(&audit);
    dip_catalog_close(catalog);
    rows[29].noise = 30; /* another colour is another product */
    audit_rows(rows, COUNT, 32);
    assert_int_equal(audit.count, 0);
}

static void test_audit_finds_gaps(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    rows[2].title = " \t";
    rows[9].picture = -1;
    rows[10].picture = 100;
    rows[11].colour = NULL;
    audit_rows(rows, COUNT, 2); /* every title has 3 words */
    assert_int_equal(audit.count, 5);
    assert_int_equal(find(DIP_AUDIT_TEXT_EMPTY)->examples[0][0], 2);
    assert_int_equal(find(DIP_AUDIT_IMAGE_MISSING)->examples[0][0], 9);
    assert_int_equal(find(DIP_AUDIT_IMAGE_BAD)->examples[0][0], 10);
    assert_int_equal(find(DIP_AUDIT_LABEL_MISSING)->examples[0][0], 11);
    assert_int_equal(find(DIP_AUDIT_TEXT_LONG)->count, COUNT - 1);
    /* Errors come first. */
    assert_int_equal(audit.findings[0].kind, DIP_AUDIT_IMAGE_BAD);
    assert_int_equal(dip_audit_severity_of(audit.findings[4].kind),
                     DIP_AUDIT_NOTE);
}

static void test_audit_finds_rare_and_unseen_classes(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    rows[0].colour = rows[1].colour = "teal";
    rows[25].colour = "ochre"; /* in the test split */
    audit_rows(rows, COUNT, 32);
    assert_int_equal(audit.count, 2);
    const dip_finding *rare = find(DIP_AUDIT_CLASS_RARE);
    assert_int_equal(rare->count, 1);
    assert_int_equal(rare->examples[0][1], 2); /* training rows */
    dip_bytes name =
        dip_catalog_label_name(catalog, 2, (int32_t)rare->examples[0][0]);
    assert_memory_equal(name.data, "teal", name.len);
    const dip_finding *unseen = find(DIP_AUDIT_CLASS_UNSEEN);
    name = dip_catalog_label_name(catalog, 2, (int32_t)unseen->examples[0][0]);
    assert_memory_equal(name.data, "ochre", name.len);
}

static void test_audit_takes_few_texts_for_captions(void **state)
{
    (void)state;
    planted rows[COUNT];
    clean_rows(rows);
    for (int i = 0; i < COUNT; i++)
        rows[i].title = "Ankle boot";
    audit_rows(rows, COUNT, 32);
    assert_int_equal(audit.count, 1);
    assert_int_equal(audit.findings[0].kind, DIP_AUDIT_TEXT_CAPTION);
    assert_int_equal(audit.findings[0].count, 1);
}

#define AUDIT_TEST(test) cmocka_unit_test_setup_teardown(test, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT_TEST(test_audit_finds_nothing_in_clean_rows),
        AUDIT_TEST(test_audit_finds_groups_across_splits),
        AUDIT_TEST(test_audit_compares_normalised_titles),
        AUDIT_TEST(test_audit_leaves_photos_of_a_product_alone),
        AUDIT_TEST(test_audit_finds_images_across_splits),
        AUDIT_TEST(test_audit_finds_similar_images),
        AUDIT_TEST(test_audit_finds_gaps),
        AUDIT_TEST(test_audit_finds_rare_and_unseen_classes),
        AUDIT_TEST(test_audit_takes_few_texts_for_captions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
