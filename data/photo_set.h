/* A published set of photos of one size with a class each, as a catalog: what
 * the importers of such sets share. */
#ifndef DIP_DATA_PHOTO_SET_H
#define DIP_DATA_PHOTO_SET_H

#include "base/status.h"
#include "data/catalog_writer.h"
#include "data/import_report.h"
#include "data/template.h"

/* What a user chooses. */
typedef struct {
    const char *folder;
    const char *out;
    int64_t val_rows;  /* the last ones of those for training */
    const char *title; /* template with {class}; NULL: "{class}" */
    int64_t shard_rows;
    dip_import_progress progress;
} dip_photo_set_options;

/* Photos are [side, side, channels] bytes. All borrowed; start it as {options,
 * report, …} and end it with dip_photo_set_end() in any case. */
typedef struct {
    const dip_photo_set_options *options;
    dip_import_report *report;
    const char *source; /* of the catalog */
    int side, channels;
    dip_template *title;
    dip_catalog_writer *writer;
} dip_photo_set;

/* Begins a catalog with the columns image, title and class. */
dip_status dip_photo_set_begin(dip_photo_set *set, dip_err *err) DIP_MUST_CHECK;
/* Adds row <prefix>-<number>. DIP_EINTERRUPT when the progress asks to stop. */
dip_status dip_photo_set_add(dip_photo_set *set, const char *prefix,
                             int64_t number, dip_split split,
                             const unsigned char *pixels, const char *class,
                             dip_err *err) DIP_MUST_CHECK;
dip_status dip_photo_set_commit(dip_photo_set *set,
                                dip_err *err) DIP_MUST_CHECK;
/* Leaves nothing behind that was not committed. */
void dip_photo_set_end(dip_photo_set *set);

#endif
