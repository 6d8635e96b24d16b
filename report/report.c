#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "report/put.h"

/* ---- rankings ------------------------------------------------------------ */

/* The metrics with a cutoff in their name, or those without. */
static int put_metrics(json_t *object, const dip_ranking *r, bool cutoff)
{
    int faults = 0;
    for (int m = 0; m < dip_ranking_metrics(r); m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(name, r, m);
        if ((strchr(name, '@') != NULL) == cutoff)
            faults |= dip_report_put_real(object, name,
                                          dip_ranking_value(r, &r->mean, m));
    }
    return faults;
}

json_t *dip_report_ranking(const dip_ranking *r)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= dip_report_put_count(out, "queries", r->queries);
    faults |= dip_report_put_count(out, "evaluated", r->evaluated);
    faults |= dip_report_put_count(out, "skipped", r->queries - r->evaluated);
    faults |= dip_report_put_count(out, "gallery", r->gallery);
    faults |= put_metrics(out, r, true);
    faults |= put_metrics(out, r, false);
    faults |= dip_report_put_real(out, "median_rank", r->median_rank);
    if (r->graded)
        faults |= dip_report_put_real(out, "max_grade", r->max_grade);
    return dip_report_whole(out, faults);
}

json_t *dip_report_interval(const dip_interval *interval)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= dip_report_put_real(out, "mean", interval->mean);
    faults |= dip_report_put_real(out, "low", interval->low);
    faults |= dip_report_put_real(out, "high", interval->high);
    return dip_report_whole(out, faults);
}

/* ---- matching ------------------------------------------------------------ */

json_t *dip_report_matching(const dip_matching *m)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= dip_report_put_count(out, "positives", m->positives);
    faults |= dip_report_put_count(out, "negatives", m->negatives);
    faults |= dip_report_put_count(out, "random", m->random);
    faults |= dip_report_put_count(out, "same_category", m->same_category);
    faults |= dip_report_put_real(out, "threshold", m->threshold);
    faults |= dip_report_put_real(out, "validation_f1", m->validation_f1);
    faults |= dip_report_put_real(out, "accuracy", m->accuracy);
    faults |= dip_report_put_real(out, "precision", m->precision);
    faults |= dip_report_put_real(out, "recall", m->recall);
    faults |= dip_report_put_real(out, "f1", m->f1);
    faults |= dip_report_put_real(out, "auc", m->auc);
    return dip_report_whole(out, faults);
}
