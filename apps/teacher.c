#include "apps/teacher.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/embedding_file.h"

static const dip_feature_table *find(const dip_teacher *t, const char *name)
{
    for (int i = 0; i < t->count; i++) {
        if (strcmp(t->names[i], name) == 0)
            return &t->tables[i];
    }
    return NULL;
}

dip_teacher_rows dip_teacher_rows_of(const dip_teacher *teacher,
                                     const dip_task_settings *task)
{
    if (task->teacher_query == NULL)
        return (dip_teacher_rows){NULL, NULL};
    return (dip_teacher_rows){find(teacher, task->teacher_query),
                              find(teacher, task->teacher_product)};
}

/* Reads the embeddings `name`, unless another task has them already. */
static dip_status read_table(dip_teacher *t, const dip_embedding_file *file,
                             const char *name, const dip_corpus *corpus,
                             dip_err *err)
{
    int64_t width;
    if (find(t, name) != NULL)
        return DIP_OK;
    dip_feature_table *table = &t->tables[t->count];
    t->names[t->count++] = name;
    dip_status st = dip_embedding_file_width(&width, file, name, err);
    if (st == DIP_OK)
        st = dip_feature_table_create(table, dip_catalog_rows(corpus->catalog),
                                      width, err);
    return st == DIP_OK
               ? dip_embedding_file_read(dip_tensor_data(table->values),
                                         dip_tensor_data(table->present), file,
                                         name, err)
               : st;
}

static dip_status check_widths(const dip_teacher_rows *rows,
                               const dip_task_settings *task,
                               const dip_settings *s, dip_err *err)
{
    long long query = (long long)dip_tensor_size(rows->queries->values, 1);
    long long product = (long long)dip_tensor_size(rows->items->values, 1);
    if (query != product)
        return dip_fail(err, DIP_EDATA,
                        "'embedding/%s' has %lld numbers and 'embedding/%s' "
                        "%lld in '%s', and they are to be compared",
                        task->teacher_query, query, task->teacher_product,
                        product, s->teacher);
    if (s->distill.kind != DIP_DISTILL_KL && query != s->model.embed_dim)
        return dip_fail(err, DIP_EDATA,
                        "'embedding/%s' of '%s' has %lld numbers and "
                        "model.embed_dim is %lld: only the loss.distill.kind "
                        "'kl' goes with that",
                        task->teacher_query, s->teacher, query,
                        (long long)s->model.embed_dim);
    return DIP_OK;
}

/* Rows of the train split with both sides; only these are marked present. */
static int64_t count_pairs(const dip_teacher_rows *rows)
{
    int64_t pairs = 0;
    for (int64_t i = 0; i < dip_tensor_numel(rows->queries->present); i++)
        pairs += dip_feature_table_has(rows->queries, i) &&
                 dip_feature_table_has(rows->items, i);
    return pairs;
}

static dip_status check_task(const dip_teacher *t,
                             const dip_task_settings *task,
                             const dip_corpus *corpus, bool quiet, dip_err *err)
{
    const dip_settings *s = corpus->settings;
    dip_teacher_rows rows = dip_teacher_rows_of(t, task);
    dip_status st = check_widths(&rows, task, s, err);
    if (st != DIP_OK)
        return st;
    int64_t pairs = count_pairs(&rows);
    if (pairs == 0)
        return dip_fail(err, DIP_EDATA,
                        "no row of the train split has both 'embedding/%s' and "
                        "'embedding/%s' in '%s'",
                        task->teacher_query, task->teacher_product, s->teacher);
    if (!quiet)
        (void)fprintf(
            stderr, "teacher of %s: %lld of %lld rows, from %s\n", task->name,
            (long long)pairs,
            (long long)dip_catalog_split_rows(corpus->catalog, DIP_SPLIT_TRAIN),
            s->teacher);
    return DIP_OK;
}

static dip_status load_task(dip_teacher *t, const dip_embedding_file *file,
                            const dip_task_settings *task,
                            const dip_corpus *corpus, bool quiet, dip_err *err)
{
    dip_status st = read_table(t, file, task->teacher_query, corpus, err);
    if (st == DIP_OK)
        st = read_table(t, file, task->teacher_product, corpus, err);
    if (st == DIP_OK)
        st = check_task(t, task, corpus, quiet, err);
    return st == DIP_OK ? st : dip_fail_context(err, "task '%s'", task->name);
}

dip_status dip_teacher_load(dip_teacher *out, const dip_corpus *corpus,
                            bool quiet, dip_err *err)
{
    const dip_settings *s = corpus->settings;
    char digest[DIP_DIGEST_SIZE];
    dip_embedding_file *file = NULL;
    *out = (dip_teacher){0};
    if (s->teacher == NULL)
        return DIP_OK;
    dip_status st = dip_digest_file(digest, s->teacher, err);
    if (st == DIP_OK)
        st = dip_embedding_file_open(&file, s->teacher, corpus->catalog,
                                     DIP_SPLIT_TRAIN, err);
    for (int t = 0; t < s->task_count && st == DIP_OK; t++) {
        if (s->tasks[t].teacher_query != NULL)
            st = load_task(out, file, &s->tasks[t], corpus, quiet, err);
    }
    dip_embedding_file_close(file);
    if (st != DIP_OK)
        return st;
    out->about = json_pack("{s:s, s:s}", "path", s->teacher, "sha256", digest);
    return out->about != NULL ? DIP_OK : dip_no_memory(err);
}

void dip_teacher_free(dip_teacher *teacher)
{
    for (int i = 0; i < teacher->count; i++)
        dip_feature_table_free(&teacher->tables[i]);
    json_decref(teacher->about);
    *teacher = (dip_teacher){0};
}
