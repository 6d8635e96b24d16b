#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/embed.h"
#include "apps/embed_rows.h"
#include "apps/model_apps.h"
#include "apps/rerank.h"
#include "apps/run_dir.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/term.h"
#include "eval/topk.h"
#include "export/index_file.h"
#include "image/decode.h"

enum {
    OPT_TEXT = 0x100,
    OPT_IMAGE,
    OPT_TOP,
    OPT_FIELDS,
    OPT_INDEX,
    OPT_RERANK
};

static const struct argp_option options[] = {
    {"data", DIP_CLI_DATA, "FILE", 0, "catalog (default: that of the training)",
     0},
    {"split", DIP_CLI_SPLIT, "NAME", 0, "train, val or test (default)", 0},
    {"text", OPT_TEXT, "WORDS", 0, "what to search for", 0},
    {"image", OPT_IMAGE, "FILE", 0, "a photo of what to search for", 0},
    {"top", OPT_TOP, "N", 0, "results (default 10)", 0},
    {"fields", OPT_FIELDS, "NAME,...", 0,
     "product fields to search in (default: all)", 0},
    {"index", OPT_INDEX, "FILE", 0,
     "search in this index of `diptych index`, and encode the query alone", 0},
    {"rerank", OPT_RERANK, "N", 0,
     "let the run's match classifier order the first N", 0},
    {"dim", DIP_CLI_DIM, "N", 0,
     "search by the first N numbers of the embeddings (default: all)", 0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0,
     "best (default), latest or step-…", 0},
    {"json", DIP_CLI_JSON, 0, 0, "print JSON", 0},
    {"quiet", DIP_CLI_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    dip_cli_run run;
    const char *text, *image, *index;
    dip_cli_list fields;
    int64_t top, rerank;
} arguments;

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_INDEX:
        a->index = value;
        return 0;
    case OPT_TEXT:
        if (value[strspn(value, " \t\n")] == '\0')
            argp_error(state, "--text has no words");
        a->text = value;
        return 0;
    case OPT_IMAGE:
        a->image = value;
        return 0;
    case OPT_TOP:
        a->top = dip_cli_int(state, "top", value, 1, 100000);
        return 0;
    case OPT_FIELDS:
        dip_cli_list_add(state, "fields", &a->fields, value);
        return 0;
    case OPT_RERANK:
        a->rerank = dip_cli_int(state, "rerank", value, 1, 100000);
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "run directory", value, state);
        return 0;
    case ARGP_KEY_END:
        dip_cli_target_need(&a->target, "run directory", state);
        if ((a->text == NULL) == (a->image == NULL))
            argp_error(state, "give one of --text and --image");
        if (a->index != NULL &&
            (a->run.has_split || a->fields.count > 0 || a->rerank > 0))
            argp_error(state, "--index goes without --split, --fields and "
                              "--rerank: its rows are what they are");
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

/* ---- the query ---- */

static dip_status decode_photo(float *pixels, const char *path,
                               const dip_settings *s, dip_err *err)
{
    char *bytes = NULL;
    size_t length;
    dip_decoder *decoder = NULL;
    dip_transformer *transformer = NULL;
    dip_image_view view;
    dip_decode_options decode = {.keep_orientation = !s->exif,
                                 .max_pixels = s->max_pixels};
    dip_status st = dip_file_read(&bytes, &length, path, (size_t)1 << 30, err);
    if (st == DIP_OK)
        st = dip_decoder_create(&decoder, err);
    if (st == DIP_OK) {
        st = dip_image_decode(&view, decoder, bytes, length, &decode, err);
        if (st != DIP_OK)
            (void)dip_fail_context(err, "'%s'", path);
    }
    if (st == DIP_OK)
        st = dip_transformer_create(&transformer, &s->transform, err);
    if (st == DIP_OK)
        st = dip_transform_apply(pixels, transformer, &view, NULL, err);
    dip_transformer_destroy(transformer);
    dip_decoder_destroy(decoder);
    free(bytes);
    return st;
}

static dip_status encode_photo(float *out, const dip_embed_job *job,
                               const char *path, dip_err *err)
{
    const dip_settings *s = job->settings;
    int64_t side = s->transform.size;
    int64_t sizes[4] = {1, 3, side, side};
    float *pixels = dip_calloc((size_t)(3 * side * side), sizeof *pixels);
    if (pixels == NULL)
        return dip_no_memory(err);
    dip_status st = decode_photo(pixels, path, s, err);
    if (st == DIP_OK) {
        dip_scope_open();
        bool grad = dip_tensor_set_grad_mode(false);
        bool cast = dip_tensor_set_autocast(job->device, job->bf16);
        dip_tensor *image = dip_tensor_borrow(pixels, DIP_F32, 4, sizes);
        dip_encoded encoded = dip_model_encode_image(
            job->model, dip_t_to_device(image, job->device), false);
        dip_tensor_read(dip_embed_cut(job, encoded.embedding), DIP_F32, out,
                        (size_t)dip_embed_dim(job) * sizeof(float));
        (void)dip_tensor_set_autocast(job->device, cast);
        (void)dip_tensor_set_grad_mode(grad);
        dip_scope_close();
        st = dip_tensor_status(err);
    }
    free(pixels);
    return st;
}

static dip_status encode_words(float *out, const dip_embed_job *job,
                               const char *text, dip_err *err)
{
    dip_status st =
        dip_embed_texts(out, job, &(dip_bytes){text, strlen(text)}, 1, err);
    for (int64_t i = 0; i < dip_embed_dim(job); i++) {
        if (st != DIP_OK || out[i] < 0 || out[i] > 0)
            return st;
    }
    return dip_fail(err, DIP_EDATA, "no words in --text '%s'", text);
}

/* ---- results ---- */

typedef struct {
    const dip_catalog *catalog;
    const dip_hit *hits;
    int64_t *rows;       /* [count] of the catalog; -1: it has no such id */
    dip_bytes *ids;      /* [count] */
    const float *logits; /* of the match classifier for the first `reranked` */
    int64_t count, reranked;
} results;

/* Room for rows and ids, which the caller frees. */
static dip_status make_results(results *r, dip_err *err)
{
    r->rows = dip_calloc((size_t)r->count, sizeof *r->rows);
    r->ids = dip_calloc((size_t)r->count, sizeof *r->ids);
    return r->rows != NULL && r->ids != NULL ? DIP_OK : dip_no_memory(err);
}

/* What the classifier thinks of result `i`; NAN when it was not asked. */
static double match_of(const results *r, int64_t i)
{
    return i < r->reranked ? 1 / (1 + exp(-(double)r->logits[i])) : (double)NAN;
}

static void add_labels(dip_str *out, const dip_catalog *catalog, int64_t row)
{
    for (int c = 0; row >= 0 && c < dip_catalog_column_count(catalog); c++) {
        if (dip_catalog_column(catalog, c)->kind != DIP_COLUMN_LABEL)
            continue;
        int32_t label = dip_catalog_label(catalog, c, row);
        if (label < 0)
            continue;
        dip_bytes name = dip_catalog_label_name(catalog, c, label);
        dip_str_addf(out, "%s%.*s", out->len > 0 ? ", " : "", (int)name.len,
                     name.data);
    }
}

/* The first text column is taken for the title. */
static void add_title(dip_str *out, const dip_catalog *catalog, int64_t row)
{
    for (int c = 0; row >= 0 && c < dip_catalog_column_count(catalog); c++) {
        if (dip_catalog_column(catalog, c)->kind != DIP_COLUMN_TEXT)
            continue;
        dip_bytes text = dip_catalog_text(catalog, c, row);
        dip_str_add_n(out, text.data, text.len);
        return;
    }
}

static dip_status print_table(const results *r, dip_err *err)
{
    static const dip_table_column columns[] = {
        {"#", DIP_ALIGN_RIGHT},     {"score", DIP_ALIGN_RIGHT},
        {"id", DIP_ALIGN_LEFT},     {"title", DIP_ALIGN_LEFT},
        {"labels", DIP_ALIGN_LEFT}, {"match", DIP_ALIGN_RIGHT}};
    size_t shown = DIP_ARRAY_LEN(columns) - (r->reranked > 0 ? 0 : 1);
    dip_table *table = NULL;
    dip_str title = {0}, labels = {0}, text = {0};
    dip_status st = dip_table_new(&table, columns, shown, err);
    for (int64_t i = 0; i < r->count && st == DIP_OK; i++) {
        int64_t row = r->rows[i];
        dip_bytes id = r->ids[i];
        dip_str_clear(&title);
        dip_str_clear(&labels);
        add_title(&title, r->catalog, row);
        add_labels(&labels, r->catalog, row);
        dip_table_cellf(table, "%lld", (long long)i + 1);
        dip_table_cellf(table, "%.4f", (double)r->hits[i].score);
        dip_table_cellf(table, "%.*s", (int)id.len, id.data);
        dip_table_cell(table, dip_str_text(&title));
        dip_table_cell(table, dip_str_text(&labels));
        if (i < r->reranked)
            dip_table_cellf(table, "%.4f", match_of(r, i));
        else if (r->reranked > 0)
            dip_table_cell(table, "–");
    }
    if (st == DIP_OK)
        st = dip_table_render(&text, table, dip_term_width(stdout), err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&title);
    dip_str_free(&labels);
    dip_str_free(&text);
    dip_table_free(table);
    return st;
}

static json_t *result_json(const results *r, int64_t i)
{
    int64_t row = r->rows[i];
    dip_bytes id = r->ids[i];
    dip_str title = {0}, labels = {0};
    add_title(&title, r->catalog, row);
    add_labels(&labels, r->catalog, row);
    json_t *json = json_pack(
        "{s:I, s:o, s:s%, s:s, s:s}", "rank", (json_int_t)i + 1, "score",
        dip_json_real((double)r->hits[i].score), "id", id.data, id.len, "title",
        dip_str_text(&title), "labels", dip_str_text(&labels));
    if (i < r->reranked)
        (void)json_object_set_new(json, "match", dip_json_real(match_of(r, i)));
    dip_str_free(&title);
    dip_str_free(&labels);
    return json;
}

static dip_status print_json(const results *r, dip_err *err)
{
    json_t *all = json_array();
    dip_status st = all != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < r->count && st == DIP_OK; i++) {
        if (json_array_append_new(all, result_json(r, i)) != 0)
            st = dip_no_memory(err);
    }
    if (st == DIP_OK)
        st = dip_cli_print_json(all, err);
    json_decref(all);
    return st;
}

/* ---- searching ---- */

/* Moves the products that exist to the front; `gallery` gets their rows. */
static int64_t pack_gallery(dip_matrix *m, int64_t *gallery, int64_t count,
                            int64_t dim)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!m->present[i])
            continue;
        memmove(m->rows + kept * dim, m->rows + i * dim,
                (size_t)dim * sizeof(float));
        gallery[kept++] = i;
    }
    return kept;
}

/* Room for the best of the gallery, found and, if asked for, ranked again. */
static dip_status find(dip_hit *hits, float *logits, int64_t found,
                       const dip_embed_job *job, const dip_embeddings *query,
                       const dip_embeddings *products, int64_t rerank,
                       dip_err *err)
{
    dip_status st = dip_topk_search(hits, query, products, NULL, found, err);
    if (st == DIP_OK && rerank > 0)
        st = dip_rerank_logits(logits, hits, rerank, query, products, job, err);
    if (st == DIP_OK && rerank > 0)
        dip_rerank_sort(hits, logits, rerank);
    return st;
}

static dip_status search(const dip_embed_job *job, dip_embedded *e,
                         const arguments *a, const float *query, dip_err *err)
{
    dip_similarity similarity = job->settings->model.similarity;
    int64_t *gallery = dip_calloc((size_t)e->count, sizeof *gallery);
    int64_t count = gallery != NULL ? pack_gallery(&e->products[0], gallery,
                                                   e->count, e->dim)
                                    : 0;
    int64_t rerank = a->rerank < count ? a->rerank : count;
    int64_t found = a->top > rerank ? a->top : rerank;
    dip_hit *hits = dip_calloc((size_t)found, sizeof *hits);
    float *logits = dip_calloc((size_t)found, sizeof *logits);
    dip_embeddings queries = {query, 1, e->dim, similarity};
    dip_embeddings products = {e->products[0].rows, count, e->dim, similarity};
    dip_status st =
        gallery != NULL && hits != NULL && logits != NULL
            ? find(hits, logits, found, job, &queries, &products, rerank, err)
            : dip_no_memory(err);
    results r = {.catalog = job->corpus->catalog,
                 .hits = hits,
                 .logits = logits,
                 .count = a->top < count ? a->top : count,
                 .reranked = rerank};
    if (st == DIP_OK)
        st = make_results(&r, err);
    for (int64_t i = 0; i < r.count && st == DIP_OK; i++) {
        r.rows[i] = e->row[gallery[hits[i].row]];
        r.ids[i] = dip_catalog_id(r.catalog, r.rows[i]);
    }
    if (st == DIP_OK)
        st = a->run.json ? print_json(&r, err) : print_table(&r, err);
    free(r.rows);
    free(r.ids);
    free(logits);
    free(hits);
    free(gallery);
    return st;
}

/* ---- searching in an index ---- */

/* Whether the run's queries can be compared with the rows of the index. */
static dip_status check_index(const dip_index_file *file, const char *path,
                              const dip_trained *run, const dip_embed_job *job,
                              dip_err *err)
{
    char model[DIP_DIGEST_SIZE];
    int64_t dim = dip_index_dim(file->index);
    dip_status st = dip_embed_model_digest(model, run, err);
    if (st == DIP_OK && strcmp(model, file->model) != 0)
        st = dip_fail(err, DIP_EDATA,
                      "'%s' is of another model (%.12s) than '%s' (%.12s)",
                      path, file->model, run->checkpoint, model);
    if (st == DIP_OK && dim != dip_embed_dim(job))
        st = dip_fail(err, DIP_EDATA,
                      "'%s' has rows of %lld numbers, and the query has %lld: "
                      "see --dim",
                      path, (long long)dim, (long long)dip_embed_dim(job));
    return st;
}

static dip_status print_found(const dip_index_file *file,
                              const dip_embed_job *job, const dip_hit *hits,
                              int64_t count, bool json, dip_err *err)
{
    results r = {.catalog = job->corpus->catalog, .hits = hits, .count = count};
    dip_status st = make_results(&r, err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        r.ids[i] = dip_index_file_id(file, hits[i].row);
        r.rows[i] = dip_catalog_row_of(r.catalog, r.ids[i]);
    }
    if (st == DIP_OK)
        st = json ? print_json(&r, err) : print_table(&r, err);
    free(r.rows);
    free(r.ids);
    return st;
}

static dip_status search_index(const dip_trained *run, const dip_embed_job *job,
                               const arguments *a, const float *query,
                               dip_err *err)
{
    dip_index_file file = {0};
    dip_hit *hits = NULL;
    int64_t count = 0;
    dip_embeddings queries = {query, 1, dip_embed_dim(job),
                              job->settings->model.similarity};
    dip_status st = dip_index_file_read(&file, a->index, err);
    if (st == DIP_OK)
        st = check_index(&file, a->index, run, job, err);
    if (st == DIP_OK) {
        hits = dip_calloc((size_t)a->top, sizeof *hits);
        st = hits != NULL ? dip_index_search(hits, file.index, &queries, a->top,
                                             false, err)
                          : dip_no_memory(err);
    }
    while (st == DIP_OK && count < a->top && hits[count].row >= 0)
        count++;
    if (st == DIP_OK)
        st = print_found(&file, job, hits, count, a->run.json, err);
    free(hits);
    dip_index_file_free(&file);
    return st;
}

static dip_status encode_and_search(const dip_trained *run, const arguments *a,
                                    dip_err *err)
{
    dip_corpus *corpus = NULL;
    dip_embedded embedded = {0};
    float *query = NULL;
    dip_field_set fields;
    dip_embed_job job = dip_embed_job_of(run, NULL, a->run.quiet);
    job.dim = a->run.dim;
    if (run->settings->task != DIP_TASK_RETRIEVAL)
        return dip_fail(err, DIP_EDATA, "'%s' classifies, it finds nothing",
                        run->dir);
    dip_status st = dip_embed_choose_fields(
        &fields, a->fields.names, a->fields.count, run->settings, err);
    if (st == DIP_OK && a->rerank > 0 && !dip_model_has_match(run->model))
        st = dip_fail(err, DIP_ECONFIG,
                      "no match classifier in '%s' to re-rank with: train it "
                      "with model.match.hidden",
                      run->dir);
    if (st == DIP_OK)
        st = dip_embed_check_dim(&job, a->rerank, err);
    if (st == DIP_OK)
        st = dip_trained_corpus(&corpus, run, a->run.data, err);
    if (st != DIP_OK)
        return st;
    job.corpus = corpus;
    query = dip_calloc((size_t)dip_embed_dim(&job), sizeof *query);
    if (query == NULL)
        st = dip_no_memory(err);
    else if (a->image != NULL)
        st = encode_photo(query, &job, a->image, err);
    else
        st = encode_words(query, &job, a->text, err);
    (void)dip_embed_product(&embedded, &fields);
    if (st == DIP_OK && a->index == NULL)
        st = dip_embed_split(&embedded, &job, a->run.split, err);
    if (st == DIP_OK)
        st = a->index == NULL ? search(&job, &embedded, a, query, err)
                              : search_index(run, &job, a, query, err);
    dip_embedded_free(&embedded);
    free(query);
    dip_corpus_free(corpus);
    return st;
}

int dip_cmd_search(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN (--text WORDS | --image FILE)",
        "Find the products of a catalog that are nearest to a query.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    dip_trained *run = NULL;
    arguments a = {.run = {.checkpoint = "best", .split = DIP_SPLIT_TEST},
                   .top = 10};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st =
        dip_trained_load(&run, a.target.path, a.run.checkpoint, NULL, 0, &err);
    if (st == DIP_OK)
        st = encode_and_search(run, &a, &err);
    dip_trained_free(run);
    dip_cli_list_free(&a.fields);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych search", &err);
}
