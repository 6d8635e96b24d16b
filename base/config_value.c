/* Strict scalars: from the nodes of a YAML text to checked values, and back. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_private.h"
#include "base/mem.h"
#include "base/utf8.h"

#define SHOWN_COLUMNS 60 /* of a wrong value in a message */

/* Where a value is being read, for the messages. */
typedef struct {
    dip_faults *faults;
    const dip_option *option;
    const char *key;
    const char *file;
    const dip_node *node; /* the scalar at hand */
} place;

typedef struct {
    int64_t integer;
    double real;
} number;

/* Reads one scalar; false after a fault. */
typedef bool scalar_reader(number *out, const place *at);

static bool read_string(number *out, const place *at);
static bool read_int(number *out, const place *at);
static bool read_float(number *out, const place *at);
static bool read_bool(number *out, const place *at);
static bool read_enum(number *out, const place *at);

static const struct {
    bool list;
    const char *words; /* "must be ..." */
    scalar_reader *read;
} types[] = {
    [DIP_OPTION_STRING] = {false, "text", read_string},
    [DIP_OPTION_INT] = {false, "an integer", read_int},
    [DIP_OPTION_FLOAT] = {false, "a number", read_float},
    [DIP_OPTION_BOOL] = {false, "true or false", read_bool},
    [DIP_OPTION_ENUM] = {false, "one of", read_enum},
    [DIP_OPTION_STRINGS] = {true, "text", read_string},
    [DIP_OPTION_INTS] = {true, "an integer", read_int},
    [DIP_OPTION_FLOATS] = {true, "a number", read_float},
};

bool dip_option_is_list(dip_option_type type)
{
    return types[type].list;
}

/* ---- messages ---- */

/* Adds "'key' <words>". */
static void fault(const place *at, const char *words)
{
    dip_faults_add(at->faults, at->file, at->node->line, "'%s' %s", at->key,
                   words);
}

/* Adds "'key' must be a number, not 'x'" and `more`. */
static void fault_wanted(const place *at, const char *more)
{
    const dip_option *option = at->option;
    bool choices = option->choices != NULL;
    dip_str words = {0};
    dip_str_addf(&words, "must be %s%s%s, not ",
                 choices ? "one of " : types[option->type].words,
                 choices ? option->choices : "",
                 at->node->plain || choices ? "" : " without quotes");
    if (at->node->kind == DIP_NODE_LIST) {
        dip_str_add(&words, "a list");
    } else if (at->node->kind == DIP_NODE_MAPPING) {
        dip_str_add(&words, "a mapping");
    } else {
        dip_str_add(&words, "'");
        dip_utf8_fit(&words, at->node->text, strlen(at->node->text),
                     SHOWN_COLUMNS);
        dip_str_add(&words, "'");
    }
    dip_str_add(&words, more);
    fault(at, dip_str_text(&words));
    dip_str_free(&words);
}

/* ---- grammars ---- */

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* [-+]? (0 | [1-9] [0-9]*); returns what follows, NULL when it is none. */
static const char *skip_integer(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t n = digits(s);
    if (n == 0 || (n > 1 && *s == '0'))
        return NULL;
    return s + n;
}

/* An integer or none, a fraction and an exponent: YAML 1.2 (10.3.2) without
 * .inf and .nan. */
static bool is_float(const char *s)
{
    const char *end = skip_integer(s);
    if (end == NULL) {
        s += *s == '-' || *s == '+';
        if (*s != '.' || digits(s + 1) == 0)
            return false;
        end = s;
    }
    if (*end == '.')
        end += 1 + digits(end + 1);
    if (*end == 'e' || *end == 'E') {
        end++;
        end += *end == '-' || *end == '+';
        if (digits(end) == 0)
            return false;
        end += digits(end);
    }
    return *end == '\0';
}

/* ---- scalars ---- */

static bool check_range(const place *at, double value)
{
    double min = at->option->min, max = at->option->max;
    if ((min == 0 && max == 0) || (value >= min && value <= max))
        return true;
    char words[256];
    const char *text = at->node->text;
    if (isinf(max) && value < min)
        (void)snprintf(words, sizeof words, "is %s, below %.9g", text, min);
    else if (isinf(min) && value > max)
        (void)snprintf(words, sizeof words, "is %s, above %.9g", text, max);
    else
        (void)snprintf(words, sizeof words, "is %s, outside %.9g to %.9g", text,
                       min, max);
    fault(at, words);
    return false;
}

static bool read_int(number *out, const place *at)
{
    const char *text = at->node->text;
    const char *end = skip_integer(text);
    if (!at->node->plain || end == NULL || *end != '\0') {
        fault_wanted(at, "");
        return false;
    }
    errno = 0;
    out->integer = strtoll(text, NULL, 10);
    if (errno == ERANGE) {
        fault_wanted(at, ", which is out of range");
        return false;
    }
    return check_range(at, (double)out->integer);
}

/* strtod() takes the point as the decimal sign because the program stays in
 * the "C" locale. Values are used as float, so float's range counts. */
static bool read_float(number *out, const place *at)
{
    const char *text = at->node->text;
    if (!at->node->plain || !is_float(text)) {
        fault_wanted(at, "");
        return false;
    }
    errno = 0;
    out->real = strtod(text, NULL);
    double size = fabs(out->real);
    if (errno == ERANGE || size > (double)FLT_MAX ||
        (size > 0 && size < (double)FLT_MIN)) {
        fault_wanted(at, ", which is out of range");
        return false;
    }
    return check_range(at, out->real);
}

static bool read_bool(number *out, const place *at)
{
    const char *text = at->node->text;
    out->integer = strcmp(text, "true") == 0;
    if (at->node->plain && (out->integer || strcmp(text, "false") == 0))
        return true;
    fault_wanted(at, "");
    return false;
}

/* Copies the choice that starts at *next and moves *next behind it. */
static bool next_choice(char choice[DIP_CONFIG_KEY_SIZE], const char **next)
{
    if (**next == '\0')
        return false;
    size_t n = strcspn(*next, "|");
    (void)snprintf(choice, DIP_CONFIG_KEY_SIZE, "%.*s", (int)n, *next);
    *next += n + ((*next)[n] == '|');
    return true;
}

static void fault_choice(const place *at)
{
    char choice[DIP_CONFIG_KEY_SIZE], best[DIP_CONFIG_KEY_SIZE] = "";
    const char *next = at->option->choices;
    while (next_choice(choice, &next))
        dip_keep_closest(best, at->node->text, choice);
    char more[DIP_CONFIG_KEY_SIZE + 32] = "";
    if (best[0] != '\0')
        (void)snprintf(more, sizeof more, " (did you mean '%s'?)", best);
    fault_wanted(at, more);
}

static bool read_enum(number *out, const place *at)
{
    char choice[DIP_CONFIG_KEY_SIZE];
    const char *next = at->option->choices;
    for (out->integer = 0; next_choice(choice, &next); out->integer++) {
        if (strcmp(choice, at->node->text) == 0)
            return true;
    }
    fault_choice(at);
    return false;
}

static bool read_string(number *out, const place *at)
{
    return at->option->choices == NULL || read_enum(out, at);
}

/* ---- values ---- */

/* A key without a value, or YAML's words for it. */
static bool is_null(const dip_node *node)
{
    return node->kind == DIP_NODE_SCALAR &&
           (node->text == NULL ||
            (node->plain &&
             (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
              strcmp(node->text, "null") == 0)));
}

bool dip_node_takes_back(const dip_node *node)
{
    return is_null(node) && node->text != NULL && node->text[0] != '\0';
}

static bool read_item(dip_value *out, size_t i, place *at, const dip_node *node)
{
    at->node = node;
    if (is_null(node)) {
        fault(at, "has no value (leave the key out for its default)");
        return false;
    }
    if (node->kind != DIP_NODE_SCALAR) {
        fault_wanted(at, "");
        return false;
    }
    number read = {0};
    if (!types[at->option->type].read(&read, at))
        return false;
    out->ints[i] = read.integer;
    out->floats[i] = read.real;
    out->texts[i] = dip_strdup(node->text);
    if (out->texts[i] == NULL)
        dip_faults_no_memory(at->faults);
    return out->texts[i] != NULL;
}

bool dip_value_read(dip_value *out, dip_faults *faults,
                    const dip_option *option, const char *key, const char *file,
                    const dip_node *node)
{
    *out = (dip_value){0};
    place at = {faults, option, key, file, node};
    bool list = dip_option_is_list(option->type) && node->kind == DIP_NODE_LIST;
    size_t count = list ? node->count : 1;
    out->texts = dip_calloc(count, sizeof *out->texts);
    out->ints = dip_calloc(count, sizeof *out->ints);
    out->floats = dip_calloc(count, sizeof *out->floats);
    if (out->texts == NULL || out->ints == NULL || out->floats == NULL) {
        dip_faults_no_memory(faults);
        dip_value_clear(out);
        return false;
    }
    out->count = count;
    bool good = true;
    for (size_t i = 0; i < count; i++)
        good &= read_item(out, i, &at, list ? &node->items[i] : node);
    if (!good)
        dip_value_clear(out);
    return good;
}

void dip_value_clear(dip_value *value)
{
    for (size_t i = 0; i < value->count; i++)
        free(value->texts[i]);
    free(value->texts);
    free(value->ints);
    free(value->floats);
    *value = (dip_value){0};
}

/* ---- back to YAML ---- */

/* Words that need no quotes under any YAML reader. */
static bool is_safe(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const words[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "y",    "n"};
    if (text[0] == '\0' || strchr(letters, text[0]) == NULL)
        return false;
    for (size_t i = 0; i < DIP_ARRAY_LEN(words); i++) {
        if (strcasecmp(text, words[i]) == 0)
            return false;
    }
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./");
    return text[n] == '\0';
}

void dip_value_quote(dip_str *out, const char *text)
{
    if (is_safe(text)) {
        dip_str_add(out, text);
        return;
    }
    dip_str_add(out, "\"");
    size_t n = strlen(text);
    size_t at = 0;
    while (at < n) {
        int32_t code = dip_utf8_next(text, n, &at);
        if (code == '"' || code == '\\')
            dip_str_addf(out, "\\%c", (int)code);
        else if (code < 0x20 || (code >= 0x7f && code <= 0xa0))
            dip_str_addf(out, "\\x%02x", (unsigned)code);
        else if (code == 0x2028 || code == 0x2029 || code == 0xfeff ||
                 code == 0xfffe || code == 0xffff)
            dip_str_addf(out, "\\u%04x", (unsigned)code);
        else
            dip_utf8_add(out, code);
    }
    dip_str_add(out, "\"");
}

/* The shortest decimal that reads back as the same double. */
static void dump_float(dip_str *out, double value)
{
    char text[32];
    for (int precision = 1; precision <= 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    dip_str_add(out, text);
}

static void dump_item(dip_str *out, const dip_value *value, size_t i,
                      dip_option_type type)
{
    switch (type) {
    case DIP_OPTION_INT:
    case DIP_OPTION_INTS:
        dip_str_addf(out, "%lld", (long long)value->ints[i]);
        break;
    case DIP_OPTION_FLOAT:
    case DIP_OPTION_FLOATS:
        dump_float(out, value->floats[i]);
        break;
    case DIP_OPTION_BOOL:
        dip_str_add(out, value->ints[i] ? "true" : "false");
        break;
    case DIP_OPTION_STRING:
    case DIP_OPTION_STRINGS:
    case DIP_OPTION_ENUM:
        dip_value_quote(out, value->texts[i]);
        break;
    }
}

void dip_value_dump(dip_str *out, const dip_value *value,
                    const dip_option *option)
{
    bool list = dip_option_is_list(option->type);
    dip_str_add(out, list ? "[" : "");
    for (size_t i = 0; i < value->count; i++) {
        dip_str_add(out, i > 0 ? ", " : "");
        dump_item(out, value, i, option->type);
    }
    dip_str_add(out, list ? "]" : "");
}
