#include "apps/settings_recommendation.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_FANOUT = 10 };

static void read_model(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_recommender_options *o = &s->recommendation.model;
    dip_err err = {0};
    *o = (dip_recommender_options){
        .kind = dip_config_string(c, "graph.kind"),
        .dim = dip_config_int(c, "graph.dim"),
        .layers = dip_config_int(c, "graph.layers"),
        .aggregator = dip_config_string(c, "graph.aggregator"),
        .normalize = dip_config_bool(c, "graph.normalize"),
        .dropout = dip_config_float(c, "graph.dropout")};
    if (dip_recommender_check(o, &err) != DIP_OK) {
        char key[DIP_ERR_SIZE];
        (void)snprintf(key, sizeof key, "%.*s", (int)strcspn(err.msg, ":"),
                       err.msg);
        dip_config_fault(s->config, key, "%s", err.msg);
    }
}

/* Only kinds that are sampled have fan-outs, one for each layer. */
static void read_neighbours(dip_settings *s)
{
    const dip_config *c = s->config;
    const dip_recommender_options *model = &s->recommendation.model;
    const dip_recommender_kind *kind = dip_recommender_kind_find(model->kind);
    dip_neighbour_options *o = &s->recommendation.neighbours;
    const int64_t *fanouts;
    size_t n = dip_config_ints(&fanouts, c, "graph.fanouts");
    if (kind == NULL)
        return; /* reported */
    for (const char *const *key =
             (const char *const[]){"graph.fanouts", "graph.replace", NULL};
         *key != NULL; key++) {
        if (!kind->sampled && dip_config_has(c, *key))
            dip_config_fault(s->config, *key, "'%s' is not for the kind '%s'",
                             *key, kind->name);
    }
    if (!kind->sampled)
        return;
    if (n > 0 && n != (size_t)model->layers) {
        dip_config_fault(s->config, "graph.fanouts",
                         "'graph.fanouts' has %zu numbers for %lld layers", n,
                         (long long)model->layers);
        return;
    }
    *o = (dip_neighbour_options){.hops = (int)model->layers,
                                 .replace = dip_config_bool(c, "graph.replace"),
                                 .seed = s->seed};
    for (int64_t l = 0; l < model->layers && l < DIP_HOPS_MAX; l++)
        o->fanouts[l] = n > 0 ? fanouts[l] : DEFAULT_FANOUT;
}

void dip_settings_read_recommendation(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_recommendation_settings *r = &s->recommendation;
    const char *loss = dip_config_string(c, "recommendation.loss");
    read_model(s);
    read_neighbours(s);
    r->features = dip_config_string(c, "graph.features");
    r->features_name = dip_config_string(c, "graph.features_name");
    r->loss = dip_recommendation_loss_find(loss);
    if (r->loss == NULL)
        dip_config_fault(s->config, "recommendation.loss",
                         "'recommendation.loss' is '%s', neither bpr nor "
                         "softmax",
                         loss);
    r->negatives = dip_config_int(c, "recommendation.negatives");
    r->l2 = dip_config_float(c, "recommendation.l2");
    r->cosine = dip_config_choice(c, "recommendation.similarity") == 1;
    r->temperature = dip_config_float(c, "recommendation.temperature");
    r->depth = dip_config_int(c, "recommendation.depth");
}
