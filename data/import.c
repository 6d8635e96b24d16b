#include "data/import.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/catalog_names.h"
#include "data/import_row.h"

enum { BLOCK_ROWS = 128, SHOWN_ID = 60 };

typedef struct {
    dip_table_reader *reader;
    dip_import_plan plan;
    dip_image_team *team;
    dip_catalog_writer *writer;
    dip_names ids;  /* met so far */
    int64_t *lines; /* on which each of them stands */
    size_t line_capacity;
    dip_import_row *rows; /* [BLOCK_ROWS] */
    int row_count;
    int64_t done, total;
    dip_import_report *report;
} importer;

/* "items.tsv:17: id '1563': words", by whatever of it there is. */
static dip_status report_bad(importer *self, const dip_import_row *row,
                             dip_err *err)
{
    dip_str message = {0};
    dip_str_addf(&message, "%s:%lld: ", dip_table_reader_path(self->reader),
                 (long long)row->line);
    if (row->id.len > 0) {
        dip_str_add(&message, "id '");
        (void)dip_utf8_fit(&message, row->id.data, row->id.len, SHOWN_ID);
        dip_str_add(&message, "': ");
    }
    (void)dip_utf8_fit(&message, row->fault.msg, strlen(row->fault.msg),
                       DIP_ERR_SIZE);
    dip_status st = dip_str_status(&message, err);
    if (st == DIP_OK)
        dip_import_report_bad(self->report, row->reason,
                              dip_str_text(&message));
    dip_str_free(&message);
    return st;
}

/* ---- stages of a block --------------------------------------------------- */

static dip_status load_block(importer *self, dip_err *err)
{
    self->row_count = 0;
    while (self->row_count < BLOCK_ROWS) {
        bool more;
        dip_status st = dip_table_reader_next(self->reader, &more, err);
        if (st != DIP_OK || !more)
            return st;
        st =
            dip_import_row_load(&self->rows[self->row_count], self->reader,
                                &self->plan, self->done + self->row_count, err);
        if (st != DIP_OK)
            return st;
        self->row_count++;
    }
    return DIP_OK;
}

static dip_status prepare_block(importer *self, dip_err *err)
{
    dip_status worst = DIP_OK;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < self->row_count; i++) {
        dip_err fault = {0};
        dip_status st =
            dip_import_row_prepare(&self->rows[i], &self->plan, self->team,
                                   omp_get_thread_num(), &fault);
        if (st != DIP_OK) {
#pragma omp critical(dip_import_fault)
            worst = dip_fail(err, st, "%s", fault.msg);
        }
    }
    return worst;
}

static dip_status refuse_repeated_id(importer *self, dip_import_row *row,
                                     dip_err *err)
{
    int64_t number, before = self->ids.count;
    dip_status st = dip_names_add(&self->ids, row->id, &number, err);
    if (st != DIP_OK)
        return st;
    if (number < before) {
        row->good = false;
        row->reason = DIP_BAD_ROW_DUPLICATE;
        (void)dip_fail(&row->fault, DIP_EDATA, "stands on line %lld already",
                       (long long)self->lines[number]);
        return DIP_OK;
    }
    st = dip_reserve(&self->lines, &self->line_capacity, (size_t)number + 1,
                     sizeof *self->lines, err);
    if (st == DIP_OK)
        self->lines[number] = row->line;
    return st;
}

static dip_status add_row(importer *self, dip_import_row *row, dip_err *err)
{
    dip_status st = DIP_OK;
    if (row->good)
        st = refuse_repeated_id(self, row, err);
    if (st == DIP_OK && row->good) {
        st = dip_catalog_writer_add(self->writer, &row->row, &row->fault);
        if (st == DIP_EDATA || st == DIP_EFORMAT || st == DIP_ERANGE) {
            row->good = false;
            row->reason = DIP_BAD_ROW_OTHER;
            st = DIP_OK;
        } else if (st != DIP_OK) {
            return dip_fail(err, st, "%s", row->fault.msg);
        }
    }
    if (st != DIP_OK)
        return st;
    if (!row->good)
        return report_bad(self, row, err);
    dip_import_report_good(self->report, row->row.split);
    if (self->plan.image != NULL)
        self->report->image_bytes += (int64_t)row->values[0].bytes.len;
    return DIP_OK;
}

static dip_status add_block(importer *self, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < self->row_count; i++) {
        if (st == DIP_OK)
            st = add_row(self, &self->rows[i], err);
        dip_import_row_clear(&self->rows[i]);
    }
    self->done += self->row_count;
    return st;
}

static dip_status run(importer *self, const dip_import_progress *progress,
                      dip_err *err)
{
    dip_status st;
    do {
        st = load_block(self, err);
        if (st == DIP_OK)
            st = prepare_block(self, err);
        if (st == DIP_OK)
            st = add_block(self, err);
        if (st == DIP_OK)
            st = dip_import_tick(progress, self->done, self->total, err);
    } while (st == DIP_OK && self->row_count == BLOCK_ROWS);
    return st;
}

/* ---- the whole ----------------------------------------------------------- */

/* Reads the table through, so that a broken last line is told before an hour
 * of decoding, and the bar knows its end. */
static dip_status count_rows(int64_t *out, const dip_import_options *options,
                             dip_err *err)
{
    dip_table_reader *reader;
    dip_status st =
        dip_table_reader_open(&reader, options->table, options->format, err);
    bool more = st == DIP_OK;
    *out = 0;
    while (more) {
        st = dip_table_reader_next(reader, &more, err);
        *out += more;
    }
    dip_table_reader_close(reader);
    return st;
}

static dip_status start(importer *self, const dip_import_options *options,
                        dip_err *err)
{
    dip_status st = dip_table_reader_open(&self->reader, options->table,
                                          options->format, err);
    if (st == DIP_OK)
        st = dip_import_plan_make(&self->plan, options, self->reader, err);
    if (st == DIP_OK)
        st = count_rows(&self->total, options, err);
    if (st == DIP_OK)
        st = dip_image_team_create(&self->team, omp_get_max_threads(), err);
    if (st != DIP_OK)
        return st;
    self->rows = dip_calloc(BLOCK_ROWS, sizeof *self->rows);
    if (self->rows == NULL)
        return dip_no_memory(err);
    dip_catalog_schema schema = {.source = options->table,
                                 .columns = self->plan.schema,
                                 .column_count = self->plan.column_count,
                                 .shard_rows = options->shard_rows};
    return dip_catalog_writer_create(&self->writer, options->out, &schema, err);
}

static void end(importer *self)
{
    dip_catalog_writer_end(self->writer);
    for (int i = 0; self->rows != NULL && i < BLOCK_ROWS; i++)
        dip_import_row_free(&self->rows[i]);
    free(self->rows);
    free(self->lines);
    dip_names_free(&self->ids);
    dip_image_team_destroy(self->team);
    dip_import_plan_free(&self->plan);
    dip_table_reader_close(self->reader);
}

dip_status dip_import_table(dip_import_report *report,
                            const dip_import_options *options, dip_err *err)
{
    *report = (dip_import_report){0};
    importer self = {.report = report};
    dip_status st = start(&self, options, err);
    if (st == DIP_OK)
        st = run(&self, &options->progress, err);
    if (st == DIP_OK)
        st = dip_import_report_verdict(report, options->table,
                                       options->skip_bad, err);
    if (st == DIP_OK)
        st = dip_catalog_writer_commit(self.writer, err);
    end(&self);
    return st;
}
