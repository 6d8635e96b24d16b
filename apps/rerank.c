#include "apps/rerank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK 4096 /* pairs that the classifier sees at once */

/* A block of pairs, side by side. */
typedef struct {
    float *queries, *products; /* [BLOCK, D] */
    int64_t place[BLOCK];      /* of the hit */
    int64_t count;
} block;

static dip_status compute(float *logits, block *b, int64_t dim,
                          const dip_embed_job *job, dip_err *err)
{
    float out[BLOCK];
    int64_t sizes[2] = {b->count, dim};
    dip_scope_open();
    dip_tensor *q = dip_tensor_borrow(b->queries, DIP_F32, 2, sizes);
    dip_tensor *p = dip_tensor_borrow(b->products, DIP_F32, 2, sizes);
    dip_tensor *logit =
        dip_model_match(job->model, dip_t_to_device(q, job->device),
                        dip_t_to_device(p, job->device));
    dip_tensor_read(logit, DIP_F32, out, sizeof out);
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    for (int64_t i = 0; i < b->count && st == DIP_OK; i++) {
        logits[b->place[i]] = out[i];
        if (!isfinite(out[i]))
            st = dip_fail(err, DIP_ENUMERIC,
                          "the match classifier gives no number");
    }
    b->count = 0;
    return st;
}

static dip_status fill(float *logits, block *b, const dip_hit *hits, int64_t k,
                       const dip_embeddings *queries,
                       const dip_embeddings *products, const dip_embed_job *job,
                       dip_err *err)
{
    int64_t dim = queries->dim;
    size_t bytes = (size_t)dim * sizeof(float);
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < queries->rows * k && st == DIP_OK; i++) {
        logits[i] = -INFINITY;
        if (hits[i].row < 0)
            continue;
        memcpy(b->queries + b->count * dim, queries->data + i / k * dim, bytes);
        memcpy(b->products + b->count * dim, products->data + hits[i].row * dim,
               bytes);
        b->place[b->count++] = i;
        if (b->count == BLOCK)
            st = compute(logits, b, dim, job, err);
    }
    return st == DIP_OK && b->count > 0 ? compute(logits, b, dim, job, err)
                                        : st;
}

dip_status dip_rerank_logits(float *logits, const dip_hit *hits, int64_t k,
                             const dip_embeddings *queries,
                             const dip_embeddings *products,
                             const dip_embed_job *job, dip_err *err)
{
    block *b = dip_calloc(1, sizeof *b);
    if (b == NULL)
        return dip_no_memory(err);
    b->queries = dip_calloc((size_t)(BLOCK * queries->dim), sizeof(float));
    b->products = dip_calloc((size_t)(BLOCK * queries->dim), sizeof(float));
    dip_status st =
        b->queries != NULL && b->products != NULL ? DIP_OK : dip_no_memory(err);
    bool before = dip_tensor_set_grad_mode(false);
    if (st == DIP_OK)
        st = fill(logits, b, hits, k, queries, products, job, err);
    (void)dip_tensor_set_grad_mode(before);
    free(b->queries);
    free(b->products);
    free(b);
    return st;
}

void dip_rerank_sort(dip_hit *hits, float *logits, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        dip_hit hit = hits[i];
        float logit = logits[i];
        int64_t at = i;
        for (; at > 0 && logit > logits[at - 1]; at--) {
            hits[at] = hits[at - 1];
            logits[at] = logits[at - 1];
        }
        hits[at] = hit;
        logits[at] = logit;
    }
}
