#include "data/bipartite.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- building: each step is a counting sort ------------------------------ */

/* Lists of one side while the graph is built: those of node n are
 * values[offsets[n]] to values[offsets[n + 1]]. */
typedef struct {
    int64_t nodes;
    int64_t *offsets;
    int32_t *values;
} lists;

static dip_status make_lists(lists *out, int64_t nodes, int64_t count,
                             dip_err *err)
{
    out->nodes = nodes;
    out->offsets = dip_calloc((size_t)nodes + 1, sizeof *out->offsets);
    out->values = dip_calloc((size_t)count, sizeof *out->values);
    return out->offsets != NULL && out->values != NULL ? DIP_OK
                                                       : dip_no_memory(err);
}

static void free_lists(lists *l)
{
    free(l->offsets);
    free(l->values);
}

/* From how many values node n has, at offsets[n + 1], to where they begin, at
 * offsets[n + 1]: filling moves that to where they end. */
static void begin_lists(lists *l)
{
    int64_t at = 0;
    for (int64_t n = 0; n < l->nodes; n++) {
        int64_t count = l->offsets[n + 1];
        l->offsets[n + 1] = at;
        at += count;
    }
}

static void append(lists *l, int64_t node, int32_t value)
{
    l->values[l->offsets[node + 1]++] = value;
}

static dip_status group_by_item(lists *out, int64_t items,
                                const dip_edge *pairs, int64_t count,
                                dip_err *err)
{
    dip_status st = make_lists(out, items, count, err);
    if (st != DIP_OK)
        return st;
    for (int64_t i = 0; i < count; i++)
        out->offsets[pairs[i].item + 1]++;
    begin_lists(out);
    for (int64_t i = 0; i < count; i++)
        append(out, pairs[i].item, (int32_t)pairs[i].user);
    return DIP_OK;
}

/* The lists of the other side, each ascending, since the nodes of `from` are
 * gone through in their order. */
static dip_status transpose(lists *out, int64_t nodes, const lists *from,
                            dip_err *err)
{
    int64_t count = from->offsets[from->nodes];
    dip_status st = make_lists(out, nodes, count, err);
    if (st != DIP_OK)
        return st;
    for (int64_t i = 0; i < count; i++)
        out->offsets[from->values[i] + 1]++;
    begin_lists(out);
    for (int64_t n = 0; n < from->nodes; n++) {
        for (int64_t i = from->offsets[n]; i < from->offsets[n + 1]; i++)
            append(out, from->values[i], (int32_t)n);
    }
    return DIP_OK;
}

/* Equal values of a list stand side by side: one of them stays. */
static void merge_equal(lists *l)
{
    int64_t at = 0, first = 0;
    for (int64_t n = 0; n < l->nodes; n++) {
        int64_t end = l->offsets[n + 1];
        for (int64_t i = first; i < end; i++) {
            if (i == first || l->values[i] != l->values[i - 1])
                l->values[at++] = l->values[i];
        }
        first = end;
        l->offsets[n + 1] = at;
    }
}

/* Both sides as one numbering of nodes. */
static dip_status join(dip_bipartite *out, const lists *of_users,
                       const lists *of_items, dip_err *err)
{
    int64_t users = of_users->nodes, edges = of_users->offsets[users];
    size_t nodes = (size_t)(users + of_items->nodes);
    out->users = users;
    out->items = of_items->nodes;
    out->edges = edges;
    out->offsets = dip_calloc(nodes + 1, sizeof *out->offsets);
    out->neighbours = dip_calloc((size_t)edges, 2 * sizeof *out->neighbours);
    if (out->offsets == NULL || out->neighbours == NULL)
        return dip_no_memory(err);
    for (int64_t u = 0; u <= users; u++)
        out->offsets[u] = of_users->offsets[u];
    for (int64_t i = 1; i <= out->items; i++)
        out->offsets[users + i] = edges + of_items->offsets[i];
    for (int64_t e = 0; e < edges; e++) {
        out->neighbours[e] = (int32_t)users + of_users->values[e];
        out->neighbours[edges + e] = of_items->values[e];
    }
    return DIP_OK;
}

static dip_status check_pairs(int64_t users, int64_t items,
                              const dip_edge *pairs, int64_t count,
                              dip_err *err)
{
    if (users < 0 || items < 0 || users > INT32_MAX ||
        items > INT32_MAX - users)
        return dip_fail(err, DIP_ERANGE,
                        "more than %" PRId32 " users and items: %" PRId64
                        " and %" PRId64,
                        INT32_MAX, users, items);
    for (int64_t i = 0; i < count; i++) {
        if (pairs[i].user < 0 || pairs[i].user >= users)
            return dip_fail(err, DIP_EDATA,
                            "interaction %" PRId64 " is of user %" PRId64
                            " of %" PRId64,
                            i, pairs[i].user, users);
        if (pairs[i].item < 0 || pairs[i].item >= items)
            return dip_fail(err, DIP_EDATA,
                            "interaction %" PRId64 " is of item %" PRId64
                            " of %" PRId64,
                            i, pairs[i].item, items);
    }
    return DIP_OK;
}

dip_status dip_bipartite_build(dip_bipartite *out, int64_t users, int64_t items,
                               const dip_edge *pairs, int64_t count,
                               dip_err *err)
{
    lists unordered = {0}, of_users = {0}, of_items = {0};
    *out = (dip_bipartite){0};
    dip_status st = check_pairs(users, items, pairs, count, err);
    if (st == DIP_OK)
        st = group_by_item(&unordered, items, pairs, count, err);
    if (st == DIP_OK)
        st = transpose(&of_users, users, &unordered, err);
    free_lists(&unordered);
    if (st == DIP_OK) {
        merge_equal(&of_users);
        st = transpose(&of_items, items, &of_users, err);
    }
    if (st == DIP_OK)
        st = join(out, &of_users, &of_items, err);
    free_lists(&of_users);
    free_lists(&of_items);
    if (st != DIP_OK)
        dip_bipartite_free(out);
    else
        out->duplicates = count - out->edges;
    return st;
}

/* ---- of a catalog -------------------------------------------------------- */

dip_status dip_bipartite_of_catalog(dip_bipartite *out,
                                    const dip_catalog *catalog, unsigned splits,
                                    dip_err *err)
{
    int64_t all = dip_catalog_interaction_count(catalog), count = 0;
    dip_edge *pairs = dip_calloc((size_t)all, sizeof *pairs);
    *out = (dip_bipartite){0};
    if (pairs == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < all; i++) {
        dip_interaction one = dip_catalog_interaction(catalog, i);
        if ((splits & DIP_SPLIT_BIT(one.split)) != 0)
            pairs[count++] = (dip_edge){one.user, one.row};
    }
    dip_status st =
        dip_bipartite_build(out, dip_catalog_user_count(catalog),
                            dip_catalog_rows(catalog), pairs, count, err);
    free(pairs);
    return st == DIP_OK ? st
                        : dip_fail_context(err, "catalog '%s'",
                                           dip_catalog_path(catalog));
}

void dip_bipartite_free(dip_bipartite *graph)
{
    free(graph->offsets);
    free(graph->neighbours);
    *graph = (dip_bipartite){0};
}

/* ---- looking ------------------------------------------------------------- */

int64_t dip_bipartite_nodes(const dip_bipartite *graph)
{
    return graph->users + graph->items;
}

dip_neighbours dip_bipartite_of(const dip_bipartite *graph, int64_t node)
{
    int64_t first = graph->offsets[node];
    return (dip_neighbours){graph->neighbours + first,
                            graph->offsets[node + 1] - first};
}

bool dip_bipartite_has(const dip_bipartite *graph, int64_t user, int64_t item)
{
    dip_neighbours had = dip_bipartite_of(graph, user);
    int64_t low = 0, high = had.count, node = graph->users + item;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (had.nodes[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < had.count && had.nodes[low] == node;
}
