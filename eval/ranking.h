/* Retrieval metrics over complete rankings. Definitions, and where peers
 * differ: docs/metrics.md. */
#ifndef DIP_EVAL_RANKING_H
#define DIP_EVAL_RANKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "eval/relevance.h"
#include "eval/scores.h"
#include "eval/topk.h"

#define DIP_RANKING_CUTOFFS   8
#define DIP_RANKING_NAME_SIZE 32

/* Where relevant rows stand among rows of equal score. */
typedef enum {
    DIP_TIES_PESSIMISTIC, /* last */
    DIP_TIES_OPTIMISTIC,  /* first */
    DIP_TIES_EXPECTED     /* mean of each metric over all orders of the tie
                           * (McSherry & Najork, ECIR 2008) */
} dip_ties;

typedef enum {
    DIP_GAIN_LINEAR,     /* grade */
    DIP_GAIN_EXPONENTIAL /* 2^grade - 1 */
} dip_gain;

/* {0} has no cutoffs; dip_ranking_defaults() has 1, 5 and 10, and .8 for the
 * persistence. */
typedef struct {
    int64_t cutoffs[DIP_RANKING_CUTOFFS]; /* each >= 1 */
    int n_cutoffs;
    dip_ties ties;
    dip_gain gain;
    bool count_empty;       /* a query with nothing relevant counts 0 */
    bool graded;            /* also the metrics of dip_ranking_graded */
    double max_grade;       /* best grade of the scale; 0: of the relevance */
    double persistence;     /* of RBP, in (0, 1) */
    const int64_t *exclude; /* [queries] gallery row left out of a query's
                             * ranking, -1: none; NULL: none at all */
    /* [queries, first_count] rows that stand before all others, as their scores
     * there order them, each once for a query; row -1: none. NULL: none at all.
     * For rankings of a gallery whose best rows were ranked again. */
    const dip_hit *first;
    int64_t first_count;
} dip_ranking_options;

/* All in [0, 1]. */
typedef struct {
    double hit;       /* 1 when anything relevant is in the first k */
    double recall;    /* found in the first k / relevant */
    double precision; /* found in the first k / k */
    double map;       /* average precision cut at k, over all relevant */
    double ndcg;
} dip_ranking_at;

/* For judgements of several grades: ERR is Chapelle et al., "Expected
 * reciprocal rank for graded relevance", CIKM 2009; RBP is Moffat and Zobel,
 * "Rank-biased precision", ACM TOIS 2008, with grades divided by the best. */
typedef struct {
    double ndcg_exp; /* the exponential gain, whatever the options say */
    double err;
    double rbp; /* over the whole ranking only */
} dip_ranking_graded;

typedef struct {
    double mrr;
    double map;
    double ndcg; /* over the whole ranking */
    double r_precision;
    dip_ranking_at at[DIP_RANKING_CUTOFFS]; /* the first n_cutoffs are set */
    dip_ranking_graded graded;              /* set when asked for */
    dip_ranking_graded graded_at[DIP_RANKING_CUTOFFS];
} dip_ranking_values;

typedef struct {
    int64_t query;
    int64_t relevant; /* rows with a grade above 0, the excluded one left out */
    double rank;      /* of the first relevant row, from 1; INFINITY: none */
    dip_ranking_values values;
} dip_ranking_query;

typedef struct {
    int64_t queries;   /* of the relevance */
    int64_t evaluated; /* those in `per_query`, ascending by query */
    int64_t empty;     /* nothing relevant: skipped, or counted as 0 */
    int64_t gallery;   /* rows; 0 when a run was evaluated */
    int n_cutoffs;
    int64_t cutoffs[DIP_RANKING_CUTOFFS];
    bool graded;
    double max_grade;        /* what the graded metrics take for the best */
    double median_rank;      /* INFINITY when half of them find nothing */
    dip_ranking_values mean; /* over `evaluated`; NaN when that is 0 */
    dip_ranking_query *per_query;
} dip_ranking;

/* Ranked lists made elsewhere. */
typedef struct {
    int64_t lists;
    const int64_t *query;   /* [lists] whose list it is; NULL: list i is of i */
    const int64_t *offsets; /* [lists + 1], ascending from 0 */
    const int64_t *rows;    /* [offsets[lists]], distinct in a list */
    const double *scores;   /* beside rows: the list is ranked by them, ties as
                             * the options say; NULL: ranked as it stands */
} dip_run;

dip_ranking_options dip_ranking_defaults(void);
const char *dip_ranking_ties_name(dip_ties ties);
const char *dip_ranking_gain_name(dip_gain gain);

/* Ranks the whole gallery for each query and evaluates it, without storing
 * queries x gallery. The caller owns *out and ends it with dip_ranking_free();
 * on failure it is empty. Errors: those of dip_scores_each() and
 * dip_relevance_check(), DIP_ERANGE for options, DIP_EDATA when the relevance
 * is not of these queries or holds a grade above options->max_grade. */
dip_status dip_ranking_evaluate(dip_ranking *out, const dip_embeddings *queries,
                                const dip_embeddings *gallery,
                                const dip_relevance *relevance,
                                const dip_ranking_options *options,
                                dip_err *err) DIP_MUST_CHECK;

/* The same, and in the same pass over all pairs the k best rows of every query,
 * into `best` [queries, k], the caller's: what dip_topk_search() finds without
 * keys, whatever the options say. `best` NULL: without. */
dip_status dip_ranking_with_best(dip_ranking *out, dip_hit *best, int64_t k,
                                 const dip_embeddings *queries,
                                 const dip_embeddings *gallery,
                                 const dip_relevance *relevance,
                                 const dip_ranking_options *options,
                                 dip_err *err) DIP_MUST_CHECK;

/* Evaluates lists that may be cut short: relevant rows outside a list are
 * never found. DIP_EDATA when a query that has judgements is missing from the
 * run or stands in it twice, or a list names a row twice; DIP_ENUMERIC, naming
 * query and row, when a score is NaN. Row numbers need no upper bound. */
dip_status dip_ranking_evaluate_run(dip_ranking *out, const dip_run *run,
                                    const dip_relevance *relevance,
                                    const dip_ranking_options *options,
                                    dip_err *err) DIP_MUST_CHECK;

/* The queries of `from` whose entry of `slices` [from->queries] is `slice`, as
 * a ranking of their own, with their means; it keeps the numbers of the
 * queries. The caller ends *out with dip_ranking_free(). */
dip_status dip_ranking_select(dip_ranking *out, const dip_ranking *from,
                              const int64_t *slices, int64_t slice,
                              dip_err *err) DIP_MUST_CHECK;

void dip_ranking_free(dip_ranking *ranking);

/* The metrics by number, for reports and comparisons: metric i has the name
 * "mrr", "map", "ndcg", "r_precision", "hit@1", "recall@1", "precision@1",
 * "map@1", "ndcg@1", "hit@5" and so on; then, if they were asked for,
 * "ndcg_exp", "err", "rbp", "ndcg_exp@1", "err@1" and so on. median_rank is not
 * among them. `values` are those of the mean or of a query of `ranking`. */
int dip_ranking_metrics(const dip_ranking *ranking);
void dip_ranking_name(char out[DIP_RANKING_NAME_SIZE],
                      const dip_ranking *ranking, int metric);
double dip_ranking_value(const dip_ranking *ranking,
                         const dip_ranking_values *values, int metric);
void dip_ranking_set_value(const dip_ranking *ranking,
                           dip_ranking_values *values, int metric,
                           double value);

#endif
