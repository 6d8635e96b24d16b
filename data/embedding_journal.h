/* Rows that were computed, kept as they come, until all of them are there and a
 * file of embeddings can be written: what an interrupted program goes on from.
 *
 *   "DIPEMBJ1"  key [64]  dim, int64
 *   record:  digest [16]  present, uint32  float32 [dim]  CRC-32 of the record
 *
 * Records stand in the order in which rows are computed; all numbers are those
 * of the machine. Whoever opens it says which rows he is about to compute: the
 * records that begin the file and are of the first of these rows are kept, and
 * whatever follows the first that is damaged or of another row is cut off. */
#ifndef DIP_DATA_EMBEDDING_JOURNAL_H
#define DIP_DATA_EMBEDDING_JOURNAL_H

#include <stdint.h>

#include "base/status.h"
#include "data/embedding_store.h"

typedef struct dip_embedding_journal dip_embedding_journal;

/* Opens or makes `path`. `key`, 64 characters, stands for all that makes the
 * numbers: a file of another key or `dim`, or none of this format, is emptied.
 * *kept gets the number of rows among the first of `wanted` [rows] that are
 * there. Another process that has it open is DIP_EIO. The caller ends *out with
 * dip_embedding_journal_close(). */
dip_status dip_embedding_journal_open(dip_embedding_journal **out,
                                      int64_t *kept, const char *path,
                                      const char *key, int64_t dim,
                                      const dip_row_digest *wanted,
                                      int64_t rows,
                                      dip_err *err) DIP_MUST_CHECK;
/* Appends rows [count, dim]; they are with the system when it returns. */
dip_status dip_embedding_journal_add(dip_embedding_journal *journal,
                                     const dip_row_digest *digests,
                                     const uint8_t *present,
                                     const float *values, int64_t count,
                                     dip_err *err) DIP_MUST_CHECK;
/* The rows that were kept or added, by their position. */
dip_status dip_embedding_journal_read(float *values, uint8_t *present,
                                      dip_embedding_journal *journal,
                                      int64_t first, int64_t count,
                                      dip_err *err) DIP_MUST_CHECK;
/* Removes the file; nothing but closing may follow. */
dip_status dip_embedding_journal_remove(dip_embedding_journal *journal,
                                        dip_err *err) DIP_MUST_CHECK;
void dip_embedding_journal_close(dip_embedding_journal *journal); /* or NULL */

#endif
