#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "export/part.h"

#define SHORT_TEXT   3  /* tokens */
#define MOST_QUERIES 64 /* that a scorer is run on, and products: */
#define FEW_PRODUCTS 3
#define PRODUCTS     8

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
        p.rows = dip_part_query_rows(s);
    p.answers = part->input == DIP_PART_TEXTS;
    if (part->input == DIP_PART_IMAGES || p.rows == s->image_rows)
        p.paired = s->has_image;
    return p;
}

/* Scores by cosines are as large as the scale, and come out near zero where
 * nothing fits, or where a bias takes away what is alike. */
static double size_of(const check *c)
{
    double scale = 0;
    if (c->part->input != DIP_PART_SCORER ||
        dip_model_similarity(c->model) != DIP_SIMILARITY_COSINE)
        return 0;
    dip_scope_open();
    scale = dip_tensor_item(dip_model_scale(c->model));
    dip_scope_close();
    return scale;
}

static dip_status pass(const check *c, dip_tensor *const *inputs,
                       const char *inputs_are, dip_err *err)
{
    dip_signature given[DIP_PART_INPUTS_MAX];
    const dip_recall_partner partner = find_partner(c->part, c->model);
    const dip_gate_side live = {compute_live, (void *)c};
    const dip_gate_case rows = {
        .artefact = c->artefact,
        .inputs_are = inputs_are,
        .inputs = inputs,
        .batched = c->part->input == DIP_PART_SCORER ? 2 : 0,
        .input_count = dip_part_inputs(given, c->part),
        .tolerance = c->tolerance,
        .partner = partner.rows != NULL ? &partner : NULL,
        .size = size_of(c)};
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
static void hide_some(uint8_t *present, int64_t rows, int64_t fields)
{
    for (int64_t i = 0; present != NULL && i < rows; i++) {
        int64_t hidden = i % (fields + 1);
        if (hidden < fields)
            present[i * fields + hidden] = 0;
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
    hide_some(dip_tensor_data(inputs[1]), s->rows, count);
    return st == DIP_OK ? pass(c, inputs, "some fields hidden", err) : st;
}

/* Cuts the texts of products to few tokens and hides field i modulo F + 1 of
 * row i. */
static void damage(dip_tensor **inputs, const dip_samples *s)
{
    dip_signature given[DIP_PRODUCT_INPUTS_MAX];
    int count = dip_product_inputs(given, s);
    for (int i = 0; i < count; i++) {
        if (strcmp(given[i].name, "ids") == 0 && s->context > SHORT_TEXT)
            inputs[i] = dip_t_narrow(inputs[i], 2, 0, SHORT_TEXT);
        if (strcmp(given[i].name, "lengths") == 0)
            inputs[i] =
                dip_t_to_dtype(dip_t_clamp(inputs[i], 0, SHORT_TEXT), DIP_I64);
    }
    inputs[count - 1] = dip_t_clone(inputs[count - 1]);
    hide_some(dip_tensor_data(inputs[count - 1]),
              dip_tensor_size(inputs[count - 1], 0), s->field_count);
}

static dip_status verify_products(const check *c, dip_err *err)
{
    dip_tensor *inputs[DIP_PRODUCT_INPUTS_MAX] = {0};
    dip_product_rows(inputs, c->part->samples);
    dip_status st = pass(c, inputs, "", err);
    damage(inputs, c->part->samples);
    return st == DIP_OK ? pass(c, inputs, "short, some hidden", err) : st;
}

/* The first `most` rows, or as many as there are. */
static dip_tensor *first(dip_tensor *rows, int64_t most)
{
    int64_t there = dip_tensor_size(rows, 0);
    return dip_t_narrow(rows, 0, 0, there < most ? there : most);
}

/* Queries in batches, against few products and against more, damaged ones. */
static dip_status verify_scorer(const check *c, dip_err *err)
{
    const dip_samples *s = c->part->samples;
    dip_signature given[DIP_PRODUCT_INPUTS_MAX];
    dip_tensor *inputs[DIP_PART_INPUTS_MAX] = {0};
    dip_tensor *all[DIP_PRODUCT_INPUTS_MAX] = {0};
    int count = dip_product_inputs(given, s);
    inputs[0] = first(dip_tensor_borrow(s->text_ids, DIP_I64, 2,
                                        (int64_t[]){s->rows, s->context}),
                      MOST_QUERIES);
    inputs[1] = first(dip_tensor_borrow(s->text_lengths, DIP_I64, 1, &s->rows),
                      MOST_QUERIES);
    dip_product_rows(all, s);
    for (int i = 0; i < count; i++)
        inputs[2 + i] = first(all[i], FEW_PRODUCTS);
    dip_status st = pass(c, inputs, "3 products", err);
    for (int i = 0; i < count; i++)
        inputs[2 + i] = first(all[i], PRODUCTS);
    damage(inputs + 2, s);
    return st == DIP_OK ? pass(c, inputs, "8, some hidden", err) : st;
}

static dip_status verify_rows(const check *c, void *rows, dip_dtype dtype,
                              int ndim, const int64_t *sizes, dip_err *err)
{
    dip_tensor *input = dip_tensor_borrow(rows, dtype, ndim, sizes);
    return pass(c, &input, "", err);
}

static dip_status verify_match(const check *c, dip_err *err)
{
    const dip_samples *s = c->part->samples;
    const int64_t sizes[] = {s->rows, s->dim};
    dip_tensor *inputs[] = {
        dip_tensor_borrow(dip_part_query_rows(s), DIP_F32, 2, sizes),
        dip_tensor_borrow(s->product_rows, DIP_F32, 2, sizes)};
    return pass(c, inputs, "", err);
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
    case DIP_PART_SCORER:
        return verify_scorer(c, err);
    case DIP_PART_LABELS:
        return verify_rows(c, s->labels[c->part->field], DIP_I64, 1, &s->rows,
                           err);
    case DIP_PART_NUMBERS:
        return verify_rows(c, s->numbers[c->part->field], DIP_F32, 1, &s->rows,
                           err);
    case DIP_PART_MATCH:
        return verify_match(c, err);
    case DIP_PART_EMBEDDING:
        break;
    }
    return verify_rows(c, dip_part_embedding_rows(c->part, c->model), DIP_F32,
                       2, (int64_t[]){s->rows, s->dim}, err);
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
