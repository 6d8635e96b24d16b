#include "export/part.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

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

float *dip_part_embedding_rows(const dip_part *part, const dip_model *model)
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

float *dip_part_query_rows(const dip_samples *samples)
{
    return samples->query_rows != NULL ? samples->query_rows
                                       : samples->image_rows;
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
    case DIP_PART_SCORER:
        return part->samples->field_count > 0 && part->samples->text_count > 0;
    case DIP_PART_LABELS:
        return part->samples->labels[part->field] != NULL;
    case DIP_PART_NUMBERS:
        return part->samples->numbers[part->field] != NULL;
    case DIP_PART_MATCH:
        return dip_model_has_match(model) &&
               part->samples->product_rows != NULL &&
               dip_part_query_rows(part->samples) != NULL;
    case DIP_PART_EMBEDDING:
        break;
    }
    return dip_part_embedding_rows(part, model) != NULL;
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
        {"image_encoder", DIP_PART_IMAGES, -1, -1, false, samples},
        {"text_encoder", DIP_PART_TEXTS, -1, -1, false, samples},
        {"fusion", DIP_PART_FIELDS, -1, -1, false, samples},
        {"product_encoder", DIP_PART_PRODUCT, -1, -1, false, samples},
        {"scorer", DIP_PART_SCORER, -1, -1, false, samples},
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
    const dip_part match = {"match", DIP_PART_MATCH, -1, -1, false, samples};
    if (has_inputs(&match, model))
        parts[count++] = match;
    return count;
}

/* ---- computing ----------------------------------------------------------- */

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
    dip_tensor *texts[2];
    switch (part->input) {
    case DIP_PART_IMAGES:
        encoded = dip_model_encode_image(model, inputs[0], false);
        break;
    case DIP_PART_TEXTS:
        dip_text_cut(texts, inputs, 1, part->samples->context);
        encoded = dip_model_encode_text(model, texts[0], texts[1], false);
        break;
    case DIP_PART_FIELDS:
        return fuse(part, model, inputs);
    case DIP_PART_PRODUCT:
        return dip_product_compute(part->samples, model, inputs);
    case DIP_PART_SCORER:
        return dip_scorer_compute(part->samples, model, inputs);
    case DIP_PART_LABELS:
    case DIP_PART_NUMBERS:
        return dip_model_encode_attribute(model, part->field, inputs[0],
                                          &(dip_tensor *){NULL})
            .embedding;
    case DIP_PART_MATCH:
        /* A probability, since the distance of logits near 0 means nothing. */
        return dip_t_sigmoid(
            dip_t_unsqueeze(dip_model_match(model, inputs[0], inputs[1]), 1));
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
               !is_below(parameter, "match") &&
               strcmp(parameter, "logit_scale") != 0;
    case DIP_PART_SCORER:
        return !is_below(parameter, "heads") &&
               !is_below(parameter, "fields") && !is_below(parameter, "match");
    case DIP_PART_MATCH:
        return is_below(parameter, "match");
    case DIP_PART_LABELS:
    case DIP_PART_NUMBERS:
    case DIP_PART_EMBEDDING:
        break;
    }
    return false;
}

/* ---- signatures ---------------------------------------------------------- */

static int list_inputs(dip_signature inputs[DIP_PART_INPUTS_MAX],
                       const dip_part *part)
{
    const dip_samples *s = part->samples;
    const int64_t any = DIP_VARIES, side = s->image_size;
    switch (part->input) {
    case DIP_PART_IMAGES:
        inputs[0] = (dip_signature){
            "images", DIP_F32, 4, {any, 3, side, side}, {"batch"}};
        return 1;
    case DIP_PART_TEXTS:
        inputs[0] =
            (dip_signature){"ids", DIP_I64, 2, {any, any}, {"batch", "tokens"}};
        inputs[1] = (dip_signature){"lengths", DIP_I64, 1, {any}, {"batch"}};
        return 2;
    case DIP_PART_FIELDS:
        inputs[0] = (dip_signature){
            "fields", DIP_F32, 3, {any, s->field_count, s->dim}, {"batch"}};
        inputs[1] = (dip_signature){
            "present", DIP_BOOL, 2, {any, s->field_count}, {"batch"}};
        return 2;
    case DIP_PART_PRODUCT:
        return dip_product_inputs(inputs, s);
    case DIP_PART_SCORER:
        return dip_scorer_inputs(inputs, s);
    case DIP_PART_LABELS:
        inputs[0] = (dip_signature){"labels", DIP_I64, 1, {any}, {"batch"}};
        return 1;
    case DIP_PART_NUMBERS:
        inputs[0] = (dip_signature){"numbers", DIP_F32, 1, {any}, {"batch"}};
        return 1;
    case DIP_PART_MATCH:
        inputs[0] =
            (dip_signature){"queries", DIP_F32, 2, {any, s->dim}, {"batch"}};
        inputs[1] =
            (dip_signature){"products", DIP_F32, 2, {any, s->dim}, {"batch"}};
        return 2;
    case DIP_PART_EMBEDDING:
        break;
    }
    inputs[0] =
        (dip_signature){"embeddings", DIP_F32, 2, {any, s->dim}, {"batch"}};
    return 1;
}

int dip_part_inputs(dip_signature inputs[DIP_PART_INPUTS_MAX],
                    const dip_part *part)
{
    int count = list_inputs(inputs, part);
    for (int i = 0; i < count && part->raw_images; i++) {
        const int64_t side = inputs[i].sizes[3];
        if (strcmp(inputs[i].name, "images") == 0)
            inputs[i] = (dip_signature){"images",
                                        DIP_U8,
                                        4,
                                        {DIP_VARIES, side, side, 3},
                                        {inputs[i].axes[0]}};
    }
    return count;
}

void dip_part_output(dip_signature *output, const dip_part *part,
                     const dip_model *model)
{
    *output = (dip_signature){
        "embeddings", DIP_F32, 2, {DIP_VARIES, part->samples->dim}, {"batch"}};
    if (part->input == DIP_PART_SCORER) {
        *output = (dip_signature){"scores",
                                  DIP_F32,
                                  2,
                                  {DIP_VARIES, DIP_VARIES},
                                  {"queries", "products"}};
    } else if (part->input == DIP_PART_MATCH) {
        output->name = "probabilities";
        output->sizes[1] = 1;
    } else if (part->head >= 0) {
        output->name = "logits";
        output->sizes[1] = dip_model_head_classes(model, part->head);
    }
}

json_t *dip_part_describe(const dip_part *part, const dip_model *model)
{
    dip_signature inputs[DIP_PART_INPUTS_MAX], output;
    int count = dip_part_inputs(inputs, part);
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        (void)json_array_append_new(list, dip_signature_json(&inputs[i]));
    dip_part_output(&output, part, model);
    json_t *json = json_pack("{s:s, s:o, s:o}", "part", part->name, "inputs",
                             list, "output", dip_signature_json(&output));
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
