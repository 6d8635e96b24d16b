/* Logs of clicks and purchases: events of a query and an item, summed up while
 * they are read, so that memory goes by distinct pairs. */
#include <stdlib.h>

#include "base/mem.h"
#include "data/catalog_names.h"
#include "data/catalog_writer.h"
#include "data/clicks.h"
#include "data/import.h"
#include "data/log_reader.h"

typedef struct {
    const dip_import_log_options *options;
    dip_names queries;
    dip_names keys; /* (query, row, split), numbered as the pairs are */
    dip_click_pair *pairs;
    size_t capacity;
    int64_t count;
    dip_import_report *report;
} click_importer;

/* The pair that a row is of, which may be a new one. */
static dip_status find_pair(dip_click_pair **out, click_importer *self,
                            const dip_log_entry *read, dip_err *err)
{
    int64_t key[3] = {0, read->row, read->split}, number;
    dip_status st = dip_names_add(&self->queries, read->owner, &key[0], err);
    if (st == DIP_OK)
        st = dip_reserve(&self->pairs, &self->capacity, (size_t)self->count + 1,
                         sizeof *self->pairs, err);
    if (st == DIP_OK)
        st = dip_names_add(&self->keys,
                           (dip_bytes){(const char *)key, sizeof key}, &number,
                           err);
    if (st != DIP_OK)
        return st;
    *out = &self->pairs[number];
    if (number == self->count) {
        **out = (dip_click_pair){.judgement = {.query = key[0],
                                               .row = read->row,
                                               .split = read->split}};
        self->count++;
    }
    return DIP_OK;
}

static dip_status read_events(click_importer *self, const dip_catalog *catalog,
                              dip_err *err)
{
    const dip_import_log_options *o = self->options;
    dip_log_reader *reader;
    dip_log_entry read;
    dip_click_pair *pair;
    bool more = true;
    dip_status st = dip_log_reader_open(&reader, o, catalog, self->report, err);
    while (st == DIP_OK && more) {
        st = dip_log_reader_next(&read, reader, &more, err);
        if (st != DIP_OK || !more)
            break;
        st = find_pair(&pair, self, &read, err);
        if (st != DIP_OK)
            break;
        dip_clicks_add(pair, o->clicks, read.event, read.rank, read.value);
        dip_import_report_good(self->report, read.split);
    }
    dip_log_reader_close(reader);
    return st == DIP_OK ? dip_import_report_verdict(self->report, o->table,
                                                    o->skip_bad, err)
                        : st;
}

/* Numbers the queries anew, without those that no judgement has, and lists
 * them; *kept is how many. The caller frees *out. */
static dip_status list_queries(dip_bytes **out, int64_t *kept,
                               click_importer *self, dip_err *err)
{
    int64_t all = self->queries.count;
    int64_t *number = dip_calloc((size_t)all, sizeof *number);
    *kept = 0;
    dip_status st = dip_names_list(out, &self->queries, err);
    if (st == DIP_OK && number == NULL)
        st = dip_no_memory(err);
    if (st != DIP_OK)
        goto free_number;
    for (int64_t i = 0; i < self->count; i++)
        number[self->pairs[i].judgement.query] = 1;
    for (int64_t q = 0; q < all; q++) {
        if (number[q] == 0)
            continue;
        (*out)[*kept] = (*out)[q];
        number[q] = (*kept)++;
    }
    for (int64_t i = 0; i < self->count; i++) {
        int64_t *query = &self->pairs[i].judgement.query;
        *query = number[*query];
    }
free_number:
    free(number);
    return st;
}

static dip_status put(click_importer *self, dip_err *err)
{
    int64_t queries;
    dip_bytes *texts;
    dip_judgement *items = dip_calloc((size_t)self->count, sizeof *items);
    dip_status st = list_queries(&texts, &queries, self, err);
    if (st == DIP_OK && items == NULL)
        st = dip_no_memory(err);
    for (int64_t i = 0; st == DIP_OK && i < self->count; i++)
        items[i] = self->pairs[i].judgement;
    if (st == DIP_OK)
        st = dip_catalog_put_judgements(self->options->into, texts, queries,
                                        items, self->count, err);
    self->report->distinct = queries;
    free(texts);
    free(items);
    return st;
}

/* Makes the report one of judgements, where it was one of rows. */
static dip_status judge(click_importer *self, dip_err *err)
{
    dip_import_report *report = self->report;
    int64_t all = self->count;
    dip_status st =
        dip_clicks_grade(self->pairs, &self->count, self->options->clicks, err);
    if (st != DIP_OK)
        return st;
    report->rows = 0;
    for (int s = 0; s < DIP_SPLIT_COUNT; s++)
        report->split_rows[s] = 0;
    for (int64_t i = 0; i < self->count; i++)
        dip_import_report_good(report, self->pairs[i].judgement.split);
    report->rare = all - self->count;
    return self->count > 0
               ? DIP_OK
               : dip_fail(err, DIP_EDATA,
                          "none of %lld pairs of query and item in '%s' was "
                          "seen %g times",
                          (long long)all, self->options->table,
                          self->options->clicks->least);
}

dip_status dip_import_clicks(dip_import_report *report,
                             const dip_import_log_options *options,
                             dip_err *err)
{
    *report = (dip_import_report){0};
    dip_catalog *catalog;
    dip_status st = dip_catalog_open(&catalog, options->into, NULL, err);
    if (st != DIP_OK)
        return st;
    click_importer self = {.options = options, .report = report};
    st = read_events(&self, catalog, err);
    dip_catalog_close(catalog); /* before its files are renewed */
    if (st == DIP_OK)
        st = judge(&self, err);
    if (st == DIP_OK)
        st = put(&self, err);
    free(self.pairs);
    dip_names_free(&self.queries);
    dip_names_free(&self.keys);
    return st;
}
