/* Rankings and judgements as TREC's text files, which trec_eval, pytrec_eval,
 * ranx and others read and write:
 *
 *   run      query Q0 document rank score tag
 *   qrels    query 0 document grade
 */
#ifndef DIP_EVAL_TREC_H
#define DIP_EVAL_TREC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "data/interner.h"
#include "eval/ranking.h"
#include "eval/topk.h"

/* ---- reading ---- */

/* A run and the judgements that it is measured by. Queries and documents have
 * numbers; query i has list i of the run, which is empty when it stands in the
 * run alone or in the judgements alone. */
typedef struct {
    dip_interner *queries, *documents;
    dip_run run; /* ranked by its scores: the ranks of the file count nothing */
    dip_relevance relevance;
    bool graded;  /* a grade other than 0 and 1 occurs */
    char tag[64]; /* of the run's first line, cut */
} dip_trec;

/* Errors name file and line: DIP_EFORMAT for a line of other fields, a number
 * that is none, a negative grade (or one above 1000), a document twice for one
 * query; DIP_EDATA when a judged query is missing from the run. The caller ends
 * *out with dip_trec_free(); on failure it is empty. */
dip_status dip_trec_read(dip_trec *out, const char *run, const char *qrels,
                         dip_err *err) DIP_MUST_CHECK;
void dip_trec_free(dip_trec *trec);

/* What the queries, then users, had before: judgements of more documents and
 * users, which get numbers behind those of `trec`. The caller ends *out with
 * dip_relevance_free(), and *trec in any case. Errors: those of
 * dip_trec_read(). */
dip_status dip_trec_read_seen(dip_relevance *out, dip_trec *trec,
                              const char *path, dip_err *err) DIP_MUST_CHECK;

/* ---- writing ---- */

/* Who is who. White space, control characters and '%' become "%20" and the
 * like, since fields end at white space. */
typedef struct {
    dip_bytes (*query)(void *user, int64_t query);
    dip_bytes (*document)(void *user, int64_t row);
    void *user;
    const char *tag; /* name of the system */
} dip_trec_names;

/* Appends the lists [queries, k] of the queries from `first` on, as
 * dip_topk_search() made them; scores with the digits that give the same float
 * back. That the stream failed is for the caller to ask. */
void dip_trec_put_lists(FILE *stream, const dip_hit *hits, int64_t first,
                        int64_t queries, int64_t k,
                        const dip_trec_names *names);

/* Appends all judgements. */
void dip_trec_put_judgements(FILE *stream, const dip_relevance *relevance,
                             const dip_trec_names *names);

#endif
