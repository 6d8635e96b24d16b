#include "models/origins.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

/* In a pattern # stands for digits and a last * for the rest of the name; the
 * replacement has them where they go. */
typedef struct {
    const char *theirs, *ours;
    enum { WHOLE, QUERIES, KEYS, VALUES, KEYS_AND_VALUES, TURNED } holds;
} rule;

/* What is no weight. */
static const char *const ignored[] = {"num_batches_tracked", "attn_mask",
                                      "position_ids"};

/* Wrappers around a whole model. */
static const char *const wrappers[] = {"module.", "_orig_mod."};

/* The first that fits counts; the tower's words are read by `words` below. */
static const rule parts[] = {
    /* open_clip and OpenAI */
    {"visual.proj", "image_projection.weight", TURNED},
    {"visual.head.proj.*", "image_projection.*", WHOLE},
    {"visual.head.*", "image_projection.*", WHOLE},
    {"visual.trunk.*", "image.*", WHOLE},
    {"visual.*", "image.*", WHOLE},
    {"text_projection", "text_projection.weight", TURNED},
    {"text.text_projection", "text_projection.weight", TURNED},
    {"text.text_projection.*", "text_projection.*", WHOLE},
    {"text.proj.*", "text_projection.*", WHOLE},
    {"text.transformer.embeddings.*", "text.embeddings.*", WHOLE},
    {"text.transformer.encoder.*", "text.encoder.*", WHOLE},
    /* Hugging Face */
    {"visual_projection.*", "image_projection.*", WHOLE},
    {"text_model.head.*", "text_projection.*", WHOLE},
    {"vision_model.*", "image.*", WHOLE},
    {"text_model.*", "text.*", WHOLE},
    {"bert.*", "text.*", WHOLE},
    /* what is the same everywhere, and what is ours alone */
    {"text.*", "text.*", WHOLE},
    {"image.*", "image.*", WHOLE},
    {"image_projection.*", "image_projection.*", WHOLE},
    {"text_projection.*", "text_projection.*", WHOLE},
    {"fusion.*", "fusion.*", WHOLE},
    {"fields.*", "fields.*", WHOLE},
    {"heads.*", "heads.*", WHOLE},
    {"logit_scale", "logit_scale", WHOLE},
    {"logit_bias", "logit_bias", WHOLE},
};

/* Words at the root of a file that holds CLIP's text tower. */
static const rule text_root[] = {
    {"transformer.*", "text.transformer.*", WHOLE},
    {"token_embedding.*", "text.token_embedding.*", WHOLE},
    {"positional_embedding", "text.positional_embedding", WHOLE},
    {"ln_final.*", "text.ln_final.*", WHOLE},
};

#define BLOCK "transformer.resblocks.#."

/* Below a tower. Names that are not here are the same everywhere, or only one
 * origin has them: residual networks, BERT. */
static const rule words[] = {
    /* timm's vision transformers */
    {"patch_embed.proj.*", "conv1.*", WHOLE},
    {"cls_token", "class_embedding", WHOLE},
    {"pos_embed", "positional_embedding", WHOLE},
    {"norm_pre.*", "ln_pre.*", WHOLE},
    {"norm.*", "ln_post.*", WHOLE},
    {"fc_norm.*", "ln_post.*", WHOLE},
    {"blocks.#.norm1.*", BLOCK "ln_1.*", WHOLE},
    {"blocks.#.norm2.*", BLOCK "ln_2.*", WHOLE},
    {"blocks.#.attn.qkv.*", BLOCK "attn.in_proj_*", WHOLE},
    {"blocks.#.attn.proj.*", BLOCK "attn.out_proj.*", WHOLE},
    {"blocks.#.mlp.fc1.*", BLOCK "mlp.c_fc.*", WHOLE},
    {"blocks.#.mlp.fc2.*", BLOCK "mlp.c_proj.*", WHOLE},
    {"attn_pool.q.*", "attn_pool.in_proj_*", QUERIES},
    {"attn_pool.kv.*", "attn_pool.in_proj_*", KEYS_AND_VALUES},
    /* Hugging Face's CLIP and SigLIP */
    {"embeddings.class_embedding", "class_embedding", WHOLE},
    {"embeddings.patch_embedding.*", "conv1.*", WHOLE},
    {"embeddings.position_embedding.weight", "positional_embedding", WHOLE},
    {"embeddings.token_embedding.*", "token_embedding.*", WHOLE},
    {"pre_layrnorm.*", "ln_pre.*", WHOLE},
    {"post_layernorm.*", "ln_post.*", WHOLE},
    {"final_layer_norm.*", "ln_final.*", WHOLE},
    {"encoder.layers.#.layer_norm1.*", BLOCK "ln_1.*", WHOLE},
    {"encoder.layers.#.layer_norm2.*", BLOCK "ln_2.*", WHOLE},
    {"encoder.layers.#.self_attn.q_proj.*", BLOCK "attn.in_proj_*", QUERIES},
    {"encoder.layers.#.self_attn.k_proj.*", BLOCK "attn.in_proj_*", KEYS},
    {"encoder.layers.#.self_attn.v_proj.*", BLOCK "attn.in_proj_*", VALUES},
    {"encoder.layers.#.self_attn.out_proj.*", BLOCK "attn.out_proj.*", WHOLE},
    {"encoder.layers.#.mlp.fc1.*", BLOCK "mlp.c_fc.*", WHOLE},
    {"encoder.layers.#.mlp.fc2.*", BLOCK "mlp.c_proj.*", WHOLE},
    {"head.probe", "attn_pool.latent", WHOLE},
    {"head.attention.in_proj_*", "attn_pool.in_proj_*", WHOLE},
    {"head.attention.out_proj.*", "attn_pool.proj.*", WHOLE},
    {"head.layernorm.*", "attn_pool.norm.*", WHOLE},
    {"head.mlp.*", "attn_pool.mlp.*", WHOLE},
    /* open_clip's text towers without CLIP's own */
    {"transformer.embeddings.*", "embeddings.*", WHOLE},
    {"transformer.encoder.*", "encoder.*", WHOLE},
};

/* Where the digits of # and the rest of * stand in a name. */
typedef struct {
    const char *digits, *rest;
    size_t digit_count;
} match;

static bool fits(const char *pattern, const char *name, match *m)
{
    *m = (match){.rest = ""};
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            m->rest = name;
            return *name != '\0';
        }
        if (*pattern == '#') {
            m->digits = name;
            while (isdigit((unsigned char)*name))
                name++;
            m->digit_count = (size_t)(name - m->digits);
            if (m->digit_count == 0)
                return false;
        } else if (*pattern != *name++) {
            return false;
        }
    }
    return *name == '\0';
}

/* Appends to `out`, which has room for DIP_ORIGIN_NAME_MAX; false when it is
 * full. */
static bool append(char *out, const char *text, size_t n)
{
    size_t at = strlen(out);
    if (n >= DIP_ORIGIN_NAME_MAX - at)
        return false;
    memcpy(out + at, text, n);
    out[at + n] = '\0';
    return true;
}

static bool fill_in(char *out, const char *pattern, const match *m)
{
    bool ok = true;
    for (; *pattern && ok; pattern++) {
        if (*pattern == '*')
            ok = append(out, m->rest, strlen(m->rest));
        else if (*pattern == '#')
            ok = append(out, m->digits, m->digit_count);
        else
            ok = append(out, pattern, 1);
    }
    return ok;
}

static void note_holding(dip_origin_name *out, const rule *r)
{
    switch (r->holds) {
    case QUERIES:
    case KEYS:
    case VALUES:
        out->first = (int)r->holds - (int)QUERIES;
        out->count = 1;
        break;
    case KEYS_AND_VALUES:
        out->first = 1;
        out->count = 2;
        break;
    case TURNED:
        out->transposed = true;
        break;
    case WHOLE:
        break;
    }
}

/* Appends what the first rule that fits makes of `name`. *found says whether
 * there is one; the result, whether it has room. */
static bool apply(dip_origin_name *out, const char *name, const rule *rules,
                  size_t count, bool *found)
{
    match m;
    *found = false;
    for (size_t i = 0; i < count && !*found; i++) {
        if (!fits(rules[i].theirs, name, &m))
            continue;
        *found = true;
        note_holding(out, &rules[i]);
        if (!fill_in(out->name, rules[i].ours, &m))
            return false;
    }
    return true;
}

static bool is_ignored(const char *name)
{
    const char *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    for (size_t i = 0; i < DIP_ARRAY_LEN(ignored); i++)
        if (strcmp(last, ignored[i]) == 0)
            return true;
    return false;
}

static const char *unwrap(const char *name)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(wrappers); i++)
        if (strncmp(name, wrappers[i], strlen(wrappers[i])) == 0)
            return name + strlen(wrappers[i]);
    return name;
}

/* Reads what stands below "image." or "text." of out->name. */
static bool read_words(dip_origin_name *out)
{
    char whole[DIP_ORIGIN_NAME_MAX];
    bool found;
    (void)memcpy(whole, out->name, sizeof whole);
    const char *below = strchr(whole, '.') + 1;
    out->name[below - whole] = '\0';
    if (!apply(out, below, words, DIP_ARRAY_LEN(words), &found))
        return false;
    return found || append(out->name, below, strlen(below));
}

static bool is_below(const char *name, const char *part)
{
    return strncmp(name, part, strlen(part)) == 0;
}

bool dip_origin_tells_part(const char *name)
{
    match m;
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts); i++)
        if (fits(parts[i].theirs, unwrap(name), &m))
            return true;
    return false;
}

bool dip_origin_read(dip_origin_name *out, const char *name, const char *part)
{
    bool found;
    *out = (dip_origin_name){.count = DIP_ORIGIN_THIRDS};
    if (is_ignored(name))
        return false;
    name = unwrap(name);
    if (!apply(out, name, parts, DIP_ARRAY_LEN(parts), &found))
        return false;
    if (!found && !part &&
        !apply(out, name, text_root, DIP_ARRAY_LEN(text_root), &found))
        return false;
    if (!found && part &&
        !(append(out->name, part, strlen(part)) && append(out->name, ".", 1)))
        return false;
    if (!found && !append(out->name, name, strlen(name)))
        return false;
    if (is_below(out->name, "image.") || is_below(out->name, "text."))
        return read_words(out);
    return true;
}
