#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/classification.h"
#include "eval/lbfgs.h"
#include "eval/probe.h"
#include "eval/scores.h"
#include "tensor/tile.h"

#define HELD     3072  /* rows whose logits are held at once: whole tiles */
#define SUMMED   256   /* rows that are summed up in fp32 */
#define PROGRESS 1e-10 /* what rounding of the logits leaves of a mean loss */

/* The rows that have a class, with a last input of 1 for the bias; all sizes
 * are whole tiles, the rest of which is zeros. */
typedef struct {
    int64_t rows, dim, classes;
    int64_t inputs;  /* dim + 1 */
    int64_t width;   /* of a row of `x`, >= inputs */
    int64_t columns; /* of a row of `logits`, >= classes */
    int32_t *labels; /* [rows] */
    float *x;        /* [rows up to whole tiles, width] */
    float *panels;   /* [columns / lanes, inputs, lanes]: the weights */
    float *logits;   /* [HELD, columns]; then probabilities - truth */
    double *losses;  /* [HELD] */
    double *mean, *deviation; /* [dim] of the rows as they were */
    double penalty;           /* of |W|^2 / 2 beside the mean loss */
    dip_tile tile;
} problem;

static int64_t up_to(int64_t n, int64_t whole)
{
    return (n + whole - 1) / whole * whole;
}

/* ---- loss and gradient ---- */

static void pack_weights(problem *p, const double *w)
{
    int64_t lanes = p->tile.lanes;
    for (int64_t c = 0; c < p->classes; c++) {
        float *lane = p->panels + c / lanes * lanes * p->inputs + c % lanes;
        for (int64_t d = 0; d < p->inputs; d++)
            lane[d * lanes] = (float)w[c * p->inputs + d];
    }
}

/* A row of logits to probabilities minus the truth; returns its loss. */
static double compare_row(float *row, int64_t classes, int32_t label)
{
    float most = row[0], own = row[label];
    double sum = 0;
    for (int64_t c = 1; c < classes; c++)
        most = fmaxf(most, row[c]);
    for (int64_t c = 0; c < classes; c++) {
        row[c] = expf(row[c] - most);
        sum += (double)row[c];
    }
    float scale = (float)(1 / sum);
    for (int64_t c = 0; c < classes; c++)
        row[c] *= scale;
    row[label] -= 1;
    return log(sum) + (double)most - (double)own;
}

/* The losses of rows [first, first + count), and what they differ by. */
static void compare_rows(problem *p, int64_t first, int64_t count)
{
    const dip_tile *t = &p->tile;
#pragma omp parallel for schedule(dynamic, 4)
    for (int64_t row = 0; row < count; row += t->rows) {
        float *out = p->logits + row * p->columns;
        for (int64_t c = 0; c < p->columns; c += t->lanes) {
            const dip_tile_input in = {.rows = p->x + (first + row) * p->width,
                                       .row = p->width,
                                       .step = 1,
                                       .lanes = p->panels + c * p->inputs,
                                       .lane_step = t->lanes,
                                       .length = p->inputs};
            t->sum(out + c, p->columns, &in, false);
        }
        for (int64_t i = row; i < row + t->rows && i < count; i++)
            p->losses[i] = compare_row(p->logits + i * p->columns, p->classes,
                                       p->labels[first + i]);
    }
}

/* Adds what the classes [c, c + tile rows) get of the rows. */
static void add_tile(double *gradient, const problem *p, int64_t first,
                     int64_t count, int64_t c)
{
    const dip_tile *t = &p->tile;
    float tile[DIP_TILE_ROWS * DIP_TILE_LANES];
    int64_t classes = p->classes - c < t->rows ? p->classes - c : t->rows;
    for (int64_t row = 0; row < count; row += SUMMED) {
        for (int64_t d = 0; d < p->inputs; d += t->lanes) {
            const dip_tile_input in = {
                .rows = p->logits + row * p->columns + c,
                .row = 1,
                .step = p->columns,
                .lanes = p->x + (first + row) * p->width + d,
                .lane_step = p->width,
                .length = count - row < SUMMED ? count - row : SUMMED};
            int64_t n = p->inputs - d < t->lanes ? p->inputs - d : t->lanes;
            t->sum(tile, t->lanes, &in, false);
            for (int64_t m = 0; m < classes; m++)
                for (int64_t l = 0; l < n; l++)
                    gradient[(c + m) * p->inputs + d + l] +=
                        (double)tile[m * t->lanes + l];
        }
    }
}

/* What dip_lbfgs_minimise() sees; `w` is [classes, inputs]. Threads share out
 * rows and then classes, so that each sum has one order. */
static double measure(double *gradient, const double *w, void *context)
{
    problem *p = context;
    int64_t n = p->classes * p->inputs;
    double loss = 0, square = 0;
    memset(gradient, 0, (size_t)n * sizeof *gradient);
    pack_weights(p, w);
    for (int64_t first = 0; first < p->rows; first += HELD) {
        int64_t count = p->rows - first < HELD ? p->rows - first : HELD;
        compare_rows(p, first, count);
        for (int64_t i = 0; i < count; i++)
            loss += p->losses[i];
#pragma omp parallel for schedule(dynamic)
        for (int64_t c = 0; c < p->classes; c += p->tile.rows)
            add_tile(gradient, p, first, count, c);
    }
    for (int64_t i = 0; i < n; i++) {
        bool bias = i % p->inputs == p->dim;
        gradient[i] /= (double)p->rows;
        gradient[i] += bias ? 0 : p->penalty * w[i];
        square += bias ? 0 : w[i] * w[i];
    }
    return loss / (double)p->rows + p->penalty * square / 2;
}

/* ---- rows ---- */

static bool has_class(const dip_labelled_rows *rows, int64_t i, int64_t classes)
{
    return rows->labels[i] >= 0 && rows->labels[i] < classes;
}

static dip_status make_room(problem *p, dip_err *err)
{
    size_t width = (size_t)p->width * sizeof(float);
    p->labels = dip_calloc((size_t)p->rows, sizeof *p->labels);
    p->x = dip_lines_alloc((size_t)up_to(p->rows, p->tile.rows), width);
    p->panels =
        dip_lines_alloc((size_t)p->columns, (size_t)p->inputs * sizeof(float));
    p->logits = dip_lines_alloc(HELD, (size_t)p->columns * sizeof *p->logits);
    p->losses = dip_calloc(HELD, sizeof *p->losses);
    p->mean = dip_calloc((size_t)p->dim, sizeof *p->mean);
    p->deviation = dip_calloc((size_t)p->dim, sizeof *p->deviation);
    if (p->labels == NULL || p->x == NULL || p->panels == NULL ||
        p->logits == NULL || p->losses == NULL || p->mean == NULL ||
        p->deviation == NULL)
        return dip_no_memory(err);
    memset(p->x, 0, (size_t)up_to(p->rows, p->tile.rows) * width);
    memset(p->panels, 0, (size_t)(p->columns * p->inputs) * sizeof *p->panels);
    return DIP_OK;
}

static void close_problem(problem *p)
{
    free(p->deviation);
    free(p->mean);
    free(p->losses);
    dip_lines_free(p->logits);
    dip_lines_free(p->panels);
    dip_lines_free(p->x);
    free(p->labels);
}

/* Mean and deviation of each dimension; a constant one is left as wide as it
 * is. */
static void find_scale(problem *p, const dip_labelled_rows *train)
{
    const double count = (double)p->rows;
    for (int64_t i = 0; i < train->n; i++) {
        if (!has_class(train, i, p->classes))
            continue;
        for (int64_t d = 0; d < p->dim; d++)
            p->mean[d] += (double)train->data[i * p->dim + d] / count;
    }
    for (int64_t i = 0; i < train->n; i++) {
        if (!has_class(train, i, p->classes))
            continue;
        for (int64_t d = 0; d < p->dim; d++) {
            double gap = (double)train->data[i * p->dim + d] - p->mean[d];
            p->deviation[d] += gap * gap / count;
        }
    }
    for (int64_t d = 0; d < p->dim; d++) {
        p->deviation[d] = sqrt(p->deviation[d]);
        if (!(p->deviation[d] > 1e-6 * fabs(p->mean[d])))
            p->deviation[d] = 1;
    }
}

static void copy_rows(problem *p, const dip_labelled_rows *train)
{
    int64_t n = 0;
    for (int64_t i = 0; i < train->n; i++) {
        if (!has_class(train, i, p->classes))
            continue;
        float *row = p->x + n * p->width;
        for (int64_t d = 0; d < p->dim; d++)
            row[d] =
                (float)(((double)train->data[i * p->dim + d] - p->mean[d]) /
                        p->deviation[d]);
        row[p->dim] = 1;
        p->labels[n++] = train->labels[i];
    }
}

/* In any case the caller ends *p with close_problem(). */
static dip_status open_problem(problem *p, const dip_labelled_rows *train,
                               int64_t classes, bool standardise, dip_err *err)
{
    const dip_embeddings rows = {
        .data = train->data, .rows = train->n, .dim = train->dim};
    *p = (problem){
        .dim = train->dim, .classes = classes, .inputs = train->dim + 1};
    dip_status st = dip_embeddings_check(&rows, "training", err);
    if (st != DIP_OK)
        return st;
    if (classes < 1 || classes > INT32_MAX / 2 || train->dim > INT32_MAX / 2)
        return dip_fail(err, DIP_ERANGE, "a classifier of %" PRId64 " classes",
                        classes);
    for (int64_t i = 0; i < train->n; i++)
        p->rows += has_class(train, i, classes);
    if (p->rows == 0)
        return dip_fail(err, DIP_EDATA, "no training row has a class");
    p->tile = dip_tile_choose(DIP_SIMILARITY_COSINE);
    p->width = up_to(p->inputs, p->tile.lanes);
    p->columns = up_to(up_to(classes, p->tile.rows), p->tile.lanes);
    st = make_room(p, err);
    if (st != DIP_OK)
        return st;
    if (standardise)
        find_scale(p, train);
    else
        for (int64_t d = 0; d < p->dim; d++)
            p->deviation[d] = 1;
    copy_rows(p, train);
    return DIP_OK;
}

/* ---- fitting ---- */

static dip_status alloc_probe(dip_linear_probe *out, const problem *p,
                              dip_err *err)
{
    *out = (dip_linear_probe){.dim = p->dim,
                              .classes = p->classes,
                              .validation_accuracy = (double)NAN,
                              .rows = p->rows};
    out->weights =
        dip_calloc((size_t)(p->classes * p->dim), sizeof *out->weights);
    out->bias = dip_calloc((size_t)p->classes, sizeof *out->bias);
    return out->weights != NULL && out->bias != NULL ? DIP_OK
                                                     : dip_no_memory(err);
}

/* The probe of rows as they were, of the weights for rows as they are in the
 * problem. */
static void fold(dip_linear_probe *out, const problem *p, const double *w)
{
    for (int64_t c = 0; c < p->classes; c++) {
        const double *from = w + c * p->inputs;
        out->bias[c] = from[p->dim];
        for (int64_t d = 0; d < p->dim; d++) {
            double weight = from[d] / p->deviation[d];
            out->weights[c * p->dim + d] = (float)weight;
            out->bias[c] -= weight * p->mean[d];
        }
    }
}

/* Goes from the weights `w` to the best ones for `c`. */
static dip_status solve(dip_linear_probe *out, problem *p, double *w, double c,
                        const dip_linear_options *options, dip_err *err)
{
    dip_lbfgs_result result;
    const dip_lbfgs_options how = {options->iterations, options->tolerance,
                                   PROGRESS};
    p->penalty = 1 / (c * (double)p->rows);
    dip_status st = dip_lbfgs_minimise(&result, w, p->classes * p->inputs,
                                       measure, p, &how, err);
    if (st != DIP_OK)
        return st;
    fold(out, p, w);
    out->c = c;
    out->objective = result.value;
    out->iterations = result.iterations;
    return DIP_OK;
}

dip_status dip_linear_probe_fit(dip_linear_probe *out,
                                const dip_labelled_rows *train, int64_t classes,
                                double c, const dip_linear_options *options,
                                dip_err *err)
{
    problem p = {0};
    double *w = NULL;
    *out = (dip_linear_probe){0};
    if (!(c > 0))
        return dip_fail(err, DIP_ERANGE, "a penalty of 1 / %g", c);
    dip_status st = open_problem(&p, train, classes, options->standardise, err);
    if (st == DIP_OK)
        st = alloc_probe(out, &p, err);
    if (st == DIP_OK) {
        w = dip_calloc((size_t)(classes * p.inputs), sizeof *w);
        st =
            w != NULL ? solve(out, &p, w, c, options, err) : dip_no_memory(err);
    }
    free(w);
    close_problem(&p);
    if (st != DIP_OK)
        dip_linear_probe_free(out);
    return st;
}

void dip_linear_probe_free(dip_linear_probe *probe)
{
    if (probe == NULL)
        return;
    free(probe->weights);
    free(probe->bias);
    *probe = (dip_linear_probe){0};
}

/* ---- choosing ---- */

/* What the search has found so far. */
typedef struct {
    problem p;
    const dip_labelled_rows *validation;
    const dip_linear_options *options;
    double *best_w, *w;     /* [classes, inputs] */
    float *probabilities;   /* [validation, classes] */
    int32_t *predicted;     /* [validation] */
    dip_linear_probe trial; /* of w; *best is of best_w */
    dip_linear_probe *best;
} search;

/* Fits with 10^power, from the weights in s->w. */
static dip_status try_power(search *s, double power, dip_err *err)
{
    const dip_labelled_rows *v = s->validation;
    size_t bytes = (size_t)(s->p.classes * s->p.inputs) * sizeof *s->w;
    int64_t right = 0, count = 0;
    dip_status st =
        solve(&s->trial, &s->p, s->w, pow(10, power), s->options, err);
    if (st == DIP_OK)
        st = dip_linear_probe_classify(s->predicted, s->probabilities,
                                       &s->trial, v, err);
    if (st != DIP_OK)
        return st;
    for (int64_t i = 0; i < v->n; i++) {
        count += v->labels[i] >= 0;
        right += v->labels[i] >= 0 && v->labels[i] == s->predicted[i];
    }
    double accuracy = (double)right / (double)count;
    double before = s->best->validation_accuracy;
    s->trial.validation_accuracy = accuracy;
    if (isnan(before) || accuracy > before ||
        (accuracy == before && s->trial.c < s->best->c)) {
        dip_linear_probe last = *s->best;
        *s->best = s->trial;
        s->trial = last;
        memcpy(s->best_w, s->w, bytes);
    }
    return DIP_OK;
}

static dip_status find_best(search *s, dip_err *err)
{
    size_t bytes = (size_t)(s->p.classes * s->p.inputs) * sizeof *s->w;
    dip_status st = DIP_OK;
    for (int power = -6; power <= 6 && st == DIP_OK; power += 2)
        st = try_power(s, power, err);
    for (double step = 1; step >= .125 && st == DIP_OK; step /= 2) {
        double middle = log10(s->best->c);
        for (int side = -1; side <= 1 && st == DIP_OK; side += 2) {
            double power = middle + side * step;
            if (fabs(power) > 6)
                continue;
            memcpy(s->w, s->best_w, bytes);
            st = try_power(s, power, err);
        }
    }
    return st;
}

static dip_status open_search(search *s, const dip_labelled_rows *train,
                              int64_t classes, dip_err *err)
{
    const dip_labelled_rows *v = s->validation;
    int64_t known = 0;
    for (int64_t i = 0; i < v->n; i++)
        known += has_class(v, i, classes);
    if (known == 0)
        return dip_fail(err, DIP_EDATA, "no validation row has a class");
    dip_status st =
        open_problem(&s->p, train, classes, s->options->standardise, err);
    if (st == DIP_OK)
        st = alloc_probe(s->best, &s->p, err);
    if (st == DIP_OK)
        st = alloc_probe(&s->trial, &s->p, err);
    if (st != DIP_OK)
        return st;
    size_t count = (size_t)(classes * s->p.inputs), cells;
    if (dip_mul_overflows((size_t)v->n, (size_t)classes, &cells))
        return dip_no_memory(err);
    s->w = dip_calloc(count, sizeof *s->w);
    s->best_w = dip_calloc(count, sizeof *s->best_w);
    s->probabilities = dip_calloc(cells, sizeof *s->probabilities);
    s->predicted = dip_calloc((size_t)v->n, sizeof *s->predicted);
    bool whole = s->w != NULL && s->best_w != NULL &&
                 s->probabilities != NULL && s->predicted != NULL;
    return whole ? DIP_OK : dip_no_memory(err);
}

dip_status
dip_linear_probe_choose(dip_linear_probe *out, const dip_labelled_rows *train,
                        const dip_labelled_rows *validation, int64_t classes,
                        const dip_linear_options *options, dip_err *err)
{
    *out = (dip_linear_probe){0};
    search s = {.validation = validation, .options = options, .best = out};
    dip_status st = open_search(&s, train, classes, err);
    if (st == DIP_OK)
        st = find_best(&s, err);
    free(s.predicted);
    free(s.probabilities);
    free(s.best_w);
    free(s.w);
    dip_linear_probe_free(&s.trial);
    close_problem(&s.p);
    if (st != DIP_OK)
        dip_linear_probe_free(out);
    return st;
}

/* ---- classifying ---- */

typedef struct {
    const dip_linear_probe *probe;
    float *probabilities; /* [n, classes] */
} scored_rows;

static void take_scores(void *context, int worker, int64_t row,
                        const float *scores)
{
    const scored_rows *s = context;
    int64_t classes = s->probe->classes;
    float *out = s->probabilities + row * classes;
    double most = -(double)INFINITY, sum = 0;
    (void)worker;
    for (int64_t c = 0; c < classes; c++)
        most = fmax(most, (double)scores[c] + s->probe->bias[c]);
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)scores[c] + s->probe->bias[c] - most);
    for (int64_t c = 0; c < classes; c++)
        out[c] =
            (float)(exp((double)scores[c] + s->probe->bias[c] - most) / sum);
}

dip_status dip_linear_probe_classify(int32_t *predicted, float *probabilities,
                                     const dip_linear_probe *probe,
                                     const dip_labelled_rows *rows,
                                     dip_err *err)
{
    const dip_embeddings queries = {
        .data = rows->data, .rows = rows->n, .dim = rows->dim};
    const dip_embeddings weights = {
        .data = probe->weights, .rows = probe->classes, .dim = probe->dim};
    scored_rows scored = {probe, probabilities};
    dip_status st =
        dip_scores_each(&queries, &weights, take_scores, &scored, err);
    return st == DIP_OK
               ? dip_classification_argmax(predicted, probabilities, rows->n,
                                           probe->classes, err)
               : st;
}
