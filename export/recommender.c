#include "export/recommender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "eval/topk.h"
#include "export/bundle.h"
#include "export/bundle_manifest.h"
#include "export/onnx_lower.h"
#include "export/onnx_part.h"
#include "export/onnxruntime.h"
#include "export/signature.h"
#include "tensor/safetensors.h"

#define TABLES "embeddings.safetensors"
#define USERS  "user_embeddings"
#define ITEMS  "item_embeddings"

/* Scores that are compared at once at most, of all users together. */
#define SCORES_MAX ((int64_t)1 << 26)

/* ---- the two tables ---- */

typedef struct {
    dip_tensor *users, *items; /* [U, D], [I, D] */
} tables;

static tables borrow_tables(const dip_recommender_bundle *b)
{
    return (tables){
        dip_tensor_borrow(b->users, DIP_F32, 2,
                          (const int64_t[]){b->user_count, b->dim}),
        dip_tensor_borrow(b->items, DIP_F32, 2,
                          (const int64_t[]){b->item_count, b->dim})};
}

/* Scores [B, I] of users [B]. */
static dip_tensor *score(void *user, dip_tensor *const *inputs)
{
    const tables *t = user;
    return dip_t_linear(dip_t_index_select(t->users, 0, inputs[0]), t->items,
                        NULL);
}

static void describe(dip_signature *input, dip_signature *output,
                     const dip_recommender_bundle *b)
{
    *input = (dip_signature){"users", DIP_I64, 1, {DIP_VARIES}, {"batch"}};
    *output = (dip_signature){
        "scores", DIP_F32, 2, {DIP_VARIES, b->item_count}, {"batch"}};
}

/* ---- the gate ---- */

static int64_t rows_of(const dip_recommender_bundle *b)
{
    int64_t most = SCORES_MAX / b->item_count;
    int64_t rows = b->rows < b->user_count ? b->rows : b->user_count;
    most = most > 1 ? most : 1;
    return rows < most ? rows : most;
}

/* `count` users [count] from the first row of the table to near its last. */
static dip_tensor *spread_users(const dip_recommender_bundle *b, int64_t count)
{
    dip_tensor *users = dip_tensor_empty(DIP_I64, 1, &count);
    int64_t *rows = dip_tensor_data(users);
    for (int64_t i = 0; rows != NULL && i < count; i++)
        rows[i] = (int64_t)((double)i * (double)b->user_count / (double)count);
    return users;
}

static dip_status verify(dip_gate_report *report,
                         const dip_recommender_bundle *b, const char *file,
                         double tolerance, const dip_gate_side *artefact,
                         dip_err *err)
{
    dip_scope_open();
    tables live = borrow_tables(b);
    dip_tensor *users = spread_users(b, rows_of(b));
    const dip_gate_case rows = {.artefact = file,
                                .inputs_are = "",
                                .inputs = &users,
                                .input_count = 1,
                                .tolerance = tolerance};
    dip_status st = dip_gate_check(report, &rows, artefact,
                                   &(dip_gate_side){score, &live}, err);
    dip_scope_close();
    return st;
}

static dip_tensor *find(const dip_safetensors *file, const char *name)
{
    return dip_safetensors_tensor(file, dip_safetensors_find(file, name));
}

static dip_status write_tables(dip_gate_report *report,
                               const dip_recommender_bundle *b,
                               const char *path, dip_err *err)
{
    dip_safetensors *file = NULL;
    dip_scope_open();
    tables t = borrow_tables(b);
    const dip_named_tensor list[] = {{.name = USERS, .tensor = t.users},
                                     {.name = ITEMS, .tensor = t.items}};
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = dip_safetensors_write(path, list, DIP_ARRAY_LEN(list), NULL, 0,
                                   err);
    if (st == DIP_OK)
        st = dip_safetensors_open(&file, path, err);
    if (st == DIP_OK) {
        tables read = {find(file, USERS), find(file, ITEMS)};
        st = verify(report, b, TABLES, DIP_GATE_FP32,
                    &(dip_gate_side){score, &read}, err);
    }
    dip_safetensors_close(file);
    dip_scope_close();
    return st;
}

/* ---- scorers ---- */

static void compute(void *user, dip_tensor *const *inputs, dip_tensor **outputs)
{
    outputs[0] = score(user, inputs);
}

static dip_status trace(dip_script **out, const dip_recommender_bundle *b,
                        dip_err *err)
{
    const int64_t two = 2;
    dip_scope_open();
    tables t = borrow_tables(b);
    const dip_named_tensor list[] = {
        {.name = USERS, .tensor = t.users, .is_buffer = true},
        {.name = ITEMS, .tensor = t.items, .is_buffer = true}};
    dip_tensor *example = dip_tensor_full(0, DIP_I64, 1, &two);
    dip_status st = dip_script_trace(out, compute, &t, &example, 1, 1, list,
                                     DIP_ARRAY_LEN(list), err);
    dip_scope_close();
    return st;
}

static dip_tensor *run_script(void *user, dip_tensor *const *inputs)
{
    dip_tensor *scores = NULL;
    dip_script_run(user, inputs, 1, &scores, 1);
    return scores;
}

static dip_status write_script(dip_gate_report *report,
                               const dip_recommender_bundle *b,
                               const dip_script *script, const char *path,
                               dip_err *err)
{
    dip_script *read = NULL;
    dip_status st = dip_script_save(script, path, err);
    if (st == DIP_OK)
        st = dip_script_load(&read, path, DIP_CPU, err);
    if (st == DIP_OK)
        st = verify(report, b, dip_path_base(path), DIP_GATE_FP32,
                    &(dip_gate_side){run_script, read}, err);
    dip_script_free(read);
    return st;
}

static dip_tensor *run_onnx(void *user, dip_tensor *const *inputs)
{
    static const char *const names[] = {"users"};
    dip_tensor *scores = NULL;
    dip_err err = {0};
    dip_status st =
        dip_ort_run(user, names, inputs, 1, "scores", &scores, &err);
    if (st != DIP_OK)
        dip_tensor_fail(st, "%s", err.msg);
    return scores;
}

static dip_status verify_onnx(dip_gate_report *report,
                              const dip_recommender_bundle *b, const char *path,
                              dip_err *err)
{
    dip_ort *session = NULL;
    dip_status st = dip_ort_open(&session, path, dip_tensor_threads(), err);
    if (st == DIP_OK)
        st = verify(report, b, dip_path_base(path),
                    dip_precision_tolerance(b->onnx.precision),
                    &(dip_gate_side){run_onnx, session}, err);
    dip_ort_close(session);
    return st;
}

static dip_status write_onnx(dip_gate_report *report,
                             const dip_recommender_bundle *b,
                             const dip_script *script, const char *path,
                             dip_err *err)
{
    dip_onnx *onnx = NULL;
    dip_graph *graph = NULL;
    dip_signature input, output;
    describe(&input, &output, b);
    dip_status st = dip_onnx_check_runtime(&b->onnx, err);
    if (st == DIP_OK)
        st = dip_onnx_make(&onnx, "scorer", DIP_VERSION, err);
    if (st == DIP_OK)
        st = dip_graph_make(&graph, script, err);
    if (st == DIP_OK) {
        const char *value = dip_onnx_input(onnx, &input);
        st = dip_onnx_lower(onnx, graph, &value, &output, err);
    }
    if (st == DIP_OK)
        st = dip_onnx_lose_precision(onnx, b->onnx.precision, err);
    if (st == DIP_OK)
        st = dip_onnx_save(dip_onnx_model(onnx), path, err);
    dip_graph_free(graph);
    dip_onnx_free(onnx);
    return st == DIP_OK && !b->onnx.unverified
               ? verify_onnx(report, b, path, err)
               : st;
}

/* The formats that have a scorer. */
static const struct {
    const char *format, *file;
    dip_status (*write)(dip_gate_report *report,
                        const dip_recommender_bundle *bundle,
                        const dip_script *script, const char *path,
                        dip_err *err);
} scorers[] = {{"torchscript", "scorer.pt", write_script},
               {"onnx", "scorer.onnx", write_onnx}};

/* ---- samples ---- */

/* A table's rows as the search takes them: scores are dot products, whatever
 * the lengths are. */
static dip_embeddings rows_of_table(const float *rows, int64_t count,
                                    int64_t dim)
{
    return (dip_embeddings){rows, count, dim, DIP_SIMILARITY_COSINE};
}

static dip_status find_best(int64_t *items, float *scores,
                            const dip_recommender_bundle *b,
                            const int64_t *users, int64_t count, int64_t top,
                            dip_err *err)
{
    size_t room = (size_t)(count * top);
    float *queries = dip_calloc((size_t)(count * b->dim), sizeof *queries);
    dip_hit *hits = dip_calloc(room, sizeof *hits);
    dip_status st =
        queries != NULL && hits != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; st == DIP_OK && i < count; i++)
        memcpy(queries + i * b->dim, b->users + users[i] * b->dim,
               (size_t)b->dim * sizeof *queries);
    dip_embeddings asked = rows_of_table(queries, count, b->dim);
    dip_embeddings gallery = rows_of_table(b->items, b->item_count, b->dim);
    if (st == DIP_OK)
        st = dip_topk_search(hits, &asked, &gallery, NULL, top, err);
    for (size_t i = 0; st == DIP_OK && i < room; i++) {
        items[i] = hits[i].row;
        scores[i] = hits[i].score;
    }
    free(queries);
    free(hits);
    return st;
}

static dip_status write_samples(dip_gate_report *report,
                                const dip_recommender_bundle *b,
                                const char *path, dip_err *err)
{
    (void)report;
    int64_t count =
        b->sample_rows < b->user_count ? b->sample_rows : b->user_count;
    int64_t top = DIP_RECOMMENDER_TOP < b->item_count ? DIP_RECOMMENDER_TOP
                                                      : b->item_count;
    const int64_t sizes[] = {count, top};
    dip_scope_open();
    dip_tensor *users = spread_users(b, count);
    dip_tensor *items = dip_tensor_empty(DIP_I64, 2, sizes);
    dip_tensor *scores = dip_tensor_empty(DIP_F32, 2, sizes);
    const dip_named_tensor list[] = {{.name = "users", .tensor = users},
                                     {.name = "items", .tensor = items},
                                     {.name = "scores", .tensor = scores}};
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = find_best(dip_tensor_data(items), dip_tensor_data(scores), b,
                       dip_tensor_data(users), count, top, err);
    if (st == DIP_OK)
        st = dip_safetensors_write(path, list, DIP_ARRAY_LEN(list), NULL, 0,
                                   err);
    dip_scope_close();
    return st;
}

/* ---- the bundle ---- */

static dip_status write_user_ids(dip_gate_report *report,
                                 const dip_recommender_bundle *b,
                                 const char *path, dip_err *err)
{
    (void)report;
    return dip_json_write(path, b->user_ids, DIP_JSON_AS_BUILT, err);
}

static dip_status write_item_ids(dip_gate_report *report,
                                 const dip_recommender_bundle *b,
                                 const char *path, dip_err *err)
{
    (void)report;
    return dip_json_write(path, b->item_ids, DIP_JSON_AS_BUILT, err);
}

static dip_status write_config(dip_gate_report *report,
                               const dip_recommender_bundle *b,
                               const char *path, dip_err *err)
{
    (void)report;
    return dip_bundle_copy_config(path, b->config_path, err);
}

/* What stands in the folder in every format. */
static dip_status write_common(dip_gate_report *report,
                               const dip_recommender_bundle *b, const char *dir,
                               dip_err *err)
{
    static const struct {
        const char *name;
        dip_status (*write)(dip_gate_report *report,
                            const dip_recommender_bundle *bundle,
                            const char *path, dip_err *err);
    } files[] = {{TABLES, write_tables},
                 {"users.json", write_user_ids},
                 {"items.json", write_item_ids},
                 {"samples.safetensors", write_samples},
                 {"config.yaml", write_config}};
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(files) && st == DIP_OK; i++) {
        char *path = dip_path_join(dir, files[i].name);
        st = path != NULL ? files[i].write(report, b, path, err)
                          : dip_no_memory(err);
        free(path);
    }
    return st;
}

/* For the manifest. */
static dip_status add_artefacts(json_t *artefacts,
                                const dip_recommender_bundle *b,
                                const char *scorer, dip_err *err)
{
    dip_signature input, output;
    describe(&input, &output, b);
    int bad = json_array_append_new(
        artefacts,
        json_pack("{s:s, s:{s:[I, I], s:[I, I]}}", "file", TABLES, "tensors",
                  USERS, (json_int_t)b->user_count, (json_int_t)b->dim, ITEMS,
                  (json_int_t)b->item_count, (json_int_t)b->dim));
    if (scorer != NULL)
        bad |= json_array_append_new(
            artefacts,
            json_pack("{s:s, s:s, s:[o], s:o}", "file", scorer, "part",
                      "scorer", "inputs", dip_signature_json(&input), "output",
                      dip_signature_json(&output)));
    return bad == 0 ? DIP_OK : dip_no_memory(err);
}

static dip_status write_scorer(dip_gate_report *report, const char **file,
                               const dip_recommender_bundle *b, const char *dir,
                               dip_err *err)
{
    dip_script *script = NULL;
    dip_status st = DIP_OK;
    *file = NULL;
    for (size_t i = 0; i < DIP_ARRAY_LEN(scorers) && st == DIP_OK; i++) {
        if (strcmp(scorers[i].format, b->format->name) != 0)
            continue;
        char *path = dip_path_join(dir, scorers[i].file);
        st = path != NULL ? trace(&script, b, err) : dip_no_memory(err);
        if (st == DIP_OK)
            st = scorers[i].write(report, b, script, path, err);
        dip_script_free(script);
        free(path);
        *file = scorers[i].file;
    }
    return st;
}

static dip_status fill(dip_gate_report *report, json_t *artefacts,
                       const dip_recommender_bundle *b, const char *dir,
                       dip_err *err)
{
    const char *scorer;
    dip_status st = write_common(report, b, dir, err);
    if (st == DIP_OK)
        st = write_scorer(report, &scorer, b, dir, err);
    if (st == DIP_OK)
        st = add_artefacts(artefacts, b, scorer, err);
    const dip_bundle_manifest manifest = {.version = b->version,
                                          .format = b->format->name,
                                          .run = b->run,
                                          .artefacts = artefacts,
                                          .data = b->data,
                                          .rows = rows_of(b),
                                          .gate = report};
    return st == DIP_OK ? dip_bundle_manifest_write(&manifest, dir, err) : st;
}

dip_status dip_recommender_bundle_write(dip_gate_report *report,
                                        const dip_recommender_bundle *b,
                                        const char *dir, dip_err *err)
{
    dip_dir_writer *writer = NULL;
    json_t *artefacts = json_array();
    dip_status st = artefacts != NULL ? dip_dir_writer_open(&writer, dir, err)
                                      : dip_no_memory(err);
    if (st == DIP_OK)
        st = fill(report, artefacts, b, dip_dir_writer_path(writer), err);
    if (st == DIP_OK)
        st = dip_dir_writer_commit(writer, err);
    dip_dir_writer_close(writer); /* removes what was not committed */
    json_decref(artefacts);
    return st;
}
