#include "report/ensemble.h"

#include <string.h>

#include "base/str.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "–";
}

/* False when memory is out; ends `text`. */
static bool put(json_t *facts, const char *key, dip_str *text)
{
    bool put =
        !text->failed &&
        json_object_set_new(facts, key, json_string(dip_str_text(text))) == 0;
    dip_str_free(text);
    return put;
}

static bool put_vote(json_t *facts, const json_t *ensemble)
{
    dip_str text = {0};
    const char *norm = text_of(ensemble, "normalise");
    dip_str_add(&text, text_of(ensemble, "vote"));
    if (strcmp(norm, "none") != 0)
        dip_str_addf(&text, ", %s", norm);
    return put(facts, "vote", &text);
}

static bool put_weights(json_t *facts, const char *name, const json_t *weights,
                        const json_t *runs)
{
    dip_str key = {0}, text = {0};
    dip_str_addf(&key, "weights of %s", name);
    for (size_t i = 0; i < json_array_size(runs); i++)
        dip_str_addf(&text, "%s%s %.3f", i > 0 ? ", " : "",
                     text_of(json_array_get(runs, i), "name"),
                     json_number_value(json_array_get(weights, i)));
    bool done = put(facts, dip_str_text(&key), &text) && !key.failed;
    dip_str_free(&key);
    return done;
}

json_t *dip_report_ensemble_facts(const json_t *report)
{
    const char *name;
    json_t *of_one, *facts = json_object();
    const json_t *ensemble =
        json_object_get(json_object_get(report, "run"), "ensemble");
    json_t *weights = json_object_get(ensemble, "weights");
    if (facts == NULL || !json_is_object(ensemble))
        return facts;
    bool done = put_vote(facts, ensemble);
    json_object_foreach (weights, name, of_one)
        done = done && put_weights(facts, name, of_one,
                                   json_object_get(ensemble, "runs"));
    if (done)
        return facts;
    json_decref(facts);
    return NULL;
}
