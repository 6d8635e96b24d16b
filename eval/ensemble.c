#include "eval/ensemble.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define LEAST_PROBABILITY 1e-12

/* ---- votes ---- */

static double sum_of(const double *weights, int count)
{
    double sum = 0;
    for (int m = 0; m < count; m++)
        sum += weights[m];
    return sum;
}

static double mean_probability(const dip_ensemble_votes *v, int64_t row,
                               int64_t class, double total)
{
    double sum = 0;
    for (int m = 0; m < v->members; m++)
        sum += v->weights[m] *
               (double)v->probabilities[m][row * v->classes + class];
    return sum / total;
}

/* The first of equals. */
static int64_t highest(const float *row, int64_t classes)
{
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++) {
        if (row[c] > row[best])
            best = c;
    }
    return best;
}

void dip_ensemble_soft(float *out, int32_t *predicted,
                       const dip_ensemble_votes *v)
{
    double total = sum_of(v->weights, v->members);
    for (int64_t i = 0; i < v->n; i++) {
        float *row = out + i * v->classes;
        for (int64_t c = 0; c < v->classes; c++)
            row[c] = (float)mean_probability(v, i, c, total);
        predicted[i] = (int32_t)highest(row, v->classes);
    }
}

/* Not divided by their sum, so that whole numbers that are equal stay so. */
static double votes_for(const dip_ensemble_votes *v, const int64_t *choices,
                        int64_t class)
{
    double votes = 0;
    for (int m = 0; m < v->members; m++)
        votes += choices[m] == class ? v->weights[m] : 0;
    return votes;
}

/* Between classes of equally many votes. */
static bool is_likelier(const dip_ensemble_votes *v, int64_t row, int64_t a,
                        int64_t b)
{
    double p = mean_probability(v, row, a, 1),
           q = mean_probability(v, row, b, 1);
    return p > q || (p == q && a < b);
}

static int64_t vote(float *shares, const dip_ensemble_votes *v, int64_t row,
                    double total)
{
    int64_t choices[DIP_ENSEMBLE_MAX], best = -1;
    double most = 0, same = total * 1e-9; /* 0.1 + 0.2 is 0.3 */
    for (int m = 0; m < v->members; m++)
        choices[m] =
            highest(v->probabilities[m] + row * v->classes, v->classes);
    memset(shares, 0, (size_t)v->classes * sizeof *shares);
    for (int m = 0; m < v->members; m++) {
        int64_t class = choices[m];
        double votes = votes_for(v, choices, class);
        shares[class] = (float)(votes / total);
        if (best >= 0 &&
            (votes < most - same ||
             (votes <= most + same && !is_likelier(v, row, class, best))))
            continue;
        best = class;
        most = votes;
    }
    return best;
}

void dip_ensemble_hard(float *out, int32_t *predicted,
                       const dip_ensemble_votes *v)
{
    double total = sum_of(v->weights, v->members);
    for (int64_t i = 0; i < v->n; i++)
        predicted[i] = (int32_t)vote(out + i * v->classes, v, i, total);
}

double dip_ensemble_log_likelihood(const dip_ensemble_votes *v,
                                   const int32_t *labels)
{
    double total = sum_of(v->weights, v->members), sum = 0;
    int64_t rows = 0;
    for (int64_t i = 0; i < v->n; i++) {
        if (labels[i] < 0 || labels[i] >= v->classes)
            continue;
        double p = mean_probability(v, i, labels[i], total);
        sum += log(fmax(p, LEAST_PROBABILITY));
        rows++;
    }
    return rows > 0 ? sum / (double)rows : (double)NAN;
}

/* ---- weights ---- */

dip_status dip_ensemble_tune(double *weights, int members,
                             dip_ensemble_judge judge, void *user, dip_err *err)
{
    static const double factors[] = {0, .25, .5, .75, 1.5, 2, 4};
    enum { ROUNDS = 3 };
    double best, value, trial[DIP_ENSEMBLE_MAX];
    bool changed = true;
    for (int m = 0; m < members; m++)
        weights[m] = 1. / members;
    dip_status st = judge(user, &best, weights, err);
    for (int i = 0; i < ROUNDS * members && st == DIP_OK; i++) {
        int m = i % members;
        if (m == 0 && !changed)
            break;
        changed = m == 0 ? false : changed;
        double start = weights[m];
        for (size_t f = 0; f < DIP_ARRAY_LEN(factors) && st == DIP_OK; f++) {
            memcpy(trial, weights, (size_t)members * sizeof *trial);
            trial[m] = start * factors[f];
            if (!(sum_of(trial, members) > 0))
                continue;
            st = judge(user, &value, trial, err);
            if (st == DIP_OK && value > best + 1e-9) {
                best = value;
                weights[m] = trial[m];
                changed = true;
            }
        }
    }
    double total = sum_of(weights, members);
    for (int m = 0; m < members; m++)
        weights[m] /= total;
    return st;
}
