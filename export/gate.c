#include "export/gate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/table.h"

static const int64_t BATCHES[] = {1, 7, 64};

/* ---- running ------------------------------------------------------------- */

/* Rows [at, at + size) of the inputs that are batched, the others whole. */
static void take_rows(dip_tensor **inputs, const dip_gate_case *c, int64_t at,
                      int64_t size)
{
    int batched = c->batched > 0 ? c->batched : c->input_count;
    for (int i = 0; i < c->input_count; i++)
        inputs[i] = i < batched ? dip_t_narrow(c->inputs[i], 0, at, size)
                                : c->inputs[i];
}

/* Rows [at, at + size) through one side, read into `out` [size, width]. */
static void run_batch(float *out, int64_t width, const dip_gate_case *c,
                      const dip_gate_side *side, int64_t at, int64_t size)
{
    dip_tensor *inputs[DIP_GATE_TENSORS_MAX] = {0};
    dip_scope_open();
    take_rows(inputs, c, at, size);
    dip_tensor *rows = side->encode(side->user, inputs);
    if (!dip_tensor_failed() &&
        (dip_tensor_ndim(rows) != 2 || dip_tensor_size(rows, 0) != size ||
         dip_tensor_size(rows, 1) != width))
        dip_tensor_fail(DIP_EDATA, "the result is not [%lld, %lld]",
                        (long long)size, (long long)width);
    dip_tensor_read(rows, DIP_F32, out, (size_t)(size * width) * sizeof *out);
    dip_scope_close();
}

static dip_status run_all(float *out, int64_t width, const dip_gate_case *c,
                          const dip_gate_side *side, int64_t batch,
                          dip_err *err)
{
    int64_t rows = dip_tensor_size(c->inputs[0], 0);
    for (int64_t at = 0; at < rows && !dip_tensor_failed(); at += batch) {
        int64_t size = rows - at < batch ? rows - at : batch;
        run_batch(out + at * width, width, c, side, at, size);
    }
    return dip_tensor_status(err);
}

/* Columns of what the live model gives. */
static dip_status find_width(int64_t *width, const dip_gate_case *c,
                             const dip_gate_side *live, dip_err *err)
{
    dip_tensor *inputs[DIP_GATE_TENSORS_MAX] = {0};
    dip_scope_open();
    take_rows(inputs, c, 0, 1);
    *width = dip_tensor_size(live->encode(live->user, inputs), -1);
    dip_scope_close();
    return dip_tensor_status(err);
}

/* ---- comparing ----------------------------------------------------------- */

static double distance(const float *a, const float *b, int64_t width,
                       double size)
{
    double gap = 0, length = 0, least = (double)width * size * size;
    for (int64_t i = 0; i < width; i++) {
        double d = (double)a[i] - (double)b[i];
        gap += d * d;
        length += (double)b[i] * (double)b[i];
    }
    if (!isfinite(gap) || !isfinite(length))
        return (double)INFINITY;
    length = length < least ? least : length;
    return length > 0 ? sqrt(gap / length) : sqrt(gap);
}

static dip_status compare(dip_gate_line *line, const float *rows,
                          const float *wanted, int64_t width, double size,
                          dip_err *err)
{
    int64_t worst = 0;
    for (int64_t i = 0; i < line->rows; i++) {
        double d = distance(rows + i * width, wanted + i * width, width, size);
        line->mean += d / (double)line->rows;
        if (d > line->max) {
            line->max = d;
            worst = i;
        }
    }
    if (line->max <= line->tolerance)
        return DIP_OK;
    return dip_fail(err, DIP_EVERIFY,
                    "'%s' differs from the model at batch size %lld%s%s: row "
                    "%lld is %.2e away, more than %.0e",
                    line->artefact, (long long)line->batch,
                    *line->inputs_are != '\0' ? ", " : "", line->inputs_are,
                    (long long)worst, line->max, line->tolerance);
}

static dip_status add_line(dip_gate_report *report, const dip_gate_line *line,
                           dip_err *err)
{
    dip_status st = dip_reserve(&report->lines, &report->capacity,
                                report->count + 1, sizeof *line, err);
    if (st == DIP_OK)
        report->lines[report->count++] = *line;
    return st;
}

static dip_status check_batch(dip_gate_report *report, const dip_gate_case *c,
                              const dip_gate_side *artefact, int64_t batch,
                              const float *wanted, float *rows, int64_t width,
                              dip_err *err)
{
    dip_gate_line line = {.batch = batch,
                          .rows = dip_tensor_size(c->inputs[0], 0),
                          .tolerance = c->tolerance};
    (void)snprintf(line.artefact, sizeof line.artefact, "%s", c->artefact);
    (void)snprintf(line.inputs_are, sizeof line.inputs_are, "%s",
                   c->inputs_are);
    dip_status st = run_all(rows, width, c, artefact, batch, err);
    if (st != DIP_OK) {
        (void)dip_fail_context(err, "'%s' fails at batch size %lld",
                               line.artefact, (long long)batch);
        if (err != NULL)
            err->code = DIP_EVERIFY;
        return DIP_EVERIFY;
    }
    st = compare(&line, rows, wanted, width, c->size, err);
    if (st == DIP_OK && c->partner != NULL)
        st = dip_recall_compare(&line.recall, c->partner, rows, wanted,
                                line.rows, width, err);
    dip_status added = add_line(report, &line, st == DIP_OK ? err : NULL);
    return st != DIP_OK ? st : added;
}

static dip_status check_batches(dip_gate_report *report, const dip_gate_case *c,
                                const dip_gate_side *artefact,
                                const dip_gate_side *live, dip_err *err)
{
    int64_t count = dip_tensor_size(c->inputs[0], 0), width = 0;
    float *wanted = NULL, *rows = NULL;
    dip_status st = find_width(&width, c, live, err);
    if (st == DIP_OK) {
        wanted = dip_calloc((size_t)(count * width), sizeof *wanted);
        rows = dip_calloc((size_t)(count * width), sizeof *rows);
        if (wanted == NULL || rows == NULL)
            st = dip_no_memory(err);
    }
    if (st == DIP_OK)
        st = run_all(wanted, width, c, live, BATCHES[2], err);
    int64_t before = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(BATCHES) && st == DIP_OK; i++) {
        int64_t batch = BATCHES[i] < count ? BATCHES[i] : count;
        if (batch == before)
            break;
        st = check_batch(report, c, artefact, batch, wanted, rows, width, err);
        before = batch;
    }
    free(rows);
    free(wanted);
    return st;
}

dip_status dip_gate_check(dip_gate_report *report, const dip_gate_case *rows,
                          const dip_gate_side *artefact,
                          const dip_gate_side *live, dip_err *err)
{
    bool before = dip_tensor_set_grad_mode(false);
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = check_batches(report, rows, artefact, live, err);
    (void)dip_tensor_set_grad_mode(before);
    return st;
}

/* ---- reporting ----------------------------------------------------------- */

static void add_recall(dip_table *table, const dip_recall *recall)
{
    if (recall->pairs == 0) {
        for (int i = 0; i < 3; i++)
            dip_table_cell(table, "");
        return;
    }
    dip_table_cellf(table, "%.3f", recall->artefact);
    dip_table_cellf(table, "%+.3f", recall->artefact - recall->live);
    dip_table_cellf(table, "%.3f", recall->overlap);
}

dip_status dip_gate_report_table(dip_str *out, const dip_gate_report *report,
                                 int width, dip_err *err)
{
    static const dip_table_column columns[] = {
        {"artefact", DIP_ALIGN_LEFT}, {"inputs", DIP_ALIGN_LEFT},
        {"batch", DIP_ALIGN_RIGHT},   {"max", DIP_ALIGN_RIGHT},
        {"mean", DIP_ALIGN_RIGHT},    {"R@10", DIP_ALIGN_RIGHT},
        {"change", DIP_ALIGN_RIGHT},  {"top 10", DIP_ALIGN_RIGHT}};
    dip_table *table = NULL;
    dip_status st = dip_table_new(&table, columns, DIP_ARRAY_LEN(columns), err);
    for (size_t i = 0; i < report->count && st == DIP_OK; i++) {
        const dip_gate_line *line = &report->lines[i];
        dip_table_cell(table, line->artefact);
        dip_table_cell(table, line->inputs_are);
        dip_table_cellf(table, "%lld", (long long)line->batch);
        dip_table_cellf(table, "%.1e", line->max);
        dip_table_cellf(table, "%.1e", line->mean);
        add_recall(table, &line->recall);
    }
    if (st == DIP_OK)
        st = dip_table_render(out, table, width, err);
    dip_table_free(table);
    return st;
}

static json_t *recall_json(const dip_recall *recall)
{
    if (recall->pairs == 0)
        return json_null();
    return json_pack(
        "{s:I, s:i, s:o, s:o, s:o}", "pairs", (json_int_t)recall->pairs, "k",
        DIP_RECALL_AT, "artefact", dip_json_real(recall->artefact), "live",
        dip_json_real(recall->live), "overlap", dip_json_real(recall->overlap));
}

json_t *dip_gate_report_json(const dip_gate_report *report)
{
    json_t *all = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const dip_gate_line *line = &report->lines[i];
        json_t *json = json_pack(
            "{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "artefact",
            line->artefact, "inputs", line->inputs_are, "batch_size",
            (json_int_t)line->batch, "rows", (json_int_t)line->rows,
            "tolerance", dip_json_real(line->tolerance), "max",
            dip_json_real(line->max), "mean", dip_json_real(line->mean),
            "recall", recall_json(&line->recall));
        if (json_array_append_new(all, json) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

void dip_gate_report_free(dip_gate_report *report)
{
    free(report->lines);
    *report = (dip_gate_report){0};
}
