#include "apps/options.h"

#include "base/mem.h"

#define TEXT(key, fallback, help)                                              \
    {                                                                          \
        (key), DIP_OPTION_STRING, (fallback), 0, 0, NULL, (help), false, false \
    }
#define NEEDED(key, help)                                                      \
    {                                                                          \
        (key), DIP_OPTION_STRING, NULL, 0, 0, NULL, (help), true, false        \
    }
#define INT(key, fallback, min, max, help)                                     \
    {                                                                          \
        (key), DIP_OPTION_INT, (fallback), (min), (max), NULL, (help), false,  \
            false                                                              \
    }
#define FLOAT(key, fallback, min, max, help)                                   \
    {                                                                          \
        (key), DIP_OPTION_FLOAT, (fallback), (min), (max), NULL, (help),       \
            false, false                                                       \
    }
#define BOOL(key, fallback, help)                                              \
    {                                                                          \
        (key), DIP_OPTION_BOOL, (fallback), 0, 0, NULL, (help), false, false   \
    }
#define ENUM(key, fallback, choices, help)                                     \
    {                                                                          \
        (key), DIP_OPTION_ENUM, (fallback), 0, 0, (choices), (help), false,    \
            false                                                              \
    }
#define TEXTS(key, fallback, help)                                             \
    {                                                                          \
        (key), DIP_OPTION_STRINGS, (fallback), 0, 0, NULL, (help), false,      \
            false                                                              \
    }
#define INTS(key, fallback, min, max, help)                                    \
    {                                                                          \
        (key), DIP_OPTION_INTS, (fallback), (min), (max), NULL, (help), false, \
            false                                                              \
    }
#define FLOATS(key, fallback, min, max, help)                                  \
    {                                                                          \
        (key), DIP_OPTION_FLOATS, (fallback), (min), (max), NULL, (help),      \
            false, false                                                       \
    }

/* Steps of augmentation: those that are named apply, in their order. */
#define STEP(key, fallback, max, help)                                         \
    {                                                                          \
        "augment." key, DIP_OPTION_FLOAT, (fallback), 0, (max), NULL, (help),  \
            false, true                                                        \
    }
#define STEP_RANGE(key, fallback, min, max, help)                              \
    {                                                                          \
        "augment." key, DIP_OPTION_FLOATS, (fallback), (min), (max), NULL,     \
            (help), false, true                                                \
    }

#define BIG 1e12

static const dip_option options[] = {
    ENUM("task", "retrieval",
         "retrieval|recommendation|image_classification|text_classification",
         "What is learnt: to find products, what a user will like, or labels "
         "of photos or of texts. A config of `recommendation` has the sections "
         "graph and recommendation, and neither texts, photos, models, losses "
         "nor tasks. One of a classification has the section classification, "
         "one tower, and heads that read its features."),
    TEXT("name", "run", "Name of the run: its directory is runs/<name>."),
    INT("seed", "0", 0, 9007199254740992.0,
        "Seed of initial values, order, augmentation and dropout."),

    TEXT("data.catalog", NULL,
         "Catalog to train on: a .h5 file, a manifest or the common name of "
         "shards. `--data` replaces it."),
    TEXT("data.image", NULL,
         "Image column; by default the only one, none if there is none."),
    INT("data.image_size", "96", 8, 1024,
        "Height and width in pixels of what the image tower sees."),
    ENUM("data.resize", "shortest", "shortest|squash",
         "How evaluation reaches that size: shorter side and centre crop, or "
         "both sides."),
    ENUM("data.resample", "bicubic", "bicubic|bilinear",
         "Filter of resizing, antialiased."),
    FLOATS("data.mean", "[0.48145466, 0.4578275, 0.40821073]", -10, 10,
           "Subtracted from each channel of [0, 1]; CLIP's by default."),
    FLOATS("data.std", "[0.26862954, 0.26130258, 0.27577711]", 1e-6, 10,
           "Divides each channel."),
    BOOL("data.exif", "true", "Turn photos as their EXIF orientation says."),
    INT("data.max_pixels", "25000000", 1, 1e9,
        "A photo of more pixels is refused before it is decoded."),
    ENUM("data.bad_image", "error", "error|skip",
         "A photo that cannot be decoded ends the run, or counts as missing."),
    ENUM("data.layout", "catalog", "catalog|fashion_gen|coco_captions",
         "Format of the file; the last two are read in place."),
    TEXT("data.map.train", NULL, "Foreign layout: file of the train split."),
    TEXT("data.map.val", NULL, "Foreign layout: file of the val split."),
    TEXT("data.map.test", NULL, "Foreign layout: file of the test split."),
    TEXT("data.map.image", NULL, "Foreign layout: dataset of the photos."),
    TEXT("data.map.group", NULL,
         "Foreign layout: dataset whose equal values make one product."),
    TEXT("data.map.text.*", NULL, "Foreign layout: dataset of a text column."),
    TEXT("data.map.label.*", NULL,
         "Foreign layout: dataset of a label column."),
    TEXT("data.map.number.*", NULL,
         "Foreign layout: dataset of a number column."),
    TEXT("data.map.word_map", NULL,
         "coco_captions: the WORDMAP file, when it is not beside the photos."),
    TEXT("data.map.captions", NULL,
         "coco_captions: the CAPTIONS file, when it is not beside the photos."),

    STEP_RANGE("random_resized_crop.scale", "[0.08, 1]", 1e-3, 1,
               "Least and most share of the area."),
    STEP_RANGE("random_resized_crop.ratio", "[0.75, 1.3333333]", .1, 10,
               "Least and most width / height."),
    {"augment.random_crop.padding", DIP_OPTION_INT, "4", 0, 1024, NULL,
     "Zeros on each side before a part of the image size is taken.", false,
     true},
    STEP("horizontal_flip.p", "0.5", 1, "Probability."),
    STEP("color_jitter.brightness", "0", 10, "Factor from 1 - x to 1 + x."),
    STEP("color_jitter.contrast", "0", 10, "Factor from 1 - x to 1 + x."),
    STEP("color_jitter.saturation", "0", 10, "Factor from 1 - x to 1 + x."),
    STEP("color_jitter.hue", "0", .5, "Shift in turns."),
    STEP("color_jitter.p", "1", 1, "Probability."),
    STEP("grayscale.p", "0.1", 1, "Probability."),
    {"augment.cutout.size", DIP_OPTION_INT, "16", 1, 2048, NULL,
     "Pixels of a square that is blanked, its centre anywhere in the image.",
     false, true},
    STEP("cutout.p", "1", 1, "Probability."),

    ENUM("tokenizer.kind", "word",
         "word|character|wordpiece|clip_bpe|sentencepiece",
         "word: built from the training texts; Han, Kana and Hangul by "
         "character. character: so, every one alone. wordpiece: of BERT. "
         "clip_bpe: of CLIP. sentencepiece: of SigLIP, T5 and others. Each "
         "takes those of the options below that concern it; any other is an "
         "error."),
    TEXT("tokenizer.vocab", NULL,
         "wordpiece: the vocab.txt, or the Hugging Face folder that has it."),
    BOOL("tokenizer.lowercase", NULL,
         "wordpiece: lower case without accents, as uncased models have it; "
         "true by default."),
    TEXT("tokenizer.merges", NULL,
         "clip_bpe: bpe_simple_vocab_16e6.txt.gz of open_clip, a merges.txt, "
         "or the Hugging Face folder that has it."),
    TEXT("tokenizer.model", NULL,
         "sentencepiece: the model file, or the Hugging Face folder that has "
         "a spiece.model."),
    ENUM("tokenizer.clean", NULL, "none|whitespace|lower|canonicalize",
         "clip_bpe, sentencepiece: what open_clip does to a text first. By "
         "default lower for clip_bpe, none for sentencepiece; SigLIP has "
         "canonicalize."),
    BOOL("tokenizer.bos", NULL,
         "sentencepiece: texts begin with the begin-of-text token; false by "
         "default."),
    INT("tokenizer.pad_id", NULL, 0, 1048575,
        "sentencepiece: the id that fills up; by default the model's, or else "
        "its end token. SigLIP: 1."),
    BOOL("tokenizer.count_pads", NULL,
         "sentencepiece: pads are tokens too, so that every text fills the "
         "context, as in SigLIP; false by default."),
    INT("tokenizer.context", "32", 1, 4096,
        "Most tokens of a text; what is longer is cut, which training says."),
    INT("tokenizer.min_count", NULL, 1, BIG,
        "word, character: those seen less often in training are unknown; 2 by "
        "default."),
    INT("tokenizer.max_size", NULL, 8, 1048576,
        "Most tokens: 32768 of word and character by default, 49408 of "
        "clip_bpe."),
    BOOL("tokenizer.punctuation", NULL,
         "word, character: punctuation marks are tokens; false by default."),
    BOOL("tokenizer.eos", NULL,
         "word, character, sentencepiece: texts end in an end-of-text token; "
         "true by default."),

    TEXT("fields.*.template", NULL,
         "Text of this field, made of columns: \"{gender} {title}\"; by "
         "default the text column of the field's name."),
    TEXT("fields.*.label", NULL,
         "Label column: the field is the embedding of a name, no text. Names "
         "that training does not know are [unknown]; -1 is absent."),
    TEXT("fields.*.number", NULL,
         "Number column: the field is the embedding of a number, no text; NaN "
         "is absent."),
    ENUM("fields.*.form", "standardised", "standardised|bucketised",
         "number: minus the mean of the training, divided by its deviation, "
         "through an MLP; or an embedding of the range between quantiles of "
         "the training."),
    INT("fields.*.buckets", "16", 2, 256, "bucketised: ranges."),
    INT("fields.*.hidden", "64", 0, 65536,
        "standardised: width of the MLP's hidden layer; 0: linear."),
    INT("fields.*.min_count", "2", 1, BIG,
        "label: names that fewer rows of the training have are [unknown]."),
    FLOAT("fields.*.unknown_dropout", "0.02", 0, 1,
          "label: training takes a name for [unknown] with this probability, "
          "so that names of other catalogs meet an embedding that was "
          "trained."),
    FLOAT("fields.*.word_dropout", "0", 0, 1,
          "Training leaves out each word with this probability."),
    TEXTS("fields.*.damage.labels", "[]",
          "Words that stand in the row's values of these labels are dropped "
          "for good, in every split: a run on titles that say less."),
    INT("fields.*.damage.first_words", "0", 0, 100,
        "So are this many first words (the brand)."),
    FLOAT("fields.*.damage.p", "0", 0, 1, "Probability for each such word."),
    INT("fields.*.damage.seed", "0", 0, 9007199254740992.0,
        "Seed of the damage: runs of other seeds see the same texts."),

    TEXT("init.model", NULL,
         "Weights to start from: a safetensors file, a folder or index of "
         "such, or a run directory. The names of open_clip, OpenAI's CLIP, "
         "Hugging Face's CLIP and SigLIP, and ours are known."),
    TEXT("init.image", NULL,
         "The same for the image tower and its projection alone; also "
         "torchvision's and timm's names."),
    TEXT("init.text", NULL,
         "The same for the text tower and its projection alone; also BERT's "
         "names."),

    INT("lora.rank", "0", 0, 65536,
        "Rank of the adapters (LoRA) that are trained in place of the towers; "
        "0: none. An export has them merged."),
    FLOAT("lora.alpha", "16", 1e-6, 1e6,
          "What they add is scaled by alpha / rank."),
    FLOAT("lora.dropout", "0", 0, .99,
          "Share of a matrix's inputs that its adapter does not see, drawn "
          "once a batch."),
    TEXTS("lora.targets", "[]",
          "Patterns on names of matrices; by default all of attention and "
          "linear layers in the towers."),
    TEXTS("lora.train", "[]",
          "Patterns on names of what else is trained of the towers, such as "
          "*.bias."),
    TEXTS("freeze", "[]",
          "What is not trained: towers (image, text) or patterns on names of "
          "parameters, such as text.token_embedding.* or *.bn?.*. Frozen batch "
          "norms use their running statistics; a tower of which all is frozen "
          "computes as in evaluation, without dropout."),

    INT("model.embed_dim", "256", 1, 65536, "Length of an embedding."),
    TEXT("model.image.tower", "resnet",
         "clip_resnet, cnn, efficientnet_lite0, resnet, siglip, vgg or vit. "
         "Each tower takes those of the options below "
         "that concern it; any other is an error."),
    INT("model.image.width", NULL, 1, 65536,
        "Channels of the first stage, or of a token (vit, siglip)."),
    INT("model.image.depth", NULL, 1, 1024,
        "resnet: 18, 34, 50, 101 or 152; vgg: 11, 13, 16 or 19; vit, siglip: "
        "blocks."),
    INTS("model.image.layers", "[]", 1, 1024,
         "resnets, efficientnet_lite0: blocks per stage."),
    INTS("model.image.widths", "[]", 1, 65536, "cnn: channels per stage."),
    TEXT("model.image.block", NULL, "resnet: basic or bottleneck."),
    TEXT("model.image.stem", NULL, "resnet: imagenet or small."),
    BOOL("model.image.zero_init_residual", "false",
         "resnets: the last norm of each block starts at 0, as open_clip's and "
         "timm's do."),
    FLOAT("model.image.drop_path", "0", 0, 1,
          "Not cnn, vgg: stochastic depth of the last block."),
    INT("model.image.patch", NULL, 1, 1024, "vit, siglip: pixels of a patch."),
    INT("model.image.heads", NULL, 1, 1024,
        "vit, siglip, clip_resnet: attention heads."),
    FLOAT("model.image.mlp_ratio", NULL, .1, 64,
          "vit, siglip: hidden width of a block / width."),
    FLOAT("model.image.dropout", "0", 0, 1, "cnn, vgg, vit, siglip."),
    FLOAT("model.image.attention_dropout", "0", 0, 1,
          "vit, siglip: dropout of the attention weights."),
    INT("model.image.features", NULL, 1, 65536,
        "clip_resnet: outputs of its attention pooling, 32 width by default; "
        "vgg: of its classifier's hidden layers, 4096 by default."),
    BOOL("model.image.batch_norm", "false",
         "vgg: each convolution has a batch norm."),
    TEXT("model.image.pooling", NULL,
         "vit: cls or mean; vgg: mean (of all places) or classifier (its two "
         "hidden layers)."),
    TEXT("model.image.activation", NULL,
         "vit, siglip: gelu, quick_gelu or gelu_tanh."),
    TEXT("model.text.tower", "transformer",
         "bag, cnn, lstm, gru, transformer or bert; options as for the image "
         "tower."),
    INT("model.text.width", NULL, 1, 65536,
        "Width of a token; cnn: filters of each window; lstm, gru: of the "
        "state."),
    INT("model.text.token_width", NULL, 1, 65536,
        "bag, cnn, lstm, gru, transformer: width of a word's vector; by "
        "default "
        "`width`, for cnn 300."),
    TEXT("model.text.vectors", NULL,
         "Pretrained word vectors of `token_width` numbers that the table of "
         "words starts with: word2vec (text or binary), GloVe, fastText (.vec "
         "or .bin, with its subwords). For the tokenizer `word`."),
    BOOL("model.text.vectors_frozen", "false",
         "The table of words is not trained."),
    INT("model.text.ngrams", NULL, 1, 5,
        "bag, cnn, lstm, gru: so many tokens in a row, and fewer, have a "
        "vector, too, found by hashing, as in fastText. 2 suits characters."),
    INT("model.text.ngram_buckets", NULL, 1, 16777216,
        "Vectors of these; 131072 by default."),
    INT("model.text.ngram_vocabulary", "0", 0, 16777216,
        "Only so many of the buckets, those that the training texts hit most "
        "often, have a vector; n-grams of the others add nothing. 0: all."),
    FLOAT("model.text.ngram_dropout", "0", 0, .99,
          "Share of the n-grams that training leaves out, each as a whole: "
          "new texts bring unseen ones, too."),
    FLOAT("model.text.token_std", NULL, 1e-6, 10,
          "All but bert: standard deviation that the vectors of words and "
          "n-grams start with; 0.02 by default, as in CLIP, where "
          "torch.nn.Embedding has 1. The more, the less a rare word learns."),
    FLOAT("model.text.token_dropout", "0", 0, .99,
          "All but bert: dropout of the words' vectors."),
    BOOL("model.text.sparse", "false",
         "All but bert: an update moves the words' and n-grams' vectors that "
         "its batch looks up and leaves the others, moments and decay "
         "included, as PyTorch's sparse embeddings under SparseAdam. Large "
         "tables cost less, and rare words overfit less."),
    INT("model.text.depth", NULL, 0, 1024, "Layers."),
    INT("model.text.heads", NULL, 1, 1024,
        "transformer, bert: attention heads."),
    INTS("model.text.windows", "[]", 1, 64,
         "cnn: widths of the windows in words; by default 3, 4 and 5."),
    FLOAT("model.text.mlp_ratio", NULL, .1, 64,
          "transformer, bert: hidden width of a block / width."),
    FLOAT("model.text.dropout", "0", 0, 1, "Dropout."),
    FLOAT("model.text.attention_dropout", "0", 0, 1,
          "transformer, bert: dropout of the attention weights (BERT was "
          "trained with 0.1 of both)."),
    TEXT("model.text.pooling", NULL,
         "lstm, gru: mean, max, last or attention; transformer: last, mean or "
         "cls; bert: cls, mean or pooler."),
    BOOL("model.text.bidirectional", "false",
         "lstm, gru: both directions; transformer: not causal."),
    TEXT("model.text.activation", NULL,
         "transformer: gelu, quick_gelu or gelu_tanh."),
    FLOAT("model.text.norm_eps", NULL, 1e-12, .1,
          "transformer: 1e-5 by default, SigLIP has 1e-6; bert: 1e-12."),
    INT("model.text.positions", NULL, 1, 65536,
        "bert: rows of the table of positions, at least `tokenizer.context`; "
        "512 by default."),
    INT("model.image_projection.hidden", "0", 0, 65536,
        "0: linear; else an MLP with one hidden layer of this width."),
    FLOAT("model.image_projection.dropout", "0", 0, 1, "Of that layer."),
    BOOL("model.image_projection.bias", "false", "The last layer has a bias."),
    BOOL("model.image_projection.none", "false",
         "No projection: the tower's features, embed_dim of them, are the "
         "embedding."),
    INT("model.text_projection.hidden", "0", 0, 65536,
        "0: linear; else an MLP with one hidden layer of this width."),
    FLOAT("model.text_projection.dropout", "0", 0, 1, "Of that layer."),
    BOOL("model.text_projection.bias", "false", "The last layer has a bias."),
    BOOL("model.text_projection.none", "false",
         "No projection: the tower's features, embed_dim of them, are the "
         "embedding."),
    TEXT("model.fusion.kind", "weighted_average",
         "A product's fields into one: weighted_average, maximum, concat_mlp, "
         "gated, bilinear, lstm, gru, self_attention, cross_attention."),
    BOOL("model.fusion.fixed", "false",
         "weighted_average: the weights are not trained."),
    FLOAT("model.fusion.weights.*", NULL, 1e-6, 1e6,
          "weighted_average: starting weight of a field."),
    INT("model.fusion.hidden", NULL, 1, 65536, "concat_mlp: hidden width."),
    FLOAT("model.fusion.dropout", "0", 0, 1,
          "concat_mlp, bilinear, self_attention, cross_attention."),
    INT("model.fusion.factors", NULL, 1, 64,
        "bilinear: products that are summed to one number; 5 by default."),
    INT("model.fusion.depth", NULL, 1, 128,
        "self_attention, cross_attention: blocks; 2 by default."),
    INT("model.fusion.heads", NULL, 1, 1024,
        "self_attention, cross_attention: by default the most that leave each "
        "64 numbers."),
    FLOAT("model.fusion.mlp_ratio", NULL, .25, 16,
          "self_attention, cross_attention; 4 by default."),
    ENUM("model.similarity", "cosine", "cosine|euclidean",
         "How embeddings are compared: dot product of unit rows, or minus the "
         "squared distance of rows that are not normalised, in training, "
         "evaluation and search."),
    FLOAT("model.temperature", NULL, .01, 100,
          "What similarities are divided by in the contrastive loss, at the "
          "start; by default 0.07 for cosine, which takes at most 1, and 1 for "
          "euclidean."),
    BOOL("model.fixed_temperature", "false", "It is not trained."),
    INT("model.match.hidden", "0", 0, 65536,
        "Hidden width of a classifier that tells from [q, p, q * p, |q - p|] "
        "whether query and product belong together; 0: none. It ranks again "
        "what the search found (eval.rerank, `diptych search --rerank`)."),
    INT("model.match.negatives", "1", 0, 4096,
        "It learns from each query with its product, with this many of the "
        "nearest wrong products of the batch, and with one at random."),
    FLOAT("model.match.weight", "1", 0, 1e6,
          "Weight of its binary cross-entropy beside a task's loss."),
    BOOL("model.match.detach", "false", "It does not train the embeddings."),
    ENUM("model.heads.*.input", "product",
         "product|image|text|image_features|text_features",
         "What the classification head of this label column sees."),
    FLOAT("model.heads.*.weight", "1", 0, 1e6,
          "Weight of its cross-entropy in the loss."),
    FLOAT("model.heads.*.label_smoothing", "0", 0, .99,
          "Share of the target that is spread over all classes."),
    FLOAT("model.heads.*.dropout", "0", 0, .99,
          "Dropout of what the head sees, in training."),
    ENUM("model.heads.*.class_weights", "none", "none|balanced|list",
         "balanced: rows / (classes x rows of the class) over the train "
         "split."),
    FLOATS("model.heads.*.class_weight_list", "[]", 0, 1e6,
           "class_weights list: one for each class, in the catalog's order."),

    NEEDED("tasks.*.query",
           "What is searched with: a field, `image`, a template in braces, or "
           "`judgements` (the queries of the search log)."),
    TEXTS("tasks.*.query_with", NULL,
          "Further fields of a query that has several, written as `query` is: "
          "what searches is their weighted average."),
    FLOATS("tasks.*.query_weights", NULL, 1e-6, 1e6,
           "Weights of `query` and, behind it, of each of `query_with`; by "
           "default equal."),
    TEXTS("tasks.*.product_fields", "[image]",
          "What is found: `image`, text fields, labels and numbers, fused."),
    BOOL("tasks.*.allow_leak", "false",
         "Only warn when a product field holds a column of the query, which "
         "makes the task easier than any search."),
    TEXTS("tasks.*.relevant_by", "[group]",
          "Right answers: `group`, text columns (equal normalised text; either "
          "is enough), labels (all equal), or `judgements`."),
    FLOAT("tasks.*.weight", "1", 0, 1e6,
          "Weight of its contrastive loss; 0: evaluation only."),
    BOOL("tasks.*.distinct_queries", "false",
         "Evaluation counts rows with the same query text once."),
    BOOL("tasks.*.fields_alone", "false",
         "Evaluation also ranks by each product field alone, with paired "
         "intervals of what fusion adds."),
    BOOL(
        "tasks.*.fields_removed", "false",
        "Evaluation also ranks without each product field in turn, with paired "
        "intervals of what it costs: which fields pay."),
    BOOL("tasks.*.fields_permuted", "false",
         "Evaluation also ranks with each product field in turn dealt out anew "
         "among the products, with paired intervals of what it costs: how far "
         "the ranking relies on the field. Encodes the split twice."),

    BOOL("tasks.*.distill", NULL,
         "It learns from loss.distill.teacher; true by default, unless its "
         "queries are those of the log."),
    TEXT("tasks.*.teacher_query", NULL,
         "Name of the teacher's embeddings of its queries; by default that of "
         "the field, and `query` for a template."),
    TEXT("tasks.*.teacher_product", NULL,
         "The same of its products; by default the only field, and `product` "
         "for several."),

    TEXT("loss.kind", "infonce",
         "infonce, supcon, siglip, triplet or gcl (docs/losses.md). Each takes "
         "those of the options below that name it; any other is an error."),
    ENUM("loss.blocked", "auto", "auto|on|off",
         "infonce and siglip on the CPU: without the matrix of all pairs of a "
         "batch, in less memory and time, value and gradients being the same "
         "up to rounding; auto: from batches of 2048 rows on."),
    ENUM("loss.positives", NULL, "uniform|sum|exclude",
         "infonce (uniform), gcl (exclude): how several right rows of a batch "
         "share the target."),
    FLOAT("loss.label_smoothing", NULL, 0, .99, "infonce, gcl (0)."),
    BOOL("loss.symmetric", NULL,
         "infonce, triplet, gcl (true): items search queries, too."),
    ENUM("loss.form", NULL, "out|in",
         "supcon (out): the mean over positives outside or inside of the "
         "logarithm."),
    ENUM("loss.views", NULL, "all|cross",
         "supcon (all): every embedding against all others, or across the two "
         "sides only."),
    FLOAT("loss.bias", NULL, -1e3, 1e3, "siglip (-10): start of logit_bias."),
    ENUM("loss.mining", NULL, "all|hardest|semi_hard",
         "triplet (all): the triplets that count."),
    FLOAT("loss.margin", NULL, 0, 1e3, "triplet (0.2)."),
    ENUM("loss.distance", NULL, "cosine|squared_euclidean",
         "triplet (that of model.similarity)."),
    ENUM("loss.score_to_weight", NULL,
         "constant|linear|inverse|inverse_sqrt|log|piecewise",
         "gcl (inverse): from the grade of a judged pair to its weight."),
    FLOAT("loss.score_max", NULL, 1e-6, 1e6,
          "gcl: the best grade; by default the highest of the train split."),
    FLOATS("loss.score_steps", NULL, 0, 1e6,
           "gcl, piecewise: grades, ascending."),
    FLOATS("loss.step_weights", NULL, 0, 1e6,
           "gcl, piecewise: the weight from each of these grades on."),
    INT("loss.queue", "0", 0, 1 << 20,
        "Any kind: so many embeddings of earlier batches are wrong answers, "
        "too, for each task; those that relevant_by calls right are left out."),
    TEXT("loss.distill.teacher", NULL,
         "HDF5 file of embeddings that a teacher has made of the products "
         "(docs/data-format.md): the model is drawn towards them."),
    ENUM(
        "loss.distill.kind", NULL, "kl|cosine|mse",
        "kl (the default): the similarities of a batch, softmaxed on both "
        "sides; cosine, mse: the embeddings themselves, of embed_dim numbers."),
    FLOAT("loss.distill.weight", NULL, 0, 1,
          "Share of distillation in a task's loss, 0.5 by default; the rest is "
          "the loss's own."),
    FLOAT("loss.distill.temperature", NULL, 1e-3, 100,
          "kl: what the teacher's cosines are divided by; 0.07 by default, and "
          "0.01 suits CLIP's models."),
    INTS("loss.matryoshka", "[]", 1, 65536,
         "Any kind: the loss is summed over these lengths of the embeddings, "
         "cut and normalised anew; name the whole length, too."),
    FLOATS("loss.matryoshka_weights", "[]", 0, 1e6,
           "One for each of these lengths; by default 1."),

    TEXT("classification.text", NULL,
         "text_classification needs it: the field that is read, a text column "
         "or one of `fields`."),
    FLOAT("classification.mixup", "0", 0, 100,
          "image_classification: alpha of the Beta distribution from which "
          "each batch draws how it mixes its photos and labels with those of "
          "their neighbours (mixup); 0: off."),
    FLOAT("classification.cutmix", "0", 0, 100,
          "image_classification: the same with a rectangle of the neighbour's "
          "photo (CutMix). With both, each batch takes either."),

    INT("pretraining.epochs", "0", 0, 1000000,
        "text_classification: the first so many of train.epochs, in which the "
        "text tower is to tell masked tokens of the training texts, and labels "
        "are not looked at. Behind them the schedule of the learning rate, the "
        "optimizer and the averages of weights begin anew."),
    FLOAT("pretraining.mlm_probability", "0.15", 1e-6, .99,
          "Share of the tokens that are masked."),

    TEXT("graph.kind", "lightgcn",
         "lightgcn or sage (docs/models.md). Each takes those of the options "
         "below that name it or no kind; any other is an error."),
    INT("graph.dim", "64", 1, 65536, "Length of an embedding."),
    INT("graph.layers", NULL, 1, 8, "By default 3 of lightgcn, 2 of sage."),
    TEXT("graph.aggregator", NULL,
         "sage: mean (the default), max or lstm of a node's neighbours."),
    BOOL("graph.normalize", NULL,
         "sage: unit embeddings after each layer; false by default."),
    FLOAT("graph.dropout", NULL, 0, .99, "sage: between layers; 0 by default."),
    INTS("graph.fanouts", NULL, 0, 1024,
         "sage: how many neighbours of a node are drawn at each hop, 10 by "
         "default; 0: all."),
    BOOL("graph.replace", NULL,
         "sage: a neighbour may be drawn several times; false by default."),
    TEXT("graph.features", NULL,
         "HDF5 file of embeddings that another model has made of the products "
         "(docs/data-format.md): what an item starts from, so that an item "
         "without interactions is recommended, too."),
    TEXT("graph.features_name", "product", "Name of these in the file."),
    TEXT("recommendation.loss", "bpr",
         "bpr: what a user had above what he had not; softmax: what he had "
         "among what he had not."),
    INT("recommendation.negatives", "1", 1, 65536,
        "Items that a user has not had, drawn for each that he had."),
    FLOAT("recommendation.l2", "1e-4", 0, 1e6,
          "Weight of half the squared lengths of embeddings before the first "
          "layer, per interaction."),
    ENUM("recommendation.similarity", "dot", "dot|cosine",
         "What the score of an item is; cosines want a temperature below 1."),
    FLOAT("recommendation.temperature", "1", 1e-4, 1e4,
          "Scores are divided by it in the loss."),
    INT("recommendation.depth", "1000", 1, 1000000,
        "Items of a user's list in an evaluation; metrics of the whole ranking "
        "take those behind for not found."),

    INT("train.epochs", "10", 1, 1e6, "Passes over the train split."),
    INT("train.batch_size", "128", 2, 1e6, "Rows of a batch."),
    TEXT("train.hard_negatives", NULL,
         "File of `diptych mine`: rows share a batch with their wrong answers "
         "of it."),
    INT("train.accumulate", "1", 1, 1e6,
        "Batches whose gradients are averaged for one update."),
    INT("train.grad_cache", "0", 0, 1e6,
        "GradCache: the towers see so many rows of a batch at a time, twice, "
        "and the gradients are still those of the whole batch; large batches "
        "in little memory. Batch norms that are trained take the statistics "
        "of these rows. 0: off."),
    ENUM("train.optimizer", "adamw", "adamw|sgd", "Optimizer."),
    FLOAT("train.lr", "1e-3", 0, 1e3, "Peak learning rate."),
    FLOAT("train.lr_scale.image", "1", 1e-6, 1e6,
          "Factor of the learning rate of the image tower."),
    FLOAT("train.lr_scale.text", "1", 1e-6, 1e6,
          "Factor of the learning rate of the text tower."),
    FLOAT("train.layer_decay", "1", 1e-3, 1,
          "Factor of the learning rate from each block of a tower to the one "
          "below it, as in BEiT and timm."),
    INT("train.unlock_after", "0", 0, BIG,
        "Updates after which what `freeze` names is trained; 0: never."),
    FLOAT("train.weight_decay", "0.1", 0, 1e3,
          "Not on norms, biases, positions and temperature."),
    FLOAT("train.beta1", "0.9", 0, .999999, "adamw."),
    FLOAT("train.beta2", "0.999", 0, .999999999, "adamw."),
    FLOAT("train.eps", "1e-8", 1e-30, 1, "adamw."),
    FLOAT("train.momentum", "0.9", 0, .999999, "sgd."),
    BOOL("train.nesterov", "false", "sgd."),
    ENUM("train.schedule", "cosine", "cosine|linear|constant",
         "Learning rate after the warm-up."),
    INT("train.warmup_steps", "0", 0, BIG, "Updates of linear warm-up."),
    FLOAT("train.min_lr_ratio", "0", 0, 1, "Last learning rate / peak."),
    FLOAT("train.clip_grad_norm", "1", 0, 1e9, "0: no clipping."),
    FLOAT("train.ema.decay", "0", 0, .9999999,
          "Share of the moving average of the weights that an update leaves, "
          "such as 0.999; 0: none is kept. Validation, best checkpoint, eval "
          "and export take the averaged weights; `train.ema.decay=0` behind "
          "eval takes the others."),
    BOOL("train.ema.warmup", "true",
         "The decay climbs to its value as 1 - n^(-2/3) at update n, so that "
         "the average suits short runs, too."),
    TEXT("train.feature_cache", "auto",
         "Features of a tower that is frozen as a whole are computed once per "
         "row, unless augmentation, word dropout or judged queries change what "
         "it sees, and kept in this folder for further runs. auto: in the "
         "user's cache folder; off: the tower runs in every epoch."),
    FLOAT("train.field_dropout", "0", 0, .99,
          "Probability to hide a field from the fusion, never all of them."),
    ENUM("train.precision", "auto", "auto|fp32|bf16",
         "auto: bf16 autocast where the machine is fast at it."),
    BOOL("train.channels_last", "true", "Memory format of photos and kernels."),
    ENUM("train.device", "auto", "auto|cpu|cuda",
         "auto: cuda if there is one."),
    INT("train.threads", "0", 0, 1024,
        "Threads of libtorch; 0: the processors. Results are bit-identical at "
        "an equal number."),
    INT("train.loader_threads", "0", 0, 1024,
        "Threads that decode; 0: the processors. Changes no result."),
    INT("train.validate_every", "0", 0, BIG, "Updates; 0: each epoch."),
    INT("train.checkpoint_every", "0", 0, BIG,
        "Updates between checkpoints besides those of validations."),
    INT("train.keep_last", "3", 1, 1e6, "Checkpoints that are kept."),
    TEXT("train.metric", NULL,
         "What decides the best checkpoint: `<task>.<metric>` such as "
         "text_to_image.hit@10, or `<label>.accuracy` of a head; by default "
         "the first task's mrr."),
    INT("train.patience", "0", 0, 1e6,
        "Stop after this many validations without a gain; 0: never."),
    INT("train.log_every", "1", 1, BIG, "Updates between lines of log.jsonl."),

    INT("eval.batch_size", "32", 1, 1e6,
        "Rows of a batch; on a CPU more only take memory and time."),
    INTS("eval.k", "[1, 5, 10]", 1, BIG, "Cutoffs of the metrics @k."),
    ENUM("eval.ties", "pessimistic", "pessimistic|optimistic|expected",
         "Where right answers stand among products of equal score: last, "
         "first, or the mean over all orders."),
    ENUM("eval.gain", "linear", "linear|exponential",
         "Gain of a grade in ndcg: the grade, or 2^grade - 1."),
    BOOL("eval.count_empty", "false",
         "A query without any right answer counts 0; else it is skipped."),
    FLOAT("eval.max_grade", "0", 0, 1000,
          "Best grade of the judgements' scale, for err and rbp; 0: the best "
          "that occurs in the split."),
    FLOAT("eval.rbp_persistence", "0.8", 1e-6, .999999,
          "rbp: probability that a user goes on to the next product."),
    INT("eval.rerank", "0", 0, 100000,
        "How many of the best products of each query the match classifier "
        "ranks again, beside the plain ranking; 0: none."),
    TEXTS("eval.slices", "[]",
          "Parts of the split with metrics of their own: labels, `image` (with "
          "a photo or without), `query_length` (words), and "
          "`<label>.frequency` (rows of the class in the train split)."),
    TEXT("eval.slice_metric", "mrr",
         "What sorts the slices of a task, the worst first, and gets an "
         "interval for each; those of a label go by accuracy."),
    INT("eval.sampled.*.candidates", "101", 2, 1000000,
        "This task also among so many candidates for each query, one of them "
        "right: the protocol of the Fashion-Gen papers. Reported apart."),
    INT("eval.sampled.*.queries", "1000", 1, BIG, "Queries of a draw."),
    INT("eval.sampled.*.draws", "5", 1, 1000, "Draws that are averaged."),
    TEXT("eval.sampled.*.category", NULL,
         "Label that the candidates share with the query, as far as there are "
         "enough; by default none."),
    INT("eval.bootstrap", "10000", 1, 1e7, "Resamples of the intervals."),
    BOOL("eval.html", "true",
         "A page report.html beside the report: charts, and galleries of "
         "queries with what was found for them."),
    INT("eval.gallery", "8", 0, 50,
        "Queries in each list of the page's galleries (the worst failures, the "
        "nearest confusions, some at random), for each task; 0: none."),
    TEXTS("eval.zero_shot.*.templates", "[\"{}\"]",
          "Texts of a label's names, {} being the name: classification "
          "without a head, by the nearest text."),
    ENUM("eval.zero_shot.*.input", "image", "image|product",
         "What is classified: the photo, or the fused product of all fields."),
    INT("eval.knn.*.k", "20", 1, 100000,
        "This label is also told from the nearest embeddings of the train "
        "split: how many of them vote."),
    FLOAT("eval.knn.*.temperature", "0.07", 1e-6, 1e6,
          "A neighbour's vote is exp(cosine / this)."),
    ENUM("eval.knn.*.input", "image", "image|product",
         "Embedding of the photo, or of the product of all fields."),
    BOOL("eval.linear_probe.*.standardise", "false",
         "This label is also told by a linear classifier of the frozen "
         "embeddings, learnt on the train split, its penalty chosen on val: "
         "the embeddings are brought to mean 0 and deviation 1 first."),
    INT("eval.linear_probe.*.iterations", "1000", 1, 1000000,
        "L-BFGS: updates at most, for each penalty that is tried."),
    ENUM("eval.linear_probe.*.input", "image", "image|product",
         "Embedding of the photo, or of the product of all fields."),
    BOOL("eval.matching.enabled", "true", "Evaluate pair matching."),
    TEXT("eval.matching.task", NULL,
         "Task whose queries and products make the pairs; by default the "
         "first."),
    TEXT("eval.matching.category", NULL,
         "Label that makes half of the non-matching pairs hard."),
};

const dip_option *dip_options_table(size_t *count)
{
    *count = DIP_ARRAY_LEN(options);
    return options;
}
