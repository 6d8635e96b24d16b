#include "models/spelled.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/pieces.h"

typedef struct {
    dip_spelled *out;
    const dip_params *params;
    unsigned spelling;
    dip_pieces pieces; /* of the parameters */
} work;

bool dip_spelled_covers(const char *const *covered, const char *name)
{
    for (; *covered; covered++)
        if (strncmp(name, *covered, strlen(*covered)) == 0)
            return true;
    return false;
}

static dip_tensor *get_parameter(void *user, int i)
{
    const work *w = user;
    return dip_t_detach(dip_params_tensor(w->params, i));
}

static dip_status find_pieces(work *w, const char *const *covered, dip_err *err)
{
    int total = dip_params_count(w->params);
    w->pieces.items = dip_calloc((size_t)total, sizeof *w->pieces.items);
    if (!w->pieces.items)
        return dip_no_memory(err);
    for (int i = 0; i < total; i++) {
        dip_piece *p = &w->pieces.items[w->pieces.count];
        const char *name = dip_params_name(w->params, i);
        p->tensor = i;
        if (dip_spelled_covers(covered, name) &&
            dip_origin_read(&p->origin, name, NULL))
            w->pieces.count++;
    }
    return DIP_OK;
}

/* The tensor with as many dimensions as the name asks for: of one, in front. */
static dip_tensor *shape_for(dip_tensor *t, const char *name, unsigned spelling)
{
    int64_t sizes[8];
    int ndim = dip_tensor_ndim(t);
    int wanted = dip_origin_ndim(name, spelling);
    if (dip_tensor_failed() || wanted == 0 || wanted == ndim)
        return t;
    for (int i = 0; i < wanted; i++) {
        int from = i - wanted + ndim;
        sizes[i] = from < 0 ? 1 : dip_tensor_size(t, from);
    }
    return dip_t_reshape(t, wanted, sizes);
}

static bool is_there(const dip_spelled *out, const char *name)
{
    for (int i = 0; i < out->count; i++)
        if (strcmp(out->items[i].name, name) == 0)
            return true;
    return false;
}

static dip_status add(work *w, const char *name, const char *ours, dip_err *err)
{
    dip_origin_name want;
    const char *part = strncmp(ours, "image.", 6) == 0  ? "image"
                       : strncmp(ours, "text.", 5) == 0 ? "text"
                                                        : NULL;
    bool alone = (w->spelling & DIP_SPELLING_ALONE) != 0;
    if (is_there(w->out, name))
        return dip_fail(err, DIP_EDATA, "two weights would be '%s'", name);
    if (!dip_origin_read(&want, name, alone ? part : NULL) ||
        strcmp(want.name, ours) != 0)
        return dip_fail(err, DIP_EDATA, "'%s' cannot be spelled as '%s'", ours,
                        name);
    dip_named_tensor *item = &w->out->items[w->out->count];
    char *copy = dip_strdup(name);
    if (!copy)
        return dip_no_memory(err);
    item->name = copy;
    w->out->count++;
    item->tensor = dip_t_contiguous(
        shape_for(dip_pieces_assemble(&w->pieces, &want), name, w->spelling));
    return dip_tensor_status(err);
}

/* Whether an earlier piece is of the same weights. */
static bool is_spelled(const dip_pieces *pieces, int i)
{
    for (int j = 0; j < i; j++)
        if (strcmp(pieces->items[j].origin.name,
                   pieces->items[i].origin.name) == 0)
            return true;
    return false;
}

static dip_status spell_all(work *w, dip_err *err)
{
    char names[DIP_ORIGIN_THIRDS][DIP_ORIGIN_NAME_MAX];
    dip_status st = DIP_OK;
    /* One more than may be, for the caller. */
    w->out->items = dip_calloc((size_t)w->pieces.count * DIP_ORIGIN_THIRDS + 1,
                               sizeof *w->out->items);
    if (!w->out->items)
        return dip_no_memory(err);
    for (int i = 0; i < w->pieces.count && st == DIP_OK; i++) {
        const char *ours = w->pieces.items[i].origin.name;
        int count = is_spelled(&w->pieces, i)
                        ? 0
                        : dip_origin_write(names, ours, w->spelling);
        for (int n = 0; n < count && st == DIP_OK; n++)
            st = add(w, names[n], ours, err);
    }
    for (int i = 0; i < w->pieces.count; i++)
        w->out->taken += w->pieces.items[i].wanted;
    return st;
}

dip_status dip_spelled_make(dip_spelled *out, const dip_params *params,
                            const char *const *covered, unsigned spelling,
                            dip_err *err)
{
    work w = {.out = out, .params = params, .spelling = spelling};
    w.pieces = (dip_pieces){.get = get_parameter, .user = &w};
    *out = (dip_spelled){0};
    dip_status st = find_pieces(&w, covered, err);
    if (st == DIP_OK)
        st = spell_all(&w, err);
    free(w.pieces.items);
    return st;
}

void dip_spelled_free(dip_spelled *spelled)
{
    for (int i = 0; i < spelled->count; i++)
        free((char *)spelled->items[i].name);
    free(spelled->items);
    *spelled = (dip_spelled){0};
}
