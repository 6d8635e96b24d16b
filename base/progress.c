#include "base/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/term.h"
#include "base/utf8.h"

#define BAR_COLUMNS      20
#define REDRAW_SECONDS   0.1
#define LINE_SECONDS     10.0
#define CLEAR_LINE       "\r\033[K"
#define SMALLEST_FOR_BAR 60 /* columns; below it the figures stand alone */

struct dip_progress {
    FILE *stream;
    char *label;
    char *unit;
    dip_str suffix;
    int64_t first;
    int64_t done;
    int64_t total;
    double start;  /* seconds of the monotonic clock */
    double redraw; /* when the next line is due */
    bool terminal;
    bool drawn; /* the bar stands on the terminal */
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void free_progress(dip_progress *progress)
{
    free(progress->label);
    free(progress->unit);
    dip_str_free(&progress->suffix);
    free(progress);
}

dip_progress *dip_progress_start(const dip_progress_options *options)
{
    if (options->quiet)
        return NULL;
    dip_progress *progress = dip_calloc(1, sizeof *progress);
    if (progress == NULL)
        return NULL;
    progress->stream = options->stream;
    progress->label = dip_strdup(options->label);
    progress->unit = dip_strdup(options->unit);
    if (progress->label == NULL || progress->unit == NULL) {
        free_progress(progress);
        return NULL;
    }
    progress->first = options->first;
    progress->done = options->first;
    progress->total = options->total;
    progress->terminal = dip_term_is_terminal(options->stream);
    progress->start = now();
    progress->redraw =
        progress->start + (progress->terminal ? 0.0 : LINE_SECONDS);
    return progress;
}

/* ---- the text ---- */

void dip_progress_time(dip_str *out, double seconds)
{
    if (!(seconds >= 0 && seconds < 1e9)) {
        dip_str_add(out, "-:--");
        return;
    }
    long whole = lround(seconds);
    long hours = whole / 3600;
    if (hours > 0)
        dip_str_addf(out, "%ld:%02ld:%02ld", hours, whole / 60 % 60,
                     whole % 60);
    else
        dip_str_addf(out, "%ld:%02ld", whole / 60, whole % 60);
}

static void add_bar(dip_str *out, double share)
{
    int filled = (int)(share * BAR_COLUMNS);
    dip_str_add(out, " [");
    for (int i = 0; i < BAR_COLUMNS; i++)
        dip_str_add(out, i < filled ? "#" : ".");
    dip_str_add(out, "]");
}

static void add_rate(dip_str *out, double rate, const char *unit)
{
    if (!(rate > 0) || !isfinite(rate))
        return;
    dip_str_addf(out, " \xc2\xb7 %.*f %s/s", rate < 9.95 ? 2 : 0, rate, unit);
}

void dip_progress_line(dip_str *out, const dip_progress_state *state, int width)
{
    dip_str line = {0};
    double rate = (double)(state->done - state->first) / state->seconds;
    dip_str_add(&line, state->label);
    if (state->total > 0) {
        double share = (double)state->done / (double)state->total;
        share = fmin(fmax(share, 0.0), 1.0);
        if (width == 0 || width >= SMALLEST_FOR_BAR)
            add_bar(&line, share);
        dip_str_addf(&line, " %lld/%lld %s %d %%", (long long)state->done,
                     (long long)state->total, state->unit, (int)(100 * share));
    } else {
        dip_str_addf(&line, " %lld %s", (long long)state->done, state->unit);
    }
    add_rate(&line, rate, state->unit);
    if (state->total > 0 && state->done < state->total) {
        dip_str_add(&line, " \xc2\xb7 ETA ");
        dip_progress_time(&line, (double)(state->total - state->done) / rate);
    } else {
        dip_str_add(&line, " \xc2\xb7 ");
        dip_progress_time(&line, state->seconds);
    }
    if (state->suffix[0] != '\0')
        dip_str_addf(&line, " \xc2\xb7 %s", state->suffix);
    (void)dip_utf8_fit(out, dip_str_text(&line), line.len,
                       width > 0 ? (size_t)width : SIZE_MAX);
    dip_str_free(&line);
}

/* ---- drawing ---- */

/* One line of the present state; on a terminal one column is left free, since
 * some wrap when the last is filled. */
static void draw(dip_progress *progress, double time)
{
    dip_progress_state state = {
        .label = progress->label,
        .unit = progress->unit,
        .suffix = dip_str_text(&progress->suffix),
        .first = progress->first,
        .done = progress->done,
        .total = progress->total,
        .seconds = time - progress->start,
    };
    dip_str line = {0};
    if (progress->terminal) {
        dip_str_add(&line, CLEAR_LINE);
        dip_progress_line(&line, &state, dip_term_width(progress->stream) - 1);
    } else {
        dip_progress_line(&line, &state, 0);
        dip_str_add(&line, "\n");
    }
    (void)fputs(dip_str_text(&line), progress->stream);
    (void)fflush(progress->stream);
    dip_str_free(&line);
    progress->drawn = progress->terminal;
    progress->redraw =
        time + (progress->terminal ? REDRAW_SECONDS : LINE_SECONDS);
}

void dip_progress_update(dip_progress *progress, int64_t done,
                         const char *suffix)
{
    if (progress == NULL)
        return;
    progress->done = done;
    if (suffix != NULL) {
        dip_str_clear(&progress->suffix);
        dip_str_add(&progress->suffix, suffix);
    }
    double time = now();
    if (time >= progress->redraw)
        draw(progress, time);
}

void dip_progress_clear(dip_progress *progress)
{
    if (progress == NULL || !progress->drawn)
        return;
    (void)fputs(CLEAR_LINE, progress->stream);
    (void)fflush(progress->stream);
    progress->drawn = false;
    progress->redraw = 0;
}

void dip_progress_finish(dip_progress *progress)
{
    if (progress == NULL)
        return;
    draw(progress, now());
    if (progress->terminal) {
        (void)fputs("\n", progress->stream);
        (void)fflush(progress->stream);
    }
    free_progress(progress);
}
