/* What rankings of the gallery (eval/ranking_gallery.c) and of lists made
 * elsewhere (eval/ranking_lists.c) share: from the scores of relevant rows to
 * the metrics (eval/ranking.c). */
#ifndef DIP_EVAL_RANKING_PRIVATE_H
#define DIP_EVAL_RANKING_PRIVATE_H

#include "eval/ranking.h"
#include "eval/scan.h"
#include "eval/ties.h"

/* A relevant row of one query. */
typedef struct {
    double score;
    double grade;
} dip_entry;

/* The relevant rows of a query that are ranked at all, the best first, and
 * their scores. */
typedef struct {
    dip_entry *entries;
    int64_t n;
    dip_scan_levels *levels;
} dip_placed;

/* Scratch of one thread, each array [most relevant rows of a query] but for
 * what is said. */
typedef struct {
    dip_tie *ties;
    double *grades;   /* of the entries, as the ties point to them */
    double *gains[2]; /* by dip_gain */
    double *spare;    /* [places + 1], for ties of any size */
    int64_t *rows;    /* [also rows that stand first] */
    float *scores;    /* the same */
} dip_scratch;

typedef struct {
    const dip_relevance *relevance;
    const dip_ranking_options *options;
    dip_ranking *out;
    int64_t *slot_of;     /* [queries] place in out->per_query, -1: skipped */
    int64_t most;         /* most judged rows of a query */
    double *discounts;    /* see dip_ties_discounts() */
    dip_scratch *scratch; /* [workers] */
    int workers;
    int64_t gallery;
} dip_ranker;

/* The row that the ranking of a query leaves out, or -1. */
int64_t dip_ranker_excluded(const dip_ranker *r, int64_t query);

/* 1 without grades. */
double dip_judged_grade(const dip_judged *judged, int64_t i);

/* Sorts the entries, and sets their levels, which have as much room. */
void dip_placed_levels(dip_placed *p);

/* Starts *out and *r; `gallery` bounds the rows of the relevance. The caller
 * ends *r with dip_ranker_close(), in any case. */
dip_status dip_ranker_open(dip_ranker *r, dip_ranking *out,
                           const dip_relevance *relevance,
                           const dip_ranking_options *options, int64_t gallery,
                           dip_err *err) DIP_MUST_CHECK;

/* Scratch for rankings of up to `ranked` rows. */
dip_status dip_ranker_scratch(dip_ranker *r, int workers, int64_t ranked,
                              dip_err *err) DIP_MUST_CHECK;
void dip_ranker_close(dip_ranker *r);

/* Writes the metrics of the query in `slot`. */
void dip_ranker_measure(const dip_ranker *r, int64_t slot,
                        const dip_judged *judged, const dip_scratch *s,
                        const dip_placed *p);

/* Sets the means and the median of all queries. */
dip_status dip_ranking_sum_up(dip_ranking *out, dip_err *err) DIP_MUST_CHECK;

#endif
