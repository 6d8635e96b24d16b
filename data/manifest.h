/* The manifest of a catalog: which files belong to it, their sizes and
 * digests. It is written last and atomically, and so is the commit.
 *
 * The digest of a file's metadata covers every byte outside of its bulk
 * ranges (the large contiguous datasets of image and text bytes), so that all
 * that libhdf5 will parse is checked before libhdf5 sees it, at a cost that
 * does not grow with the images. */
#ifndef DIP_DATA_MANIFEST_H
#define DIP_DATA_MANIFEST_H

#include "base/digest.h"
#include "base/status.h"
#include "data/catalog.h"

#define DIP_MANIFEST_SCHEMA "diptych-manifest/1"
#define DIP_MANIFEST_SUFFIX ".manifest.json"
#define DIP_CATALOG_FORMAT  "diptych-catalog"
#define DIP_CATALOG_VERSION 1

typedef struct {
    int64_t offset, bytes; /* in the file */
} dip_file_range;

typedef struct {
    char *file; /* a plain name: it lies beside the manifest; NULL: none */
    int64_t rows, bytes;
    char sha256[DIP_DIGEST_SIZE];
    char metadata_sha256[DIP_DIGEST_SIZE];
    dip_file_range *bulk; /* ascending, disjoint, inside the file */
    int bulk_count;
} dip_manifest_file;

typedef struct {
    char *name, *created, *source;
    int64_t rows; /* of all shards */
    dip_column *columns;
    int column_count;
    dip_manifest_file *shards;
    int shard_count;
    dip_manifest_file judgements, interactions; /* rows: items in it */
    /* Of all rows, which begins with that of data/catalog_content.h; "" in
     * manifests that do not have it. */
    char content[DIP_DIGEST_SIZE];
    char digest[DIP_DIGEST_SIZE]; /* when read: of rows and logs; of the
                                   * manifest's bytes without `content` */
} dip_manifest;

/* The manifest's path for a manifest, a .h5 file or the common name of shards.
 * NULL when memory is out; the caller frees. */
char *dip_manifest_path(const char *path);

/* Reads strictly: unknown keys, names that lead out of the folder, sums that
 * do not agree are DIP_EFORMAT. End *out with dip_manifest_free(). */
dip_status dip_manifest_read(dip_manifest *out, const char *path,
                             dip_err *err) DIP_MUST_CHECK;
dip_status dip_manifest_write(const dip_manifest *manifest, const char *path,
                              dip_err *err) DIP_MUST_CHECK;
void dip_manifest_free(dip_manifest *manifest); /* half-filled allowed */

/* Fills sizes and digests of the finished file `path`; takes over `bulk` (any
 * order), also when it fails. */
dip_status dip_manifest_describe(dip_manifest_file *out, const char *path,
                                 int64_t rows, dip_file_range *bulk,
                                 int bulk_count, dip_err *err) DIP_MUST_CHECK;
void dip_manifest_file_free(dip_manifest_file *file);
/* Size and metadata digest of `path`; the whole digest too, unless this very
 * file (device, inode, size, time) passed before and `again` is not set. */
dip_status dip_manifest_check(const dip_manifest_file *file, const char *path,
                              bool again, dip_err *err) DIP_MUST_CHECK;

/* SHA-256 of any file, remembered between programs as above. */
dip_status dip_manifest_digest(char hex[DIP_DIGEST_SIZE], const char *path,
                               dip_err *err) DIP_MUST_CHECK;

#endif
