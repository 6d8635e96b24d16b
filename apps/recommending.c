#include "apps/recommending.h"

#include <math.h>
#include <stdlib.h>

#include "apps/run_dir.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/embedding_file.h"

/* ---- features of items ---- */

/* All rows of the catalog must be in the file; a product that it has no
 * embedding of has zeros. */
static dip_status read_values(float **out, int64_t *width,
                              const dip_recommending *r, dip_err *err)
{
    const dip_recommendation_settings *s = &r->settings->recommendation;
    int64_t rows = dip_catalog_rows(r->catalog);
    uint8_t *present = dip_calloc((size_t)rows, 1);
    dip_status st = present != NULL ? DIP_OK : dip_no_memory(err);
    *out = NULL;
    for (int split = 0; split < DIP_SPLIT_COUNT && st == DIP_OK; split++) {
        dip_embedding_file *file = NULL;
        if (dip_catalog_split_rows(r->catalog, (dip_split)split) == 0)
            continue;
        st = dip_embedding_file_open(&file, s->features, r->catalog,
                                     (dip_split)split, err);
        if (st == DIP_OK)
            st = dip_embedding_file_width(width, file, s->features_name, err);
        if (st == DIP_OK && *out == NULL) {
            *out = dip_calloc((size_t)rows, (size_t)*width * sizeof **out);
            st = *out != NULL ? DIP_OK : dip_no_memory(err);
        }
        if (st == DIP_OK)
            st = dip_embedding_file_read(*out, present, file, s->features_name,
                                         err);
        dip_embedding_file_close(file);
    }
    free(present);
    return st;
}

/* The digest first: it says whether there is a file. */
static dip_status read_features(float **values, int64_t *width,
                                dip_recommending *r, dip_err *err)
{
    const dip_recommendation_settings *s = &r->settings->recommendation;
    char digest[DIP_DIGEST_SIZE];
    dip_status st = dip_digest_file(digest, s->features, err);
    if (st == DIP_OK)
        st = read_values(values, width, r, err);
    if (st != DIP_OK)
        return st;
    r->features = json_pack("{s:s, s:s, s:I, s:s}", "path", s->features, "name",
                            s->features_name, "width", (json_int_t)*width,
                            "sha256", digest);
    return r->features != NULL ? DIP_OK : dip_no_memory(err);
}

/* ---- opening ---- */

static dip_status open_data(dip_recommending *r, dip_err *err)
{
    const char *path = r->settings->catalog;
    if (path == NULL)
        return dip_fail(err, DIP_ECONFIG,
                        "no catalog: data.catalog or --data names one");
    dip_status st = dip_catalog_open(&r->catalog, path, NULL, err);
    if (st == DIP_OK && dip_catalog_interaction_count(r->catalog) == 0)
        st = dip_fail(err, DIP_EDATA,
                      "'%s' has no interactions: `diptych import` adds them",
                      path);
    return st == DIP_OK
               ? dip_bipartite_of_catalog(&r->graph, r->catalog,
                                          DIP_SPLIT_BIT(DIP_SPLIT_TRAIN), err)
               : st;
}

static dip_status make_model(dip_recommending *r,
                             const dip_recommender_features *features,
                             dip_err *err)
{
    const dip_recommender_graph graph = {r->graph.users, r->graph.items,
                                         r->graph.offsets, r->graph.neighbours};
    int threads;
    bool bf16;
    dip_status st =
        dip_run_machine(r->settings, &r->device, &bf16, &threads, err);
    if (st == DIP_OK)
        st = dip_recommender_create(&r->model,
                                    &r->settings->recommendation.model, &graph,
                                    features, r->settings->seed, err);
    if (st != DIP_OK)
        return st;
    dip_params_to_device(dip_recommender_params(r->model), r->device);
    return dip_tensor_status(err);
}

dip_status dip_recommending_open(dip_recommending *out,
                                 const dip_settings *settings, dip_err *err)
{
    dip_recommender_features features = {0};
    float *values = NULL;
    *out = (dip_recommending){.settings = settings};
    dip_status st = open_data(out, err);
    if (st == DIP_OK && settings->recommendation.features != NULL)
        st = read_features(&values, &features.width, out, err);
    features.values = values;
    if (st == DIP_OK)
        st = make_model(out, &features, err);
    free(values);
    return st;
}

/* The width of the features that a run began with, whose values its weights
 * hold; 0: it has none. */
static dip_status read_width(int64_t *out, const char *dir, dip_err *err)
{
    json_t *about, *features;
    *out = 0;
    dip_status st = dip_run_about(&about, dir, err);
    features = st == DIP_OK ? json_object_get(about, "features") : NULL;
    if (features != NULL)
        st = dip_json_get_int(out, features, "width", "run.json", err);
    json_decref(about);
    return st;
}

static dip_status load(dip_recommending *r, const char *dir, const char *which,
                       dip_err *err)
{
    dip_recommender_features features = {0};
    if (r->settings->task != DIP_TASK_RECOMMENDATION)
        return dip_fail(err, DIP_EDATA,
                        "'%s' is a run of another task than recommendation",
                        dir);
    dip_status st = open_data(r, err);
    if (st == DIP_OK)
        st = dip_run_check_catalog(dir, r->catalog, err);
    if (st == DIP_OK)
        st = read_width(&features.width, dir, err);
    if (st == DIP_OK)
        st = make_model(r, &features, err);
    return st == DIP_OK ? dip_run_weights(&r->checkpoint,
                                          dip_recommender_params(r->model), dir,
                                          which, r->settings, err)
                        : st;
}

dip_status dip_recommending_load(dip_recommending *out, const char *dir,
                                 const char *which, const char *data,
                                 const char *const *overrides, size_t count,
                                 dip_err *err)
{
    *out = (dip_recommending){0};
    dip_status st = dip_run_settings(&out->owned, dir, overrides, count, err);
    if (st != DIP_OK)
        return st;
    if (data != NULL)
        out->owned->catalog = data;
    out->settings = out->owned;
    return load(out, dir, which, err);
}

void dip_recommending_end(dip_recommending *r)
{
    dip_recommender_free(r->model);
    dip_bipartite_free(&r->graph);
    dip_catalog_close(r->catalog);
    json_decref(r->features);
    dip_settings_free(r->owned);
    free(r->checkpoint);
}

int64_t dip_recommending_count(const dip_catalog *catalog, dip_split split)
{
    int64_t count = 0;
    for (int64_t i = 0; i < dip_catalog_interaction_count(catalog); i++)
        count += dip_catalog_interaction(catalog, i).split == split;
    return count;
}

/* ---- embeddings and lists ---- */

static void make_unit(float *rows, int64_t count, int64_t dim)
{
    for (int64_t i = 0; i < count; i++) {
        double square = 0;
        for (int64_t d = 0; d < dim; d++)
            square += (double)rows[i * dim + d] * (double)rows[i * dim + d];
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t d = 0; d < dim; d++)
            rows[i * dim + d] = (float)((double)rows[i * dim + d] * scale);
    }
}

dip_status dip_recommending_embed(dip_recommending_embeddings *out,
                                  const dip_recommending *r, dip_err *err)
{
    int64_t dim = r->model->options.dim, users = r->graph.users;
    int64_t nodes = dip_bipartite_nodes(&r->graph);
    *out = (dip_recommending_embeddings){
        .rows = dip_calloc((size_t)nodes, (size_t)dim * sizeof(float))};
    if (out->rows == NULL)
        return dip_no_memory(err);
    dip_status st = dip_recommender_embed(out->rows, r->model, err);
    if (st == DIP_OK && r->settings->recommendation.cosine)
        make_unit(out->rows, nodes, dim);
    /* For the search a score is a dot product, whatever the lengths are. */
    out->users = (dip_embeddings){out->rows, users, dim, DIP_SIMILARITY_COSINE};
    out->items = (dip_embeddings){out->rows + users * dim, r->graph.items, dim,
                                  DIP_SIMILARITY_COSINE};
    return st;
}

void dip_recommending_embeddings_free(dip_recommending_embeddings *e)
{
    free(e->rows);
    *e = (dip_recommending_embeddings){0};
}

/* Copies what the user has not seen, in its order. */
static void keep_unseen(dip_hit *out, int64_t depth, const dip_hit *found,
                        int64_t count, const dip_bipartite *seen, int64_t user)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count && kept < depth && found[i].row >= 0; i++) {
        if (!dip_bipartite_has(seen, user, found[i].row))
            out[kept++] = found[i];
    }
    for (; kept < depth; kept++)
        out[kept] = (dip_hit){-INFINITY, -1};
}

dip_status dip_recommending_lists(dip_hit *out,
                                  const dip_recommending_embeddings *e,
                                  const dip_bipartite *seen, int64_t first,
                                  int64_t count, int64_t depth, dip_err *err)
{
    int64_t most = 0;
    for (int64_t u = first; u < first + count; u++) {
        int64_t had = dip_bipartite_of(seen, u).count;
        most = had > most ? had : most;
    }
    int64_t k = depth + most < e->items.rows ? depth + most : e->items.rows;
    dip_embeddings some = e->users;
    some.data += first * some.dim;
    some.rows = count;
    dip_hit *found = dip_calloc((size_t)count, (size_t)k * sizeof *found);
    if (found == NULL)
        return dip_no_memory(err);
    dip_status st = dip_topk_search(found, &some, &e->items, NULL, k, err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++)
        keep_unseen(out + i * depth, depth, found + i * k, k, seen, first + i);
    free(found);
    return st;
}
