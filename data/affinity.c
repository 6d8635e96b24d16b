#include "data/affinity.h"

#include <math.h>
#include <string.h>

static double cosine(const dip_affinity_counts *n)
{
    return (double)n->both / sqrt((double)n->first * (double)n->second);
}

static double jaccard(const dip_affinity_counts *n)
{
    return (double)n->both / (double)(n->first + n->second - n->both);
}

static double confidence(const dip_affinity_counts *n)
{
    return (double)n->both / (double)n->first;
}

static double npmi(const dip_affinity_counts *n)
{
    if (n->both == n->all)
        return 1;
    double both = (double)n->both, all = (double)n->all;
    double together = log(both * all / ((double)n->first * (double)n->second));
    return fmax(0, together / log(all / both));
}

/* In the order of the table. */
static double (*const kinds[])(const dip_affinity_counts *n) = {
    cosine, jaccard, confidence, npmi};

bool dip_affinity_parse(dip_affinity *out, const char *word)
{
    static const char *const words[] = {
#define DIP_AFFINITY_WORD(name, text) text,
        DIP_AFFINITY_TABLE(DIP_AFFINITY_WORD)
#undef DIP_AFFINITY_WORD
    };
    for (int i = 0; i < DIP_AFFINITY_COUNT; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (dip_affinity)i;
            return true;
        }
    }
    return false;
}

double dip_affinity_of(dip_affinity kind, const dip_affinity_counts *counts)
{
    return kinds[kind](counts);
}
