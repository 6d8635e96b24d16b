#include "eval/curves.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/scored.h"

/* ---- histograms ---- */

#define PAIR_BINS 40 /* pairs are few */

static void set_span(dip_histogram *h, double low, double high, int bins)
{
    h->bins = bins;
    h->from = low;
    h->width = (high - low) / bins;
    if (!(h->width > 0))
        h->width = fmax(fabs(low), 1) * 1e-6; /* all scores are one */
}

static int bin_of(const dip_histogram *h, double score)
{
    double bin = (score - h->from) / h->width;
    if (!(bin > 0))
        return 0;
    return bin < h->bins ? (int)bin : h->bins - 1;
}

void dip_histogram_of_pairs(dip_histogram *out, const int32_t *labels,
                            const double *scores, int64_t n)
{
    double low = INFINITY, high = -INFINITY;
    *out = (dip_histogram){0};
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < 0 || !isfinite(scores[i]))
            continue;
        low = fmin(low, scores[i]);
        high = fmax(high, scores[i]);
    }
    if (low > high)
        return;
    set_span(out, low, high, PAIR_BINS);
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < 0 || isnan(scores[i]))
            continue;
        int64_t *side = labels[i] == 1 ? out->matches : out->others;
        side[bin_of(out, scores[i])]++;
    }
}

/* ---- precision and recall ---- */

/* Keeps the point when it is the first to reach the next recall. */
static void add_point(dip_pr_curve *out, int *wanted, int64_t found,
                      int64_t taken, int64_t matches, double threshold)
{
    const int last = DIP_PR_POINTS - 1;
    if (found == 0 || *wanted > last ||
        found * last < (int64_t)*wanted * matches)
        return;
    out->recall[out->n] = (double)found / (double)matches;
    out->precision[out->n] = (double)found / (double)taken;
    out->threshold[out->n++] = threshold;
    *wanted = (int)(found * last / matches) + 1;
}

dip_status dip_pr_curve_of_pairs(dip_pr_curve *out, const int32_t *labels,
                                 const double *scores, int64_t n, dip_err *err)
{
    int64_t found = 0;
    int wanted = 0;
    dip_scored_list pairs;
    *out = (dip_pr_curve){0};
    dip_status st = dip_scored_sort(&pairs, labels, scores, n, err);
    const dip_scored *at = pairs.items;
    for (int64_t i = 0; st == DIP_OK && i < pairs.count && pairs.right > 0;
         i++) {
        found += at[i].right;
        if (i + 1 == pairs.count || at[i + 1].score < at[i].score)
            add_point(out, &wanted, found, i + 1, pairs.right, at[i].score);
    }
    dip_scored_free(&pairs);
    return st;
}

/* ---- rankings ---- */

/* Some queries of a task, with rows of their own. */
typedef struct {
    float *rows;
    dip_relevance relevance; /* lists are borrowed, list_of is owned */
    dip_embeddings queries;
} subset;

/* Whether the query is among those that means are over. */
static bool counts(const dip_relevance *relevance, int64_t query,
                   const dip_ranking_options *options)
{
    if (options->count_empty)
        return true;
    dip_judged judged = dip_relevance_of(relevance, query);
    for (int64_t i = 0; i < judged.count; i++) {
        if (judged.grades == NULL || judged.grades[i] > 0)
            return true;
    }
    return false;
}

static dip_status choose(subset *s, const dip_embeddings *queries,
                         const dip_relevance *relevance,
                         const dip_ranking_options *options, int64_t most,
                         dip_err *err)
{
    int64_t total = 0, seen = 0, kept = 0, dim = queries->dim;
    for (int64_t q = 0; q < queries->rows; q++)
        total += counts(relevance, q, options);
    int64_t wanted = total < most ? total : most;
    s->rows = dip_calloc((size_t)(wanted * dim), sizeof *s->rows);
    s->relevance = *relevance;
    s->relevance.queries = wanted;
    s->relevance.list_of =
        dip_calloc((size_t)wanted, sizeof *s->relevance.list_of);
    if (s->rows == NULL || s->relevance.list_of == NULL)
        return dip_no_memory(err);
    for (int64_t q = 0; q < queries->rows && kept < wanted; q++) {
        if (!counts(relevance, q, options))
            continue;
        if (seen++ != kept * total / wanted) /* evenly spaced */
            continue;
        memcpy(s->rows + kept * dim, queries->data + q * dim,
               (size_t)dim * sizeof(float));
        s->relevance.list_of[kept++] =
            relevance->list_of != NULL ? relevance->list_of[q] : q;
    }
    s->queries = (dip_embeddings){s->rows, kept, dim, queries->similarity};
    return DIP_OK;
}

typedef struct {
    const dip_relevance *relevance;
    int64_t gallery;
    dip_histogram *parts; /* [workers] */
} counter;

static void count_scores(void *context, int worker, int64_t query,
                         const float *scores)
{
    const counter *c = context;
    dip_histogram *h = &c->parts[worker];
    dip_judged judged = dip_relevance_of(c->relevance, query);
    for (int64_t i = 0; i < c->gallery; i++)
        h->others[bin_of(h, (double)scores[i])]++;
    for (int64_t i = 0; i < judged.count; i++) {
        if (judged.grades != NULL && !(judged.grades[i] > 0))
            continue;
        int bin = bin_of(h, (double)scores[judged.rows[i]]);
        h->others[bin]--;
        h->matches[bin]++;
    }
}

static double longest(const dip_embeddings *e)
{
    double most = 0;
    for (int64_t i = 0; i < e->rows; i++) {
        double square = 0;
        for (int64_t d = 0; d < e->dim; d++)
            square += (double)e->data[i * e->dim + d] *
                      (double)e->data[i * e->dim + d];
        most = fmax(most, square);
    }
    return sqrt(most);
}

/* Bins over all that scores can be: no pass over them is needed first. */
static void set_possible(dip_histogram *h, const dip_embeddings *queries,
                         const dip_embeddings *gallery)
{
    double a = longest(queries), b = longest(gallery);
    if (queries->similarity == DIP_SIMILARITY_EUCLIDEAN)
        set_span(h, -(a + b) * (a + b), 0, DIP_HISTOGRAM_BINS);
    else
        set_span(h, -a * b, a * b, DIP_HISTOGRAM_BINS);
}

static dip_status add_histogram(dip_histogram *out, const subset *s,
                                const dip_embeddings *gallery, dip_err *err)
{
    int workers = dip_scores_workers();
    counter c = {&s->relevance, gallery->rows,
                 dip_calloc((size_t)workers, sizeof *c.parts)};
    if (c.parts == NULL)
        return dip_no_memory(err);
    set_possible(out, &s->queries, gallery);
    for (int w = 0; w < workers; w++)
        c.parts[w] = *out;
    dip_status st =
        dip_scores_each(&s->queries, gallery, count_scores, &c, err);
    for (int w = 0; w < workers && st == DIP_OK; w++) {
        for (int b = 0; b < out->bins; b++) {
            out->matches[b] += c.parts[w].matches[b];
            out->others[b] += c.parts[w].others[b];
        }
    }
    free(c.parts);
    return st;
}

static dip_status add_means(dip_ranking_curves *out, const subset *s,
                            const dip_embeddings *gallery,
                            const dip_ranking_options *base, dip_err *err)
{
    static const int64_t grid[] = {1, 2, 5, 10, 20, 50, 100, 200};
    dip_ranking ranking;
    dip_ranking_options options = dip_ranking_defaults();
    options.ties = base->ties;
    options.count_empty = base->count_empty;
    options.n_cutoffs = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(grid); i++) {
        if (options.n_cutoffs < DIP_RANKING_CUTOFFS && grid[i] <= gallery->rows)
            options.cutoffs[options.n_cutoffs++] = grid[i];
    }
    dip_status st = dip_ranking_evaluate(&ranking, &s->queries, gallery,
                                         &s->relevance, &options, err);
    if (st != DIP_OK)
        return st;
    out->n = options.n_cutoffs;
    for (int i = 0; i < out->n; i++) {
        out->k[i] = options.cutoffs[i];
        out->hit[i] = ranking.mean.at[i].hit;
        out->recall[i] = ranking.mean.at[i].recall;
    }
    dip_ranking_free(&ranking);
    return DIP_OK;
}

dip_status dip_ranking_curves_make(dip_ranking_curves *out,
                                   const dip_embeddings *queries,
                                   const dip_embeddings *gallery,
                                   const dip_relevance *relevance,
                                   const dip_ranking_options *options,
                                   int64_t most, dip_err *err)
{
    subset s = {0};
    *out = (dip_ranking_curves){0};
    dip_status st = choose(&s, queries, relevance, options, most, err);
    out->queries = s.queries.rows;
    if (st == DIP_OK && out->queries > 0)
        st = add_means(out, &s, gallery, options, err);
    if (st == DIP_OK && out->queries > 0)
        st = add_histogram(&out->scores, &s, gallery, err);
    free(s.relevance.list_of);
    free(s.rows);
    return st;
}
