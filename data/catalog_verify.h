/* Digests of files, and the memory of those that were already computed:
 * $XDG_CACHE_HOME/diptych/digests (or ~/.cache), one line for each file
 * version. Failing to keep it is no error; a damaged line is not found. */
#ifndef DIP_DATA_CATALOG_VERIFY_H
#define DIP_DATA_CATALOG_VERIFY_H

#include "base/digest.h"
#include "base/file.h"
#include "base/status.h"
#include "data/manifest.h"

/* Over the bytes of `path` outside of the ranges, which are ascending,
 * disjoint and inside `size` bytes. */
dip_status dip_verify_metadata(char hex[DIP_DIGEST_SIZE], const char *path,
                               int64_t size, const dip_file_range *bulk,
                               int bulk_count, dip_err *err) DIP_MUST_CHECK;
/* True, with the digest, when this version of the file is remembered. */
bool dip_verify_recall(char hex[DIP_DIGEST_SIZE], const dip_file_info *file);
/* Files written within the last two seconds are not remembered. */
void dip_verify_remember(const char *hex, const dip_file_info *file);

#endif
