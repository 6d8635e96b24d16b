/* A worker of a sweep: a process that trains one trial, and what becomes of it.
 */
#ifndef DIP_APPS_SWEEP_WORKER_H
#define DIP_APPS_SWEEP_WORKER_H

#include <sys/types.h>

#include "base/status.h"

/* Starts this program anew with `arguments` (NULL behind the last; the first is
 * its name), both of its output streams appended to the file `log`. It is in a
 * process group of its own, so that Ctrl-C reaches the sweep alone, and ends
 * when the sweep does, however that happens. Signals that are blocked here are
 * not blocked there. */
dip_status dip_sweep_worker_start(pid_t *out, char *const *arguments,
                                  const char *log, dip_err *err) DIP_MUST_CHECK;

/* The exit code of a worker that ended with `status` of waitpid(2), or -1 and
 * the signal in *number. */
int dip_sweep_worker_code(int *number, int status);

/* What went wrong, from the last line that a worker wrote to `log` behind the
 * first `from` bytes, without the program's name; "" when there is none. The
 * caller frees *out. */
dip_status dip_sweep_worker_message(char **out, const char *log, size_t from,
                                    dip_err *err) DIP_MUST_CHECK;

#endif
