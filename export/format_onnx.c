/* One ONNX model for each part of the model: its trace, lowered, with any
 * number of rows and tokens, and pooling, projection and normalisation inside.
 * ONNX Runtime verifies the files. */
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "export/formats.h"
#include "export/onnx_fp16.h"
#include "export/onnx_int8.h"
#include "export/onnx_lower.h"
#include "export/onnx_part.h"
#include "export/onnxruntime.h"
#include "export/traced.h"

/* ---- writing ------------------------------------------------------------- */

static const char *channels(dip_onnx *onnx, const float values[3])
{
    return dip_onnx_constant(onnx, NULL, DIP_F32, 4, (int64_t[]){1, 3, 1, 1},
                             values);
}

/* Photos as decoders give them to what the image tower takes. */
static const char *normalise(dip_onnx *onnx, const char *images,
                             const dip_onnx_options *o)
{
    float mean[3], deviation[3];
    for (int c = 0; c < 3; c++) {
        mean[c] = o->mean[c] * 255.0F;
        deviation[c] = o->std[c] * 255.0F;
    }
    const char *x = dip_onnx_node(onnx, "Transpose", 1, images);
    dip_onnx_set_ints(onnx, "perm", 4, (int64_t[]){0, 3, 1, 2});
    x = dip_onnx_cast(onnx, x, DIP_F32);
    x = dip_onnx_node(onnx, "Sub", 2, x, channels(onnx, mean));
    return dip_onnx_node(onnx, "Div", 2, x, channels(onnx, deviation));
}

static void add_inputs(const char **values, dip_onnx *onnx,
                       const dip_part *part, const dip_onnx_options *options)
{
    dip_signature inputs[DIP_PART_INPUTS_MAX];
    int count = dip_part_inputs(inputs, part);
    for (int i = 0; i < count; i++) {
        values[i] = dip_onnx_input(onnx, &inputs[i]);
        if (inputs[i].dtype == DIP_U8)
            values[i] = normalise(onnx, values[i], options);
    }
}

static dip_status lower(dip_onnx *onnx, const dip_part *part,
                        const dip_model *model, const dip_script *script,
                        const dip_onnx_options *options, dip_err *err)
{
    const char *inputs[DIP_PART_INPUTS_MAX];
    dip_signature output;
    dip_graph *graph = NULL;
    add_inputs(inputs, onnx, part, options);
    dip_part_output(&output, part, model);
    dip_status st = dip_graph_make(&graph, script, err);
    if (st == DIP_OK)
        st = dip_onnx_lower(onnx, graph, inputs, &output, err);
    dip_graph_free(graph);
    return st;
}

dip_status dip_onnx_lose_precision(dip_onnx *onnx, dip_precision precision,
                                   dip_err *err)
{
    int64_t clamped = 0;
    int matrices = 0;
    switch (precision) {
    case DIP_PRECISION_FP16:
        return dip_onnx_halve(onnx, &clamped, err);
    case DIP_PRECISION_INT8:
        return dip_onnx_quantise(onnx, &matrices, err);
    default:
        return DIP_OK;
    }
}

dip_status dip_onnx_part_save(const dip_part *part, dip_model *model,
                              const dip_onnx_options *options, const char *path,
                              dip_err *err)
{
    dip_onnx *onnx = NULL;
    dip_script *script = NULL;
    dip_status st = dip_onnx_make(&onnx, part->name, DIP_VERSION, err);
    if (st == DIP_OK)
        st = dip_part_trace(&script, part, model, err);
    if (st == DIP_OK)
        st = lower(onnx, part, model, script, options, err);
    if (st == DIP_OK)
        st = dip_onnx_lose_precision(onnx, options->precision, err);
    if (st == DIP_OK)
        st = dip_onnx_save(dip_onnx_model(onnx), path, err);
    else
        st = dip_fail_context(err, "'%s'", dip_path_base(path));
    dip_script_free(script);
    dip_onnx_free(onnx);
    return st;
}

/* ---- verifying ----------------------------------------------------------- */

typedef struct {
    dip_ort *session;
    dip_signature inputs[DIP_PART_INPUTS_MAX], output;
    const char *names[DIP_PART_INPUTS_MAX];
    int count;
    bool takes_bytes;
    const dip_onnx_options *options;
} runner;

static dip_tensor *channels_of(const float values[3])
{
    return dip_tensor_from(values, DIP_F32, 4, (int64_t[]){1, 3, 1, 1});
}

/* Back from F32 [B, 3, S, S] to U8 [B, S, S, 3]. */
static dip_tensor *to_bytes(const dip_tensor *images, const dip_onnx_options *o)
{
    dip_tensor *x = dip_t_mul(images, channels_of(o->std));
    x = dip_t_mul_scalar(dip_t_add(x, channels_of(o->mean)), 255.0);
    x = dip_t_clamp(dip_t_add_scalar(x, 0.5), 0, 255); /* rounded when cut */
    return dip_t_to_dtype(dip_t_permute(x, 4, (int64_t[]){0, 2, 3, 1}), DIP_U8);
}

static dip_tensor *run(void *user, dip_tensor *const *given)
{
    const runner *r = user;
    dip_tensor *inputs[DIP_PART_INPUTS_MAX], *rows = NULL;
    dip_err err = {0};
    for (int i = 0; i < r->count; i++)
        inputs[i] = r->inputs[i].dtype == DIP_U8
                        ? to_bytes(given[i], r->options)
                        : given[i];
    if (dip_tensor_failed())
        return NULL;
    dip_status st = dip_ort_run(r->session, r->names, inputs, r->count,
                                r->output.name, &rows, &err);
    if (st != DIP_OK)
        dip_tensor_fail(st, "%s", err.msg);
    return rows;
}

/* Photos that bytes can hold: absent ones are zeros after the normalisation,
 * which is between two bytes. */
static dip_status round_images(float *images, const dip_samples *s,
                               const dip_onnx_options *o, dip_err *err)
{
    const int64_t sizes[] = {s->rows, 3, s->image_size, s->image_size};
    dip_scope_open();
    dip_tensor *bytes =
        to_bytes(dip_tensor_borrow(s->images, DIP_F32, 4, sizes), o);
    dip_tensor *x = dip_t_to_dtype(
        dip_t_permute(bytes, 4, (int64_t[]){0, 3, 1, 2}), DIP_F32);
    x = dip_t_sub(dip_t_mul_scalar(x, 1 / 255.0), channels_of(o->mean));
    x = dip_t_div(x, channels_of(o->std));
    dip_tensor_read(x, DIP_F32, images,
                    (size_t)dip_tensor_numel(x) * sizeof *images);
    dip_scope_close();
    return dip_tensor_status(err);
}

static dip_status verify_rounded(dip_gate_report *report, dip_part part,
                                 const dip_model *model, const runner *r,
                                 const char *file, dip_err *err)
{
    dip_samples samples = *part.samples;
    const dip_gate_side side = {run, (void *)r};
    size_t pixels = (size_t)(samples.image_size * samples.image_size);
    float *images =
        dip_calloc((size_t)samples.rows * 3, pixels * sizeof *images);
    dip_status st = images != NULL
                        ? round_images(images, &samples, r->options, err)
                        : dip_no_memory(err);
    samples.images = images;
    part.samples = &samples;
    if (st == DIP_OK)
        st = dip_part_verify(report, &part, model, file, &side,
                             dip_precision_tolerance(r->options->precision),
                             err);
    free(images);
    return st;
}

dip_status dip_onnx_part_verify(dip_gate_report *report, const dip_part *part,
                                const dip_model *model,
                                const dip_onnx_options *options,
                                const char *path, dip_err *err)
{
    runner r = {.options = options};
    const char *file = dip_path_base(path);
    const dip_gate_side side = {run, &r};
    r.count = dip_part_inputs(r.inputs, part);
    dip_part_output(&r.output, part, model);
    for (int i = 0; i < r.count; i++) {
        r.names[i] = r.inputs[i].name;
        r.takes_bytes = r.takes_bytes || r.inputs[i].dtype == DIP_U8;
    }
    dip_status st = dip_ort_open(&r.session, path, dip_tensor_threads(), err);
    if (st == DIP_OK && r.takes_bytes)
        st = verify_rounded(report, *part, model, &r, file, err);
    else if (st == DIP_OK)
        st = dip_part_verify(report, part, model, file, &side,
                             dip_precision_tolerance(options->precision), err);
    dip_ort_close(r.session);
    return st;
}

/* ---- the format ---------------------------------------------------------- */

static dip_status write_part(dip_export_result *result,
                             const dip_export_job *job, const dip_part *part,
                             const char *path, dip_err *err)
{
    dip_status st = dip_onnx_part_save(part, job->model, &job->onnx, path, err);
    if (st != DIP_OK || job->onnx.unverified)
        return st;
    return dip_onnx_part_verify(&result->gate, part, job->model, &job->onnx,
                                path, err);
}

dip_status dip_onnx_check_runtime(const dip_onnx_options *options, dip_err *err)
{
    dip_status st = options->unverified ? DIP_OK : dip_ort_available(err);
    if (st != DIP_OK)
        return dip_fail_context(
            err, "onnx files cannot be verified (--unverified writes them all "
                 "the same)");
    return DIP_OK;
}

static dip_status write_parts(dip_export_result *result,
                              const dip_export_job *job, const char *dir,
                              dip_err *err)
{
    dip_status st = dip_onnx_check_runtime(&job->onnx, err);
    if (st != DIP_OK)
        return st;
    return dip_export_parts(result, job, dir, ".onnx", write_part, err);
}

const dip_export_format dip_export_onnx = {
    .name = "onnx",
    .summary = "ONNX models, opset 17, for ONNX Runtime and others",
    .takes_onnx_options = true,
    .write = write_parts,
};
