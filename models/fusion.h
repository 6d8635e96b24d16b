/* Fusion: the embeddings of a product's fields into one.
 *
 * A kind is one file and one row in the table of fusion.c. */
#ifndef DIP_MODELS_FUSION_H
#define DIP_MODELS_FUSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"
#include "base/status.h"
#include "models/layers.h"
#include "tensor/tensor.h"

#define DIP_FUSION_FIELDS_MAX 16

typedef struct {
    const char *kind; /* weighted_average (default), concat_mlp */
    /* weighted_average: start of the weights, positive; all 0 = equal */
    double weights[DIP_FUSION_FIELDS_MAX];
    bool fixed;     /* weighted_average: the weights are not trained */
    int64_t hidden; /* concat_mlp: default 2 * embed_dim */
    double dropout; /* concat_mlp: of the hidden layer */
    dip_similarity similarity; /* cosine: results are unit rows */
} dip_fusion_options;

typedef struct dip_fusion dip_fusion;

typedef struct {
    const char *name;
    const char *summary;
    const char *const *options; /* those it reads, NULL-terminated */
    dip_status (*check)(dip_fusion_options *options, int fields, int64_t dim,
                        dip_err *err);
    /* NULL only when memory is out. */
    dip_fusion *(*build)(const dip_fusion_options *options, int fields,
                         int64_t dim, const dip_maker *maker);
    dip_tensor *(*forward)(const dip_fusion *fusion, dip_tensor *const *fields,
                           const dip_tensor *present, bool training);
    void (*free)(dip_fusion *fusion);
} dip_fusion_kind;

/* What every fusion begins with. */
struct dip_fusion {
    const dip_fusion_kind *kind;
    int fields;
    dip_similarity similarity; /* set by dip_fusion_create() */
};

int dip_fusion_kind_count(void);
const dip_fusion_kind *dip_fusion_kind_at(int i);
const dip_fusion_kind *dip_fusion_kind_find(const char *name);

/* Fills in defaults. DIP_ECONFIG names the option, with the prefix "fusion". */
dip_status dip_fusion_options_check(dip_fusion_options *options, int fields,
                                    int64_t dim, dip_err *err) DIP_MUST_CHECK;

/* For `fields` fields of `dim` numbers; ownership as in models/tower.h. */
dip_status dip_fusion_create(dip_fusion **out,
                             const dip_fusion_options *options, int fields,
                             int64_t dim, const dip_maker *maker,
                             dip_err *err) DIP_MUST_CHECK;
void dip_fusion_free(dip_fusion *fusion);

/* What a forward function ends with: the rows of x [B, D] at unit length where
 * they are compared by cosines, else as they are. */
dip_tensor *dip_fusion_rows(const dip_fusion *fusion, const dip_tensor *x);

/* fields[i] F32 [B, D] embeddings (unit rows for cosines), in the order of the
 * config; present BOOL [B, fields]. Result F32 [B, D]: rows of the same kind,
 * zeros where no field is present. What stands in an absent field has no
 * influence. */
dip_tensor *dip_fusion_forward(const dip_fusion *fusion,
                               dip_tensor *const *fields,
                               const dip_tensor *present, bool training);

#endif
