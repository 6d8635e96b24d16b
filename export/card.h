/* model_card.md of a bundle: what a person must know before using it. All that
 * can be known is said with the digests to check it by, and what cannot be
 * known is said to be so. */
#ifndef DIP_EXPORT_CARD_H
#define DIP_EXPORT_CARD_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"
#include "export/format.h"

/* All borrowed; strings may be NULL where nothing is known. */
typedef struct {
    const char *image_tower, *text_tower, *fusion; /* NULL: none */
    const json_t *about;   /* run.json of the run directory */
    const json_t *report;  /* "diptych-report/1" of this checkpoint, or NULL */
    const char *no_report; /* then, why; a sentence */
    int64_t split_rows[DIP_SPLIT_COUNT];
    const char *license, *data_license, *intended_use; /* as they are given */
} dip_card;

/* What the bundle knows beside it. All borrowed. */
typedef struct {
    const dip_card *card;
    const dip_export_job *job;
    const dip_export_format *format;
    const json_t *run, *data, *preprocessing; /* as in the bundle */
    const char *version;                      /* of the program that exports */
    const dip_gate_report *gate; /* no lines: nothing was verified */
    const char *config_path;
} dip_card_facts;

/* Writes the card as `path`. `about` and `report` are taken as untrusted: what
 * lacks or is of another type is left out. */
dip_status dip_card_write(const dip_card_facts *facts, const char *path,
                          dip_err *err) DIP_MUST_CHECK;

#endif
