#include "eval/classification.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static double ratio(double part, double whole, double zero_division)
{
    return whole > 0 ? part / whole : zero_division;
}

/* F1 as 2 tp / (2 tp + fp + fn), which is 0/0 only for a class that occurs
 * neither as a label nor as a prediction. */
static dip_prf score_counts(int64_t correct, int64_t predicted, int64_t support,
                            double zero_division)
{
    double tp = (double)correct;
    return (dip_prf){
        .precision = ratio(tp, (double)predicted, zero_division),
        .recall = ratio(tp, (double)support, zero_division),
        .f1 = ratio(2 * tp, (double)(predicted + support), zero_division),
    };
}

static void add_scaled(dip_prf *sum, const dip_prf *score, double weight)
{
    sum->precision += score->precision * weight;
    sum->recall += score->recall * weight;
    sum->f1 += score->f1 * weight;
}

static void scale(dip_prf *score, double factor)
{
    score->precision *= factor;
    score->recall *= factor;
    score->f1 *= factor;
}

static dip_status count_rows(dip_classification *out, const int32_t *labels,
                             const int32_t *predicted, int64_t n, dip_err *err)
{
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] == -1) {
            out->missing++;
            continue;
        }
        if (labels[i] < 0 || labels[i] >= out->classes)
            return dip_fail(err, DIP_EDATA,
                            "row %" PRId64 " has label %" PRId32 " of %" PRId64
                            " classes",
                            i, labels[i], out->classes);
        if (predicted[i] < 0 || predicted[i] >= out->classes)
            return dip_fail(err, DIP_EDATA,
                            "row %" PRId64 " has prediction %" PRId32
                            " of %" PRId64 " classes",
                            i, predicted[i], out->classes);
        out->rows++;
        out->per_class[labels[i]].support++;
        out->per_class[predicted[i]].predicted++;
        if (labels[i] == predicted[i])
            out->per_class[labels[i]].correct++;
        if (out->confusion != NULL)
            out->confusion[labels[i] * out->classes + predicted[i]]++;
    }
    return DIP_OK;
}

void dip_classification_average(dip_classification *out,
                                const dip_classification_options *o)
{
    int64_t correct = 0, counted = 0, supported = 0;
    out->present = 0;
    out->balanced_accuracy = 0;
    out->macro = out->weighted = (dip_prf){0, 0, 0};
    for (int64_t c = 0; c < out->classes; c++) {
        dip_class *row = out->per_class + c;
        bool present = row->support > 0 || row->predicted > 0;
        row->score = score_counts(row->correct, row->predicted, row->support,
                                  o->zero_division);
        correct += row->correct;
        out->present += present;
        if (row->support > 0) {
            out->balanced_accuracy += row->score.recall;
            supported++;
        }
        add_scaled(&out->weighted, &row->score, (double)row->support);
        if (present || o->all_classes) {
            add_scaled(&out->macro, &row->score, 1);
            counted++;
        }
    }
    double rows = (double)out->rows;
    scale(&out->macro, out->rows == 0 ? (double)NAN : 1 / (double)counted);
    scale(&out->weighted, 1 / rows); /* 0 * infinity is NaN */
    out->micro = score_counts(correct, out->rows, out->rows, NAN);
    out->accuracy = ratio((double)correct, rows, NAN);
    out->balanced_accuracy =
        ratio(out->balanced_accuracy, (double)supported, NAN);
}

dip_status dip_classification_evaluate(
    dip_classification *out, const int32_t *labels, const int32_t *predicted,
    int64_t n, int64_t classes, const dip_classification_options *options,
    dip_err *err)
{
    *out = (dip_classification){.classes = classes};
    size_t cells;
    if (classes < 1 || n < 0 ||
        dip_mul_overflows((size_t)classes, (size_t)classes, &cells))
        return dip_fail(err, DIP_ERANGE,
                        "impossible size: %" PRId64 " rows, %" PRId64
                        " classes",
                        n, classes);
    dip_status st = DIP_OK;
    out->per_class = dip_calloc((size_t)classes, sizeof *out->per_class);
    if (options->confusion)
        out->confusion = dip_calloc(cells, sizeof *out->confusion);
    if (out->per_class == NULL ||
        (options->confusion && out->confusion == NULL))
        st = dip_no_memory(err);
    if (st == DIP_OK)
        st = count_rows(out, labels, predicted, n, err);
    if (st == DIP_OK)
        dip_classification_average(out, options);
    else
        dip_classification_free(out);
    return st;
}

void dip_classification_free(dip_classification *c)
{
    if (c == NULL)
        return;
    free(c->per_class);
    free(c->confusion);
    *c = (dip_classification){0};
}

static dip_status check_scores(const float *row, int64_t i, int64_t classes,
                               dip_err *err)
{
    for (int64_t c = 0; c < classes; c++) {
        if (isnan(row[c]))
            return dip_fail(err, DIP_ENUMERIC,
                            "the score of row %" PRId64 " for class %" PRId64
                            " is NaN",
                            i, c);
    }
    return DIP_OK;
}

dip_status dip_classification_top_k(double *out, const int32_t *labels,
                                    const float *scores, int64_t n,
                                    int64_t classes, int64_t k, dip_err *err)
{
    int64_t rows = 0, right = 0;
    if (k < 1)
        return dip_fail(err, DIP_ERANGE, "top-%" PRId64 " accuracy", k);
    for (int64_t i = 0; i < n; i++) {
        const float *row = scores + i * classes;
        if (labels[i] == -1)
            continue;
        if (labels[i] < 0 || labels[i] >= classes)
            return dip_fail(err, DIP_EDATA,
                            "row %" PRId64 " has label %" PRId32 " of %" PRId64
                            " classes",
                            i, labels[i], classes);
        dip_status st = check_scores(row, i, classes, err);
        if (st != DIP_OK)
            return st;
        int64_t rank = 0; /* counts the label itself */
        for (int64_t c = 0; c < classes; c++)
            rank += row[c] >= row[labels[i]];
        rows++;
        right += rank <= k;
    }
    *out = ratio((double)right, (double)rows, NAN);
    return DIP_OK;
}

dip_status dip_classification_argmax(int32_t *out, const float *scores,
                                     int64_t n, int64_t classes, dip_err *err)
{
    if (classes < 1 || classes > INT32_MAX)
        return dip_fail(err, DIP_ERANGE, "%" PRId64 " classes", classes);
    for (int64_t i = 0; i < n; i++) {
        const float *row = scores + i * classes;
        dip_status st = check_scores(row, i, classes, err);
        if (st != DIP_OK)
            return st;
        out[i] = 0;
        for (int32_t c = 1; c < classes; c++) {
            if (row[c] > row[out[i]])
                out[i] = c;
        }
    }
    return DIP_OK;
}
