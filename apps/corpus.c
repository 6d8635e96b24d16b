#include "apps/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/class_counts.h"
#include "data/hard_negatives.h"
#include "data/sampler.h"

static void print_warning(void *user, const char *message)
{
    (void)user;
    (void)fprintf(stderr, "diptych: warning: %s\n", message);
}

static bool searches_with_image(const dip_task_settings *task)
{
    bool image = task->query == DIP_SOURCE_IMAGE;
    for (int i = 0; i < task->mix.count; i++)
        image = image || task->mix.sources[i] == DIP_SOURCE_IMAGE;
    return image;
}

/* Whether a product, a query or a head is made of photos. */
static bool needs_image(const dip_settings *s)
{
    bool needed = false;
    for (int f = 0; f < s->field_count; f++)
        needed = needed || s->field_text[f] == DIP_SOURCE_IMAGE;
    for (int t = 0; t < s->task_count; t++)
        needed = needed || searches_with_image(&s->tasks[t]);
    for (int h = 0; h < s->model.head_count; h++)
        needed = needed || s->model.heads[h].input == DIP_HEAD_IMAGE ||
                 s->model.heads[h].input == DIP_HEAD_IMAGE_FEATURES;
    return needed;
}

/* The photo's column: the one that is named, or the only one. */
static dip_status bind_image(dip_corpus *c, dip_err *err)
{
    const char *name = c->settings->image_column;
    c->image_column = -1;
    if (c->settings->model.towers == DIP_TOWERS_TEXT)
        return DIP_OK;
    if (name != NULL)
        return dip_catalog_find(c->catalog, DIP_COLUMN_IMAGE, name,
                                &c->image_column, err);
    int count = 0;
    for (int i = 0; i < dip_catalog_column_count(c->catalog); i++) {
        if (dip_catalog_column(c->catalog, i)->kind != DIP_COLUMN_IMAGE)
            continue;
        c->image_column = i;
        count++;
    }
    if (count > 1)
        return dip_fail(err, DIP_EDATA,
                        "%d image columns in '%s': choose one by data.image",
                        count, dip_catalog_path(c->catalog));
    if (count == 0 && needs_image(c->settings))
        return dip_fail(err, DIP_EDATA, "no image column in '%s'",
                        dip_catalog_path(c->catalog));
    return DIP_OK;
}

static dip_status bind_damage(dip_corpus *c, int source, dip_err *err)
{
    const dip_text_settings *t = &c->settings->texts[source];
    if (t->damage_p <= 0)
        return DIP_OK;
    int *labels = dip_calloc(t->damage_label_count, sizeof *labels);
    if (labels == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    for (size_t i = 0; i < t->damage_label_count && st == DIP_OK; i++)
        st = dip_catalog_find(c->catalog, DIP_COLUMN_LABEL, t->damage_labels[i],
                              &labels[i], err);
    dip_damage_options options = {
        .labels = labels,
        .label_count = (int)t->damage_label_count,
        .first_words = t->damage_first_words,
        .p = t->damage_p,
        .seed = t->damage_seed,
    };
    if (st == DIP_OK)
        st = dip_damage_create(&c->damages[source], &options, c->catalog, err);
    free(labels);
    return st;
}

static dip_status bind_texts(dip_corpus *c, dip_err *err)
{
    for (int i = 0; i < c->settings->text_count; i++) {
        const dip_text_settings *t = &c->settings->texts[i];
        dip_status st = DIP_OK;
        if (t->template != NULL)
            st = dip_row_text_compile(&c->formats[i], t->template, c->catalog,
                                      err);
        else if (c->judged.offsets == NULL)
            st = dip_row_queries_build(&c->judged, c->catalog, DIP_SPLIT_TRAIN,
                                       err);
        if (st == DIP_OK)
            st = bind_damage(c, i, err);
        if (st != DIP_OK)
            return st;
        c->sources[i] = (dip_text_source){
            .format = c->formats[i],
            .queries = t->template == NULL ? &c->judged : NULL,
            .context = c->settings->context,
            .damage = c->damages[i],
            .word_dropout = t->word_dropout,
        };
    }
    return DIP_OK;
}

/* Sorts the names of `relevant_by` into the parts of a rule. */
static dip_status sort_rule(const dip_corpus *c, const dip_task_settings *task,
                            int *texts, int *labels, dip_key_rule *rule,
                            dip_err *err)
{
    for (size_t i = 0; i < task->relevant_by_count; i++) {
        const char *name = task->relevant_by[i];
        int column;
        if (strcmp(name, "group") == 0) {
            rule->group = true;
        } else if (dip_catalog_find(c->catalog, DIP_COLUMN_TEXT, name, &column,
                                    NULL) == DIP_OK) {
            texts[rule->text_count++] = column;
        } else {
            dip_status st = dip_catalog_find(c->catalog, DIP_COLUMN_LABEL, name,
                                             &column, err);
            if (st != DIP_OK)
                return dip_fail_context(err, "tasks.%s.relevant_by",
                                        task->name);
            labels[rule->label_count++] = column;
        }
    }
    return DIP_OK;
}

static dip_status bind_task(dip_corpus *c, int t, dip_err *err)
{
    const dip_task_settings *task = &c->settings->tasks[t];
    if (task->judged)
        return DIP_OK;
    int *texts = dip_calloc(task->relevant_by_count, sizeof *texts);
    int *labels = dip_calloc(task->relevant_by_count, sizeof *labels);
    dip_key_rule rule = {.texts = texts, .labels = labels};
    dip_status st = DIP_OK;
    if (texts == NULL || labels == NULL)
        st = dip_no_memory(err);
    if (st == DIP_OK)
        st = sort_rule(c, task, texts, labels, &rule, err);
    if (st == DIP_OK)
        st = dip_row_keys_build(&c->keys[t], c->catalog, &rule, err);
    free(texts);
    free(labels);
    return st;
}

static dip_status bind_heads(dip_corpus *c, bool training, dip_err *err)
{
    const dip_model_config *model = &c->settings->model;
    for (int h = 0; h < model->head_count; h++) {
        dip_status st =
            dip_catalog_find(c->catalog, DIP_COLUMN_LABEL, model->heads[h].name,
                             &c->head_columns[h], err);
        if (st == DIP_OK)
            continue;
        c->head_columns[h] = -1;
        if (training)
            return dip_fail_context(err, "model.heads.%s",
                                    model->heads[h].name);
    }
    return DIP_OK;
}

static dip_status bind_attributes(dip_corpus *c, dip_err *err)
{
    const dip_settings *s = c->settings;
    for (int f = 0; f < s->field_count; f++) {
        c->attribute_columns[f] = -1;
        dip_attribute_kind kind = s->model.attributes[f].kind;
        if (kind == DIP_ATTRIBUTE_NONE)
            continue;
        dip_status st = dip_catalog_find(
            c->catalog,
            kind == DIP_ATTRIBUTE_LABEL ? DIP_COLUMN_LABEL : DIP_COLUMN_NUMBER,
            s->attributes[f].column, &c->attribute_columns[f], err);
        if (st != DIP_OK)
            return dip_fail_context(err, "fields.%s", s->fields[f]);
    }
    return DIP_OK;
}

static void warn_of_leaks(const dip_settings *s)
{
    for (int t = 0; t < s->task_count; t++)
        if (s->tasks[t].leak != NULL)
            (void)fprintf(stderr,
                          "diptych: warning: field '%s' of task '%s' holds "
                          "what its query does (allow_leak): its figures are "
                          "no result\n",
                          s->tasks[t].leak, s->tasks[t].name);
}

static dip_status list_weights(dip_corpus *c, int h, dip_err *err)
{
    const dip_head_settings *head = &c->settings->heads[h];
    int64_t classes =
        dip_catalog_column(c->catalog, c->head_columns[h])->classes;
    if ((int64_t)head->list_count != classes)
        return dip_fail(err, DIP_ECONFIG,
                        "model.heads.%s.class_weight_list has %zu numbers for "
                        "%lld classes",
                        c->settings->model.heads[h].name, head->list_count,
                        (long long)classes);
    c->class_weights[h] =
        dip_calloc(head->list_count, sizeof *c->class_weights[h]);
    if (c->class_weights[h] == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < classes; i++)
        c->class_weights[h][i] = (float)head->list[i];
    return DIP_OK;
}

static dip_status weigh_classes(dip_corpus *c, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int h = 0; h < c->settings->model.head_count && st == DIP_OK; h++) {
        switch (c->settings->heads[h].weights) {
        case DIP_CLASS_WEIGHTS_BALANCED:
            st = dip_class_weights_balanced(&c->class_weights[h], c->catalog,
                                            c->head_columns[h], DIP_SPLIT_TRAIN,
                                            err);
            break;
        case DIP_CLASS_WEIGHTS_LIST:
            st = list_weights(c, h, err);
            break;
        case DIP_CLASS_WEIGHTS_NONE:
            break;
        }
    }
    return st;
}

static dip_status check_probes(const dip_corpus *c,
                               const dip_probe_settings *probes, int count,
                               const char *key, dip_err *err)
{
    int column;
    for (int i = 0; i < count; i++) {
        if (dip_catalog_find(c->catalog, DIP_COLUMN_LABEL, probes[i].label,
                             &column, err) != DIP_OK)
            return dip_fail_context(err, "eval.%s.%s", key, probes[i].label);
    }
    return DIP_OK;
}

/* What evaluation leaves out on a catalog that lacks it is a mistake on the
 * one that is trained on. */
static dip_status check_training(const dip_corpus *c, dip_err *err)
{
    const dip_settings *s = c->settings;
    int column;
    if (c->judged.offsets != NULL && c->judged.offsets[c->judged.rows] == 0)
        return dip_fail(err, DIP_EDATA,
                        "no judged query of the split 'train' in '%s'",
                        dip_catalog_path(c->catalog));
    if (s->matching_category != NULL &&
        dip_catalog_find(c->catalog, DIP_COLUMN_LABEL, s->matching_category,
                         &column, err) != DIP_OK)
        return dip_fail_context(err, "eval.matching.category");
    for (int z = 0; z < s->zero_shot_count; z++) {
        if (dip_catalog_find(c->catalog, DIP_COLUMN_LABEL,
                             s->zero_shot[z].label, &column, err) != DIP_OK)
            return dip_fail_context(err, "eval.zero_shot.%s",
                                    s->zero_shot[z].label);
    }
    dip_status st = check_probes(c, s->knn, s->knn_count, "knn", err);
    return st == DIP_OK
               ? check_probes(c, s->linear_probe, s->linear_probe_count,
                              "linear_probe", err)
               : st;
}

static pthread_mutex_t *make_lock(void)
{
    pthread_mutex_t *lock = dip_calloc(1, sizeof *lock);
    if (lock == NULL || pthread_mutex_init(lock, NULL) == 0)
        return lock;
    free(lock);
    return NULL;
}

static void free_lock(pthread_mutex_t *lock)
{
    if (lock != NULL)
        (void)pthread_mutex_destroy(lock);
    free(lock);
}

dip_status dip_corpus_open(dip_corpus **out, const dip_settings *settings,
                           const char *path, bool training, dip_err *err)
{
    *out = NULL;
    if (path == NULL)
        path = settings->catalog;
    if (path == NULL && settings->mapping.layout == NULL)
        return dip_fail(err, DIP_ECONFIG,
                        "no catalog: set data.catalog or give --data");
    dip_corpus *c = dip_calloc(1, sizeof *c);
    if (c == NULL)
        return dip_no_memory(err);
    c->settings = settings;
    dip_catalog_options options = {
        .mapping = settings->mapping.layout != NULL ? &settings->mapping : NULL,
        .warn = print_warning,
    };
    c->hdf5_lock = make_lock();
    dip_status st = c->hdf5_lock != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_catalog_open(&c->catalog, path, &options, err);
    if (st == DIP_OK)
        st = bind_image(c, err);
    if (st == DIP_OK)
        st = bind_texts(c, err);
    for (int t = 0; t < settings->task_count && st == DIP_OK; t++)
        st = bind_task(c, t, err);
    if (st == DIP_OK)
        st = bind_heads(c, training, err);
    if (st == DIP_OK)
        st = bind_attributes(c, err);
    if (st == DIP_OK && training)
        st = check_training(c, err);
    if (st == DIP_OK && training)
        st = weigh_classes(c, err);
    if (st != DIP_OK) {
        dip_corpus_free(c);
        return st;
    }
    if (training)
        warn_of_leaks(settings);
    *out = c;
    return DIP_OK;
}

void dip_corpus_free(dip_corpus *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < DIP_SOURCES_MAX; i++) {
        dip_row_text_free(c->formats[i]);
        dip_damage_free(c->damages[i]);
    }
    for (int t = 0; t < DIP_RETRIEVAL_TASKS_MAX; t++)
        dip_row_keys_free(&c->keys[t]);
    for (int f = 0; f < DIP_FUSION_FIELDS_MAX; f++)
        free(c->attribute_ids[f]);
    for (int h = 0; h < DIP_MODEL_HEADS_MAX; h++)
        free(c->class_weights[h]);
    dip_row_queries_free(&c->judged);
    dip_catalog_close(c->catalog);
    free_lock(c->hdf5_lock);
    free(c);
}

/* ---- tokenizer ---- */

static dip_status each_text_of_row(const dip_corpus *c, int64_t row,
                                   dip_str *text, dip_corpus_text_fn fn,
                                   void *user, dip_err *err)
{
    for (int i = 0; i < c->settings->text_count; i++) {
        if (c->formats[i] == NULL)
            continue;
        dip_row_text_render(text, c->formats[i], row);
        if (c->damages[i] != NULL)
            dip_damage_apply(c->damages[i], text, row);
        dip_status st = dip_str_status(text, err);
        if (st == DIP_OK)
            st = fn(user, (dip_bytes){dip_str_text(text), text->len}, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

/* Each query comes as often as it was judged in training. */
static dip_status each_judged(const dip_corpus *c, dip_corpus_text_fn fn,
                              void *user, dip_err *err)
{
    if (c->judged.rows == 0)
        return DIP_OK;
    int64_t count = dip_catalog_judgement_count(c->catalog);
    for (int64_t i = 0; i < count; i++) {
        dip_judgement judgement = dip_catalog_judgement(c->catalog, i);
        if (judgement.split != DIP_SPLIT_TRAIN)
            continue;
        dip_status st =
            fn(user, dip_catalog_query(c->catalog, judgement.query), err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

dip_status dip_corpus_each_text(const dip_corpus *c, dip_corpus_text_fn fn,
                                void *user, dip_err *err)
{
    dip_str text = {0};
    dip_status st = DIP_OK;
    int64_t rows = dip_catalog_rows(c->catalog);
    for (int64_t row = 0; row < rows && st == DIP_OK; row++) {
        if (dip_catalog_split(c->catalog, row) == DIP_SPLIT_TRAIN)
            st = each_text_of_row(c, row, &text, fn, user, err);
    }
    if (st == DIP_OK)
        st = each_judged(c, fn, user, err);
    dip_str_free(&text);
    return st;
}

static dip_status add_text(void *user, dip_bytes text, dip_err *err)
{
    return dip_tokenizer_builder_add(user, text, err);
}

dip_status dip_corpus_build_tokenizer(dip_tokenizer **out, const dip_corpus *c,
                                      dip_err *err)
{
    *out = NULL;
    if (c->settings->model.towers == DIP_TOWERS_IMAGE)
        return DIP_OK;
    const dip_tokenizer_options *options = &c->settings->tokenizer;
    if (dip_tokenizer_kind_file(options->kind) != NULL)
        return dip_tokenizer_read(out, options, err);
    dip_tokenizer_builder *builder = NULL;
    dip_status st = dip_tokenizer_builder_create(&builder, options, err);
    if (st == DIP_OK)
        st = dip_corpus_each_text(c, add_text, builder, err);
    if (st == DIP_OK)
        st = dip_tokenizer_builder_finish(out, builder, err);
    dip_tokenizer_builder_free(builder);
    return st;
}

typedef struct {
    const dip_tokenizer *tokenizer;
    int64_t *ids, context;
    int64_t texts, cut;
} cut_count;

static dip_status count_cut(void *user, dip_bytes text, dip_err *err)
{
    cut_count *c = user;
    int64_t needed;
    dip_status st = dip_tokenizer_encode(&needed, c->ids, c->context,
                                         c->tokenizer, text, err);
    if (st == DIP_OK) {
        c->texts++;
        c->cut += needed > c->context;
    }
    return st;
}

dip_status dip_corpus_warn_cut(const dip_corpus *corpus, dip_err *err)
{
    cut_count c = {.tokenizer = corpus->tokenizer,
                   .context = corpus->settings->context};
    c.ids = dip_calloc((size_t)c.context, sizeof *c.ids);
    if (c.ids == NULL)
        return dip_no_memory(err);
    dip_status st = dip_corpus_each_text(corpus, count_cut, &c, err);
    free(c.ids);
    if (st == DIP_OK && c.cut > 0)
        (void)fprintf(stderr,
                      "diptych: warning: %lld of %lld training texts (%.2f %%) "
                      "are longer than tokenizer.context, %lld: they are cut\n",
                      (long long)c.cut, (long long)c.texts,
                      100 * (double)c.cut / (double)c.texts,
                      (long long)c.context);
    return st;
}

void dip_corpus_set_tokenizer(dip_corpus *c, const dip_tokenizer *tokenizer)
{
    c->tokenizer = tokenizer;
    for (int i = 0; i < c->settings->text_count; i++)
        c->sources[i].tokenizer = tokenizer;
}

/* ---- loaders ---- */

/* What loaders of training and evaluation have in common. */
static dip_loader_options loader_options(const dip_corpus *c,
                                         const int64_t *rows, int64_t count)
{
    const dip_settings *s = c->settings;
    dip_loader_options o = dip_loader_defaults();
    bool has_features =
        c->features != NULL && c->features->image.values != NULL;
    o.catalog = c->catalog;
    o.rows = rows;
    o.row_count = count;
    o.batch_size = s->eval_batch_size;
    o.seed = s->seed;
    o.image_column = has_features ? -1 : c->image_column;
    o.transform = s->transform;
    o.keep_orientation = !s->exif;
    o.max_pixels = s->max_pixels;
    o.bad_image = s->bad_image;
    o.texts = c->sources;
    o.text_count = s->text_count;
    o.attributes = c->attributes;
    o.attribute_count = c->attribute_count;
    o.threads = s->loader_threads;
    o.hdf5_lock = c->hdf5_lock;
    return o;
}

static dip_status make_loader(dip_loader **out, const dip_corpus *c,
                              dip_split split, bool train, bool shuffle,
                              dip_err *err)
{
    *out = NULL;
    int64_t *rows = NULL, count = 0;
    dip_status st = dip_split_rows(&rows, &count, c->catalog, split, err);
    if (st != DIP_OK)
        return st;
    dip_loader_options o = loader_options(c, rows, count);
    int labels[DIP_MODEL_HEADS_MAX];
    o.shuffle = shuffle;
    o.drop_last = o.train = train;
    if (train) {
        o.batch_size = c->settings->batch_size;
        o.labels = memcpy(labels, c->head_columns, sizeof labels);
        o.label_count = c->settings->model.head_count;
    }
    dip_hard_negatives negatives = {0};
    if (train && c->settings->hard_negatives != NULL) {
        st = dip_hard_negatives_read(&negatives, c->catalog,
                                     c->settings->hard_negatives, err);
        o.near = negatives.values;
        o.near_width = negatives.width;
    }
    if (st == DIP_OK && count == 0)
        st = dip_fail(err, DIP_EDATA, "no row of the split '%s' in '%s'",
                      dip_split_name(split), dip_catalog_path(c->catalog));
    if (st == DIP_OK)
        st = dip_loader_create(out, &o, err);
    dip_hard_negatives_free(&negatives);
    free(rows);
    return st;
}

dip_status dip_corpus_loader(dip_loader **out, const dip_corpus *c,
                             dip_split split, bool train, dip_err *err)
{
    return make_loader(out, c, split, train, train, err);
}

dip_status dip_corpus_rows_loader(dip_loader **out, const dip_corpus *c,
                                  const int64_t *rows, int64_t count,
                                  bool photos, dip_err *err)
{
    dip_loader_options o = loader_options(c, rows, count);
    if (!photos)
        o.image_column = -1;
    return dip_loader_create(out, &o, err);
}

dip_status dip_corpus_dealt_loader(dip_loader **out, const dip_corpus *c,
                                   dip_split split, dip_err *err)
{
    return make_loader(out, c, split, false, true, err);
}

void dip_corpus_warn_skipped(const dip_loader *loader, dip_split split)
{
    int64_t count = dip_loader_skipped(loader);
    if (count > 0)
        (void)fprintf(stderr,
                      "diptych: warning: %lld times a photo of the split '%s' "
                      "could not be decoded and counted as missing\n",
                      (long long)count, dip_split_name(split));
}
