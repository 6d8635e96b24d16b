#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/resize_kernels.h"

/* The memory behind a dip_resize_axis, reused from call to call. */
typedef struct {
    int *start;
    size_t start_capacity;
    int *count;
    size_t count_capacity;
    int32_t *weights;
    size_t weights_capacity;
    int16_t *packed;
    size_t packed_capacity;
    double *kernel; /* the weights of one output before rounding */
    size_t kernel_capacity;
} axis_memory;

struct dip_resizer {
    const dip_resize_kernels *kernels;
    axis_memory across, down;
    dip_image between; /* resampled across, not yet down */
};

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static const struct {
    const char *name;
    double (*kernel)(double x);
    double support; /* the kernel is 0 beyond */
} resamples[] = {
    [DIP_RESAMPLE_BICUBIC] = {"bicubic", bicubic, 2.0},
    [DIP_RESAMPLE_BILINEAR] = {"bilinear", bilinear, 1.0},
};

dip_status dip_resample_from_name(dip_resample *out, const char *name,
                                  dip_err *err)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(resamples); i++) {
        if (strcmp(name, resamples[i].name) == 0) {
            *out = (dip_resample)i;
            return DIP_OK;
        }
    }
    return dip_fail(err, DIP_ENOTFOUND,
                    "no interpolation '%s': it is bicubic or bilinear", name);
}

/* One axis of the job: `outputs` samples from the `first`-th on of `size`
 * that stretch the part [from, to] of `source` samples. */
typedef struct {
    dip_resample resample;
    int source;
    float from, to;
    int size, first, outputs;
} axis_plan;

static bool changes_nothing(const axis_plan *plan)
{
    return plan->size == plan->source && plan->from == 0.0f &&
           plan->to == (float)plan->source;
}

static dip_status reserve_places(axis_memory *memory, size_t outputs,
                                 dip_err *err)
{
    dip_status st = dip_reserve(&memory->start, &memory->start_capacity,
                                outputs, sizeof(int), err);
    if (st == DIP_OK)
        st = dip_reserve(&memory->count, &memory->count_capacity, outputs,
                         sizeof(int), err);
    return st;
}

static dip_status reserve_weights(axis_memory *memory, size_t outputs,
                                  size_t taps, dip_err *err)
{
    size_t weights, packed;
    if (dip_mul_overflows(outputs, taps, &weights) ||
        dip_mul_overflows(weights, 2, &packed))
        return dip_no_memory(err);
    dip_status st = dip_reserve(&memory->weights, &memory->weights_capacity,
                                weights, sizeof(int32_t), err);
    if (st == DIP_OK)
        st = dip_reserve(&memory->packed, &memory->packed_capacity, packed,
                         sizeof(int16_t), err);
    if (st == DIP_OK)
        st = dip_reserve(&memory->kernel, &memory->kernel_capacity, taps,
                         sizeof(double), err);
    return st;
}

static int32_t to_fixed(double weight)
{
    double scaled = weight * (1 << DIP_RESIZE_BITS);
    return (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

static void pack_weights(int16_t *packed, const int32_t *weights, int taps)
{
    const int32_t low_mask = (1 << DIP_RESIZE_LOW_BITS) - 1;
    for (int t = 0; t < taps; t++) {
        int16_t *group = packed + t / DIP_RESIZE_GROUP * 8;
        int i = t % DIP_RESIZE_GROUP;
        group[i] = (int16_t)(weights[t] >> DIP_RESIZE_LOW_BITS);
        group[i + DIP_RESIZE_GROUP] = (int16_t)(weights[t] & low_mask);
    }
}

/* The kernel as stretched over the samples of a plan. */
typedef struct {
    double scale;   /* source samples per output */
    double widen;   /* of the kernel: 1 when enlarging */
    double support; /* source samples on either side of the centre */
} stretch;

static stretch stretch_of(const axis_plan *plan)
{
    double scale = (double)(plan->to - plan->from) / plan->size;
    double widen = scale > 1.0 ? scale : 1.0;
    return (stretch){scale, widen, resamples[plan->resample].support * widen};
}

static double centre_of(const axis_plan *plan, const stretch *s, int output)
{
    return (double)plan->from + (plan->first + output + 0.5) * s->scale;
}

/* Sets start and count of every output; the largest count. */
static int place_outputs(axis_memory *memory, const axis_plan *plan,
                         const stretch *s)
{
    int most = 0;
    for (int i = 0; i < plan->outputs; i++) {
        double centre = centre_of(plan, s, i);
        int start = (int)(centre - s->support + 0.5);
        int end = (int)(centre + s->support + 0.5);
        start = start < 0 ? 0 : start;
        end = end > plan->source ? plan->source : end;
        memory->start[i] = start;
        memory->count[i] = end - start;
        if (most < end - start)
            most = end - start;
    }
    return most;
}

static void weigh_output(axis_memory *memory, const axis_plan *plan,
                         const stretch *s, int output, int taps)
{
    double (*kernel)(double x) = resamples[plan->resample].kernel;
    double offset = memory->start[output] - centre_of(plan, s, output) + 0.5;
    double inverse = 1.0 / s->widen, sum = 0.0;
    int count = memory->count[output];
    for (int t = 0; t < count; t++) {
        memory->kernel[t] = kernel((t + offset) * inverse);
        sum += memory->kernel[t];
    }
    int32_t *weights = memory->weights + (ptrdiff_t)output * taps;
    for (int t = 0; t < taps; t++)
        weights[t] =
            t < count && sum != 0.0 ? to_fixed(memory->kernel[t] / sum) : 0;
    pack_weights(memory->packed + 2 * (ptrdiff_t)output * taps, weights, taps);
}

static dip_status plan_axis(dip_resize_axis *out, axis_memory *memory,
                            const axis_plan *plan, dip_err *err)
{
    stretch s = stretch_of(plan);
    dip_status st = reserve_places(memory, (size_t)plan->outputs, err);
    if (st != DIP_OK)
        return st;
    int taps = place_outputs(memory, plan, &s);
    taps = (taps + DIP_RESIZE_GROUP - 1) / DIP_RESIZE_GROUP * DIP_RESIZE_GROUP;
    st = reserve_weights(memory, (size_t)plan->outputs, (size_t)taps, err);
    if (st != DIP_OK)
        return st;
    for (int i = 0; i < plan->outputs; i++)
        weigh_output(memory, plan, &s, i, taps);
    *out = (dip_resize_axis){
        .outputs = plan->outputs,
        .taps = taps,
        .start = memory->start,
        .count = memory->count,
        .weights = memory->weights,
        .packed = memory->packed,
    };
    return DIP_OK;
}

static dip_resize_rows rows_of(const dip_image_view *view)
{
    size_t stride = dip_image_view_stride(view);
    return (dip_resize_rows){
        .data = view->pixels,
        .stride = stride,
        .size = (size_t)(view->height - 1) * stride +
                (size_t)view->width * (size_t)view->channels,
        .rows = view->height,
        .channels = view->channels,
    };
}

static void copy_rows(dip_image *out, const dip_image_view *in)
{
    size_t bytes = (size_t)in->width * (size_t)in->channels;
    for (int y = 0; y < in->height; y++)
        memcpy(out->pixels + (size_t)y * bytes, dip_image_view_row(in, y),
               bytes);
}

/* Rows of `source` to rows of the window's width. */
static dip_status resize_across(dip_image *out, dip_resizer *resizer,
                                const dip_image_view *source,
                                const axis_plan *plan, dip_err *err)
{
    dip_resize_axis axis;
    dip_status st = plan_axis(&axis, &resizer->across, plan, err);
    if (st == DIP_OK)
        st = dip_image_reshape(out, plan->outputs, source->height,
                               source->channels, err);
    if (st != DIP_OK)
        return st;
    dip_resize_rows rows = rows_of(source);
    resizer->kernels->horizontal(
        out->pixels, (size_t)plan->outputs * (size_t)source->channels, &rows,
        &axis);
    return DIP_OK;
}

/* Columns of `source`, whose first row is row `first` of the plan's source. */
static dip_status resize_down(dip_image *out, dip_resizer *resizer,
                              const dip_image_view *source, int first,
                              const dip_resize_axis *axis, dip_err *err)
{
    dip_status st = dip_image_reshape(out, source->width, axis->outputs,
                                      source->channels, err);
    if (st != DIP_OK)
        return st;
    dip_resize_rows rows = rows_of(source);
    size_t bytes = (size_t)source->width * (size_t)source->channels;
    for (int y = 0; y < axis->outputs; y++)
        resizer->kernels->vertical(out->pixels + (size_t)y * bytes, bytes,
                                   &rows, first, axis, y);
    return DIP_OK;
}

static dip_status check_options(const dip_image_view *source,
                                const dip_resize_options *options,
                                const dip_box *box, const dip_window *window,
                                dip_err *err)
{
    if (options->width < 1 || options->height < 1 ||
        options->width > DIP_IMAGE_MAX_SIDE ||
        options->height > DIP_IMAGE_MAX_SIDE)
        return dip_fail(err, DIP_ERANGE, "cannot resize to %d x %d",
                        options->width, options->height);
    if (!(box->x0 >= 0 && box->y0 >= 0 && box->x1 > box->x0 &&
          box->y1 > box->y0 && box->x1 <= (float)source->width &&
          box->y1 <= (float)source->height))
        return dip_fail(err, DIP_ERANGE,
                        "box %g %g %g %g is not inside %d x %d pixels",
                        (double)box->x0, (double)box->y0, (double)box->x1,
                        (double)box->y1, source->width, source->height);
    if (window->x < 0 || window->y < 0 || window->width < 1 ||
        window->height < 1 || window->width > options->width - window->x ||
        window->height > options->height - window->y)
        return dip_fail(err, DIP_ERANGE, "window is not inside %d x %d pixels",
                        options->width, options->height);
    return DIP_OK;
}

/* Both plans were made from checked options. */
static dip_status resize_planned(dip_image *out, dip_resizer *resizer,
                                 const dip_image_view *source,
                                 const axis_plan *across, const axis_plan *down,
                                 dip_err *err)
{
    dip_resize_axis lines = {0};
    int first = down->first, rows = down->outputs;
    bool keep_rows = changes_nothing(down);
    dip_status st = DIP_OK;
    if (!keep_rows) {
        st = plan_axis(&lines, &resizer->down, down, err);
        if (st != DIP_OK)
            return st;
        first = lines.start[0];
        int last = lines.outputs - 1;
        rows = lines.start[last] + lines.count[last] - first;
    }

    dip_image_view view = *source;
    if (changes_nothing(across)) {
        view = dip_image_view_crop(source, across->first, first,
                                   across->outputs, rows);
    } else {
        view = dip_image_view_crop(source, 0, first, source->width, rows);
        dip_image *to = keep_rows ? out : &resizer->between;
        st = resize_across(to, resizer, &view, across, err);
        if (st != DIP_OK || keep_rows)
            return st;
        view = dip_image_as_view(&resizer->between);
    }
    if (!keep_rows)
        return resize_down(out, resizer, &view, first, &lines, err);
    st = dip_image_reshape(out, view.width, view.height, view.channels, err);
    if (st == DIP_OK)
        copy_rows(out, &view);
    return st;
}

dip_status dip_resize(dip_image *out, dip_resizer *resizer,
                      const dip_image_view *source,
                      const dip_resize_options *options, dip_err *err)
{
    dip_status st = dip_image_view_check(source, err);
    if (st != DIP_OK)
        return st;
    dip_box box = {0, 0, (float)source->width, (float)source->height};
    dip_window window = {0, 0, options->width, options->height};
    if (options->box)
        box = *options->box;
    if (options->window)
        window = *options->window;
    st = check_options(source, options, &box, &window, err);
    if (st != DIP_OK)
        return st;

    axis_plan across = {options->resample, source->width, box.x0,      box.x1,
                        options->width,    window.x,      window.width};
    axis_plan down = {options->resample, source->height, box.y0,       box.y1,
                      options->height,   window.y,       window.height};
    return resize_planned(out, resizer, source, &across, &down, err);
}

dip_status dip_resizer_create(dip_resizer **out, bool portable, dip_err *err)
{
    *out = dip_calloc(1, sizeof **out);
    if (!*out)
        return dip_no_memory(err);
    (*out)->kernels =
        portable ? &dip_resize_portable : dip_resize_kernels_best();
    return DIP_OK;
}

static void free_axis(axis_memory *memory)
{
    free(memory->start);
    free(memory->count);
    free(memory->weights);
    free(memory->packed);
    free(memory->kernel);
}

void dip_resizer_destroy(dip_resizer *resizer)
{
    if (!resizer)
        return;
    free_axis(&resizer->across);
    free_axis(&resizer->down);
    dip_image_free(&resizer->between);
    free(resizer);
}
