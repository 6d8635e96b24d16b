/* The journal of a sweep: one JSON line for each thing that happened to a
 * trial, appended before it counts. Reading it again brings the trials to where
 * they stood, so that a sweep goes on after a kill at any moment.
 *
 *   {"event": "begin", "trial": 3, "rung": 0}
 *   {"event": "done", "trial": 3, "rung": 0, "value": 0.41, "epochs": 1,
 *    "seconds": 9.5, "elapsed": 31.2}
 *   {"event": "failed", "trial": 4, "rung": 0, "message": "…", …}
 *   {"event": "retry", "trial": 4} */
#ifndef DIP_SWEEP_JOURNAL_H
#define DIP_SWEEP_JOURNAL_H

#include "base/status.h"
#include "sweep/trials.h"

typedef struct dip_sweep_journal dip_sweep_journal;

/* Opens or makes the file and applies its lines to `trials`, which must not be
 * begun and outlive *out. A last line that was cut short is taken off. A line
 * that contradicts the trials or those before it is DIP_EFORMAT, and one of a
 * trial that does not exist DIP_EDATA. The caller ends *out with
 * dip_sweep_journal_close(). */
dip_status dip_sweep_journal_open(dip_sweep_journal **out, const char *path,
                                  dip_sweep_trials *trials,
                                  dip_err *err) DIP_MUST_CHECK;
void dip_sweep_journal_close(dip_sweep_journal *journal); /* accepts NULL */

/* What a worker has done. */
typedef struct {
    const char *message; /* why it failed; NULL: it has come to the rung */
    double value;        /* best so far; used with nine digits */
    int64_t epochs;
    double seconds; /* of training, all parts of this trial */
    double elapsed; /* of the sweep */
} dip_sweep_outcome;

/* Each writes a line and then applies it to the trials. */
dip_status dip_sweep_journal_begin(dip_sweep_journal *journal,
                                   dip_sweep_job job,
                                   dip_err *err) DIP_MUST_CHECK;
dip_status dip_sweep_journal_end(dip_sweep_journal *journal, dip_sweep_job job,
                                 const dip_sweep_outcome *outcome,
                                 dip_err *err) DIP_MUST_CHECK;
/* All trials that failed go on from where they stand. */
dip_status dip_sweep_journal_retry(dip_sweep_journal *journal,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
