/* Looking for what spoils training or flatters evaluation: duplicates, the
 * same product on both sides of a split, gaps, rare classes. */
#ifndef DIP_DATA_AUDIT_H
#define DIP_DATA_AUDIT_H

#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"
#include "data/import_report.h"

typedef enum {
    DIP_AUDIT_NOTE,
    DIP_AUDIT_WARNING,
    DIP_AUDIT_ERROR,
} dip_audit_severity;

/* kind, severity, name in JSON, words for what is counted */
#define DIP_AUDIT_TABLE(X)                                                     \
    X(GROUP_LEAK, ERROR, "group_across_splits",                                \
      "rows of a product that is in several splits")                           \
    X(TEXT_LEAK, ERROR, "text_across_splits",                                  \
      "rows whose text is in several splits")                                  \
    X(IMAGE_LEAK, ERROR, "image_across_splits",                                \
      "rows whose image is in several splits")                                 \
    X(SIMILAR_LEAK, WARNING, "similar_image_across_splits",                    \
      "rows whose image is nearly that of a row in another split")             \
    X(IMAGE_BAD, ERROR, "undecodable_image", "rows with a damaged image")      \
    X(IMAGE_MISSING, WARNING, "missing_image", "rows without an image")        \
    X(IMAGE_SAME, WARNING, "duplicate_image",                                  \
      "rows that share an image with another product")                         \
    X(IMAGE_SIMILAR, NOTE, "similar_image",                                    \
      "rows whose image is nearly that of another product")                    \
    X(TEXT_EMPTY, WARNING, "empty_text", "rows without text")                  \
    X(TEXT_LONG, NOTE, "long_text", "rows whose text is cut for the model")    \
    X(TEXT_SAME, NOTE, "duplicate_text",                                       \
      "rows that share their text with another product")                       \
    X(TEXT_CAPTION, NOTE, "caption_text",                                      \
      "distinct texts for all rows; taken for captions, not compared")         \
    X(CLASS_UNSEEN, WARNING, "class_without_training_rows",                    \
      "classes that training never sees")                                      \
    X(CLASS_RARE, NOTE, "rare_class", "classes with few rows for training")    \
    X(LABEL_MISSING, NOTE, "missing_label", "rows without the label")

typedef enum {
#define DIP_AUDIT_ENUM(kind, severity, name, words) DIP_AUDIT_##kind,
    DIP_AUDIT_TABLE(DIP_AUDIT_ENUM)
#undef DIP_AUDIT_ENUM
        DIP_AUDIT_KINDS
} dip_audit_kind;

#define DIP_AUDIT_EXAMPLES 5

typedef struct {
    dip_audit_kind kind;
    const char *column; /* borrowed from the catalog; NULL: none */
    int64_t count;
    int64_t sets; /* of rows that belong together; 0 where there are none */
    /* Rows; the second of a pair is its counterpart, or -1. For classes, the
     * first is the class and the second its number of training rows. */
    int64_t examples[DIP_AUDIT_EXAMPLES][2];
    int example_count;
} dip_finding;

typedef struct {
    dip_finding *findings; /* by falling severity */
    size_t count, capacity;
} dip_audit;

typedef struct {
    /* Text column that tells products apart. NULL: `title`, or the first. When
     * it has fewer than one distinct text for 20 rows it is taken for a caption
     * and shows no leaks. */
    const char *title;
    int64_t context;   /* words that the model reads of a text */
    int64_t rare_rows; /* a class with fewer training rows is rare */
    dip_import_progress progress;
} dip_audit_options;

dip_audit_options dip_audit_defaults(void); /* context 32, rare_rows 10 */

/* Borrowed, static. */
const char *dip_audit_name(dip_audit_kind kind);
const char *dip_audit_words(dip_audit_kind kind);
dip_audit_severity dip_audit_severity_of(dip_audit_kind kind);
const char *dip_audit_severity_name(dip_audit_severity severity);

/* Titles are compared as base/utf8.h normalises them; images by the SHA-256 of
 * their bytes, and as similar when their difference hashes (image/hash.h)
 * differ in at most 3 bits and their colours on a grid of 8 x 8 by at most 10
 * levels anywhere. Rows of one group never are duplicates of each other. The
 * caller ends *out with dip_audit_free(). */
dip_status dip_audit_run(dip_audit *out, const dip_catalog *catalog,
                         const dip_audit_options *options,
                         dip_err *err) DIP_MUST_CHECK;
void dip_audit_free(dip_audit *audit);

#endif
