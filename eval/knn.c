#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/classification.h"
#include "eval/probe.h"
#include "eval/topk.h"

#define BLOCK 1024 /* rows whose neighbours are held at once */

/* Rows of length 1, and the labels beside them. */
typedef struct {
    float *data; /* [n, dim] */
    int32_t *labels;
    int64_t n;
} unit_rows;

static void free_rows(unit_rows *rows)
{
    free(rows->labels);
    free(rows->data);
}

static void put_unit_row(float *out, const float *row, int64_t dim)
{
    double square = 0;
    for (int64_t d = 0; d < dim; d++)
        square += (double)row[d] * (double)row[d];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (int64_t d = 0; d < dim; d++)
        out[d] = (float)((double)row[d] * scale);
}

/* All rows, or with `classes` those of a class. */
static dip_status make_rows(unit_rows *out, const dip_labelled_rows *from,
                            int64_t classes, const char *what, dip_err *err)
{
    const dip_embeddings checked = {
        .data = from->data, .rows = from->n, .dim = from->dim};
    dip_status st = dip_embeddings_check(&checked, what, err);
    if (st != DIP_OK)
        return st;
    out->data = dip_calloc((size_t)(from->n * from->dim), sizeof *out->data);
    out->labels = dip_calloc((size_t)from->n, sizeof *out->labels);
    if (out->data == NULL || out->labels == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < from->n; i++) {
        int32_t label = classes > 0 ? from->labels[i] : -1;
        if (classes > 0 && (label < 0 || label >= classes))
            continue;
        put_unit_row(out->data + out->n * from->dim, from->data + i * from->dim,
                     from->dim);
        out->labels[out->n++] = label;
    }
    return DIP_OK;
}

/* The shares of one row's votes; `hits` [k] are its neighbours, best first,
 * `votes` [classes] scratch: a sum in fp32 may pass 1. */
static void vote(float *shares, double *votes, const dip_hit *hits, int64_t k,
                 const int32_t *labels, int64_t classes, double temperature)
{
    double sum = 0, best = (double)hits[0].score;
    memset(votes, 0, (size_t)classes * sizeof *votes);
    for (int64_t i = 0; i < k; i++) {
        double weight = exp(((double)hits[i].score - best) / temperature);
        votes[labels[hits[i].row]] += weight;
        sum += weight;
    }
    for (int64_t c = 0; c < classes; c++)
        shares[c] = (float)(votes[c] / sum);
}

static dip_status classify(float *probabilities, const unit_rows *rows,
                           const unit_rows *train, int64_t dim, int64_t classes,
                           const dip_knn_options *options, dip_err *err)
{
    int64_t k = options->k < train->n ? options->k : train->n;
    int64_t most = rows->n < BLOCK ? rows->n : BLOCK;
    dip_embeddings gallery = {
        .data = train->data, .rows = train->n, .dim = dim};
    size_t count;
    if (dip_mul_overflows((size_t)most, (size_t)k, &count))
        return dip_no_memory(err);
    dip_hit *hits = dip_calloc(count, sizeof *hits);
    double *votes = dip_calloc((size_t)classes, sizeof *votes);
    dip_status st = hits != NULL && votes != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t at = 0; at < rows->n && st == DIP_OK; at += most) {
        int64_t n = rows->n - at < most ? rows->n - at : most;
        dip_embeddings queries = {
            .data = rows->data + at * dim, .rows = n, .dim = dim};
        st = dip_topk_search(hits, &queries, &gallery, NULL, k, err);
        for (int64_t i = 0; i < n && st == DIP_OK; i++)
            vote(probabilities + (at + i) * classes, votes, hits + i * k, k,
                 train->labels, classes, options->temperature);
    }
    free(votes);
    free(hits);
    return st;
}

dip_status dip_knn_classify(int32_t *predicted, float *probabilities,
                            const dip_labelled_rows *rows,
                            const dip_labelled_rows *train, int64_t classes,
                            const dip_knn_options *options, dip_err *err)
{
    if (options->k < 1 || !(options->temperature > 0) || classes < 1 ||
        rows->dim != train->dim)
        return dip_fail(err, DIP_ERANGE,
                        "impossible vote of %" PRId64
                        " neighbours over %" PRId64 " classes",
                        options->k, classes);
    unit_rows asked = {0}, known = {0};
    dip_status st = make_rows(&asked, rows, 0, "query", err);
    if (st == DIP_OK)
        st = make_rows(&known, train, classes, "training", err);
    if (st == DIP_OK && known.n == 0)
        st = dip_fail(err, DIP_EDATA, "no training row has a class");
    if (st == DIP_OK)
        st = classify(probabilities, &asked, &known, rows->dim, classes,
                      options, err);
    if (st == DIP_OK)
        st = dip_classification_argmax(predicted, probabilities, rows->n,
                                       classes, err);
    free_rows(&known);
    free_rows(&asked);
    return st;
}
