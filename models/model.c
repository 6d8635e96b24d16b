#include "models/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/masked.h"
#include "models/options.h"

#define SCALE_MAX 100.0 /* CLIP's */

typedef struct {
    dip_linear hidden; /* weight NULL in a linear projection */
    dip_linear out;    /* weight NULL where there is no projection */
    double dropout;
} projection;

typedef struct {
    char *name;
    dip_head_input input;
    int64_t classes;
    dip_linear layer;
} head;

struct dip_model {
    dip_params *params;
    dip_image_tower *image; /* NULL: a model of texts alone */
    dip_text_tower *text;   /* NULL: of photos alone */
    projection image_projection, text_projection;
    int64_t embed_dim;
    dip_similarity similarity;
    char *fields[DIP_FUSION_FIELDS_MAX];
    dip_attribute_kind kinds[DIP_FUSION_FIELDS_MAX];
    dip_attribute *attributes[DIP_FUSION_FIELDS_MAX]; /* NULL: none */
    int field_count;
    dip_fusion *fusion; /* NULL without fields */
    head heads[DIP_MODEL_HEADS_MAX];
    int head_count;
    dip_linear match_hidden, match_out; /* weights NULL: no classifier */
    dip_masked_head masked;
    dip_tensor *logit_scale;
    dip_lora *lora;         /* NULL: none */
    dip_tensor *logit_bias; /* NULL: none */
};

/* Weights are normal, a bias starts at 0. */
static dip_linear make_out(const dip_maker *maker, const char *name,
                           int64_t width, int64_t dim, bool bias)
{
    dip_linear out = dip_make_linear_normal(maker, name, width, dim, false,
                                            1.0 / sqrt((double)width));
    if (bias) {
        dip_maker inner = dip_maker_in(maker, "%s", name);
        out.bias =
            dip_make_full(&inner, "bias", DIP_PARAM_NO_DECAY, 0.0, 1, &dim);
    }
    return out;
}

static projection make_projection(const dip_maker *maker, const char *name,
                                  const dip_projection_options *o,
                                  int64_t features, int64_t dim)
{
    projection p = {.dropout = o->dropout};
    if (o->none)
        return p;
    if (o->hidden == 0) {
        p.out = make_out(maker, name, features, dim, o->bias);
        return p;
    }
    dip_maker inner = dip_maker_in(maker, "%s", name);
    p.hidden = dip_make_linear(&inner, "hidden", features, o->hidden, true);
    p.out = make_out(&inner, "out", o->hidden, dim, o->bias);
    return p;
}

static dip_status copy_names(dip_model *model, const dip_model_config *config,
                             dip_err *err)
{
    for (int i = 0; i < config->field_count; i++, model->field_count++) {
        model->fields[i] = dip_strdup(config->fields[i]);
        if (!model->fields[i])
            return dip_no_memory(err);
    }
    for (int i = 0; i < config->head_count; i++, model->head_count++) {
        model->heads[i].name = dip_strdup(config->heads[i].name);
        if (!model->heads[i].name)
            return dip_no_memory(err);
    }
    return DIP_OK;
}

static int64_t head_width(const dip_model *model, dip_head_input input)
{
    if (input == DIP_HEAD_IMAGE_FEATURES)
        return model->image->features;
    if (input == DIP_HEAD_TEXT_FEATURES)
        return model->text->features;
    return model->embed_dim;
}

static void build_heads(dip_model *model, const dip_model_config *config,
                        const dip_maker *maker)
{
    dip_maker heads = dip_maker_in(maker, "heads");
    for (int i = 0; i < model->head_count; i++) {
        head *h = &model->heads[i];
        h->input = config->heads[i].input;
        h->classes = config->heads[i].classes;
        h->layer = dip_make_linear(&heads, h->name, head_width(model, h->input),
                                   h->classes, true);
    }
}

static void build_match(dip_model *model, const dip_model_config *c,
                        const dip_maker *root)
{
    dip_maker match = dip_maker_in(root, "match");
    if (c->match_hidden == 0)
        return;
    model->match_hidden = dip_make_linear(&match, "hidden", 4 * c->embed_dim,
                                          c->match_hidden, true);
    model->match_out = dip_make_linear(&match, "out", c->match_hidden, 1, true);
}

static void build_masked(dip_model *model, const dip_model_config *c,
                         const dip_maker *root)
{
    dip_maker masked = dip_maker_in(root, "masked");
    if (c->tells_masked && model->text)
        model->masked = dip_make_masked_head(
            &masked, model->text->token_features, c->text.vocabulary);
}

static dip_status build_attributes(dip_model *model, const dip_model_config *c,
                                   const dip_maker *root, dip_err *err)
{
    dip_maker fields = dip_maker_in(root, "fields");
    dip_status st = DIP_OK;
    for (int i = 0; i < c->field_count && st == DIP_OK; i++) {
        model->kinds[i] = c->attributes[i].kind;
        if (model->kinds[i] == DIP_ATTRIBUTE_NONE)
            continue;
        dip_maker maker = dip_maker_in(&fields, "%s", c->fields[i]);
        st = dip_attribute_create(&model->attributes[i], &c->attributes[i],
                                  c->embed_dim, &maker, err);
    }
    return st;
}

/* Without a projection the features must have the length of an embedding. */
static dip_status check_features(const dip_projection_options *o,
                                 const char *name, int64_t features,
                                 int64_t dim, dip_err *err)
{
    if (o->none && features != dim)
        return dip_fail(err, DIP_ECONFIG,
                        "%s.none: the tower has %lld features, but embed_dim "
                        "is %lld",
                        name, (long long)features, (long long)dim);
    return DIP_OK;
}

static dip_status build_towers(dip_model *model, const dip_model_config *c,
                               const dip_maker *root, dip_err *err)
{
    dip_maker image = dip_maker_in(root, "image");
    dip_maker text = dip_maker_in(root, "text");
    dip_status st = DIP_OK;
    if (c->towers != DIP_TOWERS_TEXT)
        st = dip_image_tower_create(&model->image, &c->image, &image, err);
    if (st == DIP_OK && c->towers != DIP_TOWERS_IMAGE)
        st = dip_text_tower_create(&model->text, &c->text, &text, err);
    return st;
}

static dip_status build_projections(dip_model *model, const dip_model_config *c,
                                    const dip_maker *root, dip_err *err)
{
    dip_status st = check_features(&c->image_projection, "image_projection",
                                   model->image->features, c->embed_dim, err);
    if (st == DIP_OK)
        st = check_features(&c->text_projection, "text_projection",
                            model->text->features, c->embed_dim, err);
    if (st != DIP_OK)
        return st;
    model->image_projection =
        make_projection(root, "image_projection", &c->image_projection,
                        model->image->features, c->embed_dim);
    model->text_projection =
        make_projection(root, "text_projection", &c->text_projection,
                        model->text->features, c->embed_dim);
    return DIP_OK;
}

static dip_status build_fusion(dip_model *model, const dip_model_config *c,
                               const dip_maker *root, dip_err *err)
{
    dip_status st = build_attributes(model, c, root, err);
    if (st != DIP_OK || c->field_count == 0)
        return st;
    dip_maker fusion = dip_maker_in(root, "fusion");
    dip_fusion_fields fields = dip_model_config_fields(c);
    fields.token_features[DIP_MODALITY_IMAGE] = model->image->token_features;
    fields.token_features[DIP_MODALITY_TEXT] = model->text->token_features;
    return dip_fusion_create(&model->fusion, &c->fusion, &fields, &fusion, err);
}

static dip_status build_parts(dip_model *model, const dip_model_config *c,
                              const dip_maker *root, dip_err *err)
{
    dip_status st = build_towers(model, c, root, err);
    if (st == DIP_OK && c->towers == DIP_TOWERS_BOTH)
        st = build_projections(model, c, root, err);
    else if (st == DIP_OK)
        model->embed_dim = c->towers == DIP_TOWERS_IMAGE
                               ? model->image->features
                               : model->text->features;
    if (st == DIP_OK)
        st = build_fusion(model, c, root, err);
    if (st != DIP_OK)
        return st;
    build_heads(model, c, root);
    build_match(model, c, root);
    build_masked(model, c, root);
    model->logit_scale = dip_make_full(
        root, "logit_scale",
        c->fixed_temperature ? DIP_PARAM_BUFFER : DIP_PARAM_NO_DECAY,
        -log(c->temperature), 0, NULL);
    if (c->has_bias)
        model->logit_bias = dip_make_full(root, "logit_bias",
                                          DIP_PARAM_NO_DECAY, c->bias, 0, NULL);
    return DIP_OK;
}

dip_status dip_model_create(dip_model **out, const dip_model_config *config,
                            dip_err *err)
{
    *out = NULL;
    dip_model_config checked = *config;
    dip_status st = dip_model_config_check(&checked, err);
    if (st != DIP_OK)
        return st;
    dip_model *model = dip_calloc(1, sizeof *model);
    if (!model)
        return dip_no_memory(err);
    model->embed_dim = checked.embed_dim;
    model->similarity = checked.similarity;
    st = copy_names(model, &checked, err);
    if (st == DIP_OK)
        st = dip_params_create(&model->params, err);
    if (st != DIP_OK)
        goto out_free;

    dip_scope_open();
    dip_tensor *state = dip_tensor_rng_state();
    dip_maker root = {.params = model->params, .seed = checked.seed};
    st = build_parts(model, &checked, &root, err);
    if (st == DIP_OK && checked.lora.rank > 0)
        st = dip_lora_create(&model->lora, &checked.lora, &root, err);
    dip_tensor_set_rng_state(state);
    dip_scope_close();
    if (st == DIP_OK)
        st = dip_tensor_status(err);
    if (st != DIP_OK)
        goto out_free;
    *out = model;
    model = NULL; /* now the caller's */
out_free:
    dip_model_free(model);
    return st;
}

void dip_model_free(dip_model *model)
{
    if (!model)
        return;
    dip_image_tower_free(model->image);
    dip_text_tower_free(model->text);
    dip_fusion_free(model->fusion);
    for (int i = 0; i < DIP_FUSION_FIELDS_MAX; i++) {
        free(model->fields[i]);
        dip_attribute_free(model->attributes[i]);
    }
    for (int i = 0; i < DIP_MODEL_HEADS_MAX; i++)
        free(model->heads[i].name);
    dip_lora_free(model->lora);
    dip_params_free(model->params);
    free(model);
}

void dip_model_finish(dip_model *model)
{
    dip_scope_open();
    dip_lora_merge(model->lora);
    dip_scope_close();
    dip_params_drop(model->params, "masked.*");
    model->masked = (dip_masked_head){0};
}

dip_params *dip_model_params(dip_model *model)
{
    return model->params;
}

bool dip_model_has_image(const dip_model *model)
{
    return model->image != NULL;
}

bool dip_model_has_text(const dip_model *model)
{
    return model->text != NULL;
}

int64_t dip_model_embed_dim(const dip_model *model)
{
    return model->embed_dim;
}

dip_similarity dip_model_similarity(const dip_model *model)
{
    return model->similarity;
}

int dip_model_field_count(const dip_model *model)
{
    return model->field_count;
}

const char *dip_model_field_name(const dip_model *model, int i)
{
    return model->fields[i];
}

bool dip_model_field_is_image(const dip_model *model, int i)
{
    return strcmp(model->fields[i], "image") == 0;
}

dip_attribute_kind dip_model_field_attribute(const dip_model *model, int i)
{
    return model->kinds[i];
}

int dip_model_head_count(const dip_model *model)
{
    return model->head_count;
}

const char *dip_model_head_name(const dip_model *model, int i)
{
    return model->heads[i].name;
}

dip_head_input dip_model_head_input(const dip_model *model, int i)
{
    return model->heads[i].input;
}

int64_t dip_model_head_classes(const dip_model *model, int i)
{
    return model->heads[i].classes;
}

/* Features to F32 rows; lengths are the caller's to set. */
static dip_tensor *project(const projection *p, const dip_tensor *features,
                           bool training)
{
    dip_tensor *x = dip_tensor_alias(features);
    if (p->hidden.weight) {
        x = dip_t_gelu(dip_linear_forward(&p->hidden, x));
        x = dip_t_dropout(x, p->dropout, training);
    }
    if (p->out.weight)
        x = dip_linear_forward(&p->out, x);
    return dip_t_to_dtype(x, DIP_F32);
}

/* Rows as they are compared. */
static dip_tensor *embed(const dip_model *model, const dip_tensor *x)
{
    return model->similarity == DIP_SIMILARITY_COSINE ? dip_t_normalize(x, 1)
                                                      : dip_tensor_alias(x);
}

bool dip_model_trains(const dip_model *model, const char *tower)
{
    size_t n = strlen(tower);
    for (int i = 0; i < dip_params_count(model->params); i++) {
        const char *name = dip_params_name(model->params, i);
        if (strncmp(name, tower, n) == 0 && name[n] == '.' &&
            dip_tensor_requires_grad(dip_params_tensor(model->params, i)))
            return true;
    }
    return false;
}

bool dip_model_fuses_tokens(const dip_model *model)
{
    return model->fusion && model->fusion->kind->reads_tokens;
}

dip_encoded dip_model_project_image(const dip_model *model,
                                    const dip_tensor *features, bool training)
{
    dip_encoded out = {.features = dip_tensor_alias(features)};
    dip_scope_open();
    out.embedding = dip_tensor_return(
        embed(model, project(&model->image_projection, features, training)));
    dip_scope_close();
    return out;
}

static dip_encoded encode_image(const dip_model *model,
                                const dip_tensor *images, bool tokens,
                                bool training)
{
    dip_tokens found = {0};
    if (!model->image) {
        dip_tensor_fail(DIP_ECONFIG, "the model has no image tower");
        return (dip_encoded){0};
    }
    bool trains = training && dip_model_trains(model, "image");
    dip_lora_begin(model->lora, "image", trains);
    dip_tensor *features =
        tokens ? dip_image_tower_forward_tokens(model->image, images, &found,
                                                trains)
               : dip_image_tower_forward(model->image, images, trains);
    dip_lora_end(model->lora, "image");
    dip_encoded out = dip_model_project_image(model, features, training);
    out.tokens = found;
    return out;
}

dip_encoded dip_model_encode_image(const dip_model *model,
                                   const dip_tensor *images, bool training)
{
    return encode_image(model, images, false, training);
}

dip_encoded dip_model_encode_image_field(const dip_model *model,
                                         const dip_tensor *images,
                                         bool training)
{
    return encode_image(model, images, dip_model_fuses_tokens(model), training);
}

dip_encoded dip_model_project_text(const dip_model *model,
                                   const dip_tensor *features,
                                   const dip_tensor *lengths, bool training)
{
    dip_encoded out = {.features = dip_tensor_alias(features)};
    dip_scope_open();
    dip_tensor *x = project(&model->text_projection, features, training);
    /* The hidden layer of an MLP has biases: an empty text must not get a
     * direction from them. */
    dip_tensor *empty = dip_t_logical_not(dip_t_gt_scalar(lengths, 0.0));
    x = dip_t_masked_fill(x, dip_t_unsqueeze(empty, 1), 0.0);
    out.embedding = dip_tensor_return(embed(model, x));
    dip_scope_close();
    return out;
}

static dip_encoded encode_text(const dip_model *model, const dip_tensor *ids,
                               const dip_tensor *lengths, bool tokens,
                               bool training)
{
    dip_tokens found = {0};
    if (!model->text) {
        dip_tensor_fail(DIP_ECONFIG, "the model has no text tower");
        return (dip_encoded){0};
    }
    bool trains = training && dip_model_trains(model, "text");
    dip_lora_begin(model->lora, "text", trains);
    dip_tensor *features =
        tokens ? dip_text_tower_forward_tokens(model->text, ids, lengths,
                                               &found, trains)
               : dip_text_tower_forward(model->text, ids, lengths, trains);
    dip_lora_end(model->lora, "text");
    dip_encoded out =
        dip_model_project_text(model, features, lengths, training);
    out.tokens = found;
    return out;
}

dip_encoded dip_model_encode_text(const dip_model *model, const dip_tensor *ids,
                                  const dip_tensor *lengths, bool training)
{
    return encode_text(model, ids, lengths, false, training);
}

dip_encoded dip_model_encode_text_field(const dip_model *model,
                                        const dip_tensor *ids,
                                        const dip_tensor *lengths,
                                        bool training)
{
    return encode_text(model, ids, lengths, dip_model_fuses_tokens(model),
                       training);
}

dip_encoded dip_model_encode_attribute(const dip_model *model, int i,
                                       const dip_tensor *values,
                                       dip_tensor **present)
{
    dip_encoded out = {0};
    dip_scope_open();
    dip_tensor *x =
        dip_attribute_forward(model->attributes[i], values, present);
    *present = dip_tensor_return(*present);
    out.embedding = dip_tensor_return(embed(model, x));
    dip_scope_close();
    return out;
}

dip_tensor *dip_model_fuse(const dip_model *model, const dip_encoded *fields,
                           const dip_tensor *present, bool training)
{
    if (!model->fusion) {
        dip_tensor_fail(DIP_ECONFIG, "the model has no fields to fuse");
        return NULL;
    }
    return dip_fusion_forward(model->fusion, fields, present, training);
}

dip_tensor *dip_model_head_logits(const dip_model *model, int i,
                                  const dip_tensor *input)
{
    dip_tensor *logits = dip_linear_forward(&model->heads[i].layer, input);
    return dip_t_to_dtype(logits, DIP_F32);
}

bool dip_model_has_match(const dip_model *model)
{
    return model->match_out.weight != NULL;
}

dip_tensor *dip_model_match(const dip_model *model, const dip_tensor *queries,
                            const dip_tensor *products)
{
    if (!dip_model_has_match(model)) {
        dip_tensor_fail(DIP_ECONFIG, "the model has no match classifier");
        return NULL;
    }
    dip_scope_open();
    dip_tensor *parts[] = {
        dip_tensor_alias(queries), dip_tensor_alias(products),
        dip_t_mul(queries, products), dip_t_abs(dip_t_sub(queries, products))};
    dip_tensor *x = dip_t_cat(parts, (int)DIP_ARRAY_LEN(parts), 1);
    x = dip_t_gelu(dip_linear_forward(&model->match_hidden, x));
    x = dip_t_squeeze(dip_linear_forward(&model->match_out, x), 1);
    x = dip_tensor_return(dip_t_to_dtype(x, DIP_F32));
    dip_scope_close();
    return x;
}

bool dip_model_tells_masked(const dip_model *model)
{
    return model->masked.out.weight != NULL;
}

dip_tensor *dip_model_text_tokens(const dip_model *model, const dip_tensor *ids,
                                  const dip_tensor *lengths, bool training)
{
    return encode_text(model, ids, lengths, true, training).tokens.rows;
}

dip_tensor *dip_model_masked_logits(const dip_model *model,
                                    const dip_tensor *tokens)
{
    if (!dip_model_tells_masked(model)) {
        dip_tensor_fail(DIP_ECONFIG, "the model tells no masked tokens");
        return NULL;
    }
    return dip_masked_head_forward(&model->masked, tokens);
}

dip_tensor *dip_model_scale(const dip_model *model)
{
    return dip_t_exp(model->logit_scale);
}

dip_tensor *dip_model_bias(const dip_model *model)
{
    return model->logit_bias ? dip_tensor_alias(model->logit_bias) : NULL;
}

void dip_model_constrain(dip_model *model)
{
    double most = log(SCALE_MAX);
    double least = model->similarity == DIP_SIMILARITY_COSINE ? 0.0 : -most;
    dip_scope_open();
    bool grad = dip_tensor_set_grad_mode(false);
    dip_tensor_assign(model->logit_scale,
                      dip_t_clamp(model->logit_scale, least, most));
    dip_tensor_set_grad_mode(grad);
    dip_scope_close();
}
