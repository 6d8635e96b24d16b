#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "models/recommenders.h"
#include "tests/models/helper.h"
#include "train/recommendation.h"

static const char *golden_path =
    "tests/golden/train/recommendation.safetensors";

/* What gen_recommendation.py calculates with. */
static const double TEMPERATURE_OF_CASES = .25, L2_OF_CASES = .03;

typedef struct {
    const char *name, *kind, *aggregator;
    int64_t layers;
    const char *loss;
    bool cosine;
} golden_case;

static const golden_case cases[] = {
    {"lightgcn", "lightgcn", NULL, 3, "bpr", false},
    {"lightgcn_features", "lightgcn", NULL, 2, "softmax", true},
    {"sage_mean", "sage", "mean", 2, "bpr", false},
    {"sage_mean_features", "sage", "mean", 2, "softmax", false},
    {"sage_max", "sage", "max", 3, "softmax", true},
    {"sage_lstm", "sage", "lstm", 2, "bpr", false},
    {"sage_lstm_uneven", "sage", "lstm", 2, "bpr", true},
};

/* A case of the file as the program sees it. */
typedef struct {
    const golden_case *about;
    const dip_safetensors *file;
    dip_bipartite graph;
    int64_t *all; /* of the batch */
    int64_t size, negatives;
    dip_recommender *model;
    dip_neighbour_sampler *sampler;
} loaded;

static dip_tensor *tensor_of(const loaded *c, const char *name)
{
    return golden_get(c->file, c->about->name, name);
}

static void *values_of(const loaded *c, const char *name, dip_dtype dtype,
                       int64_t *count)
{
    dip_tensor *t = tensor_of(c, name);
    *count = dip_tensor_numel(t);
    size_t bytes = (size_t)*count * dip_dtype_size(dtype);
    void *values = dip_calloc(bytes, 1);
    assert_non_null(values);
    dip_tensor_read(t, dtype, values, bytes);
    return values;
}

static void load_graph(loaded *c)
{
    int64_t n, edges;
    c->graph.offsets = values_of(c, "offsets", DIP_I64, &n);
    c->graph.neighbours = values_of(c, "neighbours", DIP_I32, &edges);
    c->graph.users = (int64_t)dip_tensor_item(tensor_of(c, "users"));
    c->graph.items = n - 1 - c->graph.users;
    c->graph.edges = edges / 2;
}

static void load_model(loaded *c)
{
    const golden_case *g = c->about;
    const dip_recommender_graph graph = {c->graph.users, c->graph.items,
                                         c->graph.offsets, c->graph.neighbours};
    const dip_recommender_options options = {
        .kind = g->kind,
        .dim = dip_tensor_size(tensor_of(c, "embeddings"), 1),
        .layers = g->layers,
        .aggregator = g->aggregator};
    dip_recommender_features features = {0};
    dip_tensor *wide = golden_find(c->file, g->name, "item_features");
    if (wide != NULL)
        features = (dip_recommender_features){dip_tensor_size(wide, 1),
                                              dip_tensor_data(wide)};
    dip_err err = {0};
    assert_ok(
        dip_recommender_create(&c->model, &options, &graph, &features, 1, &err),
        &err);
    dip_params *params = dip_recommender_params(c->model);
    for (int i = 0; i < dip_params_count(params); i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "param.%s",
                       dip_params_name(params, i));
        if (dip_params_kind(params, i) != DIP_PARAM_BUFFER)
            dip_tensor_assign(dip_params_tensor(params, i), tensor_of(c, name));
    }
}

static void load_case(loaded *c, const golden_case *about,
                      const dip_safetensors *file)
{
    int64_t count;
    dip_err err = {0};
    *c = (loaded){.about = about, .file = file};
    load_graph(c);
    load_model(c);
    c->all = values_of(c, "all", DIP_I64, &count);
    c->size = (int64_t)dip_tensor_item(tensor_of(c, "size"));
    c->negatives = count / c->size - 2;
    const dip_neighbour_options options = {.hops = (int)about->layers};
    if (c->model->kind->sampled)
        assert_ok(dip_neighbour_sampler_create(&c->sampler, &c->graph, &options,
                                               &err),
                  &err);
}

static void free_case(loaded *c)
{
    dip_neighbour_sampler_free(c->sampler);
    dip_recommender_free(c->model);
    dip_bipartite_free(&c->graph);
    free(c->all);
}

static dip_tensor *loss_of(const loaded *c)
{
    const dip_recommendation_recipe recipe = {
        .model = c->model,
        .sampler = c->sampler,
        .loss = dip_recommendation_loss_find(c->about->loss),
        .cosine = c->about->cosine,
        .temperature = TEMPERATURE_OF_CASES,
        .l2 = L2_OF_CASES};
    const dip_triple_batch batch = {
        .size = c->size,
        .negative_count = c->negatives,
        .users = c->all,
        .items = c->all + c->size,
        .negatives = c->all + 2 * c->size,
        .all = c->all,
    };
    dip_tensor *loss;
    dip_err err = {0};
    assert_ok(dip_recommendation_loss(&loss, &recipe, &batch, &err), &err);
    return loss;
}

/* The largest gap of embeddings and loss, relative to their length, and of a
 * number of the gradients, which may be small for all that cancels in them. */
static double gap_of(const loaded *c)
{
    double worst = relative(dip_recommender_forward(c->model, NULL, false),
                            tensor_of(c, "embeddings"));
    dip_tensor *loss = loss_of(c);
    worst = fmax(worst, relative(loss, tensor_of(c, "loss")));
    dip_tensor_backward(loss);
    dip_params *params = dip_recommender_params(c->model);
    for (int i = 0; i < dip_params_count(params); i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "grad.%s",
                       dip_params_name(params, i));
        if (dip_params_kind(params, i) == DIP_PARAM_BUFFER)
            continue;
        worst =
            fmax(worst, distance(dip_tensor_grad(dip_params_tensor(params, i)),
                                 tensor_of(c, name)));
    }
    assert_no_error();
    return worst;
}

static void test_recommendation_is_that_of_the_peer(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(golden_path);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        loaded c;
        load_case(&c, &cases[i], file);
        double gap = gap_of(&c);
        if (!(gap <= 1e-6))
            fail_msg("%s is %g away", cases[i].name, gap);
        print_message("%s %.2g\n", cases[i].name, gap);
        free_case(&c);
    }
    dip_safetensors_close(file);
}

/* Every row of the table has a case. */
static void test_recommendation_has_all_kinds(void **state)
{
    (void)state;
    for (int k = 0; k < dip_recommender_kind_count(); k++) {
        const char *name = dip_recommender_kind_at(k)->name;
        bool found = false;
        for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++)
            found |= strcmp(cases[i].kind, name) == 0;
        if (!found)
            fail_msg("no golden case of '%s'", name);
    }
}

/* A user without neighbours gets the mean of the others. */
static void test_recommendation_places_cold_users(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(golden_path);
    loaded c;
    dip_err err = {0};
    load_case(&c, &cases[0], file);
    size_t dim = (size_t)c.model->options.dim;
    float *rows =
        dip_calloc((size_t)dip_bipartite_nodes(&c.graph) * dim, sizeof *rows);
    assert_non_null(rows);
    assert_ok(dip_recommender_embed(rows, c.model, &err), &err);
    const size_t cold = 1; /* as the case was drawn */
    assert_int_equal(dip_bipartite_of(&c.graph, cold).count, 0);
    for (size_t d = 0; d < dim; d++) {
        double sum = 0;
        int64_t warm = 0;
        for (int64_t u = 0; u < c.graph.users; u++) {
            if (dip_bipartite_of(&c.graph, u).count == 0)
                continue;
            sum += (double)rows[(size_t)u * dim + d];
            warm++;
        }
        assert_near((double)rows[cold * dim + d], sum / (double)warm, 1e-6);
    }
    free(rows);
    free_case(&c);
    dip_safetensors_close(file);
}

static void assert_refused(const dip_recommender_options *options,
                           const char *words)
{
    dip_recommender_options copy = *options;
    dip_err err = {0};
    assert_int_equal(dip_recommender_check(&copy, &err), DIP_ECONFIG);
    assert_non_null(strstr(err.msg, words));
}

static void test_recommendation_refuses_options(void **state)
{
    (void)state;
    assert_refused(&(dip_recommender_options){.kind = "gcn"},
                   "'gcn' is none of lightgcn, sage");
    assert_refused(
        &(dip_recommender_options){.kind = "lightgcn", .aggregator = "mean"},
        "aggregator");
    assert_refused(
        &(dip_recommender_options){.kind = "sage", .aggregator = "median"},
        "aggregator");
    assert_refused(&(dip_recommender_options){.kind = "sage", .layers = 9},
                   "layers");
    assert_null(dip_recommendation_loss_find("hinge"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_recommendation_is_that_of_the_peer),
        MODEL_TEST(test_recommendation_has_all_kinds),
        MODEL_TEST(test_recommendation_places_cold_users),
        MODEL_TEST(test_recommendation_refuses_options),
    };
    if (argc > 1)
        golden_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
