#include "eval/ranking.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/ties.h"

/* Up to so many distinct scores, counting by one vectorised pass for each
 * beats one pass with a binary search per gallery row. */
#define FEW_SCORES 8

/* A relevant row of one query. */
typedef struct {
    double score;
    double grade;
} entry;

/* A distinct score of relevant rows, and where it stands in the gallery. */
typedef struct {
    double score;
    int64_t above; /* gallery rows with a higher score */
    int64_t equal; /* and with this one */
} level;

/* Scratch of one thread, each array [most relevant rows of a query]. */
typedef struct {
    entry *entries;
    level *levels;
    dip_tie *ties;
    double *grades;   /* of the entries, as the ties point to them */
    double *gains[2]; /* by dip_gain */
    double *spare;    /* [places + 1], for ties of any size */
    float *scores;    /* [gallery] where some rows stand first; else NULL */
} scratch;

typedef struct {
    const dip_relevance *relevance;
    const dip_ranking_options *options;
    dip_ranking *out;
    int64_t *slot_of;  /* [queries] place in out->per_query, -1: skipped */
    int64_t most;      /* most judged rows of a query */
    double *discounts; /* see dip_ties_discounts() */
    scratch *scratch;  /* [workers] */
    int workers;
    int64_t gallery;
} ranker;

/* ---- one query ---------------------------------------------------------- */

static int64_t excluded_row(const ranker *r, int64_t query)
{
    return r->options->exclude == NULL ? -1 : r->options->exclude[query];
}

static double grade_of(const dip_judged *judged, int64_t i)
{
    return judged->grades == NULL ? 1 : (double)judged->grades[i];
}

/* The exponential gains cost something. */
static bool wants_exponential(const ranker *r)
{
    return r->options->graded || r->options->gain == DIP_GAIN_EXPONENTIAL;
}

static double exponential(double grade)
{
    return exp2(grade) - 1;
}

static int64_t count_relevant(const dip_judged *judged, int64_t excluded)
{
    int64_t n = 0;
    for (int64_t i = 0; i < judged->count; i++)
        n += grade_of(judged, i) > 0 && judged->rows[i] != excluded;
    return n;
}

static int by_gain_down(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x < y) - (x > y);
}

static int by_score_down(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->grade < y->grade) - (x->grade > y->grade);
}

/* Distinct scores of sorted entries. */
static int64_t make_levels(level *levels, const entry *entries, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (count == 0 || levels[count - 1].score != entries[i].score)
            levels[count++] = (level){entries[i].score, 0, 0};
    }
    return count;
}

/* A row more in a tie; its grade stands in `grades` behind those before. */
static void add_to_tie(dip_tie *tie, const double *grade, bool exponentially)
{
    if (tie->relevant++ == 0)
        tie->grades = grade;
    tie->gain[DIP_GAIN_LINEAR] += *grade;
    if (exponentially)
        tie->gain[DIP_GAIN_EXPONENTIAL] += exponential(*grade);
}

/* Ties of the levels, each in one piece, for `n` sorted entries. */
static int64_t make_whole_ties(const scratch *s, int64_t n, int64_t n_levels,
                               bool exponentially)
{
    int64_t i = 0;
    for (int64_t l = 0; l < n_levels; l++) {
        const level *at = s->levels + l;
        s->ties[l] = (dip_tie){.ahead = at->above, .size = at->equal};
        for (; i < n && s->entries[i].score == at->score; i++)
            add_to_tie(s->ties + l, s->grades + i, exponentially);
    }
    return n_levels;
}

/* One tie of size 1 for each entry: all relevant rows of a level before the
 * others, best first, or behind them, worst first. */
static int64_t make_single_ties(const scratch *s, int64_t n,
                                bool relevant_first, bool exponentially)
{
    const level *at = s->levels;
    int64_t end;
    for (int64_t start = 0; start < n; start = end, at++) {
        end = start;
        while (end < n && s->entries[end].score == at->score)
            end++;
        int64_t ahead = at->above;
        if (!relevant_first)
            ahead += at->equal - (end - start);
        for (int64_t i = start; i < end; i++) {
            int64_t from = relevant_first ? i : end - 1 - (i - start);
            s->ties[i] = (dip_tie){.ahead = ahead + i - start, .size = 1};
            add_to_tie(s->ties + i, s->grades + from, exponentially);
        }
    }
    return n;
}

static int64_t make_ties(const ranker *r, const scratch *s, int64_t n,
                         int64_t n_levels)
{
    for (int64_t i = 0; i < n; i++)
        s->grades[i] = s->entries[i].grade;
    if (r->options->ties == DIP_TIES_EXPECTED)
        return make_whole_ties(s, n, n_levels, wants_exponential(r));
    return make_single_ties(s, n, r->options->ties == DIP_TIES_OPTIMISTIC,
                            wants_exponential(r));
}

/* Writes the metrics of the query in `slot` from its `n` sorted entries (the
 * relevant rows that are ranked at all) and their levels. */
static void measure(const ranker *r, int64_t slot, const dip_judged *judged,
                    const scratch *s, int64_t n, int64_t n_levels)
{
    dip_ranking_query *query = r->out->per_query + slot;
    int64_t excluded = excluded_row(r, query->query), relevant = 0;
    double *gains = s->gains[DIP_GAIN_LINEAR];
    for (int64_t i = 0; i < judged->count; i++) {
        double grade = grade_of(judged, i);
        if (grade > 0 && judged->rows[i] != excluded)
            gains[relevant++] = grade;
    }
    qsort(gains, (size_t)relevant, sizeof *gains, by_gain_down);
    for (int64_t i = 0; i < relevant && wants_exponential(r); i++)
        s->gains[DIP_GAIN_EXPONENTIAL][i] = exponential(gains[i]);
    dip_tied_ranking ranking = {.ties = s->ties,
                                .n_ties = make_ties(r, s, n, n_levels),
                                .gains = {s->gains[0], s->gains[1]},
                                .relevant = relevant,
                                .max_grade = r->out->max_grade};
    dip_ties_measure(query, &ranking, r->options, r->discounts, s->spare);
}

/* ---- ranking the whole gallery ------------------------------------------ */

/* gcc vectorises this with 32-bit counters only, so it counts in pieces. */
static void count_one(level *l, const float *scores, int64_t n)
{
    float score = (float)l->score; /* was a float: exact */
    for (int64_t start = 0; start < n; start += INT32_MAX) {
        int64_t end = n - start < INT32_MAX ? n : start + INT32_MAX;
        int32_t above = 0, equal = 0;
        for (int64_t i = start; i < end; i++) {
            above += scores[i] > score;
            equal += scores[i] == score;
        }
        l->above += above;
        l->equal += equal;
    }
}

/* The first of sorted levels that is not above `score`; n_levels if none.
 * Multiplies instead of branching: where a score falls cannot be predicted. */
static int64_t find_level(const level *levels, int64_t n_levels, double score)
{
    int64_t low = 0;
    while (n_levels > 1) {
        int64_t half = n_levels / 2;
        low += (levels[low + half - 1].score > score) * half;
        n_levels -= half;
    }
    return low + (levels[low].score > score);
}

static void count_many(level *levels, int64_t n_levels, const float *scores,
                       int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t l = find_level(levels, n_levels, (double)scores[i]);
        if (l == n_levels)
            continue;
        if (levels[l].score == (double)scores[i])
            levels[l].equal++;
        else
            levels[l].above++; /* and so of all later levels: summed below */
    }
    int64_t above = 0;
    for (int64_t l = 0; l < n_levels; l++) {
        above += levels[l].above;
        levels[l].above = above;
        above += levels[l].equal;
    }
}

static void leave_out(level *levels, int64_t n_levels, double score)
{
    for (int64_t l = 0; l < n_levels; l++) {
        levels[l].above -= score > levels[l].score;
        levels[l].equal -= score == levels[l].score;
    }
}

/* The scores with those of the first rows above all others, in the order and
 * with the ties of their own. */
static const float *put_first(const ranker *r, const scratch *s, int64_t query,
                              const float *scores)
{
    const float base = 1e38f, step = 1e32f; /* above any score, and distinct */
    int64_t count = r->options->first_count;
    const dip_hit *first = r->options->first + query * count;
    memcpy(s->scores, scores, (size_t)r->gallery * sizeof *scores);
    for (int64_t i = 0; i < count; i++) {
        int64_t below = 0;
        for (int64_t j = 0; j < count; j++)
            below += first[j].row >= 0 && first[j].score < first[i].score;
        if (first[i].row >= 0)
            s->scores[first[i].row] = base + step * (float)below;
    }
    return s->scores;
}

static void rank_query(void *context, int worker, int64_t query,
                       const float *scores)
{
    const ranker *r = context;
    int64_t slot = r->slot_of[query];
    if (slot < 0 || r->out->per_query[slot].relevant == 0)
        return;
    const scratch *s = r->scratch + worker;
    if (s->scores != NULL)
        scores = put_first(r, s, query, scores);
    dip_judged judged = dip_relevance_of(r->relevance, query);
    int64_t excluded = excluded_row(r, query), n = 0;
    for (int64_t i = 0; i < judged.count; i++) {
        double grade = grade_of(&judged, i);
        int64_t row = judged.rows[i];
        if (grade > 0 && row != excluded)
            s->entries[n++] = (entry){(double)scores[row], grade};
    }
    qsort(s->entries, (size_t)n, sizeof *s->entries, by_score_down);
    int64_t n_levels = make_levels(s->levels, s->entries, n);
    if (n_levels > FEW_SCORES) {
        count_many(s->levels, n_levels, scores, r->gallery);
    } else {
        for (int64_t l = 0; l < n_levels; l++)
            count_one(s->levels + l, scores, r->gallery);
    }
    if (excluded >= 0)
        leave_out(s->levels, n_levels, (double)scores[excluded]);
    measure(r, slot, &judged, s, n, n_levels);
}

/* ---- setting up and summing up ------------------------------------------ */

dip_ranking_options dip_ranking_defaults(void)
{
    return (dip_ranking_options){
        .cutoffs = {1, 5, 10}, .n_cutoffs = 3, .persistence = .8};
}

static dip_status check_options(const dip_ranking_options *o, dip_err *err)
{
    if (o->n_cutoffs < 0 || o->n_cutoffs > DIP_RANKING_CUTOFFS)
        return dip_fail(err, DIP_ERANGE, "%d cutoffs, of at most %d",
                        o->n_cutoffs, DIP_RANKING_CUTOFFS);
    for (int i = 0; i < o->n_cutoffs; i++) {
        if (o->cutoffs[i] < 1)
            return dip_fail(err, DIP_ERANGE, "cutoff %" PRId64 " is below 1",
                            o->cutoffs[i]);
    }
    if (o->graded && !(o->persistence > 0 && o->persistence < 1))
        return dip_fail(err, DIP_ERANGE,
                        "a persistence of %g is not between 0 and 1",
                        o->persistence);
    return DIP_OK;
}

/* The best grade of the scale, from the options or from the judgements. */
static dip_status find_max_grade(ranker *r, dip_err *err)
{
    double most = 0, limit = r->options->max_grade;
    for (int64_t q = 0; q < r->relevance->queries; q++) {
        dip_judged judged = dip_relevance_of(r->relevance, q);
        for (int64_t i = 0; i < judged.count; i++)
            most = fmax(most, grade_of(&judged, i));
        if (limit > 0 && most > limit)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64
                            " has the grade %g, above the highest, %g",
                            q, most, limit);
    }
    r->out->max_grade = limit > 0 ? limit : most;
    return DIP_OK;
}

/* Chooses the queries to evaluate, and makes room for their values. */
static dip_status choose_queries(ranker *r, dip_err *err)
{
    int64_t queries = r->relevance->queries;
    r->slot_of = dip_calloc((size_t)queries, sizeof *r->slot_of);
    r->out->per_query = dip_calloc((size_t)queries, sizeof *r->out->per_query);
    if (r->slot_of == NULL || r->out->per_query == NULL)
        return dip_no_memory(err);
    r->out->queries = queries;
    for (int64_t q = 0; q < queries; q++) {
        dip_judged judged = dip_relevance_of(r->relevance, q);
        int64_t relevant = count_relevant(&judged, excluded_row(r, q));
        if (judged.count > r->most)
            r->most = judged.count;
        r->slot_of[q] = -1;
        r->out->empty += relevant == 0;
        if (relevant == 0 && !r->options->count_empty)
            continue;
        r->slot_of[q] = r->out->evaluated++;
        r->out->per_query[r->slot_of[q]] = (dip_ranking_query){
            .query = q, .relevant = relevant, .rank = INFINITY};
    }
    return DIP_OK;
}

static dip_status make_scratch(ranker *r, int workers, int64_t ranked,
                               dip_err *err)
{
    int64_t places = ranked > r->most ? ranked : r->most;
    r->discounts = dip_calloc((size_t)places + 1, sizeof *r->discounts);
    r->scratch = dip_calloc((size_t)workers, sizeof *r->scratch);
    if (r->discounts == NULL || r->scratch == NULL)
        return dip_no_memory(err);
    dip_ties_discounts(r->discounts, places);
    r->workers = workers;
    for (int w = 0; w < workers; w++) {
        scratch *s = r->scratch + w;
        s->entries = dip_calloc((size_t)r->most, sizeof *s->entries);
        s->levels = dip_calloc((size_t)r->most, sizeof *s->levels);
        s->ties = dip_calloc((size_t)r->most, sizeof *s->ties);
        s->grades = dip_calloc((size_t)r->most, sizeof *s->grades);
        s->gains[0] = dip_calloc((size_t)r->most, sizeof *s->gains[0]);
        s->gains[1] = dip_calloc((size_t)r->most, sizeof *s->gains[1]);
        s->spare = dip_calloc((size_t)places + 1, sizeof *s->spare);
        if (s->entries == NULL || s->levels == NULL || s->ties == NULL ||
            s->grades == NULL || s->gains[0] == NULL || s->gains[1] == NULL ||
            s->spare == NULL)
            return dip_no_memory(err);
        if (r->options->first == NULL)
            continue;
        s->scores = dip_calloc((size_t)r->gallery, sizeof *s->scores);
        if (s->scores == NULL)
            return dip_no_memory(err);
    }
    return DIP_OK;
}

static void ranker_free(ranker *r)
{
    for (int w = 0; w < r->workers; w++) {
        free(r->scratch[w].entries);
        free(r->scratch[w].levels);
        free(r->scratch[w].ties);
        free(r->scratch[w].grades);
        free(r->scratch[w].gains[0]);
        free(r->scratch[w].gains[1]);
        free(r->scratch[w].spare);
        free(r->scratch[w].scores);
    }
    free(r->scratch);
    free(r->discounts);
    free(r->slot_of);
}

/* Starts *out and *r; `gallery` bounds the rows of the relevance. */
static dip_status ranker_open(ranker *r, dip_ranking *out,
                              const dip_relevance *relevance,
                              const dip_ranking_options *options,
                              int64_t gallery, dip_err *err)
{
    *out = (dip_ranking){0};
    *r = (ranker){.relevance = relevance,
                  .options = options,
                  .out = out,
                  .gallery = gallery};
    dip_status st = check_options(options, err);
    if (st == DIP_OK)
        st = dip_relevance_check(relevance, gallery, err);
    if (st != DIP_OK)
        return st;
    out->n_cutoffs = options->n_cutoffs;
    memcpy(out->cutoffs, options->cutoffs, sizeof out->cutoffs);
    out->graded = options->graded;
    st = options->graded ? find_max_grade(r, err) : DIP_OK;
    return st == DIP_OK ? choose_queries(r, err) : st;
}

static int by_size_up(const void *a, const void *b)
{
    return by_gain_down(b, a);
}

static dip_status sum_up(dip_ranking *out, dip_err *err)
{
    int64_t n = out->evaluated;
    double *ranks = dip_calloc((size_t)n, sizeof *ranks);
    if (ranks == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < n; i++)
        ranks[i] = out->per_query[i].rank;
    qsort(ranks, (size_t)n, sizeof *ranks, by_size_up);
    out->median_rank =
        n == 0 ? (double)NAN : (ranks[(n - 1) / 2] + ranks[n / 2]) / 2;
    free(ranks);
    for (int m = 0; m < dip_ranking_metrics(out); m++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += dip_ranking_value(out, &out->per_query[i].values, m);
        dip_ranking_set_value(out, &out->mean, m,
                              sum / (double)n); /* 0/0 is NaN */
    }
    return DIP_OK;
}

dip_status dip_ranking_select(dip_ranking *out, const dip_ranking *from,
                              const int64_t *slices, int64_t slice,
                              dip_err *err)
{
    *out = *from;
    out->queries = out->evaluated = 0;
    out->per_query =
        dip_calloc((size_t)from->evaluated, sizeof *out->per_query);
    if (out->per_query == NULL)
        return dip_no_memory(err);
    for (int64_t q = 0; q < from->queries; q++)
        out->queries += slices[q] == slice;
    for (int64_t i = 0; i < from->evaluated; i++) {
        if (slices[from->per_query[i].query] == slice)
            out->per_query[out->evaluated++] = from->per_query[i];
    }
    out->empty = out->queries - out->evaluated; /* counted ones stand among */
    for (int64_t i = 0; i < out->evaluated; i++)
        out->empty += out->per_query[i].relevant == 0;
    dip_status st = sum_up(out, err);
    if (st != DIP_OK)
        dip_ranking_free(out);
    return st;
}

void dip_ranking_free(dip_ranking *ranking)
{
    if (ranking == NULL)
        return;
    free(ranking->per_query);
    *ranking = (dip_ranking){0};
}

static dip_status check_excluded(const ranker *r, dip_err *err)
{
    for (int64_t q = 0; q < r->relevance->queries; q++) {
        int64_t row = excluded_row(r, q);
        if (row < -1 || row >= r->gallery)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " leaves out row %" PRId64
                            " of a gallery of %" PRId64,
                            q, row, r->gallery);
    }
    return DIP_OK;
}

static dip_status check_first(const ranker *r, dip_err *err)
{
    const dip_ranking_options *o = r->options;
    int64_t count = o->first == NULL ? 0 : o->first_count;
    for (int64_t i = 0; i < r->relevance->queries * count; i++) {
        if (o->first[i].row < -1 || o->first[i].row >= r->gallery)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " puts row %" PRId64
                            " of a gallery of %" PRId64 " first",
                            i / count, o->first[i].row, r->gallery);
        if (isnan(o->first[i].score))
            return dip_fail(err, DIP_ENUMERIC,
                            "query %" PRId64 " puts a row first by NaN",
                            i / count);
    }
    return DIP_OK;
}

dip_status dip_ranking_evaluate(dip_ranking *out, const dip_embeddings *queries,
                                const dip_embeddings *gallery,
                                const dip_relevance *relevance,
                                const dip_ranking_options *options,
                                dip_err *err)
{
    ranker r;
    dip_status st =
        ranker_open(&r, out, relevance, options, gallery->rows, err);
    if (st != DIP_OK)
        goto out_free;
    if (relevance->queries != queries->rows) {
        st = dip_fail(err, DIP_EDATA,
                      "relevance is of %" PRId64 " queries, not of %" PRId64,
                      relevance->queries, queries->rows);
        goto out_free;
    }
    out->gallery = gallery->rows;
    st = check_excluded(&r, err);
    if (st == DIP_OK)
        st = check_first(&r, err);
    if (st == DIP_OK)
        st = make_scratch(&r, dip_scores_workers(), gallery->rows, err);
    if (st == DIP_OK)
        st = dip_scores_each(queries, gallery, rank_query, &r, err);
    if (st == DIP_OK)
        st = sum_up(out, err);
out_free:
    ranker_free(&r);
    if (st != DIP_OK)
        dip_ranking_free(out);
    return st;
}

/* ---- lists made elsewhere ----------------------------------------------- */

typedef struct {
    int64_t row;
    double score; /* of an item of a list; the grade of a judgement */
} item;

/* What dip_ranking_evaluate_run() works on, besides the ranker. */
typedef struct {
    const dip_run *run;
    int64_t *list_of; /* [queries], -1: not in the run */
    item *items;      /* [longest list] */
    item *judged;     /* [most judged rows] */
} run_reader;

static int by_row_up(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_item_score_down(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* Finds the list of each query; *longest is the length of the longest. */
static dip_status index_run(run_reader *rr, const ranker *r, int64_t *longest,
                            dip_err *err)
{
    const dip_run *run = rr->run;
    int64_t queries = r->relevance->queries;
    for (int64_t q = 0; q < queries; q++)
        rr->list_of[q] = -1;
    for (int64_t i = 0; i < run->lists; i++) {
        int64_t q = run->query == NULL ? i : run->query[i];
        int64_t length = run->offsets[i + 1] - run->offsets[i];
        if (length < 0 || (i == 0 && run->offsets[0] != 0))
            return dip_fail(err, DIP_EDATA,
                            "broken offsets of list %" PRId64 " of the run", i);
        if (q < 0 || q >= queries)
            return dip_fail(err, DIP_EDATA,
                            "list %" PRId64 " of the run is of query %" PRId64
                            ", which is not judged",
                            i, q);
        if (rr->list_of[q] >= 0)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " is in the run twice", q);
        rr->list_of[q] = i;
        if (length > *longest)
            *longest = length;
    }
    for (int64_t q = 0; q < queries; q++) {
        if (rr->list_of[q] < 0 && dip_relevance_of(r->relevance, q).count > 0)
            return dip_fail(err, DIP_EDATA,
                            "judged query %" PRId64 " is missing from the run",
                            q);
    }
    return DIP_OK;
}

/* Reads the list of `query` into rr->items, sorted by row; *n of them. */
static dip_status read_list(const run_reader *rr, const ranker *r,
                            int64_t query, int64_t *n, dip_err *err)
{
    const dip_run *run = rr->run;
    int64_t list = rr->list_of[query], excluded = excluded_row(r, query);
    *n = 0;
    for (int64_t i = run->offsets[list]; i < run->offsets[list + 1]; i++) {
        int64_t row = run->rows[i];
        double score = run->scores == NULL ? -(double)i : run->scores[i];
        if (isnan(score))
            return dip_fail(err, DIP_ENUMERIC,
                            "the score of row %" PRId64 " for query %" PRId64
                            " is NaN",
                            row, query);
        if (row < 0)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " finds row %" PRId64, query, row);
        if (row != excluded)
            rr->items[(*n)++] = (item){row, score};
    }
    qsort(rr->items, (size_t)*n, sizeof *rr->items, by_row_up);
    for (int64_t i = 1; i < *n; i++) {
        if (rr->items[i].row == rr->items[i - 1].row)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " finds row %" PRId64 " twice",
                            query, rr->items[i].row);
    }
    return DIP_OK;
}

/* Puts the relevant ones among the items into s->entries; returns how many. */
static int64_t match_items(const run_reader *rr, const dip_judged *judged,
                           int64_t n, const scratch *s)
{
    int64_t n_judged = 0, found = 0, at = 0;
    for (int64_t i = 0; i < judged->count; i++) {
        double grade = grade_of(judged, i);
        if (grade > 0)
            rr->judged[n_judged++] = (item){judged->rows[i], grade};
    }
    qsort(rr->judged, (size_t)n_judged, sizeof *rr->judged, by_row_up);
    for (int64_t i = 0; i < n_judged; i++) {
        while (at < n && rr->items[at].row < rr->judged[i].row)
            at++;
        if (at < n && rr->items[at].row == rr->judged[i].row)
            s->entries[found++] =
                (entry){rr->items[at].score, rr->judged[i].score};
    }
    qsort(s->entries, (size_t)found, sizeof *s->entries, by_score_down);
    return found;
}

static void count_items(level *levels, int64_t n_levels, item *items, int64_t n)
{
    qsort(items, (size_t)n, sizeof *items, by_item_score_down);
    int64_t at = 0;
    for (int64_t l = 0; l < n_levels; l++) {
        while (items[at].score > levels[l].score)
            at++;
        levels[l].above = at;
        while (at < n && items[at].score == levels[l].score)
            at++;
        levels[l].equal = at - levels[l].above;
    }
}

static dip_status evaluate_list(const run_reader *rr, const ranker *r,
                                int64_t query, dip_err *err)
{
    int64_t n;
    dip_status st = read_list(rr, r, query, &n, err);
    int64_t slot = r->slot_of[query];
    if (st != DIP_OK || slot < 0 || r->out->per_query[slot].relevant == 0)
        return st;
    dip_judged judged = dip_relevance_of(r->relevance, query);
    const scratch *s = r->scratch;
    int64_t found = match_items(rr, &judged, n, s);
    int64_t n_levels = make_levels(s->levels, s->entries, found);
    count_items(s->levels, n_levels, rr->items, n);
    measure(r, slot, &judged, s, found, n_levels);
    return DIP_OK;
}

static dip_status evaluate_lists(ranker *r, const dip_run *run, dip_err *err)
{
    int64_t queries = r->relevance->queries, longest = 0;
    run_reader rr = {.run = run};
    dip_status st = DIP_OK;
    rr.list_of = dip_calloc((size_t)queries, sizeof *rr.list_of);
    if (rr.list_of == NULL)
        return dip_no_memory(err);
    st = index_run(&rr, r, &longest, err);
    if (st == DIP_OK)
        st = make_scratch(r, 1, longest, err);
    if (st != DIP_OK)
        goto out_free;
    rr.items = dip_calloc((size_t)longest, sizeof *rr.items);
    rr.judged = dip_calloc((size_t)r->most, sizeof *rr.judged);
    if (rr.items == NULL || rr.judged == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    for (int64_t q = 0; st == DIP_OK && q < queries; q++) {
        if (rr.list_of[q] >= 0)
            st = evaluate_list(&rr, r, q, err);
    }
out_free:
    free(rr.judged);
    free(rr.items);
    free(rr.list_of);
    return st;
}

dip_status dip_ranking_evaluate_run(dip_ranking *out, const dip_run *run,
                                    const dip_relevance *relevance,
                                    const dip_ranking_options *options,
                                    dip_err *err)
{
    ranker r;
    dip_status st = ranker_open(&r, out, relevance, options, INT64_MAX, err);
    if (st == DIP_OK)
        st = evaluate_lists(&r, run, err);
    if (st == DIP_OK)
        st = sum_up(out, err);
    ranker_free(&r);
    if (st != DIP_OK)
        dip_ranking_free(out);
    return st;
}
