#include "data/photo_set.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { TICK_ROWS = 256 };

dip_status dip_photo_set_begin(dip_photo_set *set, dip_err *err)
{
    static const char *const names[] = {"class"};
    const dip_column columns[] = {{.kind = DIP_COLUMN_IMAGE,
                                   .name = "image",
                                   .height = set->side,
                                   .width = set->side,
                                   .channels = set->channels},
                                  {.kind = DIP_COLUMN_TEXT, .name = "title"},
                                  {.kind = DIP_COLUMN_LABEL, .name = "class"}};
    const char *title = set->options->title;
    dip_status st = dip_template_parse(
        &set->title, title != NULL ? title : "{class}", names, 1, err);
    if (st == DIP_OK && dip_template_column_count(set->title) > 1)
        st = dip_fail(err, DIP_EUSAGE, "{class} stands twice in '%s'", title);
    if (st != DIP_OK)
        return st;
    dip_catalog_schema schema = {.source = set->source,
                                 .columns = columns,
                                 .column_count = DIP_ARRAY_LEN(columns),
                                 .shard_rows = set->options->shard_rows};
    return dip_catalog_writer_create(&set->writer, set->options->out, &schema,
                                     err);
}

dip_status dip_photo_set_add(dip_photo_set *set, const char *prefix,
                             int64_t number, dip_split split,
                             const unsigned char *pixels, const char *class,
                             dip_err *err)
{
    char id[40];
    int n = snprintf(id, sizeof id, "%s-%05lld", prefix, (long long)number);
    size_t bytes =
        (size_t)set->side * (size_t)set->side * (size_t)set->channels;
    dip_bytes name = {class, strlen(class)};
    dip_str title = {0};
    dip_template_render(&title, set->title, &name);
    dip_status st = dip_str_status(&title, err);
    const dip_value values[] = {
        {.bytes = {(const char *)pixels, bytes}, .number = NAN},
        {.bytes = {dip_str_text(&title), title.len}, .number = NAN},
        {.label = name, .number = NAN}};
    dip_row row = {.id = {id, (size_t)n}, .split = split, .values = values};
    if (st == DIP_OK)
        st = dip_catalog_writer_add(set->writer, &row, err);
    dip_str_free(&title);
    if (st != DIP_OK)
        return st;
    dip_import_report_good(set->report, split);
    set->report->image_bytes += (int64_t)bytes;
    return number % TICK_ROWS == 0 ? dip_import_tick(&set->options->progress,
                                                     set->report->rows, 0, err)
                                   : DIP_OK;
}

dip_status dip_photo_set_commit(dip_photo_set *set, dip_err *err)
{
    return dip_catalog_writer_commit(set->writer, err);
}

void dip_photo_set_end(dip_photo_set *set)
{
    dip_catalog_writer_end(set->writer);
    dip_template_free(set->title);
}
