#include "train/queue.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "losses/contrast.h"

struct dip_queue {
    int64_t rows;
    dip_device device;
    dip_tensor *queries, *items, *keys, *count; /* borrowed of the memory */
};

static dip_tensor *add(dip_params *memory, const char *name, const char *part,
                       const dip_tensor *zeros)
{
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s.%s", name, part);
    return dip_params_add(memory, whole, DIP_PARAM_BUFFER, zeros);
}

dip_status dip_queue_create(dip_queue **out, dip_params *memory,
                            const char *name, const dip_queue_size *size,
                            dip_err *err)
{
    *out = NULL;
    dip_queue *q = dip_calloc(1, sizeof *q);
    if (q == NULL)
        return dip_no_memory(err);
    q->rows = size->rows;
    q->device = size->device;
    int64_t rows[2] = {size->rows, size->dim};
    int64_t keys[2] = {size->rows, size->key_columns}, one = 1;
    dip_scope_open();
    dip_tensor *zeros =
        dip_t_to_device(dip_tensor_full(0, DIP_F32, 2, rows), size->device);
    q->queries = add(memory, name, "queries", zeros);
    q->items = add(memory, name, "items", dip_t_clone(zeros));
    q->keys = add(memory, name, "keys", dip_tensor_full(0, DIP_I64, 2, keys));
    q->count = add(memory, name, "count", dip_tensor_full(0, DIP_I64, 1, &one));
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st != DIP_OK) {
        dip_queue_free(q);
        return st;
    }
    *out = q;
    return DIP_OK;
}

void dip_queue_free(dip_queue *queue)
{
    free(queue);
}

/* Rows that were ever taken in. */
static int64_t count_of(const dip_queue *q)
{
    int64_t count = 0;
    dip_tensor_read(q->count, DIP_I64, &count, sizeof count);
    return count;
}

/* BOOL [B, Q]: rows of a [B, K] and b [Q, K] agree in any column. */
static dip_tensor *agree(const dip_tensor *a, const dip_tensor *b)
{
    dip_tensor *any = NULL;
    for (int64_t k = 0; k < dip_tensor_size(a, 1); k++)
        any = dip_either(any,
                         dip_t_eq(dip_t_unsqueeze(dip_t_select(a, 1, k), 1),
                                  dip_t_unsqueeze(dip_t_select(b, 1, k), 0)));
    return any;
}

/* Copies, since the backward pass still needs them when the queue has taken in
 * the batch. */
void dip_queue_give(const dip_queue *q, const dip_tensor *keys,
                    dip_loss_input *input)
{
    int64_t count = count_of(q), held = count < q->rows ? count : q->rows;
    if (held == 0)
        return;
    input->past_queries = dip_t_clone(dip_t_narrow(q->queries, 0, 0, held));
    input->past_items = dip_t_clone(dip_t_narrow(q->items, 0, 0, held));
    input->past_hidden = dip_t_to_device(
        agree(keys, dip_t_narrow(q->keys, 0, 0, held)), q->device);
}

/* Writes rows [from, end) of `rows` to the ring, the row `from` at `at`. */
static void write(dip_tensor *ring, int64_t at, const dip_tensor *rows,
                  int64_t from, int64_t end)
{
    int64_t room = dip_tensor_size(ring, 0);
    while (from < end && !dip_tensor_failed()) {
        int64_t place = at % room, part = room - place;
        part = part < end - from ? part : end - from;
        dip_tensor_assign(dip_t_narrow(ring, 0, place, part),
                          dip_t_narrow(rows, 0, from, part));
        at += part;
        from += part;
    }
}

static dip_tensor *taken(const dip_tensor *rows, const dip_tensor *at)
{
    dip_tensor *all = dip_t_detach(rows);
    return at != NULL ? dip_t_index_select(all, 0, at) : all;
}

void dip_queue_take(dip_queue *q, const dip_tensor *keys,
                    const dip_loss_input *input)
{
    dip_scope_open();
    dip_tensor *at = NULL, *key_at = NULL;
    if (input->valid != NULL) {
        at = dip_t_flatten(dip_places(input->valid), 0, 1);
        key_at = dip_t_to_device(at, DIP_CPU);
    }
    dip_tensor *fresh = taken(keys, key_at);
    int64_t count = count_of(q), rows = dip_tensor_size(fresh, 0);
    int64_t from = rows > q->rows ? rows - q->rows : 0; /* would be lost */
    write(q->queries, count + from, taken(input->queries, at), from, rows);
    write(q->items, count + from, taken(input->items, at), from, rows);
    write(q->keys, count + from, fresh, from, rows);
    dip_tensor_assign(q->count, dip_t_add_scalar(q->count, (double)rows));
    dip_scope_close();
}
