/* Checkpoints of a run directory:
 *
 *   checkpoints/step-00000500/model.safetensors
 *                             ema.safetensors (averaged weights, where a
 *                                              run keeps them)
 *                             optimizer.safetensors
 *                             memory.safetensors (rows of earlier batches,
 *                                                 where a loss reads them)
 *                             state.json
 *   checkpoints/latest -> step-00000500, checkpoints/best -> …
 *
 * A checkpoint is written under a temporary name, synced and renamed; the links
 * are replaced after it. state.json holds all else that an exact resume needs
 * and the SHA-256 of the other files. */
#ifndef DIP_TRAIN_CHECKPOINT_H
#define DIP_TRAIN_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/params.h"
#include "train/optimizer.h"

/* Where a run stands between two updates. */
typedef struct {
    int64_t step;  /* updates done */
    int64_t epoch; /* of the next batch, from 0 */
    int64_t batch; /* of the next batch within the epoch, from 0 */
    int64_t samples;
    double seconds; /* of training so far */
    double cpu_seconds;
    int64_t peak_bytes; /* most memory that was resident; 0: not known */
    uint64_t seed;
    int threads;
    bool has_best;
    double best; /* of the metric that decides */
    int64_t best_step;
    int64_t without_gain; /* validations since the best one */
} dip_train_state;

typedef struct {
    const char *dir;   /* the run directory's "checkpoints" */
    int64_t keep_last; /* older ones are removed, but those of the links */
} dip_checkpoints;

/* What a checkpoint holds beside the state; all borrowed. */
typedef struct {
    dip_params *params;
    dip_params *averages;     /* of the weights, by the same names; or NULL */
    dip_optimizer *optimizer; /* NULL: only the weights */
    dip_params *memory;       /* of the recipe (train/queue.h), or NULL */
} dip_checkpoint_parts;

/* Writes the checkpoint of state->step and points "latest" at it, and "best"
 * when `best`. */
dip_status dip_checkpoint_write(const dip_checkpoints *checkpoints,
                                const dip_train_state *state,
                                const dip_checkpoint_parts *parts, bool best,
                                dip_err *err) DIP_MUST_CHECK;

/* The folder behind a link ("latest", "best") or of a step's name. The caller
 * frees *path. DIP_ENOTFOUND when there is none. */
dip_status dip_checkpoint_find(char **path, const char *dir, const char *name,
                               dip_err *err) DIP_MUST_CHECK;

/* Reads state.json of the checkpoint `path` and checks it. */
dip_status dip_checkpoint_read_state(dip_train_state *state, const char *path,
                                     dip_err *err) DIP_MUST_CHECK;
/* Reads all parts that are not NULL. Each must have the digest that state.json
 * names; averages that are wanted and not there are DIP_ENOTFOUND. */
dip_status dip_checkpoint_read(const char *path,
                               const dip_checkpoint_parts *parts,
                               dip_err *err) DIP_MUST_CHECK;

#endif
