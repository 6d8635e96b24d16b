/* The teacher of a run: embeddings that another model has made of the rows of
 * the train split, which loss.distill.teacher names. */
#ifndef DIP_APPS_TEACHER_H
#define DIP_APPS_TEACHER_H

#include <jansson.h>

#include "apps/corpus.h"
#include "base/status.h"
#include "train/distill.h"
#include "train/retrieval.h"

enum { DIP_TEACHER_TABLES_MAX = 2 * DIP_RETRIEVAL_TASKS_MAX };

typedef struct {
    dip_feature_table tables[DIP_TEACHER_TABLES_MAX];
    const char *names[DIP_TEACHER_TABLES_MAX]; /* borrowed from the settings */
    int count;
    json_t *about; /* {"path", "sha256"} for run.json; NULL without a teacher */
} dip_teacher;

/* Reads what the tasks learn from; nothing where the settings name no file.
 * Says on stderr, unless `quiet`, how many rows each task has. In any case the
 * caller ends *out with dip_teacher_free(). */
dip_status dip_teacher_load(dip_teacher *out, const dip_corpus *corpus,
                            bool quiet, dip_err *err) DIP_MUST_CHECK;
void dip_teacher_free(dip_teacher *teacher);

/* Both NULL for a task that is not distilled. */
dip_teacher_rows dip_teacher_rows_of(const dip_teacher *teacher,
                                     const dip_task_settings *task);

#endif
