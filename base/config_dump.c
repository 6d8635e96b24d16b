/* The texts of a config: the resolved YAML, and the reference page. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_private.h"
#include "base/mem.h"

/* ---- the resolved config ----
 *
 * First all full keys in the order of the table are listed, then they are
 * written level by level, each mapping where its first key stands. */

typedef struct {
    char *key;
    const dip_option *option; /* NULL: a mapping that may be empty */
} line;

typedef struct {
    const dip_config *config;
    line *lines;
    size_t count, capacity;
    bool failed;
} listing;

static void add_line(void *context, const char *key, const dip_option *option)
{
    listing *list = context;
    if (option != NULL && dip_config_value(list->config, option, key) == NULL)
        return; /* absent */
    char *copy = dip_strdup(key);
    if (copy == NULL ||
        dip_reserve(&list->lines, &list->capacity, list->count + 1,
                    sizeof *list->lines, NULL) != DIP_OK) {
        free(copy);
        list->failed = true;
        return;
    }
    list->lines[list->count++] = (line){copy, option};
}

/* The first segment of a key, as a mapping's name. */
static void section_of(char out[DIP_CONFIG_KEY_SIZE], const char *key)
{
    (void)dip_config_key(out, "%.*s", (int)strcspn(key, "."), key);
}

/* The options below the names that were set in the section, in their order. */
static void list_named(listing *list, const char *section)
{
    const dip_config *config = list->config;
    size_t names = dip_config_child_count(config, section);
    for (size_t n = 0; n < names; n++) {
        char prefix[DIP_CONFIG_KEY_SIZE];
        (void)dip_config_key(prefix, "%s.%s.", section,
                             dip_config_child(config, section, n));
        for (size_t i = 0; i < config->table_count; i++) {
            const dip_option *option = &config->table[i];
            if (strncmp(option->key, prefix, strlen(prefix)) == 0)
                add_line(list, option->key, option);
        }
    }
}

static void list_keys(listing *list)
{
    const dip_config *config = list->config;
    char section[DIP_CONFIG_KEY_SIZE], named[DIP_CONFIG_KEY_SIZE] = "";
    for (size_t i = 0; i < config->table_count; i++) {
        const dip_option *option = &config->table[i];
        section_of(section, option->key);
        if (!option->when_named) {
            dip_config_expand(config, option, add_line, list);
        } else if (strcmp(section, named) != 0) {
            list_named(list, section);
            memcpy(named, section, sizeof named);
        }
    }
    for (size_t i = 0; i < config->setting_count; i++) {
        if (config->settings[i].option == NULL)
            add_line(list, config->settings[i].key, NULL);
    }
}

static bool is_below(const char *key, const char *parent, size_t n)
{
    return strncmp(key, parent, n) == 0 && key[n] == '.';
}

/* Whether the name key[start..end) was written for an earlier line. */
static bool is_repeated(const listing *list, size_t at, size_t end)
{
    const char *key = list->lines[at].key;
    for (size_t i = 0; i < at; i++) {
        const char *earlier = list->lines[i].key;
        if (strncmp(earlier, key, end) == 0 &&
            (earlier[end] == '.' || earlier[end] == '\0'))
            return true;
    }
    return false;
}

static bool has_below(const listing *list, const char *key, size_t n)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_below(list->lines[i].key, key, n))
            return true;
    }
    return false;
}

static void add_name(dip_str *out, const char *name, size_t n)
{
    char copy[DIP_CONFIG_KEY_SIZE];
    memcpy(copy, name, n);
    copy[n] = '\0';
    dip_value_quote(out, copy);
    dip_str_add(out, ":");
}

/* Writes what stands below the first `n` bytes of `parent`. */
static void dump_level(dip_str *out, const listing *list, const char *parent,
                       size_t n, int depth)
{
    for (size_t i = 0; i < list->count; i++) {
        const line *at = &list->lines[i];
        if (n > 0 && !is_below(at->key, parent, n))
            continue;
        size_t start = n > 0 ? n + 1 : 0;
        size_t end = start + strcspn(at->key + start, ".");
        if (is_repeated(list, i, end))
            continue;
        dip_str_addf(out, "%*s", 2 * depth, "");
        add_name(out, at->key + start, end - start);
        if (has_below(list, at->key, end)) {
            dip_str_add(out, "\n");
            dump_level(out, list, at->key, end, depth + 1);
        } else if (at->option == NULL) {
            dip_str_add(out, " {}\n");
        } else {
            dip_str_add(out, " ");
            dip_value_dump(out,
                           dip_config_value(list->config, at->option, at->key),
                           at->option);
            dip_str_add(out, "\n");
        }
    }
}

static void free_listing(listing *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->lines[i].key);
    free(list->lines);
}

dip_status dip_config_dump(dip_str *out, const dip_config *config, dip_err *err)
{
    listing list = {.config = config};
    list_keys(&list);
    if (list.count == 0)
        dip_str_add(out, "{}\n");
    dump_level(out, &list, "", 0, 0);
    free_listing(&list);
    return list.failed ? dip_no_memory(err) : dip_str_status(out, err);
}

dip_status dip_config_each(const dip_config *config, dip_config_visit visit,
                           void *user, dip_err *err)
{
    listing list = {.config = config};
    dip_str value = {0};
    list_keys(&list);
    for (size_t i = 0; i < list.count && !list.failed; i++) {
        const line *at = &list.lines[i];
        if (at->option == NULL && has_below(&list, at->key, strlen(at->key)))
            continue;
        dip_str_clear(&value);
        if (at->option == NULL)
            dip_str_add(&value, "{}");
        else
            dip_value_dump(&value,
                           dip_config_value(config, at->option, at->key),
                           at->option);
        list.failed = value.failed;
        if (!value.failed)
            visit(user, at->key, dip_str_text(&value));
    }
    dip_str_free(&value);
    free_listing(&list);
    return list.failed ? dip_no_memory(err) : DIP_OK;
}

/* ---- the reference ---- */

static const char *const type_words[] = {
    [DIP_OPTION_STRING] = "text",
    [DIP_OPTION_INT] = "integer",
    [DIP_OPTION_FLOAT] = "number",
    [DIP_OPTION_BOOL] = "true or false",
    [DIP_OPTION_ENUM] = "choice",
    [DIP_OPTION_STRINGS] = "list of text",
    [DIP_OPTION_INTS] = "list of integers",
    [DIP_OPTION_FLOATS] = "list of numbers",
};

/* Appends each choice as code, without the bars, which would end a cell. */
static void add_choices(dip_str *out, const char *choices)
{
    for (const char *at = choices; *at != '\0';) {
        size_t n = strcspn(at, "|");
        dip_str_addf(out, "%s`%.*s`", at == choices ? "" : ", ", (int)n, at);
        at += n + (at[n] == '|');
    }
}

static void add_range(dip_str *out, const dip_option *option)
{
    if (option->choices != NULL)
        add_choices(out, option->choices);
    else if (option->min == 0 && option->max == 0)
        dip_str_add(out, "");
    else if (isinf(option->max))
        dip_str_addf(out, "%.17g or more", option->min);
    else if (isinf(option->min))
        dip_str_addf(out, "%.9g or less", option->max);
    else
        dip_str_addf(out, "%.9g to %.9g", option->min, option->max);
}

static void add_default(dip_str *out, const dip_option *option)
{
    if (option->fallback != NULL && option->fallback[0] != '\0')
        dip_str_addf(out, "`%s`", option->fallback);
    else if (option->fallback != NULL)
        dip_str_add(out, "empty");
    else
        dip_str_add(out, option->required ? "required" : "absent");
}

/* Text in a cell: a bar would end it. */
static void add_text(dip_str *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            dip_str_add(out, "\\");
        dip_str_add_n(out, text, 1);
    }
}

static void add_row(dip_str *out, const dip_option *option)
{
    dip_str_addf(out, "| `%s` | %s | ", option->key, type_words[option->type]);
    add_default(out, option);
    dip_str_add(out, " | ");
    add_range(out, option);
    dip_str_add(out, " | ");
    add_text(out, option->help != NULL ? option->help : "");
    dip_str_add(out, " |\n");
}

dip_status dip_config_reference(dip_str *out, const dip_option *table,
                                size_t count, dip_err *err)
{
    const char *section = "";
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const char *key = table[i].key;
        if (strcspn(key, ".") != n || strncmp(key, section, n) != 0) {
            section = key;
            n = strcspn(key, ".");
            dip_str_addf(out,
                         "%s## %.*s\n\n"
                         "| key | type | default | values | meaning |\n"
                         "|---|---|---|---|---|\n",
                         i > 0 ? "\n" : "", (int)n, section);
        }
        add_row(out, &table[i]);
    }
    return dip_str_status(out, err);
}
