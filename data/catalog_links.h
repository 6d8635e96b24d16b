/* Search logs and behaviour: who (a query, a user) is linked to which row, how
 * strongly, and when. Each kind stands in a file of its own. */
#ifndef DIP_DATA_CATALOG_LINKS_H
#define DIP_DATA_CATALOG_LINKS_H

#include "base/status.h"
#include "data/catalog.h"
#include "data/h5.h"

/* group of the names, group of the items, dataset of who, of how strongly,
 * whether items have a time */
#define DIP_LINK_TABLE(X)                                                      \
    X(JUDGEMENTS, "query", "judgement", "query", "grade", false)               \
    X(INTERACTIONS, "user", "interaction", "user", "weight", true)

typedef enum {
#define DIP_LINK_ENUM(name, names, items, who, weight, timed) DIP_LINK_##name,
    DIP_LINK_TABLE(DIP_LINK_ENUM)
#undef DIP_LINK_ENUM
} dip_link_kind;

typedef struct {
    char *bytes;      /* the names of who, one behind the other */
    int64_t *offsets; /* [names + 1] */
    int64_t names;
    int64_t *who, *row; /* [count] */
    float *weight;
    int64_t *time; /* NULL for judgements */
    uint8_t *split;
    int64_t count;
} dip_links;

/* Indices against the names and `rows`, weights (finite, >= 0), splits, UTF-8;
 * messages name `path`. */
dip_status dip_links_check(const dip_links *links, dip_link_kind kind,
                           const char *path, int64_t rows,
                           dip_err *err) DIP_MUST_CHECK;
/* Reads and checks. End *out with dip_links_free(). */
dip_status dip_links_read(dip_links *out, dip_link_kind kind, const char *path,
                          int64_t rows, dip_err *err) DIP_MUST_CHECK;
/* Writes a new file from what was checked. */
dip_status dip_links_write(const dip_links *links, dip_link_kind kind,
                           const char *path, dip_err *err) DIP_MUST_CHECK;
void dip_links_free(dip_links *links);

/* ---- bytes + offsets, as all text stands in the files ---- */

/* Offsets start at 0, do not fall, and end within `bytes`. */
dip_status dip_check_offsets(const int64_t *offsets, int64_t rows, size_t bytes,
                             const dip_h5_file *file, const char *group,
                             dip_err *err) DIP_MUST_CHECK;
/* Loads `group`/bytes and `group`/offsets and checks them; rows < 0: any. The
 * caller frees both. */
dip_status dip_load_texts(char **bytes, int64_t **offsets, int64_t *rows,
                          const dip_h5_file *file, const char *group,
                          dip_err *err) DIP_MUST_CHECK;
/* Every text must be UTF-8. */
dip_status dip_check_texts(const char *bytes, const int64_t *offsets,
                           int64_t rows, const dip_h5_file *file,
                           const char *group, dip_err *err) DIP_MUST_CHECK;

#endif
