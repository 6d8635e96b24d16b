/* The parts of a scan: lists of the best (eval/scan_best.c), what is found for
 * a panel of queries (eval/scan_panel.c), and the pass (eval/scan.c). */
#ifndef DIP_EVAL_SCAN_PRIVATE_H
#define DIP_EVAL_SCAN_PRIVATE_H

#include "eval/scan.h"
#include "tensor/tile_bf16.h"

#define DIP_SCAN_CHUNK                                                         \
    120 /* gallery rows that stay in a cache: whole tiles                      \
         */

/* Up to so many levels of a query are compared with all scores of a tile; where
 * there are more, each score is searched for among them. */
#define DIP_SCAN_FEW 8

struct dip_scan {
    const dip_embeddings *queries, *gallery;
    dip_tile tile;
    dip_tile_bf16 rough;  /* NULL: none, and then the following is, too */
    dip_bf16_norms *most; /* [chunks] greatest of the rows of each */
    int64_t couples;      /* of numbers of a rounded row, 0 behind the last */
    float *last;      /* [tile rows, dim] the last tile, 0 behind its rows */
    int64_t last_row; /* where it begins */
};

/* As dip_scan_pairs(), within dip_tile_loose_error(); in a scan with rough
 * scores only. */
void dip_scan_pairs_loose(const dip_scan *scan, float *scores, int64_t query,
                          const int64_t *rows, int64_t n);

/* ---- the best ---- */

/* A row whose score is known to be in [low, high]. */
typedef struct {
    float low, high;
    int64_t row;
} dip_candidate;

/* The k best rows of a query. Those whose scores are known stand in `hits`, the
 * others that may be among the best in `maybe`. */
typedef struct {
    const dip_scan *scan;
    const int64_t *keys;
    int64_t query, k;
    dip_hit *hits; /* [k], a heap with the worst at its root */
    float *lows;   /* [k], a heap with the least at its root: nothing below it
                    * can be one of the k best */
    dip_candidate *maybe; /* [room] */
    int64_t maybes, room;
} dip_best;

/* The room for a list of k. */
int64_t dip_best_room(int64_t k);

/* An empty list: hits of row -1. */
void dip_best_clear(dip_hit *hits, int64_t k);

/* Puts a hit into a heap of k if it is better than the worst there. */
void dip_best_put(dip_hit *heap, int64_t k, const int64_t *keys, dip_hit hit);

/* Makes a heap a list, the best first. */
void dip_best_sort(dip_hit *heap, int64_t k, const int64_t *keys);

void dip_best_start(dip_best *best);
void dip_best_add(dip_best *best, dip_hit hit);
void dip_best_suspect(dip_best *best, dip_candidate candidate);

/* Moves all of `maybe` that belong there into `hits`. */
void dip_best_settle(dip_best *best);

/* ---- a panel ---- */

/* A row that may or may not be above some of the levels of a query. */
typedef struct {
    int64_t row;
    unsigned levels; /* bit i: level i */
} dip_doubt;

/* Up to DIP_TILE_LANES queries. */
typedef struct {
    const dip_scan *scan;
    const dip_scan_job *job;
    int64_t first; /* query of the job */
    int64_t count;
    int64_t levels; /* most of a query that has few */
    bool many;      /* a query has many levels: exact scores only */
    bool idle;      /* nothing is asked for */
    dip_bf16_norms
        norms[DIP_TILE_LANES];   /* for rough scores; the caller's to set */
    float floor[DIP_TILE_LANES]; /* lower scores are not among the best */
    float level[DIP_SCAN_FEW][DIP_TILE_LANES];  /* infinite: none */
    int32_t rise[DIP_SCAN_FEW][DIP_TILE_LANES]; /* of `above`, in this chunk */
    int64_t above[DIP_SCAN_FEW][DIP_TILE_LANES];
    int64_t equal[DIP_SCAN_FEW][DIP_TILE_LANES];
    dip_best best[DIP_TILE_LANES];
    dip_doubt doubts[DIP_TILE_LANES][DIP_TILE_PAIRS];
    int64_t n_doubts[DIP_TILE_LANES];
    int64_t cost;    /* of rough scores in this chunk, see MOST_DOUBTS */
    int64_t wait;    /* chunks left to do without */
    int64_t setback; /* chunks to do without when they cost too much again */
} dip_panel;

/* Sets everything but `norms` and the arrays of `best`. */
void dip_panel_start(dip_panel *panel, const dip_scan *scan,
                     const dip_scan_job *job, int64_t first);

/* Whether rough scores are of use at all, and for the coming chunk. */
bool dip_panel_may_be_rough(const dip_panel *panel);
bool dip_panel_is_rough(const dip_panel *panel);

/* Takes the scores [rows, DIP_TILE_LANES] of gallery rows from `row` on, each
 * off by at most `error` of its lane; NULL: exact. False, and nothing is taken,
 * when so many are in doubt that the exact scores cost less. */
bool dip_panel_take(dip_panel *panel, const float *scores, int64_t row,
                    int64_t rows, const float *error);

/* After all tiles of a chunk, whose scores [rows, DIP_TILE_LANES] these are. */
void dip_panel_end_chunk(dip_panel *panel, const float *scores, int64_t rows);

/* Adds what was found to the job; other panels of its queries may do so before
 * and after, not at once. */
void dip_panel_settle(dip_panel *panel);
void dip_panel_report(const dip_panel *panel);

#endif
