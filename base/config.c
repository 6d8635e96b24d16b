#include "base/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_private.h"
#include "base/file.h"
#include "base/mem.h"

#define MOST_BYTES   ((size_t)1 << 20)
#define MOST_EXTENDS 8
#define COMMAND_LINE "command line"

/* ---- keys and the table ---- */

typedef enum { WHOLE_KEY, BEGINNING } match_kind;

/* Whether `key` is one of those that `pattern` stands for, or ends before it
 * at a dot. */
static bool matches(const char *pattern, const char *key, match_kind kind)
{
    for (;;) {
        size_t p = strcspn(pattern, "."), k = strcspn(key, ".");
        bool any = p == 1 && pattern[0] == '*';
        if (!any && (p != k || memcmp(pattern, key, k) != 0))
            return false;
        pattern += p;
        key += k;
        if (*key == '\0')
            return *pattern == (kind == WHOLE_KEY ? '\0' : '.');
        if (*pattern == '\0')
            return false;
        pattern++;
        key++;
    }
}

const dip_option *dip_option_find(const dip_option *table, size_t count,
                                  const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (matches(table[i].key, key, WHOLE_KEY))
            return &table[i];
    }
    return NULL;
}

static bool is_mapping(const dip_config *config, const char *key)
{
    for (size_t i = 0; i < config->table_count; i++) {
        if (matches(config->table[i].key, key, BEGINNING))
            return true;
    }
    return false;
}

/* No key twice, none that would be a value and a mapping at once. */
static bool is_sound(const dip_option *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (i != j && (strcmp(table[i].key, table[j].key) == 0 ||
                           matches(table[i].key, table[j].key, BEGINNING)))
                return false;
        }
    }
    return true;
}

const char *dip_config_key(char out[DIP_CONFIG_KEY_SIZE], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(out, DIP_CONFIG_KEY_SIZE, fmt, args);
    va_end(args);
    assert(n >= 0 && n < DIP_CONFIG_KEY_SIZE);
    (void)n;
    return out;
}

/* ---- unknown keys ---- */

/* The length of the longest beginning of `key` that is a mapping. */
static size_t known_length(const dip_config *config, const char *key)
{
    char beginning[DIP_CONFIG_KEY_SIZE];
    size_t known = 0;
    for (const char *dot = strchr(key, '.'); dot != NULL;
         dot = strchr(dot + 1, '.')) {
        size_t n = (size_t)(dot - key);
        (void)dip_config_key(beginning, "%.*s", (int)n, key);
        if (!is_mapping(config, beginning))
            break;
        known = n;
    }
    return known;
}

/* The name that follows `parent` in a row's key; false when the row lies
 * elsewhere or leaves the name free. */
static bool name_after(char name[DIP_CONFIG_KEY_SIZE], const char *pattern,
                       const char *parent)
{
    if (parent[0] != '\0' && !matches(pattern, parent, BEGINNING))
        return false;
    for (const char *at = parent; *at != '\0';) {
        size_t n = strcspn(at, ".");
        at += n + (at[n] == '.');
        pattern += strcspn(pattern, ".") + 1;
    }
    (void)dip_config_key(name, "%.*s", (int)strcspn(pattern, "."), pattern);
    return strcmp(name, "*") != 0;
}

static const char *last_name(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot != NULL ? dot + 1 : key;
}

/* The first row without free names that has the same last name. */
static void find_elsewhere(char best[DIP_CONFIG_KEY_SIZE],
                           const dip_config *config, const char *key)
{
    for (size_t i = 0; i < config->table_count && best[0] == '\0'; i++) {
        const char *known = config->table[i].key;
        if (strchr(known, '*') == NULL &&
            strcmp(last_name(known), last_name(key)) == 0)
            (void)dip_config_key(best, "%s", known);
    }
}

/* What was probably meant, "" for no idea: the key with the first name that is
 * unknown spelled as one of those that may stand there, else the same name at
 * another place. */
static void guess_key(char best[DIP_CONFIG_KEY_SIZE], const dip_config *config,
                      const char *key)
{
    char parent[DIP_CONFIG_KEY_SIZE], word[DIP_CONFIG_KEY_SIZE];
    char name[DIP_CONFIG_KEY_SIZE], closest[DIP_CONFIG_KEY_SIZE] = "";
    size_t n = known_length(config, key);
    const char *rest = n > 0 ? key + n + 1 : key;
    size_t length = strcspn(rest, ".");
    (void)dip_config_key(parent, "%.*s", (int)n, key);
    (void)dip_config_key(word, "%.*s", (int)length, rest);
    for (size_t i = 0; i < config->table_count; i++) {
        if (name_after(name, config->table[i].key, parent))
            dip_keep_closest(closest, word, name);
    }
    best[0] = '\0';
    if (closest[0] != '\0' &&
        n + strlen(closest) + strlen(rest) < DIP_CONFIG_KEY_SIZE)
        (void)dip_config_key(best, "%s%s%s%s", parent, n > 0 ? "." : "",
                             closest, rest + length);
    else
        find_elsewhere(best, config, key);
}

static void fault_unknown(dip_config *config, const char *key, const char *file,
                          int line)
{
    char best[DIP_CONFIG_KEY_SIZE];
    guess_key(best, config, key);
    if (best[0] != '\0')
        dip_faults_add(&config->faults, file, line,
                       "unknown key '%s' (did you mean '%s'?)", key, best);
    else
        dip_faults_add(&config->faults, file, line, "unknown key '%s'", key);
}

/* ---- settings ---- */

dip_setting *dip_setting_find(const dip_config *config, const char *key)
{
    for (size_t i = 0; i < config->setting_count; i++) {
        if (strcmp(config->settings[i].key, key) == 0)
            return &config->settings[i];
    }
    return NULL;
}

static char *place_text(const char *file, int line)
{
    dip_str place = {0};
    dip_str_add(&place, file);
    if (line > 0)
        dip_str_addf(&place, ":%d", line);
    if (place.failed)
        dip_str_free(&place);
    return place.data;
}

/* The setting of `key`, made if there was none; NULL without memory. */
static dip_setting *touch(dip_config *config, const char *key, const char *file,
                          int line)
{
    char *place = place_text(file, line);
    dip_setting *setting = dip_setting_find(config, key);
    if (setting == NULL && place != NULL &&
        dip_reserve(&config->settings, &config->setting_capacity,
                    config->setting_count + 1, sizeof *setting,
                    NULL) == DIP_OK) {
        char *copy = dip_strdup(key);
        if (copy != NULL) {
            setting = &config->settings[config->setting_count++];
            *setting = (dip_setting){.key = copy};
        }
    }
    if (setting == NULL || place == NULL) {
        dip_faults_no_memory(&config->faults);
        free(place);
        return NULL;
    }
    free(setting->place);
    setting->place = place;
    return setting;
}

/* A wrong value is recorded without items, so that it is not missed too. */
static void set_value(dip_config *config, const dip_option *option,
                      const char *key, const char *file, const dip_node *node)
{
    dip_setting *setting = touch(config, key, file, node->line);
    if (setting == NULL)
        return;
    dip_value_clear(&setting->value);
    setting->option = option;
    (void)dip_value_read(&setting->value, &config->faults, option, key, file,
                         node); /* what is wrong stands in the faults */
}

static void clear_setting(dip_setting *setting)
{
    dip_value_clear(&setting->value);
    free(setting->key);
    free(setting->place);
}

/* Removes the key and all below it; whether there was any. */
static bool take_back(dip_config *config, const char *key)
{
    size_t n = strlen(key);
    size_t kept = 0;
    for (size_t i = 0; i < config->setting_count; i++) {
        dip_setting *s = &config->settings[i];
        if (strncmp(s->key, key, n) == 0 &&
            (s->key[n] == '\0' || s->key[n] == '.'))
            clear_setting(s);
        else
            config->settings[kept++] = *s;
    }
    bool found = kept < config->setting_count;
    config->setting_count = kept;
    return found;
}

/* ---- files ---- */

/* A file and those that extend it, up to the first. */
typedef struct source {
    const struct source *user;
    const char *path;
    dip_file_info info;
    int depth;
} source;

/* Whether a key of a mapping can be used at all. */
static bool check_name(dip_config *config, const char *file,
                       const dip_node *node, const dip_str *key)
{
    if (strpbrk(node->key, ".=\n\t") != NULL) {
        dip_faults_add(&config->faults, file, node->line,
                       "key '%s' holds a dot or '='; below a mapping a key is "
                       "one name",
                       node->key);
        return false;
    }
    if (node->key[0] == '\0') {
        dip_faults_add(&config->faults, file, node->line, "empty key");
        return false;
    }
    if (key->len >= DIP_CONFIG_KEY_SIZE) {
        dip_faults_add(&config->faults, file, node->line,
                       "key is longer than %d bytes", DIP_CONFIG_KEY_SIZE - 1);
        return false;
    }
    return true;
}

static const dip_node *first_of_name(const dip_node *mapping, const char *name)
{
    for (size_t i = 0; i < mapping->count; i++) {
        if (strcmp(mapping->items[i].key, name) == 0)
            return &mapping->items[i];
    }
    return NULL;
}

static void read_mapping(dip_config *config, const char *file,
                         const dip_node *mapping, const char *path);

static void read_key(dip_config *config, const char *file, const dip_node *node,
                     const char *key)
{
    const dip_option *option =
        dip_option_find(config->table, config->table_count, key);
    if (dip_node_takes_back(node) && take_back(config, key))
        return;
    if (option != NULL) {
        set_value(config, option, key, file, node);
    } else if (!is_mapping(config, key)) {
        fault_unknown(config, key, file, node->line);
    } else if (node->kind != DIP_NODE_MAPPING) {
        dip_faults_add(&config->faults, file, node->line,
                       "'%s' must be a mapping%s", key,
                       node->kind == DIP_NODE_LIST ? ", not a list" : "");
    } else if (touch(config, key, file, node->line) != NULL) {
        read_mapping(config, file, node, key);
    }
}

static void read_mapping(dip_config *config, const char *file,
                         const dip_node *mapping, const char *path)
{
    bool top = path[0] == '\0';
    for (size_t i = 0; i < mapping->count; i++) {
        const dip_node *node = &mapping->items[i];
        const dip_node *first = first_of_name(mapping, node->key);
        dip_str key = {0};
        dip_str_addf(&key, "%s%s%s", path, top ? "" : ".", node->key);
        if (key.failed)
            dip_faults_no_memory(&config->faults);
        else if (!check_name(config, file, node, &key))
            ; /* told */
        else if (first != node)
            dip_faults_add(&config->faults, file, node->line,
                           "duplicate key '%s' (first on line %d)", key.data,
                           first->line);
        else if (!top || strcmp(node->key, "extends") != 0)
            read_key(config, file, node, key.data);
        dip_str_free(&key);
    }
}

static void read_file(dip_config *config, const source *file);

/* Reads the file that `node` names, unless that would go round in a circle. */
static void read_base(dip_config *config, const source *user,
                      const dip_node *node)
{
    if (node->kind != DIP_NODE_SCALAR || node->text[0] == '\0') {
        dip_faults_add(&config->faults, user->path, node->line,
                       "'extends' must be the name of a file");
        return;
    }
    char *folder = dip_path_dir(user->path);
    char *path = folder != NULL ? dip_path_join(folder, node->text) : NULL;
    source base = {.user = user, .path = path, .depth = user->depth + 1};
    dip_err err = {0};
    bool circle = false;
    if (path == NULL) {
        dip_faults_no_memory(&config->faults);
        goto free_path;
    }
    if (dip_file_stat(&base.info, path, &err) != DIP_OK) {
        dip_faults_add(&config->faults, user->path, node->line, "%s", err.msg);
        goto free_path;
    }
    for (const source *s = user; s != NULL; s = s->user)
        circle |= s->info.inode == base.info.inode &&
                  s->info.device == base.info.device;
    if (circle)
        dip_faults_add(&config->faults, user->path, node->line,
                       "'extends' comes back to '%s'", path);
    else if (base.depth > MOST_EXTENDS)
        dip_faults_add(&config->faults, user->path, node->line,
                       "'extends' is more than %d files deep", MOST_EXTENDS);
    else
        read_file(config, &base);
free_path:
    free(path);
    free(folder);
}

static void read_tree(dip_config *config, const source *file,
                      const dip_node *root)
{
    if (root->kind != DIP_NODE_MAPPING) {
        dip_faults_add(&config->faults, file->path, 0,
                       "a config is a mapping of keys to values");
        config->unreadable = true;
        return;
    }
    const dip_node *extends = first_of_name(root, "extends");
    if (extends != NULL)
        read_base(config, file, extends);
    read_mapping(config, file->path, root, "");
}

static void read_file(dip_config *config, const source *file)
{
    char *text;
    size_t n;
    dip_err err = {0};
    dip_status st = dip_file_read(&text, &n, file->path, MOST_BYTES, &err);
    if (st == DIP_ENOMEM)
        dip_faults_no_memory(&config->faults);
    else if (st != DIP_OK)
        dip_faults_add(&config->faults, NULL, 0, "%s", err.msg);
    config->unreadable |= st != DIP_OK;
    if (st != DIP_OK)
        return;
    dip_node root;
    if (dip_node_parse(&root, &config->faults, file->path, text, n))
        read_tree(config, file, &root);
    else
        config->unreadable = true;
    dip_node_clear(&root);
    free(text);
}

/* DIP_EIO, and a fault, when the first file cannot be opened. */
static dip_status read_path(dip_config *config, const char *path)
{
    source file = {.path = path};
    dip_err err = {0};
    dip_status st = dip_file_stat(&file.info, path, &err);
    if (st != DIP_OK) {
        dip_faults_add(&config->faults, NULL, 0, "%s", err.msg);
        config->unreadable = true;
        return DIP_EIO;
    }
    read_file(config, &file);
    return DIP_OK;
}

/* ---- the command line ---- */

static void touch_parents(dip_config *config, const char *key)
{
    char parent[DIP_CONFIG_KEY_SIZE];
    for (const char *dot = strchr(key, '.'); dot != NULL;
         dot = strchr(dot + 1, '.')) {
        (void)dip_config_key(parent, "%.*s", (int)(dot - key), key);
        if (dip_setting_find(config, parent) == NULL)
            (void)touch(config, parent, COMMAND_LINE, 0);
    }
}

static void read_assignment(dip_config *config, const char *key,
                            const char *value)
{
    dip_faults *faults = &config->faults;
    const dip_option *option =
        dip_option_find(config->table, config->table_count, key);
    if (strcmp(value, "null") == 0 && take_back(config, key))
        return;
    if (option == NULL) {
        if (is_mapping(config, key))
            dip_faults_add(faults, COMMAND_LINE, 0,
                           "'%s' is a mapping; set a key below it", key);
        else
            fault_unknown(config, key, COMMAND_LINE, 0);
        return;
    }
    char where[DIP_CONFIG_KEY_SIZE + 32];
    (void)snprintf(where, sizeof where, COMMAND_LINE ": '%s'", key);
    dip_node node;
    touch_parents(config, key);
    if (dip_node_from_argument(&node, faults, where, option->type, value))
        set_value(config, option, key, COMMAND_LINE, &node);
    dip_node_clear(&node);
}

static void read_override(dip_config *config, const char *override)
{
    const char *equals = strchr(override, '=');
    size_t n = equals != NULL ? (size_t)(equals - override) : 0;
    if (n == 0) {
        dip_faults_add(&config->faults, COMMAND_LINE, 0,
                       "'%s' is not of the form key=value", override);
        return;
    }
    bool empty = override[0] == '.' || override[n - 1] == '.' ||
                 memmem(override, n, "..", 2) != NULL;
    if (empty || n >= DIP_CONFIG_KEY_SIZE) {
        dip_faults_add(&config->faults, COMMAND_LINE, 0, "bad key in '%s'",
                       override);
        return;
    }
    char key[DIP_CONFIG_KEY_SIZE];
    read_assignment(config, dip_config_key(key, "%.*s", (int)n, override),
                    equals + 1);
}

/* ---- defaults and what is missing ---- */

static void read_defaults(dip_config *config)
{
    for (size_t i = 0; i < config->table_count; i++) {
        const dip_option *option = &config->table[i];
        if (option->fallback == NULL)
            continue;
        dip_node node;
        if (dip_node_from_argument(&node, &config->faults, "option table",
                                   option->type, option->fallback))
            (void)dip_value_read(&config->defaults[i], &config->faults, option,
                                 option->key, "option table", &node);
        dip_node_clear(&node);
    }
}

static void check_present(void *context, const char *key,
                          const dip_option *option)
{
    dip_config *config = context;
    (void)option;
    if (dip_setting_find(config, key) == NULL)
        dip_faults_add(&config->faults, dip_config_place(config, key), 0,
                       "missing key '%s'", key);
}

static void check_required(dip_config *config)
{
    for (size_t i = 0; i < config->table_count; i++) {
        if (config->table[i].required)
            dip_config_expand(config, &config->table[i], check_present, config);
    }
}

/* ---- loading ---- */

static dip_config *make_config(const dip_option *table, size_t count,
                               const char *path)
{
    dip_config *config = dip_calloc(1, sizeof *config);
    if (config == NULL)
        return NULL;
    config->table = table;
    config->table_count = count;
    config->defaults = dip_calloc(count, sizeof *config->defaults);
    config->path = dip_strdup(path != NULL ? path : "defaults");
    if (config->defaults == NULL || config->path == NULL) {
        dip_config_free(config);
        return NULL;
    }
    return config;
}

dip_status dip_config_load(dip_config **out, const dip_option *table,
                           size_t count, const char *path,
                           const char *const *overrides, size_t n, dip_err *err)
{
    assert(is_sound(table, count));
    *out = NULL;
    dip_config *config = make_config(table, count, path);
    if (config == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    read_defaults(config);
    if (path != NULL)
        st = read_path(config, path);
    for (size_t i = 0; i < n; i++)
        read_override(config, overrides[i]);
    if (!config->unreadable)
        check_required(config);
    dip_status faults = dip_config_status(config, err);
    if (faults == DIP_ENOMEM) {
        dip_config_free(config);
        return faults;
    }
    if (st != DIP_OK && err != NULL)
        err->code = st;
    *out = config;
    return st != DIP_OK ? st : faults;
}

void dip_config_free(dip_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->setting_count; i++)
        clear_setting(&config->settings[i]);
    for (size_t i = 0; i < config->table_count && config->defaults != NULL; i++)
        dip_value_clear(&config->defaults[i]);
    free(config->settings);
    free(config->defaults);
    free(config->path);
    dip_str_free(&config->faults.text);
    free(config);
}

/* ---- faults ---- */

const char *dip_config_faults(const dip_config *config)
{
    return dip_str_text(&config->faults.text);
}

void dip_config_fault(dip_config *config, const char *key, const char *fmt, ...)
{
    char words[DIP_ERR_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    dip_faults_add(&config->faults, dip_config_place(config, key), 0, "%s",
                   words);
}

dip_status dip_config_status(const dip_config *config, dip_err *err)
{
    dip_status st = dip_str_status(&config->faults.text, err);
    if (st != DIP_OK || config->faults.count == 0)
        return st;
    const char *first = dip_config_faults(config);
    return dip_fail(err, DIP_ECONFIG, "%.*s", (int)strcspn(first, "\n"), first);
}
