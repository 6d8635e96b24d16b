/* CLIP's tokenizer: captions a CPU-second.
 *
 *   bench_tokenizer MERGES CAPTIONS
 *
 * A measurement encodes every line of CAPTIONS to a context of 77. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "bench/serve.h"
#include "data/tokenizer.h"

#define CONTEXT 77

struct job {
    dip_tokenizer *tokenizer;
    char *text;
    size_t n;
};

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static dip_status measure(void *user, double *result, dip_err *err)
{
    const struct job *job = user;
    int64_t ids[CONTEXT], needed, count = 0;
    double start = cpu_seconds();
    dip_status st = DIP_OK;
    const char *end = job->text + job->n;
    for (const char *at = job->text; st == DIP_OK && at < end; count++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop != NULL ? stop : end) - at);
        st = dip_tokenizer_encode(&needed, ids, CONTEXT, job->tokenizer,
                                  (dip_bytes){at, n}, err);
        at += n + 1;
    }
    *result = (double)count / (cpu_seconds() - start);
    return st;
}

int main(int argc, char **argv)
{
    struct job job = {0};
    dip_err err = {0};
    if (argc != 3)
        return 2;
    const dip_tokenizer_options options = {.kind = DIP_TOKENIZER_CLIP_BPE,
                                           .merges = argv[1],
                                           .clean = DIP_CLEAN_LOWER};
    dip_status st = dip_tokenizer_read(&job.tokenizer, &options, &err);
    if (st == DIP_OK)
        st = dip_file_read(&job.text, &job.n, argv[2], (size_t)1 << 28, &err);
    if (st == DIP_OK)
        st = dip_bench_serve("{\"context\": 77}", measure, &job, &err);
    if (st != DIP_OK)
        (void)fprintf(stderr, "bench_tokenizer: %s\n", err.msg);
    dip_tokenizer_free(job.tokenizer);
    free(job.text);
    return st == DIP_OK ? 0 : 1;
}
