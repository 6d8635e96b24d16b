#include "export/part.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "export/product.h"

#define SHORT_TEXT 3 /* tokens */

/* ---- listing ------------------------------------------------------------- */

static dip_part_input head_takes(const dip_model *model, int head)
{
    switch (dip_model_head_input(model, head)) {
    case DIP_HEAD_IMAGE_FEATURES:
        return DIP_PART_IMAGES;
    case DIP_HEAD_TEXT_FEATURES:
        return DIP_PART_TEXTS;
    default:
        return DIP_PART_EMBEDDING;
    }
}

/* The rows [N, D] that a head over an embedding is verified on. */
static float *embedding_rows(const dip_part *part, const dip_model *model)
{
    switch (dip_model_head_input(model, part->head)) {
    case DIP_HEAD_IMAGE:
        return part->samples->image_rows;
    case DIP_HEAD_TEXT:
        return part->samples->text_rows;
    default:
        return part->samples->product_rows;
    }
}

static bool has_inputs(const dip_part *part, const dip_model *model)
{
    switch (part->input) {
    case DIP_PART_IMAGES:
        return part->samples->images != NULL;
    case DIP_PART_TEXTS:
        return part->samples->text_count > 0;
    case DIP_PART_FIELDS:
        return part->samples->field_count > 0 && !part->samples->fuses_tokens;
    case DIP_PART_PRODUCT:
        return part->samples->field_count > 0 && part->samples->fuses_tokens;
    case DIP_PART_LABELS:
        return part->samples->labels[part->field] != NULL;
    case DIP_PART_NUMBERS:
        return part->samples->numbers[part->field] != NULL;
    case DIP_PART_EMBEDDING:
        break;
    }
    return embedding_rows(part, model) != NULL;
}

/* The number keeps names apart whose odd characters became the same. */
static void name_part(dip_part *part, const char *kind, int index,
                      const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    (void)snprintf(part->name, sizeof part->name, "%s_%d_%s", kind, index,
                   name);
    for (char *c = part->name + strspn(part->name, plain); *c != '\0';
         c += strspn(c, plain))
        *c = '_';
}

int dip_part_list(dip_part parts[DIP_PARTS_MAX], const dip_model *model,
                  const dip_samples *samples)
{
    const dip_part whole[] = {
        {"image_encoder", DIP_PART_IMAGES, -1, -1, samples},
        {"text_encoder", DIP_PART_TEXTS, -1, -1, samples},
        {"fusion", DIP_PART_FIELDS, -1, -1, samples},
        {"product_encoder", DIP_PART_PRODUCT, -1, -1, samples},
    };
    int count = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(whole); i++) {
        if (has_inputs(&whole[i], model))
            parts[count++] = whole[i];
    }
    for (int f = 0; f < dip_model_field_count(model); f++) {
        dip_attribute_kind kind = dip_model_field_attribute(model, f);
        dip_part part = {.input = kind == DIP_ATTRIBUTE_LABEL
                                      ? DIP_PART_LABELS
                                      : DIP_PART_NUMBERS,
                         .head = -1,
                         .field = f,
                         .samples = samples};
        name_part(&part, "field", f, dip_model_field_name(model, f));
        if (kind != DIP_ATTRIBUTE_NONE && has_inputs(&part, model))
            parts[count++] = part;
    }
    for (int h = 0; h < dip_model_head_count(model); h++) {
        dip_part part = {.input = head_takes(model, h),
                         .head = h,
                         .field = -1,
                         .samples = samples};
        name_part(&part, "head", h, dip_model_head_name(model, h));
        if (has_inputs(&part, model))
            parts[count++] = part;
    }
    return count;
}

/* ---- computing ----------------------------------------------------------- */

int dip_part_input_count(const dip_part *part)
{
    dip_product_input inputs[DIP_PRODUCT_INPUTS_MAX];
    if (part->input == DIP_PART_PRODUCT)
        return dip_product_inputs(inputs, part->samples);
    return part->input == DIP_PART_TEXTS || part->input == DIP_PART_FIELDS ? 2
                                                                           : 1;
}

static dip_tensor *fuse(const dip_part *part, const dip_model *model,
                        dip_tensor *const *inputs)
{
    dip_encoded fields[DIP_FUSION_FIELDS_MAX] = {0};
    for (int f = 0; f < part->samples->field_count; f++)
        fields[f].embedding = dip_t_select(inputs[0], 1, f);
    return dip_model_fuse(model, fields, inputs[1], false);
}

dip_tensor *dip_part_compute(const dip_part *part, const dip_model *model,
                             dip_tensor *const *inputs)
{
    dip_encoded encoded = {0};
    switch (part->input) {
    case DIP_PART_IMAGES:
        encoded = dip_model_encode_image(model, inputs[0], false);
        break;
    case DIP_PART_TEXTS:
        encoded = dip_model_encode_text(model, inputs[0], inputs[1], false);
        break;
    case DIP_PART_FIELDS:
        return fuse(part, model, inputs);
    case DIP_PART_PRODUCT:
        return dip_product_compute(part->samples, model, inputs);
    case DIP_PART_LABELS:
    case DIP_PART_NUMBERS:
        return dip_model_encode_attribute(model, part->field, inputs[0],
                                          &(dip_tensor *){NULL})
            .embedding;
    case DIP_PART_EMBEDDING:
        return dip_model_head_logits(model, part->head, inputs[0]);
    }
    return part->head < 0
               ? encoded.embedding
               : dip_model_head_logits(model, part->head, encoded.features);
}

static bool is_below(const char *parameter, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(parameter, prefix, n) == 0 && parameter[n] == '.';
}

/* Whether the parameter is the head's: heads.<name>.weight */
static bool is_of_head(const dip_part *part, const dip_model *model,
                       const char *parameter)
{
    return part->head >= 0 && is_below(parameter, "heads") &&
           is_below(parameter + strlen("heads."),
                    dip_model_head_name(model, part->head));
}

static bool is_of_field(const dip_part *part, const dip_model *model,
                        const char *parameter)
{
    return part->field >= 0 && is_below(parameter, "fields") &&
           is_below(parameter + strlen("fields."),
                    dip_model_field_name(model, part->field));
}

/* A head over features brings the projection along: the model computes both at
 * once, though nothing uses the embedding then. */
bool dip_part_needs(const dip_part *part, const dip_model *model,
                    const char *parameter)
{
    if (is_of_head(part, model, parameter) ||
        is_of_field(part, model, parameter))
        return true;
    switch (part->input) {
    case DIP_PART_IMAGES:
        return is_below(parameter, "image") ||
               is_below(parameter, "image_projection");
    case DIP_PART_TEXTS:
        return is_below(parameter, "text") ||
               is_below(parameter, "text_projection");
    case DIP_PART_FIELDS:
        return is_below(parameter, "fusion");
    case DIP_PART_PRODUCT:
        return !is_below(parameter, "heads") &&
               !is_below(parameter, "fields") &&
               strcmp(parameter, "logit_scale") != 0;
    case DIP_PART_LABELS:
    case DIP_PART_NUMBERS:
    case DIP_PART_EMBEDDING:
        break;
    }
    return false;
}

/* ---- inputs -------------------------------------------------------------- */

static void product_example(const dip_samples *s, dip_tensor **inputs,
                            int64_t rows)
{
    dip_product_input given[DIP_PRODUCT_INPUTS_MAX];
    int count = dip_product_inputs(given, s);
    for (int i = 0; i < count; i++) {
        int64_t sizes[5] = {rows};
        for (int k = 0; k < given[i].ndim; k++)
            sizes[1 + k] = given[i].sizes[k] < 0 ? 1 : given[i].sizes[k];
        inputs[i] = dip_tensor_full(given[i].dtype == DIP_F32 ? 0.5 : 1.0,
                                    given[i].dtype, 1 + given[i].ndim, sizes);
    }
}

void dip_part_example(const dip_part *part, dip_tensor **inputs)
{
    const dip_samples *s = part->samples;
    const int64_t rows = 2;
    switch (part->input) {
    case DIP_PART_IMAGES:
        inputs[0] =
            dip_tensor_full(0.5, DIP_F32, 4,
                            (int64_t[]){rows, 3, s->image_size, s->image_size});
        return;
    case DIP_PART_TEXTS:
        inputs[0] = dip_tensor_full(1, DIP_I64, 2, (int64_t[]){rows, 1});
        inputs[1] = dip_tensor_full(1, DIP_I64, 1, &rows);
        return;
    case DIP_PART_FIELDS:
        inputs[0] = dip_tensor_full(0.5, DIP_F32, 3,
                                    (int64_t[]){rows, s->field_count, s->dim});
        inputs[1] =
            dip_tensor_full(1, DIP_BOOL, 2, (int64_t[]){rows, s->field_count});
        return;
    case DIP_PART_PRODUCT:
        product_example(s, inputs, rows);
        return;
    case DIP_PART_LABELS:
        inputs[0] = dip_tensor_full(0, DIP_I64, 1, &rows);
        return;
    case DIP_PART_NUMBERS:
        inputs[0] = dip_tensor_full(0.5, DIP_F32, 1, &rows);
        return;
    case DIP_PART_EMBEDDING:
        inputs[0] = dip_tensor_full(0.5, DIP_F32, 2, (int64_t[]){rows, s->dim});
    }
}

static json_t *shape(const char *name, const char *dtype)
{
    return json_pack("{s:s, s:s, s:[s]}", "name", name, "dtype", dtype, "shape",
                     "batch");
}

/* {"name": …, "dtype": …, "shape": ["batch", sizes…]}; 0 ends the sizes, and
 * -1 stands for the number of tokens. */
static json_t *describe_input(const char *name, const char *dtype,
                              const int64_t *sizes)
{
    json_t *json = shape(name, dtype);
    json_t *list = json_object_get(json, "shape");
    for (; *sizes != 0; sizes++)
        (void)json_array_append_new(list, *sizes < 0 ? json_string("tokens")
                                                     : json_integer(*sizes));
    return json;
}

static json_t *describe_product(const dip_samples *s)
{
    dip_product_input inputs[DIP_PRODUCT_INPUTS_MAX];
    int count = dip_product_inputs(inputs, s);
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        int64_t sizes[5] = {0};
        memcpy(sizes, inputs[i].sizes,
               (size_t)inputs[i].ndim * sizeof sizes[0]);
        const char *dtype = inputs[i].dtype == DIP_F32   ? "float32"
                            : inputs[i].dtype == DIP_I64 ? "int64"
                                                         : "bool";
        (void)json_array_append_new(
            list, describe_input(inputs[i].name, dtype, sizes));
    }
    return list;
}

static json_t *describe_inputs(const dip_part *part)
{
    const dip_samples *s = part->samples;
    switch (part->input) {
    case DIP_PART_IMAGES:
        return json_pack("[o]", describe_input("images", "float32",
                                               (int64_t[]){3, s->image_size,
                                                           s->image_size, 0}));
    case DIP_PART_TEXTS:
        return json_pack("[o, o]",
                         describe_input("ids", "int64", (int64_t[]){-1, 0}),
                         describe_input("lengths", "int64", (int64_t[]){0}));
    case DIP_PART_FIELDS:
        return json_pack(
            "[o, o]",
            describe_input("fields", "float32",
                           (int64_t[]){s->field_count, s->dim, 0}),
            describe_input("present", "bool", (int64_t[]){s->field_count, 0}));
    case DIP_PART_PRODUCT:
        return describe_product(s);
    case DIP_PART_LABELS:
        return json_pack("[o]",
                         describe_input("labels", "int64", (int64_t[]){0}));
    case DIP_PART_NUMBERS:
        return json_pack("[o]",
                         describe_input("numbers", "float32", (int64_t[]){0}));
    case DIP_PART_EMBEDDING:
        break;
    }
    return json_pack(
        "[o]", describe_input("embeddings", "float32", (int64_t[]){s->dim, 0}));
}

json_t *dip_part_describe(const dip_part *part, const dip_model *model)
{
    const char *name = part->head < 0 ? "embeddings" : "logits";
    int64_t width = part->head < 0 ? dip_model_embed_dim(model)
                                   : dip_model_head_classes(model, part->head);
    json_t *json = json_pack(
        "{s:s, s:o, s:o}", "part", part->name, "inputs", describe_inputs(part),
        "output", describe_input(name, "float32", (int64_t[]){width, 0}));
    if (json != NULL && part->head >= 0)
        (void)json_object_set_new(
            json, "label", json_string(dip_model_head_name(model, part->head)));
    if (json != NULL && part->field >= 0)
        (void)json_object_set_new(
            json, "field",
            json_string(dip_model_field_name(model, part->field)));
    if (json != NULL && part->input == DIP_PART_EMBEDDING)
        (void)json_object_set_new(
            json, "of",
            json_string(
                dip_head_input_name(dip_model_head_input(model, part->head))));
    return json;
}

/* ---- verifying ----------------------------------------------------------- */

typedef struct {
    dip_gate_report *report;
    const dip_part *part;
    const dip_model *model;
    const char *artefact;
    const dip_gate_side *side;
    double tolerance;
} check;

static dip_tensor *compute_live(void *user, dip_tensor *const *inputs)
{
    const check *c = user;
    return dip_part_compute(c->part, c->model, inputs);
}

/* What embeddings of the part are searched with, or for. */
static dip_recall_partner find_partner(const dip_part *part,
                                       const dip_model *model)
{
    const dip_samples *s = part->samples;
    dip_recall_partner p = {.similarity = dip_model_similarity(model)};
    if (part->head >= 0)
        return p;
    if (part->input == DIP_PART_IMAGES)
        p.rows = s->text_rows;
    else if (part->input == DIP_PART_TEXTS)
        p.rows = s->images != NULL ? s->image_rows : s->product_rows;
    else if (part->input == DIP_PART_FIELDS || part->input == DIP_PART_PRODUCT)
        p.rows = s->query_rows != NULL ? s->query_rows : s->image_rows;
    p.answers = part->input == DIP_PART_TEXTS;
    if (part->input == DIP_PART_IMAGES || p.rows == s->image_rows)
        p.paired = s->has_image;
    return p;
}

static dip_status pass(const check *c, dip_tensor *const *inputs,
                       const char *inputs_are, dip_err *err)
{
    const dip_recall_partner partner = find_partner(c->part, c->model);
    const dip_gate_side live = {compute_live, (void *)c};
    const dip_gate_case rows = {.artefact = c->artefact,
                                .inputs_are = inputs_are,
                                .inputs = inputs,
                                .input_count = dip_part_input_count(c->part),
                                .tolerance = c->tolerance,
                                .partner =
                                    partner.rows != NULL ? &partner : NULL};
    return dip_gate_check(c->report, &rows, c->side, &live, err);
}

static dip_status verify_tokens(const check *c, int64_t tokens, dip_err *err)
{
    const dip_samples *s = c->part->samples;
    dip_tensor *ids = dip_tensor_borrow(s->text_ids, DIP_I64, 2,
                                        (int64_t[]){s->rows, s->context});
    dip_tensor *lengths =
        dip_tensor_from(s->text_lengths, DIP_I64, 1, &s->rows);
    int64_t *length = dip_tensor_data(lengths);
    for (int64_t i = 0; length != NULL && i < s->rows; i++)
        length[i] = length[i] < tokens ? length[i] : tokens;
    dip_tensor *inputs[2] = {dip_t_narrow(ids, 1, 0, tokens), lengths};
    char words[DIP_GATE_INPUTS_MAX];
    (void)snprintf(words, sizeof words, "%lld tokens", (long long)tokens);
    return pass(c, inputs, words, err);
}

static dip_status verify_texts(const check *c, dip_err *err)
{
    const dip_samples *s = c->part->samples;
    int64_t longest = 1;
    for (int64_t i = 0; i < s->rows; i++)
        longest = s->text_lengths[i] > longest ? s->text_lengths[i] : longest;
    int64_t lengths[] = {SHORT_TEXT, longest, s->context};
    int64_t before = 0;
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(lengths) && st == DIP_OK; i++) {
        int64_t tokens = lengths[i] < s->context ? lengths[i] : s->context;
        if (tokens != before)
            st = verify_tokens(c, tokens, err);
        before = tokens;
    }
    return st;
}

/* Hides field i modulo F + 1 of row i; `present` [N, F] may be NULL. */
static void hide_some(uint8_t *present, const dip_samples *s)
{
    int64_t count = s->field_count;
    for (int64_t i = 0; present != NULL && i < s->rows; i++) {
        int64_t hidden = i % (count + 1);
        if (hidden < count)
            present[i * count + hidden] = 0;
    }
}

/* The fields as they are, then with field i modulo F + 1 of row i hidden. */
static dip_status verify_fields(const check *c, dip_err *err)
{
    const dip_samples *s = c->part->samples;
    int64_t count = s->field_count;
    int64_t sizes[3] = {s->rows, count, s->dim};
    dip_tensor *inputs[2] = {
        dip_tensor_borrow(s->field_rows, DIP_F32, 3, sizes),
        dip_tensor_from(s->field_present, DIP_BOOL, 2, sizes)};
    dip_status st = pass(c, inputs, "", err);
    hide_some(dip_tensor_data(inputs[1]), s);
    return st == DIP_OK ? pass(c, inputs, "some fields hidden", err) : st;
}

/* Products as they are, then with texts cut to few tokens and field i modulo
 * F + 1 of row i hidden. */
static dip_status verify_products(const check *c, dip_err *err)
{
    const dip_samples *s = c->part->samples;
    dip_product_input given[DIP_PRODUCT_INPUTS_MAX];
    dip_tensor *inputs[DIP_PRODUCT_INPUTS_MAX] = {0};
    int count = dip_product_inputs(given, s);
    dip_product_rows(inputs, s);
    dip_status st = pass(c, inputs, "", err);
    for (int i = 0; i < count; i++) {
        if (strcmp(given[i].name, "ids") == 0 && s->context > SHORT_TEXT)
            inputs[i] = dip_t_narrow(inputs[i], 2, 0, SHORT_TEXT);
        if (strcmp(given[i].name, "lengths") == 0)
            inputs[i] =
                dip_t_to_dtype(dip_t_clamp(inputs[i], 0, SHORT_TEXT), DIP_I64);
    }
    inputs[count - 1] = dip_t_clone(inputs[count - 1]);
    hide_some(dip_tensor_data(inputs[count - 1]), s);
    return st == DIP_OK ? pass(c, inputs, "short, some hidden", err) : st;
}

static dip_status verify_rows(const check *c, void *rows, dip_dtype dtype,
                              int ndim, const int64_t *sizes, dip_err *err)
{
    dip_tensor *input = dip_tensor_borrow(rows, dtype, ndim, sizes);
    return pass(c, &input, "", err);
}

static dip_status verify(const check *c, dip_err *err)
{
    const dip_samples *s = c->part->samples;
    switch (c->part->input) {
    case DIP_PART_IMAGES:
        return verify_rows(
            c, s->images, DIP_F32, 4,
            (int64_t[]){s->rows, 3, s->image_size, s->image_size}, err);
    case DIP_PART_TEXTS:
        return verify_texts(c, err);
    case DIP_PART_FIELDS:
        return verify_fields(c, err);
    case DIP_PART_PRODUCT:
        return verify_products(c, err);
    case DIP_PART_LABELS:
        return verify_rows(c, s->labels[c->part->field], DIP_I64, 1, &s->rows,
                           err);
    case DIP_PART_NUMBERS:
        return verify_rows(c, s->numbers[c->part->field], DIP_F32, 1, &s->rows,
                           err);
    case DIP_PART_EMBEDDING:
        break;
    }
    return verify_rows(c, embedding_rows(c->part, c->model), DIP_F32, 2,
                       (int64_t[]){s->rows, s->dim}, err);
}

dip_status dip_part_verify(dip_gate_report *report, const dip_part *part,
                           const dip_model *model, const char *artefact,
                           const dip_gate_side *side, double tolerance,
                           dip_err *err)
{
    const check c = {report, part, model, artefact, side, tolerance};
    dip_scope_open();
    dip_status st = verify(&c, err);
    dip_scope_close();
    return st;
}
