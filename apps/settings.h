/* A config as plain structs: what it says of texts, tasks, model and training,
 * before any catalog is opened. */
#ifndef DIP_APPS_SETTINGS_H
#define DIP_APPS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/options.h"
#include "base/config.h"
#include "base/status.h"
#include "data/catalog.h"
#include "data/loader.h"
#include "data/neighbour_sampler.h"
#include "data/tokenizer.h"
#include "eval/probe.h"
#include "eval/ranking.h"
#include "eval/sampled.h"
#include "image/transform.h"
#include "losses/loss.h"
#include "losses/matryoshka.h"
#include "losses/recommendation.h"
#include "models/initial.h"
#include "models/model.h"
#include "models/recommender.h"
#include "train/encode.h"
#include "train/loop.h"
#include "train/mixing.h"
#include "train/retrieval.h"

/* A text of each row that goes through the text tower. */
typedef struct {
    const char *name;     /* field, or NULL: a query's template */
    const char *template; /* NULL: judged queries */
    double word_dropout;
    const char *const *damage_labels;
    size_t damage_label_count;
    int damage_first_words;
    double damage_p;
    uint64_t damage_seed;
} dip_text_settings;

/* Of a product field that is a label or a number. */
typedef struct {
    const char *column; /* NULL: the field is neither */
    int64_t min_count;
    double unknown_dropout;
    int64_t buckets;
} dip_attribute_settings;

typedef struct {
    const char *name;
    int query; /* text source or DIP_SOURCE_IMAGE; of a mix the first */
    dip_query_mix mix;
    bool judged;
    bool fields[DIP_FUSION_FIELDS_MAX]; /* of dip_settings.fields */
    int field_count;                    /* true ones */
    const char *const *relevant_by;
    size_t relevant_by_count;
    double weight;
    bool distinct_queries;
    bool fields_alone, fields_removed, fields_permuted;
    /* Embeddings of a teacher's file; NULL: the task is not distilled. */
    const char *teacher_query, *teacher_product;
    const char *leak; /* field that holds what the query does; NULL: none */
} dip_task_settings;

typedef struct {
    const char *label;
    const char *const *templates;
    size_t template_count;
    bool of_product; /* else of the photo */
} dip_zero_shot_settings;

/* A label that embeddings are probed for (eval/probe.h). */
typedef struct {
    const char *label;
    bool of_product; /* else of the photo */
    dip_knn_options knn;
    dip_linear_options linear;
} dip_probe_settings;

/* A task that is also evaluated among sampled candidates. */
typedef struct {
    const char *task;
    dip_sampled_options options; /* without the seed */
    const char *category;        /* label or NULL */
} dip_sampled_settings;

/* Of the evaluation of retrieval. */
typedef struct {
    dip_ranking_options ranking; /* without what depends on the task */
    const char *const *slices;   /* see apps/evaluate_slices.h */
    size_t slice_count;
    const char *slice_metric; /* of rankings */
    dip_sampled_settings sampled[DIP_RETRIEVAL_TASKS_MAX];
    int sampled_count;
} dip_eval_settings;

typedef enum {
    DIP_CLASS_WEIGHTS_NONE,
    DIP_CLASS_WEIGHTS_BALANCED,
    DIP_CLASS_WEIGHTS_LIST
} dip_class_weights;

/* The cross-entropy of a head. */
typedef struct {
    double label_smoothing, dropout;
    dip_class_weights weights;
    const double *list;
    size_t list_count;
} dip_head_settings;

/* Of the task `recommendation`. */
typedef struct {
    dip_recommender_options model;
    dip_neighbour_options neighbours; /* of kinds that are sampled */
    const char *features;             /* file, or NULL */
    const char *features_name;
    const dip_recommendation_loss_kind *loss;
    bool cosine;
    double temperature, l2;
    int64_t negatives;
    int64_t depth; /* items of a list in an evaluation */
} dip_recommendation_settings;

typedef struct {
    dip_config *config; /* owned; all strings are its */
    dip_option *table;  /* of the config; owned */
    dip_task_kind task; /* recommendation: what else is of that task alone is in
                         * the next, and the rest of this is for the others;
                         * `tasks` has one, of the name alone. A classification
                         * has no tasks and no fields, but heads */
    dip_recommendation_settings recommendation;
    const char *name;
    uint64_t seed;

    const char *catalog;
    const char *image_column; /* NULL: the only one */
    dip_mapping mapping;      /* layout NULL: the catalog format */
    dip_transform transform;
    bool exif;
    int64_t max_pixels;
    dip_bad_image bad_image;

    dip_tokenizer_options tokenizer;
    int64_t context;
    const char *vectors; /* file of word vectors; NULL: none */
    dip_text_settings texts[DIP_SOURCES_MAX];
    int text_count;

    /* Of the products: "image" or a field; their sources (train/encode.h)
     * beside. */
    const char *fields[DIP_FUSION_FIELDS_MAX];
    int field_text[DIP_FUSION_FIELDS_MAX];
    dip_attribute_settings attributes[DIP_FUSION_FIELDS_MAX];
    int field_count;
    dip_task_settings tasks[DIP_RETRIEVAL_TASKS_MAX];
    int task_count;

    const char *init[DIP_INITIAL_PART_COUNT]; /* files of weights, or NULL */
    dip_model_config model; /* without what the data tell: vocabulary,
                               classes, names and statistics */
    double head_weights[DIP_MODEL_HEADS_MAX];
    dip_head_settings heads[DIP_MODEL_HEADS_MAX];
    dip_match_recipe match;
    dip_mixing mixing;          /* of classified photos */
    int64_t pretraining_epochs; /* of classified texts, the first ones */
    double mlm_probability;
    const dip_loss_kind *loss;
    dip_loss_options loss_options;
    dip_matryoshka matryoshka;
    const char *teacher;        /* file of a teacher's embeddings; NULL: none */
    const char *hard_negatives; /* file of them; NULL: none */
    dip_distill_recipe distill;
    int64_t blocked_from; /* rows of a batch; 0: never */
    int64_t queue;        /* rows of earlier batches for each task; 0: none */

    dip_loop_options loop; /* without what depends on the data */
    int64_t grad_cache;    /* rows that the towers see at a time; 0: all */
    int64_t epochs, batch_size, eval_batch_size;
    double field_dropout;
    int threads, loader_threads;
    int64_t keep_last, log_every;
    int precision; /* position among auto, fp32, bf16 */
    int device;    /* auto, cpu, cuda */
    const char *metric;
    const char *feature_cache; /* auto, off or a folder */

    dip_eval_settings eval;
    int64_t resamples;
    int64_t rerank;  /* products that are ranked again; 0: none */
    bool html;       /* a page beside the report */
    int64_t gallery; /* queries in each list of its galleries */
    dip_zero_shot_settings zero_shot[DIP_MODEL_HEADS_MAX];
    int zero_shot_count;
    dip_probe_settings knn[DIP_MODEL_HEADS_MAX];
    int knn_count;
    dip_probe_settings linear_probe[DIP_MODEL_HEADS_MAX];
    int linear_probe_count;
    int matching_task;             /* -1: none */
    const char *matching_category; /* label or NULL */
} dip_settings;

/* Reads a config file with overrides. All faults, a line each, are appended
 * to `faults`; then the result is DIP_ECONFIG. The caller ends *out with
 * dip_settings_free() in any case. */
dip_status dip_settings_load(dip_settings **out, const char *path,
                             const char *const *overrides, size_t count,
                             dip_str *faults, dip_err *err) DIP_MUST_CHECK;
void dip_settings_free(dip_settings *settings); /* NULL allowed */

#endif
