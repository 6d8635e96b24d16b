/* Fashion-Gen (Rostamzadeh et al., "Fashion-Gen: the generative fashion dataset
 * and challenge", 2018): one file for each split, `input_image` [N, H, W, 3],
 * fixed-length byte strings [N, 1] that are UTF-8 or Latin-1, and
 * `input_productID`, which several photos share. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/layout_common.h"

/* Read where the mapping names no column at all. */
static const dip_dataset_name usual_texts[] = {
    {"name", "input_name"},
    {"description", "input_description"},
};
static const dip_dataset_name usual_labels[] = {
    {"category", "input_category"}, {"subcategory", "input_subcategory"},
    {"brand", "input_brand"},       {"gender", "input_gender"},
    {"season", "input_season"},     {"department", "input_department"},
};

/* Opens a dataset [N] or [N, 1]. */
static dip_status open_rows(dip_h5_dataset *out, const dip_part *part,
                            const char *name, dip_err *err)
{
    dip_status st = dip_h5_dataset_open(out, &part->file, name, err);
    if (st != DIP_OK)
        return st;
    bool column = out->rank == 1 || (out->rank == 2 && out->dims[1] == 1);
    if (column && out->dims[0] == part->rows)
        return DIP_OK;
    dip_h5_dataset_close(out);
    return dip_fail(err, DIP_EFORMAT,
                    "dataset '%s' of '%s' is not of %lld rows and one column",
                    name, part->path, (long long)part->rows);
}

/* Appends `size` bytes without NULs, as UTF-8 if they are, else as Latin-1. */
static void decode(dip_str *out, const char *bytes, size_t size)
{
    size_t start = out->len;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\0')
            dip_str_add_n(out, bytes + i, 1);
    }
    if (out->failed || out->len == start ||
        dip_utf8_valid(out->data + start, out->len - start, NULL))
        return;
    out->len = start;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\0')
            dip_utf8_add(out, (unsigned char)bytes[i]);
    }
}

/* The strings of a dataset. */
static dip_status read_strings(dip_layout_texts *out, const dip_h5_dataset *d,
                               dip_err *err)
{
    char *raw = dip_calloc(d->bytes, 1);
    if (raw == NULL)
        return dip_no_memory(err);
    dip_status st = dip_h5_read_strings(d, raw, err);
    for (int64_t i = 0; i < d->dims[0] && st == DIP_OK; i++) {
        decode(&out->bytes, raw + (size_t)i * d->item, d->item);
        st = dip_layout_end_text(out, err);
    }
    free(raw);
    return st;
}

/* The integers of a dataset, as decimal text. */
static dip_status read_integers(dip_layout_texts *out, const dip_h5_dataset *d,
                                dip_err *err)
{
    int64_t *values = dip_calloc((size_t)d->dims[0], sizeof *values);
    if (values == NULL)
        return dip_no_memory(err);
    dip_status st = dip_h5_read(d, DIP_H5_I64, values, err);
    for (int64_t i = 0; i < d->dims[0] && st == DIP_OK; i++) {
        dip_str_addf(&out->bytes, "%" PRId64, values[i]);
        st = dip_layout_end_text(out, err);
    }
    free(values);
    return st;
}

static dip_status load_texts(dip_layout_texts *out, const dip_part *part,
                             const char *dataset, dip_err *err)
{
    dip_h5_dataset d;
    *out = (dip_layout_texts){0};
    dip_status st = open_rows(&d, part, dataset, err);
    if (st != DIP_OK)
        return st;
    st = d.type_class == H5T_INTEGER ? read_integers(out, &d, err)
                                     : read_strings(out, &d, err);
    dip_h5_dataset_close(&d);
    if (st != DIP_OK)
        dip_layout_free_texts(out);
    return st;
}

static dip_bytes text_at(const dip_layout_texts *texts, int64_t row)
{
    int64_t start = texts->offsets[row];
    const char *bytes = texts->bytes.data != NULL ? texts->bytes.data : "";
    return (dip_bytes){bytes + start,
                       (size_t)(texts->offsets[row + 1] - start)};
}

/* ---- columns ---- */

static dip_status add_text(dip_catalog *catalog, dip_part *part,
                           const dip_dataset_name *from, dip_err *err)
{
    dip_column about = {.kind = DIP_COLUMN_TEXT, .name = from->name};
    dip_layout_texts texts;
    int index;
    dip_status st = load_texts(&texts, part, from->dataset, err);
    if (st != DIP_OK)
        return st;
    st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK)
        dip_layout_set_texts(part, index, &texts);
    dip_layout_free_texts(&texts);
    return st;
}

static dip_status add_label(dip_catalog *catalog, dip_part *part,
                            const dip_dataset_name *from, dip_err *err)
{
    dip_column about = {.kind = DIP_COLUMN_LABEL, .name = from->name};
    dip_layout_texts texts;
    int index;
    dip_status st = load_texts(&texts, part, from->dataset, err);
    if (st != DIP_OK)
        return st;
    st = dip_part_add_column(&index, catalog, part, &about, err);
    for (int64_t i = 0; i < part->rows && st == DIP_OK; i++) {
        dip_bytes name = text_at(&texts, i);
        dip_store *store = &catalog->columns[index];
        int64_t number = -1;
        if (name.len > 0)
            st = dip_names_add(&store->names, name, &number, err);
        store->labels[part->first + i] = (int32_t)number;
        store->about.classes = store->names.count;
    }
    dip_layout_free_texts(&texts);
    return st;
}

static dip_status add_number(dip_catalog *catalog, dip_part *part,
                             const dip_dataset_name *from, dip_err *err)
{
    dip_column about = {.kind = DIP_COLUMN_NUMBER, .name = from->name};
    dip_h5_dataset d;
    int index;
    dip_status st = open_rows(&d, part, from->dataset, err);
    if (st == DIP_OK)
        st = dip_part_add_column(&index, catalog, part, &about, err);
    if (st == DIP_OK)
        st = dip_h5_read(&d, DIP_H5_F32,
                         catalog->columns[index].numbers + part->first, err);
    dip_h5_dataset_close(&d);
    return st;
}

typedef dip_status add_column(dip_catalog *catalog, dip_part *part,
                              const dip_dataset_name *from, dip_err *err);

/* `optional`: datasets that are not there are passed over. */
static dip_status add_columns(dip_catalog *catalog, dip_part *part,
                              const dip_dataset_name *from, size_t count,
                              add_column *add, bool optional, dip_err *err)
{
    dip_status st = DIP_OK;
    for (size_t i = 0; i < count && st == DIP_OK; i++) {
        if (!optional || dip_h5_exists(&part->file, from[i].dataset))
            st = add(catalog, part, &from[i], err);
    }
    return st;
}

static dip_status add_all_columns(dip_catalog *catalog, dip_part *part,
                                  const dip_mapping *m, dip_err *err)
{
    bool usual = m->text_count + m->label_count + m->number_count == 0;
    if (usual) {
        dip_status st =
            add_columns(catalog, part, usual_texts, DIP_ARRAY_LEN(usual_texts),
                        add_text, true, err);
        return st != DIP_OK ? st
                            : add_columns(catalog, part, usual_labels,
                                          DIP_ARRAY_LEN(usual_labels),
                                          add_label, true, err);
    }
    dip_status st = add_columns(catalog, part, m->texts, (size_t)m->text_count,
                                add_text, false, err);
    if (st == DIP_OK)
        st = add_columns(catalog, part, m->labels, (size_t)m->label_count,
                         add_label, false, err);
    if (st == DIP_OK)
        st = add_columns(catalog, part, m->numbers, (size_t)m->number_count,
                         add_number, false, err);
    return st;
}

static dip_status set_groups(dip_catalog *catalog, dip_part *part,
                             const dip_layout_input *input, dip_err *err)
{
    static const char usual[] = "input_productID";
    const char *dataset = input->mapping->group;
    bool grouped = dataset != NULL || dip_h5_exists(&part->file, usual);
    dip_layout_texts texts = {0};
    dip_status st = DIP_OK;
    if (grouped)
        st = load_texts(&texts, part, dataset != NULL ? dataset : usual, err);
    for (int64_t i = 0; i < part->rows && st == DIP_OK; i++) {
        dip_bytes value = grouped ? text_at(&texts, i) : (dip_bytes){NULL, 0};
        st = dip_layout_set_group(catalog, part, input, i, value, err);
    }
    dip_layout_free_texts(&texts);
    return st;
}

dip_status dip_layout_fashion_gen(dip_catalog *catalog,
                                  const dip_layout_input *input, dip_err *err)
{
    const char *image =
        input->mapping->image != NULL ? input->mapping->image : "input_image";
    dip_part *part;
    dip_status st = dip_part_begin(&part, catalog, input->path, err);
    if (st == DIP_OK)
        st = dip_layout_add_pixels(catalog, part, image, false, err);
    if (st == DIP_OK)
        st = dip_layout_number_rows(catalog, part, input, err);
    if (st == DIP_OK)
        st = set_groups(catalog, part, input, err);
    if (st == DIP_OK)
        st = add_all_columns(catalog, part, input->mapping, err);
    if (st == DIP_OK)
        st = dip_part_end(catalog, part, err);
    return st;
}
