#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "data/sentencepiece.h"
#include "data/sentencepiece_check.h"

/* ---- models, field by field as sentencepiece_model.proto numbers them ---- */

enum { NORMAL = 1, UNKNOWN, USER_DEFINED = 4 };

static void add_varint(dip_str *out, size_t value)
{
    for (; value >= 0x80; value >>= 7) {
        char byte = (char)(value | 0x80);
        dip_str_add_n(out, &byte, 1);
    }
    char byte = (char)value;
    dip_str_add_n(out, &byte, 1);
}

static void add_bytes(dip_str *out, size_t number, const void *bytes, size_t n)
{
    add_varint(out, number << 3 | 2);
    add_varint(out, n);
    dip_str_add_n(out, bytes, n);
}

static void add_piece_n(dip_str *out, const char *text, size_t n, float score,
                        size_t type)
{
    dip_str piece = {0};
    add_bytes(&piece, 1, text, n);
    add_varint(&piece, 2 << 3 | 5);
    dip_str_add_n(&piece, &score, sizeof score);
    add_varint(&piece, 3 << 3);
    add_varint(&piece, type);
    add_bytes(out, 1, piece.data, piece.len);
    dip_str_free(&piece);
}

static void add_piece(dip_str *out, const char *text, float score, size_t type)
{
    add_piece_n(out, text, strlen(text), score, type);
}

#define UNITS 768
#define LEAF  0x100u
#define TEXT  0x80000000u

/* A trie with one rule: "a" becomes texts[0]. Its root is unit 0, whose
 * children begin at 256; what "a" has begins at 512. */
struct rules {
    uint32_t size, units[UNITS];
    char texts[2048];
};

static uint32_t offset(size_t from, size_t to)
{
    return (uint32_t)(from ^ to) << 10;
}

static struct rules sound_rules(void)
{
    struct rules r = {.size = sizeof r.units, .texts = "b"};
    r.units[0] = offset(0, 256);
    r.units[256 ^ 'a'] = offset(256 ^ 'a', 512) | LEAF | 'a';
    r.units[512] = TEXT | 0;
    return r;
}

static dip_str model_with(const struct rules *rules, size_t n)
{
    dip_str model = {0}, normaliser = {0};
    add_piece(&model, "<unk>", 0, UNKNOWN);
    add_piece(&model, "b", -1, NORMAL);
    add_bytes(&normaliser, 2, rules, n);
    add_bytes(&model, 3, normaliser.data, normaliser.len);
    dip_str_free(&normaliser);
    return model;
}

static void assert_refused(dip_str *model, const char *words)
{
    dip_err err = {0};
    assert_int_equal(dip_sentencepiece_check(model->data, model->len, &err),
                     DIP_EFORMAT);
    assert_non_null(strstr(err.msg, words));
    dip_str_free(model);
}

static void refuse_rules(const struct rules *rules, const char *words)
{
    dip_str model = model_with(rules, sizeof *rules);
    assert_refused(&model, words);
}

/* ---- tests ---- */

static void keep_id(void *user, int64_t id)
{
    *(int64_t *)user = id;
}

static void test_sentencepiece_check_lets_a_sound_model_pass(void **state)
{
    (void)state;
    struct rules rules = sound_rules();
    dip_str model = model_with(&rules, sizeof rules);
    dip_err err = {0};
    dip_sentencepiece *pieces;
    int64_t last = -1;
    if (dip_sentencepiece_open(&pieces, model.data, model.len, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(
        dip_sentencepiece_encode(pieces, "a", 1, keep_id, &last, &err), DIP_OK);
    assert_int_equal(last, 1); /* the rule made it "b" */
    dip_sentencepiece_close(pieces);
    dip_str_free(&model);
}

static void
test_sentencepiece_check_refuses_rules_that_lead_astray(void **state)
{
    (void)state;
    const char *words = "rules of its normaliser lead out of themselves";
    struct rules rules = sound_rules();
    rules.units[0] = offset(0, UNITS);
    refuse_rules(&rules, words);

    rules = sound_rules(); /* shifted by 8 more */
    rules.units[256 ^ 'a'] |= 0x200;
    refuse_rules(&rules, words);

    rules = sound_rules();
    rules.units[512] = TEXT | sizeof rules.texts;
    refuse_rules(&rules, words);

    rules = sound_rules(); /* "a", "aa", "aaa", ... without end */
    rules.units[256 ^ 'a'] = offset(256 ^ 'a', 256) | LEAF | 'a';
    rules.units[256] = TEXT | 0;
    refuse_rules(&rules, words);

    rules = sound_rules();
    memset(rules.texts, 'b', 1025);
    refuse_rules(&rules, words);
    rules.texts[1024] = '\0';
    dip_str model = model_with(&rules, sizeof rules);
    assert_int_equal(dip_sentencepiece_check(model.data, model.len, NULL),
                     DIP_OK);
    dip_str_free(&model);
}

static void test_sentencepiece_check_refuses_rules_of_a_wrong_size(void **state)
{
    (void)state;
    const char *words = "rules of its normaliser have a wrong size";
    struct rules rules = sound_rules();
    rules.size = sizeof rules - sizeof rules.size;
    refuse_rules(&rules, words);
    rules.size = UINT32_MAX;
    refuse_rules(&rules, words);
    rules.size = 0; /* not even a root */
    refuse_rules(&rules, "rules of its normaliser");
    dip_str model = model_with(&rules, 3);
    assert_refused(&model, words);
}

static void test_sentencepiece_check_refuses_pieces(void **state)
{
    (void)state;
    char symbol[66] = {0};
    memset(symbol, 'a', 65);
    dip_str model = {0};
    add_piece(&model, "<unk>", 0, UNKNOWN);
    add_piece(&model, "a", NAN, NORMAL);
    assert_refused(&model, "the score of piece 1 is nan");

    add_piece_n(&model, "\0b", 2, 0, NORMAL); /* the library throws at it */
    assert_refused(&model, "piece 0 has a NUL");

    add_piece(&model, symbol, 0, USER_DEFINED);
    assert_refused(&model, "piece 0 is a symbol of more than 64 characters");
    symbol[64] = '\0';
    add_piece(&model, symbol, 0, USER_DEFINED);
    assert_int_equal(dip_sentencepiece_check(model.data, model.len, NULL),
                     DIP_OK);
    dip_str_free(&model);
}

static void test_sentencepiece_check_refuses_every_cut(void **state)
{
    (void)state;
    struct rules rules = sound_rules();
    dip_str model = model_with(&rules, sizeof rules);
    size_t pieces = 0; /* where the second, and then the rules, begin */
    for (size_t n = 1; n < model.len; n++) {
        bool between = n == 16 || n == 28;
        pieces += between;
        assert_int_equal(dip_sentencepiece_check(model.data, n, NULL),
                         between ? DIP_OK : DIP_EFORMAT);
    }
    assert_int_equal(pieces, 2);
    dip_err err = {0};
    assert_int_equal(dip_sentencepiece_check(model.data, 27, &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "no sentencepiece model: damaged at byte 16");
    dip_str_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentencepiece_check_lets_a_sound_model_pass),
        cmocka_unit_test(
            test_sentencepiece_check_refuses_rules_that_lead_astray),
        cmocka_unit_test(
            test_sentencepiece_check_refuses_rules_of_a_wrong_size),
        cmocka_unit_test(test_sentencepiece_check_refuses_pieces),
        cmocka_unit_test(test_sentencepiece_check_refuses_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
