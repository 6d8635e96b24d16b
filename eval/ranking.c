#include "eval/ranking_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- one query ---------------------------------------------------------- */

int64_t dip_ranker_excluded(const dip_ranker *r, int64_t query)
{
    return r->options->exclude == NULL ? -1 : r->options->exclude[query];
}

double dip_judged_grade(const dip_judged *judged, int64_t i)
{
    return judged->grades == NULL ? 1 : (double)judged->grades[i];
}

/* The exponential gains cost something. */
static bool wants_exponential(const dip_ranker *r)
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
        n += dip_judged_grade(judged, i) > 0 && judged->rows[i] != excluded;
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
    const dip_entry *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->grade < y->grade) - (x->grade > y->grade);
}

void dip_placed_levels(dip_placed *p)
{
    dip_scan_level *levels = p->levels->items;
    int64_t count = 0;
    qsort(p->entries, (size_t)p->n, sizeof *p->entries, by_score_down);
    for (int64_t i = 0; i < p->n; i++) {
        double score = p->entries[i].score;
        if (count == 0 || levels[count - 1].score != score)
            levels[count++] = (dip_scan_level){.score = score};
    }
    p->levels->count = count;
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

/* Ties of the levels, each in one piece. */
static int64_t make_whole_ties(const dip_scratch *s, const dip_placed *p,
                               bool exponentially)
{
    int64_t i = 0;
    for (int64_t l = 0; l < p->levels->count; l++) {
        const dip_scan_level *at = p->levels->items + l;
        s->ties[l] = (dip_tie){.ahead = at->above, .size = at->equal};
        for (; i < p->n && p->entries[i].score == at->score; i++)
            add_to_tie(s->ties + l, s->grades + i, exponentially);
    }
    return p->levels->count;
}

/* One tie of size 1 for each entry: all relevant rows of a level before the
 * others, best first, or behind them, worst first. */
static int64_t make_single_ties(const dip_scratch *s, const dip_placed *p,
                                bool relevant_first, bool exponentially)
{
    const dip_scan_level *at = p->levels->items;
    int64_t end;
    for (int64_t start = 0; start < p->n; start = end, at++) {
        end = start;
        while (end < p->n && p->entries[end].score == at->score)
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
    return p->n;
}

static int64_t make_ties(const dip_ranker *r, const dip_scratch *s,
                         const dip_placed *p)
{
    for (int64_t i = 0; i < p->n; i++)
        s->grades[i] = p->entries[i].grade;
    if (r->options->ties == DIP_TIES_EXPECTED)
        return make_whole_ties(s, p, wants_exponential(r));
    return make_single_ties(s, p, r->options->ties == DIP_TIES_OPTIMISTIC,
                            wants_exponential(r));
}

void dip_ranker_measure(const dip_ranker *r, int64_t slot,
                        const dip_judged *judged, const dip_scratch *s,
                        const dip_placed *p)
{
    dip_ranking_query *query = r->out->per_query + slot;
    int64_t excluded = dip_ranker_excluded(r, query->query), relevant = 0;
    double *gains = s->gains[DIP_GAIN_LINEAR];
    for (int64_t i = 0; i < judged->count; i++) {
        double grade = dip_judged_grade(judged, i);
        if (grade > 0 && judged->rows[i] != excluded)
            gains[relevant++] = grade;
    }
    qsort(gains, (size_t)relevant, sizeof *gains, by_gain_down);
    for (int64_t i = 0; i < relevant && wants_exponential(r); i++)
        s->gains[DIP_GAIN_EXPONENTIAL][i] = exponential(gains[i]);
    dip_tied_ranking ranking = {.ties = s->ties,
                                .n_ties = make_ties(r, s, p),
                                .gains = {s->gains[0], s->gains[1]},
                                .relevant = relevant,
                                .max_grade = r->out->max_grade};
    dip_ties_measure(query, &ranking, r->options, r->discounts, s->spare);
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
static dip_status find_max_grade(dip_ranker *r, dip_err *err)
{
    double most = 0, limit = r->options->max_grade;
    for (int64_t q = 0; q < r->relevance->queries; q++) {
        dip_judged judged = dip_relevance_of(r->relevance, q);
        for (int64_t i = 0; i < judged.count; i++)
            most = fmax(most, dip_judged_grade(&judged, i));
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
static dip_status choose_queries(dip_ranker *r, dip_err *err)
{
    int64_t queries = r->relevance->queries;
    r->slot_of = dip_calloc((size_t)queries, sizeof *r->slot_of);
    r->out->per_query = dip_calloc((size_t)queries, sizeof *r->out->per_query);
    if (r->slot_of == NULL || r->out->per_query == NULL)
        return dip_no_memory(err);
    r->out->queries = queries;
    for (int64_t q = 0; q < queries; q++) {
        dip_judged judged = dip_relevance_of(r->relevance, q);
        int64_t relevant = count_relevant(&judged, dip_ranker_excluded(r, q));
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

dip_status dip_ranker_scratch(dip_ranker *r, int workers, int64_t ranked,
                              dip_err *err)
{
    int64_t places = ranked > r->most ? ranked : r->most;
    int64_t first = r->options->first != NULL ? r->options->first_count : 0;
    size_t scored = (size_t)(first > r->most ? first : r->most);
    r->discounts = dip_calloc((size_t)places + 1, sizeof *r->discounts);
    r->scratch = dip_calloc((size_t)workers, sizeof *r->scratch);
    if (r->discounts == NULL || r->scratch == NULL)
        return dip_no_memory(err);
    dip_ties_discounts(r->discounts, places);
    r->workers = workers;
    for (int w = 0; w < workers; w++) {
        dip_scratch *s = r->scratch + w;
        s->ties = dip_calloc((size_t)r->most, sizeof *s->ties);
        s->grades = dip_calloc((size_t)r->most, sizeof *s->grades);
        s->gains[0] = dip_calloc((size_t)r->most, sizeof *s->gains[0]);
        s->gains[1] = dip_calloc((size_t)r->most, sizeof *s->gains[1]);
        s->spare = dip_calloc((size_t)places + 1, sizeof *s->spare);
        s->rows = dip_calloc(scored, sizeof *s->rows);
        s->scores = dip_calloc(scored, sizeof *s->scores);
        if (s->ties == NULL || s->grades == NULL || s->gains[0] == NULL ||
            s->gains[1] == NULL || s->spare == NULL || s->rows == NULL ||
            s->scores == NULL)
            return dip_no_memory(err);
    }
    return DIP_OK;
}

void dip_ranker_close(dip_ranker *r)
{
    for (int w = 0; w < r->workers; w++) {
        free(r->scratch[w].ties);
        free(r->scratch[w].grades);
        free(r->scratch[w].gains[0]);
        free(r->scratch[w].gains[1]);
        free(r->scratch[w].spare);
        free(r->scratch[w].rows);
        free(r->scratch[w].scores);
    }
    free(r->scratch);
    free(r->discounts);
    free(r->slot_of);
}

dip_status dip_ranker_open(dip_ranker *r, dip_ranking *out,
                           const dip_relevance *relevance,
                           const dip_ranking_options *options, int64_t gallery,
                           dip_err *err)
{
    *out = (dip_ranking){0};
    *r = (dip_ranker){.relevance = relevance,
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

dip_status dip_ranking_sum_up(dip_ranking *out, dip_err *err)
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
    dip_status st = dip_ranking_sum_up(out, err);
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
