#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/embed_file.h"
#include "apps/model_apps.h"
#include "apps/query_file.h"
#include "apps/run_dir.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/sampler.h"
#include "eval/stored.h"

enum {
    OPT_FIELDS = 0x100,
    OPT_FIELD,
    OPT_TASK,
    OPT_QUERIES,
    OPT_PRECISION,
    OPT_RESCORE,
    OPT_REUSE,
    MEASURED = 10, /* hits whose recall is told */
    RESCORED = 40, /* of which codes find the first */
    MEASURED_QUERIES = 200
};

static const struct argp_option options[] = {
    {"out", 'o', "FILE", 0, "X.h5 or X.npy (needed)", 0},
    {"data", DIP_CLI_DATA, "FILE", 0, "catalog (default: that of the training)",
     0},
    {"split", DIP_CLI_SPLIT, "NAME", 0,
     "train, val or test (default: all rows)", 0},
    {"fields", OPT_FIELDS, "NAME,...", 0,
     "fields that a product is made of (default: all)", 0},
    {"task", OPT_TASK, "NAME", 0, "the product fields of this task", 0},
    {"field", OPT_FIELD, "NAME", 0,
     "image, or another field, as it is before fusion", 0},
    {"queries", OPT_QUERIES, "FILE", OPTION_ARG_OPTIONAL,
     "texts instead of rows: the lines of FILE, or the catalog's judged "
     "queries",
     0},
    {"precision", OPT_PRECISION, "NAME", 0,
     "fp32 (default), fp16, int8 or binary", 0},
    {"rescore", OPT_RESCORE, "NAME", 0,
     "keep fp32 or fp16 rows beside int8 or binary, and measure recall", 0},
    {"reuse", OPT_REUSE, "FILE", 0,
     "take unchanged rows of this file (default: the one that is replaced)", 0},
    {"dim", DIP_CLI_DIM, "N", 0,
     "the first N numbers of the embeddings (default: all)", 0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0,
     "best (default), latest or step-…", 0},
    {"json", DIP_CLI_JSON, 0, 0, "print JSON", 0},
    {"quiet", DIP_CLI_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    dip_cli_run run;
    const char *out, *reuse, *field, *task;
    const char *query_file; /* NULL: those of the catalog */
    dip_cli_list fields;
    dip_codes precision, rescore;
    bool has_rescore, queries;
} arguments;

static void check_arguments(const arguments *a, struct argp_state *state)
{
    dip_cli_target_need(&a->target, "run directory", state);
    if (a->out == NULL)
        argp_error(state, "--out is missing");
    bool npy = dip_path_has_suffix(a->out, ".npy");
    if (!npy && !dip_path_has_suffix(a->out, ".h5"))
        argp_error(state, "--out '%s' ends in neither .h5 nor .npy", a->out);
    int kinds = (a->fields.count > 0) + (a->task != NULL) + (a->field != NULL) +
                a->queries;
    if (kinds > 1)
        argp_error(state,
                   "more than one of --fields, --task, --field and --queries");
    if (a->queries && a->run.has_split)
        argp_error(state, "--split says nothing of --queries");
    bool codes = a->precision >= DIP_CODES_INT8;
    if (a->has_rescore && !codes)
        argp_error(state, "--rescore is for int8 and binary");
    if (npy && codes)
        argp_error(state, "%s needs an --out that ends in .h5",
                   dip_codes_name(a->precision));
}

static void parse_precision(dip_codes *out, const char *value, dip_codes last,
                            const char *option, struct argp_state *state)
{
    if (!dip_codes_parse(out, value) || *out > last)
        argp_error(state, "unknown %s '%s': %s", option, value,
                   last == DIP_CODES_FP16 ? "fp32 or fp16"
                                          : "fp32, fp16, int8 or binary");
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case 'o':
        a->out = value;
        return 0;
    case OPT_FIELDS:
        dip_cli_list_add(state, "fields", &a->fields, value);
        return 0;
    case OPT_TASK:
        a->task = value;
        return 0;
    case OPT_FIELD:
        a->field = value;
        return 0;
    case OPT_QUERIES:
        a->queries = true;
        a->query_file = value;
        return 0;
    case OPT_PRECISION:
        parse_precision(&a->precision, value, DIP_CODES_BINARY, "precision",
                        state);
        return 0;
    case OPT_RESCORE:
        parse_precision(&a->rescore, value, DIP_CODES_FP16, "rescore", state);
        a->has_rescore = true;
        return 0;
    case OPT_REUSE:
        a->reuse = value;
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "run directory", value, state);
        return 0;
    case ARGP_KEY_END:
        check_arguments(a, state);
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

/* ---- what is embedded ---- */

static dip_status task_fields(dip_field_set *set, const char *name,
                              const dip_settings *s, dip_err *err)
{
    int task;
    dip_status st = dip_embed_choose_task(&task, name, s, err);
    if (st == DIP_OK)
        memcpy(set->fields, s->tasks[task].fields, sizeof set->fields);
    return st;
}

static dip_status choose_target(dip_embed_target *out, const arguments *a,
                                const dip_embed_job *job, dip_err *err)
{
    *out = (dip_embed_target){.name = "product"};
    if (a->field != NULL)
        return dip_embed_target_source(out, a->field, job, err);
    if (job->settings->field_count == 0 && a->fields.count == 0)
        return dip_embed_target_source(
            out,
            job->settings->text_count > 0 ? job->settings->texts[0].name
                                          : "image",
            job, err); /* of a classifier, what its tower reads */
    if (a->task != NULL)
        return task_fields(&out->set, a->task, job->settings, err);
    return dip_embed_choose_fields(&out->set, a->fields.names, a->fields.count,
                                   job->settings, err);
}

/* The rows of an order and what they are called. */
typedef struct {
    int64_t *rows;
    dip_bytes *ids;
    int64_t count;
    dip_query_file queries;
} material;

static dip_status all_rows(material *m, const dip_catalog *catalog,
                           dip_err *err)
{
    m->count = dip_catalog_rows(catalog);
    m->rows = dip_calloc((size_t)m->count, sizeof *m->rows);
    if (m->rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < m->count; i++)
        m->rows[i] = i;
    return DIP_OK;
}

static dip_status find_rows(material *m, const arguments *a,
                            const dip_catalog *catalog, dip_err *err)
{
    dip_status st =
        a->run.has_split
            ? dip_split_rows(&m->rows, &m->count, catalog, a->run.split, err)
            : all_rows(m, catalog, err);
    if (st == DIP_OK && m->count == 0)
        st = dip_fail(err, DIP_EDATA, "no row of the split '%s' in '%s'",
                      dip_split_name(a->run.split), dip_catalog_path(catalog));
    if (st != DIP_OK)
        return st;
    m->ids = dip_calloc((size_t)m->count, sizeof *m->ids);
    if (m->ids == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < m->count; i++)
        m->ids[i] = dip_catalog_id(catalog, m->rows[i]);
    return DIP_OK;
}

static dip_status find_material(material *m, const arguments *a,
                                const dip_catalog *catalog, dip_err *err)
{
    if (!a->queries)
        return find_rows(m, a, catalog, err);
    return a->query_file != NULL
               ? dip_query_file_read(&m->queries, a->query_file, err)
               : dip_query_file_judged(&m->queries, catalog, err);
}

static void free_material(material *m)
{
    free(m->rows);
    free(m->ids);
    dip_query_file_free(&m->queries);
}

/* ---- recall of the codes ---- */

typedef struct {
    double codes, rescored; /* NAN: not measured */
} recall;

static dip_status measure_lists(recall *out, const dip_embedding_store *store,
                                const dip_stored_sample *sample, dip_hit *exact,
                                dip_hit *found, int64_t k, dip_err *err)
{
    dip_embeddings queries = dip_stored_sample_view(sample);
    dip_status st = dip_stored_search(exact, store, &queries, k, true, err);
    if (st == DIP_OK)
        st = dip_stored_search(found, store, &queries, k, false, err);
    if (st != DIP_OK)
        return st;
    dip_hits_drop(exact, sample->count, k, sample->rows);
    dip_hits_drop(found, sample->count, k, sample->rows);
    int64_t n = sample->count;
    st = dip_stored_rescore(found, k, MEASURED, store, &queries, err);
    out->codes = dip_hits_recall(found, exact, n, k, MEASURED);
    if (st == DIP_OK)
        st = dip_stored_rescore(found, k, RESCORED, store, &queries, err);
    out->rescored = dip_hits_recall(found, exact, n, k, MEASURED);
    return st;
}

/* Rows of the file search for others, by codes alone and ranked again. */
static dip_status measure(recall *out, const char *path, dip_err *err)
{
    const int64_t k = RESCORED + 1; /* with the query itself */
    dip_embedding_store *store = NULL;
    dip_stored_sample sample = {0};
    dip_status st = dip_embedding_store_open(&store, path, err);
    if (st == DIP_OK)
        st = dip_stored_sample_read(&sample, store, MEASURED_QUERIES, err);
    dip_hit *exact = dip_calloc((size_t)(sample.count * k), sizeof *exact);
    dip_hit *found = dip_calloc((size_t)(sample.count * k), sizeof *found);
    if (st == DIP_OK)
        st = exact != NULL && found != NULL
                 ? measure_lists(out, store, &sample, exact, found, k, err)
                 : dip_no_memory(err);
    free(exact);
    free(found);
    dip_stored_sample_free(&sample);
    dip_embedding_store_close(store);
    return st;
}

/* ---- the report ---- */

typedef struct {
    const dip_embed_order *order;
    dip_embed_counts counts;
    recall recall;
    double seconds;
} summary;

static void print_text(const summary *s)
{
    const dip_embedding_info *info = &s->order->info;
    dip_str text = {0};
    dip_cli_add_count(&text, s->order->count);
    dip_str_addf(&text, " rows: %s, %lld numbers as %s\n", info->recipe,
                 (long long)info->dim, dip_codes_name(info->precision));
    dip_cli_add_count(&text, s->counts.reused);
    dip_str_add(&text, " taken unchanged, ");
    dip_cli_add_count(&text, s->counts.resumed);
    dip_str_add(&text, " of an interrupted run, ");
    dip_cli_add_count(&text, s->counts.computed);
    dip_str_add(&text, " computed\n");
    dip_str_addf(&text,
                 "%.1f s: digests %.1f, model %.1f, file %.1f, the rest "
                 "loading\n",
                 s->seconds, s->counts.digest_seconds,
                 s->counts.compute_seconds, s->counts.write_seconds);
    if (!isnan(s->recall.codes))
        dip_str_addf(&text,
                     "recall@%d against %s: %s %.4f, its first %d ranked "
                     "again %.4f\n",
                     MEASURED, dip_codes_name(info->rescore),
                     dip_codes_name(info->precision), s->recall.codes, RESCORED,
                     s->recall.rescored);
    (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
}

static dip_status print_json(const summary *s, dip_err *err)
{
    const dip_embedding_info *info = &s->order->info;
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, "
        "s:o, s:o}",
        "out", s->order->out, "model", info->model, "recipe", info->recipe,
        "precision", dip_codes_name(info->precision), "rows",
        (json_int_t)s->order->count, "dim", (json_int_t)info->dim, "reused",
        (json_int_t)s->counts.reused, "resumed", (json_int_t)s->counts.resumed,
        "computed", (json_int_t)s->counts.computed, "seconds",
        dip_json_real(s->seconds), "digest_seconds",
        dip_json_real(s->counts.digest_seconds), "model_seconds",
        dip_json_real(s->counts.compute_seconds), "file_seconds",
        dip_json_real(s->counts.write_seconds), "recall@10",
        dip_json_real(s->recall.codes), "rescored_recall@10",
        dip_json_real(s->recall.rescored));
    dip_status st = dip_cli_print_json(json, err);
    json_decref(json);
    return st;
}

/* ---- all ---- */

static dip_status embed(const dip_embed_job *job, const dip_trained *run,
                        const arguments *a, double start, dip_err *err)
{
    char model[DIP_DIGEST_SIZE];
    dip_embed_target target = {.name = "query"};
    material m = {0};
    dip_str recipe = {0};
    summary s = {.recall = {(double)NAN, (double)NAN}};
    dip_status st = a->queries ? DIP_OK : choose_target(&target, a, job, err);
    if (st == DIP_OK)
        st = find_material(&m, a, job->corpus->catalog, err);
    if (st == DIP_OK)
        st = dip_embed_model_digest(model, run, err);
    dip_embed_recipe(&recipe, job, a->queries ? NULL : &target);
    if (st == DIP_OK)
        st = dip_str_status(&recipe, err);
    int64_t count = a->queries ? m.queries.count : m.count;
    dip_embed_order order = {
        .job = job,
        .target = a->queries ? NULL : &target,
        .rows = m.rows,
        .texts = m.queries.texts,
        .ids = a->queries ? m.queries.ids : m.ids,
        .count = count,
        .info = {.name = target.name,
                 .model = model,
                 .recipe = dip_str_text(&recipe),
                 .similarity = job->settings->model.similarity,
                 .precision = a->precision,
                 .has_rescore = a->has_rescore,
                 .rescore = a->rescore,
                 .rows = count,
                 .dim = dip_embed_dim(job)},
        .out = a->out,
        .reuse = a->reuse,
    };
    s.order = &order;
    if (st == DIP_OK)
        st = dip_embed_file_make(&s.counts, &order, err);
    s.seconds = dip_cli_now() - start;
    if (st == DIP_OK && a->has_rescore)
        st = measure(&s.recall, a->out, err);
    if (st == DIP_OK && a->run.json)
        st = print_json(&s, err);
    else if (st == DIP_OK)
        print_text(&s);
    dip_str_free(&recipe);
    free_material(&m);
    return st;
}

int dip_cmd_embed(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN --out=FILE [key.path=value...]",
        "Write the embeddings that a run makes of a catalog's rows, or of "
        "texts. Unchanged rows of an earlier file are not computed again, and "
        "an interrupted run goes on where it stopped.",
        NULL,
        NULL,
        NULL};
    double start = dip_cli_now();
    dip_err err = {0};
    dip_trained *run = NULL;
    dip_corpus *corpus = NULL;
    arguments a = {
        .target = {.overrides = dip_calloc((size_t)argc, sizeof(char *))},
        .run = {.checkpoint = "best"}};
    if (a.target.overrides == NULL)
        return dip_status_exit_code(dip_no_memory(&err));
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st =
        dip_trained_load(&run, a.target.path, a.run.checkpoint,
                         a.target.overrides, a.target.override_count, &err);
    if (st == DIP_OK)
        st = dip_trained_corpus(&corpus, run, a.run.data, &err);
    if (st == DIP_OK) {
        dip_embed_job job = dip_embed_job_of(run, corpus, a.run.quiet);
        job.dim = a.run.dim;
        st = dip_embed_check_dim(&job, 0, &err);
        if (st == DIP_OK)
            st = embed(&job, run, &a, start, &err);
    }
    dip_corpus_free(corpus);
    dip_trained_free(run);
    dip_cli_list_free(&a.fields);
    free(a.target.overrides);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych embed", &err);
}
