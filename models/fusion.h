/* Fusion: a product's fields, each encoded alone, into one embedding.
 *
 * A kind is one file and one row in the table of fusion.c. Most kinds read the
 * embeddings of the fields; some read the tokens of the towers.
 *
 * What stands in an absent field or token is replaced by zeros before anything
 * is computed of it, and masked where zeros would count: it has no influence on
 * values or gradients, even if it is no number. */
#ifndef DIP_MODELS_FUSION_H
#define DIP_MODELS_FUSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"
#include "base/status.h"
#include "models/encoder.h"
#include "models/layers.h"
#include "models/tower.h"
#include "tensor/tensor.h"

#define DIP_FUSION_FIELDS_MAX 16

typedef struct {
    const char *kind; /* weighted_average (default), or a name of the table */
    /* weighted_average: start of the weights, positive; all 0 = equal */
    double weights[DIP_FUSION_FIELDS_MAX];
    bool fixed;     /* weighted_average: the weights are not trained */
    int64_t hidden; /* concat_mlp: default 2 * embed_dim */
    /* concat_mlp: of the hidden layer; bilinear: of the products; attention:
     * after both branches of a block */
    double dropout;
    int64_t factors;  /* bilinear: numbers that are summed to one; default 5 */
    int64_t depth;    /* attention: blocks; default 2 */
    int64_t heads;    /* attention: default the most of at least 64 numbers */
    double mlp_ratio; /* attention: default 4 */
    dip_similarity similarity; /* cosine: results are unit rows */
} dip_fusion_options;

typedef enum {
    DIP_MODALITY_IMAGE,
    DIP_MODALITY_TEXT,
    DIP_MODALITY_ATTRIBUTE, /* a label or a number */
    DIP_MODALITY_COUNT
} dip_modality;

/* The fields of the model, in the order of the config. */
typedef struct {
    int count;
    dip_modality modality[DIP_FUSION_FIELDS_MAX];
    int64_t dim; /* D: of embeddings and of the result */
    /* Width of the tokens that the tower of a modality gives; 0: it has no
     * tower. Not needed for checks. */
    int64_t token_features[DIP_MODALITY_COUNT];
} dip_fusion_fields;

/* One field of B products, encoded. */
typedef struct {
    dip_tensor *features;  /* [B, F] of the tower; not read here */
    dip_tensor *embedding; /* F32 [B, D], for cosines unit rows */
    dip_tokens tokens;     /* of the tower; rows NULL: there are none */
} dip_encoded;

/* What the forward function of a kind gets: fields and tokens by place, zeros
 * where they are absent. */
typedef struct {
    dip_tensor *embeddings; /* F32 [B, fields, D] */
    dip_tensor *present;    /* BOOL [B, fields] */
    /* Of kinds that read tokens only: for each field its embedding and, behind
     * it, the tokens of its tower, projected to D numbers. */
    dip_tensor *tokens[DIP_FUSION_FIELDS_MAX]; /* F32 [B, N, D] */
    dip_tensor *masks[DIP_FUSION_FIELDS_MAX];  /* BOOL [B, N] */
    bool training;
} dip_fusion_input;

typedef struct dip_fusion dip_fusion;

typedef struct {
    const char *name;
    const char *summary;
    const char *const *options; /* those it reads, NULL-terminated */
    bool reads_tokens;
    /* May be NULL: nothing to check. */
    dip_status (*check)(dip_fusion_options *options,
                        const dip_fusion_fields *fields, dip_err *err);
    /* NULL only when memory is out. */
    dip_fusion *(*build)(const dip_fusion_options *options,
                         const dip_fusion_fields *fields,
                         const dip_maker *maker);
    /* [B, D] by dip_fusion_rows(); rows of products without any field may hold
     * any finite numbers. */
    dip_tensor *(*forward)(const dip_fusion *fusion,
                           const dip_fusion_input *in);
    void (*free)(dip_fusion *fusion);
} dip_fusion_kind;

/* What every fusion begins with; all set by dip_fusion_create(). */
struct dip_fusion {
    const dip_fusion_kind *kind;
    dip_fusion_fields fields;
    dip_similarity similarity;
    /* Of kinds that read tokens: image_tokens, text_tokens; weight NULL where a
     * modality has none. */
    dip_linear token_projections[DIP_MODALITY_COUNT];
};

int dip_fusion_kind_count(void);
const dip_fusion_kind *dip_fusion_kind_at(int i);
const dip_fusion_kind *dip_fusion_kind_find(const char *name);

/* Fills in defaults. DIP_ECONFIG names the option, with the prefix "fusion". */
dip_status dip_fusion_options_check(dip_fusion_options *options,
                                    const dip_fusion_fields *fields,
                                    dip_err *err) DIP_MUST_CHECK;

/* Ownership as in models/tower.h. */
dip_status dip_fusion_create(dip_fusion **out,
                             const dip_fusion_options *options,
                             const dip_fusion_fields *fields,
                             const dip_maker *maker,
                             dip_err *err) DIP_MUST_CHECK;
void dip_fusion_free(dip_fusion *fusion);

/* The blocks that the options ask for. */
dip_encoder_options dip_fusion_encoder(const dip_fusion_options *options,
                                       const dip_fusion_fields *fields);
/* What the kinds with attention share: the defaults and bounds of depth, heads,
 * mlp_ratio and dropout. */
dip_status dip_fusion_check_attention(dip_fusion_options *options,
                                      const dip_fusion_fields *fields,
                                      dip_err *err) DIP_MUST_CHECK;

/* What a forward function ends with: the rows of x [B, D] in F32, at unit
 * length where they are compared by cosines. */
dip_tensor *dip_fusion_rows(const dip_fusion *fusion, const dip_tensor *x);

/* Fields in the order of the config; present BOOL [B, fields]. Result F32
 * [B, D]: rows of the same kind as the embeddings, zeros where no field is
 * present. */
dip_tensor *dip_fusion_forward(const dip_fusion *fusion,
                               const dip_encoded *fields,
                               const dip_tensor *present, bool training);

#endif
