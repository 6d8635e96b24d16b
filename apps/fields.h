/* What a run knows of its attributes: the names of labels and the statistics of
 * numbers in its training, kept in fields.json:
 *
 *   {"brand": {"label": "brand", "names": ["Oak", …]},
 *    "price": {"number": "price", "form": "standardised", "rows": 812,
 *              "mean": 41.5, "deviation": 12.25},
 *    "year":  {"number": "year", "form": "bucketised", "rows": 800,
 *              "edges": [2011, …]}}
 *
 * so that a catalog with other numbers for its labels is read by their names.
 */
#ifndef DIP_APPS_FIELDS_H
#define DIP_APPS_FIELDS_H

#include <jansson.h>

#include "apps/corpus.h"
#include "apps/settings.h"
#include "base/status.h"
#include "models/model.h"

/* Reads the training rows of the corpus. Names are those that min_count rows
 * have at least, in the order of the catalog; edges are the distinct quantiles
 * that part the numbers into `buckets` ranges, interpolated linearly. DIP_EDATA
 * when no row has a number. The caller ends *out with json_decref(). */
dip_status dip_fields_gather(json_t **out, const dip_corpus *corpus,
                             dip_err *err) DIP_MUST_CHECK;
/* Puts names, statistics and edges into the options of a model that the
 * settings describe. `fields` is checked as untrusted input: DIP_EFORMAT. */
dip_status dip_fields_apply(dip_model_config *model,
                            const dip_settings *settings, const json_t *fields,
                            dip_err *err) DIP_MUST_CHECK;
/* Lets the loaders of the corpus give the ids of `fields`, which
 * dip_fields_apply() has seen. Must be called before a loader is made. */
dip_status dip_fields_bind(dip_corpus *corpus, const json_t *fields,
                           dip_err *err) DIP_MUST_CHECK;
/* {"brand": {"rows", "missing", "unknown"}, "price": {"rows", "missing"}} of a
 * split; NULL when memory is out. */
json_t *dip_fields_count(const dip_corpus *corpus, dip_split split);

#endif
