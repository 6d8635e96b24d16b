/* YAML text into a plain tree. All use of libfyaml is here. */
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_private.h"
#include "base/mem.h"
#include "base/utf8.h"

#define MOST_NODES 10000

typedef struct {
    dip_faults *faults;
    const char *file;
    bool in_file; /* lines mean something */
    size_t nodes;
    bool good;
} reader;

static int shown_line(const reader *r, int line)
{
    return r->in_file ? line : 0;
}

/* ---- before the parser ----
 *
 * libfyaml 0.7 takes malformed UTF-8 for the end of the text, so what it may
 * read is checked here: the printable characters of YAML 1.2 (5.1). */

static bool is_yaml_character(int32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || code == 0x85 ||
           (code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code <= 0xd7ff) ||
           (code >= 0xe000 && code <= 0xfffd && code != 0xfeff) ||
           code >= 0x10000;
}

static bool check_characters(reader *r, const char *text, size_t n)
{
    size_t bad = n;
    (void)dip_utf8_valid(text, n, &bad);
    int line = 1;
    size_t at = 0;
    while (at < bad) {
        size_t start = at;
        int32_t code = dip_utf8_next(text, n, &at);
        if (!is_yaml_character(code)) {
            dip_faults_add(r->faults, r->file, shown_line(r, line),
                           "character U+%04X at byte %zu is not allowed",
                           (unsigned)code, start);
            return false;
        }
        line += code == '\n';
    }
    if (bad < n)
        dip_faults_add(r->faults, r->file, shown_line(r, line),
                       "malformed utf-8 at byte %zu", bad);
    return bad == n;
}

/* ---- from libfyaml's nodes to ours ---- */

static void fault(reader *r, int line, const char *words)
{
    dip_faults_add(r->faults, r->file, shown_line(r, line), "%s", words);
    r->good = false;
}

static int token_line(struct fy_node *node, int otherwise)
{
    struct fy_token *token = fy_node_get_scalar_token(node);
    const struct fy_mark *mark =
        token != NULL ? fy_token_start_mark(token) : NULL;
    return mark != NULL ? mark->line + 1 : otherwise;
}

/* A copy of a scalar's text; NULL after a fault. */
static char *copy_scalar(reader *r, struct fy_node *node, int line)
{
    size_t n = 0;
    const char *text = fy_node_get_scalar(node, &n);
    if (text != NULL && memchr(text, '\0', n) != NULL) {
        fault(r, line, "text holds a NUL character");
        return NULL;
    }
    char *copy = dip_strndup(text != NULL ? text : "", n);
    if (copy == NULL) {
        dip_faults_no_memory(r->faults);
        r->good = false;
    }
    return copy;
}

static dip_node *add_item(reader *r, dip_node *parent)
{
    if (++r->nodes > MOST_NODES) {
        if (r->nodes == MOST_NODES + 1)
            fault(r, parent->line, "more than 10000 values");
        return NULL;
    }
    if (dip_reserve(&parent->items, &parent->capacity, parent->count + 1,
                    sizeof *parent->items, NULL) != DIP_OK) {
        dip_faults_no_memory(r->faults);
        r->good = false;
        return NULL;
    }
    dip_node *item = &parent->items[parent->count++];
    *item = (dip_node){.line = parent->line};
    return item;
}

static void convert(reader *r, dip_node *out, struct fy_node *node, int line);

static void convert_list(reader *r, dip_node *out, struct fy_node *node)
{
    void *at = NULL;
    struct fy_node *child = fy_node_sequence_iterate(node, &at);
    for (; child != NULL; child = fy_node_sequence_iterate(node, &at)) {
        dip_node *item = add_item(r, out);
        if (item == NULL)
            return;
        convert(r, item, child, out->line);
    }
}

static void convert_mapping(reader *r, dip_node *out, struct fy_node *node)
{
    void *at = NULL;
    struct fy_node_pair *pair = fy_node_mapping_iterate(node, &at);
    for (; pair != NULL; pair = fy_node_mapping_iterate(node, &at)) {
        struct fy_node *key = fy_node_pair_key(pair);
        if (key == NULL || !fy_node_is_scalar(key) || fy_node_is_alias(key)) {
            fault(r, out->line, "a key is not a name");
            continue;
        }
        dip_node *item = add_item(r, out);
        if (item == NULL)
            return;
        item->line = token_line(key, out->line);
        item->key = copy_scalar(r, key, item->line);
        convert(r, item, fy_node_pair_value(pair), item->line);
    }
}

static void check_plainness(reader *r, struct fy_node *node, int line)
{
    if (fy_node_is_alias(node))
        fault(r, line, "aliases are not allowed (use 'extends')");
    else if (fy_node_get_anchor(node) != NULL)
        fault(r, line, "anchors are not allowed (use 'extends')");
    if (fy_node_get_tag_token(node) != NULL)
        fault(r, line, "tags are not allowed");
}

static void convert(reader *r, dip_node *out, struct fy_node *node, int line)
{
    out->line = shown_line(r, line);
    out->plain = true;
    if (node == NULL)
        return;
    if (out->key == NULL && fy_node_is_scalar(node)) /* an item of a list */
        out->line = shown_line(r, token_line(node, line));
    check_plainness(r, node, out->line);
    if (fy_node_is_sequence(node)) {
        out->kind = DIP_NODE_LIST;
        convert_list(r, out, node);
    } else if (fy_node_is_mapping(node)) {
        out->kind = DIP_NODE_MAPPING;
        convert_mapping(r, out, node);
    } else {
        out->plain = fy_node_get_style(node) == FYNS_PLAIN;
        out->text = copy_scalar(r, node, out->line);
    }
}

/* ---- the parser ---- */

/* libfyaml wants an output function besides its list of errors. */
static void stay_silent(struct fy_diag *diag, void *user, const char *text,
                        size_t n)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)n;
}

/* Takes over the first error; those after it are its consequences. */
static void report_parser(reader *r, struct fy_diag *diag)
{
    void *at = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &at);
    while (e != NULL && e->type < FYET_ERROR)
        e = fy_diag_errors_iterate(diag, &at);
    r->good = false;
    if (e == NULL)
        dip_faults_no_memory(r->faults);
    else
        dip_faults_add(r->faults, r->file, shown_line(r, e->line), "%s",
                       e->msg);
}

static void parse_document(reader *r, dip_node *out, struct fy_parser *parser,
                           struct fy_diag *diag)
{
    struct fy_document *document = fy_parse_load_document(parser);
    if (document == NULL) {
        if (fy_parser_get_stream_error(parser))
            report_parser(r, diag);
        else
            out->kind = DIP_NODE_MAPPING; /* nothing but comments */
        return;
    }
    convert(r, out, fy_document_root(document), 1);
    fy_parse_document_destroy(parser, document);
    document = fy_parse_load_document(parser);
    if (document != NULL) {
        dip_faults_add(r->faults, r->file, 0, "more than one yaml document");
        r->good = false;
        fy_parse_document_destroy(parser, document);
    } else if (fy_parser_get_stream_error(parser)) {
        report_parser(r, diag);
    }
}

static void parse_text(reader *r, dip_node *out, const char *text, size_t n)
{
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    diag_config.output_fn = stay_silent;
    struct fy_diag *diag = fy_diag_create(&diag_config);
    if (diag == NULL)
        goto no_memory;
    fy_diag_set_collect_errors(diag, true);
    /* Duplicate keys are told by the config, which knows their full names. */
    struct fy_parse_cfg parse_config = {
        .flags = FYPCF_ALLOW_DUPLICATE_KEYS | FYPCF_JSON_NONE |
                 FYPCF_DEFAULT_VERSION_1_2,
        .diag = diag,
    };
    struct fy_parser *parser = fy_parser_create(&parse_config);
    if (parser == NULL || fy_parser_set_string(parser, text, n) != 0) {
        fy_parser_destroy(parser);
        goto destroy_diag;
    }
    parse_document(r, out, parser, diag);
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return;
destroy_diag:
    fy_diag_destroy(diag);
no_memory:
    dip_faults_no_memory(r->faults);
    r->good = false;
}

static bool parse(dip_node *out, reader *r, const char *text, size_t n)
{
    *out = (dip_node){.plain = true};
    if (n >= 3 &&
        memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        text += 3;
        n -= 3;
    }
    if (!check_characters(r, text, n))
        return false;
    if (n == 0)
        out->kind = DIP_NODE_MAPPING;
    else
        parse_text(r, out, text, n);
    return r->good;
}

bool dip_node_parse(dip_node *out, dip_faults *faults, const char *file,
                    const char *text, size_t n)
{
    reader r = {.faults = faults, .file = file, .in_file = true, .good = true};
    return parse(out, &r, text, n);
}

bool dip_node_from_argument(dip_node *out, dip_faults *faults, const char *file,
                            dip_option_type type, const char *text)
{
    reader r = {.faults = faults, .file = file, .good = true};
    if (dip_option_is_list(type) && text[0] == '[')
        return parse(out, &r, text, strlen(text));
    /* On a command line quotes are the shell's, so text is as it stands. */
    *out = (dip_node){.plain = type != DIP_OPTION_STRING};
    if (!check_characters(&r, text, strlen(text)))
        return false;
    out->text = dip_strdup(text);
    if (out->text == NULL)
        dip_faults_no_memory(faults);
    return out->text != NULL;
}

void dip_node_clear(dip_node *node)
{
    for (size_t i = 0; i < node->count; i++)
        dip_node_clear(&node->items[i]);
    free(node->items);
    free(node->key);
    free(node->text);
    *node = (dip_node){0};
}
