#include "models/pieces.h"

#include <string.h>

/* The piece that holds a third of `name`; NULL when there is none. */
static dip_piece *find(const dip_pieces *pieces, const char *name, int third)
{
    for (int i = 0; i < pieces->count; i++) {
        dip_piece *p = &pieces->items[i];
        if (p->origin.first <= third &&
            third < p->origin.first + p->origin.count &&
            strcmp(p->origin.name, name) == 0)
            return p;
    }
    return NULL;
}

/* Thirds `first` to `end` of the whole, out of what a piece holds. */
static dip_tensor *cut(const dip_pieces *pieces, const dip_piece *p, int first,
                       int end, bool transposed)
{
    dip_tensor *t = pieces->get(pieces->user, p->tensor);
    if (p->origin.transposed != transposed && dip_tensor_ndim(t) == 2)
        t = dip_t_transpose(t, 0, 1);
    if (end - first == p->origin.count || dip_tensor_ndim(t) == 0)
        return t;
    int64_t third = dip_tensor_size(t, 0) / p->origin.count;
    return dip_t_narrow(t, 0, (first - p->origin.first) * third,
                        (end - first) * third);
}

dip_tensor *dip_pieces_assemble(dip_pieces *pieces, const dip_origin_name *want)
{
    dip_tensor *parts[DIP_ORIGIN_THIRDS] = {0};
    int count = 0, end = want->first + want->count;
    for (int third = want->first; third < end; count++) {
        dip_piece *p = find(pieces, want->name, third);
        if (!p)
            return NULL;
        int last = p->origin.first + p->origin.count;
        last = last < end ? last : end;
        parts[count] = cut(pieces, p, third, last, want->transposed);
        p->wanted = true;
        third = last;
    }
    return count == 1 ? parts[0] : dip_t_cat(parts, count, 0);
}
