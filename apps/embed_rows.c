#include "apps/embed_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/config_block.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/progress.h"
#include "train/retrieval.h"

#define SCHEMA "diptych-embed/1"

/* ---- targets ---- */

static dip_status no_source(const char *name, const dip_settings *s,
                            dip_err *err)
{
    dip_str names = {0};
    dip_str_add(&names, "image");
    for (int i = 0; i < s->text_count; i++) {
        if (s->texts[i].name != NULL)
            dip_str_addf(&names, ", %s", s->texts[i].name);
    }
    for (int f = 0; f < s->field_count; f++) {
        if (s->attributes[f].column != NULL)
            dip_str_addf(&names, ", %s", s->fields[f]);
    }
    dip_status st = dip_fail(err, DIP_ENOTFOUND, "no field '%s'; there are: %s",
                             name, dip_str_text(&names));
    dip_str_free(&names);
    return st;
}

static int find_source(const char *name, const dip_settings *s)
{
    for (int i = 0; i < s->text_count; i++) {
        if (s->texts[i].name != NULL && strcmp(s->texts[i].name, name) == 0)
            return i;
    }
    for (int f = 0; f < s->field_count; f++) {
        if (s->attributes[f].column != NULL && strcmp(s->fields[f], name) == 0)
            return DIP_SOURCE_ATTRIBUTE(f);
    }
    return -2;
}

dip_status dip_embed_target_source(dip_embed_target *out, const char *name,
                                   const dip_embed_job *job, dip_err *err)
{
    *out = (dip_embed_target){
        .alone = true, .source = DIP_SOURCE_IMAGE, .name = name};
    if (strcmp(name, "image") == 0)
        return job->corpus->image_column >= 0
                   ? DIP_OK
                   : dip_fail(err, DIP_ENOTFOUND, "no photos in this run");
    out->source = find_source(name, job->settings);
    return out->source >= 0 ? DIP_OK : no_source(name, job->settings, err);
}

/* Whether the target reads the source; and which attribute it is of. */
static bool reads(const dip_embed_target *t, const dip_settings *s, int source)
{
    if (t->alone)
        return t->source == source;
    for (int f = 0; f < s->field_count; f++) {
        if (t->set.fields[f] && s->field_text[f] == source)
            return true;
    }
    return false;
}

/* ---- rows ---- */

typedef struct {
    const dip_embed_job *job;
    const dip_embed_target *target;
    bool texts[DIP_SOURCES_MAX];
    bool image;
    float *values;    /* [eval_batch_size, dim] */
    uint8_t *present; /* [eval_batch_size] */
    dip_embed_visit visit;
    void *user;
} embedding;

static dip_status make_room(embedding *e, dip_err *err)
{
    size_t rows = (size_t)e->job->settings->eval_batch_size;
    e->values =
        dip_calloc(rows * (size_t)dip_embed_dim(e->job), sizeof *e->values);
    e->present = dip_calloc(rows, 1);
    return e->values != NULL && e->present != NULL ? DIP_OK
                                                   : dip_no_memory(err);
}

static void clear_absent(embedding *e, int64_t size)
{
    int64_t dim = dip_embed_dim(e->job);
    for (int64_t i = 0; i < size; i++) {
        if (e->present[i] == 0)
            memset(e->values + i * dim, 0, (size_t)dim * sizeof *e->values);
    }
}

static dip_status embed_batch(embedding *e, const dip_batch *batch,
                              dip_err *err)
{
    const dip_embed_job *job = e->job;
    const dip_embed_target *t = e->target;
    dip_tensor *rows, *present = NULL;
    dip_scope_open();
    bool before = dip_tensor_set_autocast(job->device, job->bf16);
    dip_encoded_batch encoded =
        dip_embed_encode(job, batch, e->image, e->texts);
    if (t->alone) {
        rows = dip_encoded_embedding(&encoded, t->source);
        present = dip_encoded_present(&encoded, t->source);
    } else {
        rows = dip_retrieval_product(job->model, &encoded,
                                     job->settings->field_text, t->set.fields,
                                     NULL, &present, false);
    }
    dip_tensor_read(dip_embed_cut(job, rows), DIP_F32, e->values,
                    (size_t)(batch->size * dip_embed_dim(job)) * sizeof(float));
    dip_tensor_read(present, DIP_U8, e->present, (size_t)batch->size);
    (void)dip_tensor_set_autocast(job->device, before);
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st != DIP_OK)
        return st;
    clear_absent(e, batch->size);
    return e->visit(e->user, e->values, e->present, batch->size, err);
}

static dip_status embed_all(embedding *e, dip_loader *loader, int64_t total,
                            dip_err *err)
{
    dip_progress *progress =
        dip_progress_start(&(dip_progress_options){.stream = stderr,
                                                   .label = "embed",
                                                   .unit = "rows",
                                                   .total = total,
                                                   .quiet = e->job->quiet});
    const dip_batch *batch = NULL;
    int64_t done = 0;
    bool before = dip_tensor_set_grad_mode(false);
    dip_status st = dip_loader_start(loader, 0, 0, 1, err);
    if (st == DIP_OK)
        st = dip_loader_next(&batch, loader, err);
    while (st == DIP_OK && batch != NULL) {
        st = embed_batch(e, batch, err);
        done += batch->size;
        dip_progress_update(progress, done, NULL);
        if (st == DIP_OK)
            st = dip_loader_next(&batch, loader, err);
    }
    (void)dip_tensor_set_grad_mode(before);
    dip_progress_finish(progress);
    return st;
}

dip_status dip_embed_rows(const dip_embed_job *job,
                          const dip_embed_target *target, const int64_t *rows,
                          int64_t count, dip_embed_visit visit, void *user,
                          dip_err *err)
{
    embedding e = {.job = job, .target = target, .visit = visit, .user = user};
    dip_loader *loader = NULL;
    if (count == 0)
        return DIP_OK;
    e.image = reads(target, job->settings, DIP_SOURCE_IMAGE);
    for (int i = 0; i < job->settings->text_count; i++)
        e.texts[i] = reads(target, job->settings, i);
    dip_status st = make_room(&e, err);
    if (st == DIP_OK)
        st = dip_corpus_rows_loader(&loader, job->corpus, rows, count, e.image,
                                    err);
    if (st == DIP_OK)
        st = embed_all(&e, loader, count, err);
    int64_t skipped = st == DIP_OK ? dip_loader_skipped(loader) : 0;
    if (skipped > 0)
        (void)fprintf(stderr,
                      "diptych: warning: %lld photos could not be decoded and "
                      "count as missing\n",
                      (long long)skipped);
    dip_loader_free(loader);
    free(e.values);
    free(e.present);
    return st;
}

dip_status dip_embed_words(const dip_embed_job *job, const dip_bytes *texts,
                           int64_t count, dip_embed_visit visit, void *user,
                           dip_err *err)
{
    embedding e = {.job = job};
    int64_t dim = dip_embed_dim(job), most = job->settings->eval_batch_size;
    dip_status st = make_room(&e, err);
    for (int64_t at = 0; at < count && st == DIP_OK; at += most) {
        int64_t size = count - at < most ? count - at : most;
        st = dip_embed_texts(e.values, job, texts + at, size, err);
        for (int64_t i = 0; i < size; i++) {
            float longest = 0;
            for (int64_t d = 0; d < dim; d++)
                longest = fmaxf(longest, fabsf(e.values[i * dim + d]));
            e.present[i] = longest > 0;
        }
        if (st == DIP_OK)
            st = visit(user, e.values, e.present, size, err);
    }
    free(e.values);
    free(e.present);
    return st;
}

/* ---- what makes the numbers ---- */

static dip_status add_json(dip_str *key, const json_t *json, dip_err *err)
{
    dip_str text = {0};
    dip_status st = dip_json_dump(&text, json, DIP_JSON_AS_BUILT, err);
    if (st == DIP_OK)
        dip_str_addf(key, "fields %s\n", dip_str_text(&text));
    dip_str_free(&text);
    return st;
}

dip_status dip_embed_model_digest(char hex[DIP_DIGEST_SIZE],
                                  const dip_trained *run, dip_err *err)
{
    static const char *const heads[] = {
        "data:", "tokenizer:", "fields:", "model:"};
    static const char *const skip[] = {"catalog", NULL};
    char weights[DIP_DIGEST_SIZE], words[DIP_DIGEST_SIZE];
    dip_str key = {0}, dump = {0};
    dip_status st =
        dip_params_digest(weights, dip_model_params(run->model), "", err);
    if (st == DIP_OK)
        st = dip_tokenizer_digest(words, run->tokenizer, err);
    if (st == DIP_OK)
        st = dip_config_dump(&dump, run->settings->config, err);
    if (st == DIP_OK)
        dip_str_addf(&key, SCHEMA "\nweights %s\ntokenizer %s\n", weights,
                     words);
    for (size_t i = 0; i < DIP_ARRAY_LEN(heads) && st == DIP_OK; i++)
        dip_config_block(&key, dip_str_text(&dump), heads[i], skip);
    if (st == DIP_OK)
        st = add_json(&key, run->fields, err);
    if (st == DIP_OK)
        st = dip_str_status(&key, err);
    if (st == DIP_OK)
        st = dip_digest_bytes(hex, dip_str_text(&key), key.len, err);
    dip_str_free(&key);
    dip_str_free(&dump);
    return st;
}

void dip_embed_recipe(dip_str *out, const dip_embed_job *job,
                      const dip_embed_target *target)
{
    const dip_settings *s = job->settings;
    bool first = true;
    if (target == NULL)
        dip_str_add(out, "text");
    else if (target->alone)
        dip_str_addf(out, "field %s", target->name);
    for (int f = 0; target != NULL && !target->alone && f < s->field_count;
         f++) {
        if (!target->set.fields[f])
            continue;
        dip_str_addf(out, "%s%s", first ? "product of " : ", ", s->fields[f]);
        first = false;
    }
    dip_str_add(out, job->bf16 ? " in bf16" : " in fp32");
}

/* ---- what a row is made of ---- */

typedef struct {
    const dip_embed_job *job;
    const dip_embed_target *target;
    dip_digest *digest;
    dip_str text;
    void *photo; /* scratch */
} reader;

/* With its length in front, so that no two lists of parts look the same. */
static dip_status add_part(reader *r, const void *bytes, size_t n, dip_err *err)
{
    uint64_t length = n;
    dip_status st = dip_digest_add(r->digest, &length, sizeof length, err);
    return st == DIP_OK ? dip_digest_add(r->digest, bytes, n, err) : st;
}

static dip_status add_photo(reader *r, int64_t row, dip_err *err)
{
    const dip_corpus *c = r->job->corpus;
    dip_image_source source;
    dip_status st = dip_catalog_image(c->catalog, c->image_column, row,
                                      r->photo, &source, err);
    if (st != DIP_OK)
        return st;
    size_t pixels = (size_t)(source.height * source.width * source.channels);
    return source.pixels != NULL
               ? add_part(r, source.pixels, pixels, err)
               : add_part(r, source.encoded.data, source.encoded.len, err);
}

static dip_status add_text(reader *r, int source, int64_t row, dip_err *err)
{
    const dip_corpus *c = r->job->corpus;
    if (c->formats[source] == NULL)
        return DIP_OK;
    dip_row_text_render(&r->text, c->formats[source], row);
    if (c->damages[source] != NULL)
        dip_damage_apply(c->damages[source], &r->text, row);
    dip_status st = dip_str_status(&r->text, err);
    return st == DIP_OK ? add_part(r, dip_str_text(&r->text), r->text.len, err)
                        : st;
}

static dip_status add_attribute(reader *r, int f, int64_t row, dip_err *err)
{
    const dip_corpus *c = r->job->corpus;
    int column = c->attribute_columns[f];
    if (c->attribute_ids[f] != NULL) {
        int32_t label = dip_catalog_label(c->catalog, column, row);
        int64_t id = label < 0 ? -1 : c->attribute_ids[f][label];
        return add_part(r, &id, sizeof id, err);
    }
    float number = dip_catalog_number(c->catalog, column, row);
    return add_part(r, &number, isfinite(number) ? sizeof number : 0, err);
}

static dip_status add_row(reader *r, int64_t row, dip_err *err)
{
    const dip_settings *s = r->job->settings;
    dip_status st = DIP_OK;
    if (reads(r->target, s, DIP_SOURCE_IMAGE))
        st = add_photo(r, row, err);
    for (int i = 0; i < s->text_count && st == DIP_OK; i++) {
        if (reads(r->target, s, i))
            st = add_text(r, i, row, err);
    }
    for (int f = 0; f < s->field_count && st == DIP_OK; f++) {
        if (s->attributes[f].column != NULL &&
            reads(r->target, s, DIP_SOURCE_ATTRIBUTE(f)))
            st = add_attribute(r, f, row, err);
    }
    return st;
}

static dip_status digest_row(dip_row_digest *out, reader *r, int64_t row,
                             dip_err *err)
{
    dip_status st = dip_digest_new(&r->digest, err);
    if (st == DIP_OK)
        st = add_row(r, row, err);
    if (st == DIP_OK)
        st =
            dip_digest_end_bytes(out->bytes, sizeof out->bytes, r->digest, err);
    dip_digest_free(r->digest);
    r->digest = NULL;
    return st;
}

dip_status dip_embed_row_digests(dip_row_digest *out, const dip_embed_job *job,
                                 const dip_embed_target *target,
                                 const int64_t *rows, int64_t count,
                                 dip_err *err)
{
    const dip_corpus *c = job->corpus;
    reader r = {.job = job, .target = target};
    dip_status st = DIP_OK;
    if (c->image_column >= 0) {
        r.photo = dip_calloc(
            dip_catalog_image_scratch(c->catalog, c->image_column), 1);
        st = r.photo != NULL ? DIP_OK : dip_no_memory(err);
    }
    for (int64_t i = 0; i < count && st == DIP_OK; i++)
        st = digest_row(&out[i], &r, rows[i], err);
    free(r.photo);
    dip_str_free(&r.text);
    return st;
}
