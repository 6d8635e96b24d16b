#include "base/similarity.h"

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
