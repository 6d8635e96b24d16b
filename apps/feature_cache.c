#include "apps/feature_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/config_block.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/str.h"
#include "train/encode.h"

#define SCHEMA "diptych-features/1"

/* The places of a table: the texts, and the photo behind them. */
enum { PHOTO = DIP_SOURCES_MAX, PLACES };

typedef struct {
    const dip_embed_job *job;
    dip_features *features;
    char *folder;
    bool wanted[PLACES]; /* of a frozen tower, and the same in every epoch */
    bool missing[PLACES];
    char keys[PLACES][DIP_DIGEST_SIZE];
} cache;

static dip_feature_table *table_of(const cache *c, int place)
{
    return place == PHOTO ? &c->features->image : &c->features->texts[place];
}

static const char *prefix_of(int place)
{
    return place == PHOTO ? "image." : "text.";
}

static const char *name_of(const cache *c, int place)
{
    const dip_text_settings *texts = c->job->settings->texts;
    if (place == PHOTO)
        return "photos";
    return texts[place].name != NULL ? texts[place].name
                                     : texts[place].template;
}

/* ---- what can be had ---- */

static void choose(cache *c)
{
    const dip_settings *s = c->job->settings;
    const dip_model *model = c->job->model;
    if (dip_model_fuses_tokens(model))
        return; /* which are too many to keep */
    if (s->loop.optimizer.tuning.unlock_after > 0)
        return; /* its weights will change */
    c->wanted[PHOTO] =
        c->job->corpus->image_column >= 0 && s->transform.augment_count == 0 &&
        !dip_mixing_is_on(&s->mixing) && !dip_model_trains(model, "image");
    bool frozen = !dip_model_trains(model, "text");
    for (int i = 0; i < s->text_count; i++)
        c->wanted[i] = frozen && s->texts[i].template != NULL &&
                       !(s->texts[i].word_dropout > 0);
}

/* ---- keys ---- */

/* Where the catalog lies does not matter: its digest is in the key. */
static void add_block(dip_str *key, const char *dump, const char *head)
{
    static const char *const skip[] = {"catalog", NULL};
    dip_config_block(key, dump, head, skip);
}

static void add_text(dip_str *key, const cache *c, const char *dump, int place)
{
    const dip_text_settings *t = &c->job->settings->texts[place];
    char head[DIP_CONFIG_KEY_SIZE];
    dip_str_addf(key, "template %s\n", t->template);
    add_block(key, dump, "tokenizer:");
    add_block(key, dump, "  text:");
    if (t->name == NULL)
        return;
    (void)snprintf(head, sizeof head, "  %s:", t->name);
    add_block(key, dump, head);
}

static dip_status make_key(cache *c, const dip_params *params, int place,
                           const char *dump, const char *tokenizer,
                           dip_err *err)
{
    const dip_settings *s = c->job->settings;
    char weights[DIP_DIGEST_SIZE];
    dip_str key = {0};
    dip_status st = dip_params_digest(weights, params, prefix_of(place), err);
    if (st != DIP_OK)
        return st;
    dip_str_addf(&key,
                 SCHEMA "\nlibtorch %s\nthreads %d\nbf16 %d\ndevice %d\n"
                        "batch %lld\ncatalog %s\nweights %s\n",
                 dip_tensor_torch_version(), dip_tensor_threads(), c->job->bf16,
                 (int)c->job->device, (long long)s->eval_batch_size,
                 dip_catalog_digest(c->job->corpus->catalog), weights);
    if (place == PHOTO) {
        add_block(&key, dump, "data:");
        add_block(&key, dump, "  image:");
    } else {
        dip_str_addf(&key, "tokenizer %s\n", tokenizer);
        add_text(&key, c, dump, place);
    }
    st = dip_str_status(&key, err);
    if (st == DIP_OK)
        st = dip_digest_bytes(c->keys[place], dip_str_text(&key), key.len, err);
    dip_str_free(&key);
    return st;
}

static dip_status make_keys(cache *c, const dip_params *params, dip_err *err)
{
    char tokenizer[DIP_DIGEST_SIZE];
    dip_str dump = {0};
    dip_status st = dip_config_dump(&dump, c->job->settings->config, err);
    if (st == DIP_OK)
        st = dip_tokenizer_digest(tokenizer, c->job->corpus->tokenizer, err);
    for (int place = 0; place < PLACES && st == DIP_OK; place++) {
        if (c->wanted[place])
            st =
                make_key(c, params, place, dip_str_text(&dump), tokenizer, err);
    }
    dip_str_free(&dump);
    return st;
}

/* ---- files ---- */

static dip_status find_folder(cache *c, dip_err *err)
{
    const char *where = c->job->settings->feature_cache;
    const char *user = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (strcmp(where, "auto") != 0)
        c->folder = dip_strdup(where);
    else if (user != NULL && user[0] == '/')
        c->folder = dip_path_join(user, "diptych");
    else if (home != NULL && home[0] == '/')
        c->folder = dip_path_join(home, ".cache/diptych");
    else
        return dip_fail(err, DIP_ECONFIG,
                        "no place for features: set HOME, XDG_CACHE_HOME or "
                        "train.feature_cache");
    return c->folder != NULL ? dip_dir_make(c->folder, err)
                             : dip_no_memory(err);
}

static char *path_of(const cache *c, int place)
{
    char name[DIP_DIGEST_SIZE + 32];
    (void)snprintf(name, sizeof name, "features-%s.safetensors",
                   c->keys[place]);
    return dip_path_join(c->folder, name);
}

/* A file that cannot be used is a missing one. */
static dip_status read_files(cache *c, dip_err *err)
{
    int64_t rows = dip_catalog_rows(c->job->corpus->catalog);
    for (int place = 0; place < PLACES; place++) {
        if (!c->wanted[place])
            continue;
        char *path = path_of(c, place);
        if (path == NULL)
            return dip_no_memory(err);
        dip_err why = {0};
        bool there = dip_file_exists(path);
        c->missing[place] = !there || dip_feature_table_read(
                                          table_of(c, place), path,
                                          c->keys[place], rows, &why) != DIP_OK;
        if (there && c->missing[place])
            (void)fprintf(stderr, "diptych: warning: %s: computed anew\n",
                          why.msg);
        else if (there && !c->job->quiet)
            (void)fprintf(stderr, "features of %s: read from %s\n",
                          name_of(c, place), path);
        free(path);
    }
    return DIP_OK;
}

static dip_status write_files(const cache *c, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int place = 0; place < PLACES && st == DIP_OK; place++) {
        if (!c->missing[place])
            continue;
        char *path = path_of(c, place);
        st = path != NULL ? dip_feature_table_write(table_of(c, place), path,
                                                    c->keys[place], err)
                          : dip_no_memory(err);
        free(path);
    }
    return st;
}

/* ---- computing ---- */

/* The first batch says how wide features are. */
static dip_status put(const cache *c, int place, const dip_batch *batch,
                      const dip_tensor *features, const uint8_t *present,
                      dip_err *err)
{
    dip_feature_table *table = table_of(c, place);
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK && table->values == NULL)
        st = dip_feature_table_create(table,
                                      dip_catalog_rows(c->job->corpus->catalog),
                                      dip_tensor_size(features, 1), err);
    if (st != DIP_OK)
        return st;
    dip_feature_table_put(table, batch, features, present);
    return dip_tensor_status(err);
}

static dip_status compute_batch(const cache *c, const dip_batch *batch,
                                dip_err *err)
{
    const dip_settings *s = c->job->settings;
    dip_encode_options options = {.image = c->missing[PHOTO],
                                  .image_size = s->transform.size,
                                  .device = c->job->device,
                                  .channels_last = s->loop.channels_last};
    for (int i = 0; i < s->text_count; i++)
        options.texts[i] = c->missing[i];
    dip_scope_open();
    bool before = dip_tensor_set_autocast(c->job->device, c->job->bf16);
    dip_encoded_batch encoded =
        dip_encode_batch(c->job->model, batch, s->text_count, &options);
    (void)dip_tensor_set_autocast(c->job->device, before);
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK && c->missing[PHOTO])
        st = put(c, PHOTO, batch, encoded.image.features, batch->present, err);
    for (int i = 0; i < s->text_count && st == DIP_OK; i++) {
        if (c->missing[i])
            st = put(c, i, batch, encoded.texts[i].features, NULL, err);
    }
    dip_scope_close();
    return st;
}

static dip_status compute_split(const cache *c, dip_split split,
                                dip_progress *progress, int64_t *done,
                                dip_err *err)
{
    dip_loader *loader = NULL;
    const dip_batch *batch = NULL;
    if (dip_catalog_split_rows(c->job->corpus->catalog, split) == 0)
        return DIP_OK;
    dip_status st =
        dip_corpus_loader(&loader, c->job->corpus, split, false, err);
    if (st == DIP_OK)
        st = dip_loader_start(loader, 0, 0, 1, err);
    if (st == DIP_OK)
        st = dip_loader_next(&batch, loader, err);
    while (st == DIP_OK && batch != NULL) {
        st = compute_batch(c, batch, err);
        *done += batch->size;
        dip_progress_update(progress, *done, NULL);
        if (st == DIP_OK)
            st = dip_loader_next(&batch, loader, err);
    }
    dip_loader_free(loader);
    return st;
}

static dip_status compute(const cache *c, dip_err *err)
{
    const dip_catalog *catalog = c->job->corpus->catalog;
    dip_progress *progress = dip_progress_start(&(dip_progress_options){
        .stream = stderr,
        .label = "features",
        .unit = "rows",
        .total = dip_catalog_split_rows(catalog, DIP_SPLIT_TRAIN) +
                 dip_catalog_split_rows(catalog, DIP_SPLIT_VAL),
        .quiet = c->job->quiet});
    int64_t done = 0;
    bool before = dip_tensor_set_grad_mode(false);
    dip_status st = compute_split(c, DIP_SPLIT_TRAIN, progress, &done, err);
    if (st == DIP_OK)
        st = compute_split(c, DIP_SPLIT_VAL, progress, &done, err);
    (void)dip_tensor_set_grad_mode(before);
    dip_progress_finish(progress);
    return st;
}

/* ---- all ---- */

static dip_status fill(cache *c, const dip_params *params, dip_err *err)
{
    bool any_missing = false;
    dip_status st = make_keys(c, params, err);
    if (st == DIP_OK)
        st = find_folder(c, err);
    if (st == DIP_OK)
        st = read_files(c, err);
    for (int place = 0; place < PLACES; place++)
        any_missing = any_missing || c->missing[place];
    if (st != DIP_OK || !any_missing)
        return st;
    st = compute(c, err);
    return st == DIP_OK ? write_files(c, err) : st;
}

dip_status dip_feature_cache_prepare(dip_features *out,
                                     const dip_embed_job *job,
                                     const dip_params *params, dip_err *err)
{
    cache c = {.job = job, .features = out};
    bool any = false;
    *out = (dip_features){0};
    if (strcmp(job->settings->feature_cache, "off") == 0)
        return DIP_OK;
    choose(&c);
    for (int place = 0; place < PLACES; place++)
        any = any || c.wanted[place];
    dip_status st = any ? fill(&c, params, err) : DIP_OK;
    free(c.folder);
    return st;
}

void dip_feature_cache_free(dip_features *features)
{
    dip_feature_table_free(&features->image);
    for (int i = 0; i < DIP_SOURCES_MAX; i++)
        dip_feature_table_free(&features->texts[i]);
}
