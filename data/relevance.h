/* Which rows are right answers for each other.
 *
 * Keys: every row gets one number for each rule, and two rows are positives of
 * each other when they agree in at least one. Their format is that of
 * dip_relevance_by_keys() of eval/relevance.h, which makes the lists of
 * relevant gallery rows out of them.
 * Judgements: the catalog's search log says which rows answer a query. */
#ifndef DIP_DATA_RELEVANCE_H
#define DIP_DATA_RELEVANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

/* What makes two rows equal; at least one of the three. */
typedef struct {
    bool group;       /* one key: the group */
    const int *texts; /* one key each: the normalised text (base/utf8.h) */
    int text_count;
    const int *labels; /* one key together: all of these are equal */
    int label_count;
} dip_key_rule;

/* A row with an empty text or a missing label has a key of its own there: it
 * equals only itself. All keys are >= 0. */
typedef struct {
    int64_t rows;    /* of the catalog */
    int64_t columns; /* group, texts, labels: as far as the rule has them */
    int64_t *values; /* [rows, columns] */
} dip_row_keys;

/* The caller ends *out with dip_row_keys_free(). */
dip_status dip_row_keys_build(dip_row_keys *out, const dip_catalog *catalog,
                              const dip_key_rule *rule,
                              dip_err *err) DIP_MUST_CHECK;
void dip_row_keys_free(dip_row_keys *keys);

/* Writes the keys of `count` rows to out [count, columns]. */
void dip_row_keys_gather(int64_t *out, const dip_row_keys *keys,
                         const int64_t *rows, int64_t count);
/* Whether two rows of the catalog are positives. */
bool dip_row_keys_equal(const dip_row_keys *keys, int64_t a, int64_t b);
/* Writes to out [count] which of the distinct rows hang together: the same
 * number for rows that are positives of each other, or of a third, and so on.
 * The number is the first key of a row of theirs. */
dip_status dip_row_keys_components(int64_t *out, const dip_row_keys *keys,
                                   const int64_t *rows, int64_t count,
                                   dip_err *err) DIP_MUST_CHECK;
/* Writes out [count, count]: 1 where rows i and j are positives, else 0. The
 * diagonal is 1. */
void dip_row_keys_positives(uint8_t *out, const dip_row_keys *keys,
                            const int64_t *rows, int64_t count);

/* ---- judgements, for evaluation ---- */

/* The judgements of one split over a gallery: the arrays that a dip_relevance
 * of eval/relevance.h asks for. */
typedef struct {
    int64_t queries;
    int64_t *query;   /* [queries] index in the catalog, ascending */
    int64_t *offsets; /* [queries + 1], ascending from 0 */
    int64_t *rows;    /* [offsets[queries]] positions in the gallery */
    float *grades;    /* beside `rows`; of a row judged twice the highest */
    int64_t outside;  /* judgements left out: their row is not in the gallery */
} dip_judged_queries;

/* `gallery` holds `count` distinct rows of the catalog. A query of the split
 * whose rows are all outside stays, with an empty list. The caller ends *out
 * with dip_judged_queries_free(). */
dip_status dip_judged_queries_build(dip_judged_queries *out,
                                    const dip_catalog *catalog, dip_split split,
                                    const int64_t *gallery, int64_t count,
                                    dip_err *err) DIP_MUST_CHECK;
void dip_judged_queries_free(dip_judged_queries *judged);

/* ---- judgements, for training ---- */

/* The queries of one split that were judged to be answered by a row, with a
 * grade above 0. */
typedef struct {
    int64_t rows;     /* of the catalog */
    int64_t *offsets; /* [rows + 1] */
    int64_t *queries; /* [offsets[rows]] ascending and distinct for a row */
    float *grades;    /* beside `queries`; of a pair judged twice the highest */
    float highest;    /* grade of all; 0 when there is none */
} dip_row_queries;

/* The caller ends *out with dip_row_queries_free(). */
dip_status dip_row_queries_build(dip_row_queries *out,
                                 const dip_catalog *catalog, dip_split split,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_row_queries_free(dip_row_queries *queries);

/* One query of the row, as drawn for (seed, epoch, row); -1 when it has none.
 */
int64_t dip_row_queries_pick(const dip_row_queries *queries, uint64_t seed,
                             int64_t epoch, int64_t row);
/* The grade of a pair; 0 when the row does not answer the query. */
float dip_row_queries_grade(const dip_row_queries *queries, int64_t query,
                            int64_t row);
/* Writes out [count, count]: 1 where query[i] is answered by rows[j]. A query
 * of -1 has a row of zeros. */
void dip_row_queries_positives(uint8_t *out, const dip_row_queries *queries,
                               const int64_t *query, const int64_t *rows,
                               int64_t count);

#endif
