/* Attributes: label and number columns of a catalog as fields of a product.
 * Each turns the value of a row into an embedding:
 *
 *   label         a table over the names that training knows, and one row more
 *                 for all others, [unknown]
 *   standardised  (number - mean) / deviation, through an MLP
 *   bucketised    a table over the ranges between ascending edges; a number
 *                 that equals an edge is in the range above it
 *
 * Mean, deviation and edges are buffers beside the weights, so that a file of
 * weights and a trace hold all that the raw numbers need. */
#ifndef DIP_MODELS_ATTRIBUTE_H
#define DIP_MODELS_ATTRIBUTE_H

#include <stdint.h>

#include "base/status.h"
#include "models/layers.h"
#include "tensor/tensor.h"

#define DIP_ATTRIBUTE_BUCKETS_MAX 256

/* name in configs and files, words */
#define DIP_ATTRIBUTE_TABLE(X)                                                 \
    X(NONE, "none", "no attribute: the photo or a text")                       \
    X(LABEL, "label", "embedding of a name")                                   \
    X(STANDARDISED, "standardised", "MLP of the standardised number")          \
    X(BUCKETISED, "bucketised", "embedding of the range of the number")

typedef enum {
#define DIP_ATTRIBUTE_ENUM(name, word, words) DIP_ATTRIBUTE_##name,
    DIP_ATTRIBUTE_TABLE(DIP_ATTRIBUTE_ENUM)
#undef DIP_ATTRIBUTE_ENUM
        DIP_ATTRIBUTE_COUNT
} dip_attribute_kind;

const char *dip_attribute_kind_name(dip_attribute_kind kind);

typedef struct {
    dip_attribute_kind kind;
    int64_t names;          /* label: [unknown] is the id behind them */
    double mean, deviation; /* standardised; the deviation is above 0 */
    int64_t hidden; /* standardised: width of the MLP's hidden layer; 0: the
                       number is mapped linearly */
    double edges[DIP_ATTRIBUTE_BUCKETS_MAX - 1]; /* bucketised: ascending */
    int edge_count; /* one less than the buckets; may be 0 */
} dip_attribute_options;

typedef struct dip_attribute dip_attribute;

/* DIP_ECONFIG names the field. NONE is allowed. */
dip_status dip_attribute_options_check(const dip_attribute_options *options,
                                       const char *field,
                                       dip_err *err) DIP_MUST_CHECK;

/* For embeddings of `dim` numbers; checked options of another kind than NONE.
 * Parameters go under the maker's path; ownership as in models/tower.h. */
dip_status dip_attribute_create(dip_attribute **out,
                                const dip_attribute_options *options,
                                int64_t dim, const dip_maker *maker,
                                dip_err *err) DIP_MUST_CHECK;
void dip_attribute_free(dip_attribute *attribute); /* NULL allowed */

/* values: for labels I64 [B], ids in [0, names], -1 = missing; for numbers F32
 * [B], missing where not finite. Result F32 [B, D], zeros where missing;
 * *present gets BOOL [B]. Follows tensor/tensor.h, and may be traced. */
dip_tensor *dip_attribute_forward(const dip_attribute *attribute,
                                  const dip_tensor *values,
                                  dip_tensor **present);

#endif
