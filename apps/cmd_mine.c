#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/embed.h"
#include "apps/evaluate_task.h"
#include "apps/model_apps.h"
#include "apps/run_dir.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "eval/mining.h"

enum { OPT_TASK = 0x100, OPT_FROM, OPT_TO, OPT_COUNT, OPT_MARGIN };

static const struct argp_option options[] = {
    {"out", 'o', "FILE", 0, "ids of rows and of their wrong answers (needed)",
     0},
    {"data", DIP_CLI_DATA, "FILE", 0, "another catalog than the run's", 0},
    {"split", DIP_CLI_SPLIT, "NAME", 0, "train (default), val or test", 0},
    {"task", OPT_TASK, "NAME", 0, "whose ranking (default: the first)", 0},
    {"from", OPT_FROM, "N", 0, "first rank among wrong answers (default 1)", 0},
    {"to", OPT_TO, "N", 0, "last rank among wrong answers (default 50)", 0},
    {"count", OPT_COUNT, "N", 0, "wrong answers of a row at most (default 4)",
     0},
    {"margin", OPT_MARGIN, "X", 0,
     "leave out what does not score X less than the row's own product", 0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0, "best (default) or latest",
     0},
    {"json", DIP_CLI_JSON, 0, 0, "print JSON", 0},
    {"quiet", DIP_CLI_QUIET, 0, 0, "no progress", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    dip_cli_run run;
    const char *out, *task;
    dip_mine_options mining;
} arguments;

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    dip_mine_options *o = &a->mining;
    switch (key) {
    case 'o':
        a->out = value;
        return 0;
    case OPT_TASK:
        a->task = value;
        return 0;
    case OPT_FROM:
        o->from = dip_cli_int(state, "from", value, 1, 1000000);
        return 0;
    case OPT_TO:
        o->to = dip_cli_int(state, "to", value, 1, 1000000);
        return 0;
    case OPT_COUNT:
        o->count = dip_cli_int(state, "count", value, 1, 1024);
        return 0;
    case OPT_MARGIN:
        o->margin = dip_cli_real(state, "margin", value, 0, 1e6);
        o->has_margin = true;
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "run directory", value, state);
        return 0;
    case ARGP_KEY_END:
        dip_cli_target_need(&a->target, "run directory", state);
        if (a->out == NULL)
            argp_error(state, "--out is missing");
        if (o->to < o->from)
            argp_error(state, "--to is below --from");
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

/* ---- what is searched ---- */

/* Rows of a matrix that are there, one after another. */
typedef struct {
    float *values;
    int64_t *at;   /* [count] in the split */
    int64_t *rows; /* [count] of the catalog */
    int64_t count;
} packed;

static dip_status pack(packed *out, const dip_matrix *m, const dip_embedded *e,
                       dip_err *err)
{
    size_t count = (size_t)e->count, dim = (size_t)e->dim;
    out->values = dip_calloc(count * dim, sizeof *out->values);
    out->at = dip_calloc(count, sizeof *out->at);
    out->rows = dip_calloc(count, sizeof *out->rows);
    if (out->values == NULL || out->at == NULL || out->rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < e->count; i++) {
        if (!m->present[i])
            continue;
        memcpy(out->values + (size_t)out->count * dim, m->rows + i * e->dim,
               dim * sizeof *out->values);
        out->at[out->count] = i;
        out->rows[out->count++] = e->row[i];
    }
    return DIP_OK;
}

static void free_packed(packed *p)
{
    free(p->values);
    free(p->at);
    free(p->rows);
}

/* Position of each query's own product in the gallery, or -1; both ascend. */
static int64_t *find_own(const packed *queries, const packed *gallery)
{
    int64_t *own = dip_calloc((size_t)queries->count, sizeof *own);
    for (int64_t q = 0, g = 0; q < queries->count && own != NULL; q++) {
        while (g < gallery->count && gallery->at[g] < queries->at[q])
            g++;
        bool there = g < gallery->count && gallery->at[g] == queries->at[q];
        own[q] = there ? g : -1;
    }
    return own;
}

/* ---- the file ---- */

static dip_status add_id(dip_str *out, const dip_catalog *catalog, int64_t row,
                         dip_err *err)
{
    dip_bytes id = dip_catalog_id(catalog, row);
    if (memchr(id.data, '\t', id.len) != NULL ||
        memchr(id.data, '\n', id.len) != NULL)
        return dip_fail(err, DIP_EDATA,
                        "a tab or line break in the id of row %lld of '%s'",
                        (long long)row, dip_catalog_path(catalog));
    dip_str_addf(out, "%.*s", (int)id.len, id.data);
    return DIP_OK;
}

/* Lines of rows that have any; returns their number and that of all ids. */
static dip_status write_lines(int64_t *lines, int64_t *ids, const char *path,
                              const int64_t *found, int64_t width,
                              const packed *queries, const dip_catalog *catalog,
                              dip_err *err)
{
    dip_str text = {0};
    dip_status st = DIP_OK;
    *lines = *ids = 0;
    for (int64_t q = 0; q < queries->count && st == DIP_OK; q++) {
        const int64_t *list = found + q * width;
        if (list[0] < 0)
            continue;
        st = add_id(&text, catalog, queries->rows[q], err);
        for (int64_t i = 0; i < width && list[i] >= 0 && st == DIP_OK; i++) {
            dip_str_add(&text, "\t");
            st = add_id(&text, catalog, list[i], err);
            (*ids)++;
        }
        dip_str_add(&text, "\n");
        (*lines)++;
    }
    if (st == DIP_OK)
        st = dip_str_status(&text, err);
    if (st == DIP_OK)
        st = dip_file_write(path, dip_str_text(&text), text.len, err);
    dip_str_free(&text);
    return st;
}

static dip_status print_json(const char *task, int64_t queries, int64_t lines,
                             int64_t ids, dip_err *err)
{
    json_t *all = json_pack("{s:s, s:I, s:I, s:I}", "task", task, "queries",
                            (json_int_t)queries, "with_negatives",
                            (json_int_t)lines, "negatives", (json_int_t)ids);
    dip_status st = dip_cli_print_json(all, err);
    json_decref(all);
    return st;
}

static void print_text(const char *task, int64_t queries, int64_t lines,
                       int64_t ids)
{
    dip_str text = {0};
    dip_str_addf(&text, "%s: ", task);
    dip_cli_add_count(&text, lines);
    dip_str_add(&text, " of ");
    dip_cli_add_count(&text, queries);
    dip_str_add(&text, " queries have ");
    dip_cli_add_count(&text, ids);
    dip_str_add(&text, " wrong answers\n");
    (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
}

/* ---- mining ---- */

static dip_status choose_task(int *out, const dip_settings *s, const char *name,
                              dip_err *err)
{
    *out = 0;
    return name != NULL ? dip_embed_choose_task(out, name, s, err) : DIP_OK;
}

/* Queries of the log, of which each row has the one that it answers best. */
typedef struct {
    dip_row_queries judged;
    int64_t *asked; /* [queries] of the log */
} judged_queries;

static int64_t best_query(const dip_row_queries *judged, int64_t row)
{
    int64_t best = judged->offsets[row];
    for (int64_t i = best; i < judged->offsets[row + 1]; i++)
        best = judged->grades[i] > judged->grades[best] ? i : best;
    return judged->queries[best];
}

/* The rows with a query that they answer, and that query's embedding. */
static dip_status pack_judged(packed *out, judged_queries *j,
                              const dip_embed_job *job, const dip_embedded *e,
                              dip_err *err)
{
    const dip_catalog *catalog = job->corpus->catalog;
    size_t count = (size_t)e->count;
    j->asked = dip_calloc(count, sizeof *j->asked);
    dip_bytes *texts = dip_calloc(count, sizeof *texts);
    out->values = dip_calloc(count * (size_t)e->dim, sizeof *out->values);
    out->at = dip_calloc(count, sizeof *out->at);
    out->rows = dip_calloc(count, sizeof *out->rows);
    dip_status st = j->asked != NULL && texts != NULL && out->values != NULL &&
                            out->at != NULL && out->rows != NULL
                        ? DIP_OK
                        : dip_no_memory(err);
    for (int64_t i = 0; i < e->count && st == DIP_OK; i++) {
        int64_t row = e->row[i];
        if (j->judged.offsets[row] == j->judged.offsets[row + 1])
            continue;
        int64_t query = best_query(&j->judged, row);
        texts[out->count] = dip_catalog_query(catalog, query);
        j->asked[out->count] = query;
        out->at[out->count] = i;
        out->rows[out->count++] = row;
    }
    if (st == DIP_OK && out->count > 0)
        st = dip_embed_texts(out->values, job, texts, out->count, err);
    free(texts);
    return st;
}

static dip_status pack_queries(packed *out, judged_queries *j,
                               const arguments *a, const dip_embed_job *job,
                               int task, const dip_embedded *e, dip_err *err)
{
    if (!job->settings->tasks[task].judged)
        return pack(out, dip_evaluate_queries(e, job->settings, task), e, err);
    dip_status st = dip_row_queries_build(&j->judged, job->corpus->catalog,
                                          a->run.split, err);
    return st == DIP_OK ? pack_judged(out, j, job, e, err) : st;
}

static dip_status mine_rows(const arguments *a, const dip_embed_job *job,
                            int task, const packed *queries,
                            const judged_queries *j, const packed *gallery,
                            dip_err *err)
{
    int64_t dim = dip_embed_dim(job), lines = 0, ids = 0;
    dip_similarity similarity = job->settings->model.similarity;
    dip_mine_input m = {
        .queries = {queries->values, queries->count, dim, similarity},
        .gallery = {gallery->values, gallery->count, dim, similarity},
        .query_rows = queries->rows,
        .gallery_rows = gallery->rows,
        .keys = &job->corpus->keys[task],
        .judged = j->asked != NULL ? &j->judged : NULL,
        .asked = j->asked};
    int64_t *own = find_own(queries, gallery);
    int64_t *found =
        dip_calloc((size_t)(queries->count * a->mining.count), sizeof *found);
    m.own = own;
    dip_status st = own != NULL && found != NULL
                        ? dip_mine(found, &m, &a->mining, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = write_lines(&lines, &ids, a->out, found, a->mining.count, queries,
                         job->corpus->catalog, err);
    const char *name = job->settings->tasks[task].name;
    if (st == DIP_OK && a->run.json)
        st = print_json(name, queries->count, lines, ids, err);
    else if (st == DIP_OK)
        print_text(name, queries->count, lines, ids);
    free(own);
    free(found);
    return st;
}

static dip_status mine_split(const arguments *a, const dip_embed_job *job,
                             int task, dip_err *err)
{
    const dip_task_settings *t = &job->settings->tasks[task];
    dip_embedded e = {0};
    packed queries = {0}, gallery = {0};
    judged_queries j = {0};
    dip_field_set set = {0};
    memcpy(set.fields, t->fields, sizeof set.fields);
    int product = dip_embed_product(&e, &set);
    dip_status st = dip_embed_split(&e, job, a->run.split, err);
    if (st == DIP_OK)
        st = pack_queries(&queries, &j, a, job, task, &e, err);
    if (st == DIP_OK)
        st = pack(&gallery, &e.products[product], &e, err);
    if (st == DIP_OK && (queries.count == 0 || gallery.count == 0))
        st = dip_fail(err, DIP_EDATA, "no %s in the split '%s'",
                      queries.count == 0 ? "query" : "product",
                      dip_split_name(a->run.split));
    if (st == DIP_OK)
        st = mine_rows(a, job, task, &queries, &j, &gallery, err);
    dip_row_queries_free(&j.judged);
    free(j.asked);
    free_packed(&queries);
    free_packed(&gallery);
    dip_embedded_free(&e);
    return st;
}

static dip_status mine(const arguments *a, const dip_trained *run, dip_err *err)
{
    dip_corpus *corpus = NULL;
    int task;
    dip_embed_job job = dip_embed_job_of(run, NULL, a->run.quiet);
    if (run->settings->task != DIP_TASK_RETRIEVAL)
        return dip_fail(err, DIP_EDATA, "'%s' finds no products", run->dir);
    dip_status st = choose_task(&task, run->settings, a->task, err);
    if (st == DIP_OK)
        st = dip_trained_corpus(&corpus, run, a->run.data, err);
    job.corpus = corpus;
    if (st == DIP_OK &&
        dip_file_same(a->out, dip_catalog_path(corpus->catalog)))
        st = dip_fail(err, DIP_ECONFIG,
                      "'%s' is the catalog and is not replaced", a->out);
    if (st == DIP_OK)
        st = mine_split(a, &job, task, err);
    dip_corpus_free(corpus);
    return st;
}

int dip_cmd_mine(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN --out=FILE",
        "Find products that the model of a run ranks high and that are wrong: "
        "hard negatives for train.hard_negatives.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    dip_trained *run = NULL;
    arguments a = {.run = {.checkpoint = "best", .split = DIP_SPLIT_TRAIN},
                   .mining = {.from = 1, .to = 50, .count = 4}};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st =
        dip_trained_load(&run, a.target.path, a.run.checkpoint, NULL, 0, &err);
    if (st == DIP_OK)
        st = mine(&a, run, &err);
    dip_trained_free(run);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych mine", &err);
}
