#include "data/import_graph.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/catalog_names.h"
#include "data/catalog_writer.h"
#include "data/import.h"
#include "data/streams.h"

enum { TICK_LINES = 1024, SHOWN = 40 };

typedef struct {
    const dip_import_graph_options *options;
    dip_import_report *report;
    dip_names users, items;
    dip_interaction *all;
    size_t count, capacity;
    const char *path; /* of the file that is read */
    int64_t line;
    dip_split split;
} importer;

/* ---- one line ------------------------------------------------------------ */

static dip_status wrong(const importer *self, dip_bytes field,
                        const char *words, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT, "%s:%lld: %s: '%.*s'", self->path,
                    (long long)self->line, words,
                    field.len < SHOWN ? (int)field.len : SHOWN, field.data);
}

/* The next field of a line, len 0 at its end; *at goes behind it. */
static dip_bytes next_field(const char **at)
{
    *at += strspn(*at, " \t\r\n");
    dip_bytes field = {*at, strcspn(*at, " \t\r\n")};
    *at += field.len;
    return field;
}

/* The number that a field says, written as any other that says it: "07" is 7.
 */
static dip_status read_number(int64_t *out, const importer *self,
                              dip_bytes field, dip_err *err)
{
    if (strspn(field.data, "0123456789") < field.len)
        return wrong(self, field, "not a whole number from 0 on", err);
    errno = 0;
    *out = strtoll(field.data, NULL, 10);
    return errno == 0 ? DIP_OK
                      : wrong(self, field, "a number beyond 63 bits", err);
}

static dip_status add_name(int64_t *out, importer *self, dip_names *names,
                           dip_bytes field, dip_err *err)
{
    int64_t number = 0;
    char text[24];
    dip_status st = read_number(&number, self, field, err);
    if (st != DIP_OK)
        return st;
    int n = snprintf(text, sizeof text, "%lld", (long long)number);
    return dip_names_add(names, (dip_bytes){text, (size_t)n}, out, err);
}

static bool held_out(const importer *self)
{
    dip_rng rng = dip_rng_stream(0, DIP_STREAM_HOLD_OUT, self->count, 0);
    return self->split == DIP_SPLIT_TRAIN &&
           dip_rng_below(&rng, 100) < (uint64_t)self->options->hold_out;
}

static dip_status add_interaction(importer *self, int64_t user, dip_bytes item,
                                  double weight, dip_err *err)
{
    dip_interaction one = {.user = user,
                           .weight = (float)weight,
                           .split =
                               held_out(self) ? DIP_SPLIT_VAL : self->split};
    dip_status st = add_name(&one.row, self, &self->items, item, err);
    if (st == DIP_OK)
        st = dip_reserve(&self->all, &self->capacity, self->count + 1,
                         sizeof *self->all, err);
    if (st != DIP_OK)
        return st;
    self->all[self->count++] = one;
    dip_import_report_good(self->report, one.split);
    return DIP_OK;
}

static dip_status read_list(importer *self, int64_t user, const char *at,
                            dip_err *err)
{
    for (dip_bytes item = next_field(&at); item.len > 0;
         item = next_field(&at)) {
        dip_status st = add_interaction(self, user, item, 1, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status read_pair(importer *self, int64_t user, const char *at,
                            dip_err *err)
{
    dip_bytes item = next_field(&at), weight = next_field(&at);
    dip_bytes more = next_field(&at);
    double value = 1;
    if (item.len == 0)
        return wrong(self, item, "a user without an item", err);
    if (more.len > 0)
        return wrong(self, more, "a fourth field", err);
    if (weight.len > 0 &&
        (dip_import_number(&value, weight, NULL) != DIP_OK || value < 0))
        return wrong(self, weight, "not a weight from 0 on", err);
    return add_interaction(self, user, item, value, err);
}

static dip_status read_line(importer *self, const char *text, size_t length,
                            dip_err *err)
{
    self->line++;
    if (strlen(text) != length)
        return dip_fail(err, DIP_EFORMAT, "%s:%lld: a NUL byte", self->path,
                        (long long)self->line);
    const char *at = text;
    dip_bytes field = next_field(&at);
    int64_t user;
    if (field.len == 0)
        return DIP_OK;
    dip_status st = add_name(&user, self, &self->users, field, err);
    if (st != DIP_OK)
        return st;
    return self->options->form == DIP_GRAPH_FORM_LISTS
               ? read_list(self, user, at, err)
               : read_pair(self, user, at, err);
}

/* ---- files --------------------------------------------------------------- */

static dip_status read_lines(importer *self, FILE *file, dip_err *err)
{
    char *text = NULL;
    size_t room = 0;
    dip_status st = DIP_OK;
    ssize_t length = 0;
    while (st == DIP_OK && (length = getline(&text, &room, file)) >= 0) {
        st = read_line(self, text, (size_t)length, err);
        if (st == DIP_OK && self->line % TICK_LINES == 0)
            st = dip_import_tick(&self->options->progress, (int64_t)self->count,
                                 0, err);
    }
    if (st == DIP_OK && !feof(file))
        st = dip_fail(err, DIP_EIO, "cannot read '%s': %s", self->path,
                      strerror(errno));
    free(text);
    return st;
}

static dip_status read_file(importer *self, dip_split split, dip_err *err)
{
    self->path = self->options->files[split];
    self->split = split;
    self->line = 0;
    size_t before = self->count;
    if (self->path == NULL)
        return DIP_OK;
    FILE *file = fopen(self->path, "r");
    if (file == NULL)
        return dip_fail(err, DIP_EIO, "cannot open '%s': %s", self->path,
                        strerror(errno));
    dip_status st = read_lines(self, file, err);
    (void)fclose(file);
    if (st == DIP_OK && self->count == before)
        st = dip_fail(err, DIP_EDATA, "no interaction in '%s'", self->path);
    return st;
}

/* ---- the catalog --------------------------------------------------------- */

static dip_status write_items(const importer *self, dip_err *err)
{
    const dip_catalog_schema schema = {.source = self->options->files[0]};
    dip_catalog_writer *writer;
    dip_status st =
        dip_catalog_writer_create(&writer, self->options->out, &schema, err);
    for (int64_t i = 0; i < self->items.count && st == DIP_OK; i++) {
        const dip_row row = {.id = dip_names_get(&self->items, i),
                             .split = DIP_SPLIT_TRAIN};
        st = dip_catalog_writer_add(writer, &row, err);
    }
    if (st == DIP_OK)
        st = dip_catalog_writer_commit(writer, err);
    dip_catalog_writer_end(writer);
    return st;
}

static dip_status write_interactions(const importer *self, dip_err *err)
{
    dip_bytes *users = dip_calloc((size_t)self->users.count, sizeof *users);
    if (users == NULL)
        return dip_no_memory(err);
    for (int64_t u = 0; u < self->users.count; u++)
        users[u] = dip_names_get(&self->users, u);
    dip_status st = dip_catalog_put_interactions(self->options->out, users,
                                                 self->users.count, self->all,
                                                 (int64_t)self->count, err);
    free(users);
    return st;
}

dip_status dip_import_graph(dip_import_report *report,
                            const dip_import_graph_options *options,
                            dip_err *err)
{
    *report = (dip_import_report){0};
    importer self = {.options = options, .report = report};
    dip_status st = DIP_OK;
    for (int split = 0; split < DIP_SPLIT_COUNT && st == DIP_OK; split++)
        st = read_file(&self, (dip_split)split, err);
    report->distinct = self.users.count;
    if (st == DIP_OK)
        st = write_items(&self, err);
    if (st == DIP_OK)
        st = write_interactions(&self, err);
    dip_names_free(&self.users);
    dip_names_free(&self.items);
    free(self.all);
    return st;
}
