/* Towers: the networks that turn one photo or one text into features.
 *
 * A kind of tower is one file and one row in the table of tower.c. All kinds of
 * a modality share one struct of options, in which zero, false and NULL mean
 * "the default of this kind"; each row lists the options that its kind reads,
 * and setting any other is an error.
 *
 * Forward functions follow the rules of tensor/tensor.h: the result is in the
 * open scope, failures stick. No size of the batch is read outside of training,
 * so that every tower can be traced with a free batch dimension.
 *
 * Tokens. Beside its pooled features a tower may give what it has for each
 * place: the cells of an image's grid or its patches, the words of a text. Some
 * fusions attend to them. A kind's forward function gets `tokens`, which is
 * NULL when nobody asks; otherwise it may set *tokens, which was NULL:
 *   image: [B, N, token_features], every one of which counts;
 *   text:  [B, T, token_features], token t at the place of ids[:, t]. Padding
 *          is masked by the caller, so what stands there does not matter.
 * Pooled features are the same, up to rounding, whether tokens are asked for or
 * not. A kind that has none leaves *tokens alone; its features are then taken
 * as the only token. */
#ifndef DIP_MODELS_TOWER_H
#define DIP_MODELS_TOWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "models/layers.h"
#include "tensor/tensor.h"

#define DIP_TOWER_STAGES_MAX 8

typedef struct {
    const char *kind;   /* name of a row; borrowed while the tower is built */
    int64_t image_size; /* height and width in pixels; always needed */
    int64_t width;      /* channels of the first stage; vit, siglip: W */
    int64_t depth; /* resnet: 18, 34, 50, 101 or 152; vgg: 11, 13, 16 or 19;
                      vit, siglip: blocks */
    int64_t layers[DIP_TOWER_STAGES_MAX]; /* resnets, efficientnet_lite0:
 blocks per stage */
    int layer_count;                      /* 0 = as `depth` says */
    int64_t widths[DIP_TOWER_STAGES_MAX]; /* cnn: channels per stage */
    int width_count;
    const char *block;        /* resnet: basic, bottleneck */
    const char *stem;         /* resnet: imagenet (7x7 stride 2, pool), small */
    bool zero_init_residual;  /* resnets: last norm of a block starts at 0 */
    double drop_path;         /* resnets, vit: of the last block, from 0 */
    int64_t patch;            /* vit: pixels */
    int64_t heads;            /* vit: default width / 64, at least 1;
                                 clip_resnet: default width / 2 */
    double mlp_ratio;         /* vit */
    double dropout;           /* cnn: before the features; vit: after the two
                                 branches of a block */
    double attention_dropout; /* vit, siglip: of the attention weights */
    int64_t features;         /* clip_resnet: F; default 32 width; vgg: of its
                                 classifier; default 4096 */
    bool batch_norm;          /* vgg */
    const char *pooling;      /* vit: cls, mean; vgg: mean, classifier */
    const char *activation;   /* vit: gelu, quick_gelu, gelu_tanh */
} dip_image_options;

typedef struct {
    const char *kind;
    int64_t vocabulary;  /* ids are in [0, vocabulary); always needed */
    int64_t context;     /* most tokens of a text; always needed */
    int64_t width;       /* of a token, and of the features but for: cnn:
                            filters of each window; lstm, gru: the state of
                            one direction */
    int64_t token_width; /* not bert: of a word's vector; default as width,
                            cnn: 300; bag and transformer have a linear
                            layer between if it differs from width */
    bool frozen_tokens;  /* not bert: word vectors are not trained */
    double token_std; /* not bert: of the tables' first values; default .02 */
    bool sparse;      /* not bert: gradients of the words' tables */
    double token_dropout;  /* not bert: of the words' vectors */
    int64_t ngrams;        /* bag, cnn, lstm, gru: up to so many tokens in a row
                              have a vector, too (models/words.h); default 1 */
    int64_t ngram_buckets; /* rows of their table; default 131,072 */
    int64_t ngram_vocabulary; /* of so many buckets; 0: all have vectors */
    double ngram_dropout;     /* of whole n-grams */
    int64_t depth;            /* layers; bag: hidden layers of its MLP */
    int64_t heads;            /* transformer, bert: default width / 64, at least
                                 1 */
    int64_t windows[DIP_TOWER_STAGES_MAX]; /* cnn: words; default 3, 4, 5 */
    int window_count;
    double mlp_ratio;         /* transformer, bert: default 4 */
    double dropout;           /* bag, lstm, gru: between layers; cnn: of the
                                 features; transformer, bert: after the two
                                 branches of a block, bert: of the embeddings,
                                 too */
    double attention_dropout; /* transformer, bert: of the attention weights */
    const char *pooling;      /* lstm, gru: mean, max, last, attention;
                                 transformer: last, mean, cls (a learned token
                                 behind the text); bert: cls (the first token),
                                 mean, pooler (BERT's own layer over cls) */
    bool bidirectional;       /* lstm, gru: two directions; transformer: not
                                 causal */
    const char *activation;   /* transformer: gelu, quick_gelu, gelu_tanh */
    double norm_eps;          /* transformer: default 1e-5, SigLIP has 1e-6;
                                 bert: default 1e-12 */
    int64_t positions;        /* bert: rows of its table of positions, at least
                                 `context`; default 512 or `context` */
} dip_text_options;

typedef struct dip_image_tower dip_image_tower;
typedef struct dip_text_tower dip_text_tower;

typedef struct {
    const char *name;
    const char *summary;        /* a line of help */
    const char *const *options; /* those it reads, NULL-terminated */
    /* The parameter that has a row for each place of a square grid, and how
     * many other rows stand before them; NULL = none. Weights of another image
     * size fit by dip_positions_resize(). */
    const char *positions;
    int64_t positions_before;
    /* Replaces what is unset by the defaults and refuses the impossible. */
    dip_status (*check)(dip_image_options *options, dip_err *err);
    /* Adds the parameters; NULL only when memory is out. */
    dip_image_tower *(*build)(const dip_image_options *options,
                              const dip_maker *maker);
    dip_tensor *(*forward)(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training);
    void (*free)(dip_image_tower *tower);
} dip_image_kind;

typedef struct {
    const char *name;
    const char *summary;
    const char *const *options;
    dip_status (*check)(dip_text_options *options, dip_err *err);
    dip_text_tower *(*build)(const dip_text_options *options,
                             const dip_maker *maker);
    dip_tensor *(*forward)(const dip_text_tower *tower, const dip_tensor *ids,
                           const dip_tensor *lengths, dip_tensor **tokens,
                           bool training);
    void (*free)(dip_text_tower *tower);
} dip_text_kind;

/* What every tower begins with. */
struct dip_image_tower {
    const dip_image_kind *kind;
    int64_t features;       /* F */
    int64_t token_features; /* of each token; build may leave 0: as features */
};

struct dip_text_tower {
    const dip_text_kind *kind;
    int64_t features;
    int64_t token_features;
};

/* The tables, for docs and tests; NULL for an unknown name. */
int dip_image_kind_count(void);
const dip_image_kind *dip_image_kind_at(int i);
const dip_image_kind *dip_image_kind_find(const char *name);
int dip_text_kind_count(void);
const dip_text_kind *dip_text_kind_at(int i);
const dip_text_kind *dip_text_kind_find(const char *name);

/* Fills in the defaults of the kind. DIP_ECONFIG names the option, with the
 * prefix "image" or "text". */
dip_status dip_image_options_check(dip_image_options *options,
                                   dip_err *err) DIP_MUST_CHECK;
dip_status dip_text_options_check(dip_text_options *options,
                                  dip_err *err) DIP_MUST_CHECK;

/* Builds a tower whose parameters are added under the maker's path. Options
 * are checked first. The parameters stay the property of the maker's store,
 * which must outlive the tower. Needs an open scope. */
dip_status dip_image_tower_create(dip_image_tower **out,
                                  const dip_image_options *options,
                                  const dip_maker *maker,
                                  dip_err *err) DIP_MUST_CHECK;
dip_status dip_text_tower_create(dip_text_tower **out,
                                 const dip_text_options *options,
                                 const dip_maker *maker,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_image_tower_free(dip_image_tower *tower);
void dip_text_tower_free(dip_text_tower *tower);

/* images [B, 3, H, W] float, H = W = image_size, normalised, contiguous or
 * channels_last; result [B, F]. */
dip_tensor *dip_image_tower_forward(const dip_image_tower *tower,
                                    const dip_tensor *images, bool training);
/* ids int64 [B, T], T <= context, 0 = padding, which stands behind the text;
 * lengths int64 [B] in [0, T]; result [B, F]. A row of length 0 gives zeros.
 * Padding never changes a result. */
dip_tensor *dip_text_tower_forward(const dip_text_tower *tower,
                                   const dip_tensor *ids,
                                   const dip_tensor *lengths, bool training);

/* What a tower gives for each place. */
typedef struct {
    dip_tensor *rows; /* [B, N, token_features], any dtype that is floating */
    dip_tensor *mask; /* BOOL [B, N]: which are there; NULL = all of them */
} dip_tokens;

/* The same with *tokens beside the features. A text of length 0 has none. */
dip_tensor *dip_image_tower_forward_tokens(const dip_image_tower *tower,
                                           const dip_tensor *images,
                                           dip_tokens *tokens, bool training);
dip_tensor *dip_text_tower_forward_tokens(const dip_text_tower *tower,
                                          const dip_tensor *ids,
                                          const dip_tensor *lengths,
                                          dip_tokens *tokens, bool training);

#endif
