#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/fashion_mnist.h"
#include "data/import.h"
#include "image/decode.h"
#include "image/encode.h"
#include "tests/data/catalog_fixture.h"

#define HEADER "id\ttitle\tcolour\tprice\tsplit\tproduct\n"

static const char *const texts[] = {"title"}, *const labels[] = {"colour"},
                         *const numbers[] = {"price"};

static void write_text(const char *name, const char *text)
{
    assert_int_equal(
        dip_file_write(fixture_path(name), text, strlen(text), NULL), DIP_OK);
}

/* A picture of one colour; `keep` < 0 writes all of its bytes. */
static void write_image(const char *name, int width, int height, uint8_t grey,
                        bool jpeg, int keep)
{
    dip_str bytes = {0};
    size_t size = (size_t)width * (size_t)height * 3;
    uint8_t *pixels = malloc(size);
    assert_non_null(pixels);
    memset(pixels, grey, size);
    dip_image_view view = {pixels, width, height, 3, 0};
    dip_status st = jpeg ? dip_image_encode_jpeg(&bytes, &view, 90, NULL)
                         : dip_image_encode_png(&bytes, &view, NULL);
    assert_int_equal(st, DIP_OK);
    size_t n = keep < 0 ? bytes.len : (size_t)keep;
    assert_int_equal(dip_file_write(fixture_path(name), bytes.data, n, NULL),
                     DIP_OK);
    dip_str_free(&bytes);
    free(pixels);
}

/* The folder with images 1 to 3, a cut one and a text that is called one. */
static int enter_with_images(void **state)
{
    if (fixture_enter(state) != 0)
        return -1;
    write_image("1.png", 40, 30, 10, false, -1);
    write_image("2.png", 8, 8, 200, true,
                -1); /* the bytes tell, not the name */
    write_image("3.png", 8, 8, 90, false, -1);
    write_image("cut.png", 40, 30, 10, true, 300);
    write_text("text.png", "this is no image");
    return 0;
}

static dip_import_options options_of(const char *table)
{
    static char path[256], out[256];
    (void)snprintf(path, sizeof path, "%s", fixture_path(table));
    (void)snprintf(out, sizeof out, "%s", fixture_path("out.h5"));
    return (dip_import_options){.table = path,
                                .image = "{id}.png",
                                .id = "id",
                                .texts = {texts, 1},
                                .labels = {labels, 1},
                                .numbers = {numbers, 1},
                                .split = "split",
                                .group = "product",
                                .out = out};
}

static dip_catalog *open_out(const char *path)
{
    dip_catalog *catalog;
    dip_err err = {0};
    if (dip_catalog_open(&catalog, path, NULL, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return catalog;
}

static void import_or_fail(dip_import_report *report,
                           const dip_import_options *options)
{
    dip_err err = {0};
    if (dip_import_table(report, options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void assert_bytes(dip_bytes got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.data, expected, got.len);
}

static bool out_exists(void)
{
    char **names;
    size_t count;
    bool found = false;
    assert_int_equal(dip_dir_list(&names, &count, fixture_folder, NULL),
                     DIP_OK);
    for (size_t i = 0; i < count; i++)
        found = found || strstr(names[i], "out") != NULL || names[i][0] == '.';
    dip_dir_list_free(names, count);
    return found;
}

/* ---- what good rows become ----------------------------------------------- */

static void test_import_keeps_every_value(void **state)
{
    (void)state;
    write_text("t.tsv", HEADER "1\t红色 T恤\tNA\t19.90\ttrain\tp\n"
                               "2\tBlue mug\t\t\tval\tp\n"
                               "3\t\tBlue\t-1e3\ttest\t\n");
    dip_import_options options = options_of("t.tsv");
    dip_import_report report;
    import_or_fail(&report, &options);
    assert_int_equal(report.rows, 3);
    assert_int_equal(report.split_rows[DIP_SPLIT_VAL], 1);
    assert_int_equal(report.bad_total, 0);
    dip_import_report_free(&report);

    dip_catalog *c = open_out(options.out);
    int title, colour, price, image;
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_TEXT, "title", &title, NULL), DIP_OK);
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_LABEL, "colour", &colour, NULL), DIP_OK);
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_NUMBER, "price", &price, NULL), DIP_OK);
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_IMAGE, "image", &image, NULL), DIP_OK);
    assert_bytes(dip_catalog_id(c, 0), "1");
    assert_bytes(dip_catalog_text(c, title, 0), "红色 T恤");
    assert_bytes(dip_catalog_text(c, title, 2), "");
    /* "NA" is a name like any other; an empty field is what is missing. */
    assert_bytes(
        dip_catalog_label_name(c, colour, dip_catalog_label(c, colour, 0)),
        "NA");
    assert_int_equal(dip_catalog_label(c, colour, 1), -1);
    assert_true(dip_catalog_number(c, price, 0) == 19.9F);
    assert_true(isnan(dip_catalog_number(c, price, 1)));
    assert_true(dip_catalog_number(c, price, 2) == -1000.0F);
    assert_int_equal(dip_catalog_split(c, 2), DIP_SPLIT_TEST);
    assert_int_equal(dip_catalog_group(c, 0), dip_catalog_group(c, 1));
    assert_int_not_equal(dip_catalog_group(c, 0), dip_catalog_group(c, 2));

    char *bytes;
    size_t len;
    assert_int_equal(
        dip_file_read(&bytes, &len, fixture_path("2.png"), 1 << 20, NULL),
        DIP_OK);
    dip_image_source source;
    char scratch[1 << 16];
    assert_true(dip_catalog_image_scratch(c, image) <= sizeof scratch);
    assert_int_equal(dip_catalog_image(c, image, 1, scratch, &source, NULL),
                     DIP_OK);
    assert_int_equal(source.encoded.len, len);
    assert_memory_equal(source.encoded.data, bytes, len);
    free(bytes);
    dip_catalog_close(c);
}

static void test_import_stores_pixels(void **state)
{
    (void)state;
    write_text("t.tsv", HEADER "1\ta\t\t\ttrain\t\n2\tb\t\t\ttrain\t\n");
    dip_import_options options = options_of("t.tsv");
    options.pixels = 16;
    dip_import_report report;
    import_or_fail(&report, &options);
    assert_int_equal(report.image_bytes, 2 * 16 * 16 * 3);
    dip_import_report_free(&report);
    dip_catalog *c = open_out(options.out);
    assert_int_equal(dip_catalog_column(c, 0)->height, 16);
    uint8_t scratch[16 * 16 * 3];
    dip_image_source source;
    for (int row = 0; row < 2; row++) { /* of one colour, so still of it */
        assert_int_equal(dip_catalog_image(c, 0, row, scratch, &source, NULL),
                         DIP_OK);
        for (size_t i = 0; i < sizeof scratch; i++)
            assert_int_equal(source.pixels[i], row == 0 ? 10 : 200);
    }
    dip_catalog_close(c);
}

static void test_import_deals_splits_by_group(void **state)
{
    (void)state;
    dip_str table = {0};
    dip_str_add(&table, HEADER);
    for (int i = 0; i < 2000; i++)
        dip_str_addf(&table, "%d\ta\t\t\t\tproduct %d\n", i, i / 2);
    write_text("t.tsv", table.data);
    dip_str_free(&table);
    dip_import_options options = options_of("t.tsv");
    options.image = NULL;
    options.split = NULL;
    options.split_ratio[0] = 8;
    options.split_ratio[1] = 1;
    options.split_ratio[2] = 1;
    dip_import_report report;
    import_or_fail(&report, &options);
    /* 1000 groups: the expected rows +- 5 standard deviations. */
    assert_in_range(report.split_rows[DIP_SPLIT_TRAIN], 1600 - 130, 1600 + 130);
    assert_in_range(report.split_rows[DIP_SPLIT_TEST], 200 - 95, 200 + 95);
    dip_import_report_free(&report);
    dip_catalog *c = open_out(options.out);
    for (int64_t i = 0; i < 2000; i += 2)
        assert_int_equal(dip_catalog_split(c, i), dip_catalog_split(c, i + 1));
    /* Python: int(sha256(b"product 0").hexdigest()[:16], 16) % 10 gives 1, 3,
     * 0, 8, 5, 8, 6, 5, 6, 3, 5, 9 for products 0 to 11. */
    static const dip_split dealt[] = {
        DIP_SPLIT_TRAIN, DIP_SPLIT_TRAIN, DIP_SPLIT_TRAIN, DIP_SPLIT_VAL,
        DIP_SPLIT_TRAIN, DIP_SPLIT_VAL,   DIP_SPLIT_TRAIN, DIP_SPLIT_TRAIN,
        DIP_SPLIT_TRAIN, DIP_SPLIT_TRAIN, DIP_SPLIT_TRAIN, DIP_SPLIT_TEST};
    for (int64_t i = 0; i < 12; i++)
        assert_int_equal(dip_catalog_split(c, 2 * i), dealt[i]);
    dip_catalog_close(c);
}

/* ---- bad rows ------------------------------------------------------------ */

static const struct {
    const char *row; /* the second of the table; images are '{id}.png' */
    dip_bad_row reason;
    const char *message; /* {} is the folder */
} bad_rows[] = {
    {"cut\ta\t\t\ttrain\t", DIP_BAD_ROW_IMAGE,
     "id 'cut': cannot decode image '{}/cut.png': "},
    {"text\ta\t\t\ttrain\t", DIP_BAD_ROW_IMAGE,
     "id 'text': cannot decode image '{}/text.png': "},
    {"9\ta\t\t\ttrain\t", DIP_BAD_ROW_NO_IMAGE,
     "id '9': cannot open '{}/9.png': No such file or directory"},
    {"../1\ta\t\t\ttrain\t", DIP_BAD_ROW_PATH,
     "id '../1': image path '../1.png' leaves the folder"},
    {"x/../../1\ta\t\t\ttrain\t", DIP_BAD_ROW_PATH,
     "id 'x/../../1': image path 'x/../../1.png' leaves the folder"},
    {"/etc/1\ta\t\t\ttrain\t", DIP_BAD_ROW_PATH,
     "id '/etc/1': image path '/etc/1.png' is absolute"},
    {"1\ta\t\t\ttrain\t", DIP_BAD_ROW_DUPLICATE,
     "id '1': stands on line 2 already"},
    {"\ta\t\t\ttrain\t", DIP_BAD_ROW_ID, "'id' is empty"},
    {"2\ta\t\t\tvalid\t", DIP_BAD_ROW_SPLIT,
     "id '2': 'split' is 'valid', none of train, val and test"},
    {"2\ta\t\t\t\t", DIP_BAD_ROW_SPLIT,
     "id '2': 'split' is '', none of train, val and test"},
    {"2\ta\t\t1,99\ttrain\t", DIP_BAD_ROW_NUMBER,
     "id '2': 'price': not a number: '1,99'"},
    {"2\ta\t\tnan\ttrain\t", DIP_BAD_ROW_NUMBER,
     "id '2': 'price': not a number: 'nan'"},
    {"2\ta\t\t 1\ttrain\t", DIP_BAD_ROW_NUMBER,
     "id '2': 'price': not a number: ' 1'"},
    {"2\ta\t\t0x1p3\ttrain\t", DIP_BAD_ROW_NUMBER,
     "id '2': 'price': not a number: '0x1p3'"},
    {"2\ta\t\t1e39\ttrain\t", DIP_BAD_ROW_NUMBER,
     "id '2': 'price': number out of range: '1e39'"},
    {"2\tab\xff\t\t\ttrain\t", DIP_BAD_ROW_UTF8,
     "id '2': 'title' is not UTF-8 at byte 2"},
    {"2\ta\t\xc0\xaf\t\ttrain\t", DIP_BAD_ROW_UTF8,
     "id '2': 'colour' is not UTF-8 at byte 0"},
    {"2\ta\t\t\ttrain\t\xe7\x9a", DIP_BAD_ROW_UTF8,
     "id '2': 'product' is not UTF-8 at byte 0"},
};

static void expected_message(char *out, size_t size, const char *table,
                             const char *message)
{
    const char *hole = strstr(message, "{}");
    int before = hole != NULL ? (int)(hole - message) : (int)strlen(message);
    (void)snprintf(out, size, "%s:3: %.*s%s%s", table, before, message,
                   hole != NULL ? fixture_folder : "",
                   hole != NULL ? hole + 2 : "");
}

static void test_import_names_every_bad_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < DIP_ARRAY_LEN(bad_rows); i++) {
        char table[512], expected[512], words[512];
        (void)snprintf(table, sizeof table, "%s1\ta\t\t\ttrain\t\n%s\n", HEADER,
                       bad_rows[i].row);
        write_text("t.tsv", table);
        dip_import_options options = options_of("t.tsv");
        dip_import_report report;
        dip_err err = {0};
        assert_int_equal(dip_import_table(&report, &options, &err), DIP_EDATA);
        (void)snprintf(words, sizeof words,
                       "1 of 2 rows in '%s' are bad (--skip-bad leaves them "
                       "out)",
                       options.table);
        assert_string_equal(err.msg, words);
        assert_int_equal(report.bad[bad_rows[i].reason], 1);
        assert_int_equal(report.bad_total, 1);
        assert_int_equal(report.message_count, 1);
        expected_message(expected, sizeof expected, options.table,
                         bad_rows[i].message);
        /* Where a decoder's own words follow, the beginning must do. */
        size_t n = strlen(expected);
        if (expected[n - 1] == ' ')
            assert_true(strlen(report.messages[0]) > n);
        else
            assert_int_equal(strlen(report.messages[0]), n);
        assert_memory_equal(report.messages[0], expected, n);
        dip_import_report_free(&report);
        assert_false(out_exists());
    }
}

static void test_import_skips_and_counts_bad_rows(void **state)
{
    (void)state;
    dip_str table = {0};
    dip_str_add(&table, HEADER "1\ta\t\t\ttrain\t\n");
    for (size_t i = 0; i < DIP_ARRAY_LEN(bad_rows); i++)
        dip_str_addf(&table, "%s\n", bad_rows[i].row);
    dip_str_add(&table, "3\tlast\t\t\ttest\t\n");
    for (int i = 0; i < 10; i++)
        dip_str_addf(&table, "missing-%d\ta\t\t\ttrain\t\n", i);
    write_text("t.tsv", table.data);
    dip_str_free(&table);
    dip_import_options options = options_of("t.tsv");
    options.skip_bad = true;
    dip_import_report report;
    import_or_fail(&report, &options);
    assert_int_equal(report.rows, 2);
    assert_int_equal(report.bad_total, 28);
    assert_int_equal(report.message_count, DIP_BAD_ROWS_SHOWN);
    assert_int_equal(report.bad[DIP_BAD_ROW_NO_IMAGE], 11);
    assert_int_equal(report.bad[DIP_BAD_ROW_NUMBER], 5);
    assert_int_equal(report.bad[DIP_BAD_ROW_UTF8], 3);
    dip_import_report_free(&report);
    dip_catalog *c = open_out(options.out);
    assert_int_equal(dip_catalog_rows(c), 2);
    assert_bytes(dip_catalog_id(c, 1), "3");
    dip_catalog_close(c);
}

static void test_import_fails_without_good_rows(void **state)
{
    (void)state;
    write_text("t.tsv", HEADER "9\ta\t\t\ttrain\t\n");
    dip_import_options options = options_of("t.tsv");
    options.skip_bad = true;
    dip_import_report report;
    dip_err err = {0};
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_EDATA);
    assert_non_null(strstr(err.msg, "all 1 rows in"));
    dip_import_report_free(&report);
    write_text("t.tsv", HEADER);
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_EDATA);
    assert_non_null(strstr(err.msg, "no rows in"));
    assert_false(out_exists());
}

static void test_import_checks_options_against_the_table(void **state)
{
    (void)state;
    write_text("t.tsv", HEADER "1\ta\t\t\ttrain\t\n");
    dip_import_report report;
    dip_err err = {0};
    dip_import_options options = options_of("t.tsv");
    options.id = "idd";
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_ENOTFOUND);
    assert_non_null(strstr(err.msg, "no column 'idd'"));
    assert_non_null(strstr(err.msg, "did you mean 'id'?"));

    options = options_of("t.tsv");
    options.image = "{code}.png";
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_ENOTFOUND);
    assert_string_equal(err.msg, "in '{code}.png': no column 'code'; columns: "
                                 "id, title, colour, price, split, product");
    options.image = "{id.png";
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_EDATA);
    assert_string_equal(err.msg, "in '{id.png': '{' without a '}'");

    options = options_of("t.tsv");
    options.image_dir = "/nowhere/at/all";
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_EIO);
    assert_string_equal(err.msg, "no folder of images '/nowhere/at/all'");

    static const char *const twice[] = {"title", "title"};
    options = options_of("t.tsv");
    options.texts = (dip_import_names){twice, 2};
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_EUSAGE);
    assert_string_equal(err.msg, "column 'title' is listed twice");

    write_text("t.tsv", HEADER "1\ta\t\t\ttrain\t\n2\tb\n");
    options = options_of("t.tsv");
    options.skip_bad = true; /* does not mend a broken table */
    assert_int_equal(dip_import_table(&report, &options, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "t.tsv:3: 2 fields where 6 are due"));
    assert_false(out_exists());
}

static void test_import_refuses_large_images(void **state)
{
    (void)state;
    write_text("t.tsv", HEADER "1\ta\t\t\ttrain\t\n");
    dip_import_options options = options_of("t.tsv");
    options.max_pixels = 40 * 30 - 1;
    dip_import_report report;
    assert_int_equal(dip_import_table(&report, &options, NULL), DIP_EDATA);
    assert_int_equal(report.bad[DIP_BAD_ROW_IMAGE], 1);
    dip_import_report_free(&report);
    options.max_pixels = 40 * 30;
    import_or_fail(&report, &options);
    dip_import_report_free(&report);
}

static bool stop_at_once(void *user, int64_t done, int64_t total)
{
    *(int64_t *)user = total;
    return done < 0;
}

static void test_import_stops_when_asked(void **state)
{
    (void)state;
    write_text("t.tsv", HEADER "1\ta\t\t\ttrain\t\n2\tb\t\t\ttrain\t\n");
    dip_import_options options = options_of("t.tsv");
    int64_t total = 0;
    options.progress = (dip_import_progress){stop_at_once, &total};
    dip_import_report report;
    assert_int_equal(dip_import_table(&report, &options, NULL), DIP_EINTERRUPT);
    assert_int_equal(total, 2);
    assert_false(out_exists());
}

/* ---- search logs --------------------------------------------------------- */

static void import_three_rows(void)
{
    write_text("t.tsv", HEADER "1\ta\t\t\ttrain\t\n2\tb\t\t\tval\t\n"
                               "3\tc\t\t\ttest\t\n");
    dip_import_options options = options_of("t.tsv");
    dip_import_report report;
    import_or_fail(&report, &options);
}

static void test_import_adds_judgements(void **state)
{
    (void)state;
    import_three_rows();
    write_text("j.csv", "query,id,grade\nred mug,1,3\nred mug,2,0\n"
                        "\"shoe, blue\",3,0.5\n");
    const char *table = fixture_path("j.csv"), *into = fixture_path("out.h5");
    dip_import_log_options options = {.table = table,
                                      .into = into,
                                      .owner = "query",
                                      .id = "id",
                                      .value = "grade"};
    dip_import_report report;
    dip_err err = {0};
    if (dip_import_judgements(&report, &options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(report.distinct, 2);
    dip_catalog *c = open_out(into);
    assert_int_equal(dip_catalog_judgement_count(c), 3);
    assert_bytes(dip_catalog_query(c, 1), "shoe, blue");
    dip_judgement last = dip_catalog_judgement(c, 2);
    assert_int_equal(last.query, 1);
    assert_int_equal(last.row, 2);
    assert_true(last.grade == 0.5F);
    assert_int_equal(last.split, DIP_SPLIT_TEST); /* that of its row */
    dip_catalog_close(c);
}

static void test_import_adds_interactions(void **state)
{
    (void)state;
    import_three_rows();
    write_text("i.csv", "who,item,n,when,part\nu1,1,2,1700000000,train\n"
                        "u2,3,1,-5,val\nu1,1,1,3.2466e+05,test\n");
    const char *table = fixture_path("i.csv"), *into = fixture_path("out.h5");
    dip_import_log_options options = {.table = table,
                                      .into = into,
                                      .owner = "who",
                                      .id = "item",
                                      .value = "n",
                                      .time = "when",
                                      .split = "part"};
    dip_import_report report;
    dip_err err = {0};
    if (dip_import_interactions(&report, &options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    dip_catalog *c = open_out(into);
    assert_int_equal(dip_catalog_user_count(c), 2);
    assert_int_equal(dip_catalog_interaction_count(c), 3);
    assert_int_equal(dip_catalog_interaction(c, 0).time, 1700000000);
    assert_int_equal(dip_catalog_interaction(c, 1).time, -5);
    assert_int_equal(dip_catalog_interaction(c, 2).time, 324660);
    assert_int_equal(dip_catalog_interaction(c, 2).split, DIP_SPLIT_TEST);
    dip_catalog_close(c);
}

static void test_import_names_bad_judgements(void **state)
{
    (void)state;
    static const struct {
        const char *row, *words;
        dip_bad_row reason;
    } cases[] = {
        {"q,77,1,0", "id '77': not in '{}'", DIP_BAD_ROW_UNKNOWN},
        {"q,1,-1,0", "id '1': 'grade' is negative: -1", DIP_BAD_ROW_NUMBER},
        {"q,1,nan,0", "id '1': 'grade': not a number: 'nan'",
         DIP_BAD_ROW_NUMBER},
        {"q,1,,0", "id '1': 'grade': not a number: ''", DIP_BAD_ROW_NUMBER},
        {",1,1,0", "id '1': 'query' is empty", DIP_BAD_ROW_EMPTY},
        {"\xff,1,1,0", "id '1': 'query' is not UTF-8 at byte 0",
         DIP_BAD_ROW_UTF8},
        {"first,2,1,0", "id '2': judged before for the same query",
         DIP_BAD_ROW_DUPLICATE},
        {"q,1,1,1.5", "id '1': 'time': not whole seconds: '1.5'",
         DIP_BAD_ROW_NUMBER},
    };
    import_three_rows();
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        char text[256], expected[600];
        (void)snprintf(text, sizeof text,
                       "query,id,grade,time\nfirst,2,1,0\n%s\n", cases[i].row);
        write_text("j.csv", text);
        const char *table = fixture_path("j.csv");
        const char *into = fixture_path("out.h5");
        dip_import_log_options options = {.table = table,
                                          .into = into,
                                          .owner = "query",
                                          .id = "id",
                                          .value = "grade",
                                          .time = "time"};
        dip_import_report report;
        assert_int_equal(dip_import_judgements(&report, &options, NULL),
                         DIP_EDATA);
        assert_int_equal(report.bad[cases[i].reason], 1);
        bool hole = strstr(cases[i].words, "{}") != NULL;
        (void)snprintf(expected, sizeof expected, "%s:3: %.*s%s%s", table,
                       hole ? 17 : 200, cases[i].words, hole ? into : "",
                       hole ? "'" : "");
        assert_string_equal(report.messages[0], expected);
        dip_import_report_free(&report);
        dip_catalog *c = open_out(into);
        assert_int_equal(dip_catalog_judgement_count(c), 0);
        dip_catalog_close(c);
    }
}

/* ---- Fashion-MNIST: idx files with 6 and 2 images ------------------------ */

static void write_idx(const char *name, uint32_t magic, uint32_t count,
                      uint32_t items, size_t item)
{
    unsigned char bytes[16 + 8 * 784] = {
        (unsigned char)(magic >> 24), (unsigned char)(magic >> 16),
        (unsigned char)(magic >> 8),  (unsigned char)magic,
        (unsigned char)(count >> 24), (unsigned char)(count >> 16),
        (unsigned char)(count >> 8),  (unsigned char)count};
    size_t head = 8;
    if (magic == 0x803) {
        bytes[11] = bytes[15] = 28;
        head = 16;
    }
    for (size_t i = 0; i < items * item; i++)
        bytes[head + i] = (unsigned char)(item == 1 ? i + 3 : i / item * 7);
    assert_int_equal(
        dip_file_write(fixture_path(name), bytes, head + items * item, NULL),
        DIP_OK);
}

static int enter_with_idx(void **state)
{
    if (fixture_enter(state) != 0)
        return -1;
    write_idx("train-images-idx3-ubyte", 0x803, 6, 6, 784);
    write_idx("train-labels-idx1-ubyte", 0x801, 6, 6, 1);
    write_idx("t10k-images-idx3-ubyte", 0x803, 2, 2, 784);
    write_idx("t10k-labels-idx1-ubyte", 0x801, 2, 2, 1);
    return 0;
}

static dip_status import_idx(const char *title, dip_err *err)
{
    const char *out = fixture_path("out.h5");
    dip_photo_set_options options = {
        .folder = fixture_folder, .out = out, .val_rows = 2, .title = title};
    dip_import_report report;
    dip_status st = dip_import_fashion_mnist(&report, &options, err);
    dip_import_report_free(&report);
    return st;
}

static void test_import_reads_fashion_mnist(void **state)
{
    (void)state;
    dip_err err = {0};
    if (import_idx("a photo of a {class}", &err) != DIP_OK)
        fail_msg("%s", err.msg);
    dip_catalog *c = open_out(fixture_path("out.h5"));
    assert_int_equal(dip_catalog_rows(c), 8);
    assert_int_equal(dip_catalog_split_rows(c, DIP_SPLIT_TRAIN), 4);
    assert_int_equal(dip_catalog_split_rows(c, DIP_SPLIT_VAL), 2);
    assert_int_equal(dip_catalog_split(c, 5), DIP_SPLIT_VAL);
    assert_bytes(dip_catalog_id(c, 5), "train-00005");
    assert_bytes(dip_catalog_id(c, 6), "test-00000");
    int title, class;
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_TEXT, "title", &title, NULL), DIP_OK);
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_LABEL, "class", &class, NULL), DIP_OK);
    /* Labels 3 to 8 are Dress, Coat, Sandal, Shirt, Sneaker, Bag. */
    assert_bytes(dip_catalog_text(c, title, 0), "a photo of a Dress");
    assert_bytes(
        dip_catalog_label_name(c, class, dip_catalog_label(c, class, 5)),
        "Bag");
    uint8_t scratch[784];
    dip_image_source source;
    assert_int_equal(dip_catalog_image(c, 0, 3, scratch, &source, NULL),
                     DIP_OK);
    assert_int_equal(source.channels, 1);
    assert_int_equal(source.pixels[783], 21);
    dip_catalog_close(c);
}

static void test_import_refuses_damaged_idx_files(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t magic, count, items;
        size_t item;
        const char *words;
    } cases[] = {
        {"train-images-idx3-ubyte", 0x803, 6, 5, 784, "is cut short"},
        {"train-images-idx3-ubyte", 0x803, 6, 7, 784,
         "goes on after its 6 items"},
        {"train-images-idx3-ubyte", 0x801, 6, 6, 784,
         "begins with 0x00000801, not with 0x00000803"},
        {"train-images-idx3-ubyte", 0x803, 5, 5, 784, "5 images in "},
        {"train-labels-idx1-ubyte", 0x801, 6, 4, 1, "is cut short"},
        {"t10k-labels-idx1-ubyte", 0x801, 3, 3, 1, "but 3 labels"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        assert_int_equal(enter_with_idx(state), 0);
        write_idx(cases[i].name, cases[i].magic, cases[i].count, cases[i].items,
                  cases[i].item);
        dip_err err = {0};
        assert_int_equal(import_idx(NULL, &err), DIP_EFORMAT);
        assert_non_null(strstr(err.msg, cases[i].words));
        assert_false(out_exists());
        assert_int_equal(fixture_leave(state), 0);
    }
}

static void test_import_refuses_wrong_classes_and_missing_files(void **state)
{
    (void)state;
    dip_err err = {0};
    write_idx("train-labels-idx1-ubyte", 0x801, 6, 6, 1);
    unsigned char bytes[14] = {0, 0, 8, 1, 0, 0, 0, 6, 0, 9, 10};
    assert_int_equal(dip_file_write(fixture_path("train-labels-idx1-ubyte"),
                                    bytes, sizeof bytes, NULL),
                     DIP_OK);
    assert_int_equal(import_idx(NULL, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "item 2 in "));
    assert_non_null(strstr(err.msg, " has class 10"));
    assert_int_equal(
        dip_tree_remove(fixture_path("t10k-images-idx3-ubyte"), NULL), DIP_OK);
    write_idx("train-labels-idx1-ubyte", 0x801, 6, 6, 1);
    assert_int_equal(import_idx(NULL, &err), DIP_EIO);
    assert_non_null(strstr(err.msg, "no file "));
    assert_false(out_exists());
}

/* The labels 1 to 6, compressed by gzip -n. */
static void test_import_reads_gzip_and_notices_damage(void **state)
{
    (void)state;
    char gz[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x63\x60\xe0\x60"
                "\x64\x60\x60\x60\x63\x64\x62\x66\x61\x65\x03\x00\x44\x33"
                "\xdd\x45\x0e\x00\x00\x00";
    char path[256]; /* outlives what fixture_path() gives */
    (void)snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte.gz",
                   fixture_folder);
    dip_err err = {0};
    assert_int_equal(
        dip_tree_remove(fixture_path("train-labels-idx1-ubyte"), NULL), DIP_OK);
    assert_int_equal(dip_file_write(path, gz, 34, NULL), DIP_OK);
    assert_int_equal(import_idx(NULL, &err), DIP_OK);
    assert_int_equal(dip_tree_remove(fixture_path("out.h5"), NULL), DIP_OK);
    assert_int_equal(dip_tree_remove(fixture_path("out.manifest.json"), NULL),
                     DIP_OK);
    for (size_t cut = 12; cut < 34; cut++) {
        assert_int_equal(dip_file_write(path, gz, cut, NULL), DIP_OK);
        assert_int_equal(import_idx(NULL, &err), DIP_EFORMAT);
        assert_non_null(strstr(err.msg, "train-labels-idx1-ubyte.gz"));
        assert_false(out_exists());
    }
    gz[26] ^= 1; /* of the checksum */
    assert_int_equal(dip_file_write(path, gz, 34, NULL), DIP_OK);
    assert_int_equal(import_idx(NULL, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "damaged file"));
    assert_false(out_exists());
}

#define WITH_IMAGES(test)                                                      \
    cmocka_unit_test_setup_teardown(test, enter_with_images, fixture_leave)
#define WITH_IDX(test)                                                         \
    cmocka_unit_test_setup_teardown(test, enter_with_idx, fixture_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_IMAGES(test_import_keeps_every_value),
        WITH_IMAGES(test_import_stores_pixels),
        WITH_IMAGES(test_import_deals_splits_by_group),
        WITH_IMAGES(test_import_names_every_bad_row),
        WITH_IMAGES(test_import_skips_and_counts_bad_rows),
        WITH_IMAGES(test_import_fails_without_good_rows),
        WITH_IMAGES(test_import_checks_options_against_the_table),
        WITH_IMAGES(test_import_refuses_large_images),
        WITH_IMAGES(test_import_stops_when_asked),
        WITH_IMAGES(test_import_adds_judgements),
        WITH_IMAGES(test_import_adds_interactions),
        WITH_IMAGES(test_import_names_bad_judgements),
        WITH_IDX(test_import_reads_fashion_mnist),
        cmocka_unit_test(test_import_refuses_damaged_idx_files),
        WITH_IDX(test_import_refuses_wrong_classes_and_missing_files),
        WITH_IDX(test_import_reads_gzip_and_notices_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
