#include "data/import_row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

dip_status dip_import_row_load(dip_import_row *row,
                               const dip_table_reader *reader,
                               const dip_import_plan *plan, int64_t number,
                               dip_err *err)
{
    int columns = dip_table_reader_column_count(reader);
    dip_status st = dip_reserve(&row->ends, &row->end_capacity, (size_t)columns,
                                sizeof *row->ends, err);
    if (st == DIP_OK && row->values == NULL) {
        row->values =
            dip_calloc((size_t)plan->column_count, sizeof *row->values);
        st = row->values != NULL ? DIP_OK : dip_no_memory(err);
    }
    if (st != DIP_OK)
        return st;
    dip_str_clear(&row->text);
    for (int i = 0; i < columns; i++) {
        dip_bytes field = dip_table_reader_field(reader, i);
        dip_str_add_n(&row->text, field.data, field.len);
        row->ends[i] = row->text.len;
    }
    row->line = dip_table_reader_line(reader);
    row->number = number;
    row->good = true;
    return dip_str_status(&row->text, err);
}

void dip_import_row_clear(dip_import_row *row)
{
    free(row->image);
    row->image = NULL;
}

void dip_import_row_free(dip_import_row *row)
{
    dip_import_row_clear(row);
    dip_str_free(&row->text);
    free(row->ends);
    free(row->values);
    *row = (dip_import_row){0};
}

static dip_bytes field(const dip_import_row *row, int column)
{
    size_t start = column > 0 ? row->ends[column - 1] : 0;
    return (dip_bytes){dip_str_text(&row->text) + start,
                       row->ends[column] - start};
}

static void refuse(dip_import_row *row, dip_bad_row reason)
{
    row->good = false;
    row->reason = reason;
}

/* ---- the parts of a row, each refusing it if need be --------------------- */

static void take_id(dip_import_row *row, const dip_import_plan *plan)
{
    if (plan->id >= 0) {
        row->id = field(row, plan->id);
    } else {
        int n = snprintf(row->own_id, sizeof row->own_id, "%lld",
                         (long long)row->number);
        row->id = (dip_bytes){row->own_id, (size_t)n};
    }
    row->row.id = row->id;
    if (row->id.len > 0)
        return;
    (void)dip_fail(&row->fault, DIP_EDATA, "'%s' is empty", plan->options->id);
    refuse(row, DIP_BAD_ROW_ID);
}

/* All fields that are used must be UTF-8, the path of the image but by what
 * the file system says. */
static void check_text(dip_import_row *row, int column, const char *name)
{
    size_t bad;
    if (!row->good || column < 0)
        return;
    dip_bytes text = field(row, column);
    if (dip_utf8_valid(text.data, text.len, &bad))
        return;
    (void)dip_fail(&row->fault, DIP_EDATA, "'%s' is not UTF-8 at byte %zu",
                   name, bad);
    refuse(row, DIP_BAD_ROW_UTF8);
}

static void take_group(dip_import_row *row, const dip_import_plan *plan)
{
    row->row.group = (dip_bytes){NULL, 0};
    if (plan->group >= 0 && field(row, plan->group).len > 0)
        row->row.group = field(row, plan->group);
}

static void take_named_split(dip_import_row *row, const dip_import_plan *plan)
{
    dip_bytes text = field(row, plan->split);
    char name[16] = "";
    if (text.len < sizeof name)
        memcpy(name, text.data, text.len);
    if (dip_split_parse(&row->row.split, name))
        return;
    (void)dip_fail(
        &row->fault, DIP_EDATA, "'%s' is '%.*s', none of train, val and test",
        plan->options->split, text.len < 40 ? (int)text.len : 40, text.data);
    refuse(row, DIP_BAD_ROW_SPLIT);
}

static dip_status take_dealt_split(dip_import_row *row,
                                   const dip_import_plan *plan, dip_err *err)
{
    const int *parts = plan->options->split_ratio;
    uint64_t sum = 0;
    for (int i = 0; i < DIP_SPLIT_COUNT; i++)
        sum += (uint64_t)parts[i];
    row->row.split = DIP_SPLIT_TRAIN;
    if (sum == 0)
        return DIP_OK;
    dip_bytes key = row->row.group.len > 0 ? row->row.group : row->id;
    char hex[DIP_DIGEST_SIZE];
    dip_status st = dip_digest_bytes(hex, key.data, key.len, err);
    if (st != DIP_OK)
        return st;
    hex[16] = '\0';
    uint64_t place = strtoull(hex, NULL, 16) % sum;
    for (int i = 0; place >= (uint64_t)parts[i]; i++) {
        place -= (uint64_t)parts[i];
        row->row.split = (dip_split)(i + 1);
    }
    return DIP_OK;
}

static void take_value(dip_import_row *row, const dip_import_plan *plan, int i)
{
    const dip_column *column = &plan->schema[i];
    dip_value *value = &row->values[i];
    *value = (dip_value){.number = NAN};
    if (plan->columns[i] < 0)
        return; /* the image */
    dip_bytes text = field(row, plan->columns[i]);
    if (column->kind == DIP_COLUMN_TEXT)
        value->bytes = text;
    if (column->kind == DIP_COLUMN_LABEL && text.len > 0)
        value->label = text;
    if (column->kind != DIP_COLUMN_NUMBER || text.len == 0 || !row->good)
        return;
    double number;
    if (dip_import_number(&number, text, &row->fault) == DIP_OK) {
        value->number = (float)number;
        return;
    }
    (void)dip_fail_context(&row->fault, "'%s'", column->name);
    refuse(row, DIP_BAD_ROW_NUMBER);
}

/* The path inside the folder, "" for a row that names none. */
static dip_status image_path(dip_str *out, const dip_import_row *row,
                             const dip_import_plan *plan, dip_err *err)
{
    int count = dip_template_column_count(plan->image);
    dip_bytes *values = dip_calloc((size_t)count, sizeof *values);
    if (values == NULL)
        return dip_no_memory(err);
    bool named = count == 0;
    for (int i = 0; i < count; i++) {
        values[i] = field(row, dip_template_column(plan->image, i));
        named = named || values[i].len > 0;
    }
    if (named)
        dip_template_render(out, plan->image, values);
    free(values);
    return dip_str_status(out, err);
}

static dip_status take_image(dip_import_row *row, const dip_import_plan *plan,
                             dip_image_team *team, int thread, dip_err *err)
{
    dip_str inside = {0};
    char *path = NULL;
    dip_status st = image_path(&inside, row, plan, err);
    if (st != DIP_OK)
        goto out_free;
    if (dip_import_check_path(dip_str_text(&inside), &row->fault) != DIP_OK) {
        refuse(row, inside.len > 0 ? DIP_BAD_ROW_PATH : DIP_BAD_ROW_NO_IMAGE);
        goto out_free;
    }
    path = dip_path_join(plan->image_dir, dip_str_text(&inside));
    if (path == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    size_t len;
    dip_status fault = dip_import_image(&row->image, &len, team, thread, path,
                                        plan->options, &row->fault);
    if (fault == DIP_OK)
        row->values[0].bytes = (dip_bytes){row->image, len};
    else if (fault == DIP_ENOMEM)
        st = dip_no_memory(err);
    else
        refuse(row,
               fault == DIP_EIO ? DIP_BAD_ROW_NO_IMAGE : DIP_BAD_ROW_IMAGE);
out_free:
    free(path);
    dip_str_free(&inside);
    return st;
}

dip_status dip_import_row_prepare(dip_import_row *row,
                                  const dip_import_plan *plan,
                                  dip_image_team *team, int thread,
                                  dip_err *err)
{
    const dip_import_options *o = plan->options;
    row->row.values = row->values;
    take_id(row, plan);
    check_text(row, plan->id, o->id);
    check_text(row, plan->group, o->group);
    for (int i = 0; i < plan->column_count; i++) {
        check_text(row, plan->columns[i], plan->schema[i].name);
        take_value(row, plan, i);
    }
    take_group(row, plan);
    dip_status st = DIP_OK;
    if (row->good && plan->split >= 0)
        take_named_split(row, plan);
    else if (row->good)
        st = take_dealt_split(row, plan, err);
    if (row->good && st == DIP_OK && plan->image != NULL)
        st = take_image(row, plan, team, thread, err);
    return st;
}
