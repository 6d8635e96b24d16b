#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/import_row.h"

static dip_status find_optional(int *column, const dip_table_reader *reader,
                                const char *name, dip_err *err)
{
    *column = -1;
    return name != NULL ? dip_table_reader_find(reader, name, column, err)
                        : DIP_OK;
}

static dip_status plan_columns(dip_import_plan *plan, dip_column_kind kind,
                               const dip_import_names *names,
                               const dip_table_reader *reader, dip_err *err)
{
    for (int i = 0; i < names->count; i++) {
        int n = plan->column_count;
        for (int j = 0; j < i; j++) {
            if (strcmp(names->names[i], names->names[j]) == 0)
                return dip_fail(err, DIP_EUSAGE, "column '%s' is listed twice",
                                names->names[i]);
        }
        dip_status st = dip_table_reader_find(reader, names->names[i],
                                              &plan->columns[n], err);
        if (st != DIP_OK)
            return st;
        plan->schema[n] = (dip_column){.kind = kind, .name = names->names[i]};
        plan->column_count++;
    }
    return DIP_OK;
}

static dip_status plan_image(dip_import_plan *plan,
                             const dip_table_reader *reader, dip_err *err)
{
    const dip_import_options *o = plan->options;
    if (o->image == NULL)
        return DIP_OK;
    plan->image_dir = o->image_dir != NULL ? dip_strdup(o->image_dir)
                                           : dip_path_dir(o->table);
    if (plan->image_dir == NULL)
        return dip_no_memory(err);
    if (!dip_file_is_directory(plan->image_dir))
        return dip_fail(err, DIP_EIO, "no folder of images '%s'",
                        plan->image_dir);
    plan->schema[0] = (dip_column){
        .kind = DIP_COLUMN_IMAGE, .name = "image", .encoded = o->pixels == 0};
    if (o->pixels > 0) {
        plan->schema[0].height = plan->schema[0].width = o->pixels;
        plan->schema[0].channels = 3;
    }
    plan->columns[0] = -1;
    plan->column_count = 1;
    return dip_template_parse(&plan->image, o->image,
                              dip_table_reader_columns(reader),
                              dip_table_reader_column_count(reader), err);
}

dip_status dip_import_plan_make(dip_import_plan *out,
                                const dip_import_options *options,
                                const dip_table_reader *reader, dip_err *err)
{
    const dip_import_options *o = options;
    *out = (dip_import_plan){.options = options};
    size_t most =
        1 + (size_t)(o->texts.count + o->labels.count + o->numbers.count);
    out->schema = dip_calloc(most, sizeof *out->schema);
    out->columns = dip_calloc(most, sizeof *out->columns);
    dip_status st = DIP_OK;
    if (out->schema == NULL || out->columns == NULL)
        st = dip_no_memory(err);
    if (st == DIP_OK)
        st = find_optional(&out->id, reader, o->id, err);
    if (st == DIP_OK)
        st = find_optional(&out->split, reader, o->split, err);
    if (st == DIP_OK)
        st = find_optional(&out->group, reader, o->group, err);
    if (st == DIP_OK)
        st = plan_image(out, reader, err);
    if (st == DIP_OK)
        st = plan_columns(out, DIP_COLUMN_TEXT, &o->texts, reader, err);
    if (st == DIP_OK)
        st = plan_columns(out, DIP_COLUMN_LABEL, &o->labels, reader, err);
    if (st == DIP_OK)
        st = plan_columns(out, DIP_COLUMN_NUMBER, &o->numbers, reader, err);
    if (st != DIP_OK)
        dip_import_plan_free(out);
    return st;
}

void dip_import_plan_free(dip_import_plan *plan)
{
    free(plan->image_dir);
    dip_template_free(plan->image);
    free(plan->schema);
    free(plan->columns);
    *plan = (dip_import_plan){0};
}
