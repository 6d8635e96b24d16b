#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/tokenizer.h"
#include "data/words.h"

#define GOLDEN "tests/golden/tokenizer.json"

static dip_bytes bytes_of(const char *text)
{
    return (dip_bytes){text, strlen(text)};
}

static json_t *golden(void)
{
    json_t *root;
    dip_err err = {0};
    assert_int_equal(dip_json_load(&root, GOLDEN, 1 << 20, &err), DIP_OK);
    return root;
}

/* ---- words ---- */

static size_t unhex(char *out, const char *hex)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (char)strtoul(pair, NULL, 16);
    }
    return n;
}

/* Compares words with a list as they come. */
struct expected {
    const json_t *words;
    size_t at;
    const char *hex;
};

static dip_status compare_word(void *user, dip_bytes word, dip_err *err)
{
    (void)err;
    struct expected *expected = user;
    const json_t *want = json_array_get(expected->words, expected->at++);
    if (want == NULL)
        fail_msg("word %zu too many in %s", expected->at, expected->hex);
    if (json_is_null(want) != (word.data == NULL))
        fail_msg("word %zu of %s is known and should not be, or the reverse",
                 expected->at, expected->hex);
    if (word.data == NULL)
        return DIP_OK;
    assert_int_equal(word.len, json_string_length(want));
    assert_memory_equal(word.data, json_string_value(want), word.len);
    return DIP_OK;
}

static void check_words(const json_t *item, const char *key, bool punctuation)
{
    struct expected expected = {
        json_object_get(item, key), 0,
        json_string_value(json_object_get(item, "hex"))};
    char text[1024];
    assert_true(strlen(expected.hex) / 2 <= sizeof text);
    dip_bytes bytes = {text, unhex(text, expected.hex)};
    dip_err err = {0};
    assert_int_equal(
        dip_words_each(bytes, punctuation, compare_word, &expected, &err),
        DIP_OK);
    if (expected.at != json_array_size(expected.words))
        fail_msg("%zu words in %s, not %zu", expected.at, expected.hex,
                 json_array_size(expected.words));
}

static void test_tokenizer_words_are_those_of_the_peer(void **state)
{
    (void)state;
    json_t *root = golden();
    const json_t *texts = json_object_get(root, "texts");
    assert_true(json_array_size(texts) >= 30);
    for (size_t i = 0; i < json_array_size(texts); i++) {
        check_words(json_array_get(texts, i), "words", false);
        check_words(json_array_get(texts, i), "with_punctuation", true);
    }
    json_decref(root);
}

/* ---- vocabularies ---- */

static dip_tokenizer *build(const char *const *texts, size_t count,
                            dip_tokenizer_options options)
{
    dip_tokenizer_builder *builder;
    dip_tokenizer *tokenizer;
    assert_int_equal(dip_tokenizer_builder_create(&builder, &options, NULL),
                     DIP_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(
            dip_tokenizer_builder_add(builder, bytes_of(texts[i]), NULL),
            DIP_OK);
    assert_int_equal(dip_tokenizer_builder_finish(&tokenizer, builder, NULL),
                     DIP_OK);
    dip_tokenizer_builder_free(builder);
    return tokenizer;
}

static void check_vocabulary(const json_t *corpus, const json_t *item)
{
    const char *texts[16];
    size_t count = json_array_size(corpus);
    assert_true(count <= DIP_ARRAY_LEN(texts));
    for (size_t i = 0; i < count; i++)
        texts[i] = json_string_value(json_array_get(corpus, i));
    dip_tokenizer_options options = {
        .min_count = json_integer_value(json_object_get(item, "min_count")),
        .max_size = json_integer_value(json_object_get(item, "max_size")),
    };
    dip_tokenizer *tokenizer = build(texts, count, options);
    const json_t *tokens = json_object_get(item, "tokens");
    assert_int_equal(dip_tokenizer_size(tokenizer), json_array_size(tokens));
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *want = json_array_get(tokens, i);
        dip_bytes have = dip_tokenizer_token(tokenizer, (int64_t)i);
        assert_int_equal(have.len, json_string_length(want));
        assert_memory_equal(have.data, json_string_value(want), have.len);
    }
    dip_tokenizer_free(tokenizer);
}

static void test_tokenizer_vocabulary_is_that_of_the_peer(void **state)
{
    (void)state;
    json_t *root = golden();
    const json_t *list = json_object_get(root, "vocabularies");
    assert_int_equal(json_array_size(list), 4);
    for (size_t i = 0; i < json_array_size(list); i++)
        check_vocabulary(json_object_get(root, "corpus"),
                         json_array_get(list, i));
    json_decref(root);
}

static void test_tokenizer_builder_refuses_impossible_sizes(void **state)
{
    (void)state;
    dip_tokenizer_builder *builder;
    dip_err err = {0};
    dip_tokenizer_options options = {.max_size = 3};
    assert_int_equal(dip_tokenizer_builder_create(&builder, &options, &err),
                     DIP_ERANGE);
    assert_string_equal(err.msg, "max_size is not in 4..1048576: 3");
    options = (dip_tokenizer_options){.min_count = -1};
    assert_int_equal(dip_tokenizer_builder_create(&builder, &options, &err),
                     DIP_ERANGE);
    assert_string_equal(err.msg, "min_count is negative: -1");
}

/* ---- encoding ---- */

/* Ids 3 = red, 4 = dress, 5 = hat. */
static dip_tokenizer *small(bool eos)
{
    static const char *const texts[] = {"red red red dress dress hat"};
    return build(texts, 1, (dip_tokenizer_options){.eos = eos});
}

static void check_encoding(bool eos, const char *text, int64_t context,
                           int64_t needed, const int64_t *ids)
{
    dip_tokenizer *tokenizer = small(eos);
    int64_t got[8] = {-7, -7, -7, -7, -7, -7, -7, -7};
    int64_t got_needed;
    assert_int_equal(dip_tokenizer_encode(&got_needed, got, context, tokenizer,
                                          bytes_of(text), NULL),
                     DIP_OK);
    assert_int_equal(got_needed, needed);
    for (int64_t i = 0; i < context; i++)
        assert_int_equal(got[i], ids[i]);
    assert_int_equal(got[context], -7); /* nothing behind the context */
    dip_tokenizer_free(tokenizer);
}

static void test_tokenizer_encode_pads(void **state)
{
    (void)state;
    check_encoding(false, "Hat, red", 4, 2, (int64_t[]){5, 3, 0, 0});
    check_encoding(true, "Hat, red", 4, 3, (int64_t[]){5, 3, 2, 0});
    check_encoding(false, "", 2, 0, (int64_t[]){0, 0});
    check_encoding(true, "", 2, 1, (int64_t[]){2, 0});
}

static void test_tokenizer_encode_cuts_and_says_so(void **state)
{
    (void)state;
    check_encoding(false, "red red dress hat", 3, 4, (int64_t[]){3, 3, 4});
    check_encoding(true, "red red dress hat", 3, 5, (int64_t[]){3, 3, 2});
    check_encoding(true, "red red dress", 3, 4, (int64_t[]){3, 3, 2});
    check_encoding(true, "red red", 3, 3, (int64_t[]){3, 3, 2});
    check_encoding(true, "red", 1, 2, (int64_t[]){2});
}

static void test_tokenizer_encode_gives_unknown_words_an_id(void **state)
{
    (void)state;
    check_encoding(false, "red sock \xff\xff hat", 5, 4,
                   (int64_t[]){3, 1, 1, 5, 0});
    /* The names of the special tokens are no way to them. */
    check_encoding(false, "[eos]", 2, 1, (int64_t[]){1, 0});
}

/* ---- files ---- */

static void path_in_tmp(char out[64])
{
    snprintf(out, 64, "/tmp/test_tokenizer.XXXXXX");
    int fd = mkstemp(out);
    assert_true(fd >= 0);
    close(fd);
}

static void test_tokenizer_file_gives_the_same_tokenizer(void **state)
{
    (void)state;
    static const char *const texts[] = {"caf\xc3\xa9 \xe7\xba\xa2 a-b \"q\""};
    dip_tokenizer *before = build(
        texts, 1, (dip_tokenizer_options){.eos = true, .punctuation = true});
    char path[64];
    path_in_tmp(path);
    assert_int_equal(dip_tokenizer_save(before, path, NULL), DIP_OK);
    dip_tokenizer *after;
    dip_err err = {0};
    assert_int_equal(dip_tokenizer_load(&after, path, &err), DIP_OK);
    int64_t a[12], b[12], needed;
    dip_bytes text = bytes_of("a \xe7\xba\xa2\"q\" CAF\xc3\x89 - b unknown");
    assert_int_equal(dip_tokenizer_encode(&needed, a, 12, before, text, NULL),
                     DIP_OK);
    assert_int_equal(dip_tokenizer_encode(&needed, b, 12, after, text, NULL),
                     DIP_OK);
    assert_int_equal(needed, 10);
    assert_memory_equal(a, b, sizeof a);
    assert_true(dip_tokenizer_has_eos(after));
    char of_object[DIP_DIGEST_SIZE], of_file[DIP_DIGEST_SIZE];
    assert_int_equal(dip_tokenizer_digest(of_object, after, NULL), DIP_OK);
    assert_int_equal(dip_digest_file(of_file, path, NULL), DIP_OK);
    assert_string_equal(of_object, of_file);
    unlink(path);
    dip_tokenizer_free(before);
    dip_tokenizer_free(after);
}

#define HEAD                                                                   \
    "{\"format\": \"diptych-tokenizer\", \"version\": 1, \"kind\": \"word\","  \
    " \"punctuation\": false, \"eos\": false"
#define THREE "\"[pad]\", \"[unk]\", \"[eos]\""

/* `message` has %s for the path. */
static void check_refused(const char *content, const char *message)
{
    char path[64], want[DIP_ERR_SIZE];
    path_in_tmp(path);
    assert_int_equal(dip_file_write(path, content, strlen(content), NULL),
                     DIP_OK);
    dip_tokenizer *tokenizer;
    dip_err err = {0};
    assert_int_not_equal(dip_tokenizer_load(&tokenizer, path, &err), DIP_OK);
    assert_null(tokenizer);
    const char *mark = strstr(message, "%s");
    assert_non_null(mark);
    int n = snprintf(want, sizeof want, "%.*s%s%s", (int)(mark - message),
                     message, path, mark + 2);
    assert_true(n > 0 && (size_t)n < sizeof want);
    assert_string_equal(err.msg, want);
    unlink(path);
}

static void test_tokenizer_load_refuses_damaged_files(void **state)
{
    (void)state;
    check_refused("{\"format\": \"other\", \"version\": 1}",
                  "not a diptych-tokenizer of version 1: '%s'");
    check_refused(HEAD ", \"tokens\": [" THREE "], \"more\": 1}",
                  "not the 6 keys of a word tokenizer in '%s'");
    check_refused("{\"format\": \"diptych-tokenizer\", \"version\": 1,"
                  " \"kind\": \"bpe\", \"punctuation\": true, \"eos\": true,"
                  " \"tokens\": []}",
                  "'%s': no tokenizer 'bpe': it is one of word, character, "
                  "wordpiece, clip_bpe, sentencepiece");
    check_refused(HEAD ", \"tokens\": [\"[pad]\"]}",
                  "1 tokens, not 3 to 1048576, in '%s'");
    check_refused(HEAD ", \"tokens\": [\"[pad]\", \"[eos]\", \"[unk]\"]}",
                  "token 1 is not '[unk]' in '%s'");
    check_refused(HEAD ", \"tokens\": [" THREE ", \"red\", \"hat\", \"red\"]}",
                  "token 5 repeats token 3 in '%s'");
    check_refused(HEAD ", \"tokens\": [" THREE ", \"\"]}",
                  "token 3 is not a text of 1 to 128 bytes in '%s'");
    check_refused(HEAD ", \"tokens\": [" THREE ", 4]}",
                  "token 3 is not a text of 1 to 128 bytes in '%s'");
}

static void test_tokenizer_kinds_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < DIP_TOKENIZER_COUNT; i++) {
        dip_tokenizer_kind kind;
        const char *name = dip_tokenizer_kind_name((dip_tokenizer_kind)i);
        assert_int_equal(dip_tokenizer_kind_from_name(&kind, name, NULL),
                         DIP_OK);
        assert_int_equal(kind, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer_words_are_those_of_the_peer),
        cmocka_unit_test(test_tokenizer_vocabulary_is_that_of_the_peer),
        cmocka_unit_test(test_tokenizer_builder_refuses_impossible_sizes),
        cmocka_unit_test(test_tokenizer_encode_pads),
        cmocka_unit_test(test_tokenizer_encode_cuts_and_says_so),
        cmocka_unit_test(test_tokenizer_encode_gives_unknown_words_an_id),
        cmocka_unit_test(test_tokenizer_file_gives_the_same_tokenizer),
        cmocka_unit_test(test_tokenizer_load_refuses_damaged_files),
        cmocka_unit_test(test_tokenizer_kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
