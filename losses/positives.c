#include "losses/positives.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct {
    int64_t key;
    int32_t row;
} keyed;

static int by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_row(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The lists of one column of keys: `rows` [n] sorted by key, each row knowing
 * where its key begins. */
static dip_status build_column(dip_positive_lists *out, const int64_t *keys,
                               int64_t n, int64_t columns, dip_err *err)
{
    keyed *sorted = dip_calloc((size_t)n, sizeof *sorted);
    out->start = dip_calloc((size_t)n, sizeof(int64_t));
    out->count = dip_calloc((size_t)n, sizeof(int64_t));
    out->rows = dip_calloc((size_t)n, sizeof(int32_t));
    if (sorted == NULL || out->start == NULL || out->count == NULL ||
        out->rows == NULL) {
        free(sorted);
        return dip_no_memory(err);
    }
    for (int64_t i = 0; i < n; i++)
        sorted[i] = (keyed){keys != NULL ? keys[i * columns] : i, (int32_t)i};
    qsort(sorted, (size_t)n, sizeof *sorted, by_key);
    for (int64_t at = 0, end; at < n; at = end) {
        for (end = at + 1; end < n && sorted[end].key == sorted[at].key;)
            end++;
        for (int64_t k = at; k < end; k++) {
            out->rows[k] = sorted[k].row;
            out->start[sorted[k].row] = at;
            out->count[sorted[k].row] = end - at;
        }
    }
    free(sorted);
    return DIP_OK;
}

/* Appends the rows that share any key with row i, each once. */
static dip_status join_row(dip_positive_lists *out, size_t *capacity,
                           size_t *used, const dip_positive_lists *columns,
                           int64_t count, int64_t i, dip_err *err)
{
    size_t first = *used, most = first;
    for (int64_t c = 0; c < count; c++)
        most += (size_t)columns[c].count[i];
    dip_status st =
        dip_reserve(&out->rows, capacity, most, sizeof(int32_t), err);
    if (st != DIP_OK)
        return st;
    int32_t *list = out->rows + first;
    size_t all = 0, kept = 1;
    for (int64_t c = 0; c < count; c++) {
        size_t n = (size_t)columns[c].count[i];
        memcpy(list + all, columns[c].rows + columns[c].start[i],
               n * sizeof *list);
        all += n;
    }
    qsort(list, all, sizeof *list, by_row);
    for (size_t k = 1; k < all; k++) {
        if (list[k] != list[k - 1])
            list[kept++] = list[k];
    }
    out->start[i] = (int64_t)first;
    out->count[i] = (int64_t)kept;
    *used = first + kept;
    return DIP_OK;
}

static dip_status join(dip_positive_lists *out,
                       const dip_positive_lists *columns, int64_t count,
                       int64_t n, dip_err *err)
{
    size_t capacity = 0, used = 0;
    out->start = dip_calloc((size_t)n, sizeof(int64_t));
    out->count = dip_calloc((size_t)n, sizeof(int64_t));
    if (out->start == NULL || out->count == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < n && st == DIP_OK; i++)
        st = join_row(out, &capacity, &used, columns, count, i, err);
    return st;
}

dip_status dip_positive_lists_build(dip_positive_lists *out,
                                    const int64_t *keys, int64_t n,
                                    int64_t columns, dip_err *err)
{
    *out = (dip_positive_lists){0};
    if (n > INT32_MAX)
        return dip_fail(err, DIP_ERANGE, "a batch of %lld rows", (long long)n);
    if (keys == NULL || columns == 1)
        return build_column(out, keys, n, columns, err);
    dip_positive_lists *each = dip_calloc((size_t)columns, sizeof *each);
    dip_status st = each != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t c = 0; c < columns && st == DIP_OK; c++)
        st = build_column(&each[c], keys + c, n, columns, err);
    if (st == DIP_OK)
        st = join(out, each, columns, n, err);
    for (int64_t c = 0; c < columns && each != NULL; c++)
        dip_positive_lists_free(&each[c]);
    free(each);
    return st;
}

void dip_positive_lists_free(dip_positive_lists *lists)
{
    free(lists->start);
    free(lists->count);
    free(lists->rows);
    *lists = (dip_positive_lists){0};
}
