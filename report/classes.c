#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/put.h"
#include "report/report.h"

#define CONFUSION_CLASSES 30 /* of most rows; the others are one */
#define MOST_CONFUSED     20

static int put_average(json_t *out, const char *average, const dip_prf *score)
{
    const struct {
        const char *name;
        double value;
    } parts[] = {{"precision", score->precision},
                 {"recall", score->recall},
                 {"f1", score->f1}};
    int faults = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts); i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "%s_%s", parts[i].name, average);
        faults |= dip_report_put_real(out, key, parts[i].value);
    }
    return faults;
}

static json_t *class_part(const dip_class *c, const char *name)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= json_object_set_new(out, "name", dip_report_name(name));
    faults |= dip_report_put_count(out, "support", c->support);
    faults |= dip_report_put_count(out, "predicted", c->predicted);
    faults |= dip_report_put_count(out, "correct", c->correct);
    faults |= dip_report_put_real(out, "precision", c->score.precision);
    faults |= dip_report_put_real(out, "recall", c->score.recall);
    faults |= dip_report_put_real(out, "f1", c->score.f1);
    return dip_report_whole(out, faults);
}

static json_t *class_parts(const dip_classification *c, dip_class_name name,
                           void *user)
{
    json_t *out = json_array();
    int faults = out == NULL;
    for (int64_t i = 0; i < c->classes && faults == 0; i++) {
        const dip_class *item = &c->per_class[i];
        if (item->support == 0 && item->predicted == 0)
            continue;
        faults |= json_array_append_new(out, class_part(item, name(user, i)));
    }
    return dip_report_whole(out, faults);
}

json_t *dip_report_classification(const dip_classification *c,
                                  dip_class_name name, void *user)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= dip_report_put_count(out, "rows", c->rows);
    faults |= dip_report_put_count(out, "missing", c->missing);
    faults |= dip_report_put_count(out, "classes", c->classes);
    faults |= dip_report_put_count(out, "present", c->present);
    faults |= dip_report_put_real(out, "accuracy", c->accuracy);
    faults |=
        dip_report_put_real(out, "balanced_accuracy", c->balanced_accuracy);
    faults |= put_average(out, "macro", &c->macro);
    faults |= put_average(out, "micro", &c->micro);
    faults |= put_average(out, "weighted", &c->weighted);
    faults |= json_object_set_new(out, "per_class", class_parts(c, name, user));
    return dip_report_whole(out, faults);
}

/* ---- probabilities ------------------------------------------------------- */

static json_t *calibration(const dip_class_scores *s)
{
    json_t *out =
        json_pack("{s:[], s:[], s:[]}", "confidence", "accuracy", "rows");
    int faults = out == NULL;
    for (int b = 0; b < DIP_CALIBRATION_BINS && faults == 0; b++) {
        const dip_calibration_bin *bin = &s->bins[b];
        if (bin->rows == 0)
            continue;
        faults |= json_array_append_new(json_object_get(out, "confidence"),
                                        json_real(bin->confidence));
        faults |= json_array_append_new(json_object_get(out, "accuracy"),
                                        json_real(bin->correct));
        faults |= json_array_append_new(json_object_get(out, "rows"),
                                        json_integer((json_int_t)bin->rows));
    }
    return dip_report_whole(out, faults);
}

/* Of the items of per_class, which leaves absent classes out. */
static int put_areas(json_t *report, const dip_classification *c,
                     const dip_class_scores *s, int64_t columns)
{
    json_t *items = json_object_get(report, "per_class");
    size_t item = 0;
    int faults = 0;
    for (int64_t i = 0; i < c->classes; i++) {
        if (c->per_class[i].support == 0 && c->per_class[i].predicted == 0)
            continue;
        json_t *object = json_array_get(items, item++);
        dip_one_vs_rest none = {(double)NAN, (double)NAN};
        const dip_one_vs_rest *one = i < columns ? &s->per_class[i] : &none;
        faults |= dip_report_put_real(object, "roc_auc", one->roc_auc);
        faults |= dip_report_put_real(object, "average_precision",
                                      one->average_precision);
    }
    return faults;
}

int dip_report_put_scores(json_t *report, const dip_classification *c,
                          const dip_class_scores *s, int64_t n, int64_t columns,
                          const int64_t *cutoffs, int n_cutoffs)
{
    int faults = put_areas(report, c, s, columns);
    for (int i = 0; i < n_cutoffs; i++) {
        char key[48];
        (void)snprintf(key, sizeof key, "accuracy@%lld", (long long)cutoffs[i]);
        if (cutoffs[i] > 1 && cutoffs[i] < columns)
            faults |= dip_report_put_real(
                report, key, dip_class_scores_top_k(s, n, cutoffs[i]));
    }
    faults |= dip_report_put_count(report, "areas", s->areas);
    faults |= dip_report_put_real(report, "roc_auc_macro", s->macro.roc_auc);
    faults |= dip_report_put_real(report, "average_precision_macro",
                                  s->macro.average_precision);
    faults |=
        dip_report_put_real(report, "roc_auc_weighted", s->weighted.roc_auc);
    faults |= dip_report_put_real(report, "average_precision_weighted",
                                  s->weighted.average_precision);
    faults |= dip_report_put_real(report, "brier", s->brier);
    faults |= dip_report_put_real(report, "ece", s->calibration.ece);
    faults |= dip_report_put_real(report, "ece_max", s->calibration.ece_max);
    return faults | json_object_set_new(report, "calibration", calibration(s));
}

/* ---- confusion ----------------------------------------------------------- */

typedef struct {
    int64_t class_index;
    int64_t count;
} counted;

static int by_count_down(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->class_index > y->class_index) -
           (x->class_index < y->class_index);
}

/* Place of each class in the matrix, CONFUSION_CLASSES for all others; *shown
 * counts the classes that have a place of their own. */
static dip_status choose_places(int64_t *places, int64_t *shown,
                                int64_t *by_place, const dip_classification *c,
                                dip_err *err)
{
    counted *order = dip_calloc((size_t)c->classes, sizeof *order);
    if (order == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < c->classes; i++)
        order[i] =
            (counted){i, c->per_class[i].support + c->per_class[i].predicted};
    qsort(order, (size_t)c->classes, sizeof *order, by_count_down);
    *shown = 0;
    for (int64_t i = 0; i < c->classes; i++) {
        bool own = order[i].count > 0 && *shown < CONFUSION_CLASSES;
        places[order[i].class_index] = own ? *shown : CONFUSION_CLASSES;
        if (own)
            by_place[(*shown)++] = order[i].class_index;
    }
    free(order);
    return DIP_OK;
}

static json_t *matrix(int64_t cells[][CONFUSION_CLASSES + 1],
                      const int64_t *by_place, int64_t shown, bool others,
                      dip_class_name name, void *user)
{
    json_t *out = json_pack("{s:[], s:[]}", "classes", "counts");
    int faults = out == NULL;
    for (int64_t i = 0; i < shown + others && faults == 0; i++) {
        int64_t from = i < shown ? i : CONFUSION_CLASSES;
        json_t *row = json_array();
        for (int64_t j = 0; j < shown + others; j++)
            faults |= json_array_append_new(
                row,
                json_integer((
                    json_int_t)cells[from][j < shown ? j : CONFUSION_CLASSES]));
        faults |= json_array_append_new(json_object_get(out, "counts"), row);
        faults |= json_array_append_new(
            json_object_get(out, "classes"),
            dip_report_name(i < shown ? name(user, by_place[i]) : "(others)"));
    }
    return dip_report_whole(out, faults);
}

static dip_status put_matrix(json_t *report, const dip_classification *c,
                             const int32_t *labels, const int32_t *predicted,
                             int64_t n, dip_class_name name, void *user,
                             dip_err *err)
{
    int64_t cells[CONFUSION_CLASSES + 1][CONFUSION_CLASSES + 1] = {{0}};
    int64_t by_place[CONFUSION_CLASSES], shown = 0;
    int64_t *places = dip_calloc((size_t)c->classes, sizeof *places);
    dip_status st = places != NULL
                        ? choose_places(places, &shown, by_place, c, err)
                        : dip_no_memory(err);
    bool others = false;
    for (int64_t i = 0; i < n && st == DIP_OK; i++) {
        if (labels[i] < 0)
            continue;
        int64_t is = places[labels[i]], taken = places[predicted[i]];
        cells[is][taken]++;
        others |= is == CONFUSION_CLASSES || taken == CONFUSION_CLASSES;
    }
    if (st == DIP_OK && json_object_set_new(report, "confusion",
                                            matrix(cells, by_place, shown,
                                                   others, name, user)) != 0)
        st = dip_no_memory(err);
    free(places);
    return st;
}

static int by_class_up(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    return (x->class_index > y->class_index) -
           (x->class_index < y->class_index);
}

/* Pairs of label and wrong prediction, numbered label * classes + prediction,
 * most frequent first; returns how many. */
static int64_t count_pairs(counted *pairs, int64_t classes,
                           const int32_t *labels, const int32_t *predicted,
                           int64_t n)
{
    int64_t wrong = 0, distinct = 0;
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] >= 0 && labels[i] != predicted[i])
            pairs[wrong++] = (counted){labels[i] * classes + predicted[i], 1};
    }
    qsort(pairs, (size_t)wrong, sizeof *pairs, by_class_up);
    for (int64_t i = 0; i < wrong; i++) {
        if (distinct > 0 &&
            pairs[distinct - 1].class_index == pairs[i].class_index)
            pairs[distinct - 1].count++;
        else
            pairs[distinct++] = pairs[i];
    }
    qsort(pairs, (size_t)distinct, sizeof *pairs, by_count_down);
    return distinct;
}

static dip_status put_pairs(json_t *report, const dip_classification *c,
                            const int32_t *labels, const int32_t *predicted,
                            int64_t n, dip_class_name name, void *user,
                            dip_err *err)
{
    counted *pairs = dip_calloc((size_t)n, sizeof *pairs);
    json_t *out = json_array();
    int faults = pairs == NULL || out == NULL;
    int64_t count =
        faults ? 0 : count_pairs(pairs, c->classes, labels, predicted, n);
    for (int64_t i = 0; i < count && i < MOST_CONFUSED && faults == 0; i++) {
        int64_t label = pairs[i].class_index / c->classes;
        json_t *pair = json_pack(
            "{s:o?, s:o?, s:I}", "label", dip_report_name(name(user, label)),
            "predicted",
            dip_report_name(name(user, pairs[i].class_index % c->classes)),
            "count", (json_int_t)pairs[i].count);
        faults |= json_array_append_new(out, pair);
    }
    free(pairs);
    faults |=
        json_object_set_new(report, "confused", dip_report_whole(out, faults));
    return faults == 0 ? DIP_OK : dip_no_memory(err);
}

dip_status dip_report_put_confusion(json_t *report, const dip_classification *c,
                                    const int32_t *labels,
                                    const int32_t *predicted, int64_t n,
                                    dip_class_name name, void *user,
                                    dip_err *err)
{
    dip_status st =
        put_matrix(report, c, labels, predicted, n, name, user, err);
    return st == DIP_OK
               ? put_pairs(report, c, labels, predicted, n, name, user, err)
               : st;
}
