/* A progress bar: count, rate, time to go, and words of the caller. On a
 * terminal one line is redrawn at most ten times a second; elsewhere a line is
 * written about every ten seconds. */
#ifndef DIP_BASE_PROGRESS_H
#define DIP_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/str.h"

typedef struct dip_progress dip_progress;

typedef struct {
    FILE *stream;      /* borrowed; stderr in the program */
    const char *label; /* "import", "train"; copied */
    const char *unit;  /* what is counted: "rows", "steps"; copied */
    int64_t total;     /* 0 = unknown */
    int64_t first;     /* where the count starts: a resumed run's step */
    bool quiet;        /* write nothing */
} dip_progress_options;

/* NULL when quiet or out of memory, which every function here accepts: a bar
 * is no reason to fail. */
dip_progress *dip_progress_start(const dip_progress_options *options);

/* Says that `done` of the total are done; `suffix` (may be NULL) follows, say
 * "loss 1.23 · wait 3 %". Cheap enough for every row. One thread only. */
void dip_progress_update(dip_progress *progress, int64_t done,
                         const char *suffix);

/* Takes the bar off the terminal, so that the caller can write a line; the
 * next update draws it again. */
void dip_progress_clear(dip_progress *progress);

/* Writes the last state and a line end, and frees. Accepts NULL. */
void dip_progress_finish(dip_progress *progress);

/* ---- the text, for tests and other displays ---- */

typedef struct {
    const char *label;
    const char *unit;
    const char *suffix; /* "" for none */
    int64_t first;
    int64_t done;
    int64_t total;  /* 0 = unknown */
    double seconds; /* since the start */
} dip_progress_state;

/* Appends one line without its end, at most `width` columns (0 = any). */
void dip_progress_line(dip_str *out, const dip_progress_state *state,
                       int width);

/* Appends "0:07", "12:34" or "1:02:03"; "-:--" for what is negative or not
 * finite. */
void dip_progress_time(dip_str *out, double seconds);

#endif
