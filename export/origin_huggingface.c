/* A folder that from_pretrained() of Hugging Face's transformers reads:
 * config.json, model.safetensors, preprocessor_config.json, and the vocabulary
 * where the tokenizer is one that they have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "export/origin.h"
#include "models/options.h"
#include "models/origins.h"

#define NAME       "huggingface"
#define FILE_NAME  "model.safetensors"
#define OWN_FILE   "diptych_tokenizer.json" /* stands in `dir` before */
#define FILE_LIMIT ((size_t)256 << 20)

/* What their tokenizers do with the end token 2 is of old: they look for the
 * largest id in its place. */
#define OLD_END 2

/* ---- what can be expressed ---- */

static dip_status need_text(const dip_text_options *o, dip_err *err)
{
    dip_status st = dip_origin_need(strcmp(o->pooling, "last") == 0, NAME,
                                    "other text pooling than last", err);
    if (st == DIP_OK)
        st = dip_origin_need(o->token_width == o->width, NAME,
                             "word vectors of another width than the tower's",
                             err);
    return st;
}

static bool is_matrix(const dip_projection_options *p)
{
    return !p->none && !p->bias && p->hidden == 0;
}

static dip_status fit_clip(dip_origin_fit *fit, const dip_origin_model *m,
                           dip_err *err)
{
    const dip_model_config *c = m->config;
    fit->spelling = DIP_SPELLING_HUGGING_FACE;
    dip_origin_cover(fit, "image.");
    dip_origin_cover(fit, "image_projection.");
    dip_origin_cover(fit, "text.");
    dip_origin_cover(fit, "text_projection.");
    dip_origin_cover(fit, "logit_scale");
    dip_status st = dip_origin_need(dip_option_is(c->image.pooling, "cls"),
                                    NAME, "mean of an image's places", err);
    if (st == DIP_OK)
        st = dip_origin_need(
            is_matrix(&c->image_projection) && is_matrix(&c->text_projection),
            NAME, "other projections than matrices in CLIP", err);
    if (st == DIP_OK)
        st = need_text(&c->text, err);
    if (st == DIP_OK)
        st = dip_origin_need(!c->text.bidirectional, NAME,
                             "CLIP whose texts are bidirectional", err);
    if (st == DIP_OK)
        st = dip_origin_need(dip_tokenizer_special(m->tokenizer).eos > OLD_END,
                             NAME,
                             "CLIP whose texts end in another token than "
                             "the tokenizer of CLIP has",
                             err);
    return st;
}

static dip_status fit_siglip(dip_origin_fit *fit, const dip_origin_model *m,
                             dip_err *err)
{
    const dip_model_config *c = m->config;
    fit->spelling = DIP_SPELLING_HUGGING_FACE | DIP_SPELLING_TEXT_HEAD;
    fit->zero_bias = !c->has_bias;
    dip_origin_cover(fit, "image.");
    dip_origin_cover(fit, "text.");
    dip_origin_cover(fit, "text_projection.");
    dip_origin_cover(fit, "logit_");
    dip_status st = need_text(&c->text, err);
    if (st == DIP_OK)
        st = dip_origin_need(c->image_projection.none, NAME,
                             "image projection in SigLIP", err);
    if (st == DIP_OK)
        st = dip_origin_need(
            c->text_projection.bias && c->text_projection.hidden == 0, NAME,
            "other text projection than a layer with a bias "
            "in SigLIP",
            err);
    if (st == DIP_OK)
        st = dip_origin_need(
            c->text.bidirectional && dip_tokenizer_counts_pads(m->tokenizer),
            NAME, "SigLIP whose texts are causal or skip pads", err);
    return st == DIP_OK
               ? dip_origin_need(c->text.norm_eps == 1e-6, NAME,
                                 "other norm_eps than 1e-6 in SigLIP", err)
               : st;
}

static dip_status fit_bert(dip_origin_fit *fit, const dip_origin_model *m,
                           dip_err *err)
{
    (void)m;
    (void)err;
    fit->spelling = DIP_SPELLING_ALONE;
    dip_origin_cover(fit, "text.");
    return DIP_OK;
}

/* ---- configs ---- */

static const char *activation_of(const char *ours)
{
    if (ours == NULL)
        return "gelu";
    return strcmp(ours, "gelu_tanh") == 0 ? "gelu_pytorch_tanh" : ours;
}

static json_t *encoder_json(int64_t width, int64_t depth, int64_t heads,
                            double mlp_ratio)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "hidden_size", (json_int_t)width,
                     "intermediate_size",
                     (json_int_t)((double)width * mlp_ratio),
                     "num_hidden_layers", (json_int_t)depth,
                     "num_attention_heads", (json_int_t)heads);
}

static json_t *vision_json(const dip_origin_model *m, const char *type,
                           double eps)
{
    const dip_image_options *o = &m->config->image;
    json_t *json = encoder_json(o->width, o->depth, o->heads, o->mlp_ratio);
    json_t *rest = json_pack(
        "{s:s, s:I, s:I, s:s, s:f}", "model_type", type, "image_size",
        (json_int_t)o->image_size, "patch_size", (json_int_t)o->patch,
        "hidden_act", activation_of(o->activation), "layer_norm_eps", eps);
    (void)json_object_update_missing(json, rest);
    json_decref(rest);
    return json;
}

static void set_id(json_t *json, const char *key, int64_t id)
{
    (void)json_object_set_new(json, key,
                              id >= 0 ? json_integer(id) : json_null());
}

static json_t *text_json(const dip_origin_model *m, const char *type)
{
    const dip_text_options *o = &m->config->text;
    dip_special_ids special = dip_tokenizer_special(m->tokenizer);
    json_t *json = encoder_json(o->width, o->depth, o->heads, o->mlp_ratio);
    json_t *rest =
        json_pack("{s:s, s:I, s:I, s:s, s:f}", "model_type", type, "vocab_size",
                  (json_int_t)o->vocabulary, "max_position_embeddings",
                  (json_int_t)o->context, "hidden_act",
                  activation_of(o->activation), "layer_norm_eps", o->norm_eps);
    (void)json_object_update_missing(json, rest);
    json_decref(rest);
    set_id(json, "pad_token_id", special.pad);
    set_id(json, "bos_token_id", special.bos);
    set_id(json, "eos_token_id", special.eos);
    return json;
}

/* Adds what all configs have. */
static dip_status write_config(const char *dir, const char *architecture,
                               json_t *json, dip_err *err)
{
    json_t *rest = json_pack("{s:[s], s:s}", "architectures", architecture,
                             "dtype", "float32");
    (void)json_object_update_missing(json, rest);
    json_decref(rest);
    return dip_origin_write_json(dir, "config.json", json, err);
}

static dip_status write_preprocessor(const dip_transform *t, const char *type,
                                     const char *dir, dip_err *err)
{
    bool crop = t->resize_mode == DIP_RESIZE_SHORTEST;
    json_t *square =
        json_pack("{s:i, s:i}", "height", t->size, "width", t->size);
    json_t *json = json_pack(
        "{s:s, s:b, s:i, s:b, s:f, s:b, s:[f, f, f], s:[f, f, f], s:b, s:b}",
        "image_processor_type", type, "do_resize", 1, "resample",
        t->resample == DIP_RESAMPLE_BICUBIC ? 3 : 2, /* Pillow's numbers */
        "do_rescale", 1, "rescale_factor", 1.0 / 255.0, "do_normalize", 1,
        "image_mean", (double)t->mean[0], (double)t->mean[1],
        (double)t->mean[2], "image_std", (double)t->std[0], (double)t->std[1],
        (double)t->std[2], "do_convert_rgb", 1, "do_center_crop", crop);
    (void)json_object_set_new(json, "size",
                              crop
                                  ? json_pack("{s:i}", "shortest_edge", t->size)
                                  : json_incref(square));
    if (crop)
        (void)json_object_set(json, "crop_size", square);
    json_decref(square);
    return dip_origin_write_json(dir, "preprocessor_config.json", json, err);
}

/* ---- vocabularies ---- */

static dip_status write_text(const char *dir, const char *name, dip_str *text,
                             dip_err *err)
{
    char *path = dip_path_join(dir, name);
    dip_status st =
        path != NULL ? dip_str_status(text, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_file_write(path, text->data, text->len, err);
    free(path);
    dip_str_free(text);
    return st;
}

/* What the tokenizer's own file says: merges, lower case. */
static dip_status read_own(json_t **out, const char *dir, dip_err *err)
{
    char *path = dip_path_join(dir, OWN_FILE);
    *out = NULL;
    dip_status st = path != NULL ? dip_json_load(out, path, FILE_LIMIT, err)
                                 : dip_no_memory(err);
    free(path);
    return st;
}

static dip_status write_wordpiece(const dip_origin_model *m, const json_t *own,
                                  const char *dir, dip_err *err)
{
    dip_str text = {0};
    for (int64_t i = 0; i < dip_tokenizer_size(m->tokenizer); i++) {
        dip_bytes token = dip_tokenizer_token(m->tokenizer, i);
        dip_str_add_n(&text, token.data, token.len);
        dip_str_add(&text, "\n");
    }
    dip_status st = write_text(dir, "vocab.txt", &text, err);
    if (st != DIP_OK)
        return st;
    return dip_origin_write_json(
        dir, "tokenizer_config.json",
        json_pack("{s:s, s:b, s:I}", "tokenizer_class", "BertTokenizer",
                  "do_lower_case",
                  json_is_true(json_object_get(own, "lowercase")),
                  "model_max_length", (json_int_t)m->config->text.context),
        err);
}

/* Ids to tokens, but for the two at the end, which have other names there. */
static json_t *clip_vocabulary(const dip_tokenizer *tokenizer)
{
    json_t *json = json_object();
    dip_special_ids special = dip_tokenizer_special(tokenizer);
    for (int64_t i = 0; i < special.bos; i++) {
        dip_bytes token = dip_tokenizer_token(tokenizer, i);
        char *key = dip_strndup(token.data, token.len);
        (void)json_object_set_new(json, key != NULL ? key : "",
                                  json_integer(i));
        free(key);
    }
    (void)json_object_set_new(json, "<|startoftext|>",
                              json_integer(special.bos));
    (void)json_object_set_new(json, "<|endoftext|>", json_integer(special.eos));
    return json;
}

static dip_status write_clip_bpe(const dip_origin_model *m, const json_t *own,
                                 const char *dir, dip_err *err)
{
    dip_str text = {0};
    size_t i;
    json_t *line;
    dip_str_add(&text, "#version: 0.2\n");
    json_array_foreach (json_object_get(own, "merges"), i, line)
        dip_str_addf(&text, "%s\n", json_string_value(line));
    dip_status st = write_text(dir, "merges.txt", &text, err);
    if (st == DIP_OK)
        st = dip_origin_write_json(dir, "vocab.json",
                                   clip_vocabulary(m->tokenizer), err);
    if (st != DIP_OK)
        return st;
    return dip_origin_write_json(
        dir, "tokenizer_config.json",
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "tokenizer_class",
                  "CLIPTokenizer", "bos_token", "<|startoftext|>", "eos_token",
                  "<|endoftext|>", "unk_token", "<|endoftext|>", "pad_token",
                  "!", "model_max_length", (json_int_t)m->config->text.context),
        err);
}

static json_t *token_json(const dip_tokenizer *tokenizer, int64_t id)
{
    if (id < 0)
        return json_null();
    dip_bytes token = dip_tokenizer_token(tokenizer, id);
    return json_stringn(token.data, token.len);
}

static dip_status write_sentencepiece(const dip_origin_model *m,
                                      const json_t *own, const char *dir,
                                      dip_err *err)
{
    (void)own;
    dip_special_ids special = dip_tokenizer_special(m->tokenizer);
    char *from = dip_path_join(dir, "tokenizer.model"), *bytes = NULL;
    char *to = dip_path_join(dir, "spiece.model");
    size_t length = 0;
    dip_status st = from != NULL && to != NULL
                        ? dip_file_read(&bytes, &length, from, FILE_LIMIT, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_file_write(to, bytes, length, err);
    free(bytes);
    free(from);
    free(to);
    if (st != DIP_OK)
        return st;
    return dip_origin_write_json(
        dir, "tokenizer_config.json",
        json_pack("{s:s, s:o, s:o, s:o, s:I}", "tokenizer_class",
                  "SiglipTokenizer", "eos_token",
                  token_json(m->tokenizer, special.eos), "unk_token",
                  token_json(m->tokenizer, special.unk), "pad_token",
                  token_json(m->tokenizer, special.pad), "model_max_length",
                  (json_int_t)m->config->text.context),
        err);
}

/* Tokenizers that they have none of keep our file alone. */
static dip_status write_vocabulary(const dip_origin_model *m, const char *dir,
                                   dip_err *err)
{
    static dip_status (*const writers[DIP_TOKENIZER_COUNT])(
        const dip_origin_model *, const json_t *, const char *, dip_err *) = {
        [DIP_TOKENIZER_WORDPIECE] = write_wordpiece,
        [DIP_TOKENIZER_CLIP_BPE] = write_clip_bpe,
        [DIP_TOKENIZER_SENTENCEPIECE] = write_sentencepiece,
    };
    json_t *own = NULL;
    dip_tokenizer_kind kind = dip_tokenizer_kind_of(m->tokenizer);
    if (writers[kind] == NULL)
        return DIP_OK;
    dip_status st = read_own(&own, dir, err);
    if (st == DIP_OK)
        st = writers[kind](m, own, dir, err);
    json_decref(own);
    return st;
}

/* ---- folders ---- */

static dip_status write_clip(const dip_origin_model *m, const char *dir,
                             dip_err *err)
{
    json_t *config =
        json_pack("{s:s, s:I, s:o, s:o}", "model_type", "clip",
                  "projection_dim", (json_int_t)m->config->embed_dim,
                  "text_config", text_json(m, "clip_text_model"),
                  "vision_config", vision_json(m, "clip_vision_model", 1e-5));
    dip_status st = write_config(dir, "CLIPModel", config, err);
    if (st == DIP_OK)
        st = write_preprocessor(m->transform, "CLIPImageProcessor", dir, err);
    return st == DIP_OK ? write_vocabulary(m, dir, err) : st;
}

static dip_status write_siglip(const dip_origin_model *m, const char *dir,
                               dip_err *err)
{
    json_t *text = text_json(m, "siglip_text_model");
    (void)json_object_set_new(text, "projection_size",
                              json_integer(m->config->embed_dim));
    json_t *config = json_pack("{s:s, s:o, s:o}", "model_type", "siglip",
                               "text_config", text, "vision_config",
                               vision_json(m, "siglip_vision_model", 1e-6));
    dip_status st = write_config(dir, "SiglipModel", config, err);
    if (st == DIP_OK)
        st = write_preprocessor(m->transform, "SiglipImageProcessor", dir, err);
    return st == DIP_OK ? write_vocabulary(m, dir, err) : st;
}

/* "diptych_pooling" says what from_pretrained() gives no name to. */
static dip_status write_bert(const dip_origin_model *m, const char *dir,
                             dip_err *err)
{
    const dip_text_options *o = &m->config->text;
    json_t *config = encoder_json(o->width, o->depth, o->heads, o->mlp_ratio);
    json_t *rest = json_pack(
        "{s:s, s:I, s:I, s:i, s:s, s:f, s:I, s:s}", "model_type", "bert",
        "vocab_size", (json_int_t)o->vocabulary, "max_position_embeddings",
        (json_int_t)o->positions, "type_vocab_size", 2, "hidden_act", "gelu",
        "layer_norm_eps", o->norm_eps, "pad_token_id",
        (json_int_t)dip_tokenizer_special(m->tokenizer).pad, "diptych_pooling",
        o->pooling);
    (void)json_object_update_missing(config, rest);
    json_decref(rest);
    dip_status st = write_config(dir, "BertModel", config, err);
    return st == DIP_OK ? write_vocabulary(m, dir, err) : st;
}

const dip_origin dip_origins_huggingface[] = {
    {NAME, "vit", "transformer", FILE_NAME, fit_clip, write_clip},
    {NAME, "siglip", "transformer", FILE_NAME, fit_siglip, write_siglip},
    {NAME, NULL, "bert", FILE_NAME, fit_bert, write_bert},
    {0},
};
