/* A report as one HTML page that needs nothing else: no network, no script,
 * styles, charts and photos inside. */
#ifndef DIP_REPORT_HTML_H
#define DIP_REPORT_HTML_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

/* Where the photos of the galleries come from: `add` appends a small JPEG of
 * the row `row` of the catalog, or nothing when it has none. */
typedef struct {
    dip_status (*add)(void *user, dip_str *jpeg, int64_t row, dip_err *err);
    void *user;
} dip_report_photos;

/* Bytes of photos, as they stand in the page, after which the rest of the
 * galleries shows titles alone. */
#define DIP_REPORT_PHOTO_BYTES ((size_t)2 * 1024 * 1024)

/* Appends the page. It is made from `report` alone (docs/report.md), which is
 * checked as untrusted input: DIP_EFORMAT names the key; the same report and
 * photos give the same bytes. `photos` NULL: galleries without photos. */
dip_status dip_report_html(dip_str *out, const json_t *report,
                           const dip_report_photos *photos,
                           dip_err *err) DIP_MUST_CHECK;

#endif
