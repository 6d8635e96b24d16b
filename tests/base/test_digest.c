#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"

/* The examples of FIPS 180 for SHA-256: one block, two blocks, a million 'a',
 * and the empty message. */
static const char empty_hex[] =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char abc_hex[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char two_hex[] =
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
static const char million_hex[] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void test_digest_matches_fips_examples(void **state)
{
    (void)state;
    const char two[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    char hex[DIP_DIGEST_SIZE];
    assert_int_equal(dip_digest_bytes(hex, "", 0, NULL), DIP_OK);
    assert_string_equal(hex, empty_hex);
    assert_int_equal(dip_digest_bytes(hex, "abc", 3, NULL), DIP_OK);
    assert_string_equal(hex, abc_hex);
    assert_int_equal(dip_digest_bytes(hex, two, strlen(two), NULL), DIP_OK);
    assert_string_equal(hex, two_hex);
}

static void test_digest_streams(void **state)
{
    (void)state;
    char block[1000], hex[DIP_DIGEST_SIZE];
    memset(block, 'a', sizeof block);
    dip_digest *digest;
    assert_int_equal(dip_digest_new(&digest, NULL), DIP_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(dip_digest_add(digest, block, sizeof block, NULL),
                         DIP_OK);
    assert_int_equal(dip_digest_end(hex, digest, NULL), DIP_OK);
    dip_digest_free(digest);
    assert_string_equal(hex, million_hex);
}

static void test_digest_reads_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/diptych-test-digest-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = dip_path_join(folder, "a");
    char *bytes = malloc(1000000), hex[DIP_DIGEST_SIZE];
    assert_non_null(bytes);
    memset(bytes, 'a', 1000000);
    assert_int_equal(dip_file_write(path, bytes, 1000000, NULL), DIP_OK);
    assert_int_equal(dip_digest_file(hex, path, NULL), DIP_OK);
    assert_string_equal(hex, million_hex);
    assert_int_equal(dip_tree_remove(folder, NULL), DIP_OK);
    assert_int_equal(dip_digest_file(hex, path, NULL), DIP_EIO);
    free(bytes);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest_matches_fips_examples),
        cmocka_unit_test(test_digest_streams),
        cmocka_unit_test(test_digest_reads_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
