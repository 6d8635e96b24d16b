/* The model: image tower, text tower, projections into one space, attributes,
 * fusion of a product's fields, temperature, classification heads, and a match
 * classifier over a query and a product. A classifier of photos or of texts has
 * one tower and heads over its features.
 *
 * Parameters are named image.*, text.*, image_projection.*, text_projection.*,
 * fields.<name>.*, fusion.*, heads.<name>.*, match.*, masked.*, logit_scale,
 * logit_bias.
 * One text tower serves all text fields and the queries.
 *
 * Functions from dip_model_encode_image() on follow tensor/tensor.h: results in
 * the open scope, failures stick. They read no size of the batch unless
 * training, so each can be traced. */
#ifndef DIP_MODELS_MODEL_H
#define DIP_MODELS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"
#include "base/status.h"
#include "models/attribute.h"
#include "models/fusion.h"
#include "models/lora.h"
#include "models/tower.h"
#include "tensor/params.h"
#include "tensor/tensor.h"

#define DIP_MODEL_HEADS_MAX 16

/* What a head sees: name, words. Embeddings are the rows that are compared;
 * features come from the towers, before projection. */
#define DIP_HEAD_INPUT_TABLE(X)                                                \
    X(PRODUCT, "product", "embedding of the fused product")                    \
    X(IMAGE, "image", "embedding of the photo")                                \
    X(TEXT, "text", "embedding of the first text field")                       \
    X(IMAGE_FEATURES, "image_features", "features of the image tower")         \
    X(TEXT_FEATURES, "text_features", "features of the text tower")

typedef enum {
#define DIP_HEAD_INPUT_ENUM(name, string, words) DIP_HEAD_##name,
    DIP_HEAD_INPUT_TABLE(DIP_HEAD_INPUT_ENUM)
#undef DIP_HEAD_INPUT_ENUM
        DIP_HEAD_INPUT_COUNT
} dip_head_input;

const char *dip_head_input_name(dip_head_input input);
/* -1 for an unknown name. */
int dip_head_input_find(const char *name);

typedef struct {
    int64_t hidden; /* 0 = linear without bias, as CLIP; else one hidden layer
                       of this width with GELU */
    double dropout; /* of the hidden layer */
    bool bias;      /* of the last layer, as SigLIP's text; a text of length 0
                       still gives zeros */
    bool none;      /* the features, embed_dim of them, are projected already:
                       those of CLIP's residual networks, sentence encoders */
} dip_projection_options;

typedef struct {
    const char *name; /* of the label column; no dots */
    int64_t classes;
    dip_head_input input;
} dip_head_options;

/* The towers that a model has. */
typedef enum {
    DIP_TOWERS_BOTH,
    DIP_TOWERS_IMAGE,
    DIP_TOWERS_TEXT
} dip_model_towers;

/* Strings are borrowed by dip_model_create() for its duration. */
typedef struct {
    /* A model of one tower has neither fields nor a match classifier; its
     * embedding is the tower's features without a projection, whatever
     * embed_dim and the projections say, and its temperature is fixed. The
     * options of the other tower are not looked at. */
    dip_model_towers towers;
    dip_image_options image;
    dip_text_options text;
    int64_t embed_dim; /* D; 0 = 512 */
    dip_projection_options image_projection, text_projection;
    dip_fusion_options fusion;
    /* The product's fields: "image", the name of a text field, or, where the
     * options beside it say so, of an attribute (then without dots); none = no
     * fusion. */
    const char *fields[DIP_FUSION_FIELDS_MAX];
    dip_attribute_options attributes[DIP_FUSION_FIELDS_MAX];
    int field_count;
    dip_similarity similarity;
    /* Start of 1 / scale. Cosine: 0 = .07, within [.01, 1]; Euclidean: 0 = 1,
     * within [.01, 100], since distances have no bound. */
    double temperature;
    bool fixed_temperature;
    bool has_bias; /* the logits of the loss have a trained bias (SigLIP) */
    double bias;   /* its start */
    dip_head_options heads[DIP_MODEL_HEADS_MAX];
    int head_count;
    int64_t match_hidden; /* width of the match classifier; 0: there is none */
    bool tells_masked;    /* a text tower has a head for it (models/masked.h) */
    dip_lora_options lora;
    uint64_t seed; /* of the initial values */
} dip_model_config;

/* Fills in all defaults, tables included, and refuses the impossible with
 * DIP_ECONFIG: "image.patch: 8 does not divide image_size 65". */
dip_status dip_model_config_check(dip_model_config *config,
                                  dip_err *err) DIP_MUST_CHECK;

/* What a fusion is told of the fields; the widths of tokens are left 0. */
dip_fusion_fields dip_model_config_fields(const dip_model_config *config);

typedef struct dip_model dip_model;

/* Builds the model on the CPU; `config` is checked first. The state of
 * libtorch's generator is left as it was. The caller ends *out with
 * dip_model_free(). */
dip_status dip_model_create(dip_model **out, const dip_model_config *config,
                            dip_err *err) DIP_MUST_CHECK;
void dip_model_free(dip_model *model);

/* Leaves what a model that is trained needs: low-rank adapters are added to
 * their matrices for good, and the head that told masked tokens is removed. */
void dip_model_finish(dip_model *model);

/* Borrowed. For the optimizer, EMA, checkpoints, devices. */
dip_params *dip_model_params(dip_model *model);

/* Encoding through a tower that is not there is an error. */
bool dip_model_has_image(const dip_model *model);
bool dip_model_has_text(const dip_model *model);
int64_t dip_model_embed_dim(const dip_model *model);
dip_similarity dip_model_similarity(const dip_model *model);
int dip_model_field_count(const dip_model *model);
const char *dip_model_field_name(const dip_model *model, int i);
/* True for the field "image". */
bool dip_model_field_is_image(const dip_model *model, int i);
/* NONE for the photo and for texts. */
dip_attribute_kind dip_model_field_attribute(const dip_model *model, int i);
int dip_model_head_count(const dip_model *model);
const char *dip_model_head_name(const dip_model *model, int i);
dip_head_input dip_model_head_input(const dip_model *model, int i);
int64_t dip_model_head_classes(const dip_model *model, int i);

/* Whether anything in the tower, "image" or "text", requires gradients, its
 * adapters included. */
bool dip_model_trains(const dip_model *model, const char *tower);

/* Inputs as dip_image_tower_forward() and dip_text_tower_forward() take them.
 * A text of length 0 has zeros for features and embedding. A tower of which
 * nothing is trained computes as in evaluation, without dropout: noise before
 * what does not learn helps nobody, and its features are those that can be
 * kept (train/features.h). */
dip_encoded dip_model_encode_image(const dip_model *model,
                                   const dip_tensor *images, bool training);
dip_encoded dip_model_encode_text(const dip_model *model, const dip_tensor *ids,
                                  const dip_tensor *lengths, bool training);

/* The same of a field of products: with the tokens, where the model's fusion
 * reads any. The towers do more work for them. */
dip_encoded dip_model_encode_image_field(const dip_model *model,
                                         const dip_tensor *images,
                                         bool training);
dip_encoded dip_model_encode_text_field(const dip_model *model,
                                        const dip_tensor *ids,
                                        const dip_tensor *lengths,
                                        bool training);
/* Whether dip_model_fuse() needs tokens beside the embeddings. */
bool dip_model_fuses_tokens(const dip_model *model);

/* The embedding of field `i`, an attribute, of values as
 * dip_attribute_forward() takes them; *present gets BOOL [B]. It has no
 * features. */
dip_encoded dip_model_encode_attribute(const dip_model *model, int i,
                                       const dip_tensor *values,
                                       dip_tensor **present);

/* The same from features [B, F] that a tower gave before. */
dip_encoded dip_model_project_image(const dip_model *model,
                                    const dip_tensor *features, bool training);
dip_encoded dip_model_project_text(const dip_model *model,
                                   const dip_tensor *features,
                                   const dip_tensor *lengths, bool training);

/* As dip_fusion_forward(); `fields` in the order of the config. An error when
 * the model has no fields. */
dip_tensor *dip_model_fuse(const dip_model *model, const dip_encoded *fields,
                           const dip_tensor *present, bool training);

/* F32 [B, classes] for the input that head `i` asks for. */
dip_tensor *dip_model_head_logits(const dip_model *model, int i,
                                  const dip_tensor *input);

bool dip_model_has_match(const dip_model *model);
/* Logits F32 [N]: whether the query and the product of a row belong together;
 * both F32 [N, D] embeddings. An MLP with one hidden layer (GELU) sees
 * [q, p, q * p, |q - p|]. An error when the model has no such classifier. */
dip_tensor *dip_model_match(const dip_model *model, const dip_tensor *queries,
                            const dip_tensor *products);

bool dip_model_tells_masked(const dip_model *model);
/* What the text tower has for the tokens of texts, some of which are masked:
 * [B, T, token_features]; inputs as of dip_model_encode_text(). */
dip_tensor *dip_model_text_tokens(const dip_model *model, const dip_tensor *ids,
                                  const dip_tensor *lengths, bool training);
/* Logits F32 [N, vocabulary] of the tokens that stood at places of which the
 * tower has `tokens` [N, token_features]. An error when the model tells none.
 */
dip_tensor *dip_model_masked_logits(const dip_model *model,
                                    const dip_tensor *tokens);

/* exp(logit_scale), F32 without dimensions: what similarities are multiplied
 * by. */
dip_tensor *dip_model_scale(const dip_model *model);
/* logit_bias, F32 without dimensions; NULL in a model without one. */
dip_tensor *dip_model_bias(const dip_model *model);
/* Puts logit_scale back into [0, ln 100] (CLIP, arXiv 2103.00020, section 2.5),
 * or into [-ln 100, ln 100] for distances; call it after each update. */
void dip_model_constrain(dip_model *model);

#endif
