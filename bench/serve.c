#include "bench/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double dip_bench_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool dip_bench_number(int64_t *out, const char *text, int64_t least,
                      int64_t most)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    *out = value;
    return end != text && *end == '\0' && errno == 0 && value >= least &&
           value <= most;
}

static dip_status say(dip_err *err)
{
    if (fflush(stdout) != 0)
        return dip_fail(err, DIP_EIO, "cannot write the answer");
    return DIP_OK;
}

dip_status dip_bench_serve(const char *about, dip_bench_measure measure,
                           void *user, dip_err *err)
{
    (void)printf("%s\n", about);
    dip_status st = say(err);
    for (int c = getchar(); st == DIP_OK && c != EOF; c = getchar()) {
        double result = 0;
        if (c != '\n')
            continue;
        st = measure(user, &result, err);
        if (st != DIP_OK)
            return st;
        (void)printf("%.9g\n", result);
        st = say(err);
    }
    return st;
}
