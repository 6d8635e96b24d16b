/* What the loader's threads do with a row: its texts, labels and image into
 * place `i` of a batch. No state but reused memory, so that the result does
 * not depend on what the thread did before. */
#ifndef DIP_DATA_LOADER_ROW_H
#define DIP_DATA_LOADER_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/loader.h"

/* Memory and contexts of one thread. */
typedef struct {
    dip_decoder *decoder;         /* NULL without images */
    dip_transformer *transformer; /* NULL without images */
    dip_str text;
} dip_row_worker;

/* End it with dip_row_worker_clear() also when this failed. */
dip_status dip_row_worker_init(dip_row_worker *worker,
                               const dip_loader_options *options,
                               dip_err *err) DIP_MUST_CHECK;
void dip_row_worker_clear(dip_row_worker *worker);

/* Texts, labels and attributes of batch->rows[i]. Messages name the row's id.
 */
dip_status dip_row_fill(dip_row_worker *worker,
                        const dip_loader_options *options, dip_batch *batch,
                        int64_t i, dip_err *err) DIP_MUST_CHECK;

/* Calls dip_catalog_image() for the row; the message names its id. */
dip_status dip_row_read_image(dip_image_source *out,
                              const dip_loader_options *options, int64_t row,
                              void *scratch, dip_err *err) DIP_MUST_CHECK;

/* The image of batch->rows[i] from its source. *skipped is true when it could
 * not be decoded and the policy takes it as absent. */
dip_status dip_row_fill_image(bool *skipped, dip_row_worker *worker,
                              const dip_loader_options *options,
                              const dip_image_source *source, dip_batch *batch,
                              int64_t i, dip_err *err) DIP_MUST_CHECK;

#endif
