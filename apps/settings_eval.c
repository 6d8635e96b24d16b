#include "apps/settings_eval.h"

#include <string.h>

#include "eval/ranking.h"

#define KEY(...) dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

static void read_matching(dip_settings *s)
{
    const dip_config *c = s->config;
    const char *task = dip_config_string(c, "eval.matching.task");
    s->matching_category = dip_config_string(c, "eval.matching.category");
    s->matching_task = task == NULL ? 0 : -1;
    for (int t = 0; t < s->task_count && task != NULL; t++) {
        if (strcmp(s->tasks[t].name, task) == 0)
            s->matching_task = t;
    }
    if (s->matching_task < 0)
        dip_config_fault(s->config, "eval.matching.task", "no task '%s'", task);
    else if (s->tasks[s->matching_task].judged ||
             !dip_config_bool(c, "eval.matching.enabled"))
        s->matching_task = -1; /* graded judgements make no pairs */
}

static void read_zero_shot(dip_settings *s)
{
    const dip_config *c = s->config;
    size_t count = dip_config_child_count(c, "eval.zero_shot");
    if (count > DIP_MODEL_HEADS_MAX)
        dip_config_fault(s->config, "eval.zero_shot",
                         "more than %d labels in 'eval.zero_shot'",
                         DIP_MODEL_HEADS_MAX);
    for (size_t i = 0; i < count && i < DIP_MODEL_HEADS_MAX; i++) {
        const char *label = dip_config_child(c, "eval.zero_shot", i);
        dip_zero_shot_settings *z = &s->zero_shot[s->zero_shot_count++];
        z->label = label;
        z->template_count = dip_config_strings(
            &z->templates, c, KEY("eval.zero_shot.%s.templates", label));
        z->of_product =
            dip_config_choice(c, KEY("eval.zero_shot.%s.input", label)) == 1;
        if (z->template_count == 0)
            dip_config_fault(s->config,
                             KEY("eval.zero_shot.%s.templates", label),
                             "'eval.zero_shot.%s.templates' is empty", label);
        for (size_t t = 0; t < z->template_count; t++) {
            if (strstr(z->templates[t], "{}") == NULL)
                dip_config_fault(s->config,
                                 KEY("eval.zero_shot.%s.templates", label),
                                 "no {} in the template '%s'", z->templates[t]);
        }
    }
}

/* A product that holds the label gives it away. */
static void check_probe(dip_settings *s, const char *key,
                        const dip_probe_settings *probe)
{
    for (int f = 0; f < s->field_count && probe->of_product; f++) {
        const char *column = s->attributes[f].column;
        if (column != NULL && strcmp(column, probe->label) == 0)
            dip_config_fault(s->config, KEY("%s.%s.input", key, probe->label),
                             "'%s.%s.input' is the product, whose field '%s' "
                             "is that label",
                             key, probe->label, s->fields[f]);
    }
}

/* The labels in `key`, and what all probes have. */
static int read_probes(dip_probe_settings *out, dip_settings *s,
                       const char *key)
{
    const dip_config *c = s->config;
    size_t count = dip_config_child_count(c, key);
    if (count > DIP_MODEL_HEADS_MAX)
        dip_config_fault(s->config, key, "more than %d labels in '%s'",
                         DIP_MODEL_HEADS_MAX, key);
    if (count > DIP_MODEL_HEADS_MAX)
        count = DIP_MODEL_HEADS_MAX;
    for (size_t i = 0; i < count; i++) {
        const char *label = dip_config_child(c, key, i);
        out[i] = (dip_probe_settings){
            .label = label,
            .of_product =
                dip_config_choice(c, KEY("%s.%s.input", key, label)) == 1};
        check_probe(s, key, &out[i]);
    }
    return (int)count;
}

static void read_knn(dip_settings *s)
{
    const dip_config *c = s->config;
    s->knn_count = read_probes(s->knn, s, "eval.knn");
    for (int i = 0; i < s->knn_count; i++) {
        const char *label = s->knn[i].label;
        s->knn[i].knn = (dip_knn_options){
            .k = dip_config_int(c, KEY("eval.knn.%s.k", label)),
            .temperature =
                dip_config_float(c, KEY("eval.knn.%s.temperature", label))};
    }
}

static void read_linear_probe(dip_settings *s)
{
    const dip_config *c = s->config;
    s->linear_probe_count =
        read_probes(s->linear_probe, s, "eval.linear_probe");
    for (int i = 0; i < s->linear_probe_count; i++) {
        const char *label = s->linear_probe[i].label;
        s->linear_probe[i].linear = (dip_linear_options){
            .standardise = dip_config_bool(
                c, KEY("eval.linear_probe.%s.standardise", label)),
            .iterations = dip_config_int(
                c, KEY("eval.linear_probe.%s.iterations", label)),
            .tolerance = 1e-6};
    }
}

static void read_cutoffs(dip_ranking_options *o, dip_config *c)
{
    const int64_t *cutoffs;
    o->n_cutoffs = 0;
    size_t count = dip_config_ints(&cutoffs, c, "eval.k");
    if (count == 0 || count > DIP_RANKING_CUTOFFS)
        dip_config_fault(c, "eval.k", "'eval.k' has %zu items, not 1 to %d",
                         count, DIP_RANKING_CUTOFFS);
    for (size_t i = 0; i < count && i < DIP_RANKING_CUTOFFS; i++)
        o->cutoffs[o->n_cutoffs++] = cutoffs[i];
}

void dip_settings_read_ranking(dip_ranking_options *o, dip_config *c)
{
    *o = dip_ranking_defaults();
    read_cutoffs(o, c);
    o->ties = (dip_ties)dip_config_choice(c, "eval.ties");
    o->gain = (dip_gain)dip_config_choice(c, "eval.gain");
    o->count_empty = dip_config_bool(c, "eval.count_empty");
    o->max_grade = dip_config_float(c, "eval.max_grade");
    o->persistence = dip_config_float(c, "eval.rbp_persistence");
}

static void read_slices(dip_settings *s)
{
    dip_eval_settings *e = &s->eval;
    dip_ranking like = {.n_cutoffs = e->ranking.n_cutoffs};
    char name[DIP_RANKING_NAME_SIZE];
    bool known = false;
    memcpy(like.cutoffs, e->ranking.cutoffs, sizeof like.cutoffs);
    e->slice_metric = dip_config_string(s->config, "eval.slice_metric");
    for (int m = 0; m < dip_ranking_metrics(&like) && !known; m++) {
        dip_ranking_name(name, &like, m);
        known = strcmp(name, e->slice_metric) == 0;
    }
    if (!known)
        dip_config_fault(s->config, "eval.slice_metric",
                         "no metric '%s' to sort slices by: there are mrr, "
                         "map, ndcg, r_precision and, for each k of eval.k, "
                         "hit@k, recall@k, precision@k, map@k, ndcg@k",
                         e->slice_metric);
}

static bool is_task(const dip_settings *s, const char *name)
{
    bool found = false;
    for (int t = 0; t < s->task_count; t++)
        found |= strcmp(s->tasks[t].name, name) == 0;
    return found;
}

static void read_sampled(dip_settings *s)
{
    const dip_config *c = s->config;
    size_t count = dip_config_child_count(c, "eval.sampled");
    for (size_t i = 0; i < count; i++) {
        const char *task = dip_config_child(c, "eval.sampled", i);
        dip_sampled_settings *one = &s->eval.sampled[s->eval.sampled_count];
        if (!is_task(s, task)) {
            dip_config_fault(s->config, KEY("eval.sampled.%s", task),
                             "'eval.sampled' names no task '%s'", task);
            continue;
        }
        *one = (dip_sampled_settings){
            .task = task,
            .options = {.candidates = dip_config_int(
                            c, KEY("eval.sampled.%s.candidates", task)),
                        .queries = dip_config_int(
                            c, KEY("eval.sampled.%s.queries", task)),
                        .draws = dip_config_int(
                            c, KEY("eval.sampled.%s.draws", task))},
            .category =
                dip_config_string(c, KEY("eval.sampled.%s.category", task))};
        s->eval.sampled_count++;
    }
}

/* What every evaluation of rows has. */
static void read_common(dip_settings *s)
{
    const dip_config *c = s->config;
    s->eval_batch_size = dip_config_int(c, "eval.batch_size");
    s->resamples = dip_config_int(c, "eval.bootstrap");
    s->html = dip_config_bool(c, "eval.html");
    s->eval.slice_count = dip_config_strings(&s->eval.slices, c, "eval.slices");
}

void dip_settings_read_class_eval(dip_settings *s)
{
    read_common(s);
    s->eval.ranking = dip_ranking_defaults();
    read_cutoffs(&s->eval.ranking, s->config);
    s->matching_task = -1;
}

void dip_settings_read_eval(dip_settings *s)
{
    const dip_config *c = s->config;
    read_common(s);
    dip_settings_read_ranking(&s->eval.ranking, s->config);
    s->rerank = dip_config_int(c, "eval.rerank");
    s->gallery = dip_config_int(c, "eval.gallery");
    if (s->rerank > 0 && s->model.match_hidden == 0)
        dip_config_fault(s->config, "eval.rerank",
                         "'eval.rerank' needs a match classifier: set "
                         "model.match.hidden");
    read_slices(s);
    read_sampled(s);
    read_zero_shot(s);
    read_knn(s);
    read_linear_probe(s);
    read_matching(s);
}
