#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/model_apps.h"
#include "apps/recommending.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/term.h"
#include "eval/trec.h"

enum {
    OPT_USER = 0x100,
    OPT_ALL,
    OPT_TOP,
    BLOCK = 256 /* users whose lists are made at once */
};

static const struct argp_option options[] = {
    {"user", OPT_USER, "ID", 0, "the user", 0},
    {"all", OPT_ALL, 0, 0, "all users, into the file of --out", 0},
    {"out", 'o', "FILE", 0,
     "FILE.csv: user,rank,item,score; any other: a TREC run", 0},
    {"top", OPT_TOP, "N", 0, "items of each user (default: 20)", 0},
    {"data", DIP_CLI_DATA, "FILE", 0, "where the catalog of the training is",
     0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0,
     "best (default), latest or step-…", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    dip_cli_run run;
    const char *user, *out;
    int64_t top;
    bool all;
} arguments;

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_USER:
        a->user = value;
        return 0;
    case OPT_ALL:
        a->all = true;
        return 0;
    case 'o':
        a->out = value;
        return 0;
    case OPT_TOP:
        a->top = dip_cli_int(state, "top", value, 1, 1000000);
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "run directory", value, state);
        return 0;
    case ARGP_KEY_END:
        dip_cli_target_need(&a->target, "run directory", state);
        if ((a->user == NULL) == !a->all)
            argp_error(state, "either --user or --all is needed");
        if (a->all != (a->out != NULL))
            argp_error(state, "--all and --out go together");
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

/* ---- one user ---- */

static dip_status find_user(int64_t *out, const dip_recommending *r,
                            const char *id, dip_err *err)
{
    size_t n = strlen(id);
    for (int64_t u = 0; u < r->graph.users; u++) {
        dip_bytes name = dip_catalog_user(r->catalog, u);
        if (name.len == n && memcmp(name.data, id, n) == 0) {
            *out = u;
            return DIP_OK;
        }
    }
    return dip_fail(err, DIP_ENOTFOUND, "no user '%s' in '%s'", id,
                    dip_catalog_path(r->catalog));
}

static dip_status print_list(const dip_recommending *r, const dip_hit *hits,
                             int64_t count, dip_err *err)
{
    static const dip_table_column columns[] = {{"rank", DIP_ALIGN_RIGHT},
                                               {"item", DIP_ALIGN_LEFT},
                                               {"score", DIP_ALIGN_RIGHT}};
    dip_table *table;
    dip_str text = {0}, id = {0};
    dip_status st = dip_table_new(&table, columns, DIP_ARRAY_LEN(columns), err);
    for (int64_t i = 0; st == DIP_OK && i < count && hits[i].row >= 0; i++) {
        dip_bytes name = dip_catalog_id(r->catalog, hits[i].row);
        char number[32];
        (void)snprintf(number, sizeof number, "%lld", (long long)i + 1);
        dip_table_cell(table, number);
        dip_str_clear(&id);
        dip_str_add_n(&id, name.data, name.len);
        dip_table_cell(table, dip_str_text(&id));
        (void)snprintf(number, sizeof number, "%.4f", (double)hits[i].score);
        dip_table_cell(table, number);
    }
    if (st == DIP_OK)
        st = dip_table_render(&text, table, dip_term_width(stdout), err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_table_free(table);
    dip_str_free(&text);
    dip_str_free(&id);
    return st;
}

static dip_status recommend_one(const dip_recommending *r,
                                const dip_recommending_embeddings *e,
                                const dip_bipartite *seen, const arguments *a,
                                dip_err *err)
{
    int64_t user = 0;
    dip_hit *hits = dip_calloc((size_t)a->top, sizeof *hits);
    if (hits == NULL)
        return dip_no_memory(err);
    dip_status st = find_user(&user, r, a->user, err);
    if (st == DIP_OK)
        st = dip_recommending_lists(hits, e, seen, user, 1, a->top, err);
    if (st == DIP_OK && dip_bipartite_of(&r->graph, user).count == 0)
        (void)fprintf(stderr,
                      "diptych recommend: warning: user '%s' has no "
                      "interactions in the training: this is for the mean of "
                      "all users\n",
                      a->user);
    if (st == DIP_OK)
        st = print_list(r, hits, a->top, err);
    free(hits);
    return st;
}

/* ---- all users ---- */

static dip_bytes name_of_user(void *user, int64_t index)
{
    const dip_recommending *r = user;
    return dip_catalog_user(r->catalog, index);
}

static dip_bytes name_of_item(void *user, int64_t row)
{
    const dip_recommending *r = user;
    return dip_catalog_id(r->catalog, row);
}

static void put_cell(FILE *stream, dip_bytes text)
{
    (void)putc('"', stream);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            (void)putc('"', stream);
        (void)putc((unsigned char)text.data[i], stream);
    }
    (void)putc('"', stream);
}

static void put_csv(FILE *stream, const dip_recommending *r,
                    const dip_hit *hits, int64_t first, int64_t count,
                    int64_t top)
{
    for (int64_t i = 0; i < count * top; i++) {
        if (hits[i].row < 0)
            continue;
        put_cell(stream, dip_catalog_user(r->catalog, first + i / top));
        (void)fprintf(stream, ",%lld,", (long long)(i % top) + 1);
        put_cell(stream, dip_catalog_id(r->catalog, hits[i].row));
        (void)fprintf(stream, ",%.9g\n", (double)hits[i].score);
    }
}

static dip_status put_all(FILE *stream, const dip_recommending *r,
                          const dip_recommending_embeddings *e,
                          const dip_bipartite *seen, const arguments *a,
                          dip_err *err)
{
    const dip_trec_names names = {name_of_user, name_of_item, (void *)r,
                                  r->settings->name};
    bool csv = dip_path_has_suffix(a->out, ".csv");
    dip_hit *hits = dip_calloc((size_t)a->top, BLOCK * sizeof *hits);
    dip_status st = hits != NULL ? DIP_OK : dip_no_memory(err);
    if (csv)
        (void)fputs("user,rank,item,score\n", stream);
    for (int64_t u = 0; u < r->graph.users && st == DIP_OK; u += BLOCK) {
        int64_t left = r->graph.users - u, count = left < BLOCK ? left : BLOCK;
        st = dip_recommending_lists(hits, e, seen, u, count, a->top, err);
        if (st == DIP_OK && csv)
            put_csv(stream, r, hits, u, count, a->top);
        else if (st == DIP_OK)
            dip_trec_put_lists(stream, hits, u, count, a->top, &names);
    }
    free(hits);
    return st;
}

static dip_status recommend_all(const dip_recommending *r,
                                const dip_recommending_embeddings *e,
                                const dip_bipartite *seen, const arguments *a,
                                dip_err *err)
{
    dip_file_writer *file;
    dip_status st = dip_file_writer_open(&file, a->out, err);
    if (st == DIP_OK)
        st = put_all(dip_file_writer_stream(file), r, e, seen, a, err);
    if (st == DIP_OK)
        st = dip_file_writer_commit(file, err);
    dip_file_writer_close(file);
    if (st == DIP_OK)
        (void)printf("recommended: %s, %lld users\n", a->out,
                     (long long)r->graph.users);
    return st;
}

/* ---- all ---- */

static dip_status run(dip_recommending *r, arguments *a, dip_err *err)
{
    dip_recommending_embeddings e = {0};
    dip_bipartite seen = {0};
    dip_status st = dip_recommending_load(r, a->target.path, a->run.checkpoint,
                                          a->run.data, NULL, 0, err);
    if (st != DIP_OK)
        return st;
    a->top = a->top < r->graph.items ? a->top : r->graph.items;
    st = dip_bipartite_of_catalog(
        &seen, r->catalog,
        DIP_SPLIT_BIT(DIP_SPLIT_TRAIN) | DIP_SPLIT_BIT(DIP_SPLIT_VAL), err);
    if (st == DIP_OK)
        st = dip_recommending_embed(&e, r, err);
    if (st == DIP_OK)
        st = a->all ? recommend_all(r, &e, &seen, a, err)
                    : recommend_one(r, &e, &seen, a, err);
    dip_recommending_embeddings_free(&e);
    dip_bipartite_free(&seen);
    return st;
}

int dip_cmd_recommend(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN --user=ID\nRUN --all --out=FILE",
        "Find the items that a user will like and has not had yet, by a run of "
        "the task `recommendation`.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    dip_recommending r = {0};
    arguments a = {.run = {.checkpoint = "best"}, .top = 20};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st = run(&r, &a, &err);
    dip_recommending_end(&r);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych recommend", &err);
}
