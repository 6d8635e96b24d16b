/* The gate that every exported artefact passes: it must give the rows that the
 * live model gives, at batch sizes other than the one that it was traced with.
 *
 * The distance of a row a from the model's b is ||a - b|| / ||b|| (Euclidean),
 * or ||a|| where b is zero. A number that is not finite is infinitely far.
 * Scores may come out near zero as differences of large numbers: they are
 * measured by the size that scores have (dip_gate_case.size). */
#ifndef DIP_EXPORT_GATE_H
#define DIP_EXPORT_GATE_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#include "export/recall.h"
#include "tensor/tensor.h"

#define DIP_GATE_FP32        1e-5 /* the tolerance of formats in float32 */
#define DIP_GATE_FP16        1e-2
#define DIP_GATE_INT8        0.5 /* the change in recall tells more there */
#define DIP_GATE_NAME_MAX    96
#define DIP_GATE_INPUTS_MAX  32
#define DIP_GATE_TENSORS_MAX 8 /* inputs of an artefact */

/* Gives rows [B, W] for inputs whose first dimension is B. Follows
 * tensor/tensor.h: the result is in the open scope, failures stick. */
typedef dip_tensor *(*dip_gate_encode)(void *user, dip_tensor *const *inputs);

typedef struct {
    dip_gate_encode encode;
    void *user;
} dip_gate_side;

/* All rows that an artefact is run on. */
typedef struct {
    const char *artefact;   /* for messages and the report */
    const char *inputs_are; /* "3 tokens"; "" where there is but one way */
    dip_tensor *const *inputs;
    int input_count;
    int batched;      /* leading inputs that are cut into batches, the others
                         stay whole; 0: all are cut */
    double tolerance; /* the largest distance of a row that passes */
    const dip_recall_partner *partner; /* of rows that are embeddings; NULL:
                                          nothing is searched with them */
    double size; /* of a number: ||b|| is taken to be at least that of a row of
                    such numbers; 0: as it is */
} dip_gate_case;

/* An artefact at one batch size. */
typedef struct {
    char artefact[DIP_GATE_NAME_MAX];
    char inputs_are[DIP_GATE_INPUTS_MAX];
    int64_t batch, rows;
    double tolerance;
    double max, mean;  /* distance over the rows */
    dip_recall recall; /* without pairs where nothing was searched */
} dip_gate_line;

/* Start it as {0}; end it with dip_gate_report_free(). */
typedef struct {
    dip_gate_line *lines;
    size_t count, capacity;
} dip_gate_report;

/* Runs `live` once and `artefact` at batch sizes 1, 7 and 64, as far as there
 * are rows for them, and appends a line for each. DIP_EVERIFY names artefact,
 * batch size and distance when a row is farther than the tolerance, when the
 * artefact cannot run or when its shape is another; the error of a live model
 * that fails comes as it is. Needs no open scope but that of the
 * inputs. */
dip_status dip_gate_check(dip_gate_report *report, const dip_gate_case *rows,
                          const dip_gate_side *artefact,
                          const dip_gate_side *live,
                          dip_err *err) DIP_MUST_CHECK;

/* Appends a table of all lines for people: distances, the artefact's recall,
 * how far that is from the live model's, and the overlap. */
dip_status dip_gate_report_table(dip_str *out, const dip_gate_report *report,
                                 int width, dip_err *err) DIP_MUST_CHECK;
/* An array of objects; NULL when memory is out. The caller ends it with
 * json_decref(). */
json_t *dip_gate_report_json(const dip_gate_report *report);
void dip_gate_report_free(dip_gate_report *report);

#endif
