/* What recommendations are beyond being right: how much of the catalog they
 * show, how evenly, and how far they follow the crowd. Definitions:
 * docs/metrics.md. */
#ifndef DIP_EVAL_RECOMMENDATION_H
#define DIP_EVAL_RECOMMENDATION_H

#include <stdint.h>

#include "base/status.h"
#include "eval/ranking.h"
#include "eval/relevance.h"
#include "eval/stats.h"

/* Borrowed. Users and items have numbers; an item is a row of the lists. */
typedef struct {
    const dip_run *run;             /* list i is of user i */
    const dip_relevance *relevance; /* users without any of it are left out */
    const dip_relevance *seen; /* what users had before, of any grade: these
                                * items are popular, and not recommended
                                * again */
    int64_t items;
} dip_recommendations;

/* Of the first k of each list; NaN where nothing is to be had. */
typedef struct {
    int64_t users;     /* whose lists count */
    double coverage;   /* share of the items that stand in any list */
    double gini;       /* of how often each item does: 0 all equally often, near
                        * 1 a few alone */
    double popularity; /* mean over users of the mean over their list of how
                        * many users have had the item */
    double lift;       /* of that over the same of what these users had: 0 none,
                        * 1 twice as popular */
} dip_recommendation;

/* The run without what its users have seen, each list in the order of its
 * scores (without scores: as it stands), equal ones by item. The caller ends
 * *out with dip_recommendation_free(). DIP_EDATA names a user with an item
 * outside [0, items) in any of the lists. */
dip_status dip_recommendation_unseen(dip_run *out,
                                     const dip_recommendations *given,
                                     dip_err *err) DIP_MUST_CHECK;
void dip_recommendation_free(dip_run *run);

/* Measures lists that dip_recommendation_unseen() has made: given->run is such.
 */
dip_status dip_recommendation_measure(dip_recommendation *out,
                                      const dip_recommendations *given,
                                      int64_t k, dip_err *err) DIP_MUST_CHECK;

enum { DIP_RECOMMENDATION_MEASURES = 4 };
/* "coverage", "gini", "popularity", "popularity_lift". Borrowed. */
const char *dip_recommendation_name(int measure);
double dip_recommendation_value(const dip_recommendation *r, int measure);

/* What each user whose list counts has to do with each measure, [measures,
 * users] in *out, which the caller frees: the measure + (users - 1) times what
 * it loses without him, less the mean of such losses. The mean of these values
 * is the measure, and their spread over users that of the measure over draws
 * of users (the jackknife's; Efron, The Annals of Statistics 1979). NaN where
 * the others alone have no measure. */
dip_status dip_recommendation_influences(double **out, int64_t *users,
                                         const dip_recommendations *given,
                                         int64_t k,
                                         dip_err *err) DIP_MUST_CHECK;

/* An interval of each measure: the bootstrap over users of their influences. A
 * resample of users itself repeats some, and so shows fewer items, less evenly,
 * than as many others would: an interval of such is beside the figure. NaN
 * where influences are. */
dip_status
dip_recommendation_intervals(dip_interval out[DIP_RECOMMENDATION_MEASURES],
                             const dip_recommendations *given, int64_t k,
                             const dip_stats_options *options,
                             dip_err *err) DIP_MUST_CHECK;

#endif
