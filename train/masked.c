#include "train/masked.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "losses/loss.h"
#include "train/text_groups.h"

enum { STREAM_MASKED = 0x305 };

/* Texts of a batch as the tower sees them. */
typedef struct {
    const dip_masking *how;
    const dip_batch_text *text; /* as it was */
    int64_t size;               /* rows of the batch */
    dip_batch_text masked;
    dip_text_groups groups;
    int64_t *places, *targets; /* room for those of all texts */
    int64_t count;             /* of masked tokens */
} masked_texts;

static bool is_special(const dip_special_ids *special, int64_t id)
{
    return id == special->pad || id == special->bos || id == special->eos;
}

void dip_mask_tokens(int64_t *masked, const dip_masking *m,
                     const dip_batch *batch, const dip_batch_text *text)
{
    dip_rng rng = dip_rng_stream(m->seed, STREAM_MASKED, (uint64_t)batch->epoch,
                                 (uint64_t)batch->index);
    for (int64_t i = 0; i < batch->size * text->context; i++) {
        bool inside = i % text->context < text->lengths[i / text->context];
        bool drawn = inside && !is_special(&m->special, text->ids[i]) &&
                     dip_rng_uniform(&rng) < m->probability;
        masked[i] = drawn ? m->mask : text->ids[i];
    }
}

static int64_t begin_of(const dip_text_groups *groups, int g)
{
    return g > 0 ? groups->ends[g - 1] : 0;
}

/* Where group `g` has masked tokens, as places in [rows * width], and what
 * they were; behind those of earlier groups. Texts that are the same when
 * masked share places, but not what stood there. Tells how many. */
static int64_t find_masked(masked_texts *m, int g)
{
    int64_t begin = begin_of(&m->groups, g), width = m->groups.widths[g];
    int64_t context = m->text->context, before = m->count;
    for (int64_t row = 0; row < m->size; row++) {
        const int64_t place = m->groups.place[row];
        if (place < begin || place >= m->groups.ends[g])
            continue;
        for (int64_t t = 0; t < m->text->lengths[row]; t++) {
            int64_t id = m->text->ids[row * context + t];
            if (m->masked.ids[row * context + t] == id)
                continue;
            m->places[m->count] = (place - begin) * width + t;
            m->targets[m->count++] = id;
        }
    }
    return m->count - before;
}

/* What the tower has at the masked places of group `g`: [n, F]. */
static dip_tensor *encode_group(masked_texts *m, const dip_tensor *ids,
                                const dip_tensor *lengths, int g)
{
    dip_device device = m->how->device;
    int64_t begin = begin_of(&m->groups, g), before = m->count;
    int64_t size = m->groups.ends[g] - begin, count = find_masked(m, g);
    int64_t width = m->groups.widths[g], context = m->text->context;
    dip_tensor *rows =
        dip_tensor_from(m->groups.rows + begin, DIP_I64, 1, &size);
    ids = dip_t_narrow(dip_t_index_select(ids, 0, rows), 1, 0,
                       width < context ? width : context);
    dip_tensor *tokens = dip_model_text_tokens(
        m->how->model, dip_t_to_device(ids, device),
        dip_t_to_device(dip_t_index_select(lengths, 0, rows), device), true);
    if (tokens == NULL)
        return NULL;
    int64_t flat[2] = {-1, dip_tensor_size(tokens, 2)};
    dip_tensor *places =
        dip_tensor_from(m->places + before, DIP_I64, 1, &count);
    return dip_t_embedding(dip_t_reshape(tokens, 2, flat),
                           dip_t_to_device(places, device), -1);
}

static dip_tensor *loss_of(masked_texts *m)
{
    int64_t sizes[2] = {m->size, m->text->context};
    dip_tensor *ids = dip_tensor_borrow(m->masked.ids, DIP_I64, 2, sizes);
    dip_tensor *lengths =
        dip_tensor_borrow(m->masked.lengths, DIP_I64, 1, sizes);
    dip_tensor *parts[DIP_TEXT_GROUPS_MAX];
    for (int g = 0; g < m->groups.count; g++)
        parts[g] = encode_group(m, ids, lengths, g);
    dip_tensor *logits = dip_model_masked_logits(
        m->how->model, dip_t_cat(parts, m->groups.count, 0));
    if (m->count == 0) /* a mean of none is NaN */
        return dip_t_mul_scalar(dip_t_sum_all(logits), 0);
    dip_tensor *targets = dip_tensor_from(m->targets, DIP_I64, 1, &m->count);
    return dip_loss_cross_entropy(
        logits, dip_t_to_device(targets, m->how->device), NULL, 0);
}

dip_status dip_masked_loss(dip_tensor **loss, const dip_masking *how,
                           const dip_batch *batch, dip_err *err)
{
    const dip_batch_text *text = &batch->texts[0];
    size_t all = (size_t)(batch->size * text->context);
    masked_texts m = {
        .how = how,
        .text = text,
        .size = batch->size,
        .masked = *text,
        .places = dip_calloc(all, sizeof(int64_t)),
        .targets = dip_calloc(all, sizeof(int64_t)),
    };
    m.masked.ids = dip_calloc(all, sizeof(int64_t));
    bool ok = m.places != NULL && m.targets != NULL && m.masked.ids != NULL;
    if (ok) {
        dip_mask_tokens(m.masked.ids, how, batch, text);
        const dip_batch_text *texts[1] = {&m.masked};
        ok = dip_text_groups_make(&m.groups, texts, 1, batch->size,
                                  DIP_TEXT_GROUPS_MAX, 0);
    }
    if (ok)
        *loss = loss_of(&m);
    dip_status st = ok ? dip_tensor_status(err) : dip_no_memory(err);
    dip_text_groups_free(&m.groups);
    free(m.masked.ids);
    free(m.targets);
    free(m.places);
    return st;
}
