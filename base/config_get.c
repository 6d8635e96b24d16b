/* Getters of a loaded config: values, names, places. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/config_private.h"

/* ---- values ---- */

const dip_value *dip_config_value(const dip_config *config,
                                  const dip_option *option, const char *key)
{
    const dip_setting *setting = dip_setting_find(config, key);
    if (setting != NULL)
        return &setting->value;
    return option->fallback != NULL ? &config->defaults[option - config->table]
                                    : NULL;
}

/* The value of a key that the program must know, as one of two types. */
static const dip_value *value_of(const dip_config *config, const char *key,
                                 dip_option_type type, dip_option_type other)
{
    const dip_option *option =
        dip_option_find(config->table, config->table_count, key);
    assert(option != NULL && "a key that the option table does not have");
    assert((option->type == type || option->type == other) &&
           "a key of another type");
    (void)type;
    (void)other;
    return dip_config_value(config, option, key);
}

const char *dip_config_string(const dip_config *config, const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_STRING, DIP_OPTION_ENUM);
    return value != NULL ? value->texts[0] : NULL;
}

int64_t dip_config_int(const dip_config *config, const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_INT, DIP_OPTION_INT);
    return value != NULL ? value->ints[0] : 0;
}

double dip_config_float(const dip_config *config, const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_FLOAT, DIP_OPTION_FLOAT);
    return value != NULL ? value->floats[0] : 0;
}

bool dip_config_bool(const dip_config *config, const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_BOOL, DIP_OPTION_BOOL);
    return value != NULL && value->ints[0] != 0;
}

int dip_config_choice(const dip_config *config, const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_ENUM, DIP_OPTION_ENUM);
    return value != NULL && value->ints != NULL ? (int)value->ints[0] : -1;
}

size_t dip_config_strings(const char *const **items, const dip_config *config,
                          const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_STRINGS, DIP_OPTION_STRINGS);
    *items = value != NULL ? (const char *const *)value->texts : NULL;
    return value != NULL ? value->count : 0;
}

size_t dip_config_ints(const int64_t **items, const dip_config *config,
                       const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_INTS, DIP_OPTION_INTS);
    *items = value != NULL ? value->ints : NULL;
    return value != NULL ? value->count : 0;
}

size_t dip_config_floats(const double **items, const dip_config *config,
                         const char *key)
{
    const dip_value *value =
        value_of(config, key, DIP_OPTION_FLOATS, DIP_OPTION_FLOATS);
    *items = value != NULL ? value->floats : NULL;
    return value != NULL ? value->count : 0;
}

/* ---- names and places ---- */

bool dip_config_has(const dip_config *config, const char *key)
{
    return dip_setting_find(config, key) != NULL;
}

/* The name of a setting directly below `key`, or NULL. */
static const char *name_below(const dip_setting *setting, const char *key)
{
    size_t n = strlen(key);
    if (strncmp(setting->key, key, n) != 0 || setting->key[n] != '.')
        return NULL;
    const char *name = setting->key + n + 1;
    return strchr(name, '.') == NULL ? name : NULL;
}

size_t dip_config_child_count(const dip_config *config, const char *key)
{
    size_t count = 0;
    for (size_t i = 0; i < config->setting_count; i++)
        count += name_below(&config->settings[i], key) != NULL;
    return count;
}

const char *dip_config_child(const dip_config *config, const char *key,
                             size_t index)
{
    for (size_t i = 0; i < config->setting_count; i++) {
        const char *name = name_below(&config->settings[i], key);
        if (name != NULL && index-- == 0)
            return name;
    }
    return NULL;
}

const char *dip_config_place(const dip_config *config, const char *key)
{
    char around[DIP_CONFIG_KEY_SIZE];
    (void)dip_config_key(around, "%s", key);
    for (;;) {
        const dip_setting *setting = dip_setting_find(config, around);
        if (setting != NULL)
            return setting->place;
        char *dot = strrchr(around, '.');
        if (dot == NULL)
            return config->path;
        *dot = '\0';
    }
}

/* ---- rows to keys ---- */

/* Walks on through `rest` of a row's key, `key` holding what is before it. */
static void expand(const dip_config *config, const dip_option *option,
                   const char *key, const char *rest, dip_key_visit *visit,
                   void *context)
{
    char next[DIP_CONFIG_KEY_SIZE];
    const char *dot = key[0] == '\0' ? "" : ".";
    size_t n = strcspn(rest, ".");
    const char *after = rest + n + (rest[n] == '.');
    bool any = n == 1 && rest[0] == '*';
    if (n == 0) {
        visit(context, key, option);
    } else if (!any) {
        (void)dip_config_key(next, "%s%s%.*s", key, dot, (int)n, rest);
        expand(config, option, next, after, visit, context);
    } else {
        for (size_t i = 0; i < dip_config_child_count(config, key); i++) {
            const char *name = dip_config_child(config, key, i);
            (void)dip_config_key(next, "%s%s%s", key, dot, name);
            expand(config, option, next, after, visit, context);
        }
    }
}

void dip_config_expand(const dip_config *config, const dip_option *option,
                       dip_key_visit *visit, void *context)
{
    expand(config, option, "", option->key, visit, context);
}
