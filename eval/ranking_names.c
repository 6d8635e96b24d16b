#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "eval/ranking.h"

typedef struct {
    const char *name;
    size_t offset;
} metric_field;

/* A family of metrics: one of each field, or one of each field and cutoff. */
typedef struct {
    const metric_field *fields;
    int count;
    size_t base;   /* in dip_ranking_values */
    size_t stride; /* from cutoff to cutoff; 0: no cutoffs */
    bool graded;
} metric_family;

static const metric_field whole[] = {
    {"mrr", offsetof(dip_ranking_values, mrr)},
    {"map", offsetof(dip_ranking_values, map)},
    {"ndcg", offsetof(dip_ranking_values, ndcg)},
    {"r_precision", offsetof(dip_ranking_values, r_precision)},
};

static const metric_field cutting[] = {
    {"hit", offsetof(dip_ranking_at, hit)},
    {"recall", offsetof(dip_ranking_at, recall)},
    {"precision", offsetof(dip_ranking_at, precision)},
    {"map", offsetof(dip_ranking_at, map)},
    {"ndcg", offsetof(dip_ranking_at, ndcg)},
};

static const metric_field graded[] = {
    {"ndcg_exp", offsetof(dip_ranking_graded, ndcg_exp)},
    {"err", offsetof(dip_ranking_graded, err)},
    {"rbp", offsetof(dip_ranking_graded, rbp)}, /* last: never cut */
};

static const metric_family families[] = {
    {whole, (int)DIP_ARRAY_LEN(whole), 0, 0, false},
    {cutting, (int)DIP_ARRAY_LEN(cutting), offsetof(dip_ranking_values, at),
     sizeof(dip_ranking_at), false},
    {graded, (int)DIP_ARRAY_LEN(graded), offsetof(dip_ranking_values, graded),
     0, true},
    {graded, (int)DIP_ARRAY_LEN(graded) - 1,
     offsetof(dip_ranking_values, graded_at), sizeof(dip_ranking_graded), true},
};

static int size_of(const metric_family *f, const dip_ranking *ranking)
{
    if (f->graded && !ranking->graded)
        return 0;
    return f->count * (f->stride == 0 ? 1 : ranking->n_cutoffs);
}

/* Family of a metric; *metric becomes its number in there. */
static const metric_family *family_of(const dip_ranking *ranking, int *metric)
{
    const metric_family *f = families;
    for (; *metric >= size_of(f, ranking); f++)
        *metric -= size_of(f, ranking);
    return f;
}

int dip_ranking_metrics(const dip_ranking *ranking)
{
    int count = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(families); i++)
        count += size_of(&families[i], ranking);
    return count;
}

void dip_ranking_name(char out[DIP_RANKING_NAME_SIZE],
                      const dip_ranking *ranking, int metric)
{
    const metric_family *f = family_of(ranking, &metric);
    const char *name = f->fields[metric % f->count].name;
    if (f->stride == 0)
        snprintf(out, DIP_RANKING_NAME_SIZE, "%s", name);
    else
        snprintf(out, DIP_RANKING_NAME_SIZE, "%s@%" PRId64, name,
                 ranking->cutoffs[metric / f->count]);
}

static size_t offset_of(const dip_ranking *ranking, int metric)
{
    const metric_family *f = family_of(ranking, &metric);
    return f->base + (size_t)(metric / f->count) * f->stride +
           f->fields[metric % f->count].offset;
}

double dip_ranking_value(const dip_ranking *ranking,
                         const dip_ranking_values *values, int metric)
{
    double value;
    memcpy(&value, (const char *)values + offset_of(ranking, metric),
           sizeof value);
    return value;
}

void dip_ranking_set_value(const dip_ranking *ranking,
                           dip_ranking_values *values, int metric, double value)
{
    memcpy((char *)values + offset_of(ranking, metric), &value, sizeof value);
}

const char *dip_ranking_ties_name(dip_ties ties)
{
    static const char *const names[] = {[DIP_TIES_PESSIMISTIC] = "pessimistic",
                                        [DIP_TIES_OPTIMISTIC] = "optimistic",
                                        [DIP_TIES_EXPECTED] = "expected"};
    return names[ties];
}

const char *dip_ranking_gain_name(dip_gain gain)
{
    return gain == DIP_GAIN_LINEAR ? "linear" : "exponential";
}
