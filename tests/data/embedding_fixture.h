/* Files of embeddings in the folder of a test, for those who read them. */
#ifndef DIP_TESTS_DATA_EMBEDDING_FIXTURE_H
#define DIP_TESTS_DATA_EMBEDDING_FIXTURE_H

#include "base/mem.h"
#include "data/embedding_store.h"
#include "tests/data/catalog_fixture.h"

#define FIXTURE_MODEL                                                          \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static inline dip_embedding_info fixture_info(int64_t rows, int64_t dim,
                                              dip_similarity similarity)
{
    return (dip_embedding_info){.name = "product",
                                .model = FIXTURE_MODEL,
                                .recipe = "product of title in fp32",
                                .similarity = similarity,
                                .precision = DIP_CODES_FP32,
                                .rows = rows,
                                .dim = dim};
}

/* Ids are "id 0", "id 1" and so on. */
static inline void fixture_embeddings(const char *path,
                                      const dip_embedding_info *info,
                                      const float *values,
                                      const uint8_t *present)
{
    dip_err err = {0};
    dip_embedding_writer *w;
    size_t rows = (size_t)info->rows;
    char(*texts)[32] = calloc(rows, sizeof *texts);
    dip_bytes *ids = calloc(rows, sizeof *ids);
    dip_row_digest *digests = calloc(rows, sizeof *digests);
    assert_true(texts != NULL && ids != NULL && digests != NULL);
    for (size_t i = 0; i < rows; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "id %zu", i);
        ids[i] = bytes_of(texts[i]);
    }
    assert_int_equal(dip_embedding_writer_open(&w, path, info, ids, &err),
                     DIP_OK);
    assert_int_equal(
        dip_embedding_writer_add(w, values, present, digests, info->rows, &err),
        DIP_OK);
    assert_int_equal(dip_embedding_writer_commit(w, &err), DIP_OK);
    dip_embedding_writer_close(w);
    free(digests);
    free(ids);
    free(texts);
}

static inline dip_embedding_store *fixture_store(const char *path)
{
    dip_err err = {0};
    dip_embedding_store *store;
    assert_int_equal(dip_embedding_store_open(&store, path, &err), DIP_OK);
    return store;
}

#endif
