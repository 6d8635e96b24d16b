#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/model_apps.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "eval/stored.h"
#include "export/index_file.h"

enum {
    OPT_TYPE = 0x100,
    OPT_LISTS,
    OPT_PROBES,
    OPT_LINKS,
    OPT_DEPTH,
    OPT_CODE_BYTES,
    OPT_SEED,
    OPT_QUERIES,
    OPT_JSON,
    MEASURED = 10, /* hits whose recall is told */
    MEASURED_QUERIES = 500
};

static const struct argp_option options[] = {
    {"out", 'o', "FILE", 0, "X.faiss, with X.faiss.json beside it (needed)", 0},
    {"type", OPT_TYPE, "NAME", 0, "flat, ivf, hnsw or ivfpq (needed)", 0},
    {"lists", OPT_LISTS, "N", 0,
     "ivf, ivfpq: parts (default: 4 times the root of the rows)", 0},
    {"probes", OPT_PROBES, "N", 0,
     "ivf, ivfpq: parts that a query looks at (default: a sixteenth, at least "
     "8)",
     0},
    {"links", OPT_LINKS, "N", 0, "hnsw: of a row (default 32)", 0},
    {"depth", OPT_DEPTH, "N", 0,
     "hnsw: candidates that a query follows (default 64)", 0},
    {"code-bytes", OPT_CODE_BYTES, "N", 0,
     "ivfpq: of a row; divides its numbers (default: an eighth of them)", 0},
    {"seed", OPT_SEED, "N", 0, "of centres and graphs (default 1234)", 0},
    {"queries", OPT_QUERIES, "FILE", 0,
     "embeddings to measure with (default: rows of the file itself)", 0},
    {"json", OPT_JSON, 0, 0, "print JSON", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    const char *out, *queries;
    dip_index_options index;
    bool has_type, json;
} arguments;

static error_t parse_number(int key, const char *value,
                            struct argp_state *state)
{
    dip_index_options *o = &((arguments *)state->input)->index;
    const struct {
        int key;
        int64_t *to;
        const char *name;
        int64_t least, most;
    } numbers[] = {
        {OPT_LISTS, &o->lists, "lists", 1, 1 << 20},
        {OPT_PROBES, &o->probes, "probes", 1, 1 << 20},
        {OPT_LINKS, &o->links, "links", 2, 512},
        {OPT_DEPTH, &o->depth, "depth", 1, 1 << 20},
        {OPT_CODE_BYTES, &o->code_bytes, "code-bytes", 1, 65536},
        {OPT_SEED, &o->seed, "seed", 0, INT32_MAX},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(numbers); i++) {
        if (numbers[i].key == key) {
            *numbers[i].to = dip_cli_int(state, numbers[i].name, value,
                                         numbers[i].least, numbers[i].most);
            return 0;
        }
    }
    return ARGP_ERR_UNKNOWN;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case 'o':
        a->out = value;
        return 0;
    case OPT_TYPE:
        if (!dip_index_kind_parse(&a->index.kind, value))
            argp_error(state, "unknown type '%s': flat, ivf, hnsw or ivfpq",
                       value);
        a->has_type = true;
        return 0;
    case OPT_QUERIES:
        a->queries = value;
        return 0;
    case OPT_JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "file of embeddings", value, state);
        return 0;
    case ARGP_KEY_END:
        dip_cli_target_need(&a->target, "file of embeddings", state);
        if (a->out == NULL || !a->has_type)
            argp_error(state, "--%s is missing",
                       a->out == NULL ? "out" : "type");
        return 0;
    default:
        return parse_number(key, value, state);
    }
}

/* ---- measuring ---- */

typedef struct {
    double recall, median_ms, p99_ms;
    int64_t queries;
} measures;

static dip_status check_queries(const dip_embedding_store *queries,
                                const dip_embedding_store *store, dip_err *err)
{
    const dip_embedding_info *a = dip_embedding_store_info(queries);
    const dip_embedding_info *b = dip_embedding_store_info(store);
    const char *other = strcmp(a->model, b->model) != 0 ? "another model"
                        : a->dim != b->dim              ? "another length"
                                                        : NULL;
    return other == NULL ? DIP_OK
                         : dip_fail(err, DIP_EDATA, "'%s' is of %s than '%s'",
                                    dip_embedding_store_path(queries), other,
                                    dip_embedding_store_path(store));
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Each query alone, by one thread, as a service has it. */
static dip_status search_timed(dip_hit *found, double *ms,
                               const dip_index_built *built,
                               const dip_embeddings *queries, int64_t k,
                               dip_err *err)
{
    dip_status st = DIP_OK;
    for (int64_t q = 0; q < queries->rows && st == DIP_OK; q++) {
        dip_embeddings one = {queries->data + q * queries->dim, 1, queries->dim,
                              queries->similarity};
        double start = dip_cli_now();
        st = dip_index_search(found + q * k, built->index, &one, k, true, err);
        ms[q] = 1e3 * (dip_cli_now() - start);
    }
    for (int64_t i = 0; i < queries->rows * k && st == DIP_OK; i++) {
        if (found[i].row >= 0)
            found[i].row = built->rows[found[i].row];
    }
    return st;
}

/* `own`: the queries are rows of the store, and are not to find themselves. */
static dip_status measure_lists(measures *out, const dip_index_built *built,
                                const dip_embedding_store *store,
                                const dip_stored_sample *sample, bool own,
                                dip_err *err)
{
    int64_t k = MEASURED + own, n = sample->count;
    dip_embeddings queries = dip_stored_sample_view(sample);
    dip_hit *exact = dip_calloc((size_t)(n * k), sizeof *exact);
    dip_hit *found = dip_calloc((size_t)(n * k), sizeof *found);
    double *ms = dip_calloc((size_t)n, sizeof *ms);
    dip_status st =
        exact != NULL && found != NULL && ms != NULL
            ? dip_stored_search(exact, store, &queries, k, true, err)
            : dip_no_memory(err);
    if (st == DIP_OK)
        st = search_timed(found, ms, built, &queries, k, err);
    if (st == DIP_OK && own) {
        dip_hits_drop(exact, n, k, sample->rows);
        dip_hits_drop(found, n, k, sample->rows);
    }
    if (st == DIP_OK)
        st = dip_stored_rescore(found, k, MEASURED, store, &queries, err);
    if (st == DIP_OK) {
        qsort(ms, (size_t)n, sizeof *ms, by_size);
        *out =
            (measures){.recall = dip_hits_recall(found, exact, n, k, MEASURED),
                       .median_ms = ms[n / 2],
                       .p99_ms = ms[(n - 1) * 99 / 100],
                       .queries = n};
    }
    free(exact);
    free(found);
    free(ms);
    return st;
}

static dip_status measure(measures *out, const dip_index_built *built,
                          const dip_embedding_store *store, const char *path,
                          dip_err *err)
{
    dip_embedding_store *queries = NULL;
    dip_stored_sample sample = {0};
    dip_status st = DIP_OK;
    if (path != NULL)
        st = dip_embedding_store_open(&queries, path, err);
    if (st == DIP_OK && path != NULL)
        st = check_queries(queries, store, err);
    if (st == DIP_OK)
        st = dip_stored_sample_read(&sample, path != NULL ? queries : store,
                                    MEASURED_QUERIES, err);
    if (st == DIP_OK)
        st = measure_lists(out, built, store, &sample, path == NULL, err);
    dip_stored_sample_free(&sample);
    dip_embedding_store_close(queries);
    return st;
}

/* ---- the report ---- */

static json_t *describe(const measures *m, double seconds)
{
    return json_pack(
        "{s:o, s:I, s:o, s:o, s:o}", "recall@10", dip_json_real(m->recall),
        "queries", (json_int_t)m->queries, "median_ms",
        dip_json_real(m->median_ms), "p99_ms", dip_json_real(m->p99_ms),
        "build_seconds", dip_json_real(seconds));
}

static dip_status print(const arguments *a, const dip_index_built *built,
                        const measures *m, const json_t *measured,
                        double seconds, dip_err *err)
{
    dip_str text = {0};
    dip_status st = DIP_OK;
    if (a->json) {
        st = dip_json_dump(&text, measured, DIP_JSON_AS_BUILT, err);
    } else {
        dip_cli_add_count(&text, built->count);
        dip_str_addf(&text, " rows, %s, built in %.1f s\n",
                     dip_index_kind_name(a->index.kind), seconds);
        dip_str_addf(&text,
                     "recall@%d %.4f against exact search; a query alone takes "
                     "%.3f ms, 99 %% of %lld at most %.3f ms\n",
                     MEASURED, m->recall, m->median_ms, (long long)m->queries,
                     m->p99_ms);
    }
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
    return st;
}

/* The embeddings are not to be lost to a slip of the hand. */
static dip_status check_place(const arguments *a, dip_err *err)
{
    return dip_file_same(a->target.path, a->out)
               ? dip_fail(err, DIP_ECONFIG,
                          "'%s' holds the embeddings and is not replaced",
                          a->out)
               : DIP_OK;
}

static dip_status make_index(arguments *a, const dip_embedding_store *store,
                             dip_err *err)
{
    const dip_embedding_info *info = dip_embedding_store_info(store);
    dip_index_built built = {0};
    measures m = {0};
    json_t *measured = NULL;
    double start = dip_cli_now();
    a->index.dim = info->dim;
    a->index.similarity = info->similarity;
    dip_status st = dip_index_complete(&a->index, info->rows, err);
    if (st == DIP_OK)
        st = dip_index_build(&built, &a->index, store, err);
    double seconds = dip_cli_now() - start;
    if (st == DIP_OK)
        st = measure(&m, &built, store, a->queries, err);
    if (st == DIP_OK) {
        measured = describe(&m, seconds);
        st = measured != NULL ? DIP_OK : dip_no_memory(err);
    }
    if (st == DIP_OK)
        st = dip_index_file_write(a->out, &built, &a->index, store, measured,
                                  err);
    if (st == DIP_OK)
        st = print(a, &built, &m, measured, seconds, err);
    json_decref(measured);
    dip_index_built_free(&built);
    return st;
}

int dip_cmd_index(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "EMBEDDINGS --type=NAME --out=FILE",
        "Build an index of a file of embeddings, for FAISS and for `diptych "
        "search --index`, and measure what it finds and how fast.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    dip_embedding_store *store = NULL;
    arguments a = {.index.seed = 1234};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st = dip_embedding_store_open(&store, a.target.path, &err);
    if (st == DIP_OK)
        st = check_place(&a, &err);
    if (st == DIP_OK)
        st = make_index(&a, store, &err);
    dip_embedding_store_close(store);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych index", &err);
}
