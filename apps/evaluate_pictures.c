#include "apps/evaluate_pictures.h"

#include <stdlib.h>

#include "base/mem.h"
#include "report/pictures.h"

#define MOST_QUERIES 5000 /* of a curve */

static dip_status put_curves(json_t *report, const dip_ranked_task *r,
                             dip_err *err)
{
    dip_ranking_curves *curves = dip_calloc(1, sizeof *curves);
    if (curves == NULL)
        return dip_no_memory(err);
    dip_status st = dip_ranking_curves_make(
        curves, &r->queries, &r->products, r->relevance,
        &r->evaluation->job.settings->eval.ranking, MOST_QUERIES, err);
    if (st == DIP_OK)
        st = dip_report_put_curves(report, curves, err);
    free(curves);
    return st;
}

static dip_status put_examples(json_t *report, const dip_ranked_task *r,
                               const dip_outcomes *outcomes,
                               const int64_t *query, dip_err *err)
{
    const dip_settings *s = r->evaluation->job.settings;
    const dip_examples_source source = {.outcomes = outcomes,
                                        .query = query,
                                        .queries = r->queries,
                                        .gallery = r->products,
                                        .relevance = r->relevance};
    const dip_example_rows rows = {
        .outcomes = outcomes,
        .catalog = r->evaluation->job.corpus->catalog,
        .gallery = r->product_rows,
        .of_photos = !r->task->judged && r->task->query == DIP_SOURCE_IMAGE};
    dip_examples *examples = dip_calloc(1, sizeof *examples);
    if (examples == NULL)
        return dip_no_memory(err);
    dip_status st =
        dip_examples_choose(examples, &source, s->gallery, s->seed, err);
    if (st == DIP_OK &&
        json_object_set_new(report, "examples",
                            dip_report_examples(examples, &rows)) != 0)
        st = dip_no_memory(err);
    free(examples);
    return st;
}

dip_status dip_evaluate_pictures(json_t *report, const dip_ranked_task *r,
                                 const dip_outcomes *outcomes, dip_err *err)
{
    int64_t *query = dip_calloc((size_t)outcomes->count, sizeof *query);
    if (query == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < outcomes->count; i++)
        query[i] = r->ranking->per_query[i].query;
    dip_status st = put_curves(report, r, err);
    if (st == DIP_OK && r->evaluation->job.settings->gallery > 0)
        st = put_examples(report, r, outcomes, query, err);
    free(query);
    return st;
}
