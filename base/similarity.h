/* How two embeddings are compared: the greater the score, the nearer. */
#ifndef DIP_BASE_SIMILARITY_H
#define DIP_BASE_SIMILARITY_H

#include <stdbool.h>

/* name in configs and reports, what the score of two rows is */
#define DIP_SIMILARITY_TABLE(X)                                                \
    X(COSINE, "cosine", "dot product of unit rows")                            \
    X(EUCLIDEAN, "euclidean", "minus the squared distance of the rows")

typedef enum {
#define DIP_SIMILARITY_ENUM(name, word, score) DIP_SIMILARITY_##name,
    DIP_SIMILARITY_TABLE(DIP_SIMILARITY_ENUM)
#undef DIP_SIMILARITY_ENUM
        DIP_SIMILARITY_COUNT
} dip_similarity;

const char *dip_similarity_name(dip_similarity similarity);
/* False when `name` is none of the table. */
bool dip_similarity_parse(dip_similarity *out, const char *name);
const char *dip_similarity_score(dip_similarity similarity);

#endif
