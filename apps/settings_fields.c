#include "apps/settings_fields.h"

#include <string.h>

#define KEY(...) dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

/* ---- attributes ---- */

static const char *field_option(const dip_settings *s, const char *field,
                                const char *option)
{
    return dip_config_has(s->config, KEY("fields.%s", field))
               ? dip_config_string(s->config,
                                   KEY("fields.%s.%s", field, option))
               : NULL;
}

bool dip_settings_is_attribute(const dip_settings *s, const char *field)
{
    return field_option(s, field, "label") != NULL ||
           field_option(s, field, "number") != NULL;
}

/* What makes a text has no meaning for an attribute. */
static void refuse_text_options(dip_settings *s, const char *name)
{
    const dip_config *c = s->config;
    const char *key = KEY("fields.%s", name);
    if (field_option(s, name, "template") != NULL ||
        dip_config_float(c, KEY("fields.%s.word_dropout", name)) > 0 ||
        dip_config_float(c, KEY("fields.%s.damage.p", name)) > 0)
        dip_config_fault(s->config, key,
                         "field '%s' is a label or a number: it has no "
                         "template, word_dropout or damage",
                         name);
    if (strcmp(name, "image") == 0)
        dip_config_fault(s->config, key, "'image' is the photo, no column");
    if (field_option(s, name, "label") != NULL &&
        field_option(s, name, "number") != NULL)
        dip_config_fault(s->config, key,
                         "field '%s' is a label and a number: make it two",
                         name);
}

void dip_settings_read_attribute(dip_settings *s, int field, const char *name)
{
    const dip_config *c = s->config;
    const char *label = field_option(s, name, "label");
    dip_attribute_settings *a = &s->attributes[field];
    dip_attribute_options *o = &s->model.attributes[field];
    refuse_text_options(s, name);
    a->column = label != NULL ? label : field_option(s, name, "number");
    a->min_count = dip_config_int(c, KEY("fields.%s.min_count", name));
    a->unknown_dropout =
        dip_config_float(c, KEY("fields.%s.unknown_dropout", name));
    a->buckets = dip_config_int(c, KEY("fields.%s.buckets", name));
    o->kind = DIP_ATTRIBUTE_LABEL;
    if (label != NULL)
        return;
    o->kind = dip_config_choice(c, KEY("fields.%s.form", name)) == 0
                  ? DIP_ATTRIBUTE_STANDARDISED
                  : DIP_ATTRIBUTE_BUCKETISED;
    o->hidden = dip_config_int(c, KEY("fields.%s.hidden", name));
    o->deviation = 1; /* until the catalog is open */
}

/* ---- leaks ---- */

/* The text behind a query or a field: a template in braces, or the name of a
 * column or "image"; NULL for judged queries. */
static const char *text_behind(const dip_settings *s, const char *name)
{
    if (strcmp(name, "judgements") == 0)
        return NULL;
    if (strchr(name, '{') != NULL || strcmp(name, "image") == 0)
        return name;
    const char *const options[] = {"label", "number", "template"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *text = field_option(s, name, options[i]);
        if (text != NULL)
            return text;
    }
    return name;
}

/* The next name of a column in a text, from *at on; its length, or 0. */
static size_t next_column(const char **name, const char **at)
{
    for (const char *c = strchr(*at, '{'); c != NULL; c = strchr(c, '{')) {
        if (c[1] == '{') { /* a brace */
            c += 2;
            continue;
        }
        size_t length = strcspn(c + 1, "}");
        *name = c + 1;
        *at = c + 1 + length;
        return length;
    }
    return 0;
}

static bool has_column(const char *text, const char *column, size_t length)
{
    const char *name, *at = text;
    if (strchr(text, '{') == NULL)
        return strlen(text) == length && memcmp(text, column, length) == 0;
    for (size_t n = next_column(&name, &at); n > 0; n = next_column(&name, &at))
        if (n == length && memcmp(name, column, length) == 0)
            return true;
    return false;
}

/* The first column of the query that the field holds as well; its length, or
 * 0. */
static size_t shared_column(const char **column, const char *query,
                            const char *field)
{
    const char *at = query;
    *column = query;
    if (strchr(query, '{') == NULL)
        return has_column(field, query, strlen(query)) ? strlen(query) : 0;
    for (size_t n = next_column(column, &at); n > 0;
         n = next_column(column, &at))
        if (has_column(field, *column, n))
            return n;
    return 0;
}

void dip_settings_check_leaks(dip_settings *s, dip_task_settings *task,
                              const char *query)
{
    const char *key = KEY("tasks.%s.product_fields", task->name);
    const char *text = text_behind(s, query);
    bool allowed =
        dip_config_bool(s->config, KEY("tasks.%s.allow_leak", task->name));
    for (int f = 0; f < s->field_count && text != NULL; f++) {
        const char *column;
        if (!task->fields[f])
            continue;
        size_t n = shared_column(&column, text, text_behind(s, s->fields[f]));
        if (n == 0)
            continue;
        if (allowed)
            task->leak = task->leak != NULL ? task->leak : s->fields[f];
        else if (strcmp(query, s->fields[f]) == 0)
            dip_config_fault(s->config, key,
                             "'%s' is the query of task '%s' and cannot be "
                             "part of its product",
                             query, task->name);
        else
            dip_config_fault(s->config, key,
                             "field '%s' of task '%s' holds '%.*s', as its "
                             "query does: the product would give the answer "
                             "away (allow_leak: true lets it)",
                             s->fields[f], task->name, (int)n, column);
    }
}

int dip_settings_find_field(const dip_settings *s, const char *name)
{
    for (int i = 0; i < s->field_count; i++) {
        if (strcmp(s->fields[i], name) == 0)
            return i;
    }
    return -1;
}

int dip_settings_field_source(dip_settings *s, const char *name,
                              const char *key)
{
    for (int i = 0; i < s->text_count; i++) {
        if (s->texts[i].name != NULL && strcmp(s->texts[i].name, name) == 0)
            return i;
    }
    if (s->text_count == DIP_SOURCES_MAX) {
        dip_config_fault(s->config, key, "more than %d texts", DIP_SOURCES_MAX);
        return -1;
    }
    const dip_config *c = s->config;
    dip_text_settings *t = &s->texts[s->text_count];
    t->name = name;
    t->template = name;
    if (dip_config_has(c, KEY("fields.%s", name))) {
        const char *template =
            dip_config_string(c, KEY("fields.%s.template", name));
        if (template != NULL)
            t->template = template;
        t->word_dropout =
            dip_config_float(c, KEY("fields.%s.word_dropout", name));
        t->damage_label_count = dip_config_strings(
            &t->damage_labels, c, KEY("fields.%s.damage.labels", name));
        t->damage_first_words =
            (int)dip_config_int(c, KEY("fields.%s.damage.first_words", name));
        t->damage_p = dip_config_float(c, KEY("fields.%s.damage.p", name));
        t->damage_seed =
            (uint64_t)dip_config_int(c, KEY("fields.%s.damage.seed", name));
    }
    return s->text_count++;
}
