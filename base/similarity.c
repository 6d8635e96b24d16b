#include "base/similarity.h"

#include <string.h>

static const char *const NAMES[] = {
#define NAME(name, word, score) word,
    DIP_SIMILARITY_TABLE(NAME)
#undef NAME
};

static const char *const SCORES[] = {
#define SCORE(name, word, score) score,
    DIP_SIMILARITY_TABLE(SCORE)
#undef SCORE
};

const char *dip_similarity_name(dip_similarity similarity)
{
    return NAMES[similarity];
}

const char *dip_similarity_score(dip_similarity similarity)
{
    return SCORES[similarity];
}

bool dip_similarity_parse(dip_similarity *out, const char *name)
{
    for (int i = 0; i < DIP_SIMILARITY_COUNT; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            *out = (dip_similarity)i;
            return true;
        }
    }
    return false;
}
