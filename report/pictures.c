#include "report/pictures.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "report/put.h"

#define LONGEST 120 /* characters of a title or a query */

static json_t *reals(const double *values, int n)
{
    json_t *out = json_array();
    int faults = out == NULL;
    for (int i = 0; i < n; i++)
        faults |= json_array_append_new(out, dip_json_real(values[i]));
    return dip_report_whole(out, faults);
}

static json_t *counts(const int64_t *values, int n)
{
    json_t *out = json_array();
    int faults = out == NULL;
    for (int i = 0; i < n; i++)
        faults |= json_array_append_new(out, json_integer(values[i]));
    return dip_report_whole(out, faults);
}

/* ---- curves ---- */

json_t *dip_report_histogram(const dip_histogram *h)
{
    int first = 0, last = h->bins - 1;
    while (first < last && h->matches[first] == 0 && h->others[first] == 0)
        first++;
    while (last > first && h->matches[last] == 0 && h->others[last] == 0)
        last--;
    int n = last >= first ? last - first + 1 : 0;
    return json_pack("{s:o, s:o, s:o, s:o}", "from",
                     dip_json_real(h->from + first * h->width), "width",
                     dip_json_real(h->width), "matches",
                     counts(h->matches + first, n), "others",
                     counts(h->others + first, n));
}

json_t *dip_report_pr_curve(const dip_pr_curve *c)
{
    return json_pack("{s:o, s:o, s:o}", "recall", reals(c->recall, c->n),
                     "precision", reals(c->precision, c->n), "threshold",
                     reals(c->threshold, c->n));
}

dip_status dip_report_put_curves(json_t *task, const dip_ranking_curves *c,
                                 dip_err *err)
{
    json_t *curve =
        json_pack("{s:I, s:o, s:o, s:o}", "queries", (json_int_t)c->queries,
                  "k", counts(c->k, c->n), "hit", reals(c->hit, c->n), "recall",
                  reals(c->recall, c->n));
    json_t *scores = dip_report_histogram(&c->scores);
    int faults = dip_report_put_count(scores, "queries", c->queries);
    faults |= json_object_set_new(task, "curve", curve);
    faults |= json_object_set_new(task, "scores", scores);
    return faults == 0 ? DIP_OK : dip_no_memory(err);
}

/* ---- examples ---- */

/* The beginning of a text, repaired and with an ellipsis where it was cut. */
static json_t *short_text(dip_bytes text)
{
    dip_str out = {0};
    size_t at = 0;
    for (int i = 0; i < LONGEST && at < text.len; i++)
        dip_utf8_add(&out, dip_utf8_next(text.data, text.len, &at));
    if (at < text.len)
        dip_str_add(&out, "…");
    json_t *value =
        out.failed ? NULL : json_stringn(dip_str_text(&out), out.len);
    dip_str_free(&out);
    return value;
}

/* The first text column is taken for the title; without one, the id. */
static dip_bytes title_of(const dip_catalog *catalog, int64_t row)
{
    for (int c = 0; c < dip_catalog_column_count(catalog); c++) {
        if (dip_catalog_column(catalog, c)->kind == DIP_COLUMN_TEXT)
            return dip_catalog_text(catalog, c, row);
    }
    return dip_catalog_id(catalog, row);
}

static json_t *product(const dip_catalog *catalog, int64_t row)
{
    return json_pack("{s:I, s:o, s:o}", "row", (json_int_t)row, "id",
                     short_text(dip_catalog_id(catalog, row)), "title",
                     short_text(title_of(catalog, row)));
}

static json_t *found(const dip_example_rows *r, int64_t outcome)
{
    const dip_outcomes *o = r->outcomes;
    json_t *out = json_array();
    int faults = out == NULL;
    for (int64_t k = 0; k < o->top && k < DIP_EXAMPLE_FOUND; k++) {
        int64_t at = outcome * o->top + k;
        if (o->top_row[at] < 0)
            break;
        json_t *item = product(r->catalog, o->top_row[at]);
        faults |= dip_report_put_real(item, "score", (double)o->top_score[at]);
        faults |=
            json_object_set_new(item, "right", json_boolean(o->top_right[at]));
        faults |= json_array_append_new(out, item);
    }
    return dip_report_whole(out, faults);
}

/* Whether a right product is among those that are shown anyway. */
static bool is_found(const dip_outcomes *o, int64_t outcome)
{
    for (int64_t k = 0; k < o->top && k < DIP_EXAMPLE_FOUND; k++) {
        if (o->top_right[outcome * o->top + k])
            return true;
    }
    return false;
}

static json_t *example(const dip_example *e, const dip_example_rows *r)
{
    const dip_outcomes *o = r->outcomes;
    int64_t i = e->outcome;
    json_t *out = json_object();
    int faults = out == NULL;
    faults |=
        r->of_photos
            ? json_object_set_new(out, "photo", product(r->catalog, o->row[i]))
            : json_object_set_new(
                  out, "query", short_text(dip_text_column_get(&o->texts, i)));
    faults |= dip_report_put_real(out, "rank", o->rank[i]);
    faults |= dip_report_put_count(out, "relevant", o->relevant[i]);
    faults |= json_object_set_new(out, "found", found(r, i));
    if (e->wanted >= 0 && !is_found(o, i)) {
        json_t *wanted = product(r->catalog, r->gallery[e->wanted]);
        faults |= dip_report_put_real(wanted, "score", e->score);
        faults |= dip_report_put_real(wanted, "rank", o->rank[i]);
        faults |= json_object_set_new(out, "wanted", wanted);
    }
    return dip_report_whole(out, faults);
}

json_t *dip_report_examples(const dip_examples *e, const dip_example_rows *rows)
{
    static const char *const keys[DIP_EXAMPLES_KINDS] = {
        [DIP_EXAMPLES_WORST] = "worst",
        [DIP_EXAMPLES_CONFUSED] = "confusions",
        [DIP_EXAMPLES_RANDOM] = "sample"};
    json_t *out = json_object();
    int faults = out == NULL;
    for (int kind = 0; kind < DIP_EXAMPLES_KINDS; kind++) {
        json_t *list = json_array();
        for (int64_t i = 0; i < e->counts[kind]; i++)
            faults |=
                json_array_append_new(list, example(&e->items[kind][i], rows));
        faults |= json_object_set_new(out, keys[kind], list);
    }
    return dip_report_whole(out, faults);
}
