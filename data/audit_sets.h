/* The inside of the audit: rows that belong together. */
#ifndef DIP_DATA_AUDIT_SETS_H
#define DIP_DATA_AUDIT_SETS_H

#include "data/audit.h"

/* What is equal for the rows of a set. */
typedef struct {
    uint64_t key[2];
    int64_t row;
} dip_audit_key;

dip_status dip_audit_add(dip_audit *audit, const dip_finding *finding,
                         dip_err *err) DIP_MUST_CHECK;

/* Sorts the keys. A set with rows in several splits adds to `leak`, another
 * one with rows of several groups to `same` (DIP_AUDIT_KINDS: not of
 * interest). *distinct (may be NULL) is the number of sets. */
dip_status dip_audit_sets(dip_audit *audit, int64_t *distinct,
                          dip_audit_key *keys, size_t count,
                          const dip_catalog *catalog, const char *column,
                          dip_audit_kind leak, dip_audit_kind same,
                          dip_err *err) DIP_MUST_CHECK;

/* SHA-256, cut. */
dip_status dip_audit_hash(uint64_t key[2], const void *bytes, size_t n,
                          dip_err *err) DIP_MUST_CHECK;

/* The findings about one image column. */
dip_status dip_audit_images(dip_audit *audit, const dip_catalog *catalog,
                            int column, const dip_audit_options *options,
                            dip_err *err) DIP_MUST_CHECK;

#endif
