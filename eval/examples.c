#include "eval/examples.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

enum { STREAM_EXAMPLES = 0x73686f77 }; /* purpose of a random stream */
#define LOOKED_AT 2000 /* failures whose right rows are scored */

/* A query that a list may show; the highest key first. */
typedef struct {
    int64_t outcome;
    double key;
} candidate;

static int by_key_down(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return (x->outcome > y->outcome) - (x->outcome < y->outcome);
}

static double score(const dip_embeddings *a, int64_t i, const dip_embeddings *b,
                    int64_t j)
{
    const float *x = a->data + i * a->dim, *y = b->data + j * b->dim;
    double sum = 0;
    for (int64_t d = 0; d < a->dim; d++) {
        double p = (double)x[d], q = (double)y[d];
        sum += a->similarity == DIP_SIMILARITY_EUCLIDEAN ? -(p - q) * (p - q)
                                                         : p * q;
    }
    return sum;
}

static dip_example find_wanted(const dip_examples_source *s, int64_t outcome)
{
    int64_t query = s->query[outcome];
    dip_judged judged = dip_relevance_of(s->relevance, query);
    dip_example out = {outcome, -1, -INFINITY};
    for (int64_t i = 0; i < judged.count; i++) {
        if (judged.grades != NULL && !(judged.grades[i] > 0))
            continue;
        double here = score(&s->queries, query, &s->gallery, judged.rows[i]);
        if (here > out.score)
            out = (dip_example){outcome, judged.rows[i], here};
    }
    return out;
}

/* A wrong row stands first. */
static bool failed(const dip_outcomes *o, int64_t i)
{
    return o->top > 0 && o->relevant[i] > 0 && !o->top_right[i * o->top];
}

static int64_t list_failures(candidate *out, const dip_outcomes *o)
{
    int64_t n = 0;
    for (int64_t i = 0; i < o->count; i++) {
        if (failed(o, i))
            out[n++] = (candidate){i, o->rank[i]};
    }
    return n;
}

/* The failures again, thinned out, by how far the wrong row won. */
static int64_t measure_margins(candidate *items, int64_t n,
                               const dip_examples_source *s)
{
    int64_t kept = n < LOOKED_AT ? n : LOOKED_AT;
    for (int64_t i = 0; i < kept; i++) {
        int64_t outcome = items[i * n / kept].outcome;
        double first =
            (double)s->outcomes->top_score[outcome * s->outcomes->top];
        items[i] = (candidate){outcome, first - find_wanted(s, outcome).score};
    }
    return kept;
}

static int64_t list_all(candidate *out, const dip_outcomes *o, uint64_t seed)
{
    for (int64_t i = 0; i < o->count; i++) {
        dip_rng rng = dip_rng_stream(seed, STREAM_EXAMPLES, 0, (uint64_t)i);
        out[i] = (candidate){i, dip_rng_uniform(&rng)};
    }
    return o->count;
}

static bool is_shown(const dip_examples *out, const dip_outcomes *o,
                     int64_t outcome)
{
    for (int kind = 0; kind < DIP_EXAMPLES_KINDS; kind++) {
        for (int64_t i = 0; i < out->counts[kind]; i++) {
            if (o->group[out->items[kind][i].outcome] == o->group[outcome])
                return true;
        }
    }
    return false;
}

static void take(dip_examples *out, dip_example_kind kind, candidate *items,
                 int64_t n, const dip_examples_source *s, int64_t most)
{
    qsort(items, (size_t)n, sizeof *items, by_key_down);
    for (int64_t i = 0; i < n && out->counts[kind] < most; i++) {
        if (!is_shown(out, s->outcomes, items[i].outcome))
            out->items[kind][out->counts[kind]++] =
                find_wanted(s, items[i].outcome);
    }
}

dip_status dip_examples_choose(dip_examples *out, const dip_examples_source *s,
                               int64_t most, uint64_t seed, dip_err *err)
{
    const dip_outcomes *o = s->outcomes;
    *out = (dip_examples){0};
    if (most > DIP_EXAMPLES_MOST)
        most = DIP_EXAMPLES_MOST;
    candidate *items = dip_calloc((size_t)o->count, sizeof *items);
    if (items == NULL)
        return dip_no_memory(err);
    take(out, DIP_EXAMPLES_WORST, items, list_failures(items, o), s, most);
    int64_t n = measure_margins(items, list_failures(items, o), s);
    take(out, DIP_EXAMPLES_CONFUSED, items, n, s, most);
    take(out, DIP_EXAMPLES_RANDOM, items, list_all(items, o, seed), s, most);
    free(items);
    return DIP_OK;
}
