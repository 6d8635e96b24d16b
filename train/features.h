/* Features of frozen towers, computed once for each row of a catalog: training
 * and validation then start from them instead of photos and texts. */
#ifndef DIP_TRAIN_FEATURES_H
#define DIP_TRAIN_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/loader.h"
#include "tensor/tensor.h"

#define DIP_SOURCES_MAX 32

/* Of one photo or text per row, N rows. */
typedef struct {
    dip_tensor *values;  /* F32 [N, F] on the CPU, kept; NULL: there are none */
    dip_tensor *present; /* U8 [N], kept: 1 = the row has any, say a photo; all
                            1 for texts, whose lengths say it */
} dip_feature_table;

typedef struct {
    dip_feature_table image;
    dip_feature_table texts[DIP_SOURCES_MAX];
} dip_features;

/* Zeros for `rows` rows of `width` features. The caller ends it with
 * dip_feature_table_free(). */
dip_status dip_feature_table_create(dip_feature_table *out, int64_t rows,
                                    int64_t width, dip_err *err) DIP_MUST_CHECK;
void dip_feature_table_free(dip_feature_table *table); /* half-built allowed */

/* Puts the features [B, F] of a batch's rows into their places; `present`
 * [B] may be NULL: all of them. Failures stick. */
void dip_feature_table_put(const dip_feature_table *table,
                           const dip_batch *batch, const dip_tensor *features,
                           const uint8_t *present);
/* The features [B, F] of a batch's rows, in the open scope; failures stick. */
dip_tensor *dip_feature_table_take(const dip_feature_table *table,
                                   const dip_batch *batch, dip_device device);
/* BOOL [B]: which of a batch's rows have any. */
dip_tensor *dip_feature_table_present(const dip_feature_table *table,
                                      const dip_batch *batch,
                                      dip_device device);
/* Whether catalog row `row` has a photo. */
bool dip_feature_table_has(const dip_feature_table *table, int64_t row);

/* Writes the table under the name `key`, 64 hexadecimal digits that stand for
 * all that the features are made of; atomically. */
dip_status dip_feature_table_write(const dip_feature_table *table,
                                   const char *path, const char *key,
                                   dip_err *err) DIP_MUST_CHECK;
/* Reads it back: DIP_EFORMAT when it is of another key, shape or content than
 * was written. */
dip_status dip_feature_table_read(dip_feature_table *out, const char *path,
                                  const char *key, int64_t rows,
                                  dip_err *err) DIP_MUST_CHECK;

#endif
