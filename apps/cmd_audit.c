#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "apps/apps.h"
#include "apps/cli.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/term.h"
#include "base/utf8.h"
#include "data/audit.h"
#include "data/class_counts.h"

enum { SHOWN_NAME = 40 };

enum {
    OPT_JSON = 0x100,
    OPT_CONTEXT,
    OPT_RARE,
    OPT_TITLE,
    OPT_STRICT,
    OPT_QUIET,
};

static const struct argp_option options[] = {
    {"title", OPT_TITLE, "FIELD", 0,
     "text that tells products apart (default: title, or the first)", 0},
    {"context", OPT_CONTEXT, "WORDS", 0,
     "words that the model reads of a text (default 32)", 0},
    {"rare", OPT_RARE, "ROWS", 0,
     "a class with fewer training rows is rare (default 10)", 0},
    {"strict", OPT_STRICT, 0, 0, "exit with 4 when an error is found", 0},
    {"json", OPT_JSON, 0, 0, "print JSON", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    const char *path;
    dip_audit_options audit;
    bool json, strict, quiet;
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_TITLE:
        a->audit.title = arg;
        return 0;
    case OPT_CONTEXT:
        a->audit.context = dip_cli_int(state, "context", arg, 1, INT32_MAX);
        return 0;
    case OPT_RARE:
        a->audit.rare_rows = dip_cli_int(state, "rare", arg, 0, INT32_MAX);
        return 0;
    case OPT_STRICT:
        a->strict = true;
        return 0;
    case OPT_JSON:
        a->json = true;
        return 0;
    case OPT_QUIET:
        a->quiet = true;
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

/* ---- what the examples are ---- */

static bool is_about_classes(dip_audit_kind kind)
{
    return kind == DIP_AUDIT_CLASS_RARE || kind == DIP_AUDIT_CLASS_UNSEEN;
}

static dip_bytes class_name(const dip_catalog *catalog,
                            const dip_finding *finding, int64_t value)
{
    int column;
    if (dip_catalog_find(catalog, DIP_COLUMN_LABEL, finding->column, &column,
                         NULL) != DIP_OK)
        return (dip_bytes){"", 0};
    return dip_catalog_label_name(catalog, column, (int32_t)value);
}

static int count_severity(const dip_audit *audit, dip_audit_severity severity)
{
    int count = 0;
    for (size_t i = 0; i < audit->count; i++)
        count += dip_audit_severity_of(audit->findings[i].kind) == severity;
    return count;
}

/* ---- text ---- */

static void add_quoted(dip_str *out, dip_bytes text)
{
    dip_str_add(out, "'");
    (void)dip_utf8_fit(out, text.data, text.len, SHOWN_NAME);
    dip_str_add(out, "'");
}

static void add_example(dip_str *out, const dip_finding *finding,
                        const int64_t *example, const dip_catalog *catalog)
{
    if (is_about_classes(finding->kind)) {
        add_quoted(out, class_name(catalog, finding, example[0]));
        if (finding->kind == DIP_AUDIT_CLASS_RARE)
            dip_str_addf(out, " %" PRId64, example[1]);
        return;
    }
    add_quoted(out, dip_catalog_id(catalog, example[0]));
    if (example[1] < 0)
        return;
    dip_split first = dip_catalog_split(catalog, example[0]);
    dip_split second = dip_catalog_split(catalog, example[1]);
    if (first != second)
        dip_str_addf(out, " (%s)", dip_split_name(first));
    dip_str_add(out, " and ");
    add_quoted(out, dip_catalog_id(catalog, example[1]));
    if (first != second)
        dip_str_addf(out, " (%s)", dip_split_name(second));
}

/* As many examples as fit into the line. */
static void add_examples(dip_str *out, const dip_finding *finding,
                         const dip_catalog *catalog, int width)
{
    size_t used = 9;
    for (int i = 0; i < finding->example_count; i++) {
        dip_str text = {0};
        dip_str_add(&text, i == 0 ? "         " : "; ");
        add_example(&text, finding, finding->examples[i], catalog);
        used += dip_utf8_width(dip_str_text(&text), text.len);
        bool fits = i == 0 || used <= (size_t)(width > 0 ? width : 0);
        dip_str_add(out, fits ? dip_str_text(&text) : "");
        dip_str_free(&text);
        if (!fits)
            break;
    }
    if (finding->example_count > 0)
        dip_str_add(out, "\n");
}

static void add_finding(dip_str *out, const dip_finding *finding,
                        const dip_catalog *catalog, int width)
{
    dip_str_addf(out, "%-8s ",
                 dip_audit_severity_name(dip_audit_severity_of(finding->kind)));
    if (finding->column != NULL)
        dip_str_addf(out, "%s: ", finding->column);
    dip_str_addf(out, "%s: ", dip_audit_words(finding->kind));
    dip_cli_add_count(out, finding->count);
    if (finding->sets > 0) {
        dip_str_add(out, " (");
        dip_cli_add_count(out, finding->sets);
        dip_str_add(out, " distinct)");
    }
    dip_str_add(out, "\n");
    add_examples(out, finding, catalog, width);
}

/* "Tshirts 1,204, Shirts 893, ..." within `width` columns. */
static void add_class_counts(dip_str *out, const dip_class_counts *counts,
                             const dip_catalog *catalog, int column, int width)
{
    size_t start = out->len;
    for (int64_t i = 0; i < counts->count; i++) {
        const dip_class_count *c = &counts->items[i];
        dip_bytes name = dip_catalog_label_name(catalog, column, c->value);
        dip_str item = {0};
        (void)dip_utf8_fit(&item, name.data, name.len, 24);
        dip_str_add(&item, " ");
        dip_cli_add_count(&item, c->rows);
        size_t used =
            dip_utf8_width(dip_str_text(out) + start, out->len - start) +
            dip_utf8_width(dip_str_text(&item), item.len);
        bool fits = used + 7 <= (size_t)(width > 0 ? width : 0) || i == 0;
        if (i > 0)
            dip_str_add(out, ", ");
        dip_str_add(out, fits ? dip_str_text(&item) : "...");
        dip_str_free(&item);
        if (!fits)
            return;
    }
}

static dip_status add_labels(dip_str *out, const dip_catalog *catalog,
                             dip_err *err)
{
    int width = dip_term_width(stdout);
    for (int i = 0; i < dip_catalog_column_count(catalog); i++) {
        const dip_column *column = dip_catalog_column(catalog, i);
        if (column->kind != DIP_COLUMN_LABEL)
            continue;
        dip_class_counts counts;
        dip_status st = dip_class_counts_make(&counts, catalog, i, err);
        if (st != DIP_OK)
            return st;
        dip_str_addf(out, "label    %s: ", column->name);
        dip_cli_add_count(out, column->classes);
        dip_str_add(out, column->classes == 1 ? " class\n         "
                                              : " classes\n         ");
        add_class_counts(out, &counts, catalog, i, width - 9);
        dip_str_add(out, "\n");
        dip_class_counts_free(&counts);
    }
    return DIP_OK;
}

static dip_status print_text(const dip_audit *audit, const dip_catalog *catalog,
                             dip_err *err)
{
    dip_str out = {0};
    dip_str_addf(&out, "%s: ", dip_catalog_path(catalog));
    dip_cli_add_count(&out, dip_catalog_rows(catalog));
    dip_str_addf(&out, " rows; errors %d, warnings %d, notes %d\n\n",
                 count_severity(audit, DIP_AUDIT_ERROR),
                 count_severity(audit, DIP_AUDIT_WARNING),
                 count_severity(audit, DIP_AUDIT_NOTE));
    for (size_t i = 0; i < audit->count; i++)
        add_finding(&out, &audit->findings[i], catalog, dip_term_width(stdout));
    dip_status st = add_labels(&out, catalog, err);
    if (st == DIP_OK)
        st = dip_str_status(&out, err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&out), stdout);
    dip_str_free(&out);
    return st;
}

/* ---- JSON ---- */

static json_t *example_json(const dip_finding *finding, const int64_t *example,
                            const dip_catalog *catalog)
{
    if (is_about_classes(finding->kind)) {
        dip_bytes name = class_name(catalog, finding, example[0]);
        return json_pack("{s:s%, s:I}", "class", name.data, name.len,
                         "train_rows", (json_int_t)example[1]);
    }
    dip_bytes id = dip_catalog_id(catalog, example[0]);
    if (example[1] < 0)
        return json_pack("{s:I, s:s%}", "row", (json_int_t)example[0], "id",
                         id.data, id.len);
    dip_bytes other = dip_catalog_id(catalog, example[1]);
    return json_pack("{s:I, s:s%, s:I, s:s%}", "row", (json_int_t)example[0],
                     "id", id.data, id.len, "other_row", (json_int_t)example[1],
                     "other_id", other.data, other.len);
}

static json_t *finding_json(const dip_finding *finding,
                            const dip_catalog *catalog)
{
    json_t *examples = json_array();
    for (int i = 0; i < finding->example_count; i++)
        (void)json_array_append_new(
            examples, example_json(finding, finding->examples[i], catalog));
    dip_audit_severity severity = dip_audit_severity_of(finding->kind);
    return json_pack("{s:s, s:s, s:s?, s:s, s:I, s:I, s:o}", "kind",
                     dip_audit_name(finding->kind), "severity",
                     dip_audit_severity_name(severity), "column",
                     finding->column, "words", dip_audit_words(finding->kind),
                     "count", (json_int_t)finding->count, "sets",
                     (json_int_t)finding->sets, "examples", examples);
}

static dip_status labels_json(json_t *list, const dip_catalog *catalog,
                              dip_err *err)
{
    for (int i = 0; i < dip_catalog_column_count(catalog); i++) {
        if (dip_catalog_column(catalog, i)->kind != DIP_COLUMN_LABEL)
            continue;
        dip_class_counts counts;
        dip_status st = dip_class_counts_make(&counts, catalog, i, err);
        if (st == DIP_OK &&
            json_array_append_new(
                list, dip_class_counts_json(&counts, catalog, i, INT64_MAX)))
            st = dip_no_memory(err);
        dip_class_counts_free(&counts);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status print_json(const dip_audit *audit, const dip_catalog *catalog,
                             dip_err *err)
{
    json_t *findings = json_array(), *labels = json_array();
    dip_status st = labels_json(labels, catalog, err);
    for (size_t i = 0; i < audit->count && st == DIP_OK; i++) {
        if (json_array_append_new(
                findings, finding_json(&audit->findings[i], catalog)) != 0)
            st = dip_no_memory(err);
    }
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:i, s:o, s:o}", "schema",
                  "diptych-audit/1", "path", dip_catalog_path(catalog),
                  "digest", dip_catalog_digest(catalog), "rows",
                  (json_int_t)dip_catalog_rows(catalog), "errors",
                  count_severity(audit, DIP_AUDIT_ERROR), "warnings",
                  count_severity(audit, DIP_AUDIT_WARNING), "notes",
                  count_severity(audit, DIP_AUDIT_NOTE), "findings", findings,
                  "labels", labels);
    if (st == DIP_OK)
        st = dip_cli_print_json(root, err);
    json_decref(root);
    return st;
}

/* ---- the command ---- */

static dip_status audit_catalog(const arguments *a, bool *clean, dip_err *err)
{
    dip_catalog *catalog;
    dip_audit audit = {0};
    dip_status st = dip_catalog_open(&catalog, a->path, NULL, err);
    if (st == DIP_OK)
        st = dip_audit_run(&audit, catalog, &a->audit, err);
    dip_progress_finish(((dip_cli_bar *)a->audit.progress.user)->bar);
    if (st == DIP_OK)
        st = a->json ? print_json(&audit, catalog, err)
                     : print_text(&audit, catalog, err);
    *clean = count_severity(&audit, DIP_AUDIT_ERROR) == 0;
    dip_audit_free(&audit);
    dip_catalog_close(catalog);
    return st;
}

int dip_cmd_audit(int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse,
        "FILE",
        "Looks for duplicates, products on both sides of a split, missing or "
        "damaged images, texts that are empty or too long, and rare classes.",
        0,
        0,
        0};
    arguments a = {.audit = dip_audit_defaults()};
    (void)argp_parse(&parser, argc, argv, 0, 0, &a);
    dip_cli_catch_signals();
    dip_cli_bar bar = {.label = "audit", .unit = "images", .quiet = a.quiet};
    a.audit.progress = (dip_import_progress){dip_cli_tick, &bar};
    dip_err err = {0};
    bool clean;
    if (audit_catalog(&a, &clean, &err) != DIP_OK)
        return dip_cli_fail(argv[0], &err);
    return clean || !a.strict ? 0 : dip_status_exit_code(DIP_EDATA);
}
