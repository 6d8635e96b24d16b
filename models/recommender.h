/* Models of who will like what: embeddings of users and items from the graph of
 * who had what. The score of an item is the dot product of the two.
 *
 * Nodes are users 0 .. U - 1 and items U .. U + I - 1. What a node starts from
 * is a row of `embedding.weight` [U + I, D]. Where items have features (say the
 * embeddings of a product model), a linear layer of these, `features.*`, is
 * added to it, and an item that has no neighbours starts from its features
 * alone, so that a new item has a place.
 *
 * A kind is one file and one row in models/recommenders.h. All share one struct
 * of options, in which zero, false and NULL mean "the default of this kind";
 * each lists those that it reads, and setting any other is an error. */
#ifndef DIP_MODELS_RECOMMENDER_H
#define DIP_MODELS_RECOMMENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "models/layers.h"
#include "tensor/params.h"
#include "tensor/tensor.h"

#define DIP_RECOMMENDER_LAYERS_MAX 8

typedef struct {
    const char *kind;       /* name of a row */
    int64_t dim;            /* D; default 64 */
    int64_t layers;         /* default: lightgcn 3, sage 2 */
    const char *aggregator; /* sage: mean (default), max, lstm */
    bool normalize;         /* sage: unit rows after each layer */
    double dropout;         /* sage: between layers */
} dip_recommender_options;

/* Neighbours of each node, in both directions; as data/bipartite.h has them.
 * Borrowed for the life of the model. */
typedef struct {
    int64_t users, items;
    const int64_t *offsets;    /* [users + items + 1] */
    const int32_t *neighbours; /* [offsets[users + items]] nodes */
} dip_recommender_graph;

/* Features of items, copied. */
typedef struct {
    int64_t width;       /* F; 0: there are none */
    const float *values; /* [items, F]; NULL: zeros, until weights are loaded */
} dip_recommender_features;

/* The nodes that are asked for and what they are made of; see
 * data/neighbour_sampler.h. */
typedef struct {
    const int64_t *counts;  /* [layers + 1] nodes known after each hop */
    const int64_t *nodes;   /* [counts[layers]] */
    const int64_t *offsets; /* [counts[layers - 1] + 1] */
    const int64_t *sources; /* places in `nodes` */
} dip_recommender_part;

typedef struct dip_recommender dip_recommender;

typedef struct {
    const char *name, *summary;
    const char *const *options; /* names of what it reads, NULL at the end */
    bool sampled;               /* it learns from parts of the graph */
    dip_status (*check)(dip_recommender_options *options, dip_err *err);
    dip_recommender *(*build)(const dip_recommender_options *options,
                              const dip_maker *maker);
    /* As dip_recommender_forward(). */
    dip_tensor *(*forward)(dip_recommender *model,
                           const dip_recommender_part *part, bool training);
    void (*free)(dip_recommender *model);
} dip_recommender_kind;

/* What all kinds begin with. */
struct dip_recommender {
    const dip_recommender_kind *kind;
    dip_recommender_options options;
    dip_recommender_graph graph;
    dip_params *params;
    dip_tensor *embedding; /* [U + I, D] */
    dip_tensor *features;  /* [I, F] a buffer, or NULL */
    dip_linear from_features;
    dip_tensor *warm; /* [U + I, 1] 1 where a node has neighbours; NULL without
                       * features */
};

int dip_recommender_kind_count(void);
const dip_recommender_kind *dip_recommender_kind_at(int i);
/* NULL when there is none of this name. */
const dip_recommender_kind *dip_recommender_kind_find(const char *name);

/* Fills in defaults; DIP_ECONFIG begins with the name of the option. */
dip_status dip_recommender_check(dip_recommender_options *options,
                                 dip_err *err) DIP_MUST_CHECK;

/* `features` may be NULL. The caller ends *out with dip_recommender_free(). */
dip_status dip_recommender_create(dip_recommender **out,
                                  const dip_recommender_options *options,
                                  const dip_recommender_graph *graph,
                                  const dip_recommender_features *features,
                                  uint64_t seed, dip_err *err) DIP_MUST_CHECK;
void dip_recommender_free(dip_recommender *model); /* NULL allowed */

dip_params *dip_recommender_params(const dip_recommender *model);

/* What the nodes [n] start from: [n, D]. */
dip_tensor *dip_recommender_start(const dip_recommender *model,
                                  const dip_tensor *nodes);
/* The embeddings [counts[0], D] of the nodes that a part is about; with part
 * NULL of all nodes, [U + I, D]. A sampled kind computes those of all layer by
 * layer and block by block, from all neighbours, and without gradients. */
dip_tensor *dip_recommender_forward(dip_recommender *model,
                                    const dip_recommender_part *part,
                                    bool training);

/* Writes the embeddings of all nodes, [U + I, D], without gradients. A user
 * without any neighbour gets the mean of those who have some: nothing is known
 * of him but that he is a user. */
dip_status dip_recommender_embed(float *out, dip_recommender *model,
                                 dip_err *err) DIP_MUST_CHECK;

/* Numbers as a tensor [n], int64, where the model is. */
dip_tensor *dip_recommender_index(const dip_recommender *model,
                                  const int64_t *numbers, int64_t n);

#endif
