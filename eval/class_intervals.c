#include "eval/class_intervals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/resample.h"
#include "eval/scores.h"

static const char *const names[DIP_CLASS_INTERVALS] = {"accuracy",
                                                       "balanced_accuracy",
                                                       "precision_macro",
                                                       "recall_macro",
                                                       "f1_macro",
                                                       "f1_micro",
                                                       "precision_weighted",
                                                       "recall_weighted",
                                                       "f1_weighted",
                                                       "brier",
                                                       "ece"};

typedef struct {
    const dip_class_rows *rows;
    int64_t n;         /* rows with a label */
    int64_t *row;      /* [n] */
    int64_t *groups;   /* [n] of these */
    dip_class *counts; /* [workers, classes] */
} counter;

const char *dip_class_interval_name(int i)
{
    return names[i];
}

static void measure_scores(double out[2], const int32_t *weights,
                           const counter *k)
{
    dip_calibration_bin bins[DIP_CALIBRATION_BINS] = {0};
    const dip_class_rows *rows = k->rows;
    const dip_class_scores *s = rows->scores;
    double squares = 0, gaps = 0, count = 0;
    for (int64_t at = 0; at < k->n; at++) {
        int64_t i = k->row[at];
        double weight = (double)weights[at];
        dip_calibration_bin *bin =
            bins +
            dip_calibration_bin_of(s->confidence[i], DIP_CALIBRATION_BINS);
        bin->confidence += weight * s->confidence[i];
        bin->correct += weight * (rows->labels[i] == rows->predicted[i]);
        squares += weight * s->squares[i];
        count += weight;
    }
    for (int b = 0; b < DIP_CALIBRATION_BINS; b++)
        gaps += fabs(bins[b].correct - bins[b].confidence);
    out[0] = squares / count;
    out[1] = gaps / count;
}

static void measure(double *out, const int32_t *weights, int worker,
                    void *context)
{
    const counter *k = context;
    const dip_class_rows *rows = k->rows;
    const dip_classification_options options = {0};
    dip_classification c = {.classes = rows->classes,
                            .per_class = k->counts + worker * rows->classes};
    memset(c.per_class, 0, (size_t)rows->classes * sizeof *c.per_class);
    for (int64_t at = 0; at < k->n; at++) {
        int32_t label = rows->labels[k->row[at]];
        int32_t predicted = rows->predicted[k->row[at]];
        c.rows += weights[at];
        c.per_class[label].support += weights[at];
        c.per_class[predicted].predicted += weights[at];
        if (label == predicted)
            c.per_class[label].correct += weights[at];
    }
    dip_classification_average(&c, &options);
    const double values[] = {
        c.accuracy,           c.balanced_accuracy, c.macro.precision,
        c.macro.recall,       c.macro.f1,          c.micro.f1,
        c.weighted.precision, c.weighted.recall,   c.weighted.f1,
        (double)NAN,          (double)NAN};
    memcpy(out, values, sizeof values);
    if (rows->scores != NULL)
        measure_scores(out + 9, weights, k);
}

/* The labelled rows, and room to count in. */
static dip_status prepare(counter *k, dip_err *err)
{
    const dip_class_rows *rows = k->rows;
    size_t counts;
    if (dip_mul_overflows((size_t)rows->classes, (size_t)dip_scores_workers(),
                          &counts))
        return dip_no_memory(err);
    k->counts = dip_calloc(counts, sizeof *k->counts);
    k->row = dip_calloc((size_t)rows->n, sizeof *k->row);
    k->groups = dip_calloc((size_t)rows->n, sizeof *k->groups);
    if (k->counts == NULL || k->row == NULL || k->groups == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < rows->n; i++) {
        if (rows->labels[i] < 0)
            continue;
        k->groups[k->n] = rows->groups == NULL ? i : rows->groups[i];
        k->row[k->n++] = i;
    }
    return DIP_OK;
}

dip_status dip_class_intervals(dip_interval out[DIP_CLASS_INTERVALS],
                               const dip_class_rows *rows,
                               const dip_stats_options *options, dip_err *err)
{
    counter k = {.rows = rows};
    dip_status st = prepare(&k, err);
    if (st == DIP_OK)
        st = dip_bootstrap_statistics(out, DIP_CLASS_INTERVALS, measure, &k,
                                      k.groups, k.n, options, err);
    free(k.counts);
    free(k.row);
    free(k.groups);
    return st;
}
