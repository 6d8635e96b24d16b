#include "data/inspect.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/catalog.h"
#include "data/class_counts.h"
#include "image/decode.h"

enum { SAMPLED_IMAGES = 1000, SHOWN_CLASSES = 10, SHOWN_SIZES = 5 };

/* Sets `key`; a value that could not be made ends the walk in `st`. */
static dip_status put(json_t *object, const char *key, json_t *value,
                      dip_err *err)
{
    return json_object_set_new(object, key, value) == 0 ? DIP_OK
                                                        : dip_no_memory(err);
}

static dip_status append(json_t *list, json_t *value, dip_err *err)
{
    return json_array_append_new(list, value) == 0 ? DIP_OK
                                                   : dip_no_memory(err);
}

static json_t *text_json(dip_bytes text)
{
    return json_stringn(text.data, text.len);
}

/* ---- the whole and its files --------------------------------------------- */

static json_t *overview_json(const dip_catalog *catalog)
{
    json_t *splits = json_object();
    for (int i = 0; i < DIP_SPLIT_COUNT; i++)
        (void)json_object_set_new(
            splits, dip_split_name((dip_split)i),
            json_integer(dip_catalog_split_rows(catalog, (dip_split)i)));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "schema",
                     "diptych-inspect/1", "path", dip_catalog_path(catalog),
                     "name", dip_catalog_name(catalog), "digest",
                     dip_catalog_digest(catalog), "created",
                     dip_catalog_created(catalog), "source",
                     dip_catalog_source(catalog), "rows",
                     (json_int_t)dip_catalog_rows(catalog), "splits", splits);
}

static int compare_int64(const void *a, const void *b)
{
    int64_t x, y;
    x = *(const int64_t *)a;
    y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static dip_status count_groups(int64_t *out, const dip_catalog *catalog,
                               dip_err *err)
{
    int64_t rows = dip_catalog_rows(catalog);
    int64_t *groups = dip_calloc((size_t)rows, sizeof *groups);
    if (groups == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < rows; i++)
        groups[i] = dip_catalog_group(catalog, i);
    qsort(groups, (size_t)rows, sizeof *groups, compare_int64);
    *out = rows > 0;
    for (int64_t i = 1; i < rows; i++)
        *out += groups[i] != groups[i - 1];
    free(groups);
    return DIP_OK;
}

static dip_status add_files(json_t *list, const dip_catalog *catalog,
                            dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < dip_catalog_shard_count(catalog) && st == DIP_OK; i++) {
        dip_shard_info shard = dip_catalog_shard(catalog, i);
        st = append(list,
                    json_pack("{s:s, s:I, s:I, s:s}", "file", shard.file,
                              "rows", (json_int_t)shard.rows, "bytes",
                              (json_int_t)shard.bytes, "sha256", shard.sha256),
                    err);
    }
    return st;
}

/* ---- columns ------------------------------------------------------------- */

typedef struct {
    int width, height;
    int64_t count;
} size_count;

typedef struct {
    int64_t sampled, missing, damaged, bytes;
    int64_t formats[4]; /* by dip_image_format */
    size_count *sizes;
    size_t size_count, size_capacity;
} image_facts;

static dip_status count_size(image_facts *facts, int width, int height,
                             dip_err *err)
{
    for (size_t i = 0; i < facts->size_count; i++) {
        size_count *s = &facts->sizes[i];
        if (s->width == width && s->height == height) {
            s->count++;
            return DIP_OK;
        }
    }
    dip_status st =
        dip_reserve(&facts->sizes, &facts->size_capacity, facts->size_count + 1,
                    sizeof *facts->sizes, err);
    if (st == DIP_OK)
        facts->sizes[facts->size_count++] = (size_count){width, height, 1};
    return st;
}

static dip_status look_at_image(image_facts *facts, dip_decoder *decoder,
                                const dip_image_source *source, dip_err *err)
{
    facts->sampled++;
    if (source->pixels != NULL)
        return DIP_OK; /* the column says it all */
    if (source->encoded.len == 0) {
        facts->missing++;
        return DIP_OK;
    }
    dip_image_info info;
    facts->bytes += (int64_t)source->encoded.len;
    dip_status st = dip_image_probe(&info, decoder, source->encoded.data,
                                    source->encoded.len, err);
    if (st == DIP_ENOMEM)
        return st;
    if (st != DIP_OK) {
        facts->damaged++;
        return DIP_OK;
    }
    facts->formats[info.format]++;
    return count_size(facts, info.width, info.height, err);
}

/* At most SAMPLED_IMAGES rows, evenly spread. */
static dip_status sample_images(image_facts *facts, const dip_catalog *catalog,
                                int column, dip_err *err)
{
    int64_t rows = dip_catalog_rows(catalog);
    int64_t sampled = rows < SAMPLED_IMAGES ? rows : SAMPLED_IMAGES;
    void *scratch = malloc(dip_catalog_image_scratch(catalog, column) + 1);
    if (scratch == NULL)
        return dip_no_memory(err);
    dip_decoder *decoder;
    dip_status st = dip_decoder_create(&decoder, err);
    for (int64_t i = 0; i < sampled && st == DIP_OK; i++) {
        dip_image_source source;
        int64_t row = i * rows / sampled;
        st = dip_catalog_image(catalog, column, row, scratch, &source, err);
        if (st == DIP_OK)
            st = look_at_image(facts, decoder, &source, err);
    }
    dip_decoder_destroy(decoder);
    free(scratch);
    return st;
}

static int compare_sizes(const void *a, const void *b)
{
    const size_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->width != y->width ? x->width - y->width : x->height - y->height;
}

static json_t *formats_json(const image_facts *facts)
{
    json_t *formats = json_object();
    for (size_t i = 0; i < DIP_ARRAY_LEN(facts->formats); i++) {
        if (facts->formats[i] > 0)
            (void)json_object_set_new(
                formats, dip_image_format_name((dip_image_format)i),
                json_integer(facts->formats[i]));
    }
    return formats;
}

static json_t *sizes_json(const image_facts *facts)
{
    json_t *sizes = json_array();
    for (size_t i = 0; i < facts->size_count && i < SHOWN_SIZES; i++)
        (void)json_array_append_new(
            sizes, json_pack("{s:i, s:i, s:I}", "width", facts->sizes[i].width,
                             "height", facts->sizes[i].height, "count",
                             (json_int_t)facts->sizes[i].count));
    return sizes;
}

static dip_status image_json(json_t **out, const dip_catalog *catalog,
                             int column, dip_err *err)
{
    const dip_column *about = dip_catalog_column(catalog, column);
    image_facts facts = {0};
    dip_status st = sample_images(&facts, catalog, column, err);
    if (st == DIP_OK && !about->encoded)
        *out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "name", about->name,
                         "stored", "pixels", "width", (json_int_t)about->width,
                         "height", (json_int_t)about->height, "channels",
                         (json_int_t)about->channels, "sampled",
                         (json_int_t)facts.sampled);
    if (st == DIP_OK && about->encoded) {
        if (facts.size_count > 0)
            qsort(facts.sizes, facts.size_count, sizeof *facts.sizes,
                  compare_sizes);
        *out = json_pack(
            "{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:o}", "name",
            about->name, "stored", "encoded", "sampled",
            (json_int_t)facts.sampled, "missing", (json_int_t)facts.missing,
            "damaged", (json_int_t)facts.damaged, "bytes",
            (json_int_t)facts.bytes, "formats", formats_json(&facts),
            "distinct_sizes", (json_int_t)facts.size_count, "sizes",
            sizes_json(&facts));
    }
    free(facts.sizes);
    return st;
}

static json_t *text_column_json(const dip_catalog *catalog, int column)
{
    int64_t rows = dip_catalog_rows(catalog), empty = 0;
    size_t bytes = 0, longest = 0;
    for (int64_t i = 0; i < rows; i++) {
        size_t len = dip_catalog_text(catalog, column, i).len;
        empty += len == 0;
        bytes += len;
        longest = len > longest ? len : longest;
    }
    return json_pack("{s:s, s:I, s:I, s:I}", "name",
                     dip_catalog_column(catalog, column)->name, "empty",
                     (json_int_t)empty, "mean_bytes",
                     (json_int_t)(rows > 0 ? bytes / (size_t)rows : 0),
                     "longest_bytes", (json_int_t)longest);
}

static json_t *number_column_json(const dip_catalog *catalog, int column)
{
    int64_t known = 0, rows = dip_catalog_rows(catalog);
    double least = NAN, most = NAN, sum = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        double value = (double)dip_catalog_number(catalog, column, i);
        if (isnan(value))
            continue;
        known++;
        sum += value;
        least = fmin(least, value); /* passes over NaN */
        most = fmax(most, value);
    }
    return json_pack("{s:s, s:I, s:o, s:o, s:o}", "name",
                     dip_catalog_column(catalog, column)->name, "missing",
                     (json_int_t)(rows - known), "min", dip_json_real(least),
                     "mean", dip_json_real(sum / (double)known), "max",
                     dip_json_real(most));
}

static dip_status label_column_json(json_t **out, const dip_catalog *catalog,
                                    int column, dip_err *err)
{
    dip_class_counts counts;
    dip_status st = dip_class_counts_make(&counts, catalog, column, err);
    if (st == DIP_OK)
        *out = dip_class_counts_json(&counts, catalog, column, SHOWN_CLASSES);
    dip_class_counts_free(&counts);
    return st;
}

static dip_status add_columns(json_t *facts, const dip_catalog *catalog,
                              dip_err *err)
{
    static const char *const keys[] = {[DIP_COLUMN_IMAGE] = "images",
                                       [DIP_COLUMN_TEXT] = "texts",
                                       [DIP_COLUMN_LABEL] = "labels",
                                       [DIP_COLUMN_NUMBER] = "numbers"};
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(keys) && st == DIP_OK; i++)
        st = put(facts, keys[i], json_array(), err);
    for (int i = 0; i < dip_catalog_column_count(catalog) && st == DIP_OK;
         i++) {
        dip_column_kind kind = dip_catalog_column(catalog, i)->kind;
        json_t *column = NULL;
        if (kind == DIP_COLUMN_IMAGE)
            st = image_json(&column, catalog, i, err);
        else if (kind == DIP_COLUMN_LABEL)
            st = label_column_json(&column, catalog, i, err);
        else if (kind == DIP_COLUMN_TEXT)
            column = text_column_json(catalog, i);
        else
            column = number_column_json(catalog, i);
        if (st == DIP_OK)
            st = append(json_object_get(facts, keys[kind]), column, err);
    }
    return st;
}

/* ---- rows ---------------------------------------------------------------- */

static json_t *value_json(const dip_catalog *catalog, int column, int64_t row)
{
    switch (dip_catalog_column(catalog, column)->kind) {
    case DIP_COLUMN_TEXT:
        return text_json(dip_catalog_text(catalog, column, row));
    case DIP_COLUMN_LABEL: {
        int32_t value = dip_catalog_label(catalog, column, row);
        if (value < 0)
            return json_null();
        return text_json(dip_catalog_label_name(catalog, column, value));
    }
    case DIP_COLUMN_NUMBER:
        return dip_json_real((double)dip_catalog_number(catalog, column, row));
    case DIP_COLUMN_IMAGE:
        break;
    }
    return json_null();
}

static dip_status add_rows(json_t *list, const dip_catalog *catalog,
                           int64_t wanted, dip_err *err)
{
    int64_t rows = dip_catalog_rows(catalog);
    int64_t count = rows < wanted ? rows : wanted;
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        int64_t row = i * rows / count;
        json_t *item =
            json_pack("{s:I, s:o, s:s, s:I}", "row", (json_int_t)row, "id",
                      text_json(dip_catalog_id(catalog, row)), "split",
                      dip_split_name(dip_catalog_split(catalog, row)), "group",
                      (json_int_t)dip_catalog_group(catalog, row));
        for (int c = 0; c < dip_catalog_column_count(catalog); c++) {
            const dip_column *column = dip_catalog_column(catalog, c);
            if (column->kind != DIP_COLUMN_IMAGE)
                (void)json_object_set_new(item, column->name,
                                          value_json(catalog, c, row));
        }
        st = append(list, item, err);
    }
    return st;
}

static dip_status gather(json_t **out, const dip_catalog *catalog,
                         int64_t sample_rows, dip_err *err)
{
    json_t *facts = overview_json(catalog);
    json_t *files = json_array(), *rows = json_array();
    int64_t groups = 0;
    dip_status st = count_groups(&groups, catalog, err);
    if (st == DIP_OK)
        st = put(facts, "groups", json_integer(groups), err);
    if (st == DIP_OK)
        st = add_files(files, catalog, err);
    if (st == DIP_OK)
        st = put(facts, "files", json_incref(files), err);
    if (st == DIP_OK)
        st = add_columns(facts, catalog, err);
    if (st == DIP_OK)
        st = put(facts, "queries",
                 json_integer(dip_catalog_query_count(catalog)), err);
    if (st == DIP_OK)
        st = put(facts, "judgements",
                 json_integer(dip_catalog_judgement_count(catalog)), err);
    if (st == DIP_OK)
        st = put(facts, "users", json_integer(dip_catalog_user_count(catalog)),
                 err);
    if (st == DIP_OK)
        st = put(facts, "interactions",
                 json_integer(dip_catalog_interaction_count(catalog)), err);
    if (st == DIP_OK)
        st = add_rows(rows, catalog, sample_rows, err);
    if (st == DIP_OK)
        st = put(facts, "sample", json_incref(rows), err);
    json_decref(files);
    json_decref(rows);
    if (st == DIP_OK)
        *out = facts;
    else
        json_decref(facts);
    return st;
}

dip_status dip_inspect(json_t **out, const char *path,
                       const dip_inspection *inspection, dip_err *err)
{
    *out = NULL;
    dip_catalog *catalog;
    dip_catalog_options options = {.verify = inspection->verify,
                                   .warn = inspection->warn,
                                   .user = inspection->user};
    dip_status st = dip_catalog_open(&catalog, path, &options, err);
    if (st == DIP_OK)
        st = gather(out, catalog, inspection->sample_rows, err);
    dip_catalog_close(catalog);
    if (st == DIP_OK)
        st = put(*out, "verified", json_boolean(inspection->verify), err);
    return st;
}
