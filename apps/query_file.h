/* Texts with ids: a file of lines "id TAB text", or "text" whose id it is; or
 * the judged queries of a catalog. */
#ifndef DIP_APPS_QUERY_FILE_H
#define DIP_APPS_QUERY_FILE_H

#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

typedef struct {
    char *bytes; /* of the file; NULL: the catalog's */
    dip_bytes *ids, *texts;
    int64_t count; /* at least 1 */
} dip_query_file;

/* Empty lines are passed over. DIP_EFORMAT for what is not UTF-8, and for an id
 * that comes twice, names the line. In any case the caller ends *out with
 * dip_query_file_free(). */
dip_status dip_query_file_read(dip_query_file *out, const char *path,
                               dip_err *err) DIP_MUST_CHECK;
/* Borrows the texts from the catalog; DIP_EDATA when it has none. */
dip_status dip_query_file_judged(dip_query_file *out,
                                 const dip_catalog *catalog,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_query_file_free(dip_query_file *queries);

#endif
