#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tensor/shape.h"

#define MAX_SLOTS 2

/* What each kind keeps for a parameter. */
static const struct {
    const char *name;
    int slot_count;
    const char *slots[MAX_SLOTS];
} kinds[] = {
    [DIP_OPTIMIZER_ADAMW] = {"adamw", 2, {"exp_avg", "exp_avg_sq"}},
    [DIP_OPTIMIZER_SGD] = {"sgd", 1, {"momentum"}},
};

/* Parameters of one kind and rate. */
typedef struct {
    dip_param_kind kind;
    double rate;
    bool waits; /* to be unlocked */
    int end; /* of its parameters, which begin at the end of the one before */
} group;

struct dip_optimizer {
    dip_optimizer_options options;
    group *groups; /* those that wait stand last */
    int group_count;
    bool unlocked;
    dip_tensor **params;           /* group by group; borrowed */
    dip_tensor **slots[MAX_SLOTS]; /* beside `params`; owned */
    char **names[MAX_SLOTS];       /* of the slots' tensors; owned */
    dip_tensor **grads;            /* room for one step; NULL: keeps still */
    dip_tensor **reached;          /* those of them that are not NULL */
    dip_tensor **rows;             /* which have these, of a sparse table */
    int count, first_waiting;
};

bool dip_optimizer_parse(dip_optimizer_kind *out, const char *name)
{
    for (size_t i = 0; i < DIP_OPTIMIZER_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *out = (dip_optimizer_kind)i;
            return true;
        }
    }
    return false;
}

static dip_status allocate(dip_optimizer *o, int count, dip_err *err)
{
    size_t n = (size_t)count;
    o->params = dip_calloc(n, sizeof(dip_tensor *));
    o->grads = dip_calloc(n, sizeof(dip_tensor *));
    o->reached = dip_calloc(n, sizeof(dip_tensor *));
    o->rows = dip_calloc(n, sizeof(dip_tensor *));
    o->groups = dip_calloc(n, sizeof *o->groups);
    bool ok = o->params != NULL && o->grads != NULL && o->reached != NULL &&
              o->rows != NULL && o->groups != NULL;
    for (int s = 0; s < MAX_SLOTS; s++) {
        o->slots[s] = dip_calloc(n, sizeof(dip_tensor *));
        o->names[s] = dip_calloc(n, sizeof(char *));
        ok = ok && o->slots[s] != NULL && o->names[s] != NULL;
    }
    return ok ? DIP_OK : dip_no_memory(err);
}

static dip_tensor *zeros_like(const dip_tensor *t)
{
    return dip_tensor_keep(dip_t_mul_scalar(dip_t_detach(t), 0));
}

static dip_status add_param(dip_optimizer *o, const dip_params *params, int i,
                            dip_err *err)
{
    int at = o->count++;
    o->params[at] = dip_params_tensor(params, i);
    for (int s = 0; s < kinds[o->options.kind].slot_count; s++) {
        o->slots[s][at] = zeros_like(o->params[at]);
        dip_str name = {0};
        dip_str_addf(&name, "%s.%s", kinds[o->options.kind].slots[s],
                     dip_params_name(params, i));
        dip_status st = dip_str_status(&name, err);
        if (st != DIP_OK) {
            dip_str_free(&name);
            return st;
        }
        o->names[s][at] = name.data;
    }
    return DIP_OK;
}

/* Whether parameter `i` is trained, now or later, and not in a group yet. */
static bool is_left(const dip_optimizer *o, const dip_params *params, int i)
{
    const dip_tensor *tensor = dip_params_tensor(params, i);
    if (dip_params_kind(params, i) == DIP_PARAM_BUFFER ||
        (!dip_tensor_requires_grad(tensor) &&
         o->options.tuning.unlock_after == 0))
        return false;
    for (int at = 0; at < o->count; at++) {
        if (o->params[at] == tensor)
            return false;
    }
    return true;
}

/* A group of parameter `first` and all that are like it. */
static dip_status add_group(dip_optimizer *o, const dip_params *params,
                            const double *rates, int first, dip_err *err)
{
    group *g = &o->groups[o->group_count++];
    *g = (group){
        .kind = dip_params_kind(params, first),
        .rate = rates[first],
        .waits = !dip_tensor_requires_grad(dip_params_tensor(params, first)),
    };
    for (int i = first; i < dip_params_count(params); i++) {
        bool waits = !dip_tensor_requires_grad(dip_params_tensor(params, i));
        if (dip_params_kind(params, i) != g->kind || waits != g->waits ||
            rates[i] < g->rate || rates[i] > g->rate || !is_left(o, params, i))
            continue;
        dip_status st = add_param(o, params, i, err);
        if (st != DIP_OK)
            return st;
    }
    g->end = o->count;
    return DIP_OK;
}

/* Groups of one kind that wait, or do not. */
static dip_status add_groups(dip_optimizer *o, const dip_params *params,
                             const double *rates, dip_param_kind kind,
                             bool waiting, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < dip_params_count(params) && st == DIP_OK; i++) {
        bool waits = !dip_tensor_requires_grad(dip_params_tensor(params, i));
        if (dip_params_kind(params, i) == kind && waits == waiting &&
            is_left(o, params, i))
            st = add_group(o, params, rates, i, err);
    }
    return st;
}

static const dip_param_kind TRAINED[] = {DIP_PARAM_WEIGHT, DIP_PARAM_SPARSE,
                                         DIP_PARAM_NO_DECAY};

static dip_status add_all(dip_optimizer *o, const dip_params *params,
                          dip_err *err)
{
    double *rates = dip_calloc((size_t)dip_params_count(params), sizeof *rates);
    if (rates == NULL)
        return dip_no_memory(err);
    dip_tuning_rates(rates, params, &o->options.tuning);
    dip_status st = DIP_OK;
    for (int waiting = 0; waiting < 2 && st == DIP_OK; waiting++) {
        o->first_waiting = o->count;
        for (size_t k = 0; k < DIP_ARRAY_LEN(TRAINED) && st == DIP_OK; k++)
            st = add_groups(o, params, rates, TRAINED[k], waiting, err);
    }
    free(rates);
    return st;
}

dip_status dip_optimizer_create(dip_optimizer **out, dip_params *params,
                                const dip_optimizer_options *options,
                                dip_err *err)
{
    *out = NULL;
    dip_optimizer *o = dip_calloc(1, sizeof *o);
    if (o == NULL)
        return dip_no_memory(err);
    o->options = *options;
    dip_scope_open();
    dip_status st = allocate(o, dip_params_count(params), err);
    if (st == DIP_OK)
        st = dip_tuning_freeze(params, &options->tuning, err);
    if (st == DIP_OK)
        st = add_all(o, params, err);
    dip_scope_close();
    if (st == DIP_OK)
        st = dip_tensor_status(err);
    if (st != DIP_OK) {
        dip_optimizer_free(o);
        return st;
    }
    *out = o;
    return DIP_OK;
}

void dip_optimizer_free(dip_optimizer *o)
{
    if (o == NULL)
        return;
    for (int s = 0; s < MAX_SLOTS; s++) {
        for (int i = 0; i < o->count; i++) {
            if (o->slots[s] != NULL)
                dip_tensor_free(o->slots[s][i]);
            if (o->names[s] != NULL)
                free(o->names[s][i]);
        }
        free(o->slots[s]);
        free(o->names[s]);
    }
    free(o->params);
    free(o->grads);
    free(o->reached);
    free(o->rows);
    free(o->groups);
    free(o);
}

void dip_optimizer_unlock(dip_optimizer *o, int64_t step)
{
    if (o->unlocked || step <= o->options.tuning.unlock_after)
        return;
    for (int i = o->first_waiting; i < o->count; i++)
        dip_tensor_set_requires_grad(o->params[i], true);
    o->unlocked = true;
}

/* How many parameters the next update changes. */
static int trained_now(const dip_optimizer *o)
{
    return o->unlocked ? o->count : o->first_waiting;
}

/* A parameter that the loss does not reach has no gradient; zeros stand in, so
 * that its decay and moments go on as those of the others. Where the loss
 * changes within the run it may be one of the other part's, and keeps still. */
static void collect_dense(dip_optimizer *o, int i)
{
    o->grads[i] = dip_tensor_grad(o->params[i]);
    if (o->grads[i] == NULL && o->options.restart == 0 && !dip_tensor_failed())
        o->grads[i] = dip_t_mul_scalar(dip_t_detach(o->params[i]), 0);
}

/* Here no rows stand in. */
static void collect_sparse(dip_optimizer *o, int i)
{
    dip_tensor_grad_rows(o->params[i], &o->rows[i], &o->grads[i]);
    if (o->grads[i] == NULL && !dip_tensor_failed())
        o->grads[i] = dip_t_narrow(dip_t_detach(o->params[i]), 0, 0, 0);
}

/* Tells how many parameters have a gradient. */
static int collect_grads(dip_optimizer *o)
{
    int count = 0;
    for (int g = 0, i = 0; g < o->group_count; g++) {
        for (; i < o->groups[g].end && i < trained_now(o); i++) {
            if (o->groups[g].kind == DIP_PARAM_SPARSE)
                collect_sparse(o, i);
            else
                collect_dense(o, i);
            if (o->grads[i] != NULL)
                o->reached[count++] = o->grads[i];
        }
    }
    return count;
}

/* What one update changes, and by what. */
typedef struct {
    dip_tensor **params, **grads;
    dip_tensor **slots[MAX_SLOTS];
    int count;
} update;

/* Update `step` of the group `g`, whose tensors, or rows of one, are `u`. */
static void run_update(const dip_optimizer *o, const group *g, const update *u,
                       int64_t step, double lr)
{
    double decay = g->kind == DIP_PARAM_NO_DECAY ? 0 : o->options.weight_decay;
    lr *= g->rate;
    if (o->options.kind == DIP_OPTIMIZER_SGD) {
        dip_sgd_options sgd = {.lr = lr,
                               .momentum = o->options.momentum,
                               .weight_decay = decay,
                               .nesterov = o->options.nesterov,
                               .first = step == 1};
        dip_tensor_sgd(u->params, u->grads, u->slots[0], u->count, &sgd);
        return;
    }
    dip_adamw_options adamw = {.lr = lr,
                               .beta1 = o->options.beta1,
                               .beta2 = o->options.beta2,
                               .eps = o->options.eps,
                               .weight_decay = decay,
                               .step = step};
    dip_tensor_adamw(u->params, u->grads, u->slots[0], u->slots[1], u->count,
                     &adamw);
}

/* Takes the rows of parameter `i` that have gradients out of it and its state,
 * and puts them back updated. */
static void update_rows(const dip_optimizer *o, const group *g, int i,
                        int64_t step, double lr)
{
    int slot_count = kinds[o->options.kind].slot_count;
    dip_tensor *whole[1 + MAX_SLOTS] = {o->params[i]};
    dip_tensor *some[1 + MAX_SLOTS] = {0};
    for (int s = 0; s < slot_count; s++)
        whole[1 + s] = o->slots[s][i];
    for (int t = 0; t <= slot_count; t++)
        some[t] = dip_t_index_select(dip_t_detach(whole[t]), 0, o->rows[i]);
    update u = {.params = some,
                .grads = &o->grads[i],
                .slots = {&some[1], &some[2]},
                .count = 1};
    run_update(o, g, &u, step, lr);
    for (int t = 0; t <= slot_count; t++)
        dip_tensor_put_rows(whole[t], o->rows[i], some[t]);
}

/* The update behind which a group's state began: of the run, of its present
 * part, or of when those that waited were unlocked. */
static int64_t begin_of(const dip_optimizer *o, const group *g, int64_t step)
{
    int64_t part = step > o->options.restart ? o->options.restart : 0;
    int64_t unlocked = g->waits ? o->options.tuning.unlock_after : 0;
    return unlocked > part ? unlocked : part;
}

/* Those with gradients, as many neighbours at once as have them. */
static void update_dense(const dip_optimizer *o, const group *g, int start,
                         int64_t step, double lr)
{
    for (int i = start; i < g->end; i++) {
        int end = i;
        while (end < g->end && o->grads[end] != NULL)
            end++;
        update u = {.params = o->params + i,
                    .grads = o->grads + i,
                    .slots = {o->slots[0] + i, o->slots[1] + i},
                    .count = end - i};
        if (u.count > 0)
            run_update(o, g, &u, step, lr);
        i = end;
    }
}

static void update_group(dip_optimizer *o, const group *g, int start,
                         int64_t step, double lr)
{
    step -= begin_of(o, g, step);
    if (g->kind != DIP_PARAM_SPARSE)
        update_dense(o, g, start, step, lr);
    for (int i = start; i < g->end && g->kind == DIP_PARAM_SPARSE; i++) {
        if (o->rows[i] != NULL)
            update_rows(o, g, i, step, lr);
    }
}

static void clear_state(dip_optimizer *o)
{
    for (int s = 0; s < kinds[o->options.kind].slot_count; s++) {
        for (int i = 0; i < o->count; i++) {
            dip_tensor_free(o->slots[s][i]);
            o->slots[s][i] = zeros_like(o->params[i]);
        }
    }
}

dip_status dip_optimizer_step(dip_optimizer *o, int64_t step, double lr,
                              double clip, double *norm, dip_err *err)
{
    dip_scope_open();
    if (o->options.restart > 0 && step == o->options.restart + 1)
        clear_state(o);
    int count = collect_grads(o);
    *norm = dip_tensor_clip_grad_norm(o->reached, count, clip);
    bool finite = isfinite(*norm);
    for (int g = 0, start = 0; g < o->group_count && finite; g++) {
        if (o->unlocked || !o->groups[g].waits)
            update_group(o, &o->groups[g], start, step, lr);
        start = o->groups[g].end;
    }
    for (int i = 0; i < o->count; i++)
        dip_tensor_clear_grad(o->params[i]);
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK && !finite)
        st = dip_fail(err, DIP_ENUMERIC, "gradient norm is %s at step %lld",
                      isnan(*norm) ? "NaN" : "infinite", (long long)step);
    return st;
}

int dip_optimizer_state_count(const dip_optimizer *o)
{
    return o->count * kinds[o->options.kind].slot_count;
}

dip_named_tensor dip_optimizer_state(const dip_optimizer *o, int i)
{
    int slot = i / o->count, at = i % o->count;
    return (dip_named_tensor){.name = o->names[slot][at],
                              .tensor = o->slots[slot][at]};
}

static dip_status load_one(dip_named_tensor state, const dip_safetensors *file,
                           dip_err *err)
{
    int found = dip_safetensors_find(file, state.name);
    if (found < 0)
        return dip_fail(err, DIP_EDATA, "no optimizer state '%s'", state.name);
    dip_scope_open();
    dip_tensor *value = dip_safetensors_tensor(file, found);
    bool fits = dip_tensor_failed() || dip_shape_equal(state.tensor, value);
    if (fits)
        dip_tensor_assign(state.tensor, value);
    dip_scope_close();
    if (!fits)
        return dip_fail(err, DIP_EDATA,
                        "optimizer state '%s' has another shape than its "
                        "parameter",
                        state.name);
    return dip_tensor_status(err);
}

dip_status dip_optimizer_load(dip_optimizer *o, const dip_safetensors *file,
                              dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < dip_optimizer_state_count(o) && st == DIP_OK; i++)
        st = load_one(dip_optimizer_state(o, i), file, err);
    return st;
}
