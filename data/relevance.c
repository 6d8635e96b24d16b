#include "data/relevance.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/interner.h"

/* ---- keys ---- */

/* Where the next key of a column goes, and the number that a row gets which
 * equals no other: those from `rows` on are not used otherwise. */
struct key_column {
    const dip_catalog *catalog;
    dip_interner *interner; /* of this column's values */
    int64_t *out;           /* key of row 0 */
    int64_t stride;
};

static void put_alone(struct key_column *column, int64_t row)
{
    column->out[row * column->stride] = dip_catalog_rows(column->catalog) + row;
}

static dip_status put(struct key_column *column, int64_t row, dip_bytes value,
                      dip_err *err)
{
    return dip_interner_add(&column->out[row * column->stride],
                            column->interner, value, err);
}

static dip_status put_group(struct key_column *column, dip_err *err)
{
    for (int64_t row = 0; row < dip_catalog_rows(column->catalog); row++) {
        int64_t group = dip_catalog_group(column->catalog, row);
        dip_status st = put(
            column, row, (dip_bytes){(const char *)&group, sizeof group}, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status put_title(struct key_column *column, int text, int64_t row,
                            dip_err *err)
{
    dip_bytes title = dip_catalog_text(column->catalog, text, row);
    char *normal;
    dip_status st = dip_utf8_normalise(&normal, title.data, title.len, err);
    if (st != DIP_OK) {
        dip_bytes id = dip_catalog_id(column->catalog, row);
        return dip_fail_context(err, "%s of row '%.*s'",
                                dip_catalog_column(column->catalog, text)->name,
                                (int)id.len, id.data);
    }
    if (normal[0] == '\0')
        put_alone(column, row);
    else
        st = put(column, row, (dip_bytes){normal, strlen(normal)}, err);
    free(normal);
    return st;
}

static dip_status put_titles(struct key_column *column, int text, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int64_t row = 0;
         st == DIP_OK && row < dip_catalog_rows(column->catalog); row++)
        st = put_title(column, text, row, err);
    return st;
}

static dip_status put_labels(struct key_column *column,
                             const dip_key_rule *rule, dip_err *err)
{
    size_t count = (size_t)rule->label_count;
    int32_t *values = dip_calloc(count, sizeof *values);
    if (values == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    for (int64_t row = 0;
         st == DIP_OK && row < dip_catalog_rows(column->catalog); row++) {
        bool missing = false;
        for (size_t i = 0; i < count; i++) {
            values[i] =
                dip_catalog_label(column->catalog, rule->labels[i], row);
            missing = missing || values[i] < 0;
        }
        if (missing)
            put_alone(column, row);
        else
            st = put(column, row,
                     (dip_bytes){(const char *)values, count * sizeof *values},
                     err);
    }
    free(values);
    return st;
}

/* Fills column `c` of the keys, counted as dip_row_keys has them. */
static dip_status put_column(dip_row_keys *keys, const dip_catalog *catalog,
                             const dip_key_rule *rule, int64_t c, dip_err *err)
{
    struct key_column column = {catalog, NULL, keys->values + c, keys->columns};
    dip_status st = dip_interner_create(&column.interner, err);
    if (st != DIP_OK)
        return st;
    int64_t text = c - (rule->group ? 1 : 0);
    if (text < 0)
        st = put_group(&column, err);
    else if (text < rule->text_count)
        st = put_titles(&column, rule->texts[text], err);
    else
        st = put_labels(&column, rule, err);
    dip_interner_free(column.interner);
    return st;
}

dip_status dip_row_keys_build(dip_row_keys *out, const dip_catalog *catalog,
                              const dip_key_rule *rule, dip_err *err)
{
    *out = (dip_row_keys){0};
    int64_t columns = (rule->group ? 1 : 0) + rule->text_count +
                      (rule->label_count > 0 ? 1 : 0);
    if (columns == 0)
        return dip_fail(err, DIP_ECONFIG,
                        "nothing says which rows are right answers");
    dip_row_keys keys = {dip_catalog_rows(catalog), columns, NULL};
    size_t count;
    if (dip_mul_overflows((size_t)keys.rows, (size_t)columns, &count))
        return dip_no_memory(err);
    keys.values = dip_calloc(count, sizeof *keys.values);
    if (keys.values == NULL)
        return dip_no_memory(err);
    for (int64_t c = 0; c < columns; c++) {
        dip_status st = put_column(&keys, catalog, rule, c, err);
        if (st != DIP_OK) {
            dip_row_keys_free(&keys);
            return st;
        }
    }
    *out = keys;
    return DIP_OK;
}

void dip_row_keys_free(dip_row_keys *keys)
{
    free(keys->values);
    *keys = (dip_row_keys){0};
}

void dip_row_keys_gather(int64_t *out, const dip_row_keys *keys,
                         const int64_t *rows, int64_t count)
{
    size_t width = (size_t)keys->columns;
    for (int64_t i = 0; i < count; i++)
        memcpy(out + i * keys->columns, keys->values + rows[i] * keys->columns,
               width * sizeof *out);
}

bool dip_row_keys_equal(const dip_row_keys *keys, int64_t a, int64_t b)
{
    const int64_t *x = keys->values + a * keys->columns;
    const int64_t *y = keys->values + b * keys->columns;
    for (int64_t c = 0; c < keys->columns; c++) {
        if (x[c] == y[c])
            return true;
    }
    return false;
}

/* The lowest row of a tree, whose paths are shortened on the way. */
static int64_t root_of(int64_t *parent, int64_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void join(int64_t *parent, int64_t a, int64_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

dip_status dip_row_keys_components(int64_t *out, const dip_row_keys *keys,
                                   const int64_t *rows, int64_t count,
                                   dip_err *err)
{
    /* Keys are below twice the rows: of values, and behind them of rows that
     * equal no other. */
    int64_t *seen = dip_calloc((size_t)keys->rows * 2 + 1, sizeof *seen);
    int64_t *parent = dip_calloc((size_t)count + 1, sizeof *parent);
    bool enough = seen != NULL && parent != NULL;
    for (int64_t i = 0; i < count && enough; i++)
        parent[i] = i;
    for (int64_t c = 0; c < keys->columns && enough; c++) {
        memset(seen, 0, (size_t)keys->rows * 2 * sizeof *seen);
        for (int64_t i = 0; i < count; i++) {
            int64_t *at = &seen[keys->values[rows[i] * keys->columns + c]];
            if (*at > 0)
                join(parent, *at - 1, i);
            *at = i + 1;
        }
    }
    for (int64_t i = 0; i < count && enough; i++)
        out[i] = keys->values[rows[root_of(parent, i)] * keys->columns];
    free(parent);
    free(seen);
    return enough ? DIP_OK : dip_no_memory(err);
}

void dip_row_keys_positives(uint8_t *out, const dip_row_keys *keys,
                            const int64_t *rows, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        out[i * count + i] = 1;
        for (int64_t j = 0; j < i; j++) {
            uint8_t equal = dip_row_keys_equal(keys, rows[i], rows[j]);
            out[i * count + j] = equal;
            out[j * count + i] = equal;
        }
    }
}
