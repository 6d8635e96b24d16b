/* Which options each task has. */
#include <stdbool.h>
#include <string.h>

#include "apps/options.h"
#include "base/mem.h"

/* Keys, and sections with their dot, that the task `recommendation` reads. */
static const char *const of_recommendation[] = {
    "task",
    "name",
    "seed",
    "data.catalog",
    "graph.",
    "recommendation.",
    "train.epochs",
    "train.batch_size",
    "train.accumulate",
    "train.optimizer",
    "train.lr",
    "train.weight_decay",
    "train.beta1",
    "train.beta2",
    "train.eps",
    "train.momentum",
    "train.nesterov",
    "train.schedule",
    "train.warmup_steps",
    "train.min_lr_ratio",
    "train.clip_grad_norm",
    "train.ema.",
    "train.device",
    "train.threads",
    "train.validate_every",
    "train.checkpoint_every",
    "train.keep_last",
    "train.metric",
    "train.patience",
    "train.log_every",
    "eval.k",
    "eval.ties",
    "eval.gain",
    "eval.count_empty",
    "eval.max_grade",
    "eval.rbp_persistence",
    "eval.bootstrap",
};

static bool is_among(const char *key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]);
        bool section = names[i][n - 1] == '.';
        if (strncmp(key, names[i], n) == 0 && (section || key[n] == '\0'))
            return true;
    }
    return false;
}

/* What neither task of classification reads, and what only one does. */
static const char *const not_of_classes[] = {
    "graph.",
    "recommendation.",
    "tasks.",
    "loss.",
    "model.embed_dim",
    "model.image_projection.",
    "model.text_projection.",
    "model.fusion.",
    "model.match.",
    "model.similarity",
    "model.temperature",
    "model.fixed_temperature",
    "model.heads.*.input",
    "init.model",
    "train.field_dropout",
    "train.grad_cache",
    "train.hard_negatives",
    "eval.ties",
    "eval.gain",
    "eval.count_empty",
    "eval.max_grade",
    "eval.rbp_persistence",
    "eval.rerank",
    "eval.slice_metric",
    "eval.gallery",
    "eval.sampled.",
    "eval.zero_shot.",
    "eval.matching.",
    "eval.knn.",
    "eval.linear_probe.",
    "fields.*.label",
    "fields.*.number",
    "fields.*.form",
    "fields.*.buckets",
    "fields.*.hidden",
    "fields.*.min_count",
    "fields.*.unknown_dropout",
};
static const char *const of_photos[] = {
    "data.image",
    "data.image_size",
    "data.resize",
    "data.resample",
    "data.mean",
    "data.std",
    "data.exif",
    "data.max_pixels",
    "data.bad_image",
    "augment.",
    "init.image",
    "model.image.",
    "classification.mixup",
    "classification.cutmix",
    "train.lr_scale.image",
    "train.channels_last",
};
static const char *const of_texts[] = {
    "tokenizer.",          "fields.",
    "init.text",           "model.text.",
    "classification.text", "train.lr_scale.text",
    "pretraining.",
};

#define IS_AMONG(key, names) is_among((key), (names), DIP_ARRAY_LEN(names))

static bool is_of_task(const char *key, dip_task_kind task)
{
    static const char *const alone[] = {"graph.", "recommendation.",
                                        "classification.", "pretraining."};
    switch (task) {
    case DIP_TASK_RETRIEVAL:
        return !IS_AMONG(key, alone);
    case DIP_TASK_RECOMMENDATION:
        return IS_AMONG(key, of_recommendation);
    case DIP_TASK_IMAGE_CLASSIFICATION:
        return !IS_AMONG(key, not_of_classes) && !IS_AMONG(key, of_texts);
    case DIP_TASK_TEXT_CLASSIFICATION:
        return !IS_AMONG(key, not_of_classes) && !IS_AMONG(key, of_photos);
    }
    return false;
}

dip_option *dip_options_of_task(size_t *count, dip_task_kind task)
{
    size_t rows;
    const dip_option *all = dip_options_table(&rows);
    dip_option *table = dip_calloc(rows, sizeof *table);
    *count = 0;
    for (size_t i = 0; table != NULL && i < rows; i++) {
        if (is_of_task(all[i].key, task))
            table[(*count)++] = all[i];
    }
    return table;
}
