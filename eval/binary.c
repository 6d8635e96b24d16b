/* Binary metrics and calibration of eval/classification.h. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/classification.h"
#include "eval/scored.h"

/* Walks down the distinct scores: with the threshold at each, `tp` and `fp`
 * rows are taken as positive. */
static void sweep(dip_binary *out, const dip_scored *items)
{
    int64_t n = out->positives + out->negatives, tp = 0, fp = 0;
    double area = 0, precision_sum = 0, positives = (double)out->positives;
    out->best_f1 = -1;
    for (int64_t i = 0; i < n;) {
        double score = items[i].score;
        int64_t old_tp = tp, old_fp = fp;
        for (; i < n && items[i].score == score; i++) {
            tp += items[i].right;
            fp += !items[i].right;
        }
        area += (double)(fp - old_fp) * (double)(tp + old_tp) / 2;
        precision_sum += (double)(tp - old_tp) * (double)tp / (double)(tp + fp);
        double f1 = 2 * (double)tp / (double)(tp + fp + out->positives);
        if (f1 > out->best_f1) {
            out->best_f1 = f1;
            out->best_threshold = score;
        }
    }
    out->auc = area / (positives * (double)out->negatives);
    out->average_precision = precision_sum / positives;
}

dip_status dip_binary_evaluate(dip_binary *out, const int32_t *labels,
                               const double *scores, int64_t n, dip_err *err)
{
    *out = (dip_binary){.auc = NAN,
                        .average_precision = NAN,
                        .best_f1 = NAN,
                        .best_threshold = NAN};
    dip_scored_list rows;
    dip_status st = dip_scored_sort(&rows, labels, scores, n, err);
    out->positives = rows.right;
    out->negatives = rows.count - rows.right;
    if (st == DIP_OK)
        out->missing = n - rows.count;
    if (st == DIP_OK && out->positives > 0)
        sweep(out, rows.items); /* 0/0 is NaN without negatives */
    dip_scored_free(&rows);
    return st;
}

/* ---- calibration -------------------------------------------------------- */

int64_t dip_calibration_bin_of(double confidence, int64_t bins)
{
    int64_t i = (int64_t)(confidence * (double)bins);
    if (i > 0 && confidence <= (double)i / (double)bins)
        i--; /* on the upper edge of the bin before */
    return i < bins ? i : bins - 1;
}

static dip_status fill_bins(dip_calibration_bin *filled, int64_t bins,
                            dip_calibration *out, const double *confidence,
                            const int32_t *correct, int64_t n, dip_err *err)
{
    for (int64_t i = 0; i < n; i++) {
        if (correct[i] == -1)
            continue;
        if (!(confidence[i] >= 0 && confidence[i] <= 1))
            return dip_fail(err, DIP_EDATA,
                            "row %" PRId64 " has confidence %g, outside 0 to 1",
                            i, confidence[i]);
        if (correct[i] != 0 && correct[i] != 1)
            return dip_fail(err, DIP_EDATA,
                            "row %" PRId64 " is marked %" PRId32
                            ", which is not 0, 1 or -1",
                            i, correct[i]);
        dip_calibration_bin *b =
            filled + dip_calibration_bin_of(confidence[i], bins);
        double off = confidence[i] - (double)correct[i];
        b->rows++;
        b->confidence += confidence[i];
        b->correct += (double)correct[i];
        out->brier += off * off;
        out->rows++;
    }
    return DIP_OK;
}

static void measure_bins(dip_calibration *out,
                         const dip_calibration_bin *filled, int64_t bins)
{
    double rows = (double)out->rows, squares = 0;
    for (int64_t i = 0; i < bins; i++) {
        if (filled[i].rows == 0)
            continue;
        double in_bin = (double)filled[i].rows;
        double gap = fabs(filled[i].correct - filled[i].confidence) / in_bin;
        out->ece += gap * in_bin / rows;
        squares += gap * gap * in_bin / rows;
        out->ece_max = fmax(out->ece_max, gap);
    }
    out->ece_l2 = sqrt(squares);
    out->brier /= rows;
    if (out->rows == 0)
        *out = (dip_calibration){0, NAN, NAN, NAN, NAN};
}

dip_status dip_calibration_evaluate(dip_calibration *out,
                                    const double *confidence,
                                    const int32_t *correct, int64_t n,
                                    int64_t bins, dip_err *err)
{
    *out = (dip_calibration){0};
    if (bins < 1)
        return dip_fail(err, DIP_ERANGE, "%" PRId64 " calibration bins", bins);
    dip_calibration_bin *filled = dip_calloc((size_t)bins, sizeof *filled);
    if (filled == NULL)
        return dip_no_memory(err);
    dip_status st = fill_bins(filled, bins, out, confidence, correct, n, err);
    if (st == DIP_OK)
        measure_bins(out, filled, bins);
    free(filled);
    return st;
}

dip_status dip_calibration_curve(dip_calibration_bin *out, int64_t bins,
                                 const double *confidence,
                                 const int32_t *correct, int64_t n,
                                 dip_err *err)
{
    dip_calibration sums = {0};
    memset(out, 0, (size_t)bins * sizeof *out);
    dip_status st = fill_bins(out, bins, &sums, confidence, correct, n, err);
    for (int64_t i = 0; i < bins && st == DIP_OK; i++) {
        double rows = out[i].rows > 0 ? (double)out[i].rows : 1;
        out[i].confidence /= rows;
        out[i].correct /= rows;
    }
    return st;
}
