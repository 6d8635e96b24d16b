#include "train/distill.h"

dip_tensor *dip_distill_batch(const dip_distill_recipe *recipe,
                              const dip_teacher_rows *teacher,
                              const dip_batch *batch,
                              const dip_loss_input *student,
                              dip_similarity similarity, dip_device device)
{
    dip_tensor *taught = dip_t_logical_and(
        dip_feature_table_present(teacher->queries, batch, device),
        dip_feature_table_present(teacher->items, batch, device));
    const dip_distill_input input = {
        .queries = student->queries,
        .items = student->items,
        .scale = student->scale,
        .similarity = similarity,
        .teacher_queries =
            dip_feature_table_take(teacher->queries, batch, device),
        .teacher_items = dip_feature_table_take(teacher->items, batch, device),
        .temperature = recipe->temperature,
        .valid = dip_t_logical_and(student->valid, taught),
    };
    return dip_loss_distill(&input, recipe->kind);
}
