/* The texts of a batch as a tower should see them: each distinct one once, in
 * groups of similar length. Titles repeat, queries repeat more, and a tower's
 * work grows with the longest text beside. */
#ifndef DIP_TRAIN_TEXT_GROUPS_H
#define DIP_TRAIN_TEXT_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "data/loader.h"

#define DIP_TEXT_GROUPS_MAX 4

typedef struct {
    /* Of N texts: all of the first source, all of the second, and so on. */
    int64_t *rows;  /* [distinct] one text of each kind */
    int64_t *place; /* [N] where a text stands in `rows` */
    int64_t distinct;
    /* Group g is rows[ends[g - 1]] up to rows[ends[g]]; the first begins with
     * 0. A group's texts are cut to widths[g] tokens, at least 1. */
    int count;
    int64_t ends[DIP_TEXT_GROUPS_MAX], widths[DIP_TEXT_GROUPS_MAX];
} dip_text_groups;

/* Of `size` > 0 rows of each of `count` sources, in at most `most` groups of
 * at least `least` tokens; fewer groups where another would save too little.
 * Texts that all differ and stay together keep their order. Two are the same
 * when ids and lengths are. False when memory is out; end with
 * dip_text_groups_free() in any case. */
bool dip_text_groups_make(dip_text_groups *out,
                          const dip_batch_text *const *texts, int count,
                          int64_t size, int most, int64_t least);
void dip_text_groups_free(dip_text_groups *groups);

#endif
