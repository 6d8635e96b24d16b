#include "train/checkpoint.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "models/weights.h"

#define STATE_SCHEMA "diptych-checkpoint/1"
#define STATE_LIMIT  ((size_t)1 << 20)
#define STEP_PREFIX  "step-"

/* The files of tensors, and where state.json has their digests. */
typedef struct {
    const char *file, *key, *words;
} tensor_file;

static const tensor_file MODEL = {"model.safetensors", "model_sha256",
                                  "weights are not those"};
static const tensor_file AVERAGES = {"ema.safetensors", "ema_sha256",
                                     "weights are not those"};
static const tensor_file OPTIMIZER = {
    "optimizer.safetensors", "optimizer_sha256", "optimizer is not that"};
static const tensor_file MEMORY = {"memory.safetensors", "memory_sha256",
                                   "rows of earlier batches are not those"};

/* ---- writing ---- */

/* Adds the digest of what was written to `digests`. */
static dip_status note_digest(const tensor_file *file, const char *path,
                              json_t *digests, dip_err *err)
{
    char digest[DIP_DIGEST_SIZE];
    dip_status st = dip_digest_file(digest, path, err);
    if (st == DIP_OK &&
        json_object_set_new(digests, file->key, json_string(digest)) != 0)
        st = dip_no_memory(err);
    return st;
}

static dip_status write_params(const char *dir, const tensor_file *file,
                               const dip_params *params, json_t *digests,
                               dip_err *err)
{
    char *path = dip_path_join(dir, file->file);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = dip_weights_save(params, path, NULL, 0, err);
    if (st == DIP_OK)
        st = note_digest(file, path, digests, err);
    free(path);
    return st;
}

static dip_status write_optimizer(const char *dir,
                                  const dip_optimizer *optimizer,
                                  json_t *digests, dip_err *err)
{
    int count = dip_optimizer_state_count(optimizer);
    dip_named_tensor *items = dip_calloc((size_t)count, sizeof *items);
    char *path = dip_path_join(dir, OPTIMIZER.file);
    dip_status st = DIP_OK;
    if (items == NULL || path == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    for (int i = 0; i < count; i++)
        items[i] = dip_optimizer_state(optimizer, i);
    st = dip_safetensors_write(path, items, count, NULL, 0, err);
    if (st == DIP_OK)
        st = note_digest(&OPTIMIZER, path, digests, err);
out_free:
    free(path);
    free(items);
    return st;
}

/* Numbers that must come back exactly stand as integers or, where a double
 * decides (the best metric), as the text of all its digits. */
static dip_status write_state(const char *dir, const dip_train_state *state,
                              json_t *digests, dip_err *err)
{
    char best[40], seed[24];
    (void)snprintf(best, sizeof best, "%.17g", state->best);
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)state->seed);
    json_t *json = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:s, s:i, s:b, s:s, s:I, "
        "s:I}",
        "schema", STATE_SCHEMA, "step", (json_int_t)state->step, "epoch",
        (json_int_t)state->epoch, "batch", (json_int_t)state->batch, "samples",
        (json_int_t)state->samples, "seconds", dip_json_real(state->seconds),
        "cpu_seconds", dip_json_real(state->cpu_seconds), "peak_bytes",
        (json_int_t)state->peak_bytes, "seed", seed, "threads", state->threads,
        "has_best", (int)state->has_best, "best", best, "best_step",
        (json_int_t)state->best_step, "without_gain",
        (json_int_t)state->without_gain);
    char *path = dip_path_join(dir, "state.json");
    dip_status st = DIP_OK;
    if (json == NULL || path == NULL || json_object_update(json, digests) != 0)
        st = dip_no_memory(err);
    else
        st = dip_json_write(path, json, DIP_JSON_AS_BUILT, err);
    free(path);
    json_decref(json);
    return st;
}

static dip_status fill(const char *dir, const dip_train_state *state,
                       const dip_checkpoint_parts *parts, dip_err *err)
{
    json_t *digests = json_object();
    if (digests == NULL)
        return dip_no_memory(err);
    dip_status st = write_params(dir, &MODEL, parts->params, digests, err);
    if (st == DIP_OK && parts->averages != NULL)
        st = write_params(dir, &AVERAGES, parts->averages, digests, err);
    if (st == DIP_OK && parts->optimizer != NULL)
        st = write_optimizer(dir, parts->optimizer, digests, err);
    if (st == DIP_OK && parts->memory != NULL)
        st = write_params(dir, &MEMORY, parts->memory, digests, err);
    if (st == DIP_OK)
        st = write_state(dir, state, digests, err);
    json_decref(digests);
    return st;
}

/* The name that the link `dir`/`link` holds; "" when there is none. */
static void link_target(char target[NAME_MAX + 1], const char *dir,
                        const char *link)
{
    target[0] = '\0';
    char *path = dip_path_join(dir, link);
    if (path == NULL)
        return;
    ssize_t n = readlink(path, target, NAME_MAX);
    target[n > 0 ? n : 0] = '\0';
    free(path);
}

/* What a process that was killed while writing has left. */
static bool is_torn(const char *name)
{
    return strchr(name, '.') != NULL;
}

/* Names sort by step, since the number has a fixed width. */
static dip_status remove_old(const dip_checkpoints *c, dip_err *err)
{
    char **names;
    size_t count;
    dip_status st = dip_dir_list(&names, &count, c->dir, err);
    if (st != DIP_OK)
        return st;
    char best[NAME_MAX + 1], latest[NAME_MAX + 1];
    link_target(best, c->dir, "best");
    link_target(latest, c->dir, "latest");
    int64_t kept = 0;
    for (size_t i = count; i > 0 && st == DIP_OK; i--) {
        const char *name = names[i - 1];
        if (strncmp(name, STEP_PREFIX, strlen(STEP_PREFIX)) != 0)
            continue;
        kept += !is_torn(name);
        if (!is_torn(name) &&
            (kept <= c->keep_last || strcmp(name, best) == 0 ||
             strcmp(name, latest) == 0))
            continue;
        char *path = dip_path_join(c->dir, name);
        st = path != NULL ? dip_tree_remove(path, err) : dip_no_memory(err);
        free(path);
    }
    dip_dir_list_free(names, count);
    return st;
}

static dip_status point_link(const dip_checkpoints *c, const char *link,
                             const char *target, dip_err *err)
{
    char *path = dip_path_join(c->dir, link);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = dip_link_replace(path, target, err);
    free(path);
    return st;
}

/* A step that was written already (the last one, say) differs at most in the
 * record of the best metric: the new one takes its place. */
static dip_status write_new(const char *path, const dip_train_state *state,
                            const dip_checkpoint_parts *parts, dip_err *err)
{
    dip_dir_writer *writer;
    dip_status st = dip_dir_writer_open_over(&writer, path, err);
    if (st != DIP_OK)
        return st;
    st = fill(dip_dir_writer_path(writer), state, parts, err);
    if (st == DIP_OK)
        st = dip_dir_writer_commit(writer, err);
    dip_dir_writer_close(writer);
    return st;
}

dip_status dip_checkpoint_write(const dip_checkpoints *c,
                                const dip_train_state *state,
                                const dip_checkpoint_parts *parts, bool best,
                                dip_err *err)
{
    char name[40];
    (void)snprintf(name, sizeof name, STEP_PREFIX "%08lld",
                   (long long)state->step);
    char *path = dip_path_join(c->dir, name);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = write_new(path, state, parts, err);
    free(path);
    if (st == DIP_OK)
        st = point_link(c, "latest", name, err);
    if (st == DIP_OK && best)
        st = point_link(c, "best", name, err);
    if (st == DIP_OK)
        st = remove_old(c, err);
    return st;
}

/* ---- reading ---- */

dip_status dip_checkpoint_find(char **path, const char *dir, const char *name,
                               dip_err *err)
{
    *path = dip_path_join(dir, name);
    if (*path == NULL)
        return dip_no_memory(err);
    if (dip_file_is_directory(*path))
        return DIP_OK;
    dip_status st =
        dip_fail(err, DIP_ENOTFOUND, "no checkpoint '%s' in '%s'", name, dir);
    free(*path);
    *path = NULL;
    return st;
}

static dip_status load_state_json(json_t **out, const char *file, dip_err *err)
{
    const char *schema;
    dip_status st = dip_json_load(out, file, STATE_LIMIT, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&schema, *out, "schema", file, err);
    if (st == DIP_OK && strcmp(schema, STATE_SCHEMA) != 0)
        st = dip_fail(err, DIP_EFORMAT, "unknown schema '%s' in '%s'", schema,
                      file);
    return st;
}

static dip_status read_counts(dip_train_state *state, const json_t *json,
                              const char *file, dip_err *err)
{
    int64_t threads = 0;
    const struct {
        const char *key;
        int64_t *to;
    } counts[] = {
        {"step", &state->step},
        {"epoch", &state->epoch},
        {"batch", &state->batch},
        {"samples", &state->samples},
        {"best_step", &state->best_step},
        {"without_gain", &state->without_gain},
        {"threads", &threads},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(counts); i++) {
        dip_status st =
            dip_json_get_int(counts[i].to, json, counts[i].key, file, err);
        if (st != DIP_OK)
            return st;
        if (*counts[i].to < 0)
            return dip_fail(err, DIP_EFORMAT, "negative '%s' in '%s'",
                            counts[i].key, file);
    }
    if (threads > INT_MAX)
        return dip_fail(err, DIP_EFORMAT, "'threads' is too large in '%s'",
                        file);
    state->threads = (int)threads;
    return DIP_OK;
}

/* The whole of the text must be the number. */
static dip_status read_texts(dip_train_state *state, const json_t *json,
                             const char *file, dip_err *err)
{
    const char *best, *seed;
    char *end;
    dip_status st = dip_json_get_string(&best, json, "best", file, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&seed, json, "seed", file, err);
    if (st != DIP_OK)
        return st;
    state->best = strtod(best, &end);
    if (end == best || *end != '\0')
        return dip_fail(err, DIP_EFORMAT, "'best' is no number in '%s'", file);
    errno = 0;
    state->seed = strtoull(seed, &end, 10);
    if (!isdigit((unsigned char)seed[0]) || *end != '\0' || errno != 0)
        return dip_fail(err, DIP_EFORMAT, "'seed' is no number in '%s'", file);
    return DIP_OK;
}

static dip_status read_rest(dip_train_state *state, const json_t *json,
                            const char *file, dip_err *err)
{
    dip_status st =
        dip_json_get_number(&state->seconds, json, "seconds", file, err);
    if (st == DIP_OK)
        st = dip_json_get_number(&state->cpu_seconds, json, "cpu_seconds", file,
                                 err);
    /* Files of before it was measured have none. */
    if (st == DIP_OK && json_object_get(json, "peak_bytes") != NULL)
        st =
            dip_json_get_int(&state->peak_bytes, json, "peak_bytes", file, err);
    if (st == DIP_OK)
        st = dip_json_get_bool(&state->has_best, json, "has_best", file, err);
    return st == DIP_OK ? read_texts(state, json, file, err) : st;
}

dip_status dip_checkpoint_read_state(dip_train_state *state, const char *path,
                                     dip_err *err)
{
    *state = (dip_train_state){0};
    json_t *json = NULL;
    char *file = dip_path_join(path, "state.json");
    dip_status st =
        file != NULL ? load_state_json(&json, file, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = read_counts(state, json, file, err);
    if (st == DIP_OK)
        st = read_rest(state, json, file, err);
    json_decref(json);
    free(file);
    return st;
}

static dip_status check_digest(const char *checkpoint,
                               const tensor_file *weights, const char *path,
                               dip_err *err)
{
    json_t *json = NULL;
    const char *expected;
    char digest[DIP_DIGEST_SIZE];
    char *file = dip_path_join(checkpoint, "state.json");
    dip_status st =
        file != NULL ? load_state_json(&json, file, err) : dip_no_memory(err);
    if (st == DIP_OK && weights == &AVERAGES &&
        json_object_get(json, weights->key) == NULL)
        st = dip_fail(err, DIP_ENOTFOUND,
                      "checkpoint '%s' has no averaged weights", checkpoint);
    if (st == DIP_OK)
        st = dip_json_get_string(&expected, json, weights->key, file, err);
    if (st == DIP_OK)
        st = dip_digest_file(digest, path, err);
    if (st == DIP_OK && strcmp(digest, expected) != 0)
        st = dip_fail(err, DIP_EFORMAT, "%s of state.json: '%s'",
                      weights->words, path);
    json_decref(json);
    free(file);
    return st;
}

static dip_status read_weights(const char *checkpoint,
                               const tensor_file *weights, dip_params *params,
                               dip_err *err)
{
    char *path = dip_path_join(checkpoint, weights->file);
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = check_digest(checkpoint, weights, path, err);
    if (st == DIP_OK)
        st = dip_weights_load(params, "", path, err);
    free(path);
    return st;
}

static dip_status read_optimizer(const char *path, dip_optimizer *optimizer,
                                 dip_err *err)
{
    char *file = dip_path_join(path, OPTIMIZER.file);
    if (file == NULL)
        return dip_no_memory(err);
    dip_safetensors *state = NULL;
    dip_status st = dip_safetensors_open(&state, file, err);
    if (st == DIP_OK)
        st = check_digest(path, &OPTIMIZER, file, err);
    if (st == DIP_OK) {
        st = dip_optimizer_load(optimizer, state, err);
        if (st != DIP_OK)
            (void)dip_fail_context(err, "'%s'", file);
    }
    dip_safetensors_close(state);
    free(file);
    return st;
}

dip_status dip_checkpoint_read(const char *path,
                               const dip_checkpoint_parts *parts, dip_err *err)
{
    dip_status st = DIP_OK;
    if (parts->params != NULL)
        st = read_weights(path, &MODEL, parts->params, err);
    if (st == DIP_OK && parts->averages != NULL)
        st = read_weights(path, &AVERAGES, parts->averages, err);
    if (st == DIP_OK && parts->optimizer != NULL)
        st = read_optimizer(path, parts->optimizer, err);
    if (st == DIP_OK && parts->memory != NULL)
        st = read_weights(path, &MEMORY, parts->memory, err);
    return st;
}
