#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/vectors.h"

#define GOLDEN "tests/golden/vectors/"

static dip_bytes bytes_of(const char *text)
{
    return (dip_bytes){text, strlen(text)};
}

static void assert_ok(dip_status st, const dip_err *err)
{
    if (st != DIP_OK)
        fail_msg("%s: %s", dip_status_name(st), err->msg);
}

/* ---- against gensim ---- */

/* All words of expected.json have gensim's vectors; one more has none. */
static void check_golden(const char *name, const char *format)
{
    char path[64];
    json_t *all, *numbers;
    const char *word;
    dip_err err = {0};
    dip_vectors v;
    (void)snprintf(path, sizeof path, GOLDEN "%s", name);
    assert_ok(dip_json_load(&all, GOLDEN "expected.json", 1 << 20, &err), &err);
    json_t *expected = json_object_get(all, name);
    int64_t count = (int64_t)json_object_size(expected), i = 0;
    dip_bytes *words = dip_calloc((size_t)count, sizeof *words);
    json_object_foreach (expected, word, numbers)
        words[i++] = bytes_of(word);
    assert_true(count >= 9);
    assert_ok(dip_vectors_read(&v, path, words, count, &err), &err);
    assert_string_equal(v.format, format);
    i = 0;
    json_object_foreach (expected, word, numbers) {
        assert_int_equal(json_array_size(numbers), v.width);
        assert_true(v.sources[i] != DIP_VECTOR_NONE);
        for (int64_t k = 0; k < v.width; k++) {
            double want = json_real_value(json_array_get(numbers, (size_t)k));
            double got = v.values[i * v.width + k];
            if (!(fabs(got - want) <= 2e-7 * fabs(want)))
                fail_msg("%s: number %d of '%s' is %.9g, not %.9g", name,
                         (int)k, word, got, want);
        }
        i++;
    }
    dip_vectors_free(&v);
    free(words);
    json_decref(all);
}

static void test_vectors_equal_gensims(void **state)
{
    (void)state;
    check_golden("word2vec.txt", "word2vec");
    check_golden("word2vec.bin", "word2vec_binary");
    check_golden("glove.txt", "glove");
    check_golden("fasttext.vec", "word2vec");
    check_golden("fasttext.bin", "fasttext");
    check_golden("words.bin", "fasttext");
}

static void test_vectors_say_where_a_word_comes_from(void **state)
{
    (void)state;
    const dip_bytes words[] = {bytes_of("shirts"), bytes_of("unseen"),
                               bytes_of("red")};
    dip_err err = {0};
    dip_vectors v;
    assert_ok(dip_vectors_read(&v, GOLDEN "fasttext.bin", words, 3, &err),
              &err);
    assert_int_equal(v.sources[0], DIP_VECTOR_EXACT);
    assert_int_equal(v.sources[1], DIP_VECTOR_SUBWORDS);
    dip_vectors_free(&v);
    assert_ok(dip_vectors_read(&v, GOLDEN "words.bin", words, 3, &err), &err);
    assert_int_equal(v.sources[1], DIP_VECTOR_NONE);
    assert_int_equal(v.sources[2], DIP_VECTOR_EXACT);
    for (int64_t k = 0; k < v.width; k++)
        assert_true(v.values[v.width + k] == 0.0f);
    dip_vectors_free(&v);
}

/* ---- files made here ---- */

static dip_status read_text(dip_vectors *v, const char *text, size_t n,
                            const dip_bytes *words, int64_t count, dip_err *err)
{
    char path[] = "/tmp/dip-vectors-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    (void)close(fd);
    dip_status st = dip_vectors_read(v, path, words, count, err);
    (void)unlink(path);
    char *at = strstr(err->msg, path);
    if (at != NULL) /* messages without the name that mkstemp() chose */
        memmove(at, at + strlen(path), strlen(at + strlen(path)) + 1);
    return st;
}

/* The tokenizer's words are folded; those of the file need not be. The exact
 * word wins wherever it stands, then the first. */
static void test_vectors_match_folded_words_behind_exact_ones(void **state)
{
    (void)state;
    const char text[] = "Nike 1 2\nNIKE 3 4\nRED 5 6\nred 7 8\nred 9 9\n"
                        "\xff\xfe 1 1\nO'Neill 2 3\n. . . 4 5\n";
    const dip_bytes words[] = {bytes_of("nike"), bytes_of("red"),
                               bytes_of("oneill"), bytes_of("blue")};
    dip_vectors v;
    dip_err err = {0};
    assert_ok(read_text(&v, text, sizeof text - 1, words, 4, &err), &err);
    assert_string_equal(v.format, "glove");
    assert_int_equal(v.file_words, 8);
    assert_int_equal(v.malformed, 1);
    assert_int_equal(v.duplicates, 1);
    const float want[] = {1, 2, 7, 8, 2, 3, 0, 0};
    assert_memory_equal(v.values, want, sizeof want);
    assert_int_equal(v.sources[0], DIP_VECTOR_FOLDED);
    assert_int_equal(v.sources[1], DIP_VECTOR_EXACT);
    assert_int_equal(v.sources[2], DIP_VECTOR_FOLDED);
    assert_int_equal(v.sources[3], DIP_VECTOR_NONE);
    dip_vectors_free(&v);
}

/* Decimals as strtof() reads them. */
static void test_vectors_read_decimals(void **state)
{
    (void)state;
    const char *const numbers[] = {
        "0",         "-0.0",
        "+1.5e3",    "1e-38",
        "3.4028e38", "1E+5",
        ".25",       "7.",
        "0.1",       "123456789012345678901234",
        "1e-50",     "0.00000000000000000000000000001234",
        "16777217",  "-1.17549435e-38"};
    char text[512] = "w";
    float want[DIP_ARRAY_LEN(numbers)];
    for (size_t i = 0; i < DIP_ARRAY_LEN(numbers); i++) {
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n, " %s", numbers[i]);
        want[i] = strtof(numbers[i], NULL);
    }
    size_t n = strlen(text);
    (void)snprintf(text + n, sizeof text - n, " \r\n");
    const dip_bytes word = bytes_of("w");
    dip_vectors v;
    dip_err err = {0};
    assert_ok(read_text(&v, text, strlen(text), &word, 1, &err), &err);
    assert_int_equal(v.width, DIP_ARRAY_LEN(numbers));
    assert_memory_equal(v.values, want, sizeof want);
    dip_vectors_free(&v);
}

#define REFUSED(bytes, message)                                                \
    do {                                                                       \
        const dip_bytes word = bytes_of("a");                                  \
        dip_vectors v;                                                         \
        dip_err err = {0};                                                     \
        assert_int_equal(                                                      \
            read_text(&v, bytes, sizeof(bytes) - 1, &word, 1, &err),           \
            DIP_EFORMAT);                                                      \
        assert_string_equal(err.msg, message);                                 \
        assert_null(v.values);                                                 \
    } while (0)

static void test_vectors_refuse_wrong_text(void **state)
{
    (void)state;
    REFUSED("3 2\na 1 2\nb 3 4\n", "2 words in '', its first line says 3");
    REFUSED("1 2\na 1 2\nb 3 4\n", "2 words in '', its first line says 1");
    REFUSED("2 2\na 1 2\nb 3\n", "line 3 of '' has not a word and 2 numbers");
    REFUSED("1 2\na nan 2\n", "'nan' in line 2 of '' is no finite number");
    REFUSED("a 1 2\nb 1e39 2\n", "'1e39' in line 2 of '' is no finite number");
    REFUSED("a 1 2\nb 1 0x2\n", "'0x2' in line 2 of '' is no finite number");
    REFUSED("a 1 2\nb 1 2e\n", "'2e' in line 2 of '' is no finite number");
    REFUSED("a 1 2\n\n", "line 2 of '' has not a word and 2 numbers");
    REFUSED("a 1 2\nb 1 2", "last line of '' has no end");
    REFUSED("1 0\na\n", "vectors of width 0 in ''");
    REFUSED("1 9000\na 1\n", "vectors of width 9000 in ''");
    REFUSED("words and words\n",
            "neither word2vec, GloVe nor fastText (unpacked): ''");
    REFUSED("\x1f\x8b\x08",
            "neither word2vec, GloVe nor fastText (unpacked): ''");
}

static void test_vectors_refuse_wrong_binary(void **state)
{
    (void)state;
    REFUSED("2 1\na \x01\x01\x01\x01"
            "b \x01\x01",
            "'' ends in word 2 of 2");
    REFUSED("2 1\na \x01\x01\x01\x01"
            "b",
            "'' ends in word 2 of 2");
    REFUSED("1 1\na \x01\x01\x01\x01"
            "b \x01\x01\x01\x01",
            "6 bytes behind the 1 words of ''");
    REFUSED("99999999999999999 1\na \x01\x01\x01\x01",
            "'' ends in word 2 of 99999999999999999");
    REFUSED("2 1\na \x01\x01\x80\x7f"
            "b \x01\x01\x01\x01",
            "number 1 of word 1 in '' is not finite");
    REFUSED("1 1\n \x01\x01\x01\x01", "word 1 of '' has no characters");
}

static void test_vectors_refuse_an_empty_or_missing_file(void **state)
{
    (void)state;
    dip_vectors v;
    dip_err err = {0};
    assert_int_equal(read_text(&v, "", 0, NULL, 0, &err), DIP_EFORMAT);
    assert_string_equal(err.msg, "no word vectors in '': it is empty");
    assert_int_equal(dip_vectors_read(&v, GOLDEN "none", NULL, 0, &err),
                     DIP_EIO);
}

/* Every cut of a model, and every byte of its head changed, ends in an error or
 * in finite vectors. */
static void test_vectors_survive_damaged_models(void **state)
{
    (void)state;
    char *model;
    size_t n;
    dip_err err = {0};
    const dip_bytes words[] = {bytes_of("shirt"), bytes_of("unseen")};
    assert_ok(dip_file_read(&model, &n, GOLDEN "fasttext.bin", 1 << 20, &err),
              &err);
    dip_vectors v;
    for (size_t cut = 0; cut < n; cut += cut < 300 ? 1 : 97) {
        dip_status st = read_text(&v, model, cut, words, 2, &err);
        assert_int_equal(st, DIP_EFORMAT);
    }
    for (size_t at = 4; at < 300; at++) {
        char kept = model[at];
        model[at] = (char)~kept;
        if (read_text(&v, model, n, words, 2, &err) == DIP_OK) {
            for (int64_t k = 0; k < v.count * v.width; k++)
                assert_true(isfinite(v.values[k]));
            dip_vectors_free(&v);
        }
        model[at] = kept;
    }
    free(model);
}

static void test_vectors_refuse_quantised_models(void **state)
{
    (void)state;
    char *model;
    size_t n;
    dip_err err = {0};
    const dip_bytes word = bytes_of("shirt");
    assert_ok(dip_file_read(&model, &n, GOLDEN "words.bin", 1 << 20, &err),
              &err);
    dip_vectors v;
    model[4] = 13;
    assert_int_equal(read_text(&v, model, n, &word, 1, &err), DIP_EFORMAT);
    assert_string_equal(err.msg,
                        "fastText format of version 13 in '', not 11 or 12");
    model[4] = 12;
    const size_t pruned = 8 + 12 * 4 + 8 + 3 * 4 + 8;
    memset(model + pruned, 1, 4);
    memset(model + pruned + 4, 0, 4);
    assert_int_equal(read_text(&v, model, n, &word, 1, &err), DIP_EFORMAT);
    assert_string_equal(err.msg,
                        "pruned fastText model, which is not read: ''");
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_equal_gensims),
        cmocka_unit_test(test_vectors_say_where_a_word_comes_from),
        cmocka_unit_test(test_vectors_match_folded_words_behind_exact_ones),
        cmocka_unit_test(test_vectors_read_decimals),
        cmocka_unit_test(test_vectors_refuse_wrong_text),
        cmocka_unit_test(test_vectors_refuse_wrong_binary),
        cmocka_unit_test(test_vectors_refuse_an_empty_or_missing_file),
        cmocka_unit_test(test_vectors_survive_damaged_models),
        cmocka_unit_test(test_vectors_refuse_quantised_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
