#include "train/mixing.h"

#include <math.h>

#include "base/rng.h"

enum { STREAM_MIXING = 0x304 };

bool dip_mixing_is_on(const dip_mixing *mixing)
{
    return mixing->mixup > 0 || mixing->cutmix > 0;
}

/* Gamma(alpha, 1) for alpha >= 1 (Marsaglia and Tsang, "A simple method for
 * generating gamma variables", TOMS 2000). */
static double draw_large_gamma(dip_rng *rng, double alpha)
{
    double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = dip_rng_normal(rng), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(1 - dip_rng_uniform(rng)) <
                         0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* The logarithm, which stays finite where a small alpha gives tiny numbers. */
static double draw_log_gamma(dip_rng *rng, double alpha)
{
    if (alpha >= 1)
        return log(draw_large_gamma(rng, alpha));
    double boost = log(1 - dip_rng_uniform(rng)) / alpha;
    return log(draw_large_gamma(rng, alpha + 1)) + boost;
}

/* Beta(alpha, alpha) */
static double draw_beta(dip_rng *rng, double alpha)
{
    double x = draw_log_gamma(rng, alpha), y = draw_log_gamma(rng, alpha);
    return 1 / (1 + exp(y - x));
}

/* The part of a length around `centre` that lies in [0, size). */
static void place(int64_t *at, int64_t *length, int64_t centre, int64_t size)
{
    int64_t begin = centre - *length / 2, end = begin + *length;
    *at = begin < 0 ? 0 : begin;
    *length = (end > size ? size : end) - *at;
}

/* The share is then what of the area is left. */
static void cut(dip_mix *mix, dip_rng *rng, int64_t size)
{
    int64_t side = (int64_t)((double)size * sqrt(1 - mix->share));
    int64_t x = (int64_t)dip_rng_below(rng, (uint64_t)size);
    int64_t y = (int64_t)dip_rng_below(rng, (uint64_t)size);
    mix->cut = true;
    mix->width = mix->height = side;
    place(&mix->left, &mix->width, x, size);
    place(&mix->top, &mix->height, y, size);
    mix->share = 1 - (double)(mix->width * mix->height) / (double)(size * size);
}

dip_mix dip_mixing_draw(const dip_mixing *m, int64_t epoch, int64_t batch,
                        int64_t size)
{
    dip_mix mix = {.share = 1};
    if (!dip_mixing_is_on(m))
        return mix;
    dip_rng rng = dip_rng_stream(m->seed, STREAM_MIXING, (uint64_t)epoch,
                                 (uint64_t)batch);
    bool cuts =
        m->cutmix > 0 && (!(m->mixup > 0) || dip_rng_uniform(&rng) < 0.5);
    mix.share = draw_beta(&rng, cuts ? m->cutmix : m->mixup);
    if (cuts)
        cut(&mix, &rng, size);
    return mix;
}

dip_tensor *dip_mix_others(const dip_tensor *rows)
{
    int64_t size = dip_tensor_size(rows, 0);
    dip_tensor *parts[2] = {dip_t_narrow(rows, 0, size - 1, 1),
                            dip_t_narrow(rows, 0, 0, size - 1)};
    return dip_t_cat(parts, 2, 0);
}

/* F32 [S, S] on the device of `images`: 0 in the rectangle, 1 elsewhere. */
static dip_tensor *make_mask(const dip_mix *mix, const dip_tensor *images)
{
    int64_t size = dip_tensor_size(images, 2);
    dip_tensor *mask = dip_tensor_full(1, DIP_F32, 2, (int64_t[]){size, size});
    float *cells = dip_tensor_data(mask);
    for (int64_t y = mix->top; cells != NULL && y < mix->top + mix->height; y++)
        for (int64_t x = mix->left; x < mix->left + mix->width; x++)
            cells[y * size + x] = 0;
    return dip_t_to_device(mask, dip_tensor_device(images));
}

dip_tensor *dip_mix_images(const dip_mix *mix, const dip_tensor *images)
{
    dip_scope_open();
    dip_tensor *others = dip_mix_others(images);
    dip_tensor *change = dip_t_sub(images, others);
    change = mix->cut ? dip_t_mul(change, make_mask(mix, images))
                      : dip_t_mul_scalar(change, mix->share);
    dip_tensor *mixed = dip_tensor_return(dip_t_add(others, change));
    dip_scope_close();
    return mixed;
}
