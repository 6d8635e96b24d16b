#include "data/synth.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/catalog_writer.h"
#include "data/synth_draw.h"
#include "data/synth_logs.h"
#include "image/encode.h"

enum { BLOCK_ROWS = 512, JPEG_QUALITY = 88, MAX_KEY = 40 };

/* image, title, title_zh, the attributes, price */
enum {
    IMAGE,
    TITLE,
    TITLE_ZH,
    LABELS,
    PRICE = LABELS + DIP_SYNTH_ATTRIBUTES,
    COLUMNS
};

typedef struct {
    dip_synth_product product;
    dip_split split;
    dip_str image, title, title_zh;
} drawn_row;

typedef struct {
    const dip_synth_options *options;
    dip_import_report *report;
    dip_catalog_writer *writer;
    dip_synth_artist **artists; /* one for each thread */
    int artist_count;
    drawn_row *rows; /* [BLOCK_ROWS] */
} factory;

static dip_status draw_row(drawn_row *row, int64_t number,
                           const dip_synth_options *options,
                           dip_synth_artist *artist, dip_err *err)
{
    row->product = dip_synth_product_of(options->seed, number);
    row->split = dip_synth_split_of(options->seed, &row->product);
    dip_str_clear(&row->image);
    dip_str_clear(&row->title);
    dip_str_clear(&row->title_zh);
    dip_synth_title(&row->title, &row->product);
    dip_synth_title_zh(&row->title_zh, &row->product);
    dip_image_view image =
        dip_synth_draw(artist, options->seed, number, &row->product);
    dip_status st =
        dip_image_encode_jpeg(&row->image, &image, JPEG_QUALITY, err);
    if (st == DIP_OK)
        st = dip_str_status(&row->title, err);
    return st == DIP_OK ? dip_str_status(&row->title_zh, err) : st;
}

static dip_status draw_block(factory *self, int64_t first, int count,
                             dip_err *err)
{
    dip_status worst = DIP_OK;
#pragma omp parallel for schedule(dynamic, 8)
    for (int i = 0; i < count; i++) {
        dip_err fault = {0};
        dip_status st = draw_row(&self->rows[i], first + i, self->options,
                                 self->artists[omp_get_thread_num()], &fault);
        if (st != DIP_OK) {
#pragma omp critical(dip_synth_fault)
            worst = dip_fail(err, st, "%s", fault.msg);
        }
    }
    return worst;
}

static dip_bytes bytes_of(const dip_str *text)
{
    return (dip_bytes){dip_str_text(text), text->len};
}

static dip_status add_row(factory *self, const drawn_row *from, dip_err *err)
{
    const dip_synth_product *p = &from->product;
    char id[MAX_KEY], group[MAX_KEY];
    int id_len = snprintf(id, sizeof id, "%08lld-%d", (long long)p->number,
                          p->photo + 1);
    int group_len =
        snprintf(group, sizeof group, "%08lld", (long long)p->number);
    dip_value values[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        values[i] = (dip_value){.number = NAN};
    values[IMAGE].bytes = bytes_of(&from->image);
    values[TITLE].bytes = bytes_of(&from->title);
    values[TITLE_ZH].bytes = bytes_of(&from->title_zh);
    for (int i = 0; i < DIP_SYNTH_ATTRIBUTES; i++) {
        const char *name =
            dip_synth_value_name((dip_synth_attribute)i, p->value[i]);
        if (name[0] != '\0')
            values[LABELS + i].label = (dip_bytes){name, strlen(name)};
    }
    values[PRICE].number = p->price;
    dip_row row = {.id = {id, (size_t)id_len},
                   .split = from->split,
                   .group = {group, (size_t)group_len},
                   .values = values};
    dip_status st = dip_catalog_writer_add(self->writer, &row, err);
    if (st == DIP_OK) {
        dip_import_report_good(self->report, from->split);
        self->report->image_bytes += (int64_t)from->image.len;
    }
    return st;
}

static dip_status make_rows(factory *self, dip_err *err)
{
    const dip_synth_options *o = self->options;
    dip_status st = DIP_OK;
    for (int64_t first = 0; first < o->rows && st == DIP_OK;
         first += BLOCK_ROWS) {
        int64_t left = o->rows - first;
        int count = left < BLOCK_ROWS ? (int)left : BLOCK_ROWS;
        st = draw_block(self, first, count, err);
        for (int i = 0; i < count && st == DIP_OK; i++)
            st = add_row(self, &self->rows[i], err);
        if (st == DIP_OK)
            st = dip_import_tick(&o->progress, first + count, o->rows, err);
    }
    return st;
}

static dip_status start_writer(factory *self, dip_err *err)
{
    dip_column columns[COLUMNS] = {
        [IMAGE] = {.kind = DIP_COLUMN_IMAGE, .name = "image", .encoded = true},
        [TITLE] = {.kind = DIP_COLUMN_TEXT, .name = "title"},
        [TITLE_ZH] = {.kind = DIP_COLUMN_TEXT, .name = "title_zh"},
        [PRICE] = {.kind = DIP_COLUMN_NUMBER, .name = "price"}};
    for (int i = 0; i < DIP_SYNTH_ATTRIBUTES; i++)
        columns[LABELS + i] = (dip_column){
            .kind = DIP_COLUMN_LABEL,
            .name = dip_synth_attribute_name((dip_synth_attribute)i)};
    char source[64];
    (void)snprintf(source, sizeof source, "synthetic, seed %llu",
                   (unsigned long long)self->options->seed);
    dip_catalog_schema schema = {.source = source,
                                 .columns = columns,
                                 .column_count = COLUMNS,
                                 .shard_rows = self->options->shard_rows};
    return dip_catalog_writer_create(&self->writer, self->options->out, &schema,
                                     err);
}

static dip_status start(factory *self, dip_err *err)
{
    int threads = omp_get_max_threads();
    self->rows = dip_calloc(BLOCK_ROWS, sizeof *self->rows);
    self->artists = dip_calloc((size_t)threads, sizeof *self->artists);
    if (self->rows == NULL || self->artists == NULL)
        return dip_no_memory(err);
    self->artist_count = threads;
    dip_status st = DIP_OK;
    for (int i = 0; i < threads && st == DIP_OK; i++)
        st = dip_synth_artist_create(&self->artists[i], self->options->size,
                                     err);
    return st == DIP_OK ? start_writer(self, err) : st;
}

static void end(factory *self)
{
    dip_catalog_writer_end(self->writer);
    for (int i = 0; i < self->artist_count; i++)
        dip_synth_artist_destroy(self->artists[i]);
    free(self->artists);
    for (int i = 0; self->rows != NULL && i < BLOCK_ROWS; i++) {
        dip_str_free(&self->rows[i].image);
        dip_str_free(&self->rows[i].title);
        dip_str_free(&self->rows[i].title_zh);
    }
    free(self->rows);
}

dip_status dip_synth_write(dip_import_report *report,
                           const dip_synth_options *options, dip_err *err)
{
    *report = (dip_import_report){0};
    factory self = {.options = options, .report = report};
    dip_status st = start(&self, err);
    if (st == DIP_OK)
        st = make_rows(&self, err);
    if (st == DIP_OK)
        st = dip_catalog_writer_commit(self.writer, err);
    end(&self);
    if (st == DIP_OK && options->queries > 0)
        st = dip_synth_put_judgements(options, err);
    if (st == DIP_OK && options->users > 0)
        st = dip_synth_put_interactions(options, err);
    return st;
}
