/* The digest of what stands in a catalog: equal for equal columns and rows in
 * the same order, whatever the names of its files, their number, when they were
 * made and from where. */
#ifndef DIP_DATA_CATALOG_CONTENT_H
#define DIP_DATA_CATALOG_CONTENT_H

#include "base/digest.h"
#include "base/status.h"
#include "data/catalog_writer.h"
#include "data/manifest.h"

/* Begins with the columns. The caller ends *out with dip_digest_free(). */
dip_status dip_content_begin(dip_digest **out, const dip_column *columns,
                             int count, dip_err *err) DIP_MUST_CHECK;
/* `group` is the first row of the row's group. */
dip_status dip_content_add(dip_digest *content, const dip_column *columns,
                           int count, const dip_row *row, int64_t group,
                           dip_err *err) DIP_MUST_CHECK;

/* Of the rows and the logs that a manifest lists. */
dip_status dip_content_of_manifest(char hex[DIP_DIGEST_SIZE],
                                   const dip_manifest *manifest,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
