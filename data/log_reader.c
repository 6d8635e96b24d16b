#include "data/log_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "data/clicks.h"
#include "data/table_reader.h"

enum { SHOWN = 60 };

struct dip_log_reader {
    const dip_import_log_options *options;
    const dip_catalog *catalog;
    dip_table_reader *table;
    int owner, id, value, time, split; /* columns; -1: none */
    int event, rank;
    int64_t done; /* rows */
    dip_import_report *report;
};

static dip_bytes cell(const dip_log_reader *self, int column)
{
    return dip_table_reader_field(self->table, column);
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

static bool read_owner(dip_log_entry *out, const dip_log_reader *self,
                       refusal *why)
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
    out->owner = text;
    return true;
}

static bool read_item(dip_log_entry *out, const dip_log_reader *self,
                      refusal *why)
{
    dip_bytes id = cell(self, self->id);
    out->row = dip_catalog_row_of(self->catalog, id);
    if (out->row >= 0)
        return true;
    (void)dip_fail(&why->fault, DIP_EDATA, "not in '%s'", self->options->into);
    return refuse(why, DIP_BAD_ROW_UNKNOWN);
}

static bool read_value(dip_log_entry *out, const dip_log_reader *self,
                       refusal *why)
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

static bool read_time(dip_log_entry *out, const dip_log_reader *self,
                      refusal *why)
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

static bool read_split(dip_log_entry *out, const dip_log_reader *self,
                       refusal *why)
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

static bool read_event(dip_log_entry *out, const dip_log_reader *self,
                       refusal *why)
{
    const dip_click_options *clicks = self->options->clicks;
    out->event = 0;
    if (self->event < 0)
        return true;
    dip_bytes text = cell(self, self->event);
    dip_str known = {0};
    for (int i = 0; i < clicks->event_count; i++) {
        const char *name = clicks->events[i].name;
        out->event = i;
        if (text.len == strlen(name) && memcmp(text.data, name, text.len) == 0)
            break;
        dip_str_addf(&known, "%s%s", i > 0 ? ", " : "", name);
        out->event = -1;
    }
    if (out->event < 0)
        (void)dip_fail(&why->fault, DIP_EDATA, "'%s' is '%.*s', none of: %s",
                       clicks->event, text.len < 40 ? (int)text.len : 40,
                       text.data, dip_str_text(&known));
    dip_str_free(&known);
    return out->event >= 0 || refuse(why, DIP_BAD_ROW_EVENT);
}

/* Ranks count from 1. */
static bool read_rank(dip_log_entry *out, const dip_log_reader *self,
                      refusal *why)
{
    double rank = 1;
    if (self->rank >= 0) {
        const char *name = self->options->clicks->rank;
        dip_bytes text = cell(self, self->rank);
        dip_status st = dip_import_number(&rank, text, &why->fault);
        if (st == DIP_OK &&
            !(rank >= 1 && rank <= 1e9 && rank == (double)(int64_t)rank))
            st = dip_fail(&why->fault, DIP_EDATA, "no rank: '%.*s'",
                          (int)text.len, text.data);
        if (st != DIP_OK) {
            (void)dip_fail_context(&why->fault, "'%s'", name);
            return refuse(why, DIP_BAD_ROW_NUMBER);
        }
    }
    out->rank = (int64_t)rank;
    return true;
}

static dip_status report_bad(dip_log_reader *self, const refusal *why,
                             dip_err *err)
{
    dip_bytes id = cell(self, self->id);
    dip_str message = {0};
    dip_str_addf(&message, "%s:%lld: id '", self->options->table,
                 (long long)dip_table_reader_line(self->table));
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

/* ---- the table ---- */

static dip_status find_columns(dip_log_reader *self, dip_err *err)
{
    const dip_import_log_options *o = self->options;
    const dip_click_options *c = o->clicks;
    const struct {
        const char *name;
        int *column;
    } wanted[] = {{o->owner, &self->owner},
                  {o->id, &self->id},
                  {o->value, &self->value},
                  {o->time, &self->time},
                  {o->split, &self->split},
                  {c != NULL ? c->event : NULL, &self->event},
                  {c != NULL ? c->rank : NULL, &self->rank}};
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(wanted) && st == DIP_OK; i++) {
        *wanted[i].column = -1;
        if (wanted[i].name != NULL)
            st = dip_table_reader_find(self->table, wanted[i].name,
                                       wanted[i].column, err);
    }
    return st;
}

dip_status dip_log_reader_open(dip_log_reader **out,
                               const dip_import_log_options *options,
                               const dip_catalog *catalog,
                               dip_import_report *report, dip_err *err)
{
    *out = NULL;
    dip_log_reader *self = dip_calloc(1, sizeof *self);
    if (self == NULL)
        return dip_no_memory(err);
    self->options = options;
    self->catalog = catalog;
    self->report = report;
    dip_status st = dip_table_reader_open(&self->table, options->table,
                                          options->format, err);
    if (st == DIP_OK)
        st = find_columns(self, err);
    if (st == DIP_OK)
        *out = self;
    else
        dip_log_reader_close(self);
    return st;
}

void dip_log_reader_close(dip_log_reader *self)
{
    if (self == NULL)
        return;
    dip_table_reader_close(self->table);
    free(self);
}

static bool read_row(dip_log_entry *out, const dip_log_reader *self,
                     refusal *why)
{
    return read_owner(out, self, why) && read_item(out, self, why) &&
           read_value(out, self, why) && read_time(out, self, why) &&
           read_split(out, self, why) && read_event(out, self, why) &&
           read_rank(out, self, why);
}

dip_status dip_log_reader_next(dip_log_entry *out, dip_log_reader *self,
                               bool *more, dip_err *err)
{
    for (;;) {
        refusal why = {0};
        dip_status st = dip_table_reader_next(self->table, more, err);
        if (st == DIP_OK && *more)
            st =
                dip_import_tick(&self->options->progress, ++self->done, 0, err);
        if (st != DIP_OK || !*more || read_row(out, self, &why))
            return st;
        st = report_bad(self, &why, err);
        if (st != DIP_OK)
            return st;
    }
}

dip_status dip_log_reader_refuse(dip_log_reader *self, dip_bad_row reason,
                                 const char *words, dip_err *err)
{
    refusal why = {.reason = reason};
    (void)dip_fail(&why.fault, DIP_EDATA, "%s", words);
    return report_bad(self, &why, err);
}
