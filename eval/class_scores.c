#include "eval/class_scores.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static dip_status check_row(const dip_class_probabilities *p, int64_t i,
                            dip_err *err)
{
    const float *row = p->probabilities + i * p->classes;
    if (p->labels[i] < -1)
        return dip_fail(err, DIP_EDATA, "row %" PRId64 " has label %" PRId32, i,
                        p->labels[i]);
    for (int64_t c = 0; c < p->classes; c++) {
        if (isnan(row[c]))
            return dip_fail(err, DIP_ENUMERIC,
                            "the probability of row %" PRId64
                            " for class %" PRId64 " is NaN",
                            i, c);
        if (row[c] < 0 || row[c] > 1)
            return dip_fail(err, DIP_EDATA,
                            "the probability of row %" PRId64
                            " for class %" PRId64 " is %g, outside 0 to 1",
                            i, c, (double)row[c]);
    }
    return DIP_OK;
}

static int64_t rank_of(const float *row, int64_t classes, int32_t label)
{
    if (label < 0)
        return 0;
    if (label >= classes)
        return INT64_MAX;
    int64_t rank = 0; /* counts the label itself */
    for (int64_t c = 0; c < classes; c++)
        rank += row[c] >= row[label];
    return rank;
}

static double squares_of(const float *row, int64_t classes, int32_t label)
{
    double sum = label >= classes ? 1 : 0;
    for (int64_t c = 0; c < classes; c++) {
        double off = (double)row[c] - (c == label ? 1 : 0);
        sum += off * off;
    }
    return sum;
}

static dip_status measure_rows(dip_class_scores *out,
                               const dip_class_probabilities *p, dip_err *err)
{
    for (int64_t i = 0; i < p->n; i++) {
        const float *row = p->probabilities + i * p->classes;
        dip_status st = check_row(p, i, err);
        if (st != DIP_OK)
            return st;
        int32_t best = 0;
        for (int32_t c = 1; c < p->classes; c++) {
            if (row[c] > row[best])
                best = c;
        }
        out->predicted[i] = best;
        out->confidence[i] = (double)row[best];
        out->rank[i] = rank_of(row, p->classes, p->labels[i]);
        out->squares[i] = squares_of(row, p->classes, p->labels[i]);
        if (p->labels[i] < 0)
            continue;
        out->rows++;
        out->brier += out->squares[i];
    }
    out->brier /= (double)out->rows; /* 0/0 is NaN */
    return DIP_OK;
}

static dip_status calibrate(dip_class_scores *out,
                            const dip_class_probabilities *p, dip_err *err)
{
    int32_t *correct = dip_calloc((size_t)p->n, sizeof *correct);
    if (correct == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < p->n; i++)
        correct[i] = p->labels[i] < 0 ? -1 : p->labels[i] == out->predicted[i];
    dip_status st =
        dip_calibration_evaluate(&out->calibration, out->confidence, correct,
                                 p->n, DIP_CALIBRATION_BINS, err);
    if (st == DIP_OK)
        st = dip_calibration_curve(out->bins, DIP_CALIBRATION_BINS,
                                   out->confidence, correct, p->n, err);
    free(correct);
    return st;
}

/* One class against the rest. */
static dip_status measure_class(dip_one_vs_rest *out, int32_t *labels,
                                double *scores,
                                const dip_class_probabilities *p, int64_t c,
                                dip_err *err)
{
    dip_binary binary;
    for (int64_t i = 0; i < p->n; i++) {
        labels[i] = p->labels[i] < 0 ? -1 : p->labels[i] == c;
        scores[i] = (double)p->probabilities[i * p->classes + c];
    }
    dip_status st = dip_binary_evaluate(&binary, labels, scores, p->n, err);
    *out = (dip_one_vs_rest){binary.auc, binary.average_precision};
    return st;
}

static void add_areas(dip_one_vs_rest *sum, const dip_one_vs_rest *one,
                      double weight)
{
    sum->roc_auc += weight * one->roc_auc;
    sum->average_precision += weight * one->average_precision;
}

static void divide_areas(dip_one_vs_rest *sum, double weight)
{
    sum->roc_auc /= weight; /* 0/0 is NaN */
    sum->average_precision /= weight;
}

static dip_status measure_areas(dip_class_scores *out,
                                const dip_class_probabilities *p, dip_err *err)
{
    dip_status st = DIP_OK;
    int32_t *labels = dip_calloc((size_t)p->n, sizeof *labels);
    double *scores = dip_calloc((size_t)p->n, sizeof *scores);
    int64_t rows = 0;
    if (labels == NULL || scores == NULL)
        st = dip_no_memory(err);
    for (int64_t c = 0; c < p->classes && st == DIP_OK; c++) {
        dip_one_vs_rest *one = out->per_class + c;
        st = measure_class(one, labels, scores, p, c, err);
        if (st != DIP_OK || isnan(one->roc_auc))
            continue;
        int64_t own = 0;
        for (int64_t i = 0; i < p->n; i++)
            own += labels[i] == 1;
        out->areas++;
        add_areas(&out->macro, one, 1);
        add_areas(&out->weighted, one, (double)own);
        rows += own;
    }
    divide_areas(&out->macro, (double)out->areas);
    divide_areas(&out->weighted, (double)rows);
    free(scores);
    free(labels);
    return st;
}

dip_status dip_class_scores_evaluate(dip_class_scores *out,
                                     const dip_class_probabilities *p,
                                     dip_err *err)
{
    *out = (dip_class_scores){0};
    if (p->classes < 1 || p->classes > INT32_MAX || p->n < 0)
        return dip_fail(err, DIP_ERANGE,
                        "impossible size: %" PRId64 " rows, %" PRId64
                        " classes",
                        p->n, p->classes);
    size_t n = (size_t)p->n;
    out->per_class = dip_calloc((size_t)p->classes, sizeof *out->per_class);
    out->predicted = dip_calloc(n, sizeof *out->predicted);
    out->confidence = dip_calloc(n, sizeof *out->confidence);
    out->rank = dip_calloc(n, sizeof *out->rank);
    out->squares = dip_calloc(n, sizeof *out->squares);
    dip_status st = DIP_OK;
    if (out->per_class == NULL || out->predicted == NULL ||
        out->confidence == NULL || out->rank == NULL || out->squares == NULL)
        st = dip_no_memory(err);
    if (st == DIP_OK)
        st = measure_rows(out, p, err);
    if (st == DIP_OK)
        st = calibrate(out, p, err);
    if (st == DIP_OK)
        st = measure_areas(out, p, err);
    if (st != DIP_OK)
        dip_class_scores_free(out);
    return st;
}

void dip_class_scores_free(dip_class_scores *s)
{
    if (s == NULL)
        return;
    free(s->per_class);
    free(s->predicted);
    free(s->confidence);
    free(s->rank);
    free(s->squares);
    *s = (dip_class_scores){0};
}

double dip_class_scores_top_k(const dip_class_scores *s, int64_t n, int64_t k)
{
    int64_t right = 0;
    for (int64_t i = 0; i < n; i++)
        right += s->rank[i] >= 1 && s->rank[i] <= k;
    return (double)right / (double)s->rows;
}
