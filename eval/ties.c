#include "eval/ties.h"

#include <math.h>

#include "eval/graded.h"

/* Closed forms for the mean over all orders within ties: F. McSherry and
 * M. Najork, "Computing information retrieval performance measures efficiently
 * in the presence of tied scores", ECIR 2008. For ties of size 1 they are the
 * usual definitions. */

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t dip_ties_within(const dip_tie *tie, int64_t k)
{
    int64_t places = k - tie->ahead;
    return places < 0 ? 0 : min64(places, tie->size);
}

void dip_ties_discounts(double *out, int64_t n)
{
    out[0] = 0;
    for (int64_t p = 1; p <= n; p++)
        out[p] = 1 / log2((double)p + 1);
}

static double first_rank(const dip_tied_ranking *r)
{
    if (r->n_ties == 0)
        return INFINITY;
    const dip_tie *tie = r->ties;
    return (double)tie->ahead +
           ((double)tie->size + 1) / ((double)tie->relevant + 1);
}

/* Sums 1/rank over the places that the first relevant row may take, each with
 * its probability: with j places before it, C(size-1-j, relevant-1) of
 * C(size, relevant) orders. */
static double reciprocal_rank(const dip_tied_ranking *r)
{
    if (r->n_ties == 0)
        return 0;
    const dip_tie *tie = r->ties;
    double size = (double)tie->size, relevant = (double)tie->relevant;
    double none_yet = 1, sum = 0;
    for (int64_t j = 0; j <= tie->size - tie->relevant; j++) {
        double here = none_yet * relevant / (size - (double)j);
        sum += here / (double)(tie->ahead + j + 1);
        none_yet -= here;
    }
    return sum;
}

static double hit(const dip_tied_ranking *r, int64_t k)
{
    if (r->n_ties == 0)
        return 0;
    const dip_tie *tie = r->ties;
    int64_t within = dip_ties_within(tie, k);
    double all_outside = 1;
    for (int64_t i = 0; i < tie->relevant && all_outside > 0; i++)
        all_outside *=
            (double)(tie->size - within - i) / (double)(tie->size - i);
    return 1 - (all_outside > 0 ? all_outside : 0);
}

/* Relevant rows in the first k. */
static double found(const dip_tied_ranking *r, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < r->n_ties && r->ties[i].ahead < k; i++) {
        const dip_tie *tie = r->ties + i;
        sum += (double)tie->relevant * (double)dip_ties_within(tie, k) /
               (double)tie->size;
    }
    return sum;
}

/* Sum over the places of the tie in the first k of P(relevant there) times
 * the precision there, with `before` relevant rows ahead of the tie. */
static double tie_precision(const dip_tie *tie, int64_t before, int64_t k)
{
    double share = (double)tie->relevant / (double)tie->size;
    double others = tie->size == 1
                        ? 0
                        : (double)(tie->relevant - 1) / (double)(tie->size - 1);
    double sum = 0;
    for (int64_t i = 1; i <= dip_ties_within(tie, k); i++)
        sum += share * ((double)before + 1 + (double)(i - 1) * others) /
               (double)(tie->ahead + i);
    return sum;
}

static double average_precision(const dip_tied_ranking *r, int64_t k)
{
    double sum = 0;
    int64_t before = 0;
    for (int64_t i = 0; i < r->n_ties && r->ties[i].ahead < k; i++) {
        sum += tie_precision(r->ties + i, before, k);
        before += r->ties[i].relevant;
    }
    return sum / (double)r->relevant;
}

static double ndcg(const dip_tied_ranking *r, dip_gain gain, int64_t k,
                   const double *discounts)
{
    double dcg = 0, ideal = 0;
    for (int64_t i = 0; i < r->n_ties && r->ties[i].ahead < k; i++) {
        const dip_tie *tie = r->ties + i;
        double sum = 0;
        for (int64_t p = 1; p <= dip_ties_within(tie, k); p++)
            sum += discounts[tie->ahead + p];
        dcg += tie->gain[gain] * sum / (double)tie->size;
    }
    for (int64_t i = 0; i < min64(k, r->relevant); i++)
        ideal += r->gains[gain][i] * discounts[i + 1];
    return ideal > 0 ? dcg / ideal : 0; /* 2^grade - 1 can round to 0 */
}

static dip_ranking_graded graded(const dip_tied_ranking *r, int64_t k,
                                 double persistence, const double *discounts,
                                 double *spare)
{
    return (dip_ranking_graded){
        .ndcg_exp = ndcg(r, DIP_GAIN_EXPONENTIAL, k, discounts),
        .err = dip_graded_err(r, k, spare),
        .rbp = dip_graded_rbp(r, persistence),
    };
}

static dip_ranking_at cut(const dip_tied_ranking *r, dip_gain gain, int64_t k,
                          const double *discounts)
{
    double in_first_k = found(r, k);
    return (dip_ranking_at){
        .hit = hit(r, k),
        .recall = in_first_k / (double)r->relevant,
        .precision = in_first_k / (double)k,
        .map = average_precision(r, k),
        .ndcg = ndcg(r, gain, k, discounts),
    };
}

void dip_ties_measure(dip_ranking_query *out, const dip_tied_ranking *ranking,
                      const dip_ranking_options *options,
                      const double *discounts, double *spare)
{
    out->rank = first_rank(ranking);
    out->values = (dip_ranking_values){
        .mrr = reciprocal_rank(ranking),
        .map = average_precision(ranking, INT64_MAX),
        .ndcg = ndcg(ranking, options->gain, INT64_MAX, discounts),
        .r_precision =
            found(ranking, ranking->relevant) / (double)ranking->relevant,
    };
    if (options->graded)
        out->values.graded =
            graded(ranking, INT64_MAX, options->persistence, discounts, spare);
    for (int i = 0; i < options->n_cutoffs; i++) {
        int64_t k = options->cutoffs[i];
        out->values.at[i] = cut(ranking, options->gain, k, discounts);
        if (options->graded)
            out->values.graded_at[i] =
                graded(ranking, k, options->persistence, discounts, spare);
    }
}
