#include "apps/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "data/sampler.h"
#include "losses/matryoshka.h"
#include "train/encode.h"
#include "train/retrieval.h"

int dip_embed_product(dip_embedded *e, const dip_field_set *fields)
{
    for (int i = 0; i < e->product_count; i++) {
        if (memcmp(&e->sets[i], fields, sizeof *fields) == 0)
            return i;
    }
    if (e->product_count == DIP_PRODUCTS_MAX)
        return -1;
    e->sets[e->product_count] = *fields;
    return e->product_count++;
}

static dip_status no_field(const char *name, const dip_settings *s,
                           dip_err *err)
{
    dip_str names = {0};
    for (int f = 0; f < s->field_count; f++)
        dip_str_addf(&names, "%s%s", f > 0 ? ", " : "", s->fields[f]);
    dip_status st =
        dip_fail(err, DIP_ENOTFOUND, "no product field '%s'; there are: %s",
                 name, dip_str_text(&names));
    dip_str_free(&names);
    return st;
}

dip_status dip_embed_choose_fields(dip_field_set *set, char *const *names,
                                   size_t count, const dip_settings *s,
                                   dip_err *err)
{
    *set = (dip_field_set){0};
    for (int f = 0; f < s->field_count; f++)
        set->fields[f] = count == 0;
    for (size_t i = 0; i < count; i++) {
        int found = -1;
        for (int f = 0; f < s->field_count; f++) {
            if (strcmp(s->fields[f], names[i]) == 0)
                found = f;
        }
        if (found < 0)
            return no_field(names[i], s, err);
        set->fields[found] = true;
    }
    return DIP_OK;
}

dip_status dip_embed_choose_task(int *out, const char *name,
                                 const dip_settings *s, dip_err *err)
{
    dip_str names = {0};
    *out = -1;
    for (int t = 0; t < s->task_count && *out < 0; t++) {
        if (strcmp(s->tasks[t].name, name) == 0)
            *out = t;
        dip_str_addf(&names, "%s%s", t > 0 ? ", " : "", s->tasks[t].name);
    }
    dip_status st = DIP_OK;
    if (*out < 0)
        st = dip_fail(err, DIP_ENOTFOUND, "no task '%s'; there are: %s", name,
                      dip_str_text(&names));
    dip_str_free(&names);
    return st;
}

/* ---- length ---- */

dip_embed_job dip_embed_job_of(const dip_trained *run, const dip_corpus *corpus,
                               bool quiet)
{
    return (dip_embed_job){.settings = run->settings,
                           .corpus = corpus,
                           .model = run->model,
                           .device = run->device,
                           .bf16 = run->bf16,
                           .quiet = quiet};
}

int64_t dip_embed_dim(const dip_embed_job *job)
{
    return job->dim > 0 ? job->dim : dip_model_embed_dim(job->model);
}

dip_status dip_embed_check_dim(const dip_embed_job *job, int64_t rerank,
                               dip_err *err)
{
    int64_t dim = dip_embed_dim(job), whole = dip_model_embed_dim(job->model);
    if (dim > whole)
        return dip_fail(err, DIP_ECONFIG,
                        "--dim %lld is above model.embed_dim, %lld",
                        (long long)dim, (long long)whole);
    if (dim < whole && rerank > 0)
        return dip_fail(err, DIP_ECONFIG,
                        "--dim %lld and re-ranking: the match classifier reads "
                        "all %lld numbers of an embedding",
                        (long long)dim, (long long)whole);
    return DIP_OK;
}

const dip_tensor *dip_embed_cut(const dip_embed_job *job,
                                const dip_tensor *rows)
{
    int64_t dim = dip_embed_dim(job);
    if (dim == dip_model_embed_dim(job->model))
        return rows;
    return dip_matryoshka_rows(rows, dim, dip_model_similarity(job->model));
}

/* ---- room ---- */

static bool make_matrix(dip_matrix *m, int64_t rows, int64_t dim)
{
    size_t numbers;
    if (dip_mul_overflows((size_t)rows, (size_t)dim, &numbers))
        return false;
    m->rows = dip_calloc(numbers, sizeof(float));
    m->present = dip_calloc((size_t)rows, 1);
    return m->rows != NULL && m->present != NULL;
}

static void free_matrix(dip_matrix *m)
{
    free(m->rows);
    free(m->present);
    *m = (dip_matrix){0};
}

static dip_status make_room(dip_embedded *e, const dip_embed_job *job,
                            dip_err *err)
{
    e->dim = dip_embed_dim(job);
    bool ok = true;
    if (job->corpus->image_column >= 0)
        ok = make_matrix(&e->image, e->count, e->dim);
    for (int s = 0; s < job->settings->text_count && ok; s++)
        ok = make_matrix(&e->texts[s], e->count, e->dim);
    for (int t = 0; t < job->settings->task_count && ok; t++)
        ok = job->settings->tasks[t].mix.count == 0 ||
             make_matrix(&e->mixes[t], e->count, e->dim);
    for (int p = 0; p < e->product_count && ok; p++)
        ok = make_matrix(&e->products[p], e->count, e->dim);
    for (int h = 0; h < dip_model_head_count(job->model) && ok; h++) {
        e->predicted[h] = dip_calloc((size_t)e->count, sizeof(int32_t));
        ok = e->predicted[h] != NULL;
        size_t numbers;
        int64_t classes = dip_model_head_classes(job->model, h);
        if (!ok || !job->probabilities)
            continue;
        ok = !dip_mul_overflows((size_t)e->count, (size_t)classes, &numbers);
        if (ok)
            e->probabilities[h] = dip_calloc(numbers, sizeof(float));
        ok = e->probabilities[h] != NULL;
    }
    return ok ? DIP_OK : dip_no_memory(err);
}

void dip_embedded_free(dip_embedded *e)
{
    free(e->row);
    free_matrix(&e->image);
    for (int s = 0; s < DIP_SOURCES_MAX; s++)
        free_matrix(&e->texts[s]);
    for (int t = 0; t < DIP_RETRIEVAL_TASKS_MAX; t++)
        free_matrix(&e->mixes[t]);
    for (int p = 0; p < DIP_PRODUCTS_MAX; p++)
        free_matrix(&e->products[p]);
    for (int h = 0; h < DIP_MODEL_HEADS_MAX; h++) {
        free(e->predicted[h]);
        free(e->probabilities[h]);
    }
    *e = (dip_embedded){0};
}

/* ---- batches ---- */

static void read_matrix(dip_matrix *m, const dip_embed_job *job, int64_t at,
                        int64_t size, const dip_tensor *rows,
                        const dip_tensor *present)
{
    int64_t dim = dip_embed_dim(job);
    dip_tensor_read(dip_embed_cut(job, rows), DIP_F32, m->rows + at * dim,
                    (size_t)(size * dim) * sizeof(float));
    dip_tensor_read(present, DIP_U8, m->present + at, (size_t)size);
}

static void predict(dip_embedded *e, const dip_embed_job *job, int64_t at,
                    const dip_batch *batch, const dip_encoded_batch *encoded)
{
    for (int h = 0; h < dip_model_head_count(job->model); h++) {
        dip_tensor *input = dip_retrieval_head_input(
            job->model, h, encoded, job->settings->field_text, false);
        dip_tensor *logits = dip_model_head_logits(job->model, h, input);
        dip_tensor_read(dip_t_argmax(logits, 1, false), DIP_I32,
                        e->predicted[h] + at,
                        (size_t)batch->size * sizeof(int32_t));
        if (e->probabilities[h] == NULL)
            continue;
        int64_t classes = dip_model_head_classes(job->model, h);
        dip_tensor_read(dip_t_softmax(dip_t_to_dtype(logits, DIP_F32), 1),
                        DIP_F32, e->probabilities[h] + at * classes,
                        (size_t)(batch->size * classes) * sizeof(float));
    }
}

static bool deals(const dip_embedded *e)
{
    static const dip_field_set none;
    bool any = false;
    for (int p = 0; p < e->product_count; p++)
        any |= memcmp(e->sets[p].dealt, none.dealt, sizeof none.dealt) != 0;
    return any;
}

/* The batch with the dealt fields of `set` from the other one. */
static dip_encoded_batch deal(const dip_encoded_batch *encoded,
                              const dip_encoded_batch *dealt,
                              const dip_field_set *set, const dip_settings *s)
{
    dip_encoded_batch out = *encoded;
    for (int f = 0; f < s->field_count; f++) {
        if (set->dealt[f])
            dip_encoded_replace(&out, dealt, s->field_text[f]);
    }
    return out;
}

dip_encoded_batch dip_embed_encode(const dip_embed_job *job,
                                   const dip_batch *batch, bool image,
                                   const bool *texts)
{
    const dip_settings *s = job->settings;
    dip_encode_options options = {.image = image,
                                  .features = job->corpus->features,
                                  .image_size = s->transform.size,
                                  .device = job->device,
                                  .channels_last = s->loop.channels_last};
    memcpy(options.texts, texts, (size_t)s->text_count * sizeof *texts);
    return dip_encode_batch(job->model, batch, s->text_count, &options);
}

/* `dealt` is the batch of the dealt loader, or NULL. */
static dip_status embed_batch(dip_embedded *e, const dip_embed_job *job,
                              const dip_batch *batch, const dip_batch *dealt,
                              int64_t at, dip_err *err)
{
    const dip_settings *s = job->settings;
    bool texts[DIP_SOURCES_MAX];
    for (int i = 0; i < s->text_count; i++)
        texts[i] = true;
    dip_scope_open();
    bool before = dip_tensor_set_autocast(job->device, job->bf16);
    dip_encoded_batch encoded = dip_embed_encode(job, batch, true, texts);
    dip_encoded_batch others = {0};
    if (dealt != NULL)
        others = dip_embed_encode(job, dealt, true, texts);
    if (encoded.image.embedding != NULL)
        read_matrix(&e->image, job, at, batch->size, encoded.image.embedding,
                    encoded.image_present);
    for (int i = 0; i < s->text_count; i++)
        read_matrix(&e->texts[i], job, at, batch->size,
                    encoded.texts[i].embedding, encoded.text_present[i]);
    for (int t = 0; t < s->task_count; t++) {
        dip_tensor *present = NULL;
        if (s->tasks[t].mix.count == 0)
            continue;
        dip_tensor *rows = dip_retrieval_query(job->model, &encoded,
                                               &s->tasks[t].mix, &present);
        read_matrix(&e->mixes[t], job, at, batch->size, rows, present);
    }
    for (int p = 0; p < e->product_count; p++) {
        dip_tensor *present = NULL;
        dip_encoded_batch mixed = deal(&encoded, &others, &e->sets[p], s);
        dip_tensor *product =
            dip_retrieval_product(job->model, &mixed, s->field_text,
                                  e->sets[p].fields, NULL, &present, false);
        read_matrix(&e->products[p], job, at, batch->size, product, present);
    }
    predict(e, job, at, batch, &encoded);
    (void)dip_tensor_set_autocast(job->device, before);
    dip_scope_close();
    return dip_tensor_status(err);
}

/* The next batch of both loaders; `dealer` may be NULL. */
static dip_status next_batches(const dip_batch **batch, const dip_batch **dealt,
                               dip_loader *loader, dip_loader *dealer,
                               dip_err *err)
{
    dip_status st = dip_loader_next(batch, loader, err);
    return st == DIP_OK && dealer != NULL ? dip_loader_next(dealt, dealer, err)
                                          : st;
}

static dip_status embed_all(dip_embedded *e, const dip_embed_job *job,
                            dip_loader *loader, dip_loader *dealer,
                            dip_err *err)
{
    dip_progress *progress =
        dip_progress_start(&(dip_progress_options){.stream = stderr,
                                                   .label = "encode",
                                                   .unit = "rows",
                                                   .total = e->count,
                                                   .quiet = job->quiet});
    const dip_batch *batch = NULL, *dealt = NULL;
    int64_t done = 0;
    dip_status st = dip_loader_start(loader, 0, 0, 1, err);
    if (st == DIP_OK && dealer != NULL)
        st = dip_loader_start(dealer, 0, 0, 1, err);
    if (st == DIP_OK)
        st = next_batches(&batch, &dealt, loader, dealer, err);
    while (st == DIP_OK && batch != NULL) {
        st = embed_batch(e, job, batch, dealt, done, err);
        done += batch->size;
        dip_progress_update(progress, done, NULL);
        if (st == DIP_OK)
            st = next_batches(&batch, &dealt, loader, dealer, err);
    }
    dip_progress_finish(progress);
    return st;
}

dip_status dip_embed_split(dip_embedded *e, const dip_embed_job *job,
                           dip_split split, dip_err *err)
{
    dip_loader *loader = NULL, *dealer = NULL;
    dip_status st =
        dip_split_rows(&e->row, &e->count, job->corpus->catalog, split, err);
    if (st == DIP_OK)
        st = dip_corpus_loader(&loader, job->corpus, split, false, err);
    if (st == DIP_OK && deals(e))
        st = dip_corpus_dealt_loader(&dealer, job->corpus, split, err);
    if (st == DIP_OK)
        st = make_room(e, job, err);
    bool before = dip_tensor_set_grad_mode(false);
    if (st == DIP_OK)
        st = embed_all(e, job, loader, dealer, err);
    (void)dip_tensor_set_grad_mode(before);
    if (st == DIP_OK)
        dip_corpus_warn_skipped(loader, split);
    dip_loader_free(dealer);
    dip_loader_free(loader);
    return st;
}

/* ---- free texts ---- */

static dip_status embed_some(float *out, const dip_embed_job *job,
                             const dip_bytes *texts, int64_t count,
                             int64_t *ids, int64_t *lengths, dip_err *err)
{
    int64_t context = job->settings->context;
    for (int64_t i = 0; i < count; i++) {
        int64_t needed;
        dip_status st =
            dip_tokenizer_encode(&needed, ids + i * context, context,
                                 job->corpus->tokenizer, texts[i], err);
        if (st != DIP_OK)
            return st;
        lengths[i] =
            dip_tokenizer_length(job->corpus->tokenizer, needed, context);
    }
    int64_t sizes[2] = {count, context};
    dip_scope_open();
    dip_tensor *id = dip_tensor_borrow(ids, DIP_I64, 2, sizes);
    dip_tensor *length = dip_tensor_borrow(lengths, DIP_I64, 1, sizes);
    bool before = dip_tensor_set_autocast(job->device, job->bf16);
    dip_encoded encoded =
        dip_model_encode_text(job->model, dip_t_to_device(id, job->device),
                              dip_t_to_device(length, job->device), false);
    (void)dip_tensor_set_autocast(job->device, before);
    dip_tensor_read(dip_embed_cut(job, encoded.embedding), DIP_F32, out,
                    (size_t)(count * dip_embed_dim(job)) * sizeof(float));
    dip_scope_close();
    return dip_tensor_status(err);
}

dip_status dip_embed_texts(float *out, const dip_embed_job *job,
                           const dip_bytes *texts, int64_t count, dip_err *err)
{
    if (job->corpus->tokenizer == NULL)
        return dip_fail(err, DIP_EDATA, "'%s' reads no texts",
                        job->settings->name);
    const int64_t block = job->settings->eval_batch_size;
    int64_t dim = dip_embed_dim(job);
    int64_t *ids =
        dip_calloc((size_t)(block * job->settings->context), sizeof *ids);
    int64_t *lengths = dip_calloc((size_t)block, sizeof *lengths);
    dip_status st =
        ids != NULL && lengths != NULL ? DIP_OK : dip_no_memory(err);
    bool before = dip_tensor_set_grad_mode(false);
    for (int64_t at = 0; at < count && st == DIP_OK; at += block) {
        int64_t size = count - at < block ? count - at : block;
        st = embed_some(out + at * dim, job, texts + at, size, ids, lengths,
                        err);
    }
    (void)dip_tensor_set_grad_mode(before);
    free(lengths);
    free(ids);
    return st;
}
