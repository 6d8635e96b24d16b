#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/dispatched.h"
#include "eval/scan_private.h"

enum { LANES = DIP_TILE_LANES, ROWS = DIP_TILE_ROWS };

/* What things cost, in eighths of a tile of rough scores: a tile of exact ones
 * is twice as much, a pair in doubt 1. Tiles with more doubts are made again.
 */
enum {
    ROUGH = 8,
    EXACT = 2 * ROUGH,
    MOST_DOUBTS = 48,
    SETBACK = 4,
    MOST_SETBACK = 16,
    START = 2 /* chunks before a list of the best can tell much */
};

/* Scores from `low` on, up to `high`, are in doubt or, if both are the level,
 * equal to it; those from `floor` on may be among the best. */
typedef struct {
    float floor[LANES];
    float low[DIP_SCAN_FEW][LANES], high[DIP_SCAN_FEW][LANES];
} bounds;

/* ---- setting up ---- */

static int64_t levels_of(const dip_panel *p, int64_t lane)
{
    return p->job->levels == NULL || lane >= p->count
               ? 0
               : p->job->levels[p->first + lane].count;
}

static void start_lane(dip_panel *p, int64_t lane)
{
    int64_t n = levels_of(p, lane);
    if (n > DIP_SCAN_FEW) {
        p->many = true;
        n = 0;
    }
    if (n > p->levels)
        p->levels = n;
    for (int64_t i = 0; i < DIP_SCAN_FEW; i++)
        p->level[i][lane] =
            i < n ? (float)p->job->levels[p->first + lane].items[i].score
                  : INFINITY;
    p->floor[lane] = INFINITY;
    if (p->job->best == NULL || lane >= p->count)
        return;
    p->floor[lane] = -INFINITY;
    dip_best *best = &p->best[lane];
    best->scan = p->scan;
    best->keys = p->job->keys;
    best->query = p->job->first + p->first + lane;
    dip_best_start(best);
}

void dip_panel_start(dip_panel *panel, const dip_scan *scan,
                     const dip_scan_job *job, int64_t first)
{
    int64_t left = job->count - first;
    panel->scan = scan;
    panel->job = job;
    panel->first = first;
    panel->count = left < LANES ? left : LANES;
    panel->levels = 0;
    panel->many = false;
    panel->cost = 0;
    panel->wait = job->best != NULL ? START : 0;
    panel->setback = SETBACK;
    memset(panel->rise, 0, sizeof panel->rise);
    memset(panel->above, 0, sizeof panel->above);
    memset(panel->equal, 0, sizeof panel->equal);
    memset(panel->n_doubts, 0, sizeof panel->n_doubts);
    for (int64_t lane = 0; lane < LANES; lane++)
        start_lane(panel, lane);
    panel->idle = job->best == NULL && panel->levels == 0 && !panel->many;
}

/* ---- tiles ---- */

DISPATCHED static void set_bounds(bounds *b, const dip_panel *p,
                                  const float *error)
{
    for (int64_t l = 0; l < LANES; l++)
        b->floor[l] = p->floor[l] - error[l];
    for (int64_t i = 0; i < p->levels; i++) {
        for (int64_t l = 0; l < LANES; l++) {
            b->low[i][l] = p->level[i][l] - error[l];
            b->high[i][l] = p->level[i][l] + error[l];
        }
    }
}

/* Marks the scores that want a closer look; returns how many. */
DISPATCHED static int32_t look_over(uint8_t found[ROWS][LANES],
                                    const float *scores, int64_t rows,
                                    const bounds *b, int64_t levels)
{
    int32_t sum = 0;
    for (int64_t m = 0; m < rows; m++) {
        const float *row = scores + m * LANES;
        int32_t here[LANES];
        for (int64_t l = 0; l < LANES; l++)
            here[l] = row[l] >= b->floor[l];
        for (int64_t i = 0; i < levels; i++) {
            for (int64_t l = 0; l < LANES; l++)
                here[l] |= (row[l] >= b->low[i][l]) & (row[l] <= b->high[i][l]);
        }
        for (int64_t l = 0; l < LANES; l++) {
            found[m][l] = (uint8_t)here[l];
            sum += here[l];
        }
    }
    return sum;
}

/* Whether any score may be among the best: most tiles have none, and this is
 * told sooner than which. */
DISPATCHED static bool has_best(const float *scores, int64_t rows,
                                const bounds *b)
{
    float most[LANES];
    memcpy(most, scores, sizeof most);
    for (int64_t m = 1; m < rows; m++) {
        for (int64_t l = 0; l < LANES; l++)
            most[l] = scores[m * LANES + l] > most[l] ? scores[m * LANES + l]
                                                      : most[l];
    }
    int32_t any = 0;
    for (int64_t l = 0; l < LANES; l++)
        any |= most[l] >= b->floor[l];
    return any != 0;
}

DISPATCHED static void count_above(dip_panel *p, const float *scores,
                                   int64_t rows, const bounds *b)
{
    for (int64_t i = 0; i < p->levels; i++) {
        int32_t rise[LANES] = {0};
        for (int64_t m = 0; m < rows; m++) {
            for (int64_t l = 0; l < LANES; l++)
                rise[l] += scores[m * LANES + l] > b->high[i][l];
        }
        for (int64_t l = 0; l < LANES; l++)
            p->rise[i][l] += rise[l];
    }
}

/* Counts a score, known within `error`, into the levels that it was in doubt
 * of; returns those for which it still is. */
static unsigned count_in(dip_panel *p, int64_t lane, unsigned levels,
                         float score, float error)
{
    unsigned left = 0;
    for (int64_t i = 0; i < p->levels; i++) {
        float level = p->level[i][lane];
        if ((levels >> i & 1) == 0)
            continue;
        if (score > level + error)
            p->above[i][lane]++;
        else if (score >= level - error)
            left |= 1U << i;
    }
    return left;
}

/* First by sums that are almost exact, which decide nearly all; then by those
 * that are. */
static void settle_doubts(dip_panel *p, int64_t lane)
{
    int64_t rows[DIP_TILE_PAIRS] = {0}, query = p->job->first + p->first + lane;
    float scores[DIP_TILE_PAIRS];
    dip_doubt *doubts = p->doubts[lane];
    int64_t n = p->n_doubts[lane], left = 0;
    for (int64_t i = 0; i < n; i++)
        rows[i] = doubts[i].row;
    if (n > 0)
        dip_scan_pairs_loose(p->scan, scores, query, rows, n);
    for (int64_t i = 0; i < n; i++) {
        float error = dip_tile_loose_error(
            p->norms[lane].norm, p->scan->most[rows[i] / DIP_SCAN_CHUNK].norm,
            p->scan->gallery->dim);
        unsigned levels = count_in(p, lane, doubts[i].levels, scores[i], error);
        rows[left] = rows[i];
        doubts[left] = (dip_doubt){rows[i], levels};
        left += levels != 0;
    }
    dip_scan_pairs(p->scan, scores, query, rows, left);
    for (int64_t i = 0; i < left; i++) {
        unsigned equal = count_in(p, lane, doubts[i].levels, scores[i], 0);
        for (int64_t j = 0; j < p->levels; j++)
            p->equal[j][lane] += equal >> j & 1;
    }
    p->n_doubts[lane] = 0;
}

static void take_best(dip_panel *p, int64_t lane, float score, int64_t row,
                      float error)
{
    dip_best *best = &p->best[lane];
    if (error == 0)
        dip_best_add(best, (dip_hit){score, row});
    else
        dip_best_suspect(best,
                         (dip_candidate){score - error, score + error, row});
    p->floor[lane] = best->lows[0];
}

/* One score that look_over() found; an error of 0 is that of exact ones. */
static void look_at(dip_panel *p, const bounds *b, int64_t lane, float score,
                    int64_t row, float error)
{
    unsigned within = 0;
    if (score >= b->floor[lane] && score >= p->floor[lane] - error)
        take_best(p, lane, score, row, error);
    for (int64_t i = 0; i < p->levels; i++) {
        if (score >= b->low[i][lane] && score <= b->high[i][lane])
            within |= 1U << i;
    }
    for (int64_t i = 0; error == 0 && i < p->levels; i++)
        p->equal[i][lane] += within >> i & 1;
    if (error == 0 || within == 0)
        return;
    p->cost++;
    p->doubts[lane][p->n_doubts[lane]++] = (dip_doubt){row, within};
    if (p->n_doubts[lane] == DIP_TILE_PAIRS)
        settle_doubts(p, lane);
}

static void look_at_row(dip_panel *p, const bounds *b, const uint8_t *found,
                        const float *scores, int64_t row, const float *error)
{
    enum { STEP = sizeof(uint64_t) };
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
                   "the lowest byte is the first");
    for (int64_t l = 0; l < p->count; l += STEP) {
        uint64_t any;
        memcpy(&any, found + l, sizeof any);
        for (; any != 0; any &= any - 1) {
            int64_t at = l + __builtin_ctzll(any) / CHAR_BIT;
            look_at(p, b, at, scores[at], row, error[at]);
        }
    }
}

bool dip_panel_take(dip_panel *panel, const float *scores, int64_t row,
                    int64_t rows, const float *error)
{
    static const float none[LANES];
    bounds b;
    uint8_t found[ROWS][LANES];
    bool exact = error == NULL;
    if (exact)
        error = none;
    set_bounds(&b, panel, error);
    int32_t sum = 0;
    if (panel->levels > 0 || has_best(scores, rows, &b))
        sum = look_over(found, scores, rows, &b, panel->levels);
    panel->cost += exact ? 0 : ROUGH;
    if (!exact && sum > MOST_DOUBTS) {
        panel->cost += EXACT;
        return false;
    }
    count_above(panel, scores, rows, &b);
    for (int64_t m = 0; m < rows && sum > 0; m++)
        look_at_row(panel, &b, found[m], scores + m * LANES, row + m, error);
    return true;
}

/* ---- queries of many levels ---- */

/* The first of sorted levels that is not above `score`; n if none. Multiplies
 * instead of branching: where a score falls cannot be predicted. */
static int64_t find_level(const dip_scan_level *levels, int64_t n, double score)
{
    int64_t low = 0;
    while (n > 1) {
        int64_t half = n / 2;
        low += (levels[low + half - 1].score > score) * half;
        n -= half;
    }
    return low + (levels[low].score > score);
}

/* `above` counts the scores between a level and the one before for now. */
static void count_many(const dip_scan_levels *levels, const float *scores,
                       int64_t rows)
{
    for (int64_t m = 0; m < rows; m++) {
        double score = (double)scores[m * LANES];
        int64_t l = find_level(levels->items, levels->count, score);
        if (l == levels->count)
            continue;
        if (levels->items[l].score == score)
            levels->items[l].equal++;
        else
            levels->items[l].above++;
    }
}

static void sum_up_many(const dip_scan_levels *levels)
{
    int64_t above = 0;
    for (int64_t l = 0; l < levels->count; l++) {
        above += levels->items[l].above;
        levels->items[l].above = above;
        above += levels->items[l].equal;
    }
}

/* ---- ends ---- */

bool dip_panel_may_be_rough(const dip_panel *panel)
{
    return panel->scan->rough != NULL && !panel->many;
}

bool dip_panel_is_rough(const dip_panel *panel)
{
    return dip_panel_may_be_rough(panel) && panel->wait == 0;
}

/* Does without rough scores for a while, and longer each time, when the last
 * ones cost more than they saved. */
static void weigh(dip_panel *p, int64_t rows)
{
    if (p->wait > 0) {
        p->wait--;
    } else if (p->cost > (rows + ROWS - 1) / ROWS * EXACT) {
        p->wait = p->setback;
        p->setback = p->setback < MOST_SETBACK ? 2 * p->setback : MOST_SETBACK;
    } else {
        p->setback = SETBACK;
    }
    p->cost = 0;
}

void dip_panel_end_chunk(dip_panel *panel, const float *scores, int64_t rows)
{
    weigh(panel, rows);
    for (int64_t i = 0; i < panel->levels; i++) {
        for (int64_t l = 0; l < LANES; l++)
            panel->above[i][l] += panel->rise[i][l];
    }
    memset(panel->rise, 0, sizeof panel->rise);
    for (int64_t l = 0; l < panel->count; l++) {
        if (levels_of(panel, l) > DIP_SCAN_FEW)
            count_many(panel->job->levels + panel->first + l, scores + l, rows);
    }
}

void dip_panel_settle(dip_panel *panel)
{
    for (int64_t l = 0; l < panel->count; l++) {
        settle_doubts(panel, l);
        if (panel->job->best != NULL)
            dip_best_settle(&panel->best[l]);
    }
}

void dip_panel_report(const dip_panel *panel)
{
    const dip_scan_job *job = panel->job;
    for (int64_t l = 0; l < panel->count; l++) {
        int64_t query = panel->first + l, n = levels_of(panel, l);
        for (int64_t i = 0; i < n && n <= DIP_SCAN_FEW; i++) {
            job->levels[query].items[i].above += panel->above[i][l];
            job->levels[query].items[i].equal += panel->equal[i][l];
        }
        if (n > DIP_SCAN_FEW)
            sum_up_many(job->levels + query);
        for (int64_t i = 0; job->best != NULL && i < panel->best[l].k; i++)
            dip_best_put(job->best + query * job->k, job->k, job->keys,
                         panel->best[l].hits[i]);
    }
}
