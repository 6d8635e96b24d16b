#include "data/interner.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_SLOTS 64

struct dip_interner {
    char *text; /* all strings, one behind the other */
    size_t text_len, text_capacity;
    size_t *ends; /* [count] of each string in `text` */
    size_t count, ends_capacity;
    int64_t *slots; /* [slot_count] number + 1, 0 = free; a power of two */
    size_t slot_count;
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash(dip_bytes bytes)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ (uint8_t)bytes.data[i]) * UINT64_C(0x100000001b3);
    return h ^ (h >> 32);
}

dip_bytes dip_interner_get(const dip_interner *interner, int64_t number)
{
    size_t i = (size_t)number;
    size_t start = i > 0 ? interner->ends[i - 1] : 0;
    return (dip_bytes){interner->text + start, interner->ends[i] - start};
}

/* The slot that holds `bytes`, or the free one where they belong. Linear
 * probing; at most half of the slots are taken, so it ends. */
static size_t find_slot(const dip_interner *interner, dip_bytes bytes)
{
    size_t mask = interner->slot_count - 1;
    size_t at = (size_t)hash(bytes) & mask;
    while (interner->slots[at] != 0) {
        dip_bytes have = dip_interner_get(interner, interner->slots[at] - 1);
        if (have.len == bytes.len &&
            memcmp(have.data, bytes.data, bytes.len) == 0)
            break;
        at = (at + 1) & mask;
    }
    return at;
}

dip_status dip_interner_create(dip_interner **out, dip_err *err)
{
    *out = NULL;
    dip_interner *interner = dip_calloc(1, sizeof *interner);
    if (interner == NULL)
        return dip_no_memory(err);
    interner->slot_count = FIRST_SLOTS;
    interner->slots = dip_calloc(FIRST_SLOTS, sizeof *interner->slots);
    dip_status st = dip_reserve(&interner->text, &interner->text_capacity, 1, 1,
                                err); /* so that "" has an address */
    if (st == DIP_OK && interner->slots == NULL)
        st = dip_no_memory(err);
    if (st != DIP_OK) {
        dip_interner_free(interner);
        return st;
    }
    *out = interner;
    return DIP_OK;
}

void dip_interner_free(dip_interner *interner)
{
    if (interner == NULL)
        return;
    free(interner->text);
    free(interner->ends);
    free(interner->slots);
    free(interner);
}

static dip_status grow_slots(dip_interner *interner, dip_err *err)
{
    size_t doubled;
    if (dip_mul_overflows(interner->slot_count, 2, &doubled))
        return dip_no_memory(err);
    int64_t *slots = dip_calloc(doubled, sizeof *slots);
    if (slots == NULL)
        return dip_no_memory(err);
    free(interner->slots);
    interner->slots = slots;
    interner->slot_count = doubled;
    for (size_t i = 0; i < interner->count; i++) {
        dip_bytes bytes = dip_interner_get(interner, (int64_t)i);
        slots[find_slot(interner, bytes)] = (int64_t)i + 1;
    }
    return DIP_OK;
}

static dip_status append(dip_interner *interner, dip_bytes bytes, dip_err *err)
{
    size_t end;
    if (dip_add_overflows(interner->text_len, bytes.len, &end))
        return dip_no_memory(err);
    dip_status st =
        dip_reserve(&interner->text, &interner->text_capacity, end, 1, err);
    if (st != DIP_OK)
        return st;
    st = dip_reserve(&interner->ends, &interner->ends_capacity,
                     interner->count + 1, sizeof *interner->ends, err);
    if (st != DIP_OK)
        return st;
    if (bytes.len > 0)
        memcpy(interner->text + interner->text_len, bytes.data, bytes.len);
    interner->text_len = end;
    interner->ends[interner->count++] = end;
    return DIP_OK;
}

dip_status dip_interner_add(int64_t *out, dip_interner *interner,
                            dip_bytes bytes, dip_err *err)
{
    size_t slot = find_slot(interner, bytes);
    if (interner->slots[slot] != 0) {
        *out = interner->slots[slot] - 1;
        return DIP_OK;
    }
    if (2 * (interner->count + 1) > interner->slot_count) {
        dip_status st = grow_slots(interner, err);
        if (st != DIP_OK)
            return st;
        slot = find_slot(interner, bytes);
    }
    dip_status st = append(interner, bytes, err);
    if (st != DIP_OK)
        return st;
    *out = (int64_t)interner->count - 1;
    interner->slots[slot] = *out + 1;
    return DIP_OK;
}

int64_t dip_interner_find(const dip_interner *interner, dip_bytes bytes)
{
    return interner->slots[find_slot(interner, bytes)] - 1;
}

int64_t dip_interner_count(const dip_interner *interner)
{
    return (int64_t)interner->count;
}
