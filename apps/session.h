/* What all trainings share, whatever their task: the run directory, the log and
 * its curves, the progress bar, the loop. A task fills the hooks of the loop.
 */
#ifndef DIP_APPS_SESSION_H
#define DIP_APPS_SESSION_H

#include <jansson.h>

#include "apps/settings.h"
#include "apps/trainer.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status.h"
#include "data/catalog.h"
#include "report/events.h"
#include "train/loop.h"

/* Settings and options are borrowed; start it as {settings, options}. */
typedef struct {
    const dip_settings *settings;
    const dip_trainer_options *options;
    char metric[128];  /* what decides the best checkpoint */
    char *resume_from; /* a checkpoint's folder, or NULL */
    dip_loop_options loop_options;
    dip_train_state start;

    char *checkpoint_dir;
    dip_checkpoints checkpoints;
    dip_loop *loop;
    dip_log *log;
    dip_events *events;
    dip_progress *progress;
    double smooth_loss; /* for the progress bar */
} dip_session;

/* Finds what decides the best checkpoint, and the checkpoint to go on from, or
 * that the directory is free. Writes nothing. */
dip_status dip_session_begin(dip_session *session, dip_err *err) DIP_MUST_CHECK;
/* Takes the loop's options from the settings, and sets device and threads. */
dip_status dip_session_machine(dip_session *session,
                               dip_err *err) DIP_MUST_CHECK;
/* The updates of a run of so many batches an epoch, and when it validates. */
dip_status dip_session_schedule(dip_session *session, int64_t batches,
                                dip_err *err) DIP_MUST_CHECK;
/* Makes the loop; checks that a resumed run has the config that it had. */
dip_status dip_session_make_loop(dip_session *session,
                                 const dip_loop_hooks *hooks,
                                 dip_params *params,
                                 dip_err *err) DIP_MUST_CHECK;
/* Tells that train.metric, where it is set, decides nothing: the catalog has no
 * `what` ("rows") to validate on. */
void dip_session_warn_unvalidated(const dip_session *session, const char *what,
                                  const dip_catalog *catalog);
/* Makes the folder of checkpoints: the first that is written. */
dip_status dip_session_make_dir(const dip_session *session,
                                dip_err *err) DIP_MUST_CHECK;
/* Opens the log, without steps that a resumed run will do again, and the
 * curves. */
dip_status dip_session_open_logs(dip_session *session,
                                 dip_err *err) DIP_MUST_CHECK;
dip_status dip_session_run(dip_session *session, dip_err *err) DIP_MUST_CHECK;
void dip_session_end(dip_session *session);

/* Logs an update, with the keys of `more` (NULL: none) behind the common ones.
 * The line is written whether or not train.log_every wants one. */
dip_status dip_session_log_update(dip_session *session,
                                  const dip_loop_report *report, json_t *more,
                                  dip_err *err) DIP_MUST_CHECK;
void dip_session_draw(dip_session *session, const dip_loop_report *report);
/* Takes the deciding metric out of the report of a validation, logs, plots and
 * prints it. */
dip_status dip_session_validated(double *metric, dip_session *session,
                                 int64_t step, json_t *report,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
