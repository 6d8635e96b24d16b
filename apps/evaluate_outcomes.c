#include "apps/evaluate_outcomes.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

/* ---- who is who ---- */

void dip_evaluate_query_text(dip_str *out, const dip_evaluation *ev,
                             const dip_task_settings *task, int64_t row)
{
    const dip_corpus *corpus = ev->job.corpus;
    dip_str_clear(out);
    if (task->query == DIP_SOURCE_IMAGE)
        return;
    dip_row_text_render(out, corpus->formats[task->query], row);
    if (corpus->damages[task->query] != NULL)
        dip_damage_apply(corpus->damages[task->query], out, row);
}

dip_bytes dip_evaluate_query_id(const dip_ranked_task *r, int64_t query)
{
    const dip_catalog *catalog = r->evaluation->job.corpus->catalog;
    int64_t row = r->query_rows[query];
    return r->task->judged ? dip_catalog_query(catalog, row)
                           : dip_catalog_id(catalog, row);
}

/* ---- digests ---- */

static dip_status digest_gallery(char hex[DIP_DIGEST_SIZE],
                                 const dip_ranked_task *r, dip_err *err)
{
    const dip_catalog *catalog = r->evaluation->job.corpus->catalog;
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    for (int64_t i = 0; i < r->products.rows && st == DIP_OK; i++) {
        dip_bytes id = dip_catalog_id(catalog, r->product_rows[i]);
        st = dip_digest_add_sized(digest, id.data, id.len, err);
    }
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    return st;
}

static dip_status digest_queries(char hex[DIP_DIGEST_SIZE],
                                 const dip_ranked_task *r, dip_err *err)
{
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    for (int64_t q = 0; q < r->queries.rows && st == DIP_OK; q++) {
        dip_judged right = dip_relevance_of(r->relevance, q);
        size_t n = (size_t)right.count;
        dip_bytes id = dip_evaluate_query_id(r, q);
        st = dip_digest_add_sized(digest, id.data, id.len, err);
        if (st == DIP_OK)
            st =
                dip_digest_add(digest, right.rows, n * sizeof *right.rows, err);
        if (st == DIP_OK && right.grades != NULL)
            st = dip_digest_add(digest, right.grades, n * sizeof *right.grades,
                                err);
    }
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    return st;
}

/* ---- outcomes ---- */

static void take_numbers(dip_outcomes *o, const dip_ranked_task *r)
{
    for (int64_t i = 0; i < o->count; i++) {
        const dip_ranking_query *q = &r->ranking->per_query[i];
        o->row[i] = r->query_rows[q->query];
        o->group[i] = r->groups[q->query];
        o->relevant[i] = q->relevant;
        o->rank[i] = q->rank;
        for (int m = 0; m < o->metrics; m++)
            o->values[m * o->count + i] =
                dip_ranking_value(r->ranking, &q->values, m);
    }
    for (int m = 0; m < o->metrics; m++)
        dip_ranking_name(o->names[m], r->ranking, m);
}

static dip_status take_texts(dip_outcomes *o, const dip_ranked_task *r,
                             dip_err *err)
{
    dip_str text = {0};
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < o->count && st == DIP_OK; i++) {
        int64_t query = r->ranking->per_query[i].query;
        dip_bytes id = dip_evaluate_query_id(r, query), asked = id;
        if (!r->task->judged) {
            dip_evaluate_query_text(&text, r->evaluation, r->task, o->row[i]);
            st = dip_str_status(&text, err);
            asked = (dip_bytes){dip_str_text(&text), text.len};
        }
        if (st == DIP_OK)
            st = dip_text_column_put(&o->ids, i, id, err);
        if (st == DIP_OK)
            st = dip_text_column_put(&o->texts, i, asked, err);
    }
    dip_str_free(&text);
    return st;
}

/* A grade of 0 is judged and wrong. */
static bool is_right(const dip_judged *judged, int64_t row)
{
    for (int64_t i = 0; i < judged->count; i++) {
        if (judged->rows[i] == row)
            return judged->grades == NULL || judged->grades[i] > 0;
    }
    return false;
}

static void take_top(dip_outcomes *o, const dip_ranked_task *r)
{
    for (int64_t i = 0; i < o->count; i++) {
        int64_t query = r->ranking->per_query[i].query;
        dip_judged judged = dip_relevance_of(r->relevance, query);
        for (int64_t k = 0; k < o->top; k++) {
            const dip_hit *hit = &r->best[query * r->best_count + k];
            int64_t to = i * o->top + k;
            o->top_row[to] = hit->row >= 0 ? r->product_rows[hit->row] : -1;
            o->top_score[to] = hit->score;
            o->top_right[to] = hit->row >= 0 && is_right(&judged, hit->row);
        }
    }
}

dip_status dip_evaluate_outcomes(json_t *report, const dip_ranked_task *r,
                                 dip_err *err)
{
    char queries[DIP_DIGEST_SIZE], gallery[DIP_DIGEST_SIZE];
    dip_outcomes *o;
    int64_t top =
        r->products.rows < DIP_OUTCOME_TOP ? r->products.rows : DIP_OUTCOME_TOP;
    dip_status st = dip_outcome_set_add(&o, r->evaluation->outcomes, err);
    if (st == DIP_OK)
        st = dip_outcomes_alloc(o, r->task->name, r->ranking->evaluated,
                                dip_ranking_metrics(r->ranking), top, err);
    if (st == DIP_OK) {
        take_numbers(o, r);
        take_top(o, r);
        st = take_texts(o, r, err);
    }
    if (st == DIP_OK)
        st = digest_queries(queries, r, err);
    if (st == DIP_OK)
        st = digest_gallery(gallery, r, err);
    if (st != DIP_OK)
        return st;
    int faults =
        json_object_set_new(report, "queries_sha256", json_string(queries));
    faults |=
        json_object_set_new(report, "gallery_sha256", json_string(gallery));
    return faults == 0 ? DIP_OK : dip_no_memory(err);
}
