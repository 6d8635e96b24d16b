/* The name that somebody probably meant. */
#ifndef DIP_BASE_CLOSEST_H
#define DIP_BASE_CLOSEST_H

#include <stddef.h>

/* The name of the `count` ones that is nearest to `word` by edit distance
 * (insert, delete, replace and swap of neighbours, ASCII case ignored), if that
 * is at most a third of the word's length, but at least 1; NULL otherwise, and
 * for words over 64 bytes. The first of equals. Borrowed from `names`. */
const char *dip_closest(const char *word, const char *const *names,
                        size_t count);

#endif
