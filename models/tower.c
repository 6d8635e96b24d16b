#include "models/tower.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"

#define ROW_IMAGE(name) &dip_image_##name,
#define ROW_TEXT(name)  &dip_text_##name,
static const dip_image_kind *const IMAGE_KINDS[] = {
    DIP_IMAGE_TOWER_TABLE(ROW_IMAGE)};
static const dip_text_kind *const TEXT_KINDS[] = {
    DIP_TEXT_TOWER_TABLE(ROW_TEXT)};

#define IMAGE_FIELD(name, type)                                                \
    {                                                                          \
#name, offsetof(dip_image_options, name), DIP_FIELD_##type             \
    }
static const dip_field IMAGE_FIELDS[] = {
    IMAGE_FIELD(width, INT),
    IMAGE_FIELD(depth, INT),
    {"layers", offsetof(dip_image_options, layer_count), DIP_FIELD_COUNT},
    {"widths", offsetof(dip_image_options, width_count), DIP_FIELD_COUNT},
    IMAGE_FIELD(block, STRING),
    IMAGE_FIELD(stem, STRING),
    IMAGE_FIELD(zero_init_residual, BOOL),
    IMAGE_FIELD(drop_path, REAL),
    IMAGE_FIELD(patch, INT),
    IMAGE_FIELD(heads, INT),
    IMAGE_FIELD(mlp_ratio, REAL),
    IMAGE_FIELD(dropout, REAL),
    IMAGE_FIELD(attention_dropout, REAL),
    IMAGE_FIELD(features, INT),
    IMAGE_FIELD(batch_norm, BOOL),
    IMAGE_FIELD(pooling, STRING),
    IMAGE_FIELD(activation, STRING),
};

#define TEXT_FIELD(name, type)                                                 \
    {                                                                          \
#name, offsetof(dip_text_options, name), DIP_FIELD_##type              \
    }
static const dip_field TEXT_FIELDS[] = {
    TEXT_FIELD(width, INT),
    TEXT_FIELD(token_width, INT),
    TEXT_FIELD(frozen_tokens, BOOL),
    TEXT_FIELD(token_std, REAL),
    TEXT_FIELD(token_dropout, REAL),
    TEXT_FIELD(ngram_vocabulary, INT),
    TEXT_FIELD(ngram_dropout, REAL),
    TEXT_FIELD(sparse, BOOL),
    TEXT_FIELD(ngrams, INT),
    TEXT_FIELD(ngram_buckets, INT),
    TEXT_FIELD(depth, INT),
    TEXT_FIELD(heads, INT),
    {"windows", offsetof(dip_text_options, window_count), DIP_FIELD_COUNT},
    TEXT_FIELD(mlp_ratio, REAL),
    TEXT_FIELD(dropout, REAL),
    TEXT_FIELD(attention_dropout, REAL),
    TEXT_FIELD(pooling, STRING),
    TEXT_FIELD(bidirectional, BOOL),
    TEXT_FIELD(activation, STRING),
    TEXT_FIELD(norm_eps, REAL),
    TEXT_FIELD(positions, INT),
};

int dip_image_kind_count(void)
{
    return (int)DIP_ARRAY_LEN(IMAGE_KINDS);
}

const dip_image_kind *dip_image_kind_at(int i)
{
    return IMAGE_KINDS[i];
}

const dip_image_kind *dip_image_kind_find(const char *name)
{
    for (int i = 0; i < dip_image_kind_count(); i++)
        if (dip_option_is(name, IMAGE_KINDS[i]->name))
            return IMAGE_KINDS[i];
    return NULL;
}

int dip_text_kind_count(void)
{
    return (int)DIP_ARRAY_LEN(TEXT_KINDS);
}

const dip_text_kind *dip_text_kind_at(int i)
{
    return TEXT_KINDS[i];
}

const dip_text_kind *dip_text_kind_find(const char *name)
{
    for (int i = 0; i < dip_text_kind_count(); i++)
        if (dip_option_is(name, TEXT_KINDS[i]->name))
            return TEXT_KINDS[i];
    return NULL;
}

static dip_status fail_image_kind(const char *name, dip_err *err)
{
    const char *names[DIP_ARRAY_LEN(IMAGE_KINDS) + 1] = {NULL};
    for (int i = 0; i < dip_image_kind_count(); i++)
        names[i] = IMAGE_KINDS[i]->name;
    name = name ? name : ""; /* there is no usual one */
    return dip_option_choice(&name, names, "image.tower", err);
}

static dip_status fail_text_kind(const char *name, dip_err *err)
{
    const char *names[DIP_ARRAY_LEN(TEXT_KINDS) + 1] = {NULL};
    for (int i = 0; i < dip_text_kind_count(); i++)
        names[i] = TEXT_KINDS[i]->name;
    name = name ? name : ""; /* there is no usual one */
    return dip_option_choice(&name, names, "text.tower", err);
}

dip_status dip_patch_check(dip_image_options *o, dip_err *err)
{
    if (o->patch == 0)
        o->patch = 16;
    dip_status st = dip_option_int(o->patch, 1, 1024, "image.patch", err);
    if (st == DIP_OK && o->image_size % o->patch != 0)
        st = dip_fail(err, DIP_ECONFIG,
                      "image.patch: %lld does not divide image_size %lld",
                      (long long)o->patch, (long long)o->image_size);
    return st;
}

dip_status dip_image_options_check(dip_image_options *options, dip_err *err)
{
    const dip_image_kind *kind = dip_image_kind_find(options->kind);
    if (!kind)
        return fail_image_kind(options->kind, err);
    dip_status st =
        dip_option_int(options->image_size, 1, 4096, "image.image_size", err);
    if (st == DIP_OK)
        st = dip_options_unread(options, IMAGE_FIELDS,
                                DIP_ARRAY_LEN(IMAGE_FIELDS), kind->options,
                                "image", kind->name, err);
    if (st == DIP_OK)
        st = kind->check(options, err);
    return st;
}

dip_status dip_text_options_check(dip_text_options *options, dip_err *err)
{
    const dip_text_kind *kind = dip_text_kind_find(options->kind);
    if (!kind)
        return fail_text_kind(options->kind, err);
    dip_status st =
        dip_option_int(options->vocabulary, 1, 1 << 24, "text.vocabulary", err);
    if (st == DIP_OK)
        st = dip_option_int(options->context, 1, 1 << 16, "text.context", err);
    if (st == DIP_OK)
        st = dip_option_int(options->token_width, 0, 8192, "text.token_width",
                            err);
    if (st == DIP_OK)
        st =
            dip_options_unread(options, TEXT_FIELDS, DIP_ARRAY_LEN(TEXT_FIELDS),
                               kind->options, "text", kind->name, err);
    if (st == DIP_OK)
        st = kind->check(options, err);
    return st;
}

dip_status dip_image_tower_create(dip_image_tower **out,
                                  const dip_image_options *options,
                                  const dip_maker *maker, dip_err *err)
{
    *out = NULL;
    dip_image_options checked = *options;
    dip_status st = dip_image_options_check(&checked, err);
    if (st != DIP_OK)
        return st;
    dip_image_tower *tower =
        dip_image_kind_find(checked.kind)->build(&checked, maker);
    if (!tower)
        return dip_no_memory(err);
    if (tower->token_features == 0)
        tower->token_features = tower->features;
    *out = tower;
    return DIP_OK;
}

dip_status dip_text_tower_create(dip_text_tower **out,
                                 const dip_text_options *options,
                                 const dip_maker *maker, dip_err *err)
{
    *out = NULL;
    dip_text_options checked = *options;
    dip_status st = dip_text_options_check(&checked, err);
    if (st != DIP_OK)
        return st;
    dip_text_tower *tower =
        dip_text_kind_find(checked.kind)->build(&checked, maker);
    if (!tower)
        return dip_no_memory(err);
    if (tower->token_features == 0)
        tower->token_features = tower->features;
    *out = tower;
    return DIP_OK;
}

void dip_image_tower_free(dip_image_tower *tower)
{
    if (tower)
        tower->kind->free(tower);
}

void dip_text_tower_free(dip_text_tower *tower)
{
    if (tower)
        tower->kind->free(tower);
}

/* The forward pass; *rows (may be NULL) gets the tokens or, of a tower that has
 * none, its features as one. Both are returned from the open scope. */
static dip_tensor *forward_image(const dip_image_tower *tower,
                                 const dip_tensor *images, dip_tensor **rows,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *features = tower->kind->forward(tower, images, rows, training);
    if (rows)
        *rows = dip_tensor_return(*rows ? *rows : dip_t_unsqueeze(features, 1));
    features = dip_tensor_return(features);
    dip_scope_close();
    return features;
}

dip_tensor *dip_image_tower_forward(const dip_image_tower *tower,
                                    const dip_tensor *images, bool training)
{
    return forward_image(tower, images, NULL, training);
}

dip_tensor *dip_image_tower_forward_tokens(const dip_image_tower *tower,
                                           const dip_tensor *images,
                                           dip_tokens *tokens, bool training)
{
    *tokens = (dip_tokens){0};
    return forward_image(tower, images, &tokens->rows, training);
}

static dip_tensor *forward_text(const dip_text_tower *tower,
                                const dip_tensor *ids,
                                const dip_tensor *lengths, dip_tokens *tokens,
                                bool training)
{
    dip_scope_open();
    dip_tensor *rows = NULL;
    dip_tensor *features = tower->kind->forward(
        tower, ids, lengths, tokens ? &rows : NULL, training);
    dip_tensor *some = dip_t_unsqueeze(dip_t_gt_scalar(lengths, 0.0), 1);
    features = dip_t_masked_fill(features, dip_t_logical_not(some), 0.0);
    if (tokens) {
        tokens->mask =
            dip_tensor_return(rows ? dip_token_mask(ids, lengths) : some);
        tokens->rows =
            dip_tensor_return(rows ? rows : dip_t_unsqueeze(features, 1));
    }
    features = dip_tensor_return(features);
    dip_scope_close();
    return features;
}

dip_tensor *dip_text_tower_forward(const dip_text_tower *tower,
                                   const dip_tensor *ids,
                                   const dip_tensor *lengths, bool training)
{
    return forward_text(tower, ids, lengths, NULL, training);
}

dip_tensor *dip_text_tower_forward_tokens(const dip_text_tower *tower,
                                          const dip_tensor *ids,
                                          const dip_tensor *lengths,
                                          dip_tokens *tokens, bool training)
{
    *tokens = (dip_tokens){0};
    return forward_text(tower, ids, lengths, tokens, training);
}
