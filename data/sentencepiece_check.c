/* A model is a message of Protocol Buffers, ModelProto in
 * sentencepiece_model.proto of the library; only the fields that matter here
 * are looked into. */
#include "data/sentencepiece_check.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/tokenizer.h"

#define FIELDS_MAX  ((int64_t)8 << 20) /* each costs the library memory */
#define UNITS_MAX   ((size_t)1 << 18)  /* its own largest rules have 60,000 */
#define TEXT_MAX    1024               /* bytes in the place of a character */
#define RULES_MAX   32                 /* that begin alike: its array */
#define SYMBOL_MAX  64                 /* characters: its array of prefixes */
#define WIRE_VARINT 0
#define WIRE_64     1
#define WIRE_BYTES  2
#define WIRE_32     5

enum { MODEL_PIECE = 1, MODEL_RULES = 3, MODEL_INVERSE_RULES = 5 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { RULES_CHARACTERS = 2 };
enum { TYPE_USER_DEFINED = 4 };

/* ---- messages ---- */

struct reader {
    const char *start; /* of the file */
    const char *at, *end;
    int64_t fields, pieces;
};

struct field {
    uint64_t number, wire;
    uint64_t value; /* of a varint */
    dip_bytes bytes;
};

static dip_status damaged(const struct reader *r, const char *at, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT,
                    "no sentencepiece model: damaged at byte %zu",
                    (size_t)(at - r->start));
}

static bool take_varint(uint64_t *out, struct reader *r)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char byte = (unsigned char)*r->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take_value(struct field *f, struct reader *r)
{
    uint64_t size = 0;
    switch (f->wire) {
    case WIRE_VARINT:
        return take_varint(&f->value, r);
    case WIRE_BYTES:
        if (!take_varint(&size, r))
            return false;
        break;
    case WIRE_64:
    case WIRE_32:
        size = f->wire == WIRE_64 ? 8 : 4;
        break;
    default:
        return false;
    }
    if (size > (uint64_t)(r->end - r->at))
        return false;
    f->bytes = (dip_bytes){r->at, (size_t)size};
    r->at += size;
    return true;
}

static dip_status take_field(struct field *f, struct reader *r, dip_err *err)
{
    const char *at = r->at;
    uint64_t tag;
    if (r->fields++ == FIELDS_MAX)
        return dip_fail(err, DIP_EFORMAT,
                        "no sentencepiece model: more than %lld fields",
                        (long long)FIELDS_MAX);
    if (!take_varint(&tag, r) || tag > UINT32_MAX)
        return damaged(r, at, err);
    *f = (struct field){.number = tag >> 3, .wire = tag & 7};
    return take_value(f, r) ? DIP_OK : damaged(r, at, err);
}

/* Calls `each` with the fields of the message that `bytes` are. */
static dip_status each_field(struct reader *r, dip_bytes bytes,
                             dip_status (*each)(void *, const struct field *,
                                                dip_err *),
                             void *user, dip_err *err)
{
    const char *end = r->end;
    r->at = bytes.data;
    r->end = bytes.data + bytes.len;
    dip_status st = DIP_OK;
    while (r->at < r->end && st == DIP_OK) {
        struct field f = {0};
        st = take_field(&f, r, err);
        const char *behind = r->at;
        if (st == DIP_OK)
            st = each(user, &f, err);
        r->at = behind;
    }
    r->end = end;
    return st;
}

/* ---- rules that change characters ---- */

/* A double array in the form of darts-clone. A unit holds a label, whether a
 * rule ends there, and how far away its children are; the unit that the offset
 * itself leads to has the place of the rule's text. */
struct trie {
    const char *units, *texts;
    size_t count, text_bytes;
    uint8_t *rules; /* [count] 1 + most rules on a way there; 0: not reached */
    bool *waits;    /* [count] is in `todo` */
    uint32_t *todo; /* [count] */
    size_t todo_count;
};

static uint32_t unit_of(const struct trie *t, size_t at)
{
    uint32_t unit;
    memcpy(&unit, t->units + at * sizeof unit, sizeof unit);
    return unit;
}

static size_t children_of(uint32_t unit, size_t at)
{
    return at ^ (size_t)((unit >> 10) << ((unit & 0x200) >> 6));
}

static bool ends_rule(uint32_t unit)
{
    return (unit & 0x100) != 0;
}

static bool visit(struct trie *t, size_t at, int rules)
{
    if (rules > RULES_MAX)
        return false;
    if (rules < t->rules[at])
        return true;
    t->rules[at] = (uint8_t)(rules + 1);
    if (!t->waits[at])
        t->todo[t->todo_count++] = (uint32_t)at;
    t->waits[at] = true;
    return true;
}

static bool text_is_sound(const struct trie *t, size_t at)
{
    size_t place = unit_of(t, at) & INT32_MAX;
    if (place >= t->text_bytes)
        return false;
    size_t left = t->text_bytes - place;
    return strnlen(t->texts + place, left) <= TEXT_MAX;
}

static bool unit_is_sound(struct trie *t, size_t at)
{
    uint32_t unit = unit_of(t, at);
    size_t base = children_of(unit, at);
    if ((base | UINT8_MAX) >= t->count)
        return false;
    if (ends_rule(unit) && !text_is_sound(t, base))
        return false;
    for (size_t label = 0; label <= UINT8_MAX; label++) {
        uint32_t child = unit_of(t, base ^ label);
        int rules = t->rules[at] - 1 + ends_rule(child);
        if ((child & 0x800000ff) == label && !visit(t, base ^ label, rules))
            return false;
    }
    return true;
}

/* Visits a unit again when another way there passes more rules, so a cycle of
 * rules runs into the limit and any other ends. */
static bool trie_is_sound(struct trie *t)
{
    bool sound = t->count > 0 && visit(t, 0, 0);
    while (sound && t->todo_count > 0) {
        size_t at = t->todo[--t->todo_count];
        t->waits[at] = false;
        sound = unit_is_sound(t, at);
    }
    return sound;
}

static dip_status check_trie(struct trie *t, dip_err *err)
{
    dip_status st = DIP_OK;
    t->rules = dip_calloc(t->count, sizeof *t->rules);
    t->waits = dip_calloc(t->count, sizeof *t->waits);
    t->todo = dip_calloc(t->count, sizeof *t->todo);
    if (t->rules == NULL || t->waits == NULL || t->todo == NULL)
        st = dip_no_memory(err);
    else if (!trie_is_sound(t))
        st = dip_fail(err, DIP_EFORMAT,
                      "no sentencepiece model: the rules of its normaliser "
                      "lead out of themselves");
    free(t->rules);
    free(t->waits);
    free(t->todo);
    return st;
}

/* The length of the trie in 4 bytes, the trie, texts that end in NUL each. */
static dip_status check_rules(void *user, const struct field *f, dip_err *err)
{
    (void)user;
    uint32_t size;
    if (f->number != RULES_CHARACTERS || f->wire != WIRE_BYTES ||
        f->bytes.len == 0)
        return DIP_OK;
    if (f->bytes.len > sizeof size)
        memcpy(&size, f->bytes.data, sizeof size);
    if (f->bytes.len <= sizeof size || size >= f->bytes.len - sizeof size ||
        size / sizeof size > UNITS_MAX)
        return dip_fail(err, DIP_EFORMAT,
                        "no sentencepiece model: the rules of its normaliser "
                        "have a wrong size");
    struct trie trie = {
        .units = f->bytes.data + sizeof size,
        .count = size / sizeof size,
        .texts = f->bytes.data + sizeof size + size,
        .text_bytes = f->bytes.len - sizeof size - size,
    };
    return check_trie(&trie, err);
}

/* ---- pieces ---- */

struct piece {
    dip_bytes text;
    uint32_t type;
    float score;
};

static dip_status read_piece(void *user, const struct field *f, dip_err *err)
{
    (void)err;
    struct piece *piece = user;
    if (f->number == PIECE_TEXT && f->wire == WIRE_BYTES)
        piece->text = f->bytes;
    else if (f->number == PIECE_SCORE && f->wire == WIRE_32)
        memcpy(&piece->score, f->bytes.data, sizeof piece->score);
    else if (f->number == PIECE_TYPE && f->wire == WIRE_VARINT)
        piece->type = (uint32_t)f->value;
    return DIP_OK;
}

static dip_status check_piece(struct reader *r, dip_bytes bytes, dip_err *err)
{
    struct piece piece = {0};
    dip_status st = each_field(r, bytes, read_piece, &piece, err);
    if (st != DIP_OK)
        return st;
    size_t characters = 0, at = 0;
    while (at < piece.text.len && characters <= SYMBOL_MAX) {
        (void)dip_utf8_next(piece.text.data, piece.text.len, &at);
        characters++;
    }
    long long number = r->pieces++;
    if (number == DIP_TOKENIZER_MAX_SIZE)
        return dip_fail(err, DIP_EFORMAT, "more than %d pieces",
                        DIP_TOKENIZER_MAX_SIZE);
    if (piece.text.len > 0 && memchr(piece.text.data, '\0', piece.text.len))
        return dip_fail(err, DIP_EFORMAT, "piece %lld has a NUL", number);
    if (!isfinite(piece.score))
        return dip_fail(err, DIP_EFORMAT, "the score of piece %lld is %g",
                        number, (double)piece.score);
    if (piece.type == TYPE_USER_DEFINED && characters > SYMBOL_MAX)
        return dip_fail(err, DIP_EFORMAT,
                        "piece %lld is a symbol of more than %d characters",
                        number, SYMBOL_MAX);
    return DIP_OK;
}

static dip_status check_part(void *user, const struct field *f, dip_err *err)
{
    struct reader *r = user;
    if (f->wire != WIRE_BYTES)
        return DIP_OK;
    if (f->number == MODEL_PIECE)
        return check_piece(r, f->bytes, err);
    if (f->number == MODEL_RULES || f->number == MODEL_INVERSE_RULES)
        return each_field(r, f->bytes, check_rules, r, err);
    return DIP_OK;
}

dip_status dip_sentencepiece_check(const void *bytes, size_t n, dip_err *err)
{
    struct reader r = {.start = bytes, .at = bytes, .end = bytes};
    return each_field(&r, (dip_bytes){bytes, n}, check_part, &r, err);
}
