/* How a bench program answers the driver `run`: it prepares once, prints one
 * line of JSON about itself, and then measures once for each line that it
 * reads, so that two programs can take turns on the same machine. */
#ifndef DIP_BENCH_SERVE_H
#define DIP_BENCH_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* One measurement; *result is what the program's own comment says. */
typedef dip_status (*dip_bench_measure)(void *user, double *result,
                                        dip_err *err);

/* Prints `about`, then a number per line of standard input, to its end. */
dip_status dip_bench_serve(const char *about, dip_bench_measure measure,
                           void *user, dip_err *err) DIP_MUST_CHECK;

/* Of a monotonic clock. */
double dip_bench_seconds(void);

/* A whole number from `least` to `most`; false when `text` is none. */
bool dip_bench_number(int64_t *out, const char *text, int64_t least,
                      int64_t most);

#endif
