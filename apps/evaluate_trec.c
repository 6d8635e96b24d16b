#include "apps/evaluate_trec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_list_outcomes.h"
#include "apps/options.h"
#include "apps/settings_eval.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "eval/recommendation.h"
#include "eval/stats.h"
#include "eval/trec.h"
#include "report/report.h"

#define BLOCK 1024 /* queries whose lists are in memory at once */

/* ---- files ---- */

/* "folder/name.suffix", a slash in the name being none of the path's. */
static char *file_in(const char *folder, const char *name, const char *suffix)
{
    dip_str file = {0};
    dip_str_addf(&file, "%s%s", name, suffix);
    for (size_t i = 0; !file.failed && i < file.len; i++) {
        if (file.data[i] == '/')
            file.data[i] = '_';
    }
    char *path =
        file.failed ? NULL : dip_path_join(folder, dip_str_text(&file));
    dip_str_free(&file);
    return path;
}

static dip_status open_in(dip_file_writer **out, const char *folder,
                          const char *name, const char *suffix, dip_err *err)
{
    *out = NULL;
    char *path = file_in(folder, name, suffix);
    dip_status st =
        path != NULL ? dip_dir_make(folder, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_file_writer_open(out, path, err);
    free(path);
    return st;
}

/* ---- TREC out ---- */

static dip_bytes name_of_query(void *user, int64_t query)
{
    return dip_evaluate_query_id(user, query);
}

static dip_bytes name_of_product(void *user, int64_t row)
{
    const dip_ranked_task *r = user;
    return dip_catalog_id(r->evaluation->job.corpus->catalog,
                          r->product_rows[row]);
}

static dip_status write_run(FILE *stream, const dip_ranked_task *r,
                            const dip_trec_names *names, dip_err *err)
{
    int64_t k = r->evaluation->trec_depth;
    if (k > r->products.rows)
        k = r->products.rows;
    dip_hit *hits = dip_calloc((size_t)(BLOCK * k), sizeof *hits);
    dip_status st = hits != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t q = 0; k > 0 && q < r->queries.rows && st == DIP_OK;
         q += BLOCK) {
        dip_embeddings some = r->queries;
        some.data += q * some.dim;
        some.rows = some.rows - q < BLOCK ? some.rows - q : BLOCK;
        st = dip_topk_search(hits, &some, &r->products, NULL, k, err);
        if (st == DIP_OK)
            dip_trec_put_lists(stream, hits, q, some.rows, k, names);
    }
    free(hits);
    return st;
}

dip_status dip_evaluate_write_trec(const dip_ranked_task *r, dip_err *err)
{
    dip_file_writer *run = NULL, *qrels = NULL;
    dip_trec_names names = {name_of_query, name_of_product, (void *)r,
                            r->evaluation->job.settings->name};
    const char *folder = r->evaluation->trec;
    dip_status st = open_in(&run, folder, r->task->name, ".run", err);
    if (st == DIP_OK)
        st = open_in(&qrels, folder, r->task->name, ".qrels", err);
    if (st == DIP_OK)
        st = write_run(dip_file_writer_stream(run), r, &names, err);
    if (st == DIP_OK) {
        dip_trec_put_judgements(dip_file_writer_stream(qrels), r->relevance,
                                &names);
        st = dip_file_writer_commit(run, err);
    }
    if (st == DIP_OK)
        st = dip_file_writer_commit(qrels, err);
    dip_file_writer_close(qrels);
    dip_file_writer_close(run);
    return st;
}

/* ---- predictions ---- */

static void put_cell(FILE *stream, const char *text, size_t n)
{
    (void)putc('"', stream);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"')
            (void)putc('"', stream);
        (void)putc((unsigned char)text[i], stream);
    }
    (void)putc('"', stream);
}

static void put_row(FILE *stream, const dip_predictions *p, int64_t i)
{
    dip_bytes id =
        dip_catalog_id(p->evaluation->job.corpus->catalog, p->embedded->row[i]);
    const char *label = p->labels[i] < 0 ? "" : p->names[p->labels[i]];
    const char *predicted = p->names[p->predicted[i]];
    put_cell(stream, id.data, id.len);
    (void)putc(',', stream);
    put_cell(stream, label, strlen(label));
    (void)putc(',', stream);
    put_cell(stream, predicted, strlen(predicted));
    if (p->confidence != NULL)
        (void)fprintf(stream, ",%.9g", p->confidence[i]);
    else
        (void)putc(',', stream);
    (void)fprintf(stream, ",%s",
                  p->labels[i] < 0                  ? ""
                  : p->labels[i] == p->predicted[i] ? "1"
                                                    : "0");
    for (int64_t c = 0; c < p->columns; c++)
        (void)fprintf(stream, ",%.9g",
                      (double)p->probabilities[i * p->columns + c]);
    (void)putc('\n', stream);
}

static void put_header(FILE *stream, const dip_predictions *p)
{
    (void)fputs("id,label,predicted,confidence,correct", stream);
    for (int64_t c = 0; c < p->columns; c++) {
        dip_str cell = {0};
        dip_str_addf(&cell, "p(%s)", p->names[c]);
        (void)putc(',', stream);
        put_cell(stream, dip_str_text(&cell), cell.len);
        dip_str_free(&cell);
    }
    (void)putc('\n', stream);
}

dip_status dip_evaluate_write_predictions(const char *name,
                                          const dip_predictions *p,
                                          dip_err *err)
{
    dip_file_writer *file = NULL;
    dip_status st =
        open_in(&file, p->evaluation->predictions, name, ".csv", err);
    if (st == DIP_OK) {
        FILE *stream = dip_file_writer_stream(file);
        put_header(stream, p);
        for (int64_t i = 0; i < p->embedded->count; i++)
            put_row(stream, p, i);
        st = dip_file_writer_commit(file, err);
    }
    dip_file_writer_close(file);
    return st;
}

/* ---- TREC in ---- */

/* The options that mean something without a model. */
static dip_option *ranking_table(size_t *count)
{
    static const char *const keys[] = {"seed",
                                       "eval.k",
                                       "eval.ties",
                                       "eval.gain",
                                       "eval.count_empty",
                                       "eval.max_grade",
                                       "eval.bootstrap",
                                       "eval.rbp_persistence"};
    size_t rows;
    const dip_option *all = dip_options_table(&rows);
    dip_option *table = dip_calloc(DIP_ARRAY_LEN(keys), sizeof *table);
    *count = 0;
    for (size_t i = 0; table != NULL && i < rows; i++) {
        for (size_t k = 0; k < DIP_ARRAY_LEN(keys); k++) {
            if (strcmp(all[i].key, keys[k]) == 0)
                table[(*count)++] = all[i];
        }
    }
    return table;
}

dip_status dip_evaluate_put_intervals(json_t *task, const dip_ranking *r,
                                      const dip_stats_options *options,
                                      dip_err *err)
{
    json_t *all = json_object();
    double *values = dip_calloc((size_t)r->evaluated, sizeof *values);
    dip_status st = values != NULL ? DIP_OK : dip_no_memory(err);
    for (int m = 0; m < dip_ranking_metrics(r) && st == DIP_OK; m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_interval interval;
        dip_ranking_name(name, r, m);
        for (int64_t i = 0; i < r->evaluated; i++)
            values[i] = dip_ranking_value(r, &r->per_query[i].values, m);
        if (r->evaluated == 0)
            break;
        st = dip_bootstrap_mean(&interval, values, NULL, r->evaluated, options,
                                err);
        if (st == DIP_OK &&
            json_object_set_new(all, name, dip_report_interval(&interval)) != 0)
            st = dip_no_memory(err);
    }
    if (json_object_set_new(task, "interval", all) != 0 && st == DIP_OK)
        st = dip_no_memory(err);
    free(values);
    return st;
}

/* The measures at one cutoff, and their intervals. */
static dip_status put_measures(json_t *out, json_t *intervals,
                               const dip_recommendations *given, int64_t k,
                               const dip_stats_options *stats, dip_err *err)
{
    dip_recommendation r;
    dip_interval interval[DIP_RECOMMENDATION_MEASURES];
    int faults = 0;
    dip_status st = dip_recommendation_measure(&r, given, k, err);
    if (st == DIP_OK)
        st = dip_recommendation_intervals(interval, given, k, stats, err);
    for (int m = 0; m < DIP_RECOMMENDATION_MEASURES && st == DIP_OK; m++) {
        char key[64];
        (void)snprintf(key, sizeof key, "%s@%lld", dip_recommendation_name(m),
                       (long long)k);
        faults |= json_object_set_new(
            out, key, dip_json_real(dip_recommendation_value(&r, m)));
        if (!isnan(interval[m].mean))
            faults |= json_object_set_new(intervals, key,
                                          dip_report_interval(&interval[m]));
    }
    if (st == DIP_OK)
        faults |= json_object_set_new(out, "users",
                                      json_integer((json_int_t)r.users));
    return st == DIP_OK && faults ? dip_no_memory(err) : st;
}

dip_status dip_evaluate_put_recommendation(json_t *task,
                                           const dip_recommendations *given,
                                           const dip_ranking_options *options,
                                           const dip_stats_options *stats,
                                           dip_err *err)
{
    json_t *out = json_object(), *intervals = json_object();
    dip_status st = DIP_OK;
    for (int i = 0; i < options->n_cutoffs && st == DIP_OK; i++)
        st = put_measures(out, intervals, given, options->cutoffs[i], stats,
                          err);
    int faults = json_object_set_new(out, "items",
                                     json_integer((json_int_t)given->items));
    faults |= json_object_set_new(out, "interval", intervals);
    faults |= json_object_set_new(task, "recommendation", out);
    return st == DIP_OK && faults ? dip_no_memory(err) : st;
}

/* The lists of `trec` without what their users have seen; `seen` may be NULL,
 * then *given is empty. */
static dip_status read_recommendations(dip_recommendations *given,
                                       dip_run *unseen, dip_relevance *had,
                                       dip_trec *trec, const char *seen,
                                       dip_err *err)
{
    *given = (dip_recommendations){0};
    if (seen == NULL)
        return DIP_OK;
    dip_status st = dip_trec_read_seen(had, trec, seen, err);
    if (st != DIP_OK)
        return st;
    *given =
        (dip_recommendations){.run = &trec->run,
                              .relevance = &trec->relevance,
                              .seen = had,
                              .items = dip_interner_count(trec->documents)};
    st = dip_recommendation_unseen(unseen, given, err);
    given->run = unseen;
    return st;
}

static dip_status report_lists(json_t **out, dip_outcome_set *outcomes,
                               const dip_trec *trec,
                               const dip_recommendations *given,
                               const char *run, const char *qrels,
                               dip_config *config, dip_err *err)
{
    dip_ranking_options options;
    dip_ranking ranking;
    dip_stats_options stats = dip_stats_defaults();
    stats.resamples = dip_config_int(config, "eval.bootstrap");
    stats.seed = (uint64_t)dip_config_int(config, "seed");
    dip_settings_read_ranking(&options, config);
    options.graded = trec->graded;
    dip_status st = dip_config_status(config, err);
    if (st == DIP_OK)
        st = dip_ranking_evaluate_run(
            &ranking, given->run != NULL ? given->run : &trec->run,
            &trec->relevance, &options, err);
    if (st != DIP_OK)
        return st;
    json_t *task = dip_report_ranking(&ranking);
    st = task != NULL ? dip_evaluate_put_intervals(task, &ranking, &stats, err)
                      : dip_no_memory(err);
    if (st == DIP_OK && given->run != NULL)
        st =
            dip_evaluate_put_recommendation(task, given, &options, &stats, err);
    if (st == DIP_OK)
        st = dip_evaluate_list_outcomes(task, outcomes, trec, &ranking, err);
    *out = json_pack(
        "{s:s, s:{s:s, s:s}, s:{s:s}, s:{s:s, s:s, s:b, s:o, s:I}, s:{s:o}}",
        "schema", DIP_REPORT_SCHEMA, "run", "name", trec->tag, "dir", run,
        "data", "path", qrels, "protocol", "ties",
        dip_ranking_ties_name(options.ties), "gain",
        dip_ranking_gain_name(options.gain), "count_empty",
        (int)options.count_empty, "rbp_persistence",
        dip_json_real(options.persistence), "resamples",
        (json_int_t)stats.resamples, "retrieval", trec->tag, task);
    if (*out == NULL && st == DIP_OK)
        st = dip_fail(err, DIP_EFORMAT,
                      "the tag of '%s' or a path is not UTF-8", run);
    dip_ranking_free(&ranking);
    return st;
}

dip_status dip_evaluate_lists(json_t **out, dip_outcome_set *outcomes,
                              const char *run, const char *qrels,
                              const char *seen, const char *const *overrides,
                              size_t count, dip_err *err)
{
    dip_trec trec = {0};
    dip_run unseen = {0};
    dip_relevance had = {0};
    dip_recommendations given = {0};
    dip_config *config = NULL;
    size_t rows;
    dip_option *table = ranking_table(&rows);
    *out = NULL;
    dip_status st = table != NULL ? dip_config_load(&config, table, rows, NULL,
                                                    overrides, count, err)
                                  : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_trec_read(&trec, run, qrels, err);
    if (st == DIP_OK)
        st = read_recommendations(&given, &unseen, &had, &trec, seen, err);
    if (st == DIP_OK)
        st =
            report_lists(out, outcomes, &trec, &given, run, qrels, config, err);
    dip_recommendation_free(&unseen);
    dip_relevance_free(&had);
    dip_trec_free(&trec);
    dip_config_free(config);
    free(table);
    return st;
}
