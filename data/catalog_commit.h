/* Putting finished files in their place: temporary names, then renames, then
 * the manifest, which is the commit. Messages and crashes before it leave the
 * former manifest; where a rename already replaced a file of the same name, the
 * sizes and digests of that manifest tell. */
#ifndef DIP_DATA_CATALOG_COMMIT_H
#define DIP_DATA_CATALOG_COMMIT_H

#include "base/status.h"
#include "data/manifest.h"

/* A file under a temporary name. Start it as {0}. */
typedef struct {
    char *temp; /* its path now */
    char *path; /* its path after the commit; set by the caller, owned */
    bool placed;
} dip_staged;

/* Picks a temporary path in `folder` that does not exist. */
dip_status dip_staged_begin(dip_staged *out, const char *folder,
                            const char *base, dip_err *err) DIP_MUST_CHECK;
/* Syncs the finished file and describes it under its final name. Takes over
 * `bulk`. */
dip_status dip_staged_describe(dip_manifest_file *out, const dip_staged *file,
                               int64_t rows, dip_file_range *bulk,
                               int bulk_count, dip_err *err) DIP_MUST_CHECK;
/* Removes the file unless it was committed. */
void dip_staged_end(dip_staged *file);

/* Renames the files, writes the manifest, removes the files that only the
 * former manifest listed. On failure the renamed files are removed again, but
 * for names that the former manifest lists. */
dip_status dip_commit(const dip_manifest *manifest, const char *manifest_path,
                      dip_staged *files, int count,
                      dip_err *err) DIP_MUST_CHECK;

#endif
