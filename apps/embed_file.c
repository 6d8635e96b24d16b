#include "apps/embed_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/embedding_journal.h"
#include "data/npy.h"

#define BLOCK_FLOATS ((int64_t)1 << 20) /* that are put together at a time */
#define MISSING      (-1)

typedef struct {
    const dip_embed_order *order;
    dip_embed_counts *counts;
    dip_row_digest *digests;  /* [count] */
    dip_embedding_store *old; /* NULL: nothing to take */
    int64_t *old_row;         /* [count] row of `old`, or MISSING */
    int64_t *todo;            /* [todo_count] which are computed, ascending */
    dip_row_digest *todo_digests; /* [todo_count] */
    int64_t todo_count;
    dip_embedding_journal *journal;
    int64_t done; /* of todo */
} work;

/* ---- digests ---- */

static dip_status digest_texts(work *w, dip_err *err)
{
    for (int64_t i = 0; i < w->order->count; i++) {
        dip_digest *digest = NULL;
        dip_bytes text = w->order->texts[i];
        dip_status st = dip_digest_new(&digest, err);
        if (st == DIP_OK)
            st = dip_digest_add(digest, text.data, text.len, err);
        if (st == DIP_OK)
            st = dip_digest_end_bytes(w->digests[i].bytes, DIP_ROW_DIGEST_SIZE,
                                      digest, err);
        dip_digest_free(digest);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status digest_all(work *w, dip_err *err)
{
    const dip_embed_order *o = w->order;
    double start = dip_cli_now();
    w->digests = dip_calloc((size_t)o->count, sizeof *w->digests);
    if (w->digests == NULL)
        return dip_no_memory(err);
    dip_status st = o->target == NULL
                        ? digest_texts(w, err)
                        : dip_embed_row_digests(w->digests, o->job, o->target,
                                                o->rows, o->count, err);
    w->counts->digest_seconds = dip_cli_now() - start;
    return st;
}

/* ---- the earlier file ---- */

/* Why nothing can be taken of it; NULL: something can. */
static const char *misfit(const dip_embedding_info *old,
                          const dip_embedding_info *info)
{
    dip_codes finest = dip_embedding_finest(old);
    if (strcmp(old->model, info->model) != 0)
        return "it is of another model";
    if (strcmp(old->recipe, info->recipe) != 0)
        return "its rows are made of other fields, or in another precision";
    if (old->dim != info->dim || old->similarity != info->similarity)
        return "its rows are of another length or similarity";
    if (finest != DIP_CODES_FP32 && finest != dip_embedding_finest(info))
        return "its numbers are not those that fp32 would be rounded to";
    return NULL;
}

static void say_nothing_taken(const char *path, const char *why)
{
    (void)fprintf(stderr, "diptych: nothing is taken from '%s': %s\n", path,
                  why);
}

/* Only a file of embeddings is replaced: a catalog may be named by mistake. */
static dip_status check_place(const char *path, dip_err *err)
{
    dip_embedding_store *there = NULL;
    dip_err why = {0};
    if (!dip_file_exists(path) || dip_path_has_suffix(path, ".npy"))
        return DIP_OK;
    dip_status st = dip_embedding_store_open(&there, path, &why);
    dip_embedding_store_close(there);
    return st == DIP_OK ? DIP_OK
                        : dip_fail(err, DIP_EDATA,
                                   "'%s' is there and is not replaced: %s",
                                   path, why.msg);
}

static dip_status open_old(work *w, dip_err *err)
{
    const dip_embed_order *o = w->order;
    const char *path = o->reuse != NULL ? o->reuse : o->out;
    dip_status st = check_place(o->out, err);
    if (st != DIP_OK ||
        (o->reuse == NULL &&
         (!dip_file_exists(path) || dip_path_has_suffix(path, ".npy"))))
        return st;
    st = dip_embedding_store_open(&w->old, path, err);
    if (st != DIP_OK)
        return st;
    const char *reason = misfit(dip_embedding_store_info(w->old), &o->info);
    if (reason == NULL)
        return DIP_OK;
    say_nothing_taken(path, reason);
    dip_embedding_store_close(w->old);
    w->old = NULL;
    return DIP_OK;
}

typedef struct {
    dip_row_digest digest;
    int64_t row;
} old_place;

static int by_digest(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(dip_row_digest)); /* which stands in front */
}

/* Rows that follow one another in both files are then read together. */
static int64_t find_place(const old_place *places,
                          const dip_row_digest *old_digests, int64_t count,
                          const dip_row_digest *digest, int64_t expected)
{
    if (expected < count && by_digest(&old_digests[expected], digest) == 0)
        return expected;
    const old_place *found =
        bsearch(digest, places, (size_t)count, sizeof *places, by_digest);
    return found != NULL ? found->row : MISSING;
}

static dip_status find_old_rows(work *w, dip_err *err)
{
    int64_t count = dip_embedding_store_info(w->old)->rows, expected = 0;
    dip_row_digest *digests = NULL;
    old_place *places = dip_calloc((size_t)count, sizeof *places);
    dip_status st = places != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_embedding_store_digests(&digests, w->old, err);
    if (st == DIP_OK) {
        for (int64_t i = 0; i < count; i++)
            places[i] = (old_place){digests[i], i};
        qsort(places, (size_t)count, sizeof *places, by_digest);
        for (int64_t i = 0; i < w->order->count; i++) {
            w->old_row[i] =
                find_place(places, digests, count, &w->digests[i], expected);
            expected = w->old_row[i] + 1;
        }
    }
    free(digests);
    free(places);
    return st;
}

static dip_status plan(work *w, dip_err *err)
{
    int64_t count = w->order->count;
    w->old_row = dip_calloc((size_t)count, sizeof *w->old_row);
    w->todo = dip_calloc((size_t)count, sizeof *w->todo);
    w->todo_digests = dip_calloc((size_t)count, sizeof *w->todo_digests);
    if (w->old_row == NULL || w->todo == NULL || w->todo_digests == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++)
        w->old_row[i] = MISSING;
    dip_status st = open_old(w, err);
    if (st == DIP_OK && w->old != NULL)
        st = find_old_rows(w, err);
    for (int64_t i = 0; i < count; i++) {
        if (w->old_row[i] != MISSING)
            continue;
        w->todo_digests[w->todo_count] = w->digests[i];
        w->todo[w->todo_count++] = i;
    }
    w->counts->reused = count - w->todo_count;
    return st;
}

/* ---- computing ---- */

static dip_status journal_key(char hex[DIP_DIGEST_SIZE],
                              const dip_embedding_info *info, dip_err *err)
{
    dip_str key = {0};
    dip_str_addf(&key, "%s\n%s\n%d", info->model, info->recipe,
                 (int)info->similarity);
    dip_status st = dip_str_status(&key, err);
    if (st == DIP_OK)
        st = dip_digest_bytes(hex, dip_str_text(&key), key.len, err);
    dip_str_free(&key);
    return st;
}

static dip_status open_journal(work *w, dip_err *err)
{
    char key[DIP_DIGEST_SIZE];
    dip_str path = {0};
    dip_str_addf(&path, "%s.partial", w->order->out);
    dip_status st = dip_str_status(&path, err);
    if (st == DIP_OK)
        st = journal_key(key, &w->order->info, err);
    if (st == DIP_OK)
        st = dip_embedding_journal_open(
            &w->journal, &w->counts->resumed, dip_str_text(&path), key,
            w->order->info.dim, w->todo_digests, w->todo_count, err);
    w->done = w->counts->resumed;
    dip_str_free(&path);
    return st;
}

static dip_status keep(void *user, const float *values, const uint8_t *present,
                       int64_t size, dip_err *err)
{
    work *w = user;
    dip_status st = dip_embedding_journal_add(
        w->journal, w->todo_digests + w->done, present, values, size, err);
    w->done += size;
    return st;
}

static dip_status compute_rows(work *w, dip_err *err)
{
    const dip_embed_order *o = w->order;
    int64_t left = w->todo_count - w->done;
    int64_t *rows = dip_calloc((size_t)left, sizeof *rows);
    if (rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < left; i++)
        rows[i] = o->rows[w->todo[w->done + i]];
    dip_status st = dip_embed_rows(o->job, o->target, rows, left, keep, w, err);
    free(rows);
    return st;
}

static dip_status compute_texts(work *w, dip_err *err)
{
    int64_t left = w->todo_count - w->done;
    dip_bytes *texts = dip_calloc((size_t)left, sizeof *texts);
    if (texts == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < left; i++)
        texts[i] = w->order->texts[w->todo[w->done + i]];
    dip_status st = dip_embed_words(w->order->job, texts, left, keep, w, err);
    free(texts);
    return st;
}

static dip_status compute(work *w, dip_err *err)
{
    double start = dip_cli_now();
    dip_status st = open_journal(w, err);
    w->counts->computed = w->todo_count - w->done;
    if (st == DIP_OK)
        st = w->order->target == NULL ? compute_texts(w, err)
                                      : compute_rows(w, err);
    w->counts->compute_seconds = dip_cli_now() - start;
    return st;
}

/* ---- putting together ---- */

/* Where the rows go, in one of two formats. */
typedef struct {
    dip_embedding_writer *h5;
    dip_npy *npy;
    dip_codes precision; /* of npy */
    int64_t dim;
    void *codes;
} sink;

static dip_status open_sink(sink *s, const work *w, dip_err *err)
{
    const dip_embed_order *o = w->order;
    *s = (sink){.precision = o->info.precision, .dim = o->info.dim};
    if (!dip_path_has_suffix(o->out, ".npy"))
        return dip_embedding_writer_open(&s->h5, o->out, &o->info, o->ids, err);
    s->codes = dip_calloc((size_t)(BLOCK_FLOATS + s->dim), sizeof(float));
    if (s->codes == NULL)
        return dip_no_memory(err);
    return dip_npy_open(&s->npy, o->out,
                        s->precision == DIP_CODES_FP16 ? "<f2" : "<f4",
                        o->count, s->dim, err);
}

static dip_status fill_sink(sink *s, const float *values,
                            const uint8_t *present,
                            const dip_row_digest *digests, int64_t count,
                            dip_err *err)
{
    if (s->h5 != NULL)
        return dip_embedding_writer_add(s->h5, values, present, digests, count,
                                        err);
    dip_codes_encode(s->codes, NULL, s->precision, values, count, s->dim);
    return dip_npy_add(s->npy, s->codes,
                       (size_t)count * dip_codes_bytes(s->precision, s->dim),
                       err);
}

/* Which rows stand in a .npy, which has room for numbers alone. */
static dip_status write_names(const dip_embed_order *o, dip_err *err)
{
    const dip_embedding_info *info = &o->info;
    json_t *ids = json_array();
    dip_str path = {0};
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < o->count && st == DIP_OK; i++) {
        if (json_array_append_new(
                ids, json_stringn(o->ids[i].data, o->ids[i].len)) != 0)
            st = dip_no_memory(err);
    }
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "name", info->name, "model",
        info->model, "recipe", info->recipe, "similarity",
        dip_similarity_name(info->similarity), "rows", (json_int_t)o->count,
        "dim", (json_int_t)info->dim, "ids", ids);
    dip_str_addf(&path, "%s.json", o->out);
    if (st == DIP_OK)
        st = all != NULL ? dip_str_status(&path, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_json_write(dip_str_text(&path), all, DIP_JSON_AS_BUILT, err);
    dip_str_free(&path);
    json_decref(all);
    return st;
}

static dip_status commit_sink(sink *s, const dip_embed_order *o, dip_err *err)
{
    if (s->h5 != NULL)
        return dip_embedding_writer_commit(s->h5, err);
    dip_status st = write_names(o, err);
    return st == DIP_OK ? dip_npy_commit(s->npy, err) : st;
}

static void close_sink(sink *s)
{
    dip_embedding_writer_close(s->h5);
    dip_npy_close(s->npy);
    free(s->codes);
}

/* How many of [first, first + most) stand one behind the other where they come
 * from. */
static int64_t run_length(const work *w, int64_t first, int64_t most)
{
    int64_t n = 1;
    for (; n < most; n++) {
        bool old = w->old_row[first] != MISSING;
        int64_t wanted = old ? w->old_row[first] + n : MISSING;
        if (w->old_row[first + n] != wanted)
            break;
    }
    return n;
}

static dip_status gather(float *values, uint8_t *present, work *w,
                         int64_t first, int64_t count, int64_t *next_computed,
                         dip_err *err)
{
    int64_t dim = w->order->info.dim;
    dip_status st = DIP_OK;
    for (int64_t at = 0, n; at < count && st == DIP_OK; at += n) {
        int64_t old = w->old_row[first + at];
        n = run_length(w, first + at, count - at);
        if (old == MISSING) {
            st = dip_embedding_journal_read(values + at * dim, present + at,
                                            w->journal, *next_computed, n, err);
            *next_computed += n;
            continue;
        }
        memcpy(present + at, dip_embedding_store_present(w->old) + old,
               (size_t)n);
        st = dip_embedding_store_read(values + at * dim, w->old, old, n, true,
                                      err);
    }
    return st;
}

static dip_status put_together(work *w, dip_err *err)
{
    int64_t dim = w->order->info.dim, count = w->order->count, computed = 0;
    int64_t block = dim < BLOCK_FLOATS ? BLOCK_FLOATS / dim : 1;
    float *values = dip_calloc((size_t)(block * dim), sizeof *values);
    uint8_t *present = dip_calloc((size_t)block, 1);
    sink s = {0};
    dip_status st = values != NULL && present != NULL ? open_sink(&s, w, err)
                                                      : dip_no_memory(err);
    for (int64_t at = 0; at < count && st == DIP_OK; at += block) {
        int64_t n = count - at < block ? count - at : block;
        st = gather(values, present, w, at, n, &computed, err);
        if (st == DIP_OK)
            st = fill_sink(&s, values, present, w->digests + at, n, err);
    }
    if (st == DIP_OK)
        st = commit_sink(&s, w->order, err);
    close_sink(&s);
    free(values);
    free(present);
    return st;
}

dip_status dip_embed_file_make(dip_embed_counts *counts,
                               const dip_embed_order *order, dip_err *err)
{
    work w = {.order = order, .counts = counts};
    *counts = (dip_embed_counts){0};
    dip_status st = digest_all(&w, err);
    if (st == DIP_OK)
        st = plan(&w, err);
    if (st == DIP_OK)
        st = compute(&w, err);
    double start = dip_cli_now();
    if (st == DIP_OK)
        st = put_together(&w, err);
    if (st == DIP_OK)
        st = dip_embedding_journal_remove(w.journal, err);
    counts->write_seconds = dip_cli_now() - start;
    dip_embedding_journal_close(w.journal);
    dip_embedding_store_close(w.old);
    free(w.digests);
    free(w.old_row);
    free(w.todo);
    free(w.todo_digests);
    return st;
}
