#include "data/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/closest.h"
#include "base/mem.h"

typedef struct {
    char *text; /* stands before the value; the last piece has text alone */
    int column; /* -1: none */
} piece;

struct dip_template {
    piece *pieces;
    size_t count, capacity;
};

static dip_status add_piece(dip_template *template, dip_str *text, int column,
                            dip_err *err)
{
    dip_status st = dip_str_status(text, err);
    if (st == DIP_OK)
        st = dip_reserve(&template->pieces, &template->capacity,
                         template->count + 1, sizeof *template->pieces, err);
    if (st != DIP_OK)
        return st;
    char *copy = dip_strdup(dip_str_text(text));
    if (copy == NULL)
        return dip_no_memory(err);
    template->pieces[template->count++] = (piece){copy, column};
    dip_str_clear(text);
    return DIP_OK;
}

static dip_status find_name(int *column, const char *name, size_t len,
                            const char *const *names, int name_count,
                            dip_err *err)
{
    for (int i = 0; i < name_count; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
            *column = i;
            return DIP_OK;
        }
    }
    char *copy = dip_strndup(name, len);
    if (copy == NULL)
        return dip_no_memory(err);
    const char *close = dip_closest(copy, names, (size_t)name_count);
    dip_str all = {0};
    for (int i = 0; i < name_count; i++)
        dip_str_addf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
    dip_status st = dip_fail(
        err, DIP_ENOTFOUND, "no column '%s'%s%s%s; columns: %s", copy,
        close != NULL ? " (did you mean '" : "", close != NULL ? close : "",
        close != NULL ? "'?)" : "", dip_str_text(&all));
    dip_str_free(&all);
    free(copy);
    return st;
}

/* Reads on from text[*at] to the next value or the end. */
static dip_status parse_piece(dip_template *template, const char *text,
                              size_t *at, const char *const *names,
                              int name_count, dip_err *err)
{
    dip_str before = {0};
    dip_status st = DIP_OK;
    int column = -1;
    while (text[*at] != '\0' && column < 0 && st == DIP_OK) {
        char c = text[*at];
        if ((c == '{' || c == '}') && text[*at + 1] == c) {
            dip_str_add_n(&before, &c, 1);
            *at += 2;
        } else if (c == '{') {
            const char *name = text + *at + 1;
            size_t len = strcspn(name, "{}");
            *at += len + (name[len] == '}' ? 2 : 1); /* not past the end */
            st = name[len] == '}'
                     ? find_name(&column, name, len, names, name_count, err)
                     : dip_fail(err, DIP_EDATA, "'{' without a '}'");
        } else if (c == '}') {
            st = dip_fail(err, DIP_EDATA, "'}' without a '{'");
        } else {
            dip_str_add_n(&before, &c, 1);
            *at += 1;
        }
    }
    if (st == DIP_OK)
        st = add_piece(template, &before, column, err);
    dip_str_free(&before);
    return st;
}

dip_status dip_template_parse(dip_template **out, const char *text,
                              const char *const *names, int name_count,
                              dip_err *err)
{
    *out = NULL;
    dip_template *template = calloc(1, sizeof *template);
    if (template == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    size_t at = 0;
    while (st == DIP_OK && text[at] != '\0')
        st = parse_piece(template, text, &at, names, name_count, err);
    if (st != DIP_OK) {
        dip_template_free(template);
        return dip_fail_context(err, "in '%s'", text);
    }
    *out = template;
    return DIP_OK;
}

void dip_template_free(dip_template *template)
{
    if (template == NULL)
        return;
    for (size_t i = 0; i < template->count; i++)
        free(template->pieces[i].text);
    free(template->pieces);
    free(template);
}

int dip_template_column_count(const dip_template *template)
{
    size_t n = template->count;
    bool text_last = n > 0 && template->pieces[n - 1].column < 0;
    return (int)n - (text_last ? 1 : 0);
}

int dip_template_column(const dip_template *template, int i)
{
    return template->pieces[i].column;
}

void dip_template_render(dip_str *out, const dip_template *template,
                         const dip_bytes *values)
{
    for (size_t i = 0; i < template->count; i++) {
        dip_str_add(out, template->pieces[i].text);
        if (template->pieces[i].column >= 0)
            dip_str_add_n(out, values[i].data, values[i].len);
    }
}
