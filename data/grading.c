#include "data/grading.h"

#include <math.h>
#include <string.h>

/* What would be a whole number but for rounding stays that number. */
#define ROUNDING 1e-9

/* Where a value stands in its list. */
typedef struct {
    double value, highest;
    int64_t above, positive; /* values that are higher; that are above 0 */
} place;

static double squash(const dip_grading *g, double value)
{
    return g->log ? log1p(value) : value;
}

static double relative(const dip_grading *g, const place *p)
{
    return squash(g, p->value) / squash(g, p->highest);
}

static double absolute(const dip_grading *g, const place *p)
{
    return fmin(1.0, squash(g, p->value) / squash(g, g->full));
}

static double rank(const dip_grading *g, const place *p)
{
    (void)g;
    return (double)(p->positive - p->above) / (double)p->positive;
}

/* In the order of the table. */
static double (*const shares[])(const dip_grading *g,
                                const place *p) = {relative, absolute, rank};

bool dip_grading_parse(dip_grading_kind *out, const char *word)
{
    static const char *const words[] = {
#define DIP_GRADING_WORD(name, text) text,
        DIP_GRADING_TABLE(DIP_GRADING_WORD)
#undef DIP_GRADING_WORD
    };
    for (int i = 0; i < DIP_GRADING_COUNT; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (dip_grading_kind)i;
            return true;
        }
    }
    return false;
}

void dip_grading_list(float *grades, const double *values, int64_t count,
                      const dip_grading *g)
{
    place p = {.highest = count > 0 ? values[0] : 0};
    while (p.positive < count && values[p.positive] > 0)
        p.positive++;
    for (int64_t i = 0; i < count; i++) {
        double grade = 0;
        p.value = values[i];
        if (i > 0 && values[i] < values[i - 1])
            p.above = i;
        if (p.value > 0)
            grade = g->scale * shares[g->kind](g, &p);
        grades[i] = (float)(g->whole ? ceil(grade - ROUNDING) : grade);
    }
}
