#include "data/synth_logs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/catalog_names.h"
#include "data/catalog_writer.h"
#include "data/synth_product.h"

enum {
    GRADES = 4,
    JUDGED_PER_GRADE = 10,
    JUDGED_WINDOW = 4096, /* rows that a query looks at */
    TRIES_PER_QUERY = 64,
    MAX_ITEMS = 200, /* of a user */
    TRIES_PER_ITEM = 48,
    YEAR_SECONDS = 365 * 24 * 3600,
};

#define FIRST_TIME INT64_C(1704067200) /* 2024-01-01T00:00:00Z */

static const dip_synth_attribute asked[] = {DIP_SYNTH_COLOUR, DIP_SYNTH_PATTERN,
                                            DIP_SYNTH_TYPE};

/* ---- judgements ---------------------------------------------------------- */

typedef struct {
    const dip_synth_options *options;
    dip_names queries;
    dip_judgement *items;
    size_t count, capacity;
} judging;

static int grade_of(const dip_synth_product *wanted,
                    const dip_synth_product *product)
{
    int equal = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(asked); i++)
        equal += wanted->value[asked[i]] == product->value[asked[i]];
    return equal;
}

static dip_status judge(judging *self, int64_t query, int64_t row, int grade,
                        dip_split split, dip_err *err)
{
    dip_status st = dip_reserve(&self->items, &self->capacity, self->count + 1,
                                sizeof *self->items, err);
    if (st == DIP_OK)
        self->items[self->count++] =
            (dip_judgement){query, row, (float)grade, split};
    return st;
}

/* Judges rows of a window that begins at the query's own row. */
static dip_status judge_rows(judging *self, int64_t query, int64_t origin,
                             dip_err *err)
{
    const dip_synth_options *o = self->options;
    dip_synth_product wanted = dip_synth_product_of(o->seed, origin);
    dip_split split = dip_synth_split_of(o->seed, &wanted);
    int judged[GRADES] = {0};
    int64_t window = o->rows < JUDGED_WINDOW ? o->rows : JUDGED_WINDOW;
    for (int64_t i = 0; i < window; i++) {
        int64_t row = (origin + i) % o->rows;
        dip_synth_product product = dip_synth_product_of(o->seed, row);
        int grade = grade_of(&wanted, &product);
        if (judged[grade] == JUDGED_PER_GRADE ||
            dip_synth_split_of(o->seed, &product) != split)
            continue;
        judged[grade]++;
        dip_status st = judge(self, query, row, grade, split, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status make_query(judging *self, uint64_t attempt, dip_err *err)
{
    const dip_synth_options *o = self->options;
    dip_rng rng = dip_rng_stream(o->seed, DIP_SYNTH_QUERIES, attempt, 0);
    int64_t origin = (int64_t)dip_rng_below(&rng, (uint64_t)o->rows);
    dip_synth_product wanted = dip_synth_product_of(o->seed, origin);
    char text[128];
    int n = snprintf(text, sizeof text, "%s %s %s",
                     dip_synth_value_name(asked[0], wanted.value[asked[0]]),
                     dip_synth_value_name(asked[1], wanted.value[asked[1]]),
                     dip_synth_value_name(asked[2], wanted.value[asked[2]]));
    int64_t number, before = self->queries.count;
    dip_status st = dip_names_add(&self->queries, (dip_bytes){text, (size_t)n},
                                  &number, err);
    if (st != DIP_OK || number < before)
        return st;
    return judge_rows(self, number, origin, err);
}

dip_status dip_synth_put_judgements(const dip_synth_options *options,
                                    dip_err *err)
{
    judging self = {.options = options};
    dip_bytes *texts = NULL;
    dip_status st = DIP_OK;
    uint64_t tries = (uint64_t)options->queries * TRIES_PER_QUERY;
    for (uint64_t i = 0;
         i < tries && st == DIP_OK && self.queries.count < options->queries;
         i++)
        st = make_query(&self, i, err);
    if (st == DIP_OK && self.queries.count < options->queries)
        st = dip_fail(err, DIP_ERANGE,
                      "%lld rows give only %lld distinct queries, not %lld",
                      (long long)options->rows, (long long)self.queries.count,
                      (long long)options->queries);
    if (st == DIP_OK)
        st = dip_names_list(&texts, &self.queries, err);
    if (st == DIP_OK)
        st = dip_catalog_put_judgements(options->out, texts, self.queries.count,
                                        self.items, (int64_t)self.count, err);
    free(texts);
    free(self.items);
    dip_names_free(&self.queries);
    return st;
}

/* ---- interactions -------------------------------------------------------- */

typedef struct {
    int types[2], colours[3];
} taste;

typedef struct {
    const dip_synth_options *options;
    dip_names users;
    dip_interaction *items;
    size_t count, capacity;
} behaviour;

static taste draw_taste(dip_rng *rng)
{
    taste t;
    uint64_t types = (uint64_t)dip_synth_value_count(DIP_SYNTH_TYPE);
    uint64_t colours = (uint64_t)dip_synth_value_count(DIP_SYNTH_COLOUR);
    for (size_t i = 0; i < DIP_ARRAY_LEN(t.types); i++)
        t.types[i] = (int)dip_rng_below(rng, types);
    for (size_t i = 0; i < DIP_ARRAY_LEN(t.colours); i++)
        t.colours[i] = (int)dip_rng_below(rng, colours);
    return t;
}

static bool contains(const int *list, size_t count, int value)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == value)
            return true;
    }
    return false;
}

/* Probability that the user takes the product. */
static double appeal(const taste *t, const dip_synth_product *p)
{
    bool type =
        contains(t->types, DIP_ARRAY_LEN(t->types), p->value[DIP_SYNTH_TYPE]);
    bool colour = contains(t->colours, DIP_ARRAY_LEN(t->colours),
                           p->value[DIP_SYNTH_COLOUR]);
    return (type ? 0.5 : 0.03) * (colour ? 2.0 : 0.5);
}

/* A row that the user likes and does not have; -1 when none came up. */
static int64_t draw_item(const behaviour *self, const taste *t, dip_rng *rng,
                         size_t first)
{
    const dip_synth_options *o = self->options;
    for (int i = 0; i < TRIES_PER_ITEM; i++) {
        /* Density ~ row^(-1/2): the first rows are the popular ones. */
        double u = dip_rng_uniform(rng);
        int64_t row = (int64_t)(u * u * (double)o->rows);
        dip_synth_product p = dip_synth_product_of(o->seed, row);
        bool fresh = true;
        for (size_t k = first; k < self->count && fresh; k++)
            fresh = self->items[k].row != row;
        if (fresh && dip_rng_uniform(rng) < appeal(t, &p))
            return row;
    }
    return -1;
}

static void split_by_time(dip_interaction *items, size_t count)
{
    if (count < 3)
        return;
    items[count - 2].split = DIP_SPLIT_VAL;
    items[count - 1].split = DIP_SPLIT_TEST;
}

static dip_status add_user(behaviour *self, int64_t number, dip_err *err)
{
    dip_rng rng = dip_rng_stream(self->options->seed, DIP_SYNTH_USERS,
                                 (uint64_t)number, 0);
    char name[32];
    int n = snprintf(name, sizeof name, "u%06lld", (long long)number);
    int64_t user;
    dip_status st =
        dip_names_add(&self->users, (dip_bytes){name, (size_t)n}, &user, err);
    taste t = draw_taste(&rng);
    double many = 5.0 * pow(1.0 - dip_rng_uniform(&rng), -0.7); /* Pareto */
    size_t wanted = many < MAX_ITEMS ? (size_t)many : MAX_ITEMS;
    size_t first = self->count;
    int64_t step = YEAR_SECONDS / (int64_t)(wanted + 1);
    for (size_t i = 0; i < wanted && st == DIP_OK; i++) {
        int64_t row = draw_item(self, &t, &rng, first);
        if (row < 0)
            break;
        int64_t time = FIRST_TIME + (int64_t)i * step +
                       (int64_t)dip_rng_below(&rng, (uint64_t)step);
        float weight = (float)(1 + dip_rng_below(&rng, 3));
        st = dip_reserve(&self->items, &self->capacity, self->count + 1,
                         sizeof *self->items, err);
        if (st == DIP_OK)
            self->items[self->count++] =
                (dip_interaction){user, row, weight, time, DIP_SPLIT_TRAIN};
    }
    if (st == DIP_OK)
        split_by_time(self->items + first, self->count - first);
    return st;
}

dip_status dip_synth_put_interactions(const dip_synth_options *options,
                                      dip_err *err)
{
    behaviour self = {.options = options};
    dip_bytes *names = NULL;
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < options->users && st == DIP_OK; i++)
        st = add_user(&self, i, err);
    if (st == DIP_OK)
        st = dip_names_list(&names, &self.users, err);
    if (st == DIP_OK)
        st = dip_catalog_put_interactions(options->out, names, self.users.count,
                                          self.items, (int64_t)self.count, err);
    free(names);
    free(self.items);
    dip_names_free(&self.users);
    return st;
}
