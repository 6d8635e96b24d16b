/* A catalog as a config sees it: columns found, templates compiled, rules of
 * relevance turned into keys, a tokenizer, loaders. */
#ifndef DIP_APPS_CORPUS_H
#define DIP_APPS_CORPUS_H

#include <pthread.h>
#include <stdint.h>

#include "apps/settings.h"
#include "base/status.h"
#include "data/catalog.h"
#include "data/damage.h"
#include "data/loader.h"
#include "data/relevance.h"
#include "data/row_text.h"
#include "data/tokenizer.h"
#include "train/features.h"

typedef struct {
    const dip_settings *settings; /* borrowed */
    dip_catalog *catalog;
    int image_column; /* -1: none */
    dip_row_text *formats[DIP_SOURCES_MAX];
    dip_damage *damages[DIP_SOURCES_MAX];
    dip_row_queries judged; /* of the train split; rows 0 when not asked for */
    dip_row_keys keys[DIP_RETRIEVAL_TASKS_MAX];
    int head_columns[DIP_MODEL_HEADS_MAX]; /* -1: the catalog has none */
    /* By product field: its column, -1 for photos and texts; and for a label
     * the ids of its classes, which dip_fields_bind() sets. */
    int attribute_columns[DIP_FUSION_FIELDS_MAX];
    int64_t *attribute_ids[DIP_FUSION_FIELDS_MAX];
    dip_attribute_source attributes[DIP_FUSION_FIELDS_MAX];
    int attribute_count;
    const dip_tokenizer *tokenizer; /* borrowed */
    /* Loaders do not read photos whose features are here; borrowed or NULL. */
    const dip_features *features;
    float *class_weights[DIP_MODEL_HEADS_MAX]; /* of heads; NULL: all 1 */
    dip_text_source sources[DIP_SOURCES_MAX];
    /* Of all loaders: a validation reads while the training's loader reads
     * ahead. */
    pthread_mutex_t *hdf5_lock;
} dip_corpus;

/* Opens `path` (NULL: what the settings say) and binds everything but the
 * tokenizer and the ids of attributes (apps/fields.h). Label columns of heads
 * and of the evaluation that are missing, and judgements, are errors only if
 * `training`. Warnings go to stderr. The caller ends *out with
 * dip_corpus_free(). */
dip_status dip_corpus_open(dip_corpus **out, const dip_settings *settings,
                           const char *path, bool training,
                           dip_err *err) DIP_MUST_CHECK;
void dip_corpus_free(dip_corpus *corpus); /* NULL allowed */

/* Calls `fn` with every text of the train split, fields and queries, as they
 * are without word dropout; borrowed for the call. Another status than DIP_OK
 * ends it. */
typedef dip_status (*dip_corpus_text_fn)(void *user, dip_bytes text,
                                         dip_err *err);
dip_status dip_corpus_each_text(const dip_corpus *corpus, dip_corpus_text_fn fn,
                                void *user, dip_err *err) DIP_MUST_CHECK;
/* A tokenizer of all texts of the train split, or of the files that the
 * settings name; NULL without a text tower. The caller owns *out. */
dip_status dip_corpus_build_tokenizer(dip_tokenizer **out,
                                      const dip_corpus *corpus,
                                      dip_err *err) DIP_MUST_CHECK;
/* Must be called before a loader is made. */
void dip_corpus_set_tokenizer(dip_corpus *corpus,
                              const dip_tokenizer *tokenizer);

/* Says on stderr how many texts of the train split are cut to the context;
 * nothing when none is. */
dip_status dip_corpus_warn_cut(const dip_corpus *corpus,
                               dip_err *err) DIP_MUST_CHECK;

/* A loader over the split: shuffled, augmented and without an incomplete last
 * batch to train; in order to evaluate. */
dip_status dip_corpus_loader(dip_loader **out, const dip_corpus *corpus,
                             dip_split split, bool train,
                             dip_err *err) DIP_MUST_CHECK;
/* A loader over `rows` of the catalog in their order, as to evaluate; without
 * their photos where nobody looks at them. */
dip_status dip_corpus_rows_loader(dip_loader **out, const dip_corpus *corpus,
                                  const int64_t *rows, int64_t count,
                                  bool photos, dip_err *err) DIP_MUST_CHECK;
/* The same rows as to evaluate, in batches of the same sizes, in an order that
 * is a function of the seed: whose values a row gets when those of all rows are
 * dealt out anew. */
dip_status dip_corpus_dealt_loader(dip_loader **out, const dip_corpus *corpus,
                                   dip_split split,
                                   dip_err *err) DIP_MUST_CHECK;
/* Says on stderr how many times the loader could not decode a photo and took it
 * for missing (data.bad_image: skip); nothing when it never did. */
void dip_corpus_warn_skipped(const dip_loader *loader, dip_split split);

#endif
