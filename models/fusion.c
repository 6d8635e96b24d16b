#include "models/fusion.h"

#include <stddef.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

#define ROW(name) &dip_fusion_##name,
static const dip_fusion_kind *const KINDS[] = {DIP_FUSION_TABLE(ROW)};

/* The list of weights is set when its first member is: all or none must be. */
static const dip_field FIELDS[] = {
    {"weights", offsetof(dip_fusion_options, weights), DIP_FIELD_REAL},
    {"fixed", offsetof(dip_fusion_options, fixed), DIP_FIELD_BOOL},
    {"hidden", offsetof(dip_fusion_options, hidden), DIP_FIELD_INT},
    {"dropout", offsetof(dip_fusion_options, dropout), DIP_FIELD_REAL},
    {"factors", offsetof(dip_fusion_options, factors), DIP_FIELD_INT},
    {"depth", offsetof(dip_fusion_options, depth), DIP_FIELD_INT},
    {"heads", offsetof(dip_fusion_options, heads), DIP_FIELD_INT},
    {"mlp_ratio", offsetof(dip_fusion_options, mlp_ratio), DIP_FIELD_REAL},
};

int dip_fusion_kind_count(void)
{
    return (int)DIP_ARRAY_LEN(KINDS);
}

const dip_fusion_kind *dip_fusion_kind_at(int i)
{
    return KINDS[i];
}

const dip_fusion_kind *dip_fusion_kind_find(const char *name)
{
    for (int i = 0; i < dip_fusion_kind_count(); i++)
        if (dip_option_is(name, KINDS[i]->name))
            return KINDS[i];
    return NULL;
}

static dip_status fail_kind(const char *name, dip_err *err)
{
    const char *names[DIP_ARRAY_LEN(KINDS) + 1] = {NULL};
    for (int i = 0; i < dip_fusion_kind_count(); i++)
        names[i] = KINDS[i]->name;
    return dip_option_choice(&name, names, "fusion.kind", err);
}

dip_status dip_fusion_options_check(dip_fusion_options *options,
                                    const dip_fusion_fields *fields,
                                    dip_err *err)
{
    if (!options->kind)
        options->kind = KINDS[0]->name;
    const dip_fusion_kind *kind = dip_fusion_kind_find(options->kind);
    if (!kind)
        return fail_kind(options->kind, err);
    dip_status st = dip_option_int(fields->count, 1, DIP_FUSION_FIELDS_MAX,
                                   "fusion.fields", err);
    if (st == DIP_OK)
        st = dip_options_unread(options, FIELDS, DIP_ARRAY_LEN(FIELDS),
                                kind->options, "fusion", kind->name, err);
    if (st == DIP_OK)
        st = kind->check ? kind->check(options, fields, err) : DIP_OK;
    return st;
}

dip_encoder_options dip_fusion_encoder(const dip_fusion_options *o,
                                       const dip_fusion_fields *fields)
{
    return (dip_encoder_options){
        .width = fields->dim,
        .depth = o->depth,
        .heads = o->heads,
        .mlp_ratio = o->mlp_ratio,
        .dropout = o->dropout,
        .activation = "gelu",
        .norm_eps = 1e-5,
        .start = DIP_START_TORCH,
    };
}

dip_status dip_fusion_check_attention(dip_fusion_options *o,
                                      const dip_fusion_fields *fields,
                                      dip_err *err)
{
    dip_encoder_options encoder = dip_fusion_encoder(o, fields);
    if (encoder.depth == 0)
        encoder.depth = 2;
    if (encoder.heads == 0) {
        encoder.heads = fields->dim < 64 ? 1 : fields->dim / 64;
        while (fields->dim % encoder.heads != 0)
            encoder.heads--;
    }
    dip_status st = dip_encoder_check(&encoder, "fusion", err);
    o->depth = encoder.depth;
    o->heads = encoder.heads;
    o->mlp_ratio = encoder.mlp_ratio;
    return st;
}

/* One projection for each modality that has tokens and a field. */
static void build_token_projections(dip_fusion *fusion, const dip_maker *maker)
{
    static const char *const NAMES[DIP_MODALITY_COUNT] = {
        "image_tokens", "text_tokens", "attribute_tokens"};
    const dip_fusion_fields *fields = &fusion->fields;
    for (int f = 0; f < fields->count; f++) {
        dip_modality m = fields->modality[f];
        dip_linear *projection = &fusion->token_projections[m];
        if (fields->token_features[m] > 0 && !projection->weight)
            *projection = dip_make_linear(
                maker, NAMES[m], fields->token_features[m], fields->dim, true);
    }
}

dip_status dip_fusion_create(dip_fusion **out,
                             const dip_fusion_options *options,
                             const dip_fusion_fields *fields,
                             const dip_maker *maker, dip_err *err)
{
    *out = NULL;
    dip_fusion_options checked = *options;
    dip_status st = dip_fusion_options_check(&checked, fields, err);
    if (st != DIP_OK)
        return st;
    const dip_fusion_kind *kind = dip_fusion_kind_find(checked.kind);
    dip_fusion *fusion = kind->build(&checked, fields, maker);
    if (!fusion)
        return dip_no_memory(err);
    fusion->kind = kind;
    fusion->fields = *fields;
    fusion->similarity = checked.similarity;
    if (kind->reads_tokens)
        build_token_projections(fusion, maker);
    *out = fusion;
    return DIP_OK;
}

void dip_fusion_free(dip_fusion *fusion)
{
    if (fusion)
        fusion->kind->free(fusion);
}

dip_tensor *dip_fusion_rows(const dip_fusion *fusion, const dip_tensor *x)
{
    dip_tensor *rows = dip_t_to_dtype(x, DIP_F32);
    return fusion->similarity == DIP_SIMILARITY_COSINE
               ? dip_t_normalize(rows, 1)
               : rows;
}

/* x [B, N, W] with zeros where `mask` BOOL [B, N] says so. */
static dip_tensor *clear(const dip_tensor *x, const dip_tensor *mask)
{
    return dip_t_masked_fill(x, dip_t_unsqueeze(dip_t_logical_not(mask), 2),
                             0.0);
}

/* The embedding of field `f` and, behind it, its tokens; these are cleared
 * before and after the projection, whose bias would fill them again. */
static void take_tokens(dip_fusion_input *in, const dip_fusion *fusion,
                        const dip_tokens *given, int f)
{
    const dip_linear *projection =
        &fusion->token_projections[fusion->fields.modality[f]];
    dip_tensor *tokens[2] = {dip_t_narrow(in->embeddings, 1, f, 1)};
    dip_tensor *masks[2] = {dip_t_narrow(in->present, 1, f, 1)};
    in->tokens[f] = tokens[0];
    in->masks[f] = masks[0];
    if (!given->rows || !projection->weight)
        return;
    masks[1] = given->mask
                   ? dip_t_logical_and(given->mask, masks[0])
                   : dip_t_expand_as(masks[0], dip_t_select(given->rows, 2, 0));
    tokens[1] = dip_linear_forward(projection, clear(given->rows, masks[1]));
    tokens[1] = clear(dip_t_to_dtype(tokens[1], DIP_F32), masks[1]);
    in->tokens[f] = dip_t_cat(tokens, 2, 1);
    in->masks[f] = dip_t_cat(masks, 2, 1);
}

dip_tensor *dip_fusion_forward(const dip_fusion *fusion,
                               const dip_encoded *fields,
                               const dip_tensor *present, bool training)
{
    dip_scope_open();
    dip_tensor *embeddings[DIP_FUSION_FIELDS_MAX];
    int count = fusion->fields.count;
    for (int f = 0; f < count; f++)
        embeddings[f] = fields[f].embedding;
    dip_fusion_input in = {
        .embeddings = clear(dip_t_stack(embeddings, count, 1), present),
        .present = dip_tensor_alias(present),
        .training = training,
    };
    for (int f = 0; f < count && fusion->kind->reads_tokens; f++)
        take_tokens(&in, fusion, &fields[f].tokens, f);
    dip_tensor *none = dip_t_logical_not(dip_t_amax(present, 1, true));
    dip_tensor *out = fusion->kind->forward(fusion, &in);
    out = dip_tensor_return(dip_t_masked_fill(out, none, 0.0));
    dip_scope_close();
    return out;
}
