#include <math.h>
#include <string.h>

#include "base/dispatched.h"
#include "eval/scan_private.h"

enum { LANES = DIP_TILE_LANES, ROWS = DIP_TILE_ROWS };

/* A pair in doubt is made again at some 16 times the cost of one in a tile. */
#define MOST_DOUBTS (ROWS * LANES / 16)

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
        p->exact = true;
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
    panel->exact = scan->rough == NULL;
    memset(panel->rise, 0, sizeof panel->rise);
    memset(panel->above, 0, sizeof panel->above);
    memset(panel->equal, 0, sizeof panel->equal);
    memset(panel->n_doubts, 0, sizeof panel->n_doubts);
    bool many = false;
    for (int64_t lane = 0; lane < LANES; lane++) {
        start_lane(panel, lane);
        many |= levels_of(panel, lane) > DIP_SCAN_FEW;
    }
    panel->idle = job->best == NULL && panel->levels == 0 && !many;
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

/* Sets found[m] to the number of scores of row m that want a closer look;
 * returns their sum. */
DISPATCHED static int32_t look_over(int32_t found[ROWS], const float *scores,
                                    int64_t rows, const bounds *b,
                                    int64_t levels)
{
    int32_t sum = 0;
    for (int64_t m = 0; m < rows; m++) {
        const float *row = scores + m * LANES;
        int32_t here = 0;
        for (int64_t l = 0; l < LANES; l++)
            here += row[l] >= b->floor[l];
        for (int64_t i = 0; i < levels; i++) {
            for (int64_t l = 0; l < LANES; l++)
                here += (row[l] >= b->low[i][l]) & (row[l] <= b->high[i][l]);
        }
        found[m] = here;
        sum += here;
    }
    return sum;
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

static void settle_doubts(dip_panel *p, int64_t lane)
{
    int64_t rows[DIP_TILE_PAIRS] = {0}, n = p->n_doubts[lane];
    float scores[DIP_TILE_PAIRS];
    for (int64_t i = 0; i < n; i++)
        rows[i] = p->doubts[lane][i].row;
    dip_scan_pairs(p->scan, scores, p->job->first + p->first + lane, rows, n);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < p->levels; j++) {
            if ((p->doubts[lane][i].levels >> j & 1) == 0)
                continue;
            p->above[j][lane] += scores[i] > p->level[j][lane];
            p->equal[j][lane] += scores[i] == p->level[j][lane];
        }
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
    p->doubts[lane][p->n_doubts[lane]++] = (dip_doubt){row, within};
    if (p->n_doubts[lane] == DIP_TILE_PAIRS)
        settle_doubts(p, lane);
}

bool dip_panel_take(dip_panel *panel, const float *scores, int64_t row,
                    int64_t rows, const float *error)
{
    static const float none[LANES];
    bounds b;
    int32_t found[ROWS];
    set_bounds(&b, panel, error != NULL ? error : none);
    int32_t sum = look_over(found, scores, rows, &b, panel->levels);
    if (error != NULL && sum > MOST_DOUBTS)
        return false;
    count_above(panel, scores, rows, &b);
    for (int64_t m = 0; m < rows && sum > 0; m++) {
        for (int64_t l = 0; l < panel->count && found[m] > 0; l++)
            look_at(panel, &b, l, scores[m * LANES + l], row + m,
                    error != NULL ? error[l] : 0);
    }
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

void dip_panel_end_chunk(dip_panel *panel, const float *scores, int64_t rows)
{
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
