/* Seconds of the contrastive loss of a large batch, forward and backward, in
 * the blocked form that training takes on the CPU.
 *
 *     bench_blocked BATCH DIM
 *
 * Queries and items are leaves, as is the scale; "megabytes" is the peak before
 * the first loss of that size, after a small one that loads what all need. The
 * counterpart is peer_blocked.py. */
#include <stdio.h>
#include <sys/resource.h>

#include "bench/serve.h"
#include "losses/blocked.h"
#include "tensor/tensor.h"

enum { SMALL = 64 };

typedef struct {
    dip_tensor *leaves[3]; /* queries, items [B, D], scale */
} batch;

/* Unit rows that no two of are alike. */
static dip_tensor *draw_rows(int64_t rows, int64_t dim)
{
    int64_t sizes[2] = {rows, dim};
    dip_arg arg = {.kind = DIP_ARG_INT_LIST, .as.ints = {sizes, 2}};
    dip_tensor *drawn = NULL;
    dip_tensor_call(&drawn, 1, "aten::randn", "", &arg, 1);
    return dip_t_normalize(drawn, 1);
}

static void make_batch(batch *b, int64_t rows, int64_t dim)
{
    dip_scope_open();
    dip_tensor_seed(0);
    dip_tensor *tensors[3] = {draw_rows(rows, dim), draw_rows(rows, dim),
                              dip_tensor_scalar(100, DIP_F32)};
    for (int i = 0; i < 3; i++) {
        b->leaves[i] = dip_tensor_keep(tensors[i]);
        dip_tensor_set_requires_grad(b->leaves[i], true);
    }
    dip_scope_close();
}

static void free_batch(batch *b)
{
    for (int i = 0; i < 3; i++)
        dip_tensor_free(b->leaves[i]);
}

static dip_status one_loss(void *user, double *result, dip_err *err)
{
    const batch *b = user;
    double start = dip_bench_seconds();
    dip_scope_open();
    const dip_blocked_input input = {
        .queries = b->leaves[0], .items = b->leaves[1], .scale = b->leaves[2]};
    dip_tensor *loss = dip_blocked_infonce(&input, &(dip_loss_options){0});
    dip_tensor_backward(loss);
    (void)dip_tensor_item(loss);
    for (int i = 0; i < 3; i++)
        dip_tensor_clear_grad(b->leaves[i]);
    dip_scope_close();
    *result = dip_bench_seconds() - start;
    return dip_tensor_status(err);
}

static double peak_megabytes(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static dip_status run(int64_t rows, int64_t dim, dip_err *err)
{
    batch small, whole;
    double ignored;
    char about[96];
    make_batch(&small, SMALL, dim);
    dip_status st = one_loss(&small, &ignored, err);
    free_batch(&small);
    if (st != DIP_OK)
        return st;
    make_batch(&whole, rows, dim);
    (void)snprintf(about, sizeof about,
                   "{\"megabytes\": %.1f, \"threads\": %d}", peak_megabytes(),
                   dip_tensor_threads());
    st = dip_bench_serve(about, one_loss, &whole, err);
    free_batch(&whole);
    return st;
}

int main(int argc, char **argv)
{
    int64_t rows = 0, dim = 0;
    if (argc != 3 || !dip_bench_number(&rows, argv[1], 2, 1 << 20) ||
        !dip_bench_number(&dim, argv[2], 1, 65536)) {
        (void)fprintf(stderr, "usage: %s BATCH DIM\n", argv[0]);
        return dip_status_exit_code(DIP_EUSAGE);
    }
    dip_err err = {0};
    dip_status st = run(rows, dim, &err);
    if (st != DIP_OK)
        (void)fprintf(stderr, "bench_blocked: %s\n", err.msg);
    return dip_status_exit_code(st);
}
