/* preprocessing.json: how a serving team makes a model's inputs of photos and
 * texts, and what its outputs mean. */
#ifndef DIP_EXPORT_PREPROCESSING_H
#define DIP_EXPORT_PREPROCESSING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"
#include "data/loader.h"
#include "data/tokenizer.h"

/* A text that the model was trained on, or one field of the product. */
typedef struct {
    const char *name;     /* field; NULL: the text of a query */
    const char *template; /* of its text; NULL: the photo, or judged queries */
    /* A label or a number: what apps/fields.h keeps of it; else NULL. */
    const json_t *attribute;
} dip_preprocessing_text;

typedef struct {
    const dip_transform *transform;
    bool exif; /* photos are turned as their EXIF orientation says */
    const dip_tokenizer *tokenizer; /* NULL: texts are not read */
    const char *tokenizer_file;     /* in the bundle */
    int64_t context;
    const dip_preprocessing_text *fields; /* in the order of the fusion */
    int field_count;
    const dip_preprocessing_text *queries;
    int query_count;
    dip_similarity similarity;
    double temperature; /* what similarities are divided by */
} dip_preprocessing;

/* NULL when memory is out. The caller ends it with json_decref(). */
json_t *dip_preprocessing_json(const dip_preprocessing *preprocessing);

#endif
