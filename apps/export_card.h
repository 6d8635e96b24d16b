/* What a run and its catalog know for the model card of a bundle. */
#ifndef DIP_APPS_EXPORT_CARD_H
#define DIP_APPS_EXPORT_CARD_H

#include "apps/run_dir.h"
#include "export/card.h"

/* Start it as {0}; end it with dip_export_card_free(). */
typedef struct {
    dip_card card; /* members that the next ones hold are theirs */
    json_t *about, *report;
} dip_export_card;

/* Fills in all but the licences and the use. Metrics come from report.json of
 * the run directory, if that is of `step`. */
dip_status dip_export_card_read(dip_export_card *out, const dip_trained *run,
                                int64_t step, const dip_corpus *corpus,
                                dip_err *err) DIP_MUST_CHECK;
void dip_export_card_free(dip_export_card *card);

#endif
