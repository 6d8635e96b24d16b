/* Features of frozen towers over the train and val rows of a catalog, computed
 * once and kept in files.
 *
 * A tower whose parameters are all frozen gives a row the same features in
 * every epoch, unless chance changes what it sees: augmentation of photos,
 * dropout of words, one of several judged queries. Where nothing does, they are
 * read from features-<key>.safetensors, or computed and written there. The key
 * is a SHA-256 over all that features depend on: the tower's weights, data,
 * tokenizer and tower options of the config, the catalog, threads, precision.
 * A file that is damaged or of another key is computed anew. */
#ifndef DIP_APPS_FEATURE_CACHE_H
#define DIP_APPS_FEATURE_CACHE_H

#include "apps/embed.h"
#include "base/status.h"
#include "train/features.h"

/* Fills *out with what can be had of frozen towers of the model, whose
 * parameters are `params`, as train.feature_cache
 * says; sources that are not there must be sent through their tower. Says on
 * stderr, unless job->quiet, what was read and what was computed. In any case
 * the caller ends *out with dip_feature_cache_free(). */
dip_status dip_feature_cache_prepare(dip_features *out,
                                     const dip_embed_job *job,
                                     const dip_params *params,
                                     dip_err *err) DIP_MUST_CHECK;
void dip_feature_cache_free(dip_features *features);

#endif
