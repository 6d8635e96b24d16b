#include "data/audit_sets.h"

#include <stdlib.h>

#include "base/digest.h"
#include "base/mem.h"

dip_status dip_audit_hash(uint64_t key[2], const void *bytes, size_t n,
                          dip_err *err)
{
    char hex[DIP_DIGEST_SIZE];
    dip_status st = dip_digest_bytes(hex, bytes, n, err);
    if (st != DIP_OK)
        return st;
    hex[32] = '\0';
    key[1] = strtoull(hex + 16, NULL, 16);
    hex[16] = '\0';
    key[0] = strtoull(hex, NULL, 16);
    return DIP_OK;
}

dip_status dip_audit_add(dip_audit *audit, const dip_finding *finding,
                         dip_err *err)
{
    if (finding->count == 0)
        return DIP_OK;
    dip_status st = dip_reserve(&audit->findings, &audit->capacity,
                                audit->count + 1, sizeof *audit->findings, err);
    if (st == DIP_OK)
        audit->findings[audit->count++] = *finding;
    return st;
}

static int compare_keys(const void *a, const void *b)
{
    const dip_audit_key *x = a, *y = b;
    for (int i = 0; i < 2; i++) {
        if (x->key[i] != y->key[i])
            return x->key[i] < y->key[i] ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

/* The first row of the set whose split (or group) is not that of its first
 * one; -1 when there is none. */
static int64_t first_other(const dip_audit_key *set, size_t count,
                           const dip_catalog *catalog, bool by_split)
{
    for (size_t i = 1; i < count; i++) {
        bool other = by_split ? dip_catalog_split(catalog, set[i].row) !=
                                    dip_catalog_split(catalog, set[0].row)
                              : dip_catalog_group(catalog, set[i].row) !=
                                    dip_catalog_group(catalog, set[0].row);
        if (other)
            return set[i].row;
    }
    return -1;
}

static void count_set(dip_finding *finding, const dip_audit_key *set,
                      size_t count, int64_t other)
{
    finding->count += (int64_t)count;
    finding->sets++;
    if (finding->example_count == DIP_AUDIT_EXAMPLES)
        return;
    int64_t *example = finding->examples[finding->example_count++];
    example[0] = set[0].row;
    example[1] = other;
}

dip_status dip_audit_sets(dip_audit *audit, int64_t *distinct,
                          dip_audit_key *keys, size_t count,
                          const dip_catalog *catalog, const char *column,
                          dip_audit_kind leak, dip_audit_kind same,
                          dip_err *err)
{
    dip_finding leaks = {.kind = leak, .column = column};
    dip_finding equals = {.kind = same, .column = column};
    int64_t sets = 0;
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0, end; i < count; i = end, sets++) {
        for (end = i + 1; end < count && keys[end].key[0] == keys[i].key[0] &&
                          keys[end].key[1] == keys[i].key[1];)
            end++;
        if (end - i < 2)
            continue;
        int64_t split = first_other(keys + i, end - i, catalog, true);
        int64_t group = first_other(keys + i, end - i, catalog, false);
        if (split >= 0 && leak != DIP_AUDIT_KINDS)
            count_set(&leaks, keys + i, end - i, split);
        else if (group >= 0 && same != DIP_AUDIT_KINDS)
            count_set(&equals, keys + i, end - i, group);
    }
    if (distinct != NULL)
        *distinct = sets;
    dip_status st = dip_audit_add(audit, &leaks, err);
    return st == DIP_OK ? dip_audit_add(audit, &equals, err) : st;
}
