#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "apps/apps.h"
#include "apps/cli.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/term.h"
#include "base/utf8.h"
#include "data/inspect.h"

/* ---- text ---- */

enum { SHOWN_DIGEST = 12, SHOWN_CLASS = 24 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static int64_t int_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void add_count(dip_table *table, const json_t *object, const char *key)
{
    dip_str digits = {0};
    dip_cli_add_count(&digits, int_of(object, key));
    dip_table_cell(table, dip_str_text(&digits));
    dip_str_free(&digits);
}

static void add_bytes(dip_table *table, int64_t bytes)
{
    dip_str words = {0};
    dip_cli_add_bytes(&words, bytes);
    dip_table_cell(table, dip_str_text(&words));
    dip_str_free(&words);
}

/* ---- one table for each kind of column ---- */

static void add_file(dip_table *table, const json_t *file)
{
    dip_table_cell(table, text_of(file, "file"));
    add_count(table, file, "rows");
    add_bytes(table, int_of(file, "bytes"));
    dip_table_cellf(table, "%.*s", SHOWN_DIGEST, text_of(file, "sha256"));
}

static void add_image(dip_table *table, const json_t *image)
{
    dip_str what = {0}, sizes = {0};
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach (json_object_get(image, "formats"), key, value) {
        dip_str_addf(&what, "%s%s %lld", what.len > 0 ? ", " : "", key,
                     (long long)json_integer_value(value));
    }
    json_array_foreach (json_object_get(image, "sizes"), i, value) {
        dip_str_addf(&sizes, "%s%lldx%lld (%lld)", i > 0 ? ", " : "",
                     (long long)int_of(value, "width"),
                     (long long)int_of(value, "height"),
                     (long long)int_of(value, "count"));
    }
    if (json_object_get(image, "channels") != NULL) {
        dip_str_add(&what, "pixels");
        dip_str_addf(&sizes, "%lldx%lldx%lld",
                     (long long)int_of(image, "width"),
                     (long long)int_of(image, "height"),
                     (long long)int_of(image, "channels"));
    } else if (int_of(image, "distinct_sizes") > (int64_t)i) {
        dip_str_addf(&sizes, ", %lld sizes in all",
                     (long long)int_of(image, "distinct_sizes"));
    }
    dip_table_cell(table, text_of(image, "name"));
    add_count(table, image, "sampled");
    dip_table_cell(table, dip_str_text(&what));
    dip_table_cell(table, dip_str_text(&sizes));
    add_count(table, image, "missing");
    add_count(table, image, "damaged");
    dip_str_free(&what);
    dip_str_free(&sizes);
}

static void add_text(dip_table *table, const json_t *text)
{
    dip_table_cell(table, text_of(text, "name"));
    add_count(table, text, "empty");
    add_count(table, text, "mean_bytes");
    add_count(table, text, "longest_bytes");
}

static void add_label(dip_table *table, const json_t *label)
{
    dip_str top = {0};
    json_t *item;
    size_t i;
    json_array_foreach (json_object_get(label, "counts"), i, item) {
        const char *name = text_of(item, "name");
        if (i > 0)
            dip_str_add(&top, ", ");
        (void)dip_utf8_fit(&top, name, strlen(name), SHOWN_CLASS);
        dip_str_add(&top, " ");
        dip_cli_add_count(&top, int_of(item, "rows"));
    }
    dip_table_cell(table, text_of(label, "name"));
    add_count(table, label, "classes");
    add_count(table, label, "missing");
    dip_table_cell(table, dip_str_text(&top));
    dip_str_free(&top);
}

static void add_number(dip_table *table, const json_t *number)
{
    static const char *const keys[] = {"min", "mean", "max"};
    dip_table_cell(table, text_of(number, "name"));
    add_count(table, number, "missing");
    for (size_t i = 0; i < DIP_ARRAY_LEN(keys); i++)
        dip_table_cellf(table, "%.6g",
                        json_number_value(json_object_get(number, keys[i])));
}

#define LEFT  DIP_ALIGN_LEFT
#define RIGHT DIP_ALIGN_RIGHT

static const struct {
    const char *key; /* of the facts */
    void (*add)(dip_table *table, const json_t *item);
    dip_table_column columns[7]; /* ends with a title of NULL */
} sections[] = {
    {"files",
     add_file,
     {{"file", LEFT}, {"rows", RIGHT}, {"size", RIGHT}, {"sha256", LEFT}}},
    {"images",
     add_image,
     {{"image", LEFT},
      {"sampled", RIGHT},
      {"as", LEFT},
      {"sizes", LEFT},
      {"missing", RIGHT},
      {"damaged", RIGHT}}},
    {"texts",
     add_text,
     {{"text", LEFT},
      {"empty", RIGHT},
      {"mean bytes", RIGHT},
      {"longest", RIGHT}}},
    {"labels",
     add_label,
     {{"label", LEFT},
      {"classes", RIGHT},
      {"missing", RIGHT},
      {"most frequent", LEFT}}},
    {"numbers",
     add_number,
     {{"number", LEFT},
      {"missing", RIGHT},
      {"min", RIGHT},
      {"mean", RIGHT},
      {"max", RIGHT}}},
};

static dip_status add_section(dip_str *out, size_t section, const json_t *facts,
                              int width, dip_err *err)
{
    const json_t *items = json_object_get(facts, sections[section].key);
    if (json_array_size(items) == 0)
        return DIP_OK;
    size_t columns = 0, i;
    while (sections[section].columns[columns].title != NULL)
        columns++;
    dip_table *table;
    dip_status st =
        dip_table_new(&table, sections[section].columns, columns, err);
    if (st != DIP_OK)
        return st;
    json_t *item;
    json_array_foreach (items, i, item)
        sections[section].add(table, item);
    dip_str_add(out, "\n");
    st = dip_table_render(out, table, width, err);
    dip_table_free(table);
    return st;
}

/* ---- the rest ---- */

static void add_line(dip_str *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    dip_str_addf(out, "%-12s ", name);
    (void)dip_utf8_fit(out, value, strlen(value), strlen(value));
    dip_str_add(out, "\n");
}

static void add_overview(dip_str *out, const json_t *facts)
{
    add_line(out, "catalog", text_of(facts, "path"));
    add_line(out, "source", text_of(facts, "source"));
    add_line(out, "created", text_of(facts, "created"));
    dip_str_addf(out, "%-12s %s%s\n", "digest", text_of(facts, "digest"),
                 json_is_true(json_object_get(facts, "verified"))
                     ? " (all files verified)"
                     : "");
    dip_str_addf(out, "%-12s ", "rows");
    dip_cli_add_count(out, int_of(facts, "rows"));
    const char *key, *between = " (";
    json_t *value;
    json_object_foreach (json_object_get(facts, "splits"), key, value) {
        dip_str_addf(out, "%s%s ", between, key);
        dip_cli_add_count(out, json_integer_value(value));
        between = ", ";
    }
    dip_str_add(out, ") in ");
    dip_cli_add_count(out, int_of(facts, "groups"));
    dip_str_add(out, " groups\n");
}

static void add_logs(dip_str *out, const json_t *facts)
{
    static const struct {
        const char *name, *items, *owner;
    } logs[] = {{"judgements", "judgements", "queries"},
                {"interactions", "interactions", "users"}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(logs); i++) {
        if (int_of(facts, logs[i].items) == 0)
            continue;
        dip_str_addf(out, "%-12s ", logs[i].name);
        dip_cli_add_count(out, int_of(facts, logs[i].items));
        dip_str_add(out, " of ");
        dip_cli_add_count(out, int_of(facts, logs[i].owner));
        dip_str_addf(out, " %s\n", logs[i].owner);
    }
}

/* "key  value" lines of one sample row. */
static void add_sample(dip_str *out, const json_t *row, int width)
{
    const char *key, *id = text_of(row, "id");
    json_t *value;
    dip_str_addf(out, "\nrow %lld: ", (long long)int_of(row, "row"));
    (void)dip_utf8_fit(out, id, strlen(id), 60);
    dip_str_addf(out, " (%s, group %lld)\n", text_of(row, "split"),
                 (long long)int_of(row, "group"));
    json_object_foreach ((json_t *)(uintptr_t)row, key, value) {
        static const char *const head[] = {"row", "id", "split", "group"};
        bool shown = json_is_null(value);
        for (size_t i = 0; i < DIP_ARRAY_LEN(head); i++)
            shown = shown || strcmp(key, head[i]) == 0;
        if (shown)
            continue;
        const char *text = json_string_value(value);
        dip_str_addf(out, "  %-16s ", key);
        if (text != NULL)
            (void)dip_utf8_fit(out, text, strlen(text),
                               (size_t)(width > 40 ? width - 20 : 20));
        else
            dip_str_addf(out, "%.6g", json_number_value(value));
        dip_str_add(out, "\n");
    }
}

static dip_status add_facts(dip_str *out, const json_t *facts, int width,
                            dip_err *err)
{
    add_overview(out, facts);
    add_logs(out, facts);
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(sections) && st == DIP_OK; i++)
        st = add_section(out, i, facts, width, err);
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(facts, "sample"), i, row)
        add_sample(out, row, width);
    return st == DIP_OK ? dip_str_status(out, err) : st;
}

/* ---- the command ---- */

enum { OPT_JSON = 0x100, OPT_VERIFY, OPT_ROWS };

static const struct argp_option options[] = {
    {"rows", OPT_ROWS, "N", 0, "sample rows to show (default 5)", 0},
    {"verify", OPT_VERIFY, 0, 0, "check every digest again", 0},
    {"json", OPT_JSON, 0, 0, "print JSON", 0},
    {0}};

typedef struct {
    const char *path;
    bool json;
    dip_inspection inspection;
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_ROWS:
        a->inspection.sample_rows = dip_cli_int(state, "rows", arg, 0, 1000000);
        return 0;
    case OPT_VERIFY:
        a->inspection.verify = true;
        return 0;
    case OPT_JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->path != NULL)
            argp_error(state, "more than one catalog: '%s'", arg);
        a->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->path == NULL)
            argp_error(state, "no catalog is named");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void warn(void *user, const char *message)
{
    (void)fprintf(stderr, "%s: warning: %s\n", (const char *)user, message);
}

int dip_cmd_inspect(int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse,
        "FILE",
        "Shows what a catalog holds: columns, splits, labels, images, files "
        "and their digests, and some rows.",
        0,
        0,
        0};
    arguments a = {.inspection = {.sample_rows = 5, .warn = warn}};
    (void)argp_parse(&parser, argc, argv, 0, 0, &a);
    a.inspection.user = argv[0];
    dip_err err = {0};
    json_t *facts;
    dip_status st = dip_inspect(&facts, a.path, &a.inspection, &err);
    dip_str text = {0};
    if (st == DIP_OK)
        st = a.json ? dip_json_dump(&text, facts, DIP_JSON_AS_BUILT, &err)
                    : add_facts(&text, facts, dip_term_width(stdout), &err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
    json_decref(facts);
    return st == DIP_OK ? 0 : dip_cli_fail(argv[0], &err);
}
