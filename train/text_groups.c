#include "train/text_groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One more pass through a tower has to save this share of its tokens. */
static const double WORTH = 0.125;

typedef struct {
    const int64_t *ids;
    int64_t length, index;
} text;

static int by_length(const void *left, const void *right)
{
    const text *a = left, *b = right;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    for (int64_t i = 0; i < a->length; i++) {
        if (a->ids[i] != b->ids[i])
            return a->ids[i] < b->ids[i] ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

static bool same(const text *a, const text *b)
{
    return a->length == b->length &&
           memcmp(a->ids, b->ids, (size_t)a->length * sizeof *a->ids) == 0;
}

/* Of texts that end with `last`. */
static int64_t width_of(const text *last, int64_t least)
{
    return last->length > least ? last->length : least;
}

/* Leaves the first of each kind, in place. */
static int64_t keep_distinct(dip_text_groups *out, text *texts, int64_t count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (kept == 0 || !same(&texts[kept - 1], &texts[i]))
            texts[kept++] = texts[i];
        out->place[texts[i].index] = kept - 1;
    }
    for (int64_t i = 0; i < kept; i++)
        out->rows[i] = texts[i].index;
    return kept;
}

/* Where to divide texts[begin, end): the tokens saved go to *saved. */
static int64_t best_cut(const text *texts, int64_t begin, int64_t end,
                        int64_t least, int64_t *saved)
{
    int64_t cut = begin, width = width_of(&texts[end - 1], least);
    *saved = 0;
    for (int64_t i = begin + 1; i < end; i++) {
        int64_t less = (i - begin) * (width - width_of(&texts[i - 1], least));
        if (less > *saved) {
            *saved = less;
            cut = i;
        }
    }
    return cut;
}

static int64_t begin_of(const dip_text_groups *groups, int g)
{
    return g > 0 ? groups->ends[g - 1] : 0;
}

/* Divides the group that saves most by it; false: none is worth it. */
static bool divide(dip_text_groups *out, const text *texts, int64_t least)
{
    int64_t most = 0, where = 0, tokens = 0;
    int group = 0;
    for (int g = 0; g < out->count; g++) {
        int64_t begin = begin_of(out, g), saved;
        int64_t cut = best_cut(texts, begin, out->ends[g], least, &saved);
        tokens +=
            (out->ends[g] - begin) * width_of(&texts[out->ends[g] - 1], least);
        if (saved > most) {
            most = saved;
            where = cut;
            group = g;
        }
    }
    if ((double)most <= WORTH * (double)tokens)
        return false;
    for (int g = out->count++; g > group; g--)
        out->ends[g] = out->ends[g - 1];
    out->ends[group] = where;
    return true;
}

static void make_groups(dip_text_groups *out, const text *texts, int most,
                        int64_t least)
{
    out->count = 1;
    out->ends[0] = out->distinct;
    while (out->count < most && divide(out, texts, least))
        ;
    for (int g = 0; g < out->count; g++)
        out->widths[g] = width_of(&texts[out->ends[g] - 1], least);
}

static void keep_order(dip_text_groups *out)
{
    for (int64_t i = 0; i < out->distinct; i++)
        out->rows[i] = out->place[i] = i;
}

bool dip_text_groups_make(dip_text_groups *out,
                          const dip_batch_text *const *texts, int count,
                          int64_t size, int most, int64_t least)
{
    size_t all = (size_t)count * (size_t)size;
    text *sorted = dip_calloc(all, sizeof *sorted);
    *out = (dip_text_groups){.rows = dip_calloc(all, sizeof(int64_t)),
                             .place = dip_calloc(all, sizeof(int64_t))};
    bool ok = sorted != NULL && out->rows != NULL && out->place != NULL;
    for (int64_t i = 0; ok && i < (int64_t)all; i++) {
        const dip_batch_text *source = texts[i / size];
        int64_t row = i % size;
        sorted[i] = (text){source->ids + row * source->context,
                           source->lengths[row], i};
    }
    if (ok) {
        qsort(sorted, all, sizeof *sorted, by_length);
        out->distinct = keep_distinct(out, sorted, (int64_t)all);
        make_groups(out, sorted, most, least > 1 ? least : 1);
        if (out->count == 1 && out->distinct == (int64_t)all)
            keep_order(out);
    }
    free(sorted);
    return ok;
}

void dip_text_groups_free(dip_text_groups *groups)
{
    free(groups->rows);
    free(groups->place);
    *groups = (dip_text_groups){0};
}
