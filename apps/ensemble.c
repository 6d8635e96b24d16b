#include "apps/ensemble.h"

#include <string.h>

#include "base/mem.h"

static dip_status open_member(dip_ensemble_member *m, const char *dir,
                              const char *which, const char *data, bool quiet,
                              dip_err *err)
{
    dip_status st = dip_trained_load(&m->run, dir, which, NULL, 0, err);
    if (st != DIP_OK)
        return st;
    st = dip_trained_corpus(&m->corpus, m->run, data, err);
    if (st != DIP_OK)
        return dip_fail_context(err, "'%s'", dir);
    m->job = (dip_embed_job){.settings = m->run->settings,
                             .corpus = m->corpus,
                             .model = m->run->model,
                             .device = m->run->device,
                             .bf16 = m->run->bf16,
                             .quiet = quiet,
                             .probabilities = true};
    return st;
}

dip_status dip_ensemble_open(dip_ensemble *ensemble, const char *const *dirs,
                             int count, const char *which, const char *data,
                             bool quiet, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < count && st == DIP_OK; i++) {
        ensemble->count = i + 1;
        st = open_member(&ensemble->members[i], dirs[i], which, data, quiet,
                         err);
        if (st == DIP_OK && data == NULL)
            data = dip_catalog_path(ensemble->members[0].corpus->catalog);
    }
    return st;
}

void dip_ensemble_close(dip_ensemble *ensemble)
{
    for (int i = 0; i < ensemble->count; i++) {
        dip_embedded_free(&ensemble->members[i].embedded);
        dip_corpus_free(ensemble->members[i].corpus);
        dip_trained_free(ensemble->members[i].run);
    }
    *ensemble = (dip_ensemble){0};
}

dip_status dip_ensemble_embed(dip_ensemble *ensemble, dip_split split,
                              dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; i < ensemble->count && st == DIP_OK; i++) {
        dip_ensemble_member *m = &ensemble->members[i];
        const dip_evaluation plain = {.job = m->job, .split = split};
        dip_embedded_free(&m->embedded);
        m->embedded = (dip_embedded){0};
        st = dip_evaluate_plan(&m->embedded, &plain, err);
        if (st == DIP_OK)
            st = dip_embed_split(&m->embedded, &m->job, split, err);
        if (st != DIP_OK)
            (void)dip_fail_context(err, "'%s'", m->run->dir);
    }
    return st;
}

/* ---- what they have in common ---- */

static bool same_answers(const dip_task_settings *a, const dip_task_settings *b)
{
    bool same =
        a->judged == b->judged && a->relevant_by_count == b->relevant_by_count;
    for (size_t i = 0; same && i < a->relevant_by_count; i++)
        same = strcmp(a->relevant_by[i], b->relevant_by[i]) == 0;
    return same;
}

dip_status dip_ensemble_task(int *out, const dip_ensemble *ensemble, int member,
                             int t, dip_err *err)
{
    const dip_task_settings *task =
        &ensemble->members[0].run->settings->tasks[t];
    const dip_trained *run = ensemble->members[member].run;
    const dip_settings *s = run->settings;
    *out = -1;
    for (int i = 0; i < s->task_count; i++) {
        if (strcmp(s->tasks[i].name, task->name) == 0)
            *out = i;
    }
    if (*out < 0 || same_answers(task, &s->tasks[*out]))
        return DIP_OK;
    return dip_fail(err, DIP_EDATA,
                    "task '%s' of '%s' has other right answers than that of "
                    "'%s': tasks.%s.relevant_by",
                    task->name, run->dir, ensemble->members[0].run->dir,
                    task->name);
}

/* Where a class stands among those of a label, -1: nowhere. */
static int64_t place_of(const json_t *classes, const json_t *name)
{
    for (size_t i = 0; i < json_array_size(classes); i++) {
        if (json_equal(json_array_get(classes, i), name))
            return (int64_t)i;
    }
    return -1;
}

/* In any order; a label has no class twice. */
static bool same_classes(const json_t *a, const json_t *b)
{
    bool same = json_array_size(a) == json_array_size(b);
    if (json_equal(a, b))
        return true;
    for (size_t i = 0; same && i < json_array_size(a); i++)
        same = place_of(b, json_array_get(a, i)) >= 0;
    return same;
}

dip_status dip_ensemble_head(int *out, const dip_ensemble *ensemble, int member,
                             int h, dip_err *err)
{
    const dip_trained *first = ensemble->members[0].run;
    const char *name = first->settings->model.heads[h].name;
    const dip_trained *run = ensemble->members[member].run;
    const dip_model_config *model = &run->settings->model;
    *out = -1;
    for (int i = 0; i < model->head_count; i++) {
        if (strcmp(model->heads[i].name, name) == 0)
            *out = i;
    }
    if (*out < 0 || same_classes(json_object_get(first->labels, name),
                                 json_object_get(run->labels, name)))
        return DIP_OK;
    return dip_fail(err, DIP_EDATA,
                    "label '%s' of '%s' has other classes than that of '%s'",
                    name, run->dir, first->dir);
}

dip_status dip_ensemble_class_order(int64_t **out, const dip_ensemble *ensemble,
                                    int member, int h, dip_err *err)
{
    const dip_trained *first = ensemble->members[0].run;
    const char *label = first->settings->model.heads[h].name;
    const json_t *names = json_object_get(first->labels, label);
    const json_t *there =
        json_object_get(ensemble->members[member].run->labels, label);
    size_t classes = json_array_size(names);
    *out = NULL;
    if (json_equal(names, there))
        return DIP_OK;
    *out = dip_calloc(classes, sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    for (size_t c = 0; c < classes; c++)
        (*out)[c] = place_of(there, json_array_get(names, c));
    return DIP_OK;
}
