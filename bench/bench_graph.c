/* Seconds of sampling the surroundings of nodes, batch by batch.
 *
 *     bench_graph PAIRS USERS ITEMS BATCHES BATCH
 *
 * PAIRS holds pairs of user and item, int64 each from 0. The graph is built
 * once; a measurement samples BATCHES times the surroundings of BATCH nodes, 15
 * neighbours of each and 10 of theirs. The program tells the seconds of the
 * building. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "bench/serve.h"
#include "data/neighbour_sampler.h"

typedef struct {
    dip_bipartite graph;
    dip_neighbour_sampler *sampler;
    int64_t batches, batch;
    int64_t *nodes; /* [batch] */
    uint64_t draw;
    double seconds; /* of building */
} bench_job;

static dip_status sample(void *user, double *result, dip_err *err)
{
    bench_job *j = user;
    uint64_t all = (uint64_t)dip_bipartite_nodes(&j->graph);
    dip_status st = DIP_OK;
    double start = dip_bench_seconds();
    for (int64_t b = 0; b < j->batches && st == DIP_OK; b++) {
        dip_surroundings found;
        dip_rng rng = dip_rng_stream(1, 0, j->draw, 0);
        for (int64_t i = 0; i < j->batch; i++)
            j->nodes[i] = (int64_t)dip_rng_below(&rng, all);
        st = dip_neighbour_sampler_draw(&found, j->sampler, j->draw++, j->nodes,
                                        j->batch, err);
    }
    *result = dip_bench_seconds() - start;
    return st;
}

static dip_status build(bench_job *j, char **argv, dip_err *err)
{
    int64_t users, items;
    if (!dip_bench_number(&users, argv[2], 1, 1 << 30) ||
        !dip_bench_number(&items, argv[3], 1, 1 << 30) ||
        !dip_bench_number(&j->batches, argv[4], 1, 1 << 20) ||
        !dip_bench_number(&j->batch, argv[5], 1, 1 << 20))
        return dip_fail(err, DIP_EUSAGE, "not a number");
    char *pairs;
    size_t bytes;
    dip_status st =
        dip_file_read(&pairs, &bytes, argv[1], (size_t)1 << 34, err);
    if (st != DIP_OK)
        return st;
    double start = dip_bench_seconds();
    st = dip_bipartite_build(&j->graph, users, items,
                             (const dip_edge *)(const void *)pairs,
                             (int64_t)(bytes / sizeof(dip_edge)), err);
    j->seconds = dip_bench_seconds() - start;
    free(pairs);
    return st;
}

static dip_status run(bench_job *j, char **argv, dip_err *err)
{
    const dip_neighbour_options options = {.hops = 2, .fanouts = {15, 10}};
    char about[64];
    dip_status st = build(j, argv, err);
    if (st == DIP_OK)
        st =
            dip_neighbour_sampler_create(&j->sampler, &j->graph, &options, err);
    if (st != DIP_OK)
        return st;
    j->nodes = dip_calloc((size_t)j->batch, sizeof *j->nodes);
    if (j->nodes == NULL)
        return dip_no_memory(err);
    (void)snprintf(about, sizeof about, "{\"seconds\": %.3f}", j->seconds);
    return dip_bench_serve(about, sample, j, err);
}

int main(int argc, char **argv)
{
    bench_job j = {0};
    dip_err err = {0};
    if (argc != 6) {
        (void)fprintf(stderr, "usage: %s PAIRS USERS ITEMS BATCHES BATCH\n",
                      argv[0]);
        return dip_status_exit_code(DIP_EUSAGE);
    }
    dip_status st = run(&j, argv, &err);
    if (st != DIP_OK)
        (void)fprintf(stderr, "bench_graph: %s\n", err.msg);
    free(j.nodes);
    dip_neighbour_sampler_free(j.sampler);
    dip_bipartite_free(&j.graph);
    return dip_status_exit_code(st);
}
