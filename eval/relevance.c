#include "eval/relevance.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MAX_GRADE 1000.0f /* 2^grade and sums of it stay finite */

typedef struct {
    int64_t key;
    int64_t row;
} keyed;

/* What dip_relevance_by_keys() works on. */
typedef struct {
    const int64_t *query_keys; /* [queries, columns] */
    int64_t queries;
    int64_t gallery;
    int64_t columns;
    keyed *index;    /* [columns, gallery], sorted in each column */
    int64_t *order;  /* [queries], equal key tuples side by side */
    size_t capacity; /* of the rows of the result */
} builder;

static int compare_int64(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int compare_keyed(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int compare_tuples(const builder *b, int64_t x, int64_t y)
{
    for (int64_t c = 0; c < b->columns; c++) {
        int64_t i = b->query_keys[x * b->columns + c];
        int64_t j = b->query_keys[y * b->columns + c];
        if (i != j)
            return i < j ? -1 : 1;
    }
    return 0;
}

static int compare_queries(const void *a, const void *b, void *context)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    int order = compare_tuples(context, x, y);
    return order != 0 ? order : (x > y) - (x < y);
}

static void sort_keys(builder *b, const int64_t *gallery_keys)
{
    for (int64_t c = 0; c < b->columns; c++) {
        keyed *column = b->index + c * b->gallery;
        for (int64_t row = 0; row < b->gallery; row++)
            column[row] = (keyed){gallery_keys[row * b->columns + c], row};
        qsort(column, (size_t)b->gallery, sizeof *column, compare_keyed);
    }
    for (int64_t q = 0; q < b->queries; q++)
        b->order[q] = q;
    qsort_r(b->order, (size_t)b->queries, sizeof *b->order, compare_queries, b);
}

/* The first of n sorted items whose key is not below `key`. */
static int64_t lower_bound(const keyed *items, int64_t n, int64_t key)
{
    int64_t low = 0;
    while (low < n) {
        int64_t middle = low + (n - low) / 2;
        if (items[middle].key < key)
            low = middle + 1;
        else
            n = middle;
    }
    return low;
}

/* Appends the gallery rows that `query` shares a key with as the next list,
 * each once. */
static dip_status add_list(dip_relevance *out, builder *b, int64_t query,
                           dip_err *err)
{
    int64_t start = out->offsets[out->lists], end = start;
    for (int64_t c = 0; c < b->columns; c++) {
        int64_t key = b->query_keys[query * b->columns + c];
        if (key < 0)
            continue;
        const keyed *column = b->index + c * b->gallery;
        int64_t at = lower_bound(column, b->gallery, key);
        for (; at < b->gallery && column[at].key == key; at++) {
            dip_status st =
                dip_reserve(&out->rows, &b->capacity, (size_t)end + 1,
                            sizeof *out->rows, err);
            if (st != DIP_OK)
                return st;
            out->rows[end++] = column[at].row;
        }
    }
    int64_t *rows = out->rows + start;
    qsort(rows, (size_t)(end - start), sizeof *rows, compare_int64);
    int64_t kept = 0;
    for (int64_t i = 0; i < end - start; i++) {
        if (kept == 0 || rows[kept - 1] != rows[i])
            rows[kept++] = rows[i];
    }
    out->offsets[++out->lists] = start + kept;
    return DIP_OK;
}

static dip_status fill_lists(dip_relevance *out, builder *b, dip_err *err)
{
    dip_status st = dip_reserve(&out->rows, &b->capacity,
                                (size_t)b->gallery + 1, sizeof *out->rows, err);
    for (int64_t i = 0; st == DIP_OK && i < b->queries; i++) {
        int64_t q = b->order[i];
        if (i == 0 || compare_tuples(b, b->order[i - 1], q) != 0)
            st = add_list(out, b, q, err);
        out->list_of[q] = out->lists - 1;
    }
    return st;
}

dip_status dip_relevance_by_keys(dip_relevance *out, const int64_t *query_keys,
                                 int64_t queries, const int64_t *gallery_keys,
                                 int64_t gallery, int64_t columns, dip_err *err)
{
    *out = (dip_relevance){.queries = queries};
    size_t cells;
    if (columns < 1 || queries < 0 || gallery < 0 ||
        dip_mul_overflows((size_t)gallery, (size_t)columns, &cells))
        return dip_fail(err, DIP_ERANGE, "impossible number of keys");
    builder b = {query_keys, queries, gallery, columns, NULL, NULL, 0};
    dip_status st = DIP_OK;
    b.index = dip_calloc(cells, sizeof *b.index);
    b.order = dip_calloc((size_t)queries, sizeof *b.order);
    out->list_of = dip_calloc((size_t)queries, sizeof *out->list_of);
    out->offsets = dip_calloc((size_t)queries + 1, sizeof *out->offsets);
    if (b.index == NULL || b.order == NULL || out->list_of == NULL ||
        out->offsets == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    sort_keys(&b, gallery_keys);
    st = fill_lists(out, &b, err);
out_free:
    free(b.order);
    free(b.index);
    if (st != DIP_OK)
        dip_relevance_free(out);
    return st;
}

void dip_relevance_free(dip_relevance *relevance)
{
    if (relevance == NULL)
        return;
    free(relevance->list_of);
    free(relevance->offsets);
    free(relevance->rows);
    free(relevance->grades);
    *relevance = (dip_relevance){0};
}

static int64_t list_of(const dip_relevance *r, int64_t query)
{
    return r->list_of == NULL ? query : r->list_of[query];
}

dip_judged dip_relevance_of(const dip_relevance *relevance, int64_t query)
{
    int64_t list = list_of(relevance, query);
    if (list < 0)
        return (dip_judged){0};
    int64_t start = relevance->offsets[list];
    return (dip_judged){
        relevance->rows + start,
        relevance->grades == NULL ? NULL : relevance->grades + start,
        relevance->offsets[list + 1] - start,
    };
}

static dip_status check_shape(const dip_relevance *r, dip_err *err)
{
    if (r->queries < 0 || r->lists < 0 ||
        (r->list_of == NULL && r->lists != r->queries))
        return dip_fail(err, DIP_EDATA,
                        "relevance has %" PRId64 " lists for %" PRId64
                        " queries",
                        r->lists, r->queries);
    for (int64_t q = 0; r->list_of != NULL && q < r->queries; q++) {
        if (r->list_of[q] < -1 || r->list_of[q] >= r->lists)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " has no list %" PRId64, q,
                            r->list_of[q]);
    }
    for (int64_t i = 0; i < r->lists; i++) {
        if ((i == 0 && r->offsets[0] != 0) || r->offsets[i + 1] < r->offsets[i])
            return dip_fail(err, DIP_EDATA,
                            "broken offsets of relevance list %" PRId64, i);
    }
    return DIP_OK;
}

/* `sorted` has room for the list. `query` is one that the list belongs to. */
static dip_status check_list(const dip_judged *list, int64_t query,
                             int64_t gallery, int64_t *sorted, dip_err *err)
{
    for (int64_t i = 0; i < list->count; i++) {
        sorted[i] = list->rows[i];
        if (list->rows[i] < 0 || list->rows[i] >= gallery)
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " judges row %" PRId64
                            " of a gallery of %" PRId64,
                            query, list->rows[i], gallery);
        float grade = list->grades == NULL ? 1 : list->grades[i];
        if (!(grade >= 0 && grade <= MAX_GRADE))
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " gives row %" PRId64
                            " the grade %g, outside 0 to %g",
                            query, list->rows[i], (double)grade,
                            (double)MAX_GRADE);
    }
    qsort(sorted, (size_t)list->count, sizeof *sorted, compare_int64);
    for (int64_t i = 1; i < list->count; i++) {
        if (sorted[i] == sorted[i - 1])
            return dip_fail(err, DIP_EDATA,
                            "query %" PRId64 " judges row %" PRId64 " twice",
                            query, sorted[i]);
    }
    return DIP_OK;
}

dip_status dip_relevance_check(const dip_relevance *relevance, int64_t gallery,
                               dip_err *err)
{
    dip_status st = check_shape(relevance, err);
    if (st != DIP_OK)
        return st;
    int64_t total =
        relevance->lists == 0 ? 0 : relevance->offsets[relevance->lists];
    int64_t *sorted = dip_calloc((size_t)total, sizeof *sorted);
    bool *seen = dip_calloc((size_t)relevance->lists, sizeof *seen);
    if (sorted == NULL || seen == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    for (int64_t q = 0; st == DIP_OK && q < relevance->queries; q++) {
        int64_t list = list_of(relevance, q);
        if (list < 0 || seen[list])
            continue;
        seen[list] = true;
        dip_judged judged = dip_relevance_of(relevance, q);
        st = check_list(&judged, q, gallery, sorted, err);
    }
out_free:
    free(seen);
    free(sorted);
    return st;
}
