#include "apps/settings_loss.h"

#include <string.h>

#include "base/mem.h"

#define KEY(...) dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

/* Keys of `loss:` that are not a kind's own. */
static const char *const COMMON[] = {
    "kind", "blocked", "queue", "matryoshka", "matryoshka_weights", "distill"};

static bool is_common(const char *name)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(COMMON); i++) {
        if (strcmp(name, COMMON[i]) == 0)
            return true;
    }
    return false;
}

/* A list without numbers, as a resolved config writes one that is not set. */
static bool is_empty_list(const dip_config *c, const char *name,
                          const char *key)
{
    const double *numbers;
    bool list =
        strcmp(name, "score_steps") == 0 || strcmp(name, "step_weights") == 0;
    return list && dip_config_floats(&numbers, c, key) == 0;
}

static void refuse_unread(dip_settings *s)
{
    size_t count = dip_config_child_count(s->config, "loss");
    for (size_t i = 0; i < count; i++) {
        const char *name = dip_config_child(s->config, "loss", i);
        const char *key = KEY("loss.%s", name);
        if (!is_common(name) && !dip_loss_kind_reads(s->loss, name) &&
            !is_empty_list(s->config, name, key))
            dip_config_fault(s->config, key, "%s: not an option of '%s'", key,
                             s->loss->name);
    }
}

/* An enum's position, where it is set. */
static void read_choice(int *out, const dip_config *c, const char *key)
{
    int choice = dip_config_choice(c, key);
    if (choice >= 0)
        *out = choice;
}

static void read_real(double *out, const dip_config *c, const char *key)
{
    if (dip_config_has(c, key))
        *out = dip_config_float(c, key);
}

static void read_steps(dip_settings *s, dip_score_options *o)
{
    const double *steps, *weights;
    size_t n = dip_config_floats(&steps, s->config, "loss.score_steps");
    size_t m = dip_config_floats(&weights, s->config, "loss.step_weights");
    bool wanted = o->kind == DIP_SCORE_WEIGHT_PIECEWISE;
    if (n != m || (n > 0) != wanted || n > DIP_SCORE_STEPS_MAX) {
        dip_config_fault(s->config, "loss.score_steps",
                         "'loss.score_steps' and 'loss.step_weights' are lists "
                         "of 1 to %d numbers, equally long, for "
                         "`score_to_weight: piecewise` alone",
                         DIP_SCORE_STEPS_MAX);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && !(steps[i] > steps[i - 1]))
            dip_config_fault(s->config, "loss.score_steps",
                             "'loss.score_steps' does not ascend");
        o->steps[i] = steps[i];
        o->weights[i] = weights[i];
    }
    o->step_count = (int)n;
}

static void read_score(dip_settings *s, dip_score_options *o)
{
    int kind = (int)o->kind;
    read_choice(&kind, s->config, "loss.score_to_weight");
    o->kind = (dip_score_weight)kind;
    o->max = 0; /* the trainer asks the catalog */
    read_real(&o->max, s->config, "loss.score_max");
    read_steps(s, o);
}

/* Distances of triplets are the model's own, unless its rows are unit ones. */
static void read_distance(dip_settings *s, dip_loss_options *o)
{
    bool euclidean = s->model.similarity == DIP_SIMILARITY_EUCLIDEAN;
    int distance = euclidean ? DIP_DISTANCE_SQUARED : DIP_DISTANCE_COSINE;
    read_choice(&distance, s->config, "loss.distance");
    o->distance = (dip_distance)distance;
    if (euclidean && o->distance == DIP_DISTANCE_COSINE)
        dip_config_fault(s->config, "loss.distance",
                         "'loss.distance: cosine' does not go with "
                         "'model.similarity: euclidean'");
}

static void read_options(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_loss_options *o = &s->loss_options;
    *o = s->loss->defaults;
    int positives = (int)o->positives, form = (int)o->form;
    int views = (int)o->views, mining = (int)o->mining;
    read_choice(&positives, c, "loss.positives");
    read_choice(&form, c, "loss.form");
    read_choice(&views, c, "loss.views");
    read_choice(&mining, c, "loss.mining");
    o->positives = (dip_positives)positives;
    o->form = (dip_supcon_form)form;
    o->views = (dip_views)views;
    o->mining = (dip_mining)mining;
    if (dip_config_has(c, "loss.symmetric"))
        o->one_way = !dip_config_bool(c, "loss.symmetric");
    read_real(&o->label_smoothing, c, "loss.label_smoothing");
    read_real(&o->margin, c, "loss.margin");
    read_real(&o->bias, c, "loss.bias");
    read_score(s, &o->score);
    read_distance(s, o);
}

static void read_matryoshka(dip_settings *s)
{
    const int64_t *dims;
    const double *weights;
    size_t n = dip_config_ints(&dims, s->config, "loss.matryoshka");
    size_t m =
        dip_config_floats(&weights, s->config, "loss.matryoshka_weights");
    if (n > DIP_MATRYOSHKA_MAX || (m > 0 && m != n)) {
        dip_config_fault(s->config, "loss.matryoshka",
                         "'loss.matryoshka' has at most %d lengths, and "
                         "'loss.matryoshka_weights' a number for each",
                         DIP_MATRYOSHKA_MAX);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (dims[i] > s->model.embed_dim)
            dip_config_fault(s->config, "loss.matryoshka",
                             "'loss.matryoshka': %lld is above "
                             "'model.embed_dim', %lld",
                             (long long)dims[i], (long long)s->model.embed_dim);
        s->matryoshka.dims[i] = dims[i];
        s->matryoshka.weights[i] = m > 0 ? weights[i] : 1;
    }
    s->matryoshka.count = (int)n;
}

/* Views of the two sides are compared with each other, which lifted rows do
 * not give. */
static void check_views(dip_settings *s)
{
    if (dip_loss_kind_reads(s->loss, "views") &&
        s->loss_options.views == DIP_VIEWS_ALL &&
        s->model.similarity == DIP_SIMILARITY_EUCLIDEAN)
        dip_config_fault(s->config, "loss.views",
                         "'loss.kind: %s' with 'model.similarity: euclidean' "
                         "needs 'loss.views: cross'",
                         s->loss->name);
}

/* From how many rows of a batch on, auto takes the blocked form. */
#define BLOCKED_FROM 2048

static void read_blocked(dip_settings *s)
{
    enum { AUTO, ON, OFF };
    int choice = dip_config_choice(s->config, "loss.blocked");
    s->blocked_from = choice == AUTO ? BLOCKED_FROM : choice == ON ? 1 : 0;
    if (choice == ON && !s->loss->reads_keys)
        dip_config_fault(s->config, "loss.blocked",
                         "'loss.kind: %s' has no blocked form", s->loss->name);
}

/* After read_blocked(): a loss with a past has all pairs. */
static void read_queue(dip_settings *s)
{
    enum { AUTO, ON, OFF };
    s->queue = dip_config_int(s->config, "loss.queue");
    if (s->queue == 0)
        return;
    s->blocked_from = 0;
    if (dip_config_choice(s->config, "loss.blocked") == ON)
        dip_config_fault(s->config, "loss.queue",
                         "'loss.queue' does not go with 'loss.blocked: on'");
    for (int t = 0; t < s->task_count; t++) {
        if (s->tasks[t].judged && s->tasks[t].weight > 0)
            dip_config_fault(s->config, "loss.queue",
                             "'loss.queue' needs keys that tell right answers "
                             "among earlier rows, and task '%s' has judgements",
                             s->tasks[t].name);
    }
}

/* ---- distillation ---- */

/* The keys that mean nothing without a teacher. */
static void refuse_without_teacher(dip_settings *s)
{
    static const char *const keys[] = {"distill", "teacher_query",
                                       "teacher_product"};
    if (dip_config_has(s->config, "loss.distill"))
        dip_config_fault(s->config, "loss.distill",
                         "'loss.distill' needs 'loss.distill.teacher'");
    for (int t = 0; t < s->task_count; t++) {
        for (size_t i = 0; i < DIP_ARRAY_LEN(keys); i++) {
            const char *key = KEY("tasks.%s.%s", s->tasks[t].name, keys[i]);
            if (dip_config_has(s->config, key))
                dip_config_fault(s->config, key,
                                 "'%s' needs 'loss.distill.teacher'", key);
        }
    }
}

static const char *text_or(const dip_config *c, const char *key,
                           const char *fallback)
{
    return dip_config_has(c, key) ? dip_config_string(c, key) : fallback;
}

/* Which of the teacher's embeddings stand for the two sides of a task. */
static void read_taught(dip_settings *s, dip_task_settings *task)
{
    const dip_config *c = s->config;
    const char *key = KEY("tasks.%s.distill", task->name);
    const char *query = "query", *product = "product";
    bool wanted = dip_config_has(c, key) ? dip_config_bool(c, key)
                                         : !task->judged && task->weight > 0;
    if (wanted && task->judged)
        dip_config_fault(s->config, key,
                         "'%s': a teacher's rows are products, and the queries "
                         "of the task are of the log",
                         key);
    if (!wanted || task->judged || !(task->weight > 0))
        return;
    if (task->mix.count > 0)
        query = "query";
    else if (task->query == DIP_SOURCE_IMAGE)
        query = "image";
    else if (s->texts[task->query].name != NULL)
        query = s->texts[task->query].name;
    for (int f = 0; f < s->field_count && task->field_count == 1; f++)
        product = task->fields[f] ? s->fields[f] : product;
    task->teacher_query =
        text_or(c, KEY("tasks.%s.teacher_query", task->name), query);
    task->teacher_product =
        text_or(c, KEY("tasks.%s.teacher_product", task->name), product);
}

static void read_distill(dip_settings *s)
{
    const dip_config *c = s->config;
    int kind = DIP_DISTILL_KL;
    bool any = false;
    s->teacher = dip_config_string(c, "loss.distill.teacher");
    if (s->teacher == NULL) {
        refuse_without_teacher(s);
        return;
    }
    s->distill = (dip_distill_recipe){.weight = 0.5, .temperature = 0.07};
    read_choice(&kind, c, "loss.distill.kind");
    s->distill.kind = (dip_distill_kind)kind;
    read_real(&s->distill.weight, c, "loss.distill.weight");
    read_real(&s->distill.temperature, c, "loss.distill.temperature");
    if (s->distill.kind != DIP_DISTILL_KL &&
        dip_config_has(c, "loss.distill.temperature"))
        dip_config_fault(s->config, "loss.distill.temperature",
                         "'loss.distill.temperature' is for the kind 'kl'");
    for (int t = 0; t < s->task_count; t++) {
        read_taught(s, &s->tasks[t]);
        any = any || s->tasks[t].teacher_query != NULL;
    }
    if (!any)
        dip_config_fault(s->config, "loss.distill.teacher",
                         "no task to distil 'loss.distill.teacher' into");
}

/* ---- all ---- */

void dip_settings_read_loss(dip_settings *s)
{
    const char *kind = dip_config_string(s->config, "loss.kind");
    s->loss = dip_loss_kind_find(kind);
    if (s->loss == NULL) {
        dip_config_fault(s->config, "loss.kind", "unknown loss '%s'", kind);
        return;
    }
    refuse_unread(s);
    read_options(s);
    read_blocked(s);
    read_queue(s);
    check_views(s);
    read_matryoshka(s);
    read_distill(s);
    s->model.has_bias = s->loss->has_bias;
    s->model.bias = s->loss_options.bias;
    if (!dip_config_has(s->config, "model.temperature") &&
        s->loss->temperature > 0)
        s->model.temperature = s->loss->temperature;
}

void dip_settings_read_head(dip_settings *s, int head)
{
    const dip_config *c = s->config;
    const char *name = s->model.heads[head].name;
    dip_head_settings *h = &s->heads[head];
    const char *list = KEY("model.heads.%s.class_weight_list", name);
    h->label_smoothing =
        dip_config_float(c, KEY("model.heads.%s.label_smoothing", name));
    h->dropout = dip_config_float(c, KEY("model.heads.%s.dropout", name));
    h->weights = (dip_class_weights)dip_config_choice(
        c, KEY("model.heads.%s.class_weights", name));
    h->list_count = dip_config_floats(&h->list, c, list);
    if ((h->list_count > 0) != (h->weights == DIP_CLASS_WEIGHTS_LIST))
        dip_config_fault(s->config, list,
                         "'%s' and `class_weights: list` stand together", list);
}
