#include "apps/evaluate_list_outcomes.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "report/report.h"

/* A query or a document by its name. */
typedef struct {
    dip_bytes name;
    int64_t at; /* in what is sorted */
} named;

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = n > 0 ? memcmp(x->name.data, y->name.data, n) : 0;
    if (order != 0)
        return order;
    return (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* The evaluated queries; the caller frees *out. */
static dip_status sort_queries(named **out, const dip_trec *trec,
                               const dip_ranking *ranking, dip_err *err)
{
    size_t n = (size_t)ranking->evaluated;
    *out = dip_calloc(n, sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < ranking->evaluated; i++)
        (*out)[i] = (named){
            dip_interner_get(trec->queries, ranking->per_query[i].query), i};
    if (n > 1)
        qsort(*out, n, sizeof **out, by_name);
    return DIP_OK;
}

/* The judgements of one query by the names of their documents: numbers are of
 * the order of the files. */
static dip_status digest_judged(dip_digest *digest, const dip_trec *trec,
                                int64_t query, dip_err *err)
{
    dip_judged judged = dip_relevance_of(&trec->relevance, query);
    size_t n = (size_t)judged.count;
    named *documents = dip_calloc(n, sizeof *documents);
    dip_status st = documents != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < judged.count && st == DIP_OK; i++)
        documents[i] =
            (named){dip_interner_get(trec->documents, judged.rows[i]), i};
    if (st == DIP_OK && n > 1)
        qsort(documents, n, sizeof *documents, by_name);
    for (size_t i = 0; i < n && st == DIP_OK; i++) {
        float grade =
            judged.grades != NULL ? judged.grades[documents[i].at] : 1;
        st = dip_digest_add_sized(digest, documents[i].name.data,
                                  documents[i].name.len, err);
        if (st == DIP_OK)
            st = dip_digest_add(digest, &grade, sizeof grade, err);
    }
    free(documents);
    return st;
}

static dip_status put_digest(json_t *task, const named *queries,
                             const dip_trec *trec, const dip_ranking *ranking,
                             dip_err *err)
{
    char hex[DIP_DIGEST_SIZE];
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    for (int64_t i = 0; i < ranking->evaluated && st == DIP_OK; i++) {
        st = dip_digest_add_sized(digest, queries[i].name.data,
                                  queries[i].name.len, err);
        if (st == DIP_OK)
            st = digest_judged(digest, trec,
                               ranking->per_query[queries[i].at].query, err);
    }
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    if (st == DIP_OK &&
        json_object_set_new(task, "queries_sha256", json_string(hex)) != 0)
        st = dip_no_memory(err);
    return st;
}

static dip_status take_queries(dip_outcomes *o, const named *queries,
                               const dip_ranking *ranking, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int m = 0; m < o->metrics; m++)
        dip_ranking_name(o->names[m], ranking, m);
    for (int64_t i = 0; i < o->count && st == DIP_OK; i++) {
        const dip_ranking_query *q = &ranking->per_query[queries[i].at];
        o->row[i] = o->group[i] = i;
        o->relevant[i] = q->relevant;
        o->rank[i] = q->rank;
        for (int m = 0; m < o->metrics; m++)
            o->values[m * o->count + i] =
                dip_ranking_value(ranking, &q->values, m);
        st = dip_text_column_put(&o->ids, i, queries[i].name, err);
        if (st == DIP_OK)
            st = dip_text_column_put(&o->texts, i, queries[i].name, err);
    }
    return st;
}

dip_status dip_evaluate_list_outcomes(json_t *task, dip_outcome_set *outcomes,
                                      const dip_trec *trec,
                                      const dip_ranking *ranking, dip_err *err)
{
    named *queries = NULL;
    dip_outcomes *o;
    dip_status st = sort_queries(&queries, trec, ranking, err);
    if (st == DIP_OK)
        st = dip_outcome_set_add(&o, outcomes, err);
    if (st == DIP_OK)
        st = dip_outcomes_alloc(o, DIP_REPORT_RANKINGS, ranking->evaluated,
                                dip_ranking_metrics(ranking), 0, err);
    if (st == DIP_OK)
        st = take_queries(o, queries, ranking, err);
    if (st == DIP_OK)
        st = put_digest(task, queries, trec, ranking, err);
    free(queries);
    return st;
}
