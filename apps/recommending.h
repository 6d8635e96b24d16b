/* A catalog, the graph of its training interactions, and the model over it:
 * what training, evaluation and `diptych recommend` share. */
#ifndef DIP_APPS_RECOMMENDING_H
#define DIP_APPS_RECOMMENDING_H

#include <jansson.h>

#include "apps/settings.h"
#include "base/status.h"
#include "data/bipartite.h"
#include "eval/ranking.h"
#include "eval/topk.h"

typedef struct {
    dip_settings *owned;          /* of a loaded run, or NULL */
    const dip_settings *settings; /* borrowed, or `owned` */
    char *checkpoint;             /* folder that the weights came from */
    dip_catalog *catalog;
    dip_bipartite graph; /* train split */
    dip_recommender *model;
    json_t *features; /* {"path", "name", "width", "sha256"}; NULL: none */
    dip_device device;
} dip_recommending;

/* Opens the catalog and builds graph and model, at their start. End *out with
 * dip_recommending_end() in any case, as of the next. */
dip_status dip_recommending_open(dip_recommending *out,
                                 const dip_settings *settings,
                                 dip_err *err) DIP_MUST_CHECK;
/* A run with the weights of checkpoints/<which>; the catalog must be the one
 * that it was trained on (`data` says where it lies now, or NULL). */
dip_status dip_recommending_load(dip_recommending *out, const char *dir,
                                 const char *which, const char *data,
                                 const char *const *overrides, size_t count,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_recommending_end(dip_recommending *r);

/* The interactions of a split. */
int64_t dip_recommending_count(const dip_catalog *catalog, dip_split split);

/* The embeddings of all users and items. */
typedef struct {
    float *rows; /* [users + items, dim] */
    dip_embeddings users, items;
} dip_recommending_embeddings;

dip_status dip_recommending_embed(dip_recommending_embeddings *out,
                                  const dip_recommending *r,
                                  dip_err *err) DIP_MUST_CHECK;
void dip_recommending_embeddings_free(dip_recommending_embeddings *e);

/* The `depth` best items of each user of [first, first + count) that stand not
 * in `seen`, best first, into `out` [count, depth]; row -1 behind the last. */
dip_status dip_recommending_lists(dip_hit *out,
                                  const dip_recommending_embeddings *e,
                                  const dip_bipartite *seen, int64_t first,
                                  int64_t count, int64_t depth,
                                  dip_err *err) DIP_MUST_CHECK;

#endif
