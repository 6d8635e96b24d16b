#include "apps/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/options.h"
#include "apps/settings_eval.h"
#include "apps/settings_fields.h"
#include "apps/settings_loss.h"
#include "apps/settings_recommendation.h"
#include "apps/settings_train.h"
#include "base/mem.h"

#define KEY(...) dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

/* ---- data ---- */

static dip_dataset_name *read_datasets(dip_settings *s, const char *kind,
                                       int *count)
{
    const char *section = KEY("data.map.%s", kind);
    size_t n = dip_config_child_count(s->config, section);
    dip_dataset_name *names = dip_calloc(n, sizeof *names);
    *count = names != NULL ? (int)n : 0;
    for (int i = 0; i < *count; i++) {
        names[i].name = dip_config_child(s->config, section, (size_t)i);
        names[i].dataset =
            dip_config_string(s->config, KEY("%s.%s", section, names[i].name));
    }
    return names;
}

static void read_mapping(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_mapping *m = &s->mapping;
    if (dip_config_choice(c, "data.layout") == 0) {
        if (dip_config_has(c, "data.map"))
            dip_config_fault(s->config, "data.map",
                             "'data.map' needs a foreign 'data.layout'");
        return;
    }
    m->layout = dip_config_string(c, "data.layout");
    m->image = dip_config_string(c, "data.map.image");
    m->group = dip_config_string(c, "data.map.group");
    m->word_map = dip_config_string(c, "data.map.word_map");
    m->captions = dip_config_string(c, "data.map.captions");
    for (int split = 0; split < DIP_SPLIT_COUNT; split++)
        m->splits[split] = dip_config_string(
            c, KEY("data.map.%s", dip_split_name((dip_split)split)));
    m->texts = read_datasets(s, "text", &m->text_count);
    m->labels = read_datasets(s, "label", &m->label_count);
    m->numbers = read_datasets(s, "number", &m->number_count);
}

static void read_triple(dip_settings *s, const char *key, float out[3])
{
    const double *items;
    size_t n = dip_config_floats(&items, s->config, key);
    if (n != 3) {
        dip_config_fault(s->config, key, "'%s' has %zu numbers, not 3", key, n);
        return;
    }
    for (int i = 0; i < 3; i++)
        out[i] = (float)items[i];
}

static void read_pair(dip_settings *s, const char *key, double out[2])
{
    const double *items;
    size_t n = dip_config_floats(&items, s->config, key);
    if (n != 2 || items[0] > items[1]) {
        dip_config_fault(s->config, key, "'%s' is not a range [least, most]",
                         key);
        return;
    }
    out[0] = items[0];
    out[1] = items[1];
}

static void read_augment(dip_settings *s, const char *name, dip_augment *a)
{
    const dip_config *c = s->config;
    switch (a->kind) {
    case DIP_AUGMENT_RANDOM_RESIZED_CROP:
        read_pair(s, "augment.random_resized_crop.scale",
                  a->resized_crop.scale);
        read_pair(s, "augment.random_resized_crop.ratio",
                  a->resized_crop.ratio);
        return;
    case DIP_AUGMENT_RANDOM_CROP:
        a->padded_crop.padding =
            (int)dip_config_int(c, "augment.random_crop.padding");
        return;
    case DIP_AUGMENT_COLOR_JITTER:
        a->jitter.brightness =
            dip_config_float(c, "augment.color_jitter.brightness");
        a->jitter.contrast =
            dip_config_float(c, "augment.color_jitter.contrast");
        a->jitter.saturation =
            dip_config_float(c, "augment.color_jitter.saturation");
        a->jitter.hue = dip_config_float(c, "augment.color_jitter.hue");
        break;
    case DIP_AUGMENT_HORIZONTAL_FLIP:
    case DIP_AUGMENT_GRAYSCALE:
        break;
    }
    a->p = dip_config_float(c, KEY("augment.%s.p", name));
}

static void read_transform(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_transform *t = &s->transform;
    *t = dip_transform_defaults();
    t->size = (int)dip_config_int(c, "data.image_size");
    t->resize_mode = (dip_resize_mode)dip_config_choice(c, "data.resize");
    t->resample = strcmp(dip_config_string(c, "data.resample"), "bilinear") == 0
                      ? DIP_RESAMPLE_BILINEAR
                      : DIP_RESAMPLE_BICUBIC;
    read_triple(s, "data.mean", t->mean);
    read_triple(s, "data.std", t->std);
    dip_err err = {0};
    size_t count = dip_config_child_count(c, "augment");
    for (size_t i = 0; i < count && i < DIP_AUGMENT_MAX; i++) {
        const char *name = dip_config_child(c, "augment", i);
        dip_augment_kind kind;
        if (dip_augment_from_name(&kind, name, &err) != DIP_OK)
            continue; /* the table of options has reported it */
        dip_augment *a = &t->augment[t->augment_count++];
        *a = dip_augment_defaults(kind);
        read_augment(s, name, a);
    }
    if (dip_transform_check(t, &err) != DIP_OK)
        dip_config_fault(s->config, "augment", "%s", err.msg);
}

/* A key that the kind does not read would change nothing, and a file that it
 * needs must be named. */
static void check_tokenizer(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_tokenizer_kind kind = s->tokenizer.kind;
    const char *file = dip_tokenizer_kind_file(kind);
    size_t count = dip_config_child_count(c, "tokenizer");
    for (size_t i = 0; i < count; i++) {
        const char *name = dip_config_child(c, "tokenizer", i);
        if (strcmp(name, "kind") != 0 && strcmp(name, "context") != 0 &&
            !dip_tokenizer_kind_reads(kind, name))
            dip_config_fault(s->config, KEY("tokenizer.%s", name),
                             "'tokenizer.%s' is not for the kind '%s'", name,
                             dip_tokenizer_kind_name(kind));
    }
    if (file != NULL && !dip_config_has(c, KEY("tokenizer.%s", file)))
        dip_config_fault(s->config, "tokenizer.kind",
                         "the kind '%s' needs 'tokenizer.%s'",
                         dip_tokenizer_kind_name(kind), file);
}

/* These have no fallback in the table of options: a resolved config holds no
 * key that its kind does not read. */
static bool true_unless_set(const dip_config *c, const char *key)
{
    return !dip_config_has(c, key) || dip_config_bool(c, key);
}

static int64_t int_or(const dip_config *c, const char *key, int64_t fallback)
{
    return dip_config_has(c, key) ? dip_config_int(c, key) : fallback;
}

static void read_tokenizer(dip_settings *s)
{
    const dip_config *c = s->config;
    bool own_clean = dip_config_has(c, "tokenizer.clean");
    s->context = dip_config_int(c, "tokenizer.context");
    s->tokenizer = (dip_tokenizer_options){
        .kind = (dip_tokenizer_kind)dip_config_choice(c, "tokenizer.kind"),
        .punctuation = dip_config_bool(c, "tokenizer.punctuation"),
        .bos = dip_config_bool(c, "tokenizer.bos"),
        .eos = true_unless_set(c, "tokenizer.eos"),
        .min_count = int_or(c, "tokenizer.min_count", 2),
        .max_size = dip_config_int(c, "tokenizer.max_size"),
        .lowercase = true_unless_set(c, "tokenizer.lowercase"),
        .pad_id = int_or(c, "tokenizer.pad_id", -1),
        .count_pads = dip_config_bool(c, "tokenizer.count_pads"),
        .vocab = dip_config_string(c, "tokenizer.vocab"),
        .merges = dip_config_string(c, "tokenizer.merges"),
        .model = dip_config_string(c, "tokenizer.model"),
    };
    s->tokenizer.clean =
        own_clean ? (dip_clean)dip_config_choice(c, "tokenizer.clean")
                  : dip_tokenizer_kind_clean(s->tokenizer.kind);
    check_tokenizer(s);
}

static void read_data(dip_settings *s)
{
    const dip_config *c = s->config;
    s->catalog = dip_config_string(c, "data.catalog");
    s->image_column = dip_config_string(c, "data.image");
    s->exif = dip_config_bool(c, "data.exif");
    s->max_pixels = dip_config_int(c, "data.max_pixels");
    s->bad_image = (dip_bad_image)dip_config_choice(c, "data.bad_image");
    read_mapping(s);
    read_transform(s);
    read_tokenizer(s);
}

/* ---- texts, fields, tasks ---- */

/* The source of a field's text; added when it is new. -1 when there is no room.
 */
static int field_source(dip_settings *s, const char *name, const char *key)
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

static int query_source(dip_settings *s, const char *template, const char *key)
{
    for (int i = 0; i < s->text_count; i++) {
        const dip_text_settings *t = &s->texts[i];
        bool same = template == NULL ? t->template == NULL
                                     : t->name == NULL && t->template != NULL &&
                                           strcmp(t->template, template) == 0;
        if (same)
            return i;
    }
    if (s->text_count == DIP_SOURCES_MAX) {
        dip_config_fault(s->config, key, "more than %d texts", DIP_SOURCES_MAX);
        return -1;
    }
    s->texts[s->text_count] = (dip_text_settings){.template = template};
    return s->text_count++;
}

static int find_field(const dip_settings *s, const char *name)
{
    for (int i = 0; i < s->field_count; i++) {
        if (strcmp(s->fields[i], name) == 0)
            return i;
    }
    return -1;
}

static int add_field(dip_settings *s, const char *name, const char *key)
{
    int found = find_field(s, name);
    if (found >= 0)
        return found;
    if (s->field_count == DIP_FUSION_FIELDS_MAX) {
        dip_config_fault(s->config, key, "more than %d product fields",
                         DIP_FUSION_FIELDS_MAX);
        return -1;
    }
    int source = DIP_SOURCE_IMAGE;
    if (dip_settings_is_attribute(s, name)) {
        source = DIP_SOURCE_ATTRIBUTE(s->field_count);
        dip_settings_read_attribute(s, s->field_count, name);
    } else if (strcmp(name, "image") != 0) {
        source = field_source(s, name, key);
    }
    s->fields[s->field_count] = name;
    s->field_text[s->field_count] = source;
    return s->field_count++;
}

static void read_product_fields(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.product_fields", task->name);
    const char *const *names;
    size_t count = dip_config_strings(&names, s->config, key);
    if (count == 0)
        dip_config_fault(s->config, key, "'%s' is empty", key);
    for (size_t i = 0; i < count; i++) {
        int field = add_field(s, names[i], key);
        if (field < 0)
            continue;
        if (task->fields[field])
            dip_config_fault(s->config, key, "field '%s' twice in '%s'",
                             names[i], key);
        task->fields[field] = true;
        task->field_count++;
    }
}

/* The source of one field of a query. */
static int one_query(dip_settings *s, const char *query, const char *key)
{
    if (strcmp(query, "image") == 0)
        return DIP_SOURCE_IMAGE;
    if (strcmp(query, "judgements") == 0)
        return query_source(s, NULL, key);
    if (strchr(query, '{') != NULL)
        return query_source(s, query, key);
    if (dip_settings_is_attribute(s, query)) {
        dip_config_fault(s->config, key,
                         "'%s' is a label or a number, and a query is a text: "
                         "\"{column}\" makes one",
                         query);
        return DIP_SOURCE_IMAGE;
    }
    return field_source(s, query, key);
}

static void check_mix(dip_settings *s, const dip_task_settings *task,
                      const char *key)
{
    const dip_query_mix *m = &task->mix;
    for (int i = 0; i < m->count; i++) {
        if (task->judged ||
            (m->sources[i] >= 0 && s->texts[m->sources[i]].template == NULL))
            dip_config_fault(s->config, key,
                             "'%s': a query of the log has no other fields",
                             key);
        for (int j = 0; j < i; j++) {
            if (m->sources[i] == m->sources[j])
                dip_config_fault(s->config, key, "'%s': a field twice", key);
        }
    }
    if (m->count > 0 && task->distinct_queries)
        dip_config_fault(s->config, key,
                         "'%s' and distinct_queries: queries of several fields "
                         "are not told apart by one text",
                         key);
}

/* The fields of a query that has several. */
static void read_mix(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.query_with", task->name);
    const char *weight_key = KEY("tasks.%s.query_weights", task->name);
    dip_query_mix *m = &task->mix;
    const char *const *names;
    const double *weights;
    size_t n = dip_config_strings(&names, s->config, key);
    size_t given = dip_config_floats(&weights, s->config, weight_key);
    if (n + 1 > DIP_QUERY_FIELDS_MAX) {
        dip_config_fault(s->config, key, "more than %d fields of a query",
                         DIP_QUERY_FIELDS_MAX);
        return;
    }
    if (given > 0 && (n == 0 || given != n + 1)) {
        dip_config_fault(s->config, weight_key,
                         "'%s' has %zu numbers, and 'query' and 'query_with' "
                         "%zu fields",
                         weight_key, given, n + 1);
        return;
    }
    for (size_t i = 0; n > 0 && i <= n; i++) {
        m->sources[i] = i == 0 ? task->query : one_query(s, names[i - 1], key);
        m->weights[i] = given > 0 ? weights[i] : 1;
        m->count++;
        if (i > 0)
            dip_settings_check_leaks(s, task, names[i - 1]);
    }
    check_mix(s, task, key);
}

static void read_query(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.query", task->name);
    const char *query = dip_config_string(s->config, key);
    dip_settings_check_leaks(s, task, query);
    task->query = one_query(s, query, key);
    task->judged = strcmp(query, "judgements") == 0;
    read_mix(s, task);
}

static void read_relevance(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.relevant_by", task->name);
    task->relevant_by_count =
        dip_config_strings(&task->relevant_by, s->config, key);
    if (task->relevant_by_count == 0)
        dip_config_fault(s->config, key, "'%s' is empty", key);
    bool judged = false;
    for (size_t i = 0; i < task->relevant_by_count; i++)
        judged = judged || strcmp(task->relevant_by[i], "judgements") == 0;
    if (judged != task->judged || (judged && task->relevant_by_count > 1))
        dip_config_fault(s->config, key,
                         "task '%s': `relevant_by: judgements` and `query: "
                         "judgements` stand together and alone",
                         task->name);
}

static void read_task(dip_settings *s, const char *name)
{
    dip_task_settings *task = &s->tasks[s->task_count++];
    task->name = name;
    if (strchr(name, '/') != NULL) /* it names a group of an HDF5 file */
        dip_config_fault(s->config, KEY("tasks.%s", name),
                         "task '%s': a name holds no slash", name);
    task->weight = dip_config_float(s->config, KEY("tasks.%s.weight", name));
    task->distinct_queries =
        dip_config_bool(s->config, KEY("tasks.%s.distinct_queries", name));
    task->fields_alone =
        dip_config_bool(s->config, KEY("tasks.%s.fields_alone", name));
    task->fields_removed =
        dip_config_bool(s->config, KEY("tasks.%s.fields_removed", name));
    task->fields_permuted =
        dip_config_bool(s->config, KEY("tasks.%s.fields_permuted", name));
    if (dip_config_string(s->config, KEY("tasks.%s.query", name)) == NULL)
        return; /* reported: it is required */
    read_product_fields(s, task);
    read_query(s, task);
    read_relevance(s, task);
}

static void read_tasks(dip_settings *s)
{
    size_t count = dip_config_child_count(s->config, "tasks");
    if (count == 0)
        dip_config_fault(s->config, "tasks", "there is no task under 'tasks'");
    if (count > DIP_RETRIEVAL_TASKS_MAX)
        dip_config_fault(s->config, "tasks", "more than %d tasks",
                         DIP_RETRIEVAL_TASKS_MAX);
    for (size_t i = 0; i < count && i < DIP_RETRIEVAL_TASKS_MAX; i++)
        read_task(s, dip_config_child(s->config, "tasks", i));
    size_t fields = dip_config_child_count(s->config, "fields");
    for (size_t i = 0; i < fields; i++) {
        const char *name = dip_config_child(s->config, "fields", i);
        bool used = find_field(s, name) >= 0;
        for (int t = 0; t < s->text_count; t++)
            used = used || (s->texts[t].name != NULL &&
                            strcmp(s->texts[t].name, name) == 0);
        if (!used)
            dip_config_fault(s->config, KEY("fields.%s", name),
                             "no task uses the field '%s'", name);
    }
}

/* ---- model and loss ---- */

/* Sizes of lists in the towers' options. */
static int read_sizes(dip_settings *s, const char *key,
                      int64_t out[DIP_TOWER_STAGES_MAX])
{
    const int64_t *items;
    size_t n = dip_config_ints(&items, s->config, key);
    if (n > DIP_TOWER_STAGES_MAX) {
        dip_config_fault(s->config, key, "more than %d stages in '%s'",
                         DIP_TOWER_STAGES_MAX, key);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = items[i];
    return (int)n;
}

static void read_image_tower(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_image_options *o = &s->model.image;
    o->kind = dip_config_string(c, "model.image.tower");
    o->image_size = s->transform.size;
    o->width = dip_config_int(c, "model.image.width");
    o->depth = dip_config_int(c, "model.image.depth");
    o->layer_count = read_sizes(s, "model.image.layers", o->layers);
    o->width_count = read_sizes(s, "model.image.widths", o->widths);
    o->block = dip_config_string(c, "model.image.block");
    o->stem = dip_config_string(c, "model.image.stem");
    o->zero_init_residual =
        dip_config_bool(c, "model.image.zero_init_residual");
    o->drop_path = dip_config_float(c, "model.image.drop_path");
    o->patch = dip_config_int(c, "model.image.patch");
    o->heads = dip_config_int(c, "model.image.heads");
    o->mlp_ratio = dip_config_float(c, "model.image.mlp_ratio");
    o->dropout = dip_config_float(c, "model.image.dropout");
    o->attention_dropout = dip_config_float(c, "model.image.attention_dropout");
    o->features = dip_config_int(c, "model.image.features");
    o->batch_norm = dip_config_bool(c, "model.image.batch_norm");
    o->pooling = dip_config_string(c, "model.image.pooling");
    o->activation = dip_config_string(c, "model.image.activation");
}

static void read_text_tower(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_text_options *o = &s->model.text;
    o->kind = dip_config_string(c, "model.text.tower");
    o->vocabulary = DIP_TOKEN_FIRST_WORD; /* until the tokenizer is built */
    o->context = s->context;
    o->width = dip_config_int(c, "model.text.width");
    o->depth = dip_config_int(c, "model.text.depth");
    o->token_width = dip_config_int(c, "model.text.token_width");
    o->heads = dip_config_int(c, "model.text.heads");
    o->window_count = read_sizes(s, "model.text.windows", o->windows);
    o->mlp_ratio = dip_config_float(c, "model.text.mlp_ratio");
    o->dropout = dip_config_float(c, "model.text.dropout");
    o->attention_dropout = dip_config_float(c, "model.text.attention_dropout");
    o->pooling = dip_config_string(c, "model.text.pooling");
    o->bidirectional = dip_config_bool(c, "model.text.bidirectional");
    o->activation = dip_config_string(c, "model.text.activation");
    o->norm_eps = dip_config_float(c, "model.text.norm_eps");
    o->positions = dip_config_int(c, "model.text.positions");
    o->frozen_tokens = dip_config_bool(c, "model.text.vectors_frozen");
    s->vectors = dip_config_string(c, "model.text.vectors");
    if (s->vectors == NULL && o->frozen_tokens)
        dip_config_fault(s->config, "model.text.vectors_frozen",
                         "'model.text.vectors_frozen' needs "
                         "'model.text.vectors'");
    if (s->vectors != NULL && s->tokenizer.kind != DIP_TOKENIZER_WORD)
        dip_config_fault(s->config, "model.text.vectors",
                         "'model.text.vectors' needs 'tokenizer.kind' word");
}

static void read_fusion(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_fusion_options *o = &s->model.fusion;
    o->kind = dip_config_string(c, "model.fusion.kind");
    o->fixed = dip_config_bool(c, "model.fusion.fixed");
    o->hidden = dip_config_int(c, "model.fusion.hidden");
    o->dropout = dip_config_float(c, "model.fusion.dropout");
    o->factors = dip_config_int(c, "model.fusion.factors");
    o->depth = dip_config_int(c, "model.fusion.depth");
    o->heads = dip_config_int(c, "model.fusion.heads");
    o->mlp_ratio = dip_config_float(c, "model.fusion.mlp_ratio");
    size_t weights = dip_config_child_count(c, "model.fusion.weights");
    for (int f = 0; f < s->field_count && weights > 0; f++)
        o->weights[f] = 1;
    for (size_t i = 0; i < weights; i++) {
        const char *name = dip_config_child(c, "model.fusion.weights", i);
        const char *key = KEY("model.fusion.weights.%s", name);
        int field = find_field(s, name);
        if (field < 0)
            dip_config_fault(s->config, key, "'%s' is no product field", name);
        else
            o->weights[field] = dip_config_float(c, key);
    }
}

static void read_heads(dip_settings *s)
{
    const dip_config *c = s->config;
    size_t count = dip_config_child_count(c, "model.heads");
    if (count > DIP_MODEL_HEADS_MAX)
        dip_config_fault(s->config, "model.heads", "more than %d heads",
                         DIP_MODEL_HEADS_MAX);
    for (size_t i = 0; i < count && i < DIP_MODEL_HEADS_MAX; i++) {
        const char *name = dip_config_child(c, "model.heads", i);
        int input = dip_config_choice(c, KEY("model.heads.%s.input", name));
        s->head_weights[i] =
            dip_config_float(c, KEY("model.heads.%s.weight", name));
        s->model.heads[s->model.head_count++] = (dip_head_options){
            .name = name,
            .classes = 1, /* until the catalog is open */
            .input = (dip_head_input)input,
        };
        dip_settings_read_head(s, (int)i);
    }
}

static void read_projection(dip_settings *s, dip_projection_options *o,
                            const char *tower)
{
    const dip_config *c = s->config;
    *o = (dip_projection_options){
        .hidden = dip_config_int(c, KEY("model.%s_projection.hidden", tower)),
        .dropout =
            dip_config_float(c, KEY("model.%s_projection.dropout", tower)),
        .bias = dip_config_bool(c, KEY("model.%s_projection.bias", tower)),
        .none = dip_config_bool(c, KEY("model.%s_projection.none", tower)),
    };
}

/* The model names an option without "model."; the size of photos, which is an
 * option of its image tower, stands elsewhere in a config. */
static void add_model_fault(dip_settings *s, const char *words)
{
    static const char size[] = "image.image_size:";
    char key[DIP_ERR_SIZE + sizeof "model."];
    size_t name = strcspn(words, ":");
    if (strncmp(words, size, sizeof size - 1) == 0)
        (void)snprintf(key, sizeof key, "data.image_size");
    else
        (void)snprintf(key, sizeof key, "model.%.*s", (int)name, words);
    dip_config_fault(s->config, key, "%s%s", key, words + name);
}

static void read_model(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_model_config *m = &s->model;
    m->seed = s->seed;
    m->embed_dim = dip_config_int(c, "model.embed_dim");
    read_image_tower(s);
    read_text_tower(s);
    read_projection(s, &m->image_projection, "image");
    read_projection(s, &m->text_projection, "text");
    m->similarity = (dip_similarity)dip_config_choice(c, "model.similarity");
    m->temperature = dip_config_float(c, "model.temperature");
    m->fixed_temperature = dip_config_bool(c, "model.fixed_temperature");
    memcpy(m->fields, s->fields, sizeof m->fields);
    m->field_count = s->field_count;
    m->lora.rank = dip_config_int(c, "lora.rank");
    m->lora.alpha = dip_config_float(c, "lora.alpha");
    m->lora.dropout = dip_config_float(c, "lora.dropout");
    m->lora.target_count =
        dip_config_strings(&m->lora.targets, c, "lora.targets");
    m->lora.train_count = dip_config_strings(&m->lora.train, c, "lora.train");
    read_fusion(s);
    read_heads(s);
    dip_settings_read_loss(s);
    m->match_hidden = dip_config_int(c, "model.match.hidden");
    s->match = (dip_match_recipe){
        .weight =
            m->match_hidden > 0 ? dip_config_float(c, "model.match.weight") : 0,
        .negatives = dip_config_int(c, "model.match.negatives"),
        .detach = dip_config_bool(c, "model.match.detach"),
    };
    dip_err err = {0};
    if (dip_model_config_check(m, &err) != DIP_OK)
        add_model_fault(s, err.msg);
}

/* ---- all ---- */

/* The run directory is named after it. */
static void check_name(dip_settings *s)
{
    if (s->name[0] == '\0' || strchr(s->name, '/') != NULL ||
        strcmp(s->name, ".") == 0 || strcmp(s->name, "..") == 0)
        dip_config_fault(s->config, "name", "'name' cannot be '%s'", s->name);
}

static void check_weights(dip_settings *s)
{
    double sum = 0;
    for (int t = 0; t < s->task_count; t++)
        sum += s->tasks[t].weight;
    for (int h = 0; h < s->model.head_count; h++)
        sum += s->head_weights[h];
    if (s->task_count > 0 && sum <= 0)
        dip_config_fault(s->config, "tasks",
                         "no task and no head has a weight above 0");
}

static void read_retrieval(dip_settings *s)
{
    read_data(s);
    read_tasks(s);
    for (int p = 0; p < DIP_INITIAL_PART_COUNT; p++)
        s->init[p] = dip_config_string(
            s->config,
            KEY("init.%s", dip_initial_part_name((dip_initial_part)p)));
    read_model(s);
    check_weights(s);
    dip_settings_read_train(s);
    dip_settings_read_eval(s);
}

/* Its rankings are reported as those of a task of this name. */
static void read_recommendation(dip_settings *s)
{
    s->catalog = dip_config_string(s->config, "data.catalog");
    s->tasks[0].name = "recommendation";
    s->task_count = 1;
    dip_settings_read_loop(s);
    s->precision = 1; /* fp32 */
    s->loop.optimizer.tuning =
        (dip_tuning_options){.layer_decay = 1, .image_rate = 1, .text_rate = 1};
    dip_settings_read_recommendation(s);
    dip_settings_read_ranking(&s->eval.ranking, s->config);
    s->resamples = dip_config_int(s->config, "eval.bootstrap");
}

/* A config of the retrieval's table that says another task is read again, by
 * the table of that. */
static dip_status load_config(dip_settings *s, const char *path,
                              const char *const *overrides, size_t count,
                              dip_err *err)
{
    size_t rows;
    const dip_option *all = dip_options_table(&rows);
    dip_status st =
        dip_config_load(&s->config, all, rows, path, overrides, count, err);
    if (s->config == NULL)
        return st;
    if (dip_config_has(s->config, "task"))
        s->task = (dip_task_kind)dip_config_choice(s->config, "task");
    dip_config_free(s->config);
    s->config = NULL;
    s->table = dip_options_of_task(&rows, s->task);
    return s->table != NULL ? dip_config_load(&s->config, s->table, rows, path,
                                              overrides, count, err)
                            : dip_no_memory(err);
}

dip_status dip_settings_load(dip_settings **out, const char *path,
                             const char *const *overrides, size_t count,
                             dip_str *faults, dip_err *err)
{
    dip_settings *s = dip_calloc(1, sizeof *s);
    *out = s;
    if (s == NULL)
        return dip_no_memory(err);
    dip_status st = load_config(s, path, overrides, count, err);
    if (st == DIP_OK) {
        s->name = dip_config_string(s->config, "name");
        s->seed = (uint64_t)dip_config_int(s->config, "seed");
        check_name(s);
        if (s->task == DIP_TASK_RECOMMENDATION)
            read_recommendation(s);
        else
            read_retrieval(s);
        st = dip_config_status(s->config, err);
    }
    if (st != DIP_OK && s->config != NULL)
        dip_str_add(faults, dip_config_faults(s->config));
    return st;
}

void dip_settings_free(dip_settings *s)
{
    if (s == NULL)
        return;
    free(s->mapping.texts);
    free(s->mapping.labels);
    free(s->mapping.numbers);
    dip_config_free(s->config);
    free(s->table);
    free(s);
}
