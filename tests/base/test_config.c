#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/mem.h"

static const dip_option table[] = {
    {"name", DIP_OPTION_STRING, "run", 0, 0, NULL, "Name of the run.", false,
     false},
    {"train.lr", DIP_OPTION_FLOAT, "1e-3", 0, 10, NULL, "Step size.", false,
     false},
    {"train.epochs", DIP_OPTION_INT, "10", 1, INFINITY, NULL,
     "Passes over the data; 1|2|3.", false, false},
    {"train.seed", DIP_OPTION_INT, "0", 0, 0, NULL, "Seed.", false, false},
    {"train.amp", DIP_OPTION_BOOL, "true", 0, 0, NULL, "Use bf16.", false,
     false},
    {"train.optimizer", DIP_OPTION_ENUM, "adamw", 0, 0, "adamw|sgd",
     "Optimizer.", false, false},
    {"train.floor", DIP_OPTION_FLOAT, NULL, -INFINITY, 0, NULL, "Floor.", false,
     false},
    {"data.path", DIP_OPTION_STRING, NULL, 0, 0, NULL, "Catalog.", true, false},
    {"data.fields", DIP_OPTION_STRINGS, "[title]", 0, 0, NULL, "Fields.", false,
     false},
    {"data.mean", DIP_OPTION_FLOATS, "[0.5, 0.25]", 0, 1, NULL, "Mean.", false,
     false},
    {"data.augment", DIP_OPTION_STRINGS, NULL, 0, 0, "crop|flip|jitter",
     "Steps.", false, false},
    {"steps.flip.p", DIP_OPTION_FLOAT, "0.5", 0, 1, NULL, "Flip.", false, true},
    {"steps.crop.size", DIP_OPTION_INT, "4", 0, 9, NULL, "Crop.", false, true},
    {"steps.crop.p", DIP_OPTION_FLOAT, "1", 0, 1, NULL, "Crop.", false, true},
    {"tasks.*.query", DIP_OPTION_STRING, NULL, 0, 0, NULL, "Query.", true,
     false},
    {"tasks.*.weight", DIP_OPTION_FLOAT, "1", 0, INFINITY, NULL, "Weight.",
     false, false},
    {"tasks.*.k", DIP_OPTION_INTS, NULL, 1, 100, NULL, "Cut-offs.", false,
     false},
};

/* The tests stand in a folder of their own, so that messages are exact. */
static char folder[] = "/tmp/diptych-test-config-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int leave_folder(void **state)
{
    (void)state;
    return chdir("/") != 0 || dip_tree_remove(folder, NULL) != DIP_OK;
}

static void put(const char *path, const char *text)
{
    assert_int_equal(dip_file_write(path, text, strlen(text), NULL), DIP_OK);
}

static dip_status load(dip_config **out, const char *path,
                       const char *const *overrides, size_t n, dip_err *err)
{
    return dip_config_load(out, table, DIP_ARRAY_LEN(table), path, overrides, n,
                           err);
}

/* Loads a.yaml with the text and one override (or NULL); it must be good. */
static dip_config *good(const char *text, const char *override)
{
    put("a.yaml", text);
    dip_config *config;
    dip_err err = {0};
    dip_status st = load(&config, "a.yaml", &override, override != NULL, &err);
    assert_string_equal(dip_config_faults(config), "");
    assert_int_equal(st, DIP_OK);
    return config;
}

static void expect_faults(const char *text, const char *override,
                          const char *faults)
{
    put("a.yaml", text);
    dip_config *config;
    dip_err err = {0};
    dip_status st = load(&config, "a.yaml", &override, override != NULL, &err);
    assert_string_equal(dip_config_faults(config), faults);
    assert_int_equal(st, DIP_ECONFIG);
    assert_int_equal(err.code, DIP_ECONFIG);
    size_t first = strcspn(faults, "\n");
    assert_int_equal(strlen(err.msg), first);
    assert_memory_equal(err.msg, faults, first);
    dip_config_free(config);
}

/* ---- bad configs, by exact message ---- */

#define DATA "data: {path: x}\n"

static void test_config_names_bad_keys(void **state)
{
    (void)state;
    static const struct {
        const char *text, *faults;
    } cases[] = {
        {DATA "train:\n  lrr: 1\n", "a.yaml:3: unknown key 'train.lrr' "
                                    "(did you mean 'train.lr'?)\n"},
        {DATA "trian: {lr: 1}\n",
         "a.yaml:2: unknown key 'trian' (did you mean 'train'?)\n"},
        {DATA "lr: 1\n",
         "a.yaml:2: unknown key 'lr' (did you mean 'train.lr'?)\n"},
        {DATA "zebra: 1\n", "a.yaml:2: unknown key 'zebra'\n"},
        {DATA "tasks:\n  t: {query: q, wieght: 1}\n",
         "a.yaml:3: unknown key 'tasks.t.wieght' "
         "(did you mean 'tasks.t.weight'?)\n"},
        {DATA "name: a\nname: b\n",
         "a.yaml:3: duplicate key 'name' (first on line 2)\n"},
        {DATA "train: {lr: 1}\ntrain: {lr: 2}\n",
         "a.yaml:3: duplicate key 'train' (first on line 2)\n"},
        {DATA "train.lr: 1\n", "a.yaml:2: key 'train.lr' holds a dot or '='; "
                               "below a mapping a key is one name\n"},
        {DATA "? [a]\n: 1\n", "a.yaml:1: a key is not a name\n"},
        {DATA "tasks:\n  \"\": {query: q}\n", "a.yaml:3: empty key\n"},
        {"train: {lr: 1}\n", "a.yaml: missing key 'data.path'\n"},
        {"data:\n  fields: a\n", "a.yaml:1: missing key 'data.path'\n"},
        {DATA "tasks:\n  a: {query: q}\n  b: {}\n",
         "a.yaml:4: missing key 'tasks.b.query'\n"},
        {DATA "train: 3\n", "a.yaml:2: 'train' must be a mapping\n"},
        {DATA "train: [3]\n",
         "a.yaml:2: 'train' must be a mapping, not a list\n"},
        {DATA "train:\n", "a.yaml:2: 'train' must be a mapping\n"},
        {DATA "tasks: {t: q}\n", "a.yaml:2: 'tasks.t' must be a mapping\n"},
        {"- a\n", "a.yaml: a config is a mapping of keys to values\n"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++)
        expect_faults(cases[i].text, NULL, cases[i].faults);
}

static void test_config_names_bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *line, *fault;
    } cases[] = {
        {"train: {lr: 1e-3x}", "'train.lr' must be a number, not '1e-3x'"},
        {"train: {lr: maybe}", "'train.lr' must be a number, not 'maybe'"},
        {"train: {lr: 1e39}",
         "'train.lr' must be a number, not '1e39', which is out of range"},
        {"train: {lr: 1e-39}",
         "'train.lr' must be a number, not '1e-39', which is out of range"},
        {"train: {lr: 1e999}",
         "'train.lr' must be a number, not '1e999', which is out of range"},
        {"train: {lr: nan}", "'train.lr' must be a number, not 'nan'"},
        {"train: {lr: .nan}", "'train.lr' must be a number, not '.nan'"},
        {"train: {lr: inf}", "'train.lr' must be a number, not 'inf'"},
        {"train: {lr: 0x10}", "'train.lr' must be a number, not '0x10'"},
        {"train: {lr: 1_000}", "'train.lr' must be a number, not '1_000'"},
        {"train: {lr: 1e}", "'train.lr' must be a number, not '1e'"},
        {"train: {lr: .}", "'train.lr' must be a number, not '.'"},
        {"train: {lr: 1 2}", "'train.lr' must be a number, not '1 2'"},
        {"train: {lr: \"1\"}",
         "'train.lr' must be a number without quotes, not '1'"},
        {"train: {lr: }",
         "'train.lr' has no value (leave the key out for its default)"},
        {"train: {lr: ~}",
         "'train.lr' has no value (leave the key out for its default)"},
        {"train: {lr: [1]}", "'train.lr' must be a number, not a list"},
        {"train: {lr: {a: 1}}", "'train.lr' must be a number, not a mapping"},
        {"train: {lr: -1}", "'train.lr' is -1, outside 0 to 10"},
        {"train: {lr: 10.5}", "'train.lr' is 10.5, outside 0 to 10"},
        {"train: {floor: 1}", "'train.floor' is 1, above 0"},
        {"train: {epochs: 0}", "'train.epochs' is 0, below 1"},
        {"train: {epochs: 1.5}",
         "'train.epochs' must be an integer, not '1.5'"},
        {"train: {epochs: 010}",
         "'train.epochs' must be an integer, not '010'"},
        {"train: {epochs: 9223372036854775808}",
         "'train.epochs' must be an integer, not '9223372036854775808', which "
         "is out of range"},
        {"train: {amp: yes}", "'train.amp' must be true or false, not 'yes'"},
        {"train: {amp: on}", "'train.amp' must be true or false, not 'on'"},
        {"train: {amp: True}", "'train.amp' must be true or false, not 'True'"},
        {"train: {amp: 1}", "'train.amp' must be true or false, not '1'"},
        {"train: {optimizer: adamv}",
         "'train.optimizer' must be one of adamw|sgd, not 'adamv' (did you "
         "mean 'adamw'?)"},
        {"train: {optimizer: lion}",
         "'train.optimizer' must be one of adamw|sgd, not 'lion'"},
        {"name: [a]", "'name' must be text, not a list"},
        {"name:", "'name' has no value (leave the key out for its default)"},
        {"name: !!str a", "tags are not allowed"},
        {"name: &a b", "anchors are not allowed (use 'extends')"},
        {"name: *a", "aliases are not allowed (use 'extends')"},
        {"name: \"a\\0b\"", "text holds a NUL character"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        char text[256], faults[256];
        (void)snprintf(text, sizeof text, DATA "%s\n", cases[i].line);
        (void)snprintf(faults, sizeof faults, "a.yaml:2: %s\n", cases[i].fault);
        expect_faults(text, NULL, faults);
    }
}

static void test_config_names_bad_list_items(void **state)
{
    (void)state;
    expect_faults("data:\n  path: x\n  mean:\n  - 0.5\n  - 2\n  - a\n", NULL,
                  "a.yaml:5: 'data.mean' is 2, outside 0 to 1\n"
                  "a.yaml:6: 'data.mean' must be a number, not 'a'\n");
    expect_faults("data: {path: x, augment: [crop, flipp]}\n", NULL,
                  "a.yaml:1: 'data.augment' must be one of crop|flip|jitter, "
                  "not 'flipp' (did you mean 'flip'?)\n");
}

static void test_config_reports_yaml_errors_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *faults;
    } cases[] = {
        {"train:\n\tlr: 1\n",
         "a.yaml:2: tab character may not be used as indentation\n"},
        {"a: [1, 2\n", "a.yaml:2: flow sequence without a closing bracket\n"},
        {DATA "---\n" DATA, "a.yaml: more than one yaml document\n"},
        {DATA "name: a\xff\n", "a.yaml:2: malformed utf-8 at byte 23\n"},
        {DATA "name: a\x01\n",
         "a.yaml:2: character U+0001 at byte 23 is not allowed\n"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++)
        expect_faults(cases[i].text, NULL, cases[i].faults);
}

static void test_config_prints_nothing_itself(void **state)
{
    (void)state;
    int kept = dup(STDERR_FILENO);
    assert_non_null(freopen("stderr.txt", "w", stderr));
    expect_faults("train:\n\tlr: 1\n", NULL,
                  "a.yaml:2: tab character may not be used as indentation\n");
    (void)fflush(stderr);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    (void)close(kept);
    dip_file_info info;
    assert_int_equal(dip_file_stat(&info, "stderr.txt", NULL), DIP_OK);
    assert_int_equal(info.size, 0);
}

static void test_config_refuses_depth_size_and_bombs(void **state)
{
    (void)state;
    enum { BIG = (1 << 20) + 1 };
    char *text = malloc(BIG + 1);
    assert_non_null(text);
    memset(text, '[', 200);
    text[200] = '\0';
    expect_faults(text, NULL, "a.yaml:1: Max depth (64) exceeded\n");
    memset(text, '#', BIG);
    text[BIG] = '\0';
    expect_faults(text, NULL, "'a.yaml' is larger than 1048576 bytes\n");
    memset(text, ',', 60000);
    memcpy(text, "data: {path: x, fields: [", 25);
    for (size_t i = 25; i < 60000; i += 2)
        text[i] = 'a';
    memcpy(text + 60000, "]}", 3);
    expect_faults(text, NULL, "a.yaml:1: more than 10000 values\n");
    free(text);
    expect_faults("a: &a [x]\nb: &b [*a, *a]\n", NULL,
                  "a.yaml:1: anchors are not allowed (use 'extends')\n"
                  "a.yaml:2: anchors are not allowed (use 'extends')\n"
                  "a.yaml:2: aliases are not allowed (use 'extends')\n"
                  "a.yaml:2: aliases are not allowed (use 'extends')\n");
}

static void test_config_names_the_command_line(void **state)
{
    (void)state;
    static const struct {
        const char *override, *faults;
    } cases[] = {
        {"train.lrr=1", "command line: unknown key 'train.lrr' "
                        "(did you mean 'train.lr'?)\n"},
        {"trian.lr=1", "command line: unknown key 'trian.lr' "
                       "(did you mean 'train.lr'?)\n"},
        {"train.lr=1e-3x",
         "command line: 'train.lr' must be a number, not '1e-3x'\n"},
        {"train.lr=", "command line: 'train.lr' has no value (leave the key "
                      "out for its default)\n"},
        {"train.lr", "command line: 'train.lr' is not of the form key=value\n"},
        {"=1", "command line: '=1' is not of the form key=value\n"},
        {"tasks..query=1", "command line: bad key in 'tasks..query=1'\n"},
        {"train=1", "command line: 'train' is a mapping; set a key below it\n"},
        {"data.fields=[a", "command line: 'data.fields': flow sequence without "
                           "a closing bracket\n"},
        {"name=\xff", "command line: 'name': malformed utf-8 at byte 0\n"},
        {"tasks.t.weight=2", "command line: missing key 'tasks.t.query'\n"},
        {"extends=b.yaml", "command line: unknown key 'extends'\n"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++)
        expect_faults(DATA, cases[i].override, cases[i].faults);
}

static void test_config_lists_all_faults_at_once(void **state)
{
    (void)state;
    expect_faults("train:\n  lr: x\n  amp: yes\nzebra: 1\n", "name",
                  "a.yaml:2: 'train.lr' must be a number, not 'x'\n"
                  "a.yaml:3: 'train.amp' must be true or false, not 'yes'\n"
                  "a.yaml:4: unknown key 'zebra'\n"
                  "command line: 'name' is not of the form key=value\n"
                  "a.yaml: missing key 'data.path'\n");
}

static void test_config_names_a_missing_file(void **state)
{
    (void)state;
    dip_config *config;
    dip_err err = {0};
    assert_int_equal(load(&config, "no.yaml", NULL, 0, &err), DIP_EIO);
    assert_int_equal(err.code, DIP_EIO);
    assert_string_equal(err.msg,
                        "cannot open 'no.yaml': No such file or directory");
    assert_string_equal(dip_config_faults(config),
                        "cannot open 'no.yaml': No such file or directory\n");
    dip_config_free(config);
}

/* ---- extends ---- */

static void test_config_extends_merges_mappings_and_replaces_lists(void **state)
{
    (void)state;
    assert_int_equal(dip_dir_make("sub", NULL), DIP_OK);
    put("sub/base.yaml", "extends: first.yaml\n"
                         "train: {lr: 2}\n"
                         "data: {fields: [a, b, c]}\n");
    put("sub/first.yaml", "name: first\n"
                          "train: {lr: 1, epochs: 7}\n"
                          "data: {path: x}\n"
                          "tasks: {t: {query: q, weight: 3}}\n");
    dip_config *config = good("extends: sub/base.yaml\n"
                              "data: {fields: [d]}\n"
                              "tasks: {u: {query: r}, t: {weight: 4}}\n",
                              "train.epochs=8");
    assert_string_equal(dip_config_string(config, "name"), "first");
    assert_true(dip_config_float(config, "train.lr") == 2);
    assert_int_equal(dip_config_int(config, "train.epochs"), 8);
    const char *const *fields;
    assert_int_equal(dip_config_strings(&fields, config, "data.fields"), 1);
    assert_string_equal(fields[0], "d");
    assert_string_equal(dip_config_string(config, "tasks.t.query"), "q");
    assert_true(dip_config_float(config, "tasks.t.weight") == 4);
    assert_int_equal(dip_config_child_count(config, "tasks"), 2);
    assert_string_equal(dip_config_child(config, "tasks", 0), "t");
    assert_string_equal(dip_config_child(config, "tasks", 1), "u");
    assert_null(dip_config_child(config, "tasks", 2));
    assert_string_equal(dip_config_place(config, "name"), "sub/first.yaml:1");
    assert_string_equal(dip_config_place(config, "train.lr"),
                        "sub/base.yaml:2");
    assert_string_equal(dip_config_place(config, "train.epochs"),
                        "command line");
    dip_config_free(config);
}

static void test_config_null_takes_back_what_was_set_before(void **state)
{
    (void)state;
    put("b.yaml", "name: b\n" DATA "train: {lr: 2, epochs: 7}\n"
                  "tasks: {t: {query: q}, tt: {query: r}}\n");
    dip_config *config = good("extends: b.yaml\n"
                              "name: ~\n"
                              "train: {lr: null}\n"
                              "tasks: {t: null}\n",
                              "train.epochs=null");
    assert_false(dip_config_has(config, "name"));
    assert_true(dip_config_float(config, "train.lr") == 1e-3);
    assert_int_equal(dip_config_int(config, "train.epochs"), 10);
    assert_int_equal(dip_config_child_count(config, "tasks"), 1);
    assert_string_equal(dip_config_child(config, "tasks", 0), "tt");
    dip_config_free(config);
    expect_faults("extends: b.yaml\ntrain: {lr:}\n", NULL,
                  "a.yaml:2: 'train.lr' has no value (leave the key out for "
                  "its default)\n");
    expect_faults("extends: b.yaml\ndata: {path: null}\n", NULL,
                  "a.yaml:2: missing key 'data.path'\n");
}

static void test_config_extends_refuses_circles_and_missing_files(void **state)
{
    (void)state;
    put("b.yaml", "extends: ./a.yaml\n" DATA);
    expect_faults("extends: b.yaml\n", NULL,
                  "b.yaml:1: 'extends' comes back to './a.yaml'\n");
    expect_faults("extends: a.yaml\n" DATA, NULL,
                  "a.yaml:1: 'extends' comes back to 'a.yaml'\n");
    expect_faults(DATA "extends: no.yaml\n", NULL,
                  "a.yaml:2: cannot open 'no.yaml': No such file or "
                  "directory\n");
    expect_faults(DATA "extends: [b.yaml]\n", NULL,
                  "a.yaml:2: 'extends' must be the name of a file\n");
    put("b.yaml", "train: {lr: x}\n");
    expect_faults("extends: b.yaml\n" DATA "train: {lr: 1}\n", NULL,
                  "b.yaml:1: 'train.lr' must be a number, not 'x'\n");
    for (int i = 0; i < 9; i++) {
        char path[32], text[64];
        (void)snprintf(path, sizeof path, "d%d.yaml", i);
        (void)snprintf(text, sizeof text, "extends: d%d.yaml\n", i + 1);
        put(path, text);
    }
    expect_faults(DATA "extends: d0.yaml\n", NULL,
                  "d7.yaml:1: 'extends' is more than 8 files deep\n");
}

/* ---- values ---- */

static void test_config_reads_strict_scalars(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"1e-3", 1e-3}, {"1E-3", 1e-3}, {"+1", 1},      {"0", 0},   {".5", 0.5},
        {"5.", 5},      {"-0", 0},      {"1.5e0", 1.5}, {"10", 10},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        char text[64];
        (void)snprintf(text, sizeof text, DATA "train: {lr: %s}\n",
                       cases[i].text);
        dip_config *config = good(text, NULL);
        assert_true(dip_config_float(config, "train.lr") == cases[i].value);
        dip_config_free(config);
    }
}

static void test_config_takes_foreign_line_ends_and_marks(void **state)
{
    (void)state;
    dip_config *config = good("\xef\xbb\xbf"
                              "data: {path: x}\r\nname: |\r\n  a\r\n  b\r\n",
                              NULL);
    assert_string_equal(dip_config_string(config, "name"), "a\nb\n");
    assert_string_equal(dip_config_place(config, "name"), "a.yaml:2");
    dip_config_free(config);
    config = good(DATA "# only\nname: \"\\u00e9\" # a comment\n", NULL);
    assert_string_equal(dip_config_string(config, "name"), "\xc3\xa9");
    dip_config_free(config);
}

static void test_config_keeps_the_ends_of_the_ranges(void **state)
{
    (void)state;
    dip_config *config =
        good(DATA "train: {seed: -9223372036854775808, floor: -3.4028234e38}\n",
             NULL);
    assert_true(dip_config_int(config, "train.seed") == INT64_MIN);
    assert_true(dip_config_float(config, "train.floor") < -3.4e38);
    dip_config_free(config);
}

static void test_config_gives_defaults_and_absence(void **state)
{
    (void)state;
    dip_config *config = good(DATA "tasks: {t: {query: q}}\ntrain: {}\n", NULL);
    assert_string_equal(dip_config_string(config, "name"), "run");
    assert_true(dip_config_bool(config, "train.amp"));
    assert_int_equal(dip_config_choice(config, "train.optimizer"), 0);
    assert_string_equal(dip_config_string(config, "train.optimizer"), "adamw");
    assert_true(dip_config_float(config, "tasks.t.weight") == 1);
    const double *mean;
    assert_int_equal(dip_config_floats(&mean, config, "data.mean"), 2);
    assert_true(mean[0] == 0.5 && mean[1] == 0.25);
    const int64_t *cuts;
    assert_int_equal(dip_config_ints(&cuts, config, "tasks.t.k"), 0);
    const char *const *steps;
    assert_int_equal(dip_config_strings(&steps, config, "data.augment"), 0);
    assert_true(dip_config_has(config, "tasks.t"));
    assert_true(dip_config_has(config, "data"));
    assert_false(dip_config_has(config, "tasks.t.weight"));
    assert_false(dip_config_has(config, "tasks.u"));
    assert_false(dip_config_has(config, "name"));
    assert_string_equal(dip_config_place(config, "tasks.t.weight"), "a.yaml:2");
    assert_string_equal(dip_config_place(config, "name"), "a.yaml");
    dip_config_free(config);
}

static void test_config_reads_lists_in_all_forms(void **state)
{
    (void)state;
    dip_config *config = good("data:\n  path: x\n  fields: one\n"
                              "  mean: []\ntasks:\n  t:\n    query: q\n"
                              "    k:\n    - 1\n    - 10\n",
                              "data.augment=[flip, \"crop\"]");
    const char *const *fields;
    assert_int_equal(dip_config_strings(&fields, config, "data.fields"), 1);
    assert_string_equal(fields[0], "one");
    const double *mean;
    assert_int_equal(dip_config_floats(&mean, config, "data.mean"), 0);
    const int64_t *cuts;
    assert_int_equal(dip_config_ints(&cuts, config, "tasks.t.k"), 2);
    assert_int_equal(cuts[1], 10);
    assert_int_equal(dip_config_strings(&fields, config, "data.augment"), 2);
    assert_string_equal(fields[1], "crop");
    dip_config_free(config);
}

static void test_config_takes_override_text_as_it_stands(void **state)
{
    (void)state;
    const char *overrides[] = {"tasks.new.query={gender} a=b: \"c\" # d",
                               "train.lr=5", "train.lr=6", "name="};
    put("a.yaml", DATA);
    dip_config *config;
    assert_int_equal(load(&config, "a.yaml", overrides, 4, NULL), DIP_OK);
    assert_string_equal(dip_config_string(config, "tasks.new.query"),
                        "{gender} a=b: \"c\" # d");
    assert_true(dip_config_float(config, "train.lr") == 6);
    assert_string_equal(dip_config_string(config, "name"), "");
    assert_string_equal(dip_config_child(config, "tasks", 0), "new");
    dip_config_free(config);
}

static void test_config_loads_without_a_file(void **state)
{
    (void)state;
    const char *overrides[] = {"data.path=x"};
    dip_config *config;
    assert_int_equal(load(&config, NULL, overrides, 1, NULL), DIP_OK);
    assert_int_equal(dip_config_int(config, "train.epochs"), 10);
    dip_config_free(config);
    dip_err err = {0};
    assert_int_equal(load(&config, NULL, NULL, 0, &err), DIP_ECONFIG);
    assert_string_equal(err.msg, "defaults: missing key 'data.path'");
    dip_config_free(config);
}

static void test_config_adds_the_faults_of_its_reader(void **state)
{
    (void)state;
    dip_config *config =
        good(DATA "tasks:\n  t: {query: title}\n", "train.lr=1");
    dip_err err = {0};
    assert_int_equal(dip_config_status(config, &err), DIP_OK);
    dip_config_fault(config, "tasks.t.query", "'%s' is also a product field",
                     "title");
    dip_config_fault(config, "train.lr", "too high");
    assert_int_equal(dip_config_status(config, &err), DIP_ECONFIG);
    assert_string_equal(err.msg, "a.yaml:3: 'title' is also a product field");
    assert_string_equal(dip_config_faults(config),
                        "a.yaml:3: 'title' is also a product field\n"
                        "command line: too high\n");
    dip_config_free(config);
}

static void test_config_reports_a_wrong_default_of_the_table(void **state)
{
    (void)state;
    static const dip_option wrong[] = {
        {"a", DIP_OPTION_INT, "x", 0, 0, NULL, "", false, false},
        {"b", DIP_OPTION_INT, "5", 0, 1, NULL, "", false, false},
    };
    dip_config *config;
    assert_int_equal(dip_config_load(&config, wrong, 2, NULL, NULL, 0, NULL),
                     DIP_ECONFIG);
    assert_string_equal(dip_config_faults(config),
                        "option table: 'a' must be an integer, not 'x'\n"
                        "option table: 'b' is 5, outside 0 to 1\n");
    dip_config_free(config);
}

/* ---- texts ---- */

static const char resolved[] = "name: \"a \\\"b\\\"\\x0a\\\\\xc3\xa9\"\n"
                               "train:\n"
                               "  lr: 0.1\n"
                               "  epochs: 3\n"
                               "  seed: 0\n"
                               "  amp: false\n"
                               "  optimizer: sgd\n"
                               "data:\n"
                               "  path: x\n"
                               "  fields: []\n"
                               "  mean: [0.3333333333333333, 1e-05]\n"
                               "tasks:\n"
                               "  u:\n"
                               "    query: \"{x}\"\n"
                               "    weight: 1\n"
                               "    k: [1, 5]\n"
                               "  \"a b\":\n"
                               "    query: \"true\"\n"
                               "    weight: 0.5\n";

static void test_config_dumps_what_it_reads_back(void **state)
{
    (void)state;
    dip_config *config =
        good("tasks:\n"
             "  u: {query: '{x}', k: [1, 5]}\n"
             "  a b: {weight: 0.5, query: \"true\"}\n"
             "data: {mean: [0.3333333333333333, 0.00001], fields: []}\n"
             "train: {optimizer: sgd, amp: false, lr: 0.1, epochs: 3}\n"
             "name: \"a \\\"b\\\"\\n\\\\\xc3\xa9\"\n",
             "data.path=x");
    dip_str first = {0}, second = {0};
    assert_int_equal(dip_config_dump(&first, config, NULL), DIP_OK);
    assert_string_equal(first.data, resolved);
    dip_config_free(config);
    config = good(first.data, NULL);
    assert_string_equal(dip_config_string(config, "name"),
                        "a \"b\"\n\\\xc3\xa9");
    assert_int_equal(dip_config_dump(&second, config, NULL), DIP_OK);
    assert_string_equal(second.data, resolved);
    dip_config_free(config);
    dip_str_free(&first);
    dip_str_free(&second);
}

static void collect(void *user, const char *key, const char *value)
{
    dip_str_addf(user, "%s=%s\n", key, value);
}

static void test_config_tells_each_key(void **state)
{
    (void)state;
    dip_config *config = good("tasks:\n"
                              "  u: {query: '{x}', k: [1, 5]}\n"
                              "data: {fields: [], path: x}\n"
                              "name: \"a b\"\n",
                              "train.lr=0.5");
    dip_str all = {0};
    assert_int_equal(dip_config_each(config, collect, &all, NULL), DIP_OK);
    const char *const lines[] = {"tasks.u.query=\"{x}\"\n",
                                 "tasks.u.k=[1, 5]\n", "data.fields=[]\n",
                                 "train.lr=0.5\n", "name=\"a b\"\n"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(lines); i++)
        assert_non_null(strstr(all.data, lines[i]));
    assert_null(strstr(all.data, "tasks.u="));
    dip_config_free(config);
    dip_str_free(&all);
}

/* Steps mean something by their names and order: those that nobody named must
 * not appear. */
static void test_config_dumps_only_named_steps_in_order(void **state)
{
    (void)state;
    const char *orders[] = {"steps:\n  flip: {}\n  crop: {size: 3}\n",
                            "steps:\n  crop: {size: 3}\n  flip: {}\n"};
    const char *expected[] = {
        "steps:\n  flip:\n    p: 0.5\n  crop:\n    size: 3\n    p: 1\n",
        "steps:\n  crop:\n    size: 3\n    p: 1\n  flip:\n    p: 0.5\n"};
    for (size_t i = 0; i < 2; i++) {
        char yaml[256];
        (void)snprintf(yaml, sizeof yaml, "%s%s", DATA, orders[i]);
        dip_config *config = good(yaml, NULL);
        dip_str text = {0};
        assert_int_equal(dip_config_dump(&text, config, NULL), DIP_OK);
        assert_non_null(strstr(text.data, expected[i]));
        dip_config_free(config);
        dip_str_free(&text);
    }
    dip_config *config = good(DATA "steps:\n  flip: {p: 1}\n", NULL);
    dip_str text = {0};
    assert_int_equal(dip_config_dump(&text, config, NULL), DIP_OK);
    assert_null(strstr(text.data, "crop"));
    dip_config_free(config);
    dip_str_free(&text);
}

static void test_config_dumps_empty_mappings(void **state)
{
    (void)state;
    static const dip_option loose[] = {
        {"a.*.b", DIP_OPTION_INT, NULL, 0, 0, NULL, "", false, false},
        {"c.d", DIP_OPTION_INT, NULL, 0, 0, NULL, "", false, false},
    };
    put("a.yaml", "a: {x: {}, z: {b: 1}}\nc: {}\n");
    dip_config *config;
    dip_str text = {0};
    assert_int_equal(
        dip_config_load(&config, loose, 2, "a.yaml", NULL, 0, NULL), DIP_OK);
    assert_int_equal(dip_config_dump(&text, config, NULL), DIP_OK);
    assert_string_equal(text.data, "a:\n  z:\n    b: 1\n  x: {}\nc: {}\n");
    dip_config_free(config);
    dip_str_clear(&text);
    assert_int_equal(dip_config_load(&config, loose, 2, NULL, NULL, 0, NULL),
                     DIP_OK);
    assert_int_equal(dip_config_dump(&text, config, NULL), DIP_OK);
    assert_string_equal(text.data, "{}\n");
    dip_config_free(config);
    dip_str_free(&text);
}

static void test_config_writes_the_reference(void **state)
{
    (void)state;
    dip_str text = {0};
    assert_int_equal(dip_config_reference(&text, table + 1, 8, NULL), DIP_OK);
    assert_string_equal(
        text.data,
        "## train\n\n"
        "| key | type | default | values | meaning |\n"
        "|---|---|---|---|---|\n"
        "| `train.lr` | number | `1e-3` | 0 to 10 | Step size. |\n"
        "| `train.epochs` | integer | `10` | 1 or more | "
        "Passes over the data; 1\\|2\\|3. |\n"
        "| `train.seed` | integer | `0` |  | Seed. |\n"
        "| `train.amp` | true or false | `true` |  | Use bf16. |\n"
        "| `train.optimizer` | choice | `adamw` | `adamw`, `sgd` | "
        "Optimizer. |\n"
        "| `train.floor` | number | absent | 0 or less | Floor. |\n"
        "\n## data\n\n"
        "| key | type | default | values | meaning |\n"
        "|---|---|---|---|---|\n"
        "| `data.path` | text | required |  | Catalog. |\n"
        "| `data.fields` | list of text | `[title]` |  | Fields. |\n");
    dip_str_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_names_bad_keys),
        cmocka_unit_test(test_config_names_bad_values),
        cmocka_unit_test(test_config_names_bad_list_items),
        cmocka_unit_test(test_config_reports_yaml_errors_with_their_line),
        cmocka_unit_test(test_config_prints_nothing_itself),
        cmocka_unit_test(test_config_refuses_depth_size_and_bombs),
        cmocka_unit_test(test_config_names_the_command_line),
        cmocka_unit_test(test_config_lists_all_faults_at_once),
        cmocka_unit_test(test_config_names_a_missing_file),
        cmocka_unit_test(
            test_config_extends_merges_mappings_and_replaces_lists),
        cmocka_unit_test(test_config_null_takes_back_what_was_set_before),
        cmocka_unit_test(test_config_extends_refuses_circles_and_missing_files),
        cmocka_unit_test(test_config_reads_strict_scalars),
        cmocka_unit_test(test_config_takes_foreign_line_ends_and_marks),
        cmocka_unit_test(test_config_keeps_the_ends_of_the_ranges),
        cmocka_unit_test(test_config_gives_defaults_and_absence),
        cmocka_unit_test(test_config_reads_lists_in_all_forms),
        cmocka_unit_test(test_config_takes_override_text_as_it_stands),
        cmocka_unit_test(test_config_loads_without_a_file),
        cmocka_unit_test(test_config_adds_the_faults_of_its_reader),
        cmocka_unit_test(test_config_reports_a_wrong_default_of_the_table),
        cmocka_unit_test(test_config_dumps_what_it_reads_back),
        cmocka_unit_test(test_config_tells_each_key),
        cmocka_unit_test(test_config_dumps_only_named_steps_in_order),
        cmocka_unit_test(test_config_dumps_empty_mappings),
        cmocka_unit_test(test_config_writes_the_reference),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
