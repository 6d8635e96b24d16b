/* Origins: programs whose models ours can be handed back to, as files that
 * they read themselves. One origin is one or more rows of the table in
 * origin.c: what it calls itself, and the towers that it has. */
#ifndef DIP_EXPORT_ORIGIN_H
#define DIP_EXPORT_ORIGIN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "data/loader.h"
#include "data/tokenizer.h"
#include "models/model.h"

#define DIP_ORIGIN_COVERED_MAX 8

/* What is handed back. All borrowed. */
typedef struct {
    const dip_model_config *config; /* checked, with all defaults */
    const dip_transform *transform;
    const dip_tokenizer *tokenizer;
} dip_origin_model;

/* How a model fits its origin. Start it as {0}. */
typedef struct {
    unsigned spelling; /* models/origins.h */
    /* Beginnings of the names of our parameters that the origin takes, ended by
     * NULL; the others are left out. */
    const char *covered[DIP_ORIGIN_COVERED_MAX + 1];
    int covered_count;
    bool zero_bias; /* it wants a logit_bias of a model that has none */
} dip_origin_fit;

typedef struct {
    const char *name;
    const char *image, *text; /* kinds of towers; NULL: any, left out */
    const char *file;         /* of the weights */
    /* Refuses with DIP_ECONFIG what the origin computes otherwise. */
    dip_status (*fit)(dip_origin_fit *fit, const dip_origin_model *model,
                      dip_err *err);
    /* Writes its own configs and vocabulary into `dir`, where our tokenizer's
     * file stands (export/bundle.h); NULL: none. */
    dip_status (*write)(const dip_origin_model *model, const char *dir,
                        dip_err *err);
} dip_origin;

int dip_origin_count(void);
const dip_origin *dip_origin_at(int i);

/* The row of this name that has the towers of the model. DIP_EUSAGE for a name
 * that no row has, DIP_ECONFIG where none has these towers. */
dip_status dip_origin_find(const dip_origin **out, const char *name,
                           const dip_model_config *config,
                           dip_err *err) DIP_MUST_CHECK;

/* ---- for the files that define rows ---- */

/* Adds to fit->covered. */
void dip_origin_cover(dip_origin_fit *fit, const char *beginning);

/* DIP_ECONFIG, "<origin> has no <what>", unless `ok`. */
dip_status dip_origin_need(bool ok, const char *origin, const char *what,
                           dip_err *err) DIP_MUST_CHECK;

/* Writes `json` (a reference that this takes) as dir/name. */
dip_status dip_origin_write_json(const char *dir, const char *name,
                                 json_t *json, dip_err *err) DIP_MUST_CHECK;

extern const dip_origin dip_origins_open_clip[], dip_origins_huggingface[],
    dip_origins_towers[]; /* ended by a row without a name */

#endif
