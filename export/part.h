/* The parts of a model that serve alone, each a function from tensors to rows:
 *
 *   image_encoder   images F32 [B, 3, S, S]                    -> [B, D]
 *   text_encoder    ids I64 [B, T], lengths I64 [B]            -> [B, D]
 *   field_<i>_<name> labels I64 [B] or numbers F32 [B]         -> [B, D]
 *   fusion          fields F32 [B, F, D], present BOOL [B, F]  -> [B, D]
 *   product_encoder the inputs of export/product.h             -> [B, D]
 *   scorer          ids I64 [Q, T], lengths I64 [Q] of queries, then the inputs
 *                   of export/product.h                        -> [Q, B]
 *   head_<i>_<name> what the head takes                        -> [B, classes]
 *   match           queries F32 [B, D], products F32 [B, D]    -> [B, 1]
 *
 * A product encoder stands in place of a fusion that reads tokens. A head takes
 * an embedding [B, D], or photos or texts where it reads the features of a
 * tower. The match classifier gives the probability that the query and the
 * product of a row belong together. */
#ifndef DIP_EXPORT_PART_H
#define DIP_EXPORT_PART_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "export/gate.h"
#include "export/samples.h"
#include "export/scorer.h"
#include "export/signature.h"
#include "models/model.h"

/* A model has a fusion or a product encoder, never both. */
#define DIP_PARTS_MAX     (5 + DIP_FUSION_FIELDS_MAX + DIP_MODEL_HEADS_MAX)
#define DIP_PART_NAME_MAX 64 /* the names of long labels are cut */

typedef enum {
    DIP_PART_IMAGES,
    DIP_PART_TEXTS,
    DIP_PART_FIELDS,
    DIP_PART_PRODUCT,
    DIP_PART_SCORER,
    DIP_PART_EMBEDDING,
    DIP_PART_LABELS,
    DIP_PART_NUMBERS,
    DIP_PART_MATCH,
} dip_part_input;

typedef struct {
    char name[DIP_PART_NAME_MAX];
    dip_part_input input;
    int head;        /* of the model; -1: none */
    int field;       /* of the model, an attribute; -1: none */
    bool raw_images; /* photos are U8 [B, S, S, 3] in what it is said to take */
    const dip_samples *samples;
} dip_part;

/* The parts for which `samples` has inputs. Returns how many. */
int dip_part_list(dip_part parts[DIP_PARTS_MAX], const dip_model *model,
                  const dip_samples *samples);

#define DIP_PART_INPUTS_MAX (2 + DIP_PRODUCT_INPUTS_MAX)
/* Writes what the part takes, in order; returns how many. */
int dip_part_inputs(dip_signature inputs[DIP_PART_INPUTS_MAX],
                    const dip_part *part);
void dip_part_output(dip_signature *output, const dip_part *part,
                     const dip_model *model);
/* The rows [N, D] of the samples that a head over an embedding takes; NULL when
 * there are none. */
float *dip_part_embedding_rows(const dip_part *part, const dip_model *model);
/* The rows [N, D] of queries for products, or of photos where these are the
 * queries; NULL when there are none. */
float *dip_part_query_rows(const dip_samples *samples);
/* The rows of `model`, in eval mode; follows tensor/tensor.h. */
dip_tensor *dip_part_compute(const dip_part *part, const dip_model *model,
                             dip_tensor *const *inputs);
/* Whether the part reads the parameter of this name. */
bool dip_part_needs(const dip_part *part, const dip_model *model,
                    const char *parameter);
/* {"inputs": […], "output": …}: names, types and shapes; NULL when memory is
 * out. */
json_t *dip_part_describe(const dip_part *part, const dip_model *model);

/* Passes the gate on all samples: texts cut to 3 tokens, to the longest text
 * and padded to the context; fields as they are and with some hidden.
 * `artefact` names the file; `tolerance` is that of its format. */
dip_status dip_part_verify(dip_gate_report *report, const dip_part *part,
                           const dip_model *model, const char *artefact,
                           const dip_gate_side *side, double tolerance,
                           dip_err *err) DIP_MUST_CHECK;

#endif
