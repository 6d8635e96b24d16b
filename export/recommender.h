/* The bundle of a recommender: what the last layer says of all users and items,
 * as tables, and in the formats with a graph a scorer over them.
 *
 *   embeddings.safetensors   user_embeddings F32 [U, D],
 *                            item_embeddings F32 [I, D]
 *   users.json  items.json   the id of each row
 *   scorer.pt, scorer.onnx   users I64 [B] -> scores F32 [B, I]: dot products
 *   samples.safetensors      users I64 [n], and what is best for them: items
 *                            I64 and scores F32 [n, DIP_RECOMMENDER_TOP]
 *   config.yaml  manifest.json
 *
 * The files are read back and pass the gate: scores of users that are spread
 * over the table. */
#ifndef DIP_EXPORT_RECOMMENDER_H
#define DIP_EXPORT_RECOMMENDER_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "export/format.h"

#define DIP_RECOMMENDER_TOP 20

/* All borrowed. */
typedef struct {
    const dip_export_format *format;
    dip_onnx_options onnx;
    int64_t user_count, item_count, dim; /* each at least 1 */
    float *users, *items;                /* [U, D], [I, D] */
    const json_t *user_ids, *item_ids;   /* arrays of strings */
    const char *config_path;             /* copied to config.yaml */
    const char *version;                 /* of the program */
    json_t *run;                         /* object: name, checkpoint, step */
    json_t *data;                        /* object: where the ids come from */
    int64_t rows;        /* users to verify on; fewer where items are many */
    int64_t sample_rows; /* users of samples.safetensors */
} dip_recommender_bundle;

/* As dip_bundle_write(). */
dip_status dip_recommender_bundle_write(dip_gate_report *report,
                                        const dip_recommender_bundle *bundle,
                                        const char *dir,
                                        dip_err *err) DIP_MUST_CHECK;

#endif
