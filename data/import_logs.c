/* Search logs and behaviour: rows that name items of a catalog by their ids. */
#include <stdlib.h>

#include "base/mem.h"
#include "data/catalog_names.h"
#include "data/catalog_writer.h"
#include "data/import.h"
#include "data/log_reader.h"

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
    dip_log_reader *reader;
    dip_names owners;
    dip_names pairs; /* (owner, row) of judgements, which must be distinct */
    bool distinct;
    entry *entries;
    size_t count, capacity;
    dip_import_report *report;
} log_importer;

/* Whether the pair was there before, where it may not be. */
static dip_status is_known(bool *out, log_importer *self, const entry *item,
                           dip_err *err)
{
    *out = false;
    if (!self->distinct)
        return DIP_OK;
    int64_t pair[2] = {item->owner, item->row}, number;
    int64_t before = self->pairs.count;
    dip_bytes key = {(const char *)pair, sizeof pair};
    dip_status st = dip_names_add(&self->pairs, key, &number, err);
    *out = st == DIP_OK && number < before;
    return st;
}

static dip_status take_row(log_importer *self, const dip_log_entry *read,
                           dip_err *err)
{
    bool known = false;
    entry item = {.row = read->row,
                  .value = read->value,
                  .time = read->time,
                  .split = read->split};
    dip_status st = dip_names_add(&self->owners, read->owner, &item.owner, err);
    if (st == DIP_OK)
        st = is_known(&known, self, &item, err);
    if (st != DIP_OK)
        return st;
    if (known)
        return dip_log_reader_refuse(self->reader, DIP_BAD_ROW_DUPLICATE,
                                     "judged before for the same query", err);
    st = dip_reserve(&self->entries, &self->capacity, self->count + 1,
                     sizeof *self->entries, err);
    if (st != DIP_OK)
        return st;
    self->entries[self->count++] = item;
    dip_import_report_good(self->report, item.split);
    return DIP_OK;
}

static dip_status read_table(log_importer *self, const dip_catalog *catalog,
                             dip_err *err)
{
    const dip_import_log_options *o = self->options;
    dip_log_entry read;
    bool more = true;
    dip_status st =
        dip_log_reader_open(&self->reader, o, catalog, self->report, err);
    while (st == DIP_OK && more) {
        st = dip_log_reader_next(&read, self->reader, &more, err);
        if (st == DIP_OK && more)
            st = take_row(self, &read, err);
    }
    self->report->distinct = self->owners.count;
    return st == DIP_OK ? dip_import_report_verdict(self->report, o->table,
                                                    o->skip_bad, err)
                        : st;
}

static void end(log_importer *self)
{
    free(self->entries);
    dip_names_free(&self->owners);
    dip_names_free(&self->pairs);
    dip_log_reader_close(self->reader);
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
    dip_bytes *owners;
    dip_status st = dip_names_list(&owners, &self->owners, err);
    if (st == DIP_OK)
        st = put(self, owners, err);
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
    log_importer self = {
        .options = options, .distinct = distinct, .report = report};
    st = read_table(&self, catalog, err);
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
