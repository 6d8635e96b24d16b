#include "apps/export_recommendation.h"

#include <stdlib.h>

#include "apps/recommending.h"
#include "apps/version.h"
#include "base/file.h"
#include "base/mem.h"
#include "export/recommender.h"
#include "train/checkpoint.h"

/* NULL when memory is out, or an id is no UTF-8. */
static json_t *list_ids(const dip_catalog *catalog, int64_t count,
                        dip_bytes (*id_of)(const dip_catalog *, int64_t))
{
    json_t *ids = json_array();
    for (int64_t i = 0; i < count; i++) {
        dip_bytes id = id_of(catalog, i);
        if (json_array_append_new(ids, json_stringn(id.data, id.len)) != 0) {
            json_decref(ids);
            return NULL;
        }
    }
    return ids;
}

static dip_status describe(dip_recommender_bundle *bundle,
                           const dip_recommending *r, dip_err *err)
{
    dip_train_state state;
    dip_status st = dip_checkpoint_read_state(&state, r->checkpoint, err);
    if (st != DIP_OK)
        return st;
    bundle->run =
        json_pack("{s:s, s:s, s:s, s:I, s:s}", "task", "recommendation", "name",
                  r->settings->name, "checkpoint", dip_path_base(r->checkpoint),
                  "step", (json_int_t)state.step, "similarity",
                  r->settings->recommendation.cosine ? "cosine" : "dot");
    bundle->data = json_pack("{s:s, s:s}", "catalog",
                             dip_path_base(dip_catalog_path(r->catalog)),
                             "digest", dip_catalog_digest(r->catalog));
    return bundle->run != NULL && bundle->data != NULL ? DIP_OK
                                                       : dip_no_memory(err);
}

static dip_status write_bundle(dip_gate_report *report,
                               dip_recommender_bundle *bundle,
                               const dip_recommending *r,
                               const dip_export_recommendation_options *o,
                               dip_err *err)
{
    json_t *users = list_ids(r->catalog, bundle->user_count, dip_catalog_user);
    json_t *items = list_ids(r->catalog, bundle->item_count, dip_catalog_id);
    char *config = dip_path_join(o->dir, "config.yaml");
    bundle->user_ids = users;
    bundle->item_ids = items;
    bundle->config_path = config;
    dip_status st = users != NULL && items != NULL && config != NULL
                        ? describe(bundle, r, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_recommender_bundle_write(report, bundle, o->out, err);
    json_decref(bundle->run);
    json_decref(bundle->data);
    json_decref(users);
    json_decref(items);
    free(config);
    return st;
}

dip_status dip_export_recommendation(dip_gate_report *report,
                                     const dip_export_recommendation_options *o,
                                     dip_err *err)
{
    /* Artefacts are made and compared on the CPU. */
    static const char *const overrides[] = {"train.device=cpu"};
    dip_recommending r = {0};
    dip_recommending_embeddings e = {0};
    if (o->onnx.raw_images)
        return dip_fail(err, DIP_EUSAGE,
                        "'%s' is a run of recommendation: --raw-images is not "
                        "for it",
                        o->dir);
    dip_status st =
        dip_recommending_load(&r, o->dir, o->checkpoint, o->data, overrides,
                              DIP_ARRAY_LEN(overrides), err);
    if (st == DIP_OK)
        st = dip_recommending_embed(&e, &r, err);
    if (st == DIP_OK) {
        dip_recommender_bundle bundle = {.format = o->format,
                                         .onnx = o->onnx,
                                         .user_count = e.users.rows,
                                         .item_count = e.items.rows,
                                         .dim = e.users.dim,
                                         .users = e.rows,
                                         .items = e.rows +
                                                  e.users.rows * e.users.dim,
                                         .version = dip_version(),
                                         .rows = o->rows,
                                         .sample_rows = o->samples};
        st = write_bundle(report, &bundle, &r, o, err);
    }
    dip_recommending_embeddings_free(&e);
    dip_recommending_end(&r);
    return st;
}
