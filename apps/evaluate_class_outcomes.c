#include "apps/evaluate_class_outcomes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

/* The names of the metrics; returns how many. `names` NULL: counts. */
static int name_metrics(dip_metric_name *names, const dip_classified *c,
                        const dip_ranking_options *options)
{
    static const char *const plain[] = {"accuracy", "balanced_accuracy"};
    int count = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(plain); i++, count++) {
        if (names != NULL)
            (void)snprintf(names[count], sizeof *names, "%s", plain[i]);
    }
    for (int i = 0; i < options->n_cutoffs && c->scores != NULL; i++) {
        long long k = (long long)options->cutoffs[i];
        if (k <= 1 || k >= c->columns)
            continue;
        if (names != NULL)
            (void)snprintf(names[count], sizeof *names, "accuracy@%lld", k);
        count++;
    }
    return count;
}

/* Rows of each class [classes], and how many classes have some. */
static int64_t *count_classes(int64_t *present, const dip_class_set *set,
                              int64_t n)
{
    int64_t *rows = dip_calloc((size_t)set->count, sizeof *rows);
    *present = 0;
    for (int64_t i = 0; i < n && rows != NULL; i++) {
        if (set->labels[i] >= 0)
            *present += rows[set->labels[i]]++ == 0;
    }
    return rows;
}

/* Rank of the right class among all; INFINITY when it has none. */
static double rank_of(const dip_classified *c, int64_t i)
{
    if (c->scores != NULL)
        return c->scores->rank[i] >= 1 ? (double)c->scores->rank[i] : INFINITY;
    return c->set->labels[i] == c->predicted[i] ? 1 : INFINITY;
}

static void take_values(dip_outcomes *o, int64_t at, double rank, bool right,
                        double weight)
{
    for (int m = 0; m < o->metrics; m++) {
        long long k;
        double value = right;
        if (strcmp(o->names[m], "balanced_accuracy") == 0)
            value = right ? weight : 0;
        if (sscanf(o->names[m], "accuracy@%lld", &k) == 1)
            value = rank <= (double)k;
        o->values[m * o->count + at] = value;
    }
}

static dip_status take_row(dip_outcomes *o, int64_t at, int64_t i,
                           const dip_classified *c, double weight,
                           const dip_evaluation *ev, const dip_embedded *e,
                           dip_err *err)
{
    const char *name = c->set->names[c->set->labels[i]];
    dip_bytes label = {name, strlen(name)};
    dip_bytes id = dip_catalog_id(ev->job.corpus->catalog, e->row[i]);
    o->row[at] = e->row[i];
    o->group[at] = c->groups[i];
    o->relevant[at] = 1;
    o->rank[at] = rank_of(c, i);
    take_values(o, at, o->rank[at], c->set->labels[i] == c->predicted[i],
                weight);
    dip_status st = dip_text_column_put(&o->ids, at, id, err);
    return st == DIP_OK ? dip_text_column_put(&o->texts, at, label, err) : st;
}

static dip_status take_rows(dip_outcomes *o, const dip_classified *c,
                            const dip_evaluation *ev, const dip_embedded *e,
                            dip_err *err)
{
    int64_t at = 0, present;
    int64_t *rows = count_classes(&present, c->set, e->count);
    dip_status st = rows != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < e->count && st == DIP_OK; i++) {
        int32_t label = c->set->labels[i];
        if (label < 0)
            continue;
        double weight =
            (double)o->count / ((double)present * (double)rows[label]);
        st = take_row(o, at++, i, c, weight, ev, e, err);
    }
    free(rows);
    return st;
}

static dip_status put_digest(json_t *report, const dip_outcomes *o,
                             dip_err *err)
{
    char hex[DIP_DIGEST_SIZE];
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    for (int64_t i = 0; i < o->count && st == DIP_OK; i++) {
        dip_bytes id = dip_text_column_get(&o->ids, i);
        dip_bytes label = dip_text_column_get(&o->texts, i);
        st = dip_digest_add_sized(digest, id.data, id.len, err);
        if (st == DIP_OK)
            st = dip_digest_add_sized(digest, label.data, label.len, err);
    }
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    if (st == DIP_OK &&
        json_object_set_new(report, "queries_sha256", json_string(hex)) != 0)
        st = dip_no_memory(err);
    return st;
}

dip_status dip_evaluate_class_outcomes(json_t *report, const dip_classified *c,
                                       const dip_evaluation *ev,
                                       const dip_embedded *e, dip_err *err)
{
    const dip_ranking_options *options = &ev->job.settings->eval.ranking;
    int64_t count = 0;
    dip_outcomes *o;
    /* A retrieval task of the label's name was there before. */
    if (ev->outcomes == NULL ||
        dip_outcome_set_find(ev->outcomes, c->set->file) != NULL)
        return DIP_OK;
    for (int64_t i = 0; i < e->count; i++)
        count += c->set->labels[i] >= 0;
    dip_status st = dip_outcome_set_add(&o, ev->outcomes, err);
    if (st == DIP_OK)
        st = dip_outcomes_alloc(o, c->set->file, count,
                                name_metrics(NULL, c, options), 0, err);
    if (st != DIP_OK)
        return st;
    (void)name_metrics(o->names, c, options);
    st = take_rows(o, c, ev, e, err);
    return st == DIP_OK ? put_digest(report, o, err) : st;
}
