#include "train/soup.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/shape.h"

struct dip_soup {
    dip_params *params;       /* borrowed */
    dip_params **ingredients; /* each in the order of `params` */
    size_t capacity;
    int count;
};

dip_status dip_soup_create(dip_soup **out, dip_params *params, dip_err *err)
{
    *out = dip_calloc(1, sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    (*out)->params = params;
    return DIP_OK;
}

void dip_soup_free(dip_soup *soup)
{
    if (soup == NULL)
        return;
    for (int i = 0; i < soup->count; i++)
        dip_params_free(soup->ingredients[i]);
    free(soup->ingredients);
    free(soup);
}

int dip_soup_count(const dip_soup *soup)
{
    return soup->count;
}

static dip_status check_params(const dip_soup *soup, const dip_params *from,
                               dip_err *err)
{
    for (int i = 0; i < dip_params_count(soup->params); i++) {
        const char *name = dip_params_name(soup->params, i);
        int at = dip_params_find(from, name);
        if (at < 0)
            return dip_fail(err, DIP_EDATA, "no parameter '%s'", name);
        if (!dip_shape_equal(dip_params_tensor(soup->params, i),
                             dip_params_tensor(from, at)))
            return dip_fail(err, DIP_EDATA, "another shape of '%s'", name);
    }
    for (int i = 0; i < dip_params_count(from); i++) {
        const char *name = dip_params_name(from, i);
        if (dip_params_find(soup->params, name) < 0)
            return dip_fail(err, DIP_EDATA, "one more parameter, '%s'", name);
    }
    return DIP_OK;
}

dip_status dip_soup_add(dip_soup *soup, const dip_params *from, dip_err *err)
{
    dip_params *copy = NULL;
    dip_status st = check_params(soup, from, err);
    if (st == DIP_OK)
        st = dip_reserve(&soup->ingredients, &soup->capacity,
                         (size_t)soup->count + 1, sizeof(dip_params *), err);
    if (st == DIP_OK)
        st = dip_params_create(&copy, err);
    if (st != DIP_OK)
        return st;
    dip_scope_open();
    for (int i = 0; i < dip_params_count(soup->params); i++) {
        const char *name = dip_params_name(soup->params, i);
        int at = dip_params_find(from, name);
        (void)dip_params_add(
            copy, name, DIP_PARAM_BUFFER,
            dip_t_clone(dip_t_detach(dip_params_tensor(from, at))));
    }
    dip_scope_close();
    soup->ingredients[soup->count++] = copy;
    return dip_tensor_status(err);
}

/* Whole numbers are no weights; those of the first stay. */
static void pour_one(const dip_soup *soup, const double *weights, int i)
{
    dip_tensor *sum = NULL;
    dip_tensor *first = dip_params_tensor(soup->ingredients[0], i);
    if (dip_tensor_dtype(first) == DIP_I64) {
        dip_tensor_assign(dip_params_tensor(soup->params, i), first);
        return;
    }
    for (int k = 0; k < soup->count; k++) {
        if (weights[k] == 0)
            continue;
        dip_tensor *part = dip_t_mul_scalar(
            dip_t_to_dtype(dip_params_tensor(soup->ingredients[k], i), DIP_F64),
            weights[k]);
        sum = sum == NULL ? part : dip_t_add(sum, part);
    }
    dip_tensor_assign(dip_params_tensor(soup->params, i), sum);
}

dip_status dip_soup_pour(const dip_soup *soup, const double *weights,
                         dip_err *err)
{
    for (int i = 0; i < dip_params_count(soup->params); i++) {
        dip_scope_open();
        pour_one(soup, weights, i);
        dip_scope_close();
    }
    return dip_tensor_status(err);
}
