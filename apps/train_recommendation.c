#include "apps/evaluate_recommendation.h"
#include "apps/run_dir.h"
#include "apps/session.h"
#include "apps/train_tasks.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/recommendation.h"

typedef struct {
    const dip_settings *settings;
    const dip_trainer_options *options;
    dip_session session;
    dip_recommending data;
    dip_triples *triples;
    dip_neighbour_sampler *sampler; /* NULL: the kind is not sampled */
    dip_recommendation_recipe recipe;
    bool validates; /* there are interactions to validate on */
} trainer;

static void end(trainer *t)
{
    dip_session_end(&t->session);
    dip_neighbour_sampler_free(t->sampler);
    dip_triples_free(t->triples);
    dip_recommending_end(&t->data);
}

/* ---- hooks of the loop ---- */

static dip_status seek(void *user, int64_t epoch, int64_t batch, dip_err *err)
{
    trainer *t = user;
    (void)err;
    dip_triples_seek(t->triples, epoch, batch);
    return DIP_OK;
}

static dip_status compute_loss(void *user, dip_tensor **loss, int64_t *rows,
                               dip_err *err)
{
    trainer *t = user;
    dip_triple_batch batch;
    dip_triples_next(&batch, t->triples);
    *rows = batch.size;
    return dip_recommendation_loss(loss, &t->recipe, &batch, err);
}

static double waited(void *user)
{
    (void)user; /* batches are drawn in the loss */
    return 0;
}

static dip_status validate(void *user, int64_t step, double *metric,
                           dip_err *err)
{
    trainer *t = user;
    json_t *found;
    dip_status st =
        dip_evaluate_recommendation(&found, NULL, &t->data, DIP_SPLIT_VAL, err);
    if (st == DIP_OK)
        st = dip_session_validated(metric, &t->session, step, found, err);
    json_decref(found);
    return st;
}

static dip_status report(void *user, const dip_loop_report *r, dip_err *err)
{
    trainer *t = user;
    dip_status st = DIP_OK;
    if (r->step % t->settings->log_every == 0)
        st = dip_session_log_update(&t->session, r, NULL, err);
    dip_session_draw(&t->session, r);
    return st;
}

/* ---- preparing ---- */

static dip_status prepare_data(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    dip_status st = dip_recommending_open(&t->data, s, err);
    if (st == DIP_OK && t->options->resume)
        st = dip_run_check_catalog(t->options->dir, t->data.catalog, err);
    const dip_triple_options options = {.batch_size = s->batch_size,
                                        .negatives =
                                            s->recommendation.negatives,
                                        .known_items = t->data.features != NULL,
                                        .seed = s->seed};
    if (st == DIP_OK)
        st = dip_triples_create(&t->triples, &t->data.graph, &options, err);
    if (st == DIP_OK && t->data.model->kind->sampled)
        st = dip_neighbour_sampler_create(&t->sampler, &t->data.graph,
                                          &s->recommendation.neighbours, err);
    return st;
}

static bool has_split(const dip_catalog *catalog, dip_split split)
{
    for (int64_t i = 0; i < dip_catalog_interaction_count(catalog); i++) {
        if (dip_catalog_interaction(catalog, i).split == split)
            return true;
    }
    return false;
}

static void prepare_recipe(trainer *t)
{
    const dip_recommendation_settings *s = &t->settings->recommendation;
    t->recipe = (dip_recommendation_recipe){.model = t->data.model,
                                            .sampler = t->sampler,
                                            .loss = s->loss,
                                            .cosine = s->cosine,
                                            .temperature = s->temperature,
                                            .l2 = s->l2};
    t->validates = has_split(t->data.catalog, DIP_SPLIT_VAL);
    if (!t->validates)
        dip_session_warn_unvalidated(&t->session, "interactions",
                                     t->data.catalog);
}

static dip_status make_loop(trainer *t, dip_err *err)
{
    const dip_loop_hooks hooks = {.user = t,
                                  .seek = seek,
                                  .loss = compute_loss,
                                  .waited = waited,
                                  .validate = t->validates ? validate : NULL,
                                  .report = report};
    return dip_session_make_loop(&t->session, &hooks,
                                 dip_recommender_params(t->data.model), err);
}

/* The first that writes into the run directory. */
static dip_status open_logs(trainer *t, dip_err *err)
{
    dip_status st = dip_session_make_dir(&t->session, err);
    if (st == DIP_OK && !t->options->resume) {
        json_t *sources = json_pack("{s:O*}", "features", t->data.features);
        st = sources != NULL
                 ? dip_run_write_plain(t->options->dir, t->settings,
                                       t->data.catalog, sources, err)
                 : dip_no_memory(err);
        json_decref(sources);
    }
    return st == DIP_OK ? dip_session_open_logs(&t->session, err) : st;
}

dip_status dip_train_recommendation(const dip_settings *settings,
                                    const dip_trainer_options *options,
                                    dip_err *err)
{
    trainer t = {.settings = settings,
                 .options = options,
                 .session = {.settings = settings, .options = options}};
    dip_session *session = &t.session;
    dip_status st = dip_session_begin(session, err);
    if (st == DIP_OK)
        st = prepare_data(&t, err);
    if (st == DIP_OK)
        st = dip_session_machine(session, err);
    if (st == DIP_OK)
        st = dip_session_schedule(session, dip_triples_batches(t.triples), err);
    if (st == DIP_OK) {
        prepare_recipe(&t);
        st = make_loop(&t, err);
    }
    if (st == DIP_OK)
        st = open_logs(&t, err);
    if (st == DIP_OK)
        st = dip_session_run(session, err);
    end(&t);
    return st;
}
