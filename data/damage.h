/* Dropping words of a text: as a fixed damage to the data, to ask what a model
 * does when titles say less; and as a training augmentation. Words are what
 * white space separates. */
#ifndef DIP_DATA_DAMAGE_H
#define DIP_DATA_DAMAGE_H

#include <stdint.h>

#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "data/catalog.h"

typedef struct {
    /* Label columns. A word that also stands in the row's value of one of
     * them may be dropped. Compared are the case-folded letters and digits
     * without a plural ending, so that "Tshirts" finds "T-shirt". */
    const int *labels;
    int label_count;
    int first_words; /* so may these: often the brand */
    double p;        /* probability for each such word, 0 to 1 */
    uint64_t seed;
} dip_damage_options;

typedef struct dip_damage dip_damage;

/* Borrows the catalog, which must outlive *out. */
dip_status dip_damage_create(dip_damage **out,
                             const dip_damage_options *options,
                             const dip_catalog *catalog,
                             dip_err *err) DIP_MUST_CHECK;
void dip_damage_free(dip_damage *damage);

/* Takes the words that are hit out of `text`. A pure function of the options,
 * the row and the text: the same in every epoch and split. All words may go.
 * Out of memory sticks in `text`. */
void dip_damage_apply(const dip_damage *damage, dip_str *text, int64_t row);

/* Takes each word out with probability `p`; the first stays when all would
 * go. */
void dip_word_dropout(dip_str *text, double p, dip_rng *rng);

#endif
