#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

/* Every json_object_set_new() takes NULL for what ran out of memory, ends the
 * value and returns non-zero; so failures are summed up and asked for once. */

static json_t *whole_or_null(json_t *object, int faults)
{
    if (faults == 0)
        return object;
    json_decref(object);
    return NULL;
}

static int put_real(json_t *object, const char *key, double value)
{
    return json_object_set_new(object, key, dip_json_real(value));
}

static int put_count(json_t *object, const char *key, int64_t value)
{
    return json_object_set_new(object, key, json_integer(value));
}

/* JSON holds UTF-8 alone, a catalog's names may be anything: bad bytes become
 * U+FFFD. */
static json_t *text(const char *bytes)
{
    size_t n = strlen(bytes);
    if (dip_utf8_valid(bytes, n, NULL))
        return json_stringn(bytes, n);
    dip_str clean = {0};
    for (size_t at = 0; at < n;)
        dip_utf8_add(&clean, dip_utf8_next(bytes, n, &at));
    json_t *out = clean.failed ? NULL : json_stringn(clean.data, clean.len);
    dip_str_free(&clean);
    return out;
}

/* ---- rankings ------------------------------------------------------------ */

/* The metrics with a cutoff in their name, or those without. */
static int put_metrics(json_t *object, const dip_ranking *r, bool cutoff)
{
    int faults = 0;
    for (int m = 0; m < dip_ranking_metrics(r); m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(name, r, m);
        if ((strchr(name, '@') != NULL) == cutoff)
            faults |= put_real(object, name, dip_ranking_value(r, &r->mean, m));
    }
    return faults;
}

json_t *dip_report_ranking(const dip_ranking *r)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= put_count(out, "queries", r->queries);
    faults |= put_count(out, "evaluated", r->evaluated);
    faults |= put_count(out, "skipped", r->queries - r->evaluated);
    faults |= put_count(out, "gallery", r->gallery);
    faults |= put_metrics(out, r, true);
    faults |= put_metrics(out, r, false);
    faults |= put_real(out, "median_rank", r->median_rank);
    if (r->graded)
        faults |= put_real(out, "max_grade", r->max_grade);
    return whole_or_null(out, faults);
}

json_t *dip_report_interval(const dip_interval *interval)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= put_real(out, "mean", interval->mean);
    faults |= put_real(out, "low", interval->low);
    faults |= put_real(out, "high", interval->high);
    return whole_or_null(out, faults);
}

/* ---- classification ------------------------------------------------------ */

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
        faults |= put_real(out, key, parts[i].value);
    }
    return faults;
}

static json_t *class_part(const dip_class *c, const char *name)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= json_object_set_new(out, "name", text(name));
    faults |= put_count(out, "support", c->support);
    faults |= put_count(out, "predicted", c->predicted);
    faults |= put_count(out, "correct", c->correct);
    faults |= put_real(out, "precision", c->score.precision);
    faults |= put_real(out, "recall", c->score.recall);
    faults |= put_real(out, "f1", c->score.f1);
    return whole_or_null(out, faults);
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
    return whole_or_null(out, faults);
}

json_t *dip_report_classification(const dip_classification *c,
                                  dip_class_name name, void *user)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= put_count(out, "rows", c->rows);
    faults |= put_count(out, "missing", c->missing);
    faults |= put_count(out, "classes", c->classes);
    faults |= put_count(out, "present", c->present);
    faults |= put_real(out, "accuracy", c->accuracy);
    faults |= put_average(out, "macro", &c->macro);
    faults |= put_average(out, "micro", &c->micro);
    faults |= put_average(out, "weighted", &c->weighted);
    faults |= json_object_set_new(out, "per_class", class_parts(c, name, user));
    return whole_or_null(out, faults);
}

/* ---- matching ------------------------------------------------------------ */

json_t *dip_report_matching(const dip_matching *m)
{
    json_t *out = json_object();
    int faults = out == NULL;
    faults |= put_count(out, "positives", m->positives);
    faults |= put_count(out, "negatives", m->negatives);
    faults |= put_count(out, "random", m->random);
    faults |= put_count(out, "same_category", m->same_category);
    faults |= put_real(out, "threshold", m->threshold);
    faults |= put_real(out, "validation_f1", m->validation_f1);
    faults |= put_real(out, "accuracy", m->accuracy);
    faults |= put_real(out, "precision", m->precision);
    faults |= put_real(out, "recall", m->recall);
    faults |= put_real(out, "f1", m->f1);
    faults |= put_real(out, "auc", m->auc);
    return whole_or_null(out, faults);
}
