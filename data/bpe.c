#include "data/bpe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define FIRST_SLOTS 64
#define FEW         64 /* symbols of a word that need no memory */

struct merge {
    int32_t left, right;
    size_t end; /* of the bytes that it stands for, in `bytes` */
    bool ends_word;
};

struct dip_bpe {
    struct merge *merges;
    size_t count, capacity;
    dip_str bytes;
    int32_t *slots; /* [slot_count] merge + 1, 0 = free; a power of two */
    size_t slot_count;
    dip_interner *words;   /* words that are one symbol ... */
    int32_t *word_symbols; /* ... and which */
    int32_t byte_symbols[DIP_BPE_BYTES];
};

/* ---- symbols ---- */

static bool is_printable(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
}

unsigned char dip_bpe_byte(int32_t symbol)
{
    int32_t seen = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int byte = 0; byte < DIP_BPE_BYTES; byte++) {
            if (is_printable(byte) == (pass == 0) && seen++ == symbol)
                return (unsigned char)byte;
        }
    }
    assert(false && "no symbol of a byte");
    return 0;
}

static bool ends_word(const dip_bpe *bpe, int32_t symbol)
{
    return symbol >= DIP_BPE_FIRST
               ? bpe->merges[symbol - DIP_BPE_FIRST].ends_word
               : symbol >= DIP_BPE_BYTES;
}

/* Appends the bytes that the symbol stands for. */
static void add_bytes(dip_bpe *bpe, int32_t symbol)
{
    if (symbol < DIP_BPE_FIRST) {
        char byte = (char)dip_bpe_byte(symbol % DIP_BPE_BYTES);
        dip_str_add_n(&bpe->bytes, &byte, 1);
        return;
    }
    size_t i = (size_t)(symbol - DIP_BPE_FIRST);
    size_t start = i > 0 ? bpe->merges[i - 1].end : 0;
    size_t n = bpe->merges[i].end - start;
    for (size_t k = 0; k < n; k++) { /* the text may move while it grows */
        char byte = bpe->bytes.data[start + k];
        dip_str_add_n(&bpe->bytes, &byte, 1);
    }
}

/* ---- pairs ---- */

/* The slot of the pair, or the free one where it belongs. Linear probing; at
 * most half of the slots are taken, so it ends. */
static size_t find_slot(const dip_bpe *bpe, int32_t left, int32_t right)
{
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) *
                    UINT64_C(0x9e3779b97f4a7c15);
    size_t mask = bpe->slot_count - 1;
    size_t at = (size_t)(hash >> 32) & mask;
    while (bpe->slots[at] != 0) {
        const struct merge *merge = &bpe->merges[bpe->slots[at] - 1];
        if (merge->left == left && merge->right == right)
            break;
        at = (at + 1) & mask;
    }
    return at;
}

/* The symbol that the two make, or -1. */
static int32_t merged(const dip_bpe *bpe, int32_t left, int32_t right)
{
    int32_t found = bpe->slots[find_slot(bpe, left, right)];
    return found > 0 ? DIP_BPE_FIRST + found - 1 : -1;
}

static dip_status grow_slots(dip_bpe *bpe, dip_err *err)
{
    size_t doubled = 2 * bpe->slot_count;
    int32_t *slots = dip_calloc(doubled, sizeof *slots);
    if (slots == NULL)
        return dip_no_memory(err);
    free(bpe->slots);
    bpe->slots = slots;
    bpe->slot_count = doubled;
    for (size_t i = 0; i < bpe->count; i++) {
        const struct merge *merge = &bpe->merges[i];
        slots[find_slot(bpe, merge->left, merge->right)] = (int32_t)i + 1;
    }
    return DIP_OK;
}

dip_status dip_bpe_create(dip_bpe **out, dip_err *err)
{
    *out = NULL;
    dip_bpe *bpe = dip_calloc(1, sizeof *bpe);
    if (bpe == NULL)
        return dip_no_memory(err);
    bpe->slot_count = FIRST_SLOTS;
    bpe->slots = dip_calloc(FIRST_SLOTS, sizeof *bpe->slots);
    dip_status st = dip_interner_create(&bpe->words, err);
    if (st == DIP_OK && bpe->slots == NULL)
        st = dip_no_memory(err);
    if (st != DIP_OK) {
        dip_bpe_free(bpe);
        return st;
    }
    for (int32_t i = 0; i < DIP_BPE_BYTES; i++)
        bpe->byte_symbols[dip_bpe_byte(i)] = i;
    *out = bpe;
    return DIP_OK;
}

void dip_bpe_free(dip_bpe *bpe)
{
    if (bpe == NULL)
        return;
    free(bpe->merges);
    dip_str_free(&bpe->bytes);
    free(bpe->slots);
    dip_interner_free(bpe->words);
    free(bpe->word_symbols);
    free(bpe);
}

dip_status dip_bpe_add(dip_bpe *bpe, int32_t left, int32_t right, dip_err *err)
{
    if (merged(bpe, left, right) >= 0)
        return dip_fail(err, DIP_EFORMAT, "merge %d repeats merge %d",
                        (int)bpe->count,
                        merged(bpe, left, right) - DIP_BPE_FIRST);
    dip_status st = dip_reserve(&bpe->merges, &bpe->capacity, bpe->count + 1,
                                sizeof *bpe->merges, err);
    if (st == DIP_OK && 2 * (bpe->count + 1) > bpe->slot_count)
        st = grow_slots(bpe, err);
    if (st != DIP_OK)
        return st;
    add_bytes(bpe, left);
    add_bytes(bpe, right);
    bpe->slots[find_slot(bpe, left, right)] = (int32_t)bpe->count + 1;
    bpe->merges[bpe->count++] =
        (struct merge){left, right, bpe->bytes.len, ends_word(bpe, right)};
    return dip_str_status(&bpe->bytes, err);
}

int64_t dip_bpe_merges(const dip_bpe *bpe)
{
    return (int64_t)bpe->count;
}

void dip_bpe_pair(int32_t *left, int32_t *right, const dip_bpe *bpe, int64_t i)
{
    *left = bpe->merges[i].left;
    *right = bpe->merges[i].right;
}

/* ---- words ---- */

/* The symbols of a word are a list; a merge leaves its left one and takes the
 * right one out. The heap holds the pairs that can be merged: the symbol that
 * they make in the upper half, which is their rank, and the place of the left
 * one below; those of symbols that have changed since are passed over. */
struct symbol {
    int32_t id; /* -1: taken out */
    int32_t before, behind;
};

struct word {
    const dip_bpe *bpe;
    struct symbol *symbols;
    uint64_t *heap;
    size_t heap_count;
};

static void push(struct word *word, int32_t at)
{
    int32_t behind = at >= 0 ? word->symbols[at].behind : -1;
    if (behind < 0)
        return;
    int32_t made =
        merged(word->bpe, word->symbols[at].id, word->symbols[behind].id);
    if (made < 0)
        return;
    uint64_t item = (uint64_t)made << 32 | (uint32_t)at;
    size_t i = word->heap_count++;
    for (; i > 0 && word->heap[(i - 1) / 2] > item; i = (i - 1) / 2)
        word->heap[i] = word->heap[(i - 1) / 2];
    word->heap[i] = item;
}

static uint64_t pop(struct word *word)
{
    uint64_t least = word->heap[0], item = word->heap[--word->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= word->heap_count)
            break;
        if (child + 1 < word->heap_count &&
            word->heap[child + 1] < word->heap[child])
            child++;
        if (word->heap[child] >= item)
            break;
        word->heap[i] = word->heap[child];
        i = child;
    }
    word->heap[i] = item;
    return least;
}

static void merge_all(struct word *word)
{
    while (word->heap_count > 0) {
        uint64_t item = pop(word);
        int32_t at = (int32_t)(uint32_t)item, made = (int32_t)(item >> 32);
        struct symbol *left = &word->symbols[at];
        if (left->id < 0 || left->behind < 0)
            continue;
        struct symbol *right = &word->symbols[left->behind];
        if (merged(word->bpe, left->id, right->id) != made)
            continue;
        left->id = made;
        left->behind = right->behind;
        right->id = -1;
        if (left->behind >= 0)
            word->symbols[left->behind].before = at;
        push(word, left->before);
        push(word, at);
    }
}

static void encode_symbols(dip_token_ids *out, struct word *word,
                           dip_bytes bytes)
{
    int32_t n = (int32_t)bytes.len;
    for (int32_t i = 0; i < n; i++) {
        int32_t id = word->bpe->byte_symbols[(unsigned char)bytes.data[i]];
        word->symbols[i] = (struct symbol){i == n - 1 ? id + DIP_BPE_BYTES : id,
                                           i - 1, i < n - 1 ? i + 1 : -1};
    }
    for (int32_t i = 0; i < n; i++)
        push(word, i);
    merge_all(word);
    for (int32_t i = 0; i >= 0; i = word->symbols[i].behind)
        dip_token_put(out, word->symbols[i].id);
}

/* Each merge takes a pair off the heap and adds two at most. */
static dip_status encode_slowly(dip_token_ids *out, const dip_bpe *bpe,
                                dip_bytes bytes, dip_err *err)
{
    struct symbol few[FEW];
    uint64_t few_pairs[3 * FEW];
    struct word word = {bpe, few, few_pairs, 0};
    if (bytes.len <= FEW) {
        encode_symbols(out, &word, bytes);
        return DIP_OK;
    }
    if (bytes.len > INT32_MAX / 4)
        return dip_fail(err, DIP_ERANGE, "word of %zu bytes", bytes.len);
    word.symbols = dip_calloc(bytes.len, sizeof *word.symbols);
    word.heap = dip_calloc(3 * bytes.len, sizeof *word.heap);
    dip_status st = DIP_OK;
    if (word.symbols != NULL && word.heap != NULL)
        encode_symbols(out, &word, bytes);
    else
        st = dip_no_memory(err);
    free(word.symbols);
    free(word.heap);
    return st;
}

/* Most words are one symbol, which a look into a table tells as well as all the
 * merges. Not every symbol is what its own bytes become, though. */
dip_status dip_bpe_finish(dip_bpe *bpe, dip_err *err)
{
    bpe->word_symbols = dip_calloc(bpe->count, sizeof *bpe->word_symbols);
    if (bpe->word_symbols == NULL)
        return dip_no_memory(err);
    for (size_t i = 0, start = 0; i < bpe->count;
         start = bpe->merges[i++].end) {
        if (!bpe->merges[i].ends_word)
            continue;
        dip_bytes bytes = {bpe->bytes.data + start, bpe->merges[i].end - start};
        int64_t made, number;
        dip_token_ids ids = {&made, 1, 0};
        dip_status st = encode_slowly(&ids, bpe, bytes, err);
        if (st != DIP_OK)
            return st;
        if (ids.count > 1 || made != DIP_BPE_FIRST + (int64_t)i)
            continue;
        st = dip_interner_add(&number, bpe->words, bytes, err);
        if (st != DIP_OK)
            return st;
        bpe->word_symbols[number] = (int32_t)made;
    }
    return DIP_OK;
}

dip_status dip_bpe_encode(dip_token_ids *out, const dip_bpe *bpe,
                          dip_bytes word, dip_err *err)
{
    int64_t known = dip_interner_find(bpe->words, word);
    if (known < 0)
        return encode_slowly(out, bpe, word, err);
    dip_token_put(out, bpe->word_symbols[known]);
    return DIP_OK;
}
