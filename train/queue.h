/* Rows of earlier batches, which stand beside a batch as more wrong answers: a
 * cross-batch memory (XBM, arXiv 1912.06798). They are kept as they were
 * embedded, without gradient, and with the keys that tell which of them are no
 * wrong answers. */
#ifndef DIP_TRAIN_QUEUE_H
#define DIP_TRAIN_QUEUE_H

#include <stdint.h>

#include "base/status.h"
#include "losses/loss.h"
#include "tensor/params.h"

typedef struct dip_queue dip_queue;

typedef struct {
    int64_t rows; /* room for so many, at least 1: the oldest make place */
    int64_t dim;  /* of an embedding */
    int64_t key_columns; /* at least 1 */
    dip_device device;   /* of the embeddings; keys are on the CPU */
} dip_queue_size;

/* An empty queue. All that it ever holds are tensors in `memory`, which must
 * outlive it: "<name>.queries" and "<name>.items" F32 [rows, dim],
 * "<name>.keys" I64 [rows, key_columns] and "<name>.count" I64 [1], the rows
 * that were ever taken in. The caller ends *out with dip_queue_free(). */
dip_status dip_queue_create(dip_queue **out, dip_params *memory,
                            const char *name, const dip_queue_size *size,
                            dip_err *err) DIP_MUST_CHECK;
void dip_queue_free(dip_queue *queue); /* NULL allowed */

/* The rest follows tensor/tensor.h. `keys` are I64 [B, key_columns] of the
 * batch, on the CPU: two rows that agree in any column may be right for each
 * other. */

/* Sets the past of `input`: copies of the rows that the queue holds, which hide
 * where keys agree; leaves it as it is while there are none. */
void dip_queue_give(const dip_queue *queue, const dip_tensor *keys,
                    dip_loss_input *input);
/* Takes in the valid queries and items of `input`. */
void dip_queue_take(dip_queue *queue, const dip_tensor *keys,
                    const dip_loss_input *input);

#endif
