#include "eval/graded.h"

#include <math.h>

static double goes_on(double grade, double max_grade)
{
    return 1 - (exp2(grade - max_grade) - exp2(-max_grade));
}

/* mean[j], for j up to `places`: the mean over all subsets of j rows of the tie
 * of the probability that none of them ends the search. This is an elementary
 * symmetric polynomial divided by its number of terms; a row more makes it a
 * mean of two of those before, so that nothing cancels. */
static void mean_survival(double *mean, const dip_tie *tie, int64_t places,
                          double max_grade)
{
    int64_t rows = tie->size - tie->relevant; /* that never end it */
    for (int64_t j = 0; j <= places; j++)
        mean[j] = j <= rows ? 1 : 0;
    for (int64_t i = 0; i < tie->relevant; i++) {
        double on = goes_on(tie->grades[i], max_grade);
        rows++;
        for (int64_t j = rows < places ? rows : places; j > 0; j--) {
            double share = (double)j / (double)rows;
            mean[j] = (1 - share) * mean[j] + share * on * mean[j - 1];
        }
    }
}

double dip_graded_err(const dip_tied_ranking *r, int64_t k, double *spare)
{
    double reached = 1, sum = 0;
    for (int64_t i = 0; i < r->n_ties && r->ties[i].ahead < k; i++) {
        const dip_tie *tie = r->ties + i;
        int64_t places = dip_ties_within(tie, k);
        mean_survival(spare, tie, places, r->max_grade);
        for (int64_t j = 1; j <= places; j++)
            sum +=
                reached * (spare[j - 1] - spare[j]) / (double)(tie->ahead + j);
        for (int64_t j = 0; j < tie->relevant; j++)
            reached *= goes_on(tie->grades[j], r->max_grade);
    }
    return sum;
}

double dip_graded_rbp(const dip_tied_ranking *r, double persistence)
{
    double sum = 0;
    for (int64_t i = 0; i < r->n_ties; i++) {
        const dip_tie *tie = r->ties + i;
        double here = pow(persistence, (double)tie->ahead) -
                      pow(persistence, (double)(tie->ahead + tie->size));
        sum += here * tie->gain[DIP_GAIN_LINEAR] / (double)tie->size;
    }
    return sum / r->max_grade;
}
