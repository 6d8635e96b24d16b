/* From how much things are worth to grades, a list at a time: the items of a
 * query, the neighbours of a product. Grades are in [0, scale]; what is worth
 * nothing has grade 0, and a higher value never a lower grade. */
#ifndef DIP_DATA_GRADING_H
#define DIP_DATA_GRADING_H

#include <stdbool.h>
#include <stdint.h>

/* name, word on the command line; what part of the scale a value v gets, with
 * f(v) = v, or log(1 + v) where `log` is set
 *   relative  f(v) / f(highest of the list)
 *   absolute  f(v) / f(full), at most 1
 *   rank      (n - higher values) / n, with n values above 0 in the list */
#define DIP_GRADING_TABLE(X)                                                   \
    X(RELATIVE, "relative")                                                    \
    X(ABSOLUTE, "absolute")                                                    \
    X(RANK, "rank")

typedef enum {
#define DIP_GRADING_ENUM(name, word) DIP_GRADING_##name,
    DIP_GRADING_TABLE(DIP_GRADING_ENUM)
#undef DIP_GRADING_ENUM
        DIP_GRADING_COUNT
} dip_grading_kind;

typedef struct {
    dip_grading_kind kind;
    double scale; /* the highest grade, above 0 */
    double full;  /* absolute: the value that gets it, above 0 */
    bool log;
    bool whole; /* grades are rounded up to whole numbers */
} dip_grading;

/* False when `word` is none of the table. */
bool dip_grading_parse(dip_grading_kind *out, const char *word);

/* Grades of `count` values, which are 0 or more and do not rise. */
void dip_grading_list(float *grades, const double *values, int64_t count,
                      const dip_grading *grading);

#endif
