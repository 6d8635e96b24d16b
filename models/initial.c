#include "models/initial.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "models/options.h"
#include "models/pieces.h"
#include "models/positions.h"
#include "models/source.h"
#include "tensor/shape.h"

static const char *const part_names[] = {
#define PART_NAME(name, word, words) word,
    DIP_INITIAL_PART_TABLE(PART_NAME)
#undef PART_NAME
};

const char *dip_initial_part_name(dip_initial_part part)
{
    return part_names[part];
}

/* ---- the report ---- */

static dip_status add_name(dip_names *names, const char *name, dip_err *err)
{
    dip_status st = dip_reserve(&names->items, &names->capacity,
                                names->count + 1, sizeof *names->items, err);
    if (st != DIP_OK)
        return st;
    char *copy = dip_strdup(name);
    if (!copy)
        return dip_no_memory(err);
    names->items[names->count++] = copy;
    return DIP_OK;
}

static void free_names(dip_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (dip_names){0};
}

void dip_initial_report_free(dip_initial_report *report)
{
    if (!report)
        return;
    free_names(&report->matched);
    free_names(&report->resized);
    free_names(&report->unfit);
    free_names(&report->missing);
    free_names(&report->unexpected);
}

/* ---- what the file has ---- */

typedef struct {
    dip_initial_report *report;
    dip_params *params;
    dip_initial_part part;
    const dip_image_kind *image;
    const char *path;
    dip_source *source;
    dip_pieces pieces; /* of the source */
} load;

/* Whether a name in our language is of what is asked for. */
static bool is_asked(dip_initial_part part, const char *name)
{
    if (part == DIP_INITIAL_MODEL)
        return true;
    const char *word = part_names[part];
    size_t n = strlen(word);
    return strncmp(name, word, n) == 0 &&
           (name[n] == '.' ||
            strncmp(name + n, "_projection.", strlen("_projection.")) == 0);
}

static bool is_projection(const char *name)
{
    return strncmp(name, "image_projection.", 17) == 0 ||
           strncmp(name, "text_projection.", 16) == 0;
}

static dip_status read_names(load *l, dip_err *err)
{
    int total = dip_source_count(l->source);
    bool told = l->part == DIP_INITIAL_MODEL;
    l->pieces.items = dip_calloc((size_t)total, sizeof *l->pieces.items);
    if (!l->pieces.items)
        return dip_no_memory(err);
    for (int i = 0; i < total && !told; i++)
        told = dip_origin_tells_part(dip_source_name(l->source, i));
    for (int i = 0; i < total; i++) {
        dip_piece *p = &l->pieces.items[l->pieces.count];
        const char *name = dip_source_name(l->source, i);
        p->tensor = i;
        l->pieces.count += dip_origin_read(
            &p->origin, name, told ? NULL : dip_initial_part_name(l->part));
    }
    return DIP_OK;
}

/* ---- one parameter ---- */

static bool is_float(dip_dtype dtype)
{
    return dtype == DIP_F32 || dtype == DIP_F64 || dtype == DIP_F16 ||
           dtype == DIP_BF16;
}

static dip_tensor *get_tensor(void *user, int i)
{
    const load *l = user;
    dip_tensor *t = dip_source_tensor(l->source, i);
    if (!dip_tensor_failed() && !is_float(dip_tensor_dtype(t)))
        dip_tensor_fail(DIP_EDATA, "wrong dtype for '%s' in '%s': %s",
                        dip_source_name(l->source, i), l->path,
                        dip_dtype_name(dip_tensor_dtype(t)));
    return t;
}

static bool is_finite(const dip_tensor *t)
{
    dip_tensor *odd = dip_t_logical_not(dip_t_isfinite(t));
    return dip_tensor_item(dip_t_sum_all(dip_t_to_dtype(odd, DIP_F32))) == 0.0;
}

/* Whether shapes are equal once dimensions of one are left out. */
static bool same_but_for_ones(const dip_tensor *a, const dip_tensor *b)
{
    int i = 0, j = 0, m = dip_tensor_ndim(a), n = dip_tensor_ndim(b);
    while (i < m || j < n) {
        if (i < m && dip_tensor_size(a, i) == 1)
            i++;
        else if (j < n && dip_tensor_size(b, j) == 1)
            j++;
        else if (i == m || j == n ||
                 dip_tensor_size(a, i++) != dip_tensor_size(b, j++))
            return false;
    }
    return true;
}

static dip_tensor *in_shape_of(const dip_tensor *got, const dip_tensor *want)
{
    int64_t sizes[8];
    int ndim = dip_tensor_ndim(want);
    for (int i = 0; i < ndim; i++)
        sizes[i] = dip_tensor_size(want, i);
    return dip_t_reshape(got, ndim, sizes);
}

/* The first places of more than the text tower has; NULL where that is not what
 * differs. */
static dip_tensor *fewer_places(const char *name, const dip_tensor *got,
                                const dip_tensor *want)
{
    static const char *const tables[] = {
        "text.positional_embedding",
        "text.embeddings.position_embeddings.weight"};
    bool is_table = false;
    for (size_t i = 0; i < DIP_ARRAY_LEN(tables); i++)
        is_table = is_table || strcmp(name, tables[i]) == 0;
    if (!is_table || dip_tensor_ndim(got) != 2 ||
        dip_tensor_size(got, 1) != dip_tensor_size(want, 1) ||
        dip_tensor_size(got, 0) < dip_tensor_size(want, 0))
        return NULL;
    return dip_t_narrow(got, 0, 0, dip_tensor_size(want, 0));
}

/* The places of an image resized to the model's grid; NULL where that is not
 * what differs. */
static dip_tensor *other_grid(const load *l, const char *name,
                              const dip_tensor *got, const dip_tensor *want)
{
    int m = dip_tensor_ndim(got), n = dip_tensor_ndim(want);
    if (!l->image || !l->image->positions || strncmp(name, "image.", 6) != 0 ||
        strcmp(name + 6, l->image->positions) != 0 || m < 2 || m > 3 ||
        dip_tensor_size(got, m - 1) != dip_tensor_size(want, n - 1))
        return NULL;
    return dip_positions_resize(got, l->image->positions_before,
                                dip_tensor_size(want, n - 2));
}

static dip_status fail_shape(const load *l, const char *name,
                             const dip_tensor *got, const dip_tensor *want,
                             dip_err *err)
{
    dip_str text = {0};
    dip_shape_add_unlike(&text, got, want);
    dip_fail(err, DIP_EDATA, "wrong shape for '%s' in '%s': %s", name, l->path,
             dip_str_text(&text));
    dip_str_free(&text);
    return DIP_EDATA;
}

/* Notes what becomes of parameter `i`, or assigns it. */
static dip_status take(load *l, int i, bool assign, dip_err *err)
{
    dip_origin_name want;
    const char *name = dip_params_name(l->params, i);
    dip_tensor *own = dip_params_tensor(l->params, i);
    if (!is_asked(l->part, name) || !dip_origin_read(&want, name, NULL))
        return DIP_OK;
    dip_initial_report *r = l->report;
    dip_tensor *got = dip_pieces_assemble(&l->pieces, &want);
    if (dip_tensor_failed())
        return dip_tensor_status(err);
    dip_tensor *resized = NULL;
    if (got && !same_but_for_ones(got, own)) {
        resized = fewer_places(want.name, got, own);
        resized = resized ? resized : other_grid(l, name, got, own);
    }
    if (dip_tensor_failed())
        return dip_tensor_status(err);
    if (assign) {
        if (resized)
            got = resized;
        if (got && same_but_for_ones(got, own))
            dip_tensor_assign(own, in_shape_of(got, own));
        return DIP_OK;
    }
    if (!got)
        return add_name(&r->missing, name, err);
    if (!resized && !same_but_for_ones(got, own))
        return is_projection(name) ? add_name(&r->unfit, name, err)
                                   : fail_shape(l, name, got, own, err);
    if (!is_finite(got))
        return dip_fail(err, DIP_EDATA,
                        "the values for '%s' in '%s' are not all finite", name,
                        l->path);
    dip_status st = add_name(&r->matched, name, err);
    return st == DIP_OK && resized ? add_name(&r->resized, name, err) : st;
}

static dip_status take_all(load *l, bool assign, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < dip_params_count(l->params) && st == DIP_OK; i++) {
        dip_scope_open();
        st = take(l, i, assign, err);
        dip_scope_close();
    }
    return st == DIP_OK ? dip_tensor_status(err) : st;
}

static dip_status note_unexpected(load *l, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < l->pieces.count && st == DIP_OK; i++) {
        const dip_piece *p = &l->pieces.items[i];
        if (p->wanted)
            continue;
        if (is_asked(l->part, p->origin.name))
            st = add_name(&l->report->unexpected,
                          dip_source_name(l->source, p->tensor), err);
        else
            l->report->elsewhere++;
    }
    return st;
}

dip_status dip_initial_load(dip_initial_report *report, dip_params *params,
                            dip_initial_part part, const dip_image_kind *image,
                            const char *path, dip_err *err)
{
    load l = {.report = report,
              .params = params,
              .part = part,
              .image = image,
              .path = path};
    *report = (dip_initial_report){0};
    l.pieces = (dip_pieces){.get = get_tensor, .user = &l};
    dip_status st = dip_source_open(&l.source, path, err);
    if (st == DIP_OK)
        st = read_names(&l, err);
    if (st == DIP_OK)
        st = take_all(&l, false, err);
    if (st == DIP_OK)
        st = note_unexpected(&l, err);
    if (st == DIP_OK && report->matched.count == 0)
        st = dip_fail(err, DIP_EDATA,
                      "nothing in '%s' is a weight of this model's %s: it "
                      "begins with '%s'",
                      path, part_names[part],
                      l.pieces.count > 0 ? dip_source_name(l.source, 0) : "");
    if (st == DIP_OK)
        st = take_all(&l, true, err);
    free(l.pieces.items);
    dip_source_close(l.source);
    return st;
}
