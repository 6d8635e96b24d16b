/* Seconds of a training step on a synthetic batch: forward, contrastive loss,
 * backward and the optimizer's update, laid out as the trainer does it.
 *
 *     bench_step tiny|resnet50|clip_resnet fp32|bf16 BATCH IMAGE_SIZE
 *
 * A measurement is one step; the first, which touches all memory for the first
 * time, is the driver's to leave out. The models are those of bench/models/,
 * which the counterpart peer_step.py builds. All texts have full length. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bench/serve.h"
#include "losses/loss.h"
#include "models/model.h"
#include "train/optimizer.h"

enum { VOCABULARY = 49408, CONTEXT = 32, TEXT_WIDTH = 256, EMBED = 256 };

static const struct {
    const char *name;
    dip_image_options image;
    dip_projection_options projection;
} models[] = {
    {"tiny", {.kind = "vit", .width = 256, .depth = 4, .patch = 8}, {0}},
    {"resnet50", {.kind = "resnet", .depth = 50}, {0}},
    {"clip_resnet",
     {.kind = "clip_resnet",
      .layers = {2, 2, 2, 2},
      .layer_count = 4,
      .width = 32,
      .features = EMBED,
      .zero_init_residual = true},
     {.none = true}},
};

typedef struct {
    dip_model *model;
    dip_optimizer *optimizer;
    dip_tensor *images; /* F32 [B, 3, S, S] */
    dip_tensor *ids;    /* int64 [B, CONTEXT] */
    dip_tensor *lengths;
    bool bf16;
    int64_t step;
} stepper;

/* The gradients; as the trainer does, the loss is read on the way. */
static dip_status forward_backward(const stepper *s, dip_err *err)
{
    dip_scope_open();
    bool before = dip_tensor_set_autocast(DIP_CPU, s->bf16);
    dip_tensor *images = dip_t_channels_last(s->images);
    dip_encoded photo = dip_model_encode_image(s->model, images, true);
    dip_encoded text =
        dip_model_encode_text(s->model, s->ids, s->lengths, true);
    dip_loss_input input = {.queries = text.embedding,
                            .items = photo.embedding,
                            .scale = dip_model_scale(s->model)};
    dip_tensor *loss = dip_loss_infonce(&input, &(dip_loss_options){0});
    (void)dip_tensor_set_autocast(DIP_CPU, before);
    (void)dip_tensor_item(loss);
    dip_tensor_backward(loss);
    dip_scope_close();
    return dip_tensor_status(err);
}

static dip_status one_step(void *user, double *result, dip_err *err)
{
    stepper *s = user;
    double norm, start = dip_bench_seconds();
    dip_status st = forward_backward(s, err);
    if (st == DIP_OK)
        st = dip_optimizer_step(s->optimizer, ++s->step, 5e-4, 0, &norm, err);
    if (st == DIP_OK)
        dip_model_constrain(s->model);
    *result = dip_bench_seconds() - start;
    return st;
}

/* Calls an operation with a size and, before it, an upper limit if any. */
static dip_tensor *draw(const char *name, int64_t limit, int ndim,
                        const int64_t *sizes)
{
    dip_arg args[2] = {
        {.kind = DIP_ARG_INT, .as.i = limit},
        {.kind = DIP_ARG_INT_LIST, .as.ints = {sizes, ndim}},
    };
    dip_tensor *drawn = NULL;
    int skip = limit == 0;
    dip_tensor_call(&drawn, 1, name, "", args + skip, 2 - skip);
    return dip_tensor_keep(drawn);
}

static void make_batch(stepper *s, int64_t batch, int64_t size)
{
    dip_scope_open();
    dip_tensor_seed(0);
    s->images = draw("aten::randn", 0, 4, (int64_t[]){batch, 3, size, size});
    s->ids = draw("aten::randint", VOCABULARY, 2, (int64_t[]){batch, CONTEXT});
    s->lengths = dip_tensor_keep(dip_tensor_full(CONTEXT, DIP_I64, 1, &batch));
    dip_scope_close();
}

static dip_status make_model(stepper *s, const dip_image_options *image,
                             const dip_projection_options *projection,
                             dip_err *err)
{
    const dip_model_config config = {
        .image = *image,
        .image_projection = *projection,
        .text = {.kind = "transformer",
                 .vocabulary = VOCABULARY,
                 .context = CONTEXT,
                 .width = TEXT_WIDTH,
                 .depth = 4},
        .embed_dim = EMBED,
    };
    const dip_optimizer_options adamw = {.kind = DIP_OPTIMIZER_ADAMW,
                                         .weight_decay = 0.2,
                                         .beta1 = 0.9,
                                         .beta2 = 0.98,
                                         .eps = 1e-6};
    dip_status st = dip_model_create(&s->model, &config, err);
    if (st != DIP_OK)
        return st;
    dip_params_channels_last(dip_model_params(s->model));
    return dip_optimizer_create(&s->optimizer, dip_model_params(s->model),
                                &adamw, err);
}

static dip_status run(const dip_image_options *image,
                      const dip_projection_options *projection, bool bf16,
                      int64_t batch, dip_err *err)
{
    stepper s = {.bf16 = bf16};
    dip_status st = make_model(&s, image, projection, err);
    if (st == DIP_OK) {
        make_batch(&s, batch, image->image_size);
        st = dip_tensor_status(err);
    }
    if (st == DIP_OK) {
        char about[96];
        (void)snprintf(about, sizeof about,
                       "{\"parameters\": %" PRId64 ", \"threads\": %d}",
                       dip_params_trained_numel(dip_model_params(s.model)),
                       dip_tensor_threads());
        st = dip_bench_serve(about, one_step, &s, err);
    }
    dip_tensor_free(s.images);
    dip_tensor_free(s.ids);
    dip_tensor_free(s.lengths);
    dip_optimizer_free(s.optimizer);
    dip_model_free(s.model);
    return st;
}

int main(int argc, char **argv)
{
    int64_t batch = 0, size = 0;
    bool bf16 = argc == 5 && strcmp(argv[2], "bf16") == 0;
    bool right = argc == 5 && (bf16 || strcmp(argv[2], "fp32") == 0) &&
                 dip_bench_number(&batch, argv[3], 1, 65536) &&
                 dip_bench_number(&size, argv[4], 32, 4096);
    for (size_t i = 0; right && i < DIP_ARRAY_LEN(models); i++) {
        if (strcmp(models[i].name, argv[1]) != 0)
            continue;
        dip_image_options image = models[i].image;
        image.image_size = size;
        dip_err err = {0};
        dip_status st = run(&image, &models[i].projection, bf16, batch, &err);
        if (st != DIP_OK)
            (void)fprintf(stderr, "bench_step: %s\n", err.msg);
        return dip_status_exit_code(st);
    }
    (void)fprintf(stderr,
                  "usage: %s tiny|resnet50|clip_resnet fp32|bf16 BATCH "
                  "IMAGE_SIZE\n",
                  argv[0]);
    return dip_status_exit_code(DIP_EUSAGE);
}
