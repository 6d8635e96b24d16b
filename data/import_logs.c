/* Search logs and behaviour: rows that name items of a catalog by their ids. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/catalog_names.h"
#include "data/catalog_writer.h"
#include "data/import.h"
#include "data/table_reader.h"

enum { SHOWN = 60 };

/* What both kinds are read into. */
typedef struct {
    int64_t owner; /* query or user */
    int64_t row;
    double value; /* grade or weight */
    int64_t time;
    dip_split split;
} entry;

typedef struct {
    const dip_import_log_options *options;
    const dip_catalog *catalog;
    dip_table_reader *reader;
    int owner, id, value, time, split; /* columns; -1: none */
    dip_names owners;
    dip_names pairs; /* (owner, row) of judgements, which must be distinct */
    bool distinct;
    entry *entries;
    size_t count, capacity;
    dip_import_report *report;
} log_importer;

static dip_bytes cell(const log_importer *self, int column)
{
    return dip_table_reader_field(self->reader, column);
}

/* ---- one row ------------------------------------------------------------- */

typedef struct {
    dip_bad_row reason;
    dip_err fault;
} refusal;

static bool refuse(refusal *why, dip_bad_row reason)
{
    why->reason = reason;
    return false;
}

static bool read_owner(const log_importer *self, refusal *why)
{
    const char *name = self->options->owner;
    dip_bytes text = cell(self, self->owner);
    size_t bad;
    if (text.len == 0) {
        (void)dip_fail(&why->fault, DIP_EDATA, "'%s' is empty", name);
        return refuse(why, DIP_BAD_ROW_EMPTY);
    }
    if (!dip_utf8_valid(text.data, text.len, &bad)) {
        (void)dip_fail(&why->fault, DIP_EDATA, "'%s' is not UTF-8 at byte %zu",
                       name, bad);
        return refuse(why, DIP_BAD_ROW_UTF8);
    }
    return true;
}

static bool read_item(entry *out, const log_importer *self, refusal *why)
{
    dip_bytes id = cell(self, self->id);
    out->row = dip_catalog_row_of(self->catalog, id);
    if (out->row >= 0)
        return true;
    (void)dip_fail(&why->fault, DIP_EDATA, "not in '%s'", self->options->into);
    return refuse(why, DIP_BAD_ROW_UNKNOWN);
}

static bool read_value(entry *out, const log_importer *self, refusal *why)
{
    out->value = 1.0;
    if (self->value < 0)
        return true;
    const char *name = self->options->value;
    if (dip_import_number(&out->value, cell(self, self->value), &why->fault) !=
        DIP_OK) {
        (void)dip_fail_context(&why->fault, "'%s'", name);
        return refuse(why, DIP_BAD_ROW_NUMBER);
    }
    if (out->value >= 0.0)
        return true;
    (void)dip_fail(&why->fault, DIP_EDATA, "'%s' is negative: %g", name,
                   out->value);
    return refuse(why, DIP_BAD_ROW_NUMBER);
}

static bool read_time(entry *out, const log_importer *self, refusal *why)
{
    double seconds = 0.0;
    out->time = 0;
    if (self->time < 0)
        return true;
    dip_bytes text = cell(self, self->time);
    dip_status st = dip_import_number(&seconds, text, &why->fault);
    if (st == DIP_OK && seconds >= -9e15 && seconds <= 9e15 &&
        seconds == (double)(int64_t)seconds) {
        out->time = (int64_t)seconds;
        return true;
    }
    if (st == DIP_OK)
        (void)dip_fail(&why->fault, DIP_EDATA, "not whole seconds: '%.*s'",
                       (int)text.len, text.data);
    (void)dip_fail_context(&why->fault, "'%s'", self->options->time);
    return refuse(why, DIP_BAD_ROW_NUMBER);
}

static bool read_split(entry *out, const log_importer *self, refusal *why)
{
    out->split = dip_catalog_split(self->catalog, out->row);
    if (self->split < 0)
        return true;
    dip_bytes text = cell(self, self->split);
    char name[16] = "";
    if (text.len < sizeof name)
        memcpy(name, text.data, text.len);
    if (dip_split_parse(&out->split, name))
        return true;
    (void)dip_fail(
        &why->fault, DIP_EDATA, "'%s' is '%.*s', none of train, val and test",
        self->options->split, text.len < 40 ? (int)text.len : 40, text.data);
    return refuse(why, DIP_BAD_ROW_SPLIT);
}

/* Numbers the owner; false for a pair that was there before. */
static dip_status number_owner(entry *out, log_importer *self, bool *fresh,
                               dip_err *err)
{
    *fresh = true;
    dip_status st =
        dip_names_add(&self->owners, cell(self, self->owner), &out->owner, err);
    if (st != DIP_OK || !self->distinct)
        return st;
    int64_t pair[2] = {out->owner, out->row}, number;
    int64_t before = self->pairs.count;
    dip_bytes key = {(const char *)pair, sizeof pair};
    st = dip_names_add(&self->pairs, key, &number, err);
    *fresh = st == DIP_OK && number == before;
    return st;
}

static dip_status report_bad(log_importer *self, const refusal *why,
                             dip_err *err)
{
    dip_bytes id = cell(self, self->id);
    dip_str message = {0};
    dip_str_addf(&message, "%s:%lld: id '", self->options->table,
                 (long long)dip_table_reader_line(self->reader));
    (void)dip_utf8_fit(&message, id.data, id.len, SHOWN);
    dip_str_add(&message, "': ");
    (void)dip_utf8_fit(&message, why->fault.msg, strlen(why->fault.msg),
                       DIP_ERR_SIZE);
    dip_status st = dip_str_status(&message, err);
    if (st == DIP_OK)
        dip_import_report_bad(self->report, why->reason,
                              dip_str_text(&message));
    dip_str_free(&message);
    return st;
}

static dip_status take_row(log_importer *self, dip_err *err)
{
    entry item;
    refusal why = {0};
    if (!read_owner(self, &why) || !read_item(&item, self, &why) ||
        !read_value(&item, self, &why) || !read_time(&item, self, &why) ||
        !read_split(&item, self, &why))
        return report_bad(self, &why, err);
    bool fresh;
    dip_status st = number_owner(&item, self, &fresh, err);
    if (st != DIP_OK)
        return st;
    if (!fresh) {
        (void)dip_fail(&why.fault, DIP_EDATA,
                       "judged before for the same query");
        why.reason = DIP_BAD_ROW_DUPLICATE;
        return report_bad(self, &why, err);
    }
    st = dip_reserve(&self->entries, &self->capacity, self->count + 1,
                     sizeof *self->entries, err);
    if (st != DIP_OK)
        return st;
    self->entries[self->count++] = item;
    dip_import_report_good(self->report, item.split);
    return DIP_OK;
}

/* ---- the table ----------------------------------------------------------- */

static dip_status find_columns(log_importer *self, dip_err *err)
{
    const dip_import_log_options *o = self->options;
    const struct {
        const char *name;
        int *column;
    } wanted[] = {{o->owner, &self->owner},
                  {o->id, &self->id},
                  {o->value, &self->value},
                  {o->time, &self->time},
                  {o->split, &self->split}};
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(wanted) && st == DIP_OK; i++) {
        *wanted[i].column = -1;
        if (wanted[i].name != NULL)
            st = dip_table_reader_find(self->reader, wanted[i].name,
                                       wanted[i].column, err);
    }
    return st;
}

static dip_status read_rows(log_importer *self, dip_err *err)
{
    const dip_import_progress *progress = &self->options->progress;
    for (int64_t done = 1;; done++) {
        bool more;
        dip_status st = dip_table_reader_next(self->reader, &more, err);
        if (st != DIP_OK || !more)
            return st;
        st = take_row(self, err);
        if (st == DIP_OK)
            st = dip_import_tick(progress, done, 0, err);
        if (st != DIP_OK)
            return st;
    }
}

static dip_status read_table(log_importer *self, dip_err *err)
{
    const dip_import_log_options *o = self->options;
    dip_status st =
        dip_table_reader_open(&self->reader, o->table, o->format, err);
    if (st == DIP_OK)
        st = find_columns(self, err);
    if (st == DIP_OK)
        st = read_rows(self, err);
    self->report->distinct = self->owners.count;
    if (st == DIP_OK)
        st =
            dip_import_report_verdict(self->report, o->table, o->skip_bad, err);
    return st;
}

static void end(log_importer *self)
{
    free(self->entries);
    dip_names_free(&self->owners);
    dip_names_free(&self->pairs);
    dip_table_reader_close(self->reader);
}

/* ---- handing over -------------------------------------------------------- */

static dip_status put_judgements(const log_importer *self,
                                 const dip_bytes *owners, dip_err *err)
{
    dip_judgement *items = dip_calloc(self->count, sizeof *items);
    if (items == NULL)
        return dip_no_memory(err);
    for (size_t i = 0; i < self->count; i++) {
        const entry *from = &self->entries[i];
        items[i] = (dip_judgement){from->owner, from->row, (float)from->value,
                                   from->split};
    }
    dip_status st = dip_catalog_put_judgements(self->options->into, owners,
                                               self->owners.count, items,
                                               (int64_t)self->count, err);
    free(items);
    return st;
}

static dip_status put_interactions(const log_importer *self,
                                   const dip_bytes *owners, dip_err *err)
{
    dip_interaction *items = dip_calloc(self->count, sizeof *items);
    if (items == NULL)
        return dip_no_memory(err);
    for (size_t i = 0; i < self->count; i++) {
        const entry *from = &self->entries[i];
        items[i] = (dip_interaction){from->owner, from->row, (float)from->value,
                                     from->time, from->split};
    }
    dip_status st = dip_catalog_put_interactions(self->options->into, owners,
                                                 self->owners.count, items,
                                                 (int64_t)self->count, err);
    free(items);
    return st;
}

typedef dip_status (*put_function)(const log_importer *self,
                                   const dip_bytes *owners, dip_err *err);

static dip_status hand_over(const log_importer *self, put_function put,
                            dip_err *err)
{
    dip_bytes *owners = dip_calloc((size_t)self->owners.count, sizeof *owners);
    if (owners == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < self->owners.count; i++)
        owners[i] = dip_names_get(&self->owners, i);
    dip_status st = put(self, owners, err);
    free(owners);
    return st;
}

static dip_status import_log(dip_import_report *report,
                             const dip_import_log_options *options,
                             bool distinct, put_function put, dip_err *err)
{
    *report = (dip_import_report){0};
    dip_catalog *catalog;
    dip_status st = dip_catalog_open(&catalog, options->into, NULL, err);
    if (st != DIP_OK)
        return st;
    log_importer self = {.options = options,
                         .catalog = catalog,
                         .distinct = distinct,
                         .report = report};
    st = read_table(&self, err);
    dip_catalog_close(catalog); /* before its files are renewed */
    if (st == DIP_OK)
        st = hand_over(&self, put, err);
    end(&self);
    return st;
}

dip_status dip_import_judgements(dip_import_report *report,
                                 const dip_import_log_options *options,
                                 dip_err *err)
{
    return import_log(report, options, true, put_judgements, err);
}

dip_status dip_import_interactions(dip_import_report *report,
                                   const dip_import_log_options *options,
                                   dip_err *err)
{
    return import_log(report, options, false, put_interactions, err);
}
