#include "models/lora.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

typedef struct {
    const char *name;   /* of the matrix; borrowed from the store */
    dip_tensor *matrix; /* the store's handle */
    dip_tensor *plain;  /* another of the same matrix; owned */
    dip_tensor *a, *b;  /* the store's */
} adapter;

struct dip_lora {
    dip_params *params;
    double scale, dropout;
    adapter *adapters;
    size_t count, capacity;
};

static bool fits_one(const char *const *patterns, size_t count,
                     const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

static bool is_of_tower(const char *name)
{
    return strncmp(name, "image.", 6) == 0 || strncmp(name, "text.", 5) == 0;
}

static bool is_tower_parameter(const dip_params *params, int i)
{
    return is_of_tower(dip_params_name(params, i));
}

static bool is_tower_matrix(const dip_params *params, int i)
{
    return is_tower_parameter(params, i) &&
           !strstr(dip_params_name(params, i), "embedding") &&
           dip_params_kind(params, i) == DIP_PARAM_WEIGHT &&
           dip_tensor_ndim(dip_params_tensor(params, i)) == 2;
}

static bool is_target(const dip_lora_options *o, const dip_params *params,
                      int i)
{
    return is_tower_matrix(params, i) &&
           (o->target_count == 0 ||
            fits_one(o->targets, o->target_count, dip_params_name(params, i)));
}

/* Each pattern must fit one of those that `counts` lets through. */
static dip_status check_patterns(const char *const *patterns, size_t count,
                                 bool (*counts)(const dip_params *, int),
                                 const dip_params *params, const char *what,
                                 dip_err *err)
{
    for (size_t p = 0; p < count; p++) {
        bool fits = false;
        for (int i = 0; i < dip_params_count(params) && !fits; i++)
            fits = counts(params, i) &&
                   fits_one(&patterns[p], 1, dip_params_name(params, i));
        if (!fits)
            return dip_fail(err, DIP_ECONFIG, "%s of a tower fits '%s'", what,
                            patterns[p]);
    }
    return DIP_OK;
}

/* A starts as torch.nn.Linear's weights do, as in the paper's own code. */
static dip_status add(dip_lora *lora, const dip_lora_options *o,
                      const dip_maker *root, int i, dip_err *err)
{
    dip_status st = dip_reserve(&lora->adapters, &lora->capacity,
                                lora->count + 1, sizeof *lora->adapters, err);
    if (st != DIP_OK)
        return st;
    adapter *at = &lora->adapters[lora->count++];
    dip_tensor *matrix = dip_params_tensor(lora->params, i);
    int64_t out = dip_tensor_size(matrix, 0), in = dip_tensor_size(matrix, 1);
    *at = (adapter){.name = dip_params_name(lora->params, i), .matrix = matrix};
    at->plain = dip_tensor_keep(dip_tensor_alias(matrix));
    dip_maker maker = dip_maker_in(root, "%s", at->name);
    at->a =
        dip_make_uniform(&maker, "lora_a", DIP_PARAM_WEIGHT,
                         1.0 / sqrt((double)in), 2, (int64_t[]){o->rank, in});
    at->b = dip_make_full(&maker, "lora_b", DIP_PARAM_WEIGHT, 0.0, 2,
                          (int64_t[]){out, o->rank});
    return dip_tensor_status(err);
}

static dip_status add_all(dip_lora *lora, const dip_lora_options *o,
                          const dip_maker *root, dip_err *err)
{
    int count = dip_params_count(lora->params); /* before the adapters */
    dip_status st =
        check_patterns(o->targets, o->target_count, is_tower_matrix,
                       lora->params, "lora.targets: no matrix", err);
    if (st == DIP_OK)
        st = check_patterns(o->train, o->train_count, is_tower_parameter,
                            lora->params, "lora.train: no parameter", err);
    for (int i = 0; i < count && st == DIP_OK; i++) {
        const char *name = dip_params_name(lora->params, i);
        bool target = is_target(o, lora->params, i);
        if (is_of_tower(name) &&
            (target || !fits_one(o->train, o->train_count, name)))
            dip_params_freeze(lora->params, i);
        if (target)
            st = add(lora, o, root, i, err);
    }
    if (st == DIP_OK && lora->count == 0)
        st = dip_fail(err, DIP_ECONFIG,
                      "lora.rank: the towers have no matrix to adapt");
    return st;
}

dip_status dip_lora_create(dip_lora **out, const dip_lora_options *options,
                           const dip_maker *root, dip_err *err)
{
    *out = NULL;
    dip_lora *lora = dip_calloc(1, sizeof *lora);
    if (!lora)
        return dip_no_memory(err);
    lora->params = root->params;
    lora->scale = options->alpha / (double)options->rank;
    lora->dropout = options->dropout;
    dip_status st = add_all(lora, options, root, err);
    if (st != DIP_OK) {
        dip_lora_free(lora);
        return st;
    }
    *out = lora;
    return DIP_OK;
}

void dip_lora_free(dip_lora *lora)
{
    if (!lora)
        return;
    for (size_t i = 0; i < lora->count; i++)
        dip_tensor_free(lora->adapters[i].plain);
    free(lora->adapters);
    free(lora);
}

/* W + scale * B A, in the dtype of W. */
static dip_tensor *sum_of(const dip_lora *lora, const adapter *at,
                          bool training)
{
    dip_tensor *a = dip_tensor_alias(at->a);
    if (training && lora->dropout > 0) {
        dip_tensor *inputs = dip_t_narrow(dip_t_detach(at->a), 0, 0, 1);
        dip_tensor *ones = dip_t_add_scalar(dip_t_mul_scalar(inputs, 0), 1);
        a = dip_t_mul(a, dip_t_dropout(ones, lora->dropout, true));
    }
    dip_tensor *product = dip_t_mul_scalar(dip_t_matmul(at->b, a), lora->scale);
    return dip_t_add(at->plain, product);
}

static bool is_below(const adapter *at, const char *tower)
{
    return strncmp(at->name, tower, strlen(tower)) == 0 &&
           at->name[strlen(tower)] == '.';
}

void dip_lora_begin(dip_lora *lora, const char *tower, bool training)
{
    for (size_t i = 0; lora && i < lora->count; i++) {
        const adapter *at = &lora->adapters[i];
        if (!is_below(at, tower))
            continue;
        dip_scope_open();
        dip_tensor_point(at->matrix, sum_of(lora, at, training));
        dip_scope_close();
    }
}

void dip_lora_end(dip_lora *lora, const char *tower)
{
    for (size_t i = 0; lora && i < lora->count; i++)
        if (is_below(&lora->adapters[i], tower))
            dip_tensor_point(lora->adapters[i].matrix, lora->adapters[i].plain);
}

void dip_lora_merge(dip_lora *lora)
{
    if (!lora)
        return;
    bool grad = dip_tensor_set_grad_mode(false);
    for (size_t i = 0; i < lora->count; i++) {
        dip_scope_open();
        dip_tensor_assign(lora->adapters[i].plain,
                          sum_of(lora, &lora->adapters[i], false));
        dip_scope_close();
    }
    (void)dip_tensor_set_grad_mode(grad);
    dip_params_drop(lora->params, "*.lora_a");
    dip_params_drop(lora->params, "*.lora_b");
    for (size_t i = 0; i < lora->count; i++)
        dip_tensor_free(lora->adapters[i].plain);
    lora->count = 0;
}
