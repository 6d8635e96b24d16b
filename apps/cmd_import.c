#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/apps.h"
#include "apps/cli.h"
#include "apps/import_graph.h"
#include "apps/import_logs.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/cifar10.h"
#include "data/fashion_mnist.h"
#include "data/import.h"

/* ---- diptych import TABLE ---- */

enum {
    OPT_IMAGES = 0x100,
    OPT_IMAGE,
    OPT_ID,
    OPT_TEXT,
    OPT_LABEL,
    OPT_NUMBER,
    OPT_SPLIT,
    OPT_SPLIT_RATIO,
    OPT_GROUP,
    OPT_SHARD_ROWS,
    OPT_STORE,
    OPT_MAX_PIXELS,
    OPT_EXIF,
    OPT_FORMAT,
    OPT_SKIP_BAD,
    OPT_QUIET,
    OPT_VAL,
    OPT_TITLE,
};

static const struct argp_option table_options[] = {
    {0, 0, 0, 0, "Columns of the table:", 1},
    {"id", OPT_ID, "COLUMN", 0, "names the row (default: its number)", 0},
    {"text", OPT_TEXT, "COLUMN,...", 0, "texts, as title", 0},
    {"label", OPT_LABEL, "COLUMN,...", 0, "categories, as colour", 0},
    {"number", OPT_NUMBER, "COLUMN,...", 0, "numbers, as price", 0},
    {"split", OPT_SPLIT, "COLUMN", 0, "train, val or test", 0},
    {"split-ratio", OPT_SPLIT_RATIO, "A/B/C", 0,
     "deal groups to train, val and test, say 80/10/10 (default: all rows are "
     "for training)",
     0},
    {"group", OPT_GROUP, "COLUMN", 0,
     "rows with an equal value are one product", 0},
    {0, 0, 0, 0, "Images:", 2},
    {"image", OPT_IMAGE, "TEMPLATE", 0, "path of a row's image: '{id}.jpg'", 0},
    {"images", OPT_IMAGES, "DIR", 0, "where they are (default: with the table)",
     0},
    {"store", OPT_STORE, "HOW", 0,
     "encoded: files as found (default); pixels:96: decoded, the shorter side "
     "resized to 96, the centre cut out",
     0},
    {"max-pixels", OPT_MAX_PIXELS, "N", 0,
     "refuse larger images (default 25000000)", 0},
    {"exif", OPT_EXIF, "on|off", 0,
     "apply the camera's orientation when pixels are stored (default on)", 0},
    {0, 0, 0, 0, "Output and input:", 3},
    {"out", 'o', "FILE.h5", 0, "the catalog to write", 0},
    {"shard-rows", OPT_SHARD_ROWS, "N", 0, "begin a new file every N rows", 0},
    {"format", OPT_FORMAT, "csv|tsv|jsonl", 0, "when the extension is another",
     0},
    {"skip-bad", OPT_SKIP_BAD, 0, 0, "leave bad rows out and count them", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_import_options import;
    dip_cli_list texts, labels, numbers;
    bool quiet;
} table_arguments;

static void parse_ratio(struct argp_state *state, int *parts, const char *text)
{
    const char *at = text;
    int64_t sum = 0;
    for (int i = 0; i < DIP_SPLIT_COUNT; i++) {
        char *end;
        long part = strtol(at, &end, 10);
        bool last = i == DIP_SPLIT_COUNT - 1;
        if (end == at || part < 0 || part > 1000000 ||
            *end != (last ? '\0' : '/'))
            argp_error(state, "--split-ratio: '%s' is not like 80/10/10", text);
        parts[i] = (int)part;
        sum += part;
        at = end + !last;
    }
    if (sum == 0)
        argp_error(state, "--split-ratio: all parts are 0");
}

static void parse_store(struct argp_state *state, int *pixels, const char *text)
{
    static const char prefix[] = "pixels:";
    if (strcmp(text, "encoded") == 0)
        *pixels = 0;
    else if (strncmp(text, prefix, strlen(prefix)) == 0)
        *pixels =
            (int)dip_cli_int(state, "store", text + strlen(prefix), 1, 4096);
    else
        argp_error(state, "--store: '%s' is neither encoded nor pixels:N",
                   text);
}

static bool parse_on_off(struct argp_state *state, const char *option,
                         const char *text)
{
    bool on = strcmp(text, "on") == 0;
    if (!on && strcmp(text, "off") != 0)
        argp_error(state, "--%s: '%s' is neither on nor off", option, text);
    return on;
}

static void check_table_arguments(struct argp_state *state,
                                  const dip_import_options *import)
{
    if (import->table == NULL)
        argp_error(state, "no table is named");
    if (import->out == NULL)
        argp_error(state, "--out is missing");
    if (!dip_path_has_suffix(import->out, ".h5"))
        argp_error(state, "--out: '%s' does not end in .h5", import->out);
    if (import->image_dir != NULL && import->image == NULL)
        argp_error(state, "--images without --image");
    if (import->split != NULL && import->split_ratio[0] +
                                         import->split_ratio[1] +
                                         import->split_ratio[2] >
                                     0)
        argp_error(state, "--split and --split-ratio exclude each other");
}

static error_t parse_column(int key, char *arg, struct argp_state *state)
{
    table_arguments *a = state->input;
    switch (key) {
    case OPT_ID:
        a->import.id = arg;
        return 0;
    case OPT_TEXT:
        dip_cli_list_add(state, "text", &a->texts, arg);
        return 0;
    case OPT_LABEL:
        dip_cli_list_add(state, "label", &a->labels, arg);
        return 0;
    case OPT_NUMBER:
        dip_cli_list_add(state, "number", &a->numbers, arg);
        return 0;
    case OPT_SPLIT:
        a->import.split = arg;
        return 0;
    case OPT_SPLIT_RATIO:
        parse_ratio(state, a->import.split_ratio, arg);
        return 0;
    case OPT_GROUP:
        a->import.group = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_image(int key, char *arg, struct argp_state *state)
{
    dip_import_options *o = &((table_arguments *)state->input)->import;
    switch (key) {
    case OPT_IMAGE:
        o->image = arg;
        return 0;
    case OPT_IMAGES:
        o->image_dir = arg;
        return 0;
    case OPT_STORE:
        parse_store(state, &o->pixels, arg);
        return 0;
    case OPT_MAX_PIXELS:
        o->max_pixels =
            dip_cli_int(state, "max-pixels", arg, 1, INT64_C(1) << 32);
        return 0;
    case OPT_EXIF:
        o->keep_orientation = !parse_on_off(state, "exif", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_table(int key, char *arg, struct argp_state *state)
{
    table_arguments *a = state->input;
    switch (key) {
    case 'o':
        a->import.out = arg;
        return 0;
    case OPT_SHARD_ROWS:
        a->import.shard_rows =
            dip_cli_int(state, "shard-rows", arg, 1, INT64_MAX);
        return 0;
    case OPT_FORMAT:
        a->import.format = arg;
        return 0;
    case OPT_SKIP_BAD:
        a->import.skip_bad = true;
        return 0;
    case OPT_QUIET:
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->import.table != NULL)
            argp_error(state, "more than one table: '%s'", arg);
        a->import.table = arg;
        return 0;
    case ARGP_KEY_END:
        check_table_arguments(state, &a->import);
        return 0;
    default:
        break;
    }
    error_t taken = parse_column(key, arg, state);
    return taken == 0 ? taken : parse_image(key, arg, state);
}

static dip_import_names names_of(const dip_cli_list *list)
{
    return (dip_import_names){(const char *const *)list->names,
                              (int)list->count};
}

static int import_table(int argc, char **argv)
{
    static const struct argp parser = {
        table_options,
        parse_table,
        "TABLE --out FILE.h5",
        "Makes a catalog from a table (CSV, TSV or JSON Lines) and a folder of "
        "images.\v"
        "Other sources:\n"
        "  diptych import cifar10 DIR --out FILE.h5\n"
        "  diptych import fashion-mnist DIR --out FILE.h5\n"
        "  diptych import graph TRAIN --out FILE.h5\n"
        "  diptych import judgements TABLE --into FILE.h5\n"
        "  diptych import clicks TABLE --into FILE.h5\n"
        "  diptych import interactions TABLE --into FILE.h5\n"
        "  diptych import copurchases --into FILE.h5",
        0,
        0,
        0};
    table_arguments a = {0};
    (void)argp_parse(&parser, argc, argv, 0, 0, &a);
    a.import.texts = names_of(&a.texts);
    a.import.labels = names_of(&a.labels);
    a.import.numbers = names_of(&a.numbers);
    dip_cli_bar bar = {.label = "import", .unit = "rows", .quiet = a.quiet};
    a.import.progress = (dip_import_progress){dip_cli_tick, &bar};
    dip_import_report report;
    dip_err err = {0};
    double start = dip_cli_now();
    dip_status st = dip_import_table(&report, &a.import, &err);
    dip_progress_finish(bar.bar);
    int code = dip_import_print(argv[0], &report, a.import.out, "rows",
                                dip_cli_now() - start, st, &err);
    if (code == 0 && a.texts.count == 0 && a.labels.count == 0 &&
        a.numbers.count == 0 && a.import.image == NULL)
        (void)fprintf(stderr,
                      "%s: warning: the catalog holds ids alone: --text, "
                      "--image, --label and --number choose columns\n",
                      argv[0]);
    dip_import_report_free(&report);
    dip_cli_list_free(&a.texts);
    dip_cli_list_free(&a.labels);
    dip_cli_list_free(&a.numbers);
    return code;
}

/* ---- diptych import fashion-mnist DIR, cifar10 DIR ---- */

static const struct argp_option set_options[] = {
    {"out", 'o', "FILE.h5", 0, "the catalog to write", 0},
    {"val", OPT_VAL, "N", 0,
     "the last N training images are for validation (default 5000)", 0},
    {"title", OPT_TITLE, "TEMPLATE", 0,
     "the text of a row, say 'a photo of a {class}' (default {class})", 0},
    {"shard-rows", OPT_SHARD_ROWS, "N", 0, "begin a new file every N rows", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_photo_set_options import;
    bool quiet;
} set_arguments;

static error_t parse_set(int key, char *arg, struct argp_state *state)
{
    set_arguments *a = state->input;
    switch (key) {
    case 'o':
        a->import.out = arg;
        return 0;
    case OPT_VAL:
        a->import.val_rows = dip_cli_int(state, "val", arg, 0, UINT32_MAX);
        return 0;
    case OPT_TITLE:
        a->import.title = arg;
        return 0;
    case OPT_SHARD_ROWS:
        a->import.shard_rows =
            dip_cli_int(state, "shard-rows", arg, 1, INT64_MAX);
        return 0;
    case OPT_QUIET:
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->import.folder != NULL)
            argp_error(state, "more than one folder: '%s'", arg);
        a->import.folder = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->import.folder == NULL)
            argp_error(state, "no folder is named");
        if (a->import.out == NULL)
            argp_error(state, "--out is missing");
        if (!dip_path_has_suffix(a->import.out, ".h5"))
            argp_error(state, "--out: '%s' does not end in .h5", a->import.out);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

typedef dip_status (*set_importer)(dip_import_report *report,
                                   const dip_photo_set_options *options,
                                   dip_err *err);

static int import_set(int argc, char **argv, set_importer import,
                      int64_t val_rows, const char *doc)
{
    const struct argp parser = {
        set_options, parse_set, "DIR --out FILE.h5", doc, 0, 0, 0};
    set_arguments a = {.import.val_rows = val_rows};
    (void)argp_parse(&parser, argc, argv, 0, NULL, &a);
    dip_cli_bar bar = {.label = "import", .unit = "rows", .quiet = a.quiet};
    a.import.progress = (dip_import_progress){dip_cli_tick, &bar};
    dip_import_report report;
    dip_err err = {0};
    double start = dip_cli_now();
    dip_status st = import(&report, &a.import, &err);
    dip_progress_finish(bar.bar);
    int code = dip_import_print(argv[0], &report, a.import.out, "rows",
                                dip_cli_now() - start, st, &err);
    dip_import_report_free(&report);
    return code;
}

static int import_fashion_mnist(int argc, char **argv)
{
    return import_set(argc, argv, dip_import_fashion_mnist,
                      DIP_FASHION_MNIST_VAL,
                      "Makes a catalog from the four idx files of "
                      "Fashion-MNIST, compressed or not.");
}

static int import_cifar10(int argc, char **argv)
{
    return import_set(argc, argv, dip_import_cifar10, DIP_CIFAR10_VAL,
                      "Makes a catalog from the binary version of CIFAR-10: "
                      "data_batch_1.bin to the last, and test_batch.bin.");
}

/* ---- choosing ---- */

int dip_cmd_import(int argc, char **argv)
{
    static const struct {
        const char *name;
        char *full_name;
        int (*run)(int argc, char **argv);
    } sources[] = {
        {"cifar10", "diptych import cifar10", import_cifar10},
        {"fashion-mnist", "diptych import fashion-mnist", import_fashion_mnist},
        {"graph", "diptych import graph", dip_import_graph_cli},
        {"judgements", "diptych import judgements", dip_import_judgements_cli},
        {"clicks", "diptych import clicks", dip_import_clicks_cli},
        {"copurchases", "diptych import copurchases",
         dip_import_copurchases_cli},
        {"interactions", "diptych import interactions",
         dip_import_interactions_cli},
    };
    dip_cli_catch_signals();
    for (size_t i = 0; argc > 1 && i < DIP_ARRAY_LEN(sources); i++) {
        if (strcmp(argv[1], sources[i].name) == 0) {
            argv[1] = sources[i].full_name;
            return sources[i].run(argc - 1, argv + 1);
        }
    }
    return import_table(argc, argv);
}
