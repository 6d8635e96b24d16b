#include "data/catalog_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* FNV-1a, with the high half folded in because slots take the low bits. */
static size_t hash_of(dip_bytes name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.data[i]) * 0x100000001b3u;
    return (size_t)(h ^ (h >> 32));
}

/* The slot that holds `name`, or the free one where it belongs. */
static size_t find_slot(const dip_names *names, dip_bytes name)
{
    size_t at = hash_of(name) & (names->slot_count - 1);
    for (; names->slots[at] >= 0; at = (at + 1) & (names->slot_count - 1)) {
        dip_bytes other = dip_names_get(names, names->slots[at]);
        if (other.len == name.len &&
            (name.len == 0 || memcmp(other.data, name.data, name.len) == 0))
            break;
    }
    return at;
}

/* Keeps at least half of the slots free. */
static dip_status grow_slots(dip_names *names, dip_err *err)
{
    if ((size_t)names->count < names->slot_count / 2)
        return DIP_OK;
    dip_names grown = *names;
    grown.slot_count = names->slot_count == 0 ? 64 : names->slot_count * 2;
    grown.slots = dip_calloc(grown.slot_count, sizeof *grown.slots);
    if (grown.slots == NULL)
        return dip_no_memory(err);
    for (size_t i = 0; i < grown.slot_count; i++)
        grown.slots[i] = -1;
    for (int64_t i = 0; i < names->count; i++)
        grown.slots[find_slot(&grown, dip_names_get(names, i))] = i;
    free(names->slots);
    *names = grown;
    return DIP_OK;
}

dip_status dip_names_add(dip_names *names, dip_bytes name, int64_t *number,
                         dip_err *err)
{
    dip_status st = grow_slots(names, err);
    if (st != DIP_OK)
        return st;
    size_t slot = find_slot(names, name);
    if (names->slots[slot] >= 0) {
        *number = names->slots[slot];
        return DIP_OK;
    }
    size_t end;
    if (dip_add_overflows(names->len, name.len, &end))
        return dip_no_memory(err);
    st = dip_reserve(&names->bytes, &names->byte_capacity, end, 1, err);
    if (st != DIP_OK)
        return st;
    st = dip_reserve(&names->offsets, &names->offset_capacity,
                     (size_t)names->count + 2, sizeof *names->offsets, err);
    if (st != DIP_OK)
        return st;
    if (name.len > 0)
        memcpy(names->bytes + names->len, name.data, name.len);
    names->len = end;
    names->offsets[0] = 0;
    names->offsets[names->count + 1] = (int64_t)end;
    names->slots[slot] = names->count;
    *number = names->count++;
    return DIP_OK;
}

int64_t dip_names_find(const dip_names *names, dip_bytes name)
{
    return names->count == 0 ? -1 : names->slots[find_slot(names, name)];
}

dip_bytes dip_names_get(const dip_names *names, int64_t number)
{
    int64_t start = names->offsets[number];
    return (dip_bytes){names->bytes + start,
                       (size_t)(names->offsets[number + 1] - start)};
}

dip_status dip_names_list(dip_bytes **out, const dip_names *names, dip_err *err)
{
    *out = dip_calloc((size_t)names->count, sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < names->count; i++)
        (*out)[i] = dip_names_get(names, i);
    return DIP_OK;
}

void dip_names_free(dip_names *names)
{
    free(names->bytes);
    free(names->offsets);
    free(names->slots);
    *names = (dip_names){0};
}
