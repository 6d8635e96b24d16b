/* The sigmoid loss a block at a time: each pair is a decision of its own, so
 * one pass gives value and gradient. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "losses/blocked_loops.h"
#include "losses/blocked_private.h"

typedef struct {
    dip_blocked b;
    double *losses; /* [ranges] */
    double *totals; /* [ranges] of the gradients */
} siglip;

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* The right pairs are hidden from the loop over wrong ones, and pay
 * -log sigmoid(l). */
static void visit(void *user, const dip_blocked_chunk *c)
{
    siglip *f = user;
    double share = 1.0 / (double)f->b.n;
    dip_blocked_set_aside(&f->b, c);
    for (int64_t j = 0; j < c->items; j++) {
        double total;
        f->losses[c->range] += dip_blocked_sigmoid_row(
            c->x + j * c->row, c->queries, (float)share, &total);
        f->totals[c->range] += total;
    }
    dip_blocked_right at = {0};
    while (dip_blocked_next(&at, &f->b, c)) {
        double l = at.item == at.query ? f->b.own[at.item]
                                       : (double)c->aside[at.number];
        double gradient = -share / (1 + exp(l));
        f->losses[c->range] += softplus(-l);
        f->totals[c->range] += gradient;
        *at.x = (float)gradient;
    }
}

static double compute(siglip *f)
{
    double loss = 0;
    f->losses = dip_calloc((size_t)f->b.ranges, sizeof *f->losses);
    f->totals = dip_calloc((size_t)f->b.ranges, sizeof *f->totals);
    if (f->losses == NULL || f->totals == NULL) {
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
        return 0;
    }
    dip_blocked_run(&f->b, &(dip_blocked_pass){.visit = visit,
                                               .user = f,
                                               .spreads = f->b.with_gradients});
    for (int64_t r = 0; r < f->b.ranges; r++) {
        loss += f->losses[r];
        f->b.bias_gradient += f->totals[r];
    }
    return loss / (double)f->b.n;
}

dip_tensor *dip_blocked_siglip(const dip_blocked_input *input)
{
    siglip f = {0};
    bool before;
    dip_tensor *loss = NULL;
    dip_scope_open();
    if (dip_blocked_begin(&f.b, input, false, &before)) {
        double value = compute(&f);
        loss = dip_tensor_return(dip_blocked_result(&f.b, input, value));
    }
    free(f.losses);
    free(f.totals);
    dip_blocked_end(&f.b, before);
    dip_scope_close();
    return loss;
}
