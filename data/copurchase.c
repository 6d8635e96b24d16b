#include "data/copurchase.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/bipartite.h"
#include "data/catalog_names.h"
#include "data/catalog_writer.h"
#include "data/row_text.h"

typedef struct {
    int64_t user, row, time, at; /* `at`: place in the catalog's log */
} event;

/* A product beside another one. */
typedef struct {
    int64_t row;
    double affinity;
} neighbour;

typedef struct {
    const dip_copurchase_options *options;
    const dip_catalog *catalog;
    dip_row_text *text;
    dip_bipartite graph; /* of the split in turn */
    int64_t users;       /* of the split, with an interaction that counts */
    int32_t *both;       /* [rows] users of a product and the one in turn */
    neighbour *near;     /* [rows], and how many: */
    int64_t near_count;
    double *affinities; /* [neighbours] */
    float *grades;      /* [neighbours] */
    dip_names queries;
    dip_names pairs; /* (query, row), numbered as the judgements are */
    dip_judgement *items;
    size_t capacity;
    int64_t count;
    dip_import_report *report;
    dip_copurchase_report *details;
} judging;

/* ---- who had what in a split --------------------------------------------- */

static int ascending(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* By user and row, the last first. */
static int compare_pairs(const void *a, const void *b)
{
    const event *x = a, *y = b;
    int order = ascending(x->user, y->user);
    order = order != 0 ? order : ascending(x->row, y->row);
    order = order != 0 ? order : ascending(y->time, x->time);
    return order != 0 ? order : ascending(y->at, x->at);
}

/* By user, the last first. */
static int compare_times(const void *a, const void *b)
{
    const event *x = a, *y = b;
    int order = ascending(x->user, y->user);
    order = order != 0 ? order : ascending(y->time, x->time);
    return order != 0 ? order : ascending(y->at, x->at);
}

static bool counts(const judging *self, const dip_interaction *one,
                   dip_split split)
{
    return dip_catalog_split(self->catalog, one->row) == split &&
           (self->options->same_split ? one->split == split
                                      : one->split <= split);
}

/* Keeps of each user and row the last event. */
static int64_t keep_distinct(event *events, int64_t count)
{
    int64_t kept = 0;
    qsort(events, (size_t)count, sizeof *events, compare_pairs);
    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || events[i].user != events[i - 1].user ||
            events[i].row != events[i - 1].row)
            events[kept++] = events[i];
    }
    return kept;
}

/* Keeps of each user the last events; counts users in self->users. */
static int64_t keep_last(judging *self, event *events, int64_t count)
{
    int64_t kept = 0, held = 0, most = self->options->history;
    qsort(events, (size_t)count, sizeof *events, compare_times);
    self->users = 0;
    for (int64_t i = 0; i < count; i++) {
        bool first = i == 0 || events[i].user != events[i - 1].user;
        held = first ? 0 : held;
        self->users += first;
        self->details->cut_histories += held == most;
        if (held++ < most)
            events[kept++] = events[i];
    }
    return kept;
}

static dip_status build_graph(judging *self, const event *events, int64_t count,
                              dip_err *err)
{
    dip_edge *edges = dip_calloc((size_t)count, sizeof *edges);
    if (edges == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++)
        edges[i] = (dip_edge){events[i].user, events[i].row};
    dip_status st =
        dip_bipartite_build(&self->graph, dip_catalog_user_count(self->catalog),
                            dip_catalog_rows(self->catalog), edges, count, err);
    free(edges);
    return st;
}

static dip_status gather(judging *self, dip_split split, dip_err *err)
{
    int64_t all = dip_catalog_interaction_count(self->catalog), count = 0;
    event *events = dip_calloc((size_t)all, sizeof *events);
    if (events == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < all; i++) {
        dip_interaction one = dip_catalog_interaction(self->catalog, i);
        if (counts(self, &one, split))
            events[count++] = (event){one.user, one.row, one.time, i};
    }
    self->details->counted += count;
    count = keep_last(self, events, keep_distinct(events, count));
    dip_status st = build_graph(self, events, count, err);
    free(events);
    return st;
}

/* ---- the neighbours of a product ----------------------------------------- */

static int64_t users_of(const judging *self, int64_t row)
{
    return dip_bipartite_of(&self->graph, self->graph.users + row).count;
}

/* Nearer first, then by row. */
static int compare_neighbours(const void *a, const void *b)
{
    const neighbour *x = a, *y = b;
    if (x->affinity != y->affinity)
        return x->affinity > y->affinity ? -1 : 1;
    return ascending(x->row, y->row);
}

/* Lists in self->near the other products of the row's users, and counts in
 * self->both how many of them had each. */
static void meet(judging *self, int64_t row)
{
    dip_neighbours users =
        dip_bipartite_of(&self->graph, self->graph.users + row);
    self->near_count = 0;
    for (int64_t u = 0; u < users.count; u++) {
        dip_neighbours had = dip_bipartite_of(&self->graph, users.nodes[u]);
        for (int64_t i = 0; i < had.count; i++) {
            int64_t other = had.nodes[i] - self->graph.users;
            if (other != row && self->both[other]++ == 0)
                self->near[self->near_count++].row = other;
        }
    }
}

/* Keeps the nearest of self->near in their order; self->both is 0 again. */
static void choose(judging *self, int64_t row)
{
    const dip_copurchase_options *o = self->options;
    int64_t kept = 0;
    for (int64_t i = 0; i < self->near_count; i++) {
        int64_t other = self->near[i].row, both = self->both[other];
        self->both[other] = 0;
        if (both < o->least)
            continue;
        const dip_affinity_counts n = {
            users_of(self, row), users_of(self, other), both, self->users};
        double weight = (double)both / ((double)both + o->shrink);
        double affinity = weight * dip_affinity_of(o->affinity, &n);
        if (affinity > 0)
            self->near[kept++] = (neighbour){other, affinity};
    }
    qsort(self->near, (size_t)kept, sizeof *self->near, compare_neighbours);
    self->near_count = kept < o->neighbours ? kept : o->neighbours;
}

/* ---- judgements ---------------------------------------------------------- */

/* A pair that was judged before, by a product of the same text, has the better
 * grade. */
static dip_status judge(judging *self, int64_t query, int64_t row, float grade,
                        dip_split split, dip_err *err)
{
    int64_t pair[2] = {query, row}, number;
    dip_status st =
        dip_reserve(&self->items, &self->capacity, (size_t)self->count + 1,
                    sizeof *self->items, err);
    if (st == DIP_OK)
        st = dip_names_add(&self->pairs,
                           (dip_bytes){(const char *)pair, sizeof pair},
                           &number, err);
    if (st != DIP_OK)
        return st;
    dip_judgement *item = &self->items[number];
    if (number < self->count) {
        item->grade = grade > item->grade ? grade : item->grade;
        return DIP_OK;
    }
    *item = (dip_judgement){query, row, grade, split};
    self->count++;
    dip_import_report_good(self->report, split);
    return DIP_OK;
}

static dip_status judge_neighbours(judging *self, int64_t row, dip_bytes text,
                                   dip_split split, dip_err *err)
{
    int64_t query;
    double own = self->options->own;
    dip_status st = dip_names_add(&self->queries, text, &query, err);
    if (st == DIP_OK && own > 0)
        st = judge(self, query, row, (float)own, split, err);
    for (int64_t i = 0; i < self->near_count; i++)
        self->affinities[i] = self->near[i].affinity;
    dip_grading_list(self->grades, self->affinities, self->near_count,
                     &self->options->grading);
    for (int64_t i = 0; i < self->near_count && st == DIP_OK; i++)
        st = judge(self, query, self->near[i].row, self->grades[i], split, err);
    return st;
}

static dip_status judge_row(judging *self, int64_t row, dip_split split,
                            dip_str *text, dip_err *err)
{
    meet(self, row);
    choose(self, row);
    if (self->near_count == 0)
        return DIP_OK;
    dip_row_text_render(text, self->text, row);
    dip_status st = dip_str_status(text, err);
    if (st == DIP_OK && text->len == 0) {
        self->details->textless++;
        return DIP_OK;
    }
    return st == DIP_OK
               ? judge_neighbours(self, row, (dip_bytes){text->data, text->len},
                                  split, err)
               : st;
}

static dip_status judge_split(judging *self, dip_split split, dip_err *err)
{
    int64_t rows = dip_catalog_rows(self->catalog);
    dip_str text = {0};
    dip_status st = gather(self, split, err);
    for (int64_t row = 0; row < rows && st == DIP_OK; row++) {
        st = judge_row(self, row, split, &text, err);
        if (st == DIP_OK)
            st = dip_import_tick(&self->options->progress,
                                 split * rows + row + 1, DIP_SPLIT_COUNT * rows,
                                 err);
    }
    dip_bipartite_free(&self->graph);
    dip_str_free(&text);
    return st;
}

/* ---- the whole ----------------------------------------------------------- */

static dip_status begin(judging *self, dip_err *err)
{
    size_t rows = (size_t)dip_catalog_rows(self->catalog);
    size_t nearest = (size_t)self->options->neighbours;
    nearest = nearest < rows ? nearest : rows;
    self->details->interactions = dip_catalog_interaction_count(self->catalog);
    if (self->details->interactions == 0)
        return dip_fail(err, DIP_EDATA,
                        "'%s' has no interactions: `diptych import "
                        "interactions` adds them",
                        self->options->into);
    self->both = dip_calloc(rows, sizeof *self->both);
    self->near = dip_calloc(rows, sizeof *self->near);
    self->affinities = dip_calloc(nearest, sizeof *self->affinities);
    self->grades = dip_calloc(nearest, sizeof *self->grades);
    if (self->both == NULL || self->near == NULL || self->affinities == NULL ||
        self->grades == NULL)
        return dip_no_memory(err);
    return dip_row_text_compile(&self->text, self->options->query,
                                self->catalog, err);
}

static void end(judging *self)
{
    dip_row_text_free(self->text);
    dip_names_free(&self->queries);
    dip_names_free(&self->pairs);
    free(self->both);
    free(self->near);
    free(self->affinities);
    free(self->grades);
    free(self->items);
}

static dip_status put(const judging *self, dip_err *err)
{
    dip_bytes *texts;
    if (self->count == 0)
        return dip_fail(err, DIP_EDATA,
                        "no two products of a split that %lld users of '%s' "
                        "had",
                        (long long)self->options->least, self->options->into);
    dip_status st = dip_names_list(&texts, &self->queries, err);
    if (st == DIP_OK)
        st = dip_catalog_put_judgements(self->options->into, texts,
                                        self->queries.count, self->items,
                                        self->count, err);
    free(texts);
    return st;
}

dip_status dip_import_copurchases(dip_import_report *report,
                                  dip_copurchase_report *details,
                                  const dip_copurchase_options *options,
                                  dip_err *err)
{
    *report = (dip_import_report){0};
    *details = (dip_copurchase_report){0};
    dip_copurchase_options o = *options;
    o.grading.full = 1;
    dip_catalog *catalog;
    dip_status st = dip_catalog_open(&catalog, o.into, NULL, err);
    if (st != DIP_OK)
        return st;
    judging self = {.options = &o,
                    .catalog = catalog,
                    .report = report,
                    .details = details};
    st = begin(&self, err);
    for (int s = 0; s < DIP_SPLIT_COUNT && st == DIP_OK; s++)
        st = judge_split(&self, (dip_split)s, err);
    report->distinct = self.queries.count;
    dip_catalog_close(catalog); /* before its files are renewed */
    self.catalog = NULL;
    if (st == DIP_OK)
        st = put(&self, err);
    end(&self);
    return st;
}
