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
    unsigned by; /* the spellings that write it, all of them; 0: it is only
                    read */
} rule;

/* Short for the tables. */
enum {
    VISUAL = DIP_SPELLING_VISUAL,
    TRUNK = DIP_SPELLING_TRUNK,
    ROOT = DIP_SPELLING_ROOT,
    TEXT = DIP_SPELLING_TEXT,
    BIAS = DIP_SPELLING_TEXT_BIAS,
    PLAIN = DIP_SPELLING_TEXT_PLAIN,
    HF = DIP_SPELLING_HUGGING_FACE,
    HEAD = DIP_SPELLING_TEXT_HEAD,
    TIMM = DIP_SPELLING_TIMM,
};

/* What is no weight. */
static const char *const ignored[] = {"num_batches_tracked", "attn_mask",
                                      "position_ids"};

/* Wrappers around a whole model. */
static const char *const wrappers[] = {"module.", "_orig_mod."};

/* The first that fits counts; the tower's words are read by `words` below. */
static const rule parts[] = {
    /* open_clip and OpenAI */
    {"visual.proj", "image_projection.weight", TURNED, VISUAL},
    {"visual.head.proj.*", "image_projection.*", WHOLE, TRUNK},
    {"visual.head.*", "image_projection.*", WHOLE, 0},
    {"visual.trunk.*", "image.*", WHOLE, TRUNK},
    {"visual.*", "image.*", WHOLE, VISUAL},
    {"text_projection", "text_projection.weight", TURNED, ROOT | PLAIN},
    {"text.text_projection", "text_projection.weight", TURNED, TEXT | PLAIN},
    {"text.text_projection.*", "text_projection.*", WHOLE, TEXT | BIAS},
    {"text.proj.*", "text_projection.*", WHOLE, 0},
    {"text.transformer.embeddings.*", "text.embeddings.*", WHOLE, 0},
    {"text.transformer.encoder.*", "text.encoder.*", WHOLE, 0},
    /* Hugging Face */
    {"visual_projection.*", "image_projection.*", WHOLE, HF},
    {"text_model.head.*", "text_projection.*", WHOLE, HF | HEAD},
    {"vision_model.*", "image.*", WHOLE, HF},
    {"text_model.*", "text.*", WHOLE, HF},
    {"bert.*", "text.*", WHOLE, 0},
    /* what is the same everywhere, and what is ours alone */
    {"text.*", "text.*", WHOLE, 0},
    {"image.*", "image.*", WHOLE, 0},
    {"image_projection.*", "image_projection.*", WHOLE, 0},
    {"text_projection.*", "text_projection.*", WHOLE, 0},
    {"fusion.*", "fusion.*", WHOLE, 0},
    {"fields.*", "fields.*", WHOLE, 0},
    {"heads.*", "heads.*", WHOLE, 0},
    {"logit_scale", "logit_scale", WHOLE, 0},
    {"logit_bias", "logit_bias", WHOLE, 0},
};

/* Words at the root of a file that holds CLIP's text tower. */
static const rule text_root[] = {
    {"transformer.*", "text.transformer.*", WHOLE, ROOT},
    {"token_embedding.*", "text.token_embedding.*", WHOLE, ROOT},
    {"positional_embedding", "text.positional_embedding", WHOLE, ROOT},
    {"ln_final.*", "text.ln_final.*", WHOLE, ROOT},
};

#define BLOCK "transformer.resblocks.#."

/* Below a tower. Names that are not here are the same everywhere, or only one
 * origin has them: residual networks, BERT. */
static const rule words[] = {
    /* timm's vision transformers */
    {"patch_embed.proj.*", "conv1.*", WHOLE, TIMM},
    {"cls_token", "class_embedding", WHOLE, TIMM},
    {"pos_embed", "positional_embedding", WHOLE, TIMM},
    {"norm_pre.*", "ln_pre.*", WHOLE, TIMM},
    {"norm.*", "ln_post.*", WHOLE, TIMM},
    {"fc_norm.*", "ln_post.*", WHOLE, 0},
    {"blocks.#.norm1.*", BLOCK "ln_1.*", WHOLE, TIMM},
    {"blocks.#.norm2.*", BLOCK "ln_2.*", WHOLE, TIMM},
    {"blocks.#.attn.qkv.*", BLOCK "attn.in_proj_*", WHOLE, TIMM},
    {"blocks.#.attn.proj.*", BLOCK "attn.out_proj.*", WHOLE, TIMM},
    {"blocks.#.mlp.fc1.*", BLOCK "mlp.c_fc.*", WHOLE, TIMM},
    {"blocks.#.mlp.fc2.*", BLOCK "mlp.c_proj.*", WHOLE, TIMM},
    {"attn_pool.q.*", "attn_pool.in_proj_*", QUERIES, TIMM},
    {"attn_pool.kv.*", "attn_pool.in_proj_*", KEYS_AND_VALUES, TIMM},
    /* Hugging Face's CLIP and SigLIP */
    {"embeddings.class_embedding", "class_embedding", WHOLE, HF},
    {"embeddings.patch_embedding.*", "conv1.*", WHOLE, HF},
    {"embeddings.position_embedding.weight", "positional_embedding", WHOLE, HF},
    {"embeddings.token_embedding.*", "token_embedding.*", WHOLE, HF},
    {"pre_layrnorm.*", "ln_pre.*", WHOLE, HF},
    {"post_layernorm.*", "ln_post.*", WHOLE, HF},
    {"final_layer_norm.*", "ln_final.*", WHOLE, HF},
    {"encoder.layers.#.layer_norm1.*", BLOCK "ln_1.*", WHOLE, HF},
    {"encoder.layers.#.layer_norm2.*", BLOCK "ln_2.*", WHOLE, HF},
    {"encoder.layers.#.self_attn.q_proj.*", BLOCK "attn.in_proj_*", QUERIES,
     HF},
    {"encoder.layers.#.self_attn.k_proj.*", BLOCK "attn.in_proj_*", KEYS, HF},
    {"encoder.layers.#.self_attn.v_proj.*", BLOCK "attn.in_proj_*", VALUES, HF},
    {"encoder.layers.#.self_attn.out_proj.*", BLOCK "attn.out_proj.*", WHOLE,
     HF},
    {"encoder.layers.#.mlp.fc1.*", BLOCK "mlp.c_fc.*", WHOLE, HF},
    {"encoder.layers.#.mlp.fc2.*", BLOCK "mlp.c_proj.*", WHOLE, HF},
    {"head.probe", "attn_pool.latent", WHOLE, HF},
    {"head.attention.in_proj_*", "attn_pool.in_proj_*", WHOLE, HF},
    {"head.attention.out_proj.*", "attn_pool.proj.*", WHOLE, HF},
    {"head.layernorm.*", "attn_pool.norm.*", WHOLE, HF},
    {"head.mlp.*", "attn_pool.mlp.*", WHOLE, HF},
    /* open_clip's text towers without CLIP's own */
    {"transformer.embeddings.*", "embeddings.*", WHOLE, 0},
    {"transformer.encoder.*", "encoder.*", WHOLE, 0},
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

/* ---- writing ---- */

static bool is_written(const rule *r, unsigned spelling)
{
    return r->by != 0 && (r->by & spelling) == r->by;
}

/* Writes what the rules make of a name of our language, with `before` in front
 * of it, to names[0], names[1]...; returns how many do. */
static int spell(char names[][DIP_ORIGIN_NAME_MAX], const char *before,
                 const char *name, const rule *rules, size_t count, int room,
                 unsigned spelling)
{
    match m;
    int n = 0;
    for (size_t i = 0; i < count && n < room; i++) {
        if (!is_written(&rules[i], spelling) || !fits(rules[i].ours, name, &m))
            continue;
        names[n][0] = '\0';
        if (append(names[n], before, strlen(before)) &&
            fill_in(names[n], rules[i].theirs, &m))
            n++;
    }
    return n;
}

/* Replaces the part that a name begins with. */
static void spell_part(char name[DIP_ORIGIN_NAME_MAX], unsigned spelling)
{
    char spelled[1][DIP_ORIGIN_NAME_MAX];
    int n = spell(spelled, "", name, parts, DIP_ARRAY_LEN(parts), 1, spelling);
    if (n == 0)
        n = spell(spelled, "", name, text_root, DIP_ARRAY_LEN(text_root), 1,
                  spelling);
    if (n == 1) {
        memcpy(name, spelled[0], sizeof spelled[0]);
    } else if ((spelling & DIP_SPELLING_ALONE) != 0) {
        const char *below = strchr(name, '.');
        if (below)
            memmove(name, below + 1, strlen(below + 1) + 1);
    }
}

int dip_origin_write(char names[DIP_ORIGIN_THIRDS][DIP_ORIGIN_NAME_MAX],
                     const char *ours, unsigned spelling)
{
    int count = 0;
    const char *below = strchr(ours, '.');
    if (is_below(ours, "image."))
        count = spell(names, "image.", below + 1, words, DIP_ARRAY_LEN(words),
                      DIP_ORIGIN_THIRDS, spelling);
    else if (is_below(ours, "text."))
        count = spell(names, "text.", below + 1, words, DIP_ARRAY_LEN(words),
                      DIP_ORIGIN_THIRDS, spelling & ~(unsigned)TIMM);
    if (count == 0) {
        names[0][0] = '\0';
        (void)append(names[0], ours, strlen(ours));
        count = 1;
    }
    for (int i = 0; i < count; i++)
        spell_part(names[i], spelling);
    return count;
}

int dip_origin_ndim(const char *name, unsigned spelling)
{
    static const struct {
        const char *end;
        int ndim;
    } shapes[] = {
        {"cls_token", 3}, {"pos_embed", 3}, {"position_embedding.weight", 2}};
    size_t length = strlen(name);
    if ((spelling & DIP_SPELLING_TEXT_HEAD) != 0 && is_below(name, "logit_"))
        return 1;
    for (size_t i = 0; i < DIP_ARRAY_LEN(shapes); i++) {
        size_t n = strlen(shapes[i].end);
        if (length >= n && strcmp(name + length - n, shapes[i].end) == 0)
            return shapes[i].ndim;
    }
    return 0;
}
