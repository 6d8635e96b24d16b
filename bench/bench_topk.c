/* Seconds of an exact search, and of all ranking metrics.
 *
 *     bench_topk topk|plain|metrics ROWS QUERIES GALLERY DIM HITS
 *
 * ROWS holds QUERIES and then GALLERY rows of DIM floats. "topk" searches for
 * the 10 best and writes their numbers [QUERIES, 10], int64, to HITS, where
 * peer_topk.py reads them; "plain" does so in fp32 throughout. "metrics" ranks
 * the whole gallery, of which row i is right for query i, and then, as
 * open_clip does, the queries for each row of the gallery, which has as many;
 * HITS is not touched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/mem.h"
#include "bench/serve.h"
#include "eval/ranking.h"
#include "eval/scan.h"
#include "tensor/tile_bf16.h"

enum { BEST = 10 };

typedef struct {
    char *rows;
    dip_embeddings queries, gallery;
    bool plain;
    dip_hit *hits;
    int64_t *numbers; /* 0, 1, ...: offsets and rows of the relevance */
    dip_relevance relevance;
} bench_job;

static dip_status search(void *user, double *result, dip_err *err)
{
    const bench_job *j = user;
    double start = dip_bench_seconds();
    const dip_scan_job job = {
        .count = j->queries.rows, .best = j->hits, .k = BEST};
    dip_scan *scan;
    dip_status st =
        dip_scan_open(&scan, &j->queries, &j->gallery, j->plain, err);
    if (st == DIP_OK)
        st = dip_scan_run(scan, &job, err);
    dip_scan_close(scan);
    *result = dip_bench_seconds() - start;
    return st;
}

static dip_status rank(void *user, double *result, dip_err *err)
{
    const bench_job *j = user;
    const dip_embeddings *sides[] = {&j->queries, &j->gallery};
    const dip_ranking_options options = dip_ranking_defaults();
    double start = dip_bench_seconds();
    dip_status st = DIP_OK;
    for (int i = 0; st == DIP_OK && i < 2; i++) {
        dip_ranking ranking;
        st = dip_ranking_evaluate(&ranking, sides[i], sides[1 - i],
                                  &j->relevance, &options, err);
        dip_ranking_free(&ranking);
    }
    *result = dip_bench_seconds() - start;
    return st;
}

static dip_status write_hits(const bench_job *j, const char *path, dip_err *err)
{
    FILE *file = fopen(path, "wb");
    size_t count = (size_t)j->queries.rows * BEST, done = 0;
    for (size_t i = 0; file != NULL && i < count; i++)
        done += fwrite(&j->hits[i].row, sizeof j->hits[i].row, 1, file);
    if (file == NULL || fclose(file) != 0 || done != count)
        return dip_fail(err, DIP_EIO, "cannot write '%s'", path);
    return DIP_OK;
}

static dip_status open_job(bench_job *j, char **argv, dip_err *err)
{
    size_t bytes;
    int64_t queries, gallery, dim;
    if (!dip_bench_number(&queries, argv[3], 1, 1 << 24) ||
        !dip_bench_number(&gallery, argv[4], BEST, 1 << 24) ||
        !dip_bench_number(&dim, argv[5], 1, 65536))
        return dip_fail(err, DIP_EUSAGE, "not a number of rows");
    dip_status st =
        dip_file_read(&j->rows, &bytes, argv[2], (size_t)1 << 34, err);
    if (st != DIP_OK)
        return st;
    if (bytes != (size_t)((queries + gallery) * dim) * sizeof(float))
        return dip_fail(err, DIP_EDATA, "'%s' has another size", argv[2]);
    const float *rows = (const float *)(const void *)j->rows;
    j->queries = (dip_embeddings){rows, queries, dim, DIP_SIMILARITY_COSINE};
    j->gallery = (dip_embeddings){rows + queries * dim, gallery, dim,
                                  DIP_SIMILARITY_COSINE};
    j->hits = dip_calloc((size_t)queries * BEST, sizeof *j->hits);
    j->numbers = dip_calloc((size_t)queries + 1, sizeof *j->numbers);
    if (j->hits == NULL || j->numbers == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i <= queries; i++)
        j->numbers[i] = i;
    j->relevance = (dip_relevance){.queries = queries,
                                   .lists = queries,
                                   .offsets = j->numbers,
                                   .rows = j->numbers};
    return DIP_OK;
}

static dip_status run(bench_job *j, char **argv, dip_err *err)
{
    double ignored;
    char about[96];
    bool searches = strcmp(argv[1], "metrics") != 0;
    j->plain = strcmp(argv[1], "plain") == 0;
    struct rusage usage;
    dip_status st = open_job(j, argv, err);
    if (st != DIP_OK)
        return st;
    (void)getrusage(RUSAGE_SELF, &usage);
    if (searches)
        st = search(j, &ignored, err);
    if (st == DIP_OK && searches)
        st = write_hits(j, argv[6], err);
    bool rough = !j->plain && dip_tile_bf16_choose() != NULL;
    (void)snprintf(about, sizeof about, "{\"megabytes\": %.1f, \"bf16\": %s}",
                   (double)usage.ru_maxrss / 1024, rough ? "true" : "false");
    if (st == DIP_OK)
        st = dip_bench_serve(about, searches ? search : rank, j, err);
    return st;
}

int main(int argc, char **argv)
{
    bench_job j = {0};
    dip_err err = {0};
    if (argc != 7) {
        (void)fprintf(
            stderr,
            "usage: %s topk|plain|metrics ROWS QUERIES GALLERY DIM HITS\n",
            argv[0]);
        return dip_status_exit_code(DIP_EUSAGE);
    }
    dip_status st = run(&j, argv, &err);
    if (st != DIP_OK)
        (void)fprintf(stderr, "bench_topk: %s\n", err.msg);
    free(j.numbers);
    free(j.hits);
    free(j.rows);
    return dip_status_exit_code(st);
}
