#include "export/product.h"

static bool is_text(const dip_samples *s, int f)
{
    return s->field_text[f] >= 0 && s->field_text[f] < s->text_count;
}

static int count_texts(const dip_samples *s)
{
    int count = 0;
    for (int f = 0; f < s->field_count; f++)
        count += is_text(s, f);
    return count;
}

static bool has_image(const dip_samples *s)
{
    for (int f = 0; f < s->field_count; f++)
        if (s->field_text[f] == DIP_SAMPLES_IMAGE)
            return true;
    return false;
}

static bool has_attribute(const dip_samples *s)
{
    return count_texts(s) + (has_image(s) ? 1 : 0) < s->field_count;
}

int dip_product_inputs(dip_signature inputs[DIP_PRODUCT_INPUTS_MAX],
                       const dip_samples *s)
{
    int64_t texts = count_texts(s), fields = s->field_count;
    int64_t side = s->image_size;
    int count = 0;
    const int64_t any = DIP_VARIES;
    if (has_image(s))
        inputs[count++] = (dip_signature){
            "images", DIP_F32, 4, {any, 3, side, side}, {"batch"}};
    if (texts > 0) {
        inputs[count++] = (dip_signature){
            "ids", DIP_I64, 3, {any, texts, any}, {"batch", NULL, "tokens"}};
        inputs[count++] =
            (dip_signature){"lengths", DIP_I64, 2, {any, texts}, {"batch"}};
    }
    if (has_attribute(s))
        inputs[count++] = (dip_signature){
            "fields", DIP_F32, 3, {any, fields, s->dim}, {"batch"}};
    inputs[count++] =
        (dip_signature){"present", DIP_BOOL, 2, {any, fields}, {"batch"}};
    return count;
}

/* Ids [N, F_t, context] and lengths [N, F_t] of the text fields. */
static void stack_texts(dip_tensor **out, const dip_samples *s)
{
    dip_tensor *ids[DIP_FUSION_FIELDS_MAX], *lengths[DIP_FUSION_FIELDS_MAX];
    int count = 0;
    for (int f = 0; f < s->field_count; f++) {
        int t = s->field_text[f];
        if (!is_text(s, f))
            continue;
        ids[count] = dip_tensor_borrow(s->ids[t], DIP_I64, 2,
                                       (int64_t[]){s->rows, s->context});
        lengths[count++] =
            dip_tensor_borrow(s->lengths[t], DIP_I64, 1, &s->rows);
    }
    out[0] = dip_t_stack(ids, count, 1);
    out[1] = dip_t_stack(lengths, count, 1);
}

void dip_product_rows(dip_tensor **inputs, const dip_samples *s)
{
    int64_t side = s->image_size;
    int at = 0;
    if (has_image(s))
        inputs[at++] = dip_tensor_borrow(s->images, DIP_F32, 4,
                                         (int64_t[]){s->rows, 3, side, side});
    if (count_texts(s) > 0) {
        stack_texts(inputs + at, s);
        at += 2;
    }
    if (has_attribute(s))
        inputs[at++] =
            dip_tensor_borrow(s->field_rows, DIP_F32, 3,
                              (int64_t[]){s->rows, s->field_count, s->dim});
    inputs[at] = dip_tensor_borrow(s->field_present, DIP_BOOL, 2,
                                   (int64_t[]){s->rows, s->field_count});
}

void dip_text_cut(dip_tensor **texts, dip_tensor *const *given, int64_t dim,
                  int64_t context)
{
    const dip_arg slice[] = {{.kind = DIP_ARG_TENSOR, .as.tensor = given[0]},
                             {.kind = DIP_ARG_INT, .as.i = dim},
                             {.kind = DIP_ARG_INT, .as.i = 0}, /* start */
                             {.kind = DIP_ARG_INT, .as.i = context}};
    const dip_arg clamp[] = {{.kind = DIP_ARG_TENSOR, .as.tensor = given[1]},
                             {.kind = DIP_ARG_INT, .as.i = context}};
    dip_tensor_call(&texts[0], 1, "aten::slice", "Tensor", slice, 4);
    dip_tensor_call(&texts[1], 1, "aten::clamp_max", "", clamp, 2);
}

dip_tensor *dip_product_compute(const dip_samples *s, const dip_model *model,
                                dip_tensor *const *inputs)
{
    dip_encoded fields[DIP_FUSION_FIELDS_MAX] = {0};
    dip_tensor *present[DIP_FUSION_FIELDS_MAX], *texts[2] = {0};
    const dip_tensor *images = has_image(s) ? *inputs++ : NULL;
    if (count_texts(s) > 0) {
        dip_text_cut(texts, inputs, 2, s->context);
        inputs += 2;
    }
    const dip_tensor *given = has_attribute(s) ? *inputs++ : NULL;
    for (int f = 0, text = 0; f < s->field_count; f++) {
        present[f] = dip_t_select(*inputs, 1, f);
        if (s->field_text[f] == DIP_SAMPLES_IMAGE) {
            fields[f] = dip_model_encode_image_field(model, images, false);
        } else if (is_text(s, f)) {
            dip_tensor *ids = dip_t_select(texts[0], 1, text);
            dip_tensor *lengths = dip_t_select(texts[1], 1, text++);
            fields[f] = dip_model_encode_text_field(model, ids, lengths, false);
            present[f] =
                dip_t_logical_and(present[f], dip_t_gt_scalar(lengths, 0.0));
        } else {
            fields[f].embedding = dip_t_select(given, 1, f);
        }
    }
    return dip_model_fuse(model, fields,
                          dip_t_stack(present, s->field_count, 1), false);
}
