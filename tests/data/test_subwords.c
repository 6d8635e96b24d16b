#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/tokenizer.h"

#define FOLDER      "tests/golden/subwords/"
#define CONTEXT_MAX 64

static dip_bytes bytes_of(const char *text)
{
    return (dip_bytes){text, strlen(text)};
}

static dip_tokenizer *read_ok(const dip_tokenizer_options *options)
{
    dip_tokenizer *tokenizer;
    dip_err err = {0};
    if (dip_tokenizer_read(&tokenizer, options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return tokenizer;
}

static dip_tokenizer_options options_of(dip_tokenizer_kind kind)
{
    return (dip_tokenizer_options){
        .kind = kind,
        .vocab = FOLDER "vocab.txt",
        .merges = FOLDER "merges.txt",
        .model = FOLDER "small.model",
        .clean = dip_tokenizer_kind_clean(kind),
        .pad_id = -1,
        .lowercase = true,
        .eos = true,
    };
}

/* ---- ids of the origins ---- */

static void check_case(const json_t *item, int64_t context)
{
    dip_tokenizer_options options = {0};
    const char *kind = json_string_value(json_object_get(item, "kind"));
    const char *clean = json_string_value(json_object_get(item, "clean"));
    assert_int_equal(dip_tokenizer_kind_from_name(&options.kind, kind, NULL),
                     DIP_OK);
    options = options_of(options.kind);
    if (clean != NULL)
        assert_int_equal(dip_clean_from_name(&options.clean, clean, NULL),
                         DIP_OK);
    options.lowercase = json_is_true(json_object_get(item, "lowercase"));
    dip_tokenizer *tokenizer = read_ok(&options);
    const char *hex = json_string_value(json_object_get(item, "hex"));
    const json_t *want = json_object_get(item, "ids");
    size_t n = strlen(hex) / 2;
    char *text = malloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        text[i] = (char)strtoul(pair, NULL, 16);
    }
    int64_t ids[CONTEXT_MAX], needed;
    assert_int_equal(dip_tokenizer_encode(&needed, ids, context, tokenizer,
                                          (dip_bytes){text, n}, NULL),
                     DIP_OK);
    for (int64_t i = 0; i < context; i++) {
        int64_t id = json_integer_value(json_array_get(want, (size_t)i));
        if (ids[i] != id)
            fail_msg("%s %s: id %d of %s is %d, not %d", kind,
                     clean != NULL ? clean : "", (int)i, hex, (int)ids[i],
                     (int)id);
    }
    assert_int_equal(needed,
                     json_integer_value(json_object_get(item, "needed")));
    free(text);
    dip_tokenizer_free(tokenizer);
}

static void test_subwords_ids_are_those_of_the_origins(void **state)
{
    (void)state;
    json_t *root;
    dip_err err = {0};
    assert_int_equal(dip_json_load(&root, FOLDER "cases.json", 1 << 22, &err),
                     DIP_OK);
    const json_t *cases = json_object_get(root, "cases");
    int64_t context = json_integer_value(json_object_get(root, "context"));
    assert_true(context <= CONTEXT_MAX);
    assert_true(json_array_size(cases) > 150);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i), context);
    json_decref(root);
}

static void test_subwords_packed_merges_are_the_plain_ones(void **state)
{
    (void)state;
    dip_tokenizer_options options = options_of(DIP_TOKENIZER_CLIP_BPE);
    dip_tokenizer *plain = read_ok(&options);
    options.merges = FOLDER "merges.txt.gz";
    dip_tokenizer *packed = read_ok(&options);
    options.merges = FOLDER; /* a folder that has a merges.txt */
    dip_tokenizer *folder = read_ok(&options);
    char a[DIP_DIGEST_SIZE], b[DIP_DIGEST_SIZE], c[DIP_DIGEST_SIZE];
    assert_int_equal(dip_tokenizer_digest(a, plain, NULL), DIP_OK);
    assert_int_equal(dip_tokenizer_digest(b, packed, NULL), DIP_OK);
    assert_int_equal(dip_tokenizer_digest(c, folder, NULL), DIP_OK);
    assert_string_equal(a, b);
    assert_string_equal(a, c);
    dip_tokenizer_free(plain);
    dip_tokenizer_free(packed);
    dip_tokenizer_free(folder);
}

static void test_subwords_mask_with_their_own_token(void **state)
{
    (void)state;
    dip_tokenizer_options options = options_of(DIP_TOKENIZER_WORDPIECE);
    dip_tokenizer *pieces = read_ok(&options);
    dip_bytes name = dip_tokenizer_token(pieces, dip_tokenizer_mask(pieces));
    assert_int_equal(name.len, strlen("[MASK]"));
    assert_memory_equal(name.data, "[MASK]", name.len);
    options = options_of(DIP_TOKENIZER_SENTENCEPIECE);
    dip_tokenizer *sentence = read_ok(&options);
    assert_true(dip_tokenizer_mask(sentence) ==
                    dip_tokenizer_special(sentence).unk &&
                dip_tokenizer_mask(sentence) >= 0);
    options = options_of(DIP_TOKENIZER_CLIP_BPE);
    dip_tokenizer *clip = read_ok(&options);
    assert_int_equal(dip_tokenizer_mask(clip), -1);
    dip_tokenizer_free(pieces);
    dip_tokenizer_free(sentence);
    dip_tokenizer_free(clip);
}

/* ---- contexts ---- */

static void test_subwords_cut_texts_keep_their_end(void **state)
{
    (void)state;
    dip_tokenizer_options options = options_of(DIP_TOKENIZER_WORDPIECE);
    dip_tokenizer *tokenizer = read_ok(&options);
    dip_special_ids special = dip_tokenizer_special(tokenizer);
    int64_t ids[5] = {-7, -7, -7, -7, -7}, needed;
    assert_int_equal(dip_tokenizer_encode(&needed, ids, 4, tokenizer,
                                          bytes_of("the red shirt of"), NULL),
                     DIP_OK);
    assert_int_equal(needed, 6);
    assert_int_equal(ids[0], special.bos);
    assert_int_equal(ids[3], special.eos);
    assert_int_equal(ids[4], -7);
    assert_int_equal(dip_tokenizer_length(tokenizer, needed, 4), 4);
    assert_int_equal(dip_tokenizer_length(tokenizer, 2, 4), 0);
    assert_int_equal(dip_tokenizer_length(tokenizer, 3, 4), 3);
    dip_tokenizer_free(tokenizer);
}

static void test_subwords_pads_may_count(void **state)
{
    (void)state;
    dip_tokenizer_options options = options_of(DIP_TOKENIZER_SENTENCEPIECE);
    options.count_pads = true;
    options.pad_id = 2;
    dip_tokenizer *tokenizer = read_ok(&options);
    int64_t ids[64], needed;
    assert_int_equal(dip_tokenizer_encode(&needed, ids, 64, tokenizer,
                                          bytes_of("red"), NULL),
                     DIP_OK);
    assert_true(needed < 64);
    assert_int_equal(ids[63], 2);
    assert_int_equal(dip_tokenizer_length(tokenizer, needed, 64), 64);
    assert_int_equal(dip_tokenizer_length(tokenizer, 1, 64), 0);
    dip_tokenizer_free(tokenizer);
}

/* ---- files ---- */

struct folder {
    char path[64], file[128], model[128];
};

static struct folder make_folder(void)
{
    struct folder f;
    snprintf(f.path, sizeof f.path, "/tmp/test_subwords.XXXXXX");
    assert_non_null(mkdtemp(f.path));
    snprintf(f.file, sizeof f.file, "%s/tokenizer.json", f.path);
    snprintf(f.model, sizeof f.model, "%s/tokenizer.model", f.path);
    return f;
}

static void test_subwords_saved_tokenizer_is_the_same(void **state)
{
    (void)state;
    for (int kind = DIP_TOKENIZER_WORDPIECE; kind < DIP_TOKENIZER_COUNT;
         kind++) {
        struct folder f = make_folder();
        dip_err err = {0};
        dip_tokenizer_options options = options_of((dip_tokenizer_kind)kind);
        dip_tokenizer *before = read_ok(&options), *after;
        char a[DIP_DIGEST_SIZE], b[DIP_DIGEST_SIZE];
        assert_int_equal(dip_tokenizer_save(before, f.file, &err), DIP_OK);
        if (dip_tokenizer_load(&after, f.file, &err) != DIP_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(dip_tokenizer_digest(a, before, NULL), DIP_OK);
        assert_int_equal(dip_tokenizer_digest(b, after, NULL), DIP_OK);
        assert_string_equal(a, b);
        assert_int_equal(dip_tokenizer_size(before), dip_tokenizer_size(after));
        int64_t x[32], y[32], n, m;
        dip_bytes text = bytes_of("The red shirt, caf\xc3\xa9 & doesn't");
        assert_int_equal(dip_tokenizer_encode(&n, x, 32, before, text, NULL),
                         DIP_OK);
        assert_int_equal(dip_tokenizer_encode(&m, y, 32, after, text, NULL),
                         DIP_OK);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, sizeof x);
        dip_tokenizer_free(before);
        dip_tokenizer_free(after);
        assert_int_equal(dip_tree_remove(f.path, NULL), DIP_OK);
    }
}

static void test_subwords_another_model_beside_is_refused(void **state)
{
    (void)state;
    struct folder f = make_folder();
    dip_err err = {0};
    dip_tokenizer_options options = options_of(DIP_TOKENIZER_SENTENCEPIECE);
    dip_tokenizer *tokenizer = read_ok(&options);
    assert_int_equal(dip_tokenizer_save(tokenizer, f.file, &err), DIP_OK);
    dip_tokenizer_free(tokenizer);
    char *bytes;
    size_t n;
    assert_int_equal(dip_file_read(&bytes, &n, f.model, 1 << 24, &err), DIP_OK);
    /* One more, empty, field: a sound model with other bytes. */
    char *longer = malloc(n + 3);
    memcpy(longer, bytes, n);
    memcpy(longer + n, "\xaa\x06\x00", 3);
    assert_int_equal(dip_file_write(f.model, longer, n + 3, NULL), DIP_OK);
    assert_int_equal(dip_tokenizer_load(&tokenizer, f.file, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "is not the one of"));
    assert_int_equal(dip_file_write(f.model, bytes, n / 2, NULL), DIP_OK);
    assert_int_equal(dip_tokenizer_load(&tokenizer, f.file, &err), DIP_EFORMAT);
    assert_null(tokenizer);
    free(bytes);
    free(longer);
    assert_int_equal(dip_tree_remove(f.path, NULL), DIP_OK);
}

/* ---- wrong files ---- */

static void refuse(dip_tokenizer_kind kind, const char *bytes, size_t n,
                   const char *words)
{
    struct folder f = make_folder();
    dip_tokenizer_options options = options_of(kind);
    options.vocab = options.merges = options.model = f.file;
    dip_tokenizer *tokenizer;
    dip_err err = {0};
    assert_int_equal(dip_file_write(f.file, bytes, n, NULL), DIP_OK);
    assert_int_not_equal(dip_tokenizer_read(&tokenizer, &options, &err),
                         DIP_OK);
    assert_null(tokenizer);
    if (strstr(err.msg, words) == NULL || strstr(err.msg, f.file) == NULL)
        fail_msg("'%s' has not '%s' or the file", err.msg, words);
    assert_int_equal(dip_tree_remove(f.path, NULL), DIP_OK);
}

#define REFUSE(kind, text, words)                                              \
    refuse(DIP_TOKENIZER_##kind, (text), sizeof(text) - 1, (words))

static void test_subwords_wrong_vocabularies_are_refused(void **state)
{
    (void)state;
    REFUSE(WORDPIECE, "[PAD]\n[UNK]\n[CLS]\na\n", "no token '[SEP]'");
    REFUSE(WORDPIECE, "", "no token '[PAD]'");
    REFUSE(WORDPIECE, "[PAD]\na\nb\na\n", "line 4 repeats token 1");
    REFUSE(WORDPIECE, "[PAD]\n\nb\n", "line 2 is not a text of 1 to 1024");
    REFUSE(WORDPIECE, "[PAD]\na\0b\n", "line 2 has a NUL");
    REFUSE(WORDPIECE, "[PAD]\na\xff\n", "line 2 is malformed utf-8");
}

static void test_subwords_wrong_merges_are_refused(void **state)
{
    (void)state;
    REFUSE(CLIP_BPE, "", "no '#version' in line 1");
    REFUSE(CLIP_BPE, "a b\n", "no '#version' in line 1");
    REFUSE(CLIP_BPE, "#version\nab\n", "line 2 is not two tokens");
    REFUSE(CLIP_BPE, "#version\na b c\n", "line 2 is not two tokens");
    REFUSE(CLIP_BPE, "#version\na b\n\nc d\n", "line 3 is not two tokens");
    REFUSE(CLIP_BPE, "#version\na b\na b\n", "line 3 repeats token 512");
    REFUSE(CLIP_BPE, "#version\na b\nab cd\n",
           "line 3 merges 'cd', which nothing before it makes");
}

static void test_subwords_damaged_archives_are_refused(void **state)
{
    (void)state;
    char *bytes;
    size_t n;
    assert_int_equal(
        dip_file_read(&bytes, &n, FOLDER "merges.txt.gz", 1 << 20, NULL),
        DIP_OK);
    refuse(DIP_TOKENIZER_CLIP_BPE, bytes, n / 2, "gzip data end early");
    refuse(DIP_TOKENIZER_CLIP_BPE, bytes, n - 1, "gzip data end early");
    bytes[n - 6] ^= 1;
    refuse(DIP_TOKENIZER_CLIP_BPE, bytes, n, "damaged gzip data");
    free(bytes);
}

static void test_subwords_wrong_models_are_refused(void **state)
{
    (void)state;
    REFUSE(SENTENCEPIECE, "", "sentencepiece");
    REFUSE(SENTENCEPIECE, "no model at all", "sentencepiece");
    dip_tokenizer_options options = options_of(DIP_TOKENIZER_SENTENCEPIECE);
    options.pad_id = 76;
    dip_tokenizer *tokenizer;
    dip_err err = {0};
    assert_int_equal(dip_tokenizer_read(&tokenizer, &options, &err),
                     DIP_ERANGE);
    assert_non_null(strstr(err.msg, "pad_id 76 of 76 pieces"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subwords_ids_are_those_of_the_origins),
        cmocka_unit_test(test_subwords_packed_merges_are_the_plain_ones),
        cmocka_unit_test(test_subwords_mask_with_their_own_token),
        cmocka_unit_test(test_subwords_cut_texts_keep_their_end),
        cmocka_unit_test(test_subwords_pads_may_count),
        cmocka_unit_test(test_subwords_saved_tokenizer_is_the_same),
        cmocka_unit_test(test_subwords_another_model_beside_is_refused),
        cmocka_unit_test(test_subwords_wrong_vocabularies_are_refused),
        cmocka_unit_test(test_subwords_wrong_merges_are_refused),
        cmocka_unit_test(test_subwords_damaged_archives_are_refused),
        cmocka_unit_test(test_subwords_wrong_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
