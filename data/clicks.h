/* Graded judgements from what was clicked: one for each query and item that
 * were met together in a split.
 *
 *   done   sum over the pair's events of weight(kind) * times; with ranks and
 *          without impressions of weight * times / p(rank), as inverse
 *          propensity weighting does (arXiv 1608.04468)
 *   shown  sum over its impressions of times * p(rank): with ranks the number
 *          of looks that it will have had, so that done / shown is clicks over
 *          expected clicks (Zhang and Jones, WWW 2007)
 *   p(r)   max(r^-bias, 0.1): how likely a user looks at rank r. The limit
 *          keeps one click far down from outweighing all others.
 *
 *   value  done; or with impressions, of which small numbers say little,
 *          (done + prior * rate) / (shown + prior), where rate is that of the
 *          whole split; or the highest weight of a kind that was met. 0 without
 *          any event.
 *
 * Grades come from the values of a query in a split (data/grading.h). */
#ifndef DIP_DATA_CLICKS_H
#define DIP_DATA_CLICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"
#include "data/grading.h"

typedef struct {
    const char *name;
    double weight;   /* 0 or more; 0: counts for nothing */
    bool impression; /* the item was shown: no event, its weight is not read */
} dip_click_event;

typedef struct dip_click_options {
    const char *event; /* column of the kind; NULL: all rows are events[0] */
    const char *rank;  /* column of the place, from 1; NULL: none is known */
    const dip_click_event *events; /* at least one */
    int event_count;
    bool best;        /* the value is the highest weight */
    double rank_bias; /* 0 or more */
    double prior;     /* impressions that the rate of the split counts for */
    /* Pairs with fewer impressions, where such are among the events, and else
     * with fewer events of any weight are left out. Above 0. */
    double least;
    /* A `full` of 0 is the highest value of the train split; of all, where that
     * has none. */
    dip_grading grading;
} dip_click_options;

/* Start it as {0} but for the judgement's query, row and split. */
typedef struct {
    dip_judgement judgement;
    double done, best, shown;
    double seen; /* impressions, or events */
} dip_click_pair;

/* Adds what happened `times` times at a rank; ranks are 1 where none is known.
 */
void dip_clicks_add(dip_click_pair *pair, const dip_click_options *options,
                    int event, int64_t rank, double times);

/* Sets the grades. Pairs that are left out go: *count is then smaller, and the
 * others keep their order. */
dip_status dip_clicks_grade(dip_click_pair *pairs, int64_t *count,
                            const dip_click_options *options,
                            dip_err *err) DIP_MUST_CHECK;

#endif
