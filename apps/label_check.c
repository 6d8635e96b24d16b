#include "apps/label_check.h"

#include <stdio.h>

#include "data/class_counts.h"

/* Of one label. */
typedef struct {
    int64_t rows, classes; /* of the train split */
    int64_t unmet;         /* classes of other splits alone */
    int32_t only, first;   /* a class that is met, and one that is not */
} learnt;

static learnt count_learnt(const dip_class_counts *counts)
{
    learnt out = {0};
    for (int64_t i = counts->count; i-- > 0;) { /* the rarest first */
        const dip_class_count *at = &counts->items[i];
        int64_t rows = at->split_rows[DIP_SPLIT_TRAIN];
        bool unmet = rows == 0 && at->rows > 0;
        out.rows += rows;
        out.classes += rows > 0;
        out.unmet += unmet;
        out.only = rows > 0 ? at->value : out.only;
        out.first = unmet ? at->value : out.first;
    }
    return out;
}

static void warn(const learnt *l, const dip_catalog *catalog, int column,
                 const char *label)
{
    dip_bytes only = dip_catalog_label_name(catalog, column, l->only);
    dip_bytes first = dip_catalog_label_name(catalog, column, l->first);
    if (l->classes == 1)
        (void)fprintf(stderr,
                      "diptych: warning: all training rows with the label '%s' "
                      "have the class '%.*s': there is nothing to tell apart\n",
                      label, (int)only.len, only.data);
    if (l->unmet > 0)
        (void)fprintf(stderr,
                      "diptych: warning: no training row has '%.*s'%s of the "
                      "label '%s', which other splits have\n",
                      (int)first.len, first.data,
                      l->unmet > 1 ? " and other classes" : "", label);
}

static dip_status check_head(const dip_corpus *c, int h, dip_err *err)
{
    const char *label = c->settings->model.heads[h].name;
    dip_class_counts counts;
    dip_status st =
        dip_class_counts_make(&counts, c->catalog, c->head_columns[h], err);
    if (st != DIP_OK)
        return st;
    learnt l = count_learnt(&counts);
    dip_class_counts_free(&counts);
    if (l.rows == 0)
        return dip_fail(err, DIP_EDATA,
                        "model.heads.%s: no row of the split 'train' has the "
                        "label '%s' in '%s'",
                        label, label, dip_catalog_path(c->catalog));
    warn(&l, c->catalog, c->head_columns[h], label);
    return DIP_OK;
}

dip_status dip_label_check(const dip_corpus *corpus, dip_err *err)
{
    const dip_settings *s = corpus->settings;
    dip_status st = DIP_OK;
    for (int h = 0; h < s->model.head_count && st == DIP_OK; h++) {
        if (s->head_weights[h] > 0)
            st = check_head(corpus, h, err);
    }
    return st;
}
