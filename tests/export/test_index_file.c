#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "export/index_file.h"
#include "tests/data/embedding_fixture.h"
#include "tests/models/helper.h"

enum { DIM = 4, ROWS = 12, ABSENT = 5 };

/* Row i points where no other does; one is absent. */
static dip_embedding_store *make_store(void)
{
    float values[ROWS * DIM] = {0};
    uint8_t present[ROWS];
    for (int i = 0; i < ROWS; i++) {
        present[i] = i != ABSENT;
        values[i * DIM] = present[i] ? cosf((float)i / 4) : 0;
        values[i * DIM + 1] = present[i] ? sinf((float)i / 4) : 0;
    }
    dip_embedding_info info = fixture_info(ROWS, DIM, DIP_SIMILARITY_COSINE);
    fixture_embeddings(fixture_path("e.h5"), &info, values, present);
    return fixture_store(fixture_path("e.h5"));
}

static void write_index(const char *path)
{
    dip_err err = {0};
    dip_index_built built;
    dip_embedding_store *store = make_store();
    json_t *measured = json_pack("{s:i}", "queries", 3);
    dip_index_options o = {.kind = DIP_INDEX_FLAT, .dim = DIM};
    assert_ok(dip_index_complete(&o, ROWS, &err), &err);
    assert_ok(dip_index_build(&built, &o, store, &err), &err);
    assert_int_equal(built.count, ROWS - 1);
    assert_int_equal(dip_index_rows(built.index), ROWS - 1);
    assert_int_equal(built.rows[ABSENT], ABSENT + 1);
    assert_ok(dip_index_file_write(path, &built, &o, store, measured, &err),
              &err);
    json_decref(measured);
    dip_index_built_free(&built);
    dip_embedding_store_close(store);
}

static void test_index_file_has_the_ids_of_what_is_found(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_index_file file;
    const char *path = fixture_path("a.faiss");
    write_index(path);
    assert_ok(dip_index_file_read(&file, path, &err), &err);
    assert_string_equal(file.name, "product");
    assert_string_equal(file.model, FIXTURE_MODEL);
    assert_string_equal(file.recipe, "product of title in fp32");
    json_t *measured = json_object_get(file.about, "measured");
    assert_int_equal(json_integer_value(json_object_get(measured, "queries")),
                     3);
    for (int i = 0; i < ROWS; i++) {
        const float query[DIM] = {cosf((float)i / 4), sinf((float)i / 4)};
        dip_embeddings q = {query, 1, DIM, DIP_SIMILARITY_COSINE};
        dip_hit hit;
        char wanted[32];
        (void)snprintf(wanted, sizeof wanted, "id %d", i);
        assert_ok(dip_index_search(&hit, file.index, &q, 1, true, &err), &err);
        dip_bytes id = dip_index_file_id(&file, hit.row);
        bool same =
            id.len == strlen(wanted) && !memcmp(id.data, wanted, id.len);
        assert_true(same == (i != ABSENT));
    }
    dip_index_file_free(&file);
}

/* ---- damage ---- */

typedef struct {
    const char *key;
    const char *json; /* in its place; NULL: it is taken away */
    const char *message;
} damage;

static const damage damages[] = {
    {"schema", "\"diptych-index/2\"",
     "schema of '%s.json' is not diptych-index/1"},
    {"model", NULL, "no key 'model' in '%s.json'"},
    {"ids", "[\"a\"]",
     "'%s.json' tells of another index than the one beside it"},
    {"ids", "[1]", "id 0 of '%s.json' is no text"},
    {"dim", "5", "'%s.json' tells of another index than the one beside it"},
    {"similarity", "\"euclidean\"",
     "'%s.json' tells of another index than the one beside it"},
    {"type", "\"ivf\"",
     "'%s.json' tells of another index than the one beside it"},
    {"sha256", "\"00\"", "'%s' has another sha-256 than '%s.json' says"},
    {"bytes", "7", "'%s' has 221 bytes, not the 7 of '%s.json'"},
};

static void put_damage(const char *json_path, const damage *d)
{
    dip_err err = {0};
    json_t *about;
    assert_ok(dip_json_load(&about, json_path, 1 << 20, &err), &err);
    if (d->json == NULL)
        assert_int_equal(json_object_del(about, d->key), 0);
    else
        assert_int_equal(
            json_object_set_new(about, d->key,
                                json_loads(d->json, JSON_DECODE_ANY, NULL)),
            0);
    assert_ok(dip_json_write(json_path, about, DIP_JSON_AS_BUILT, &err), &err);
    json_decref(about);
}

static void test_index_file_refuses_what_does_not_belong_together(void **state)
{
    (void)state;
    char path[256], beside[272];
    (void)snprintf(path, sizeof path, "%s", fixture_path("b.faiss"));
    (void)snprintf(beside, sizeof beside, "%s.json", path);
    for (size_t i = 0; i < DIP_ARRAY_LEN(damages); i++) {
        dip_err err = {0};
        dip_index_file file;
        dip_str wanted = {0};
        write_index(path);
        put_damage(beside, &damages[i]);
        assert_int_equal(dip_index_file_read(&file, path, &err), DIP_EFORMAT);
        dip_index_file_free(&file);
        const char *text = damages[i].message;
        for (const char *at; (at = strstr(text, "%s")) != NULL; text = at + 2) {
            dip_str_addf(&wanted, "%.*s", (int)(at - text), text);
            dip_str_addf(&wanted, "%s", path);
        }
        dip_str_addf(&wanted, "%s", text);
        assert_string_equal(err.msg, dip_str_text(&wanted));
        dip_str_free(&wanted);
    }
}

static void test_index_file_needs_both_files(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_index_file file;
    char path[256], beside[272];
    (void)snprintf(path, sizeof path, "%s", fixture_path("c.faiss"));
    (void)snprintf(beside, sizeof beside, "%s.json", path);
    write_index(path);
    assert_int_equal(remove(path), 0);
    assert_int_equal(dip_index_file_read(&file, path, &err), DIP_ENOTFOUND);
    dip_index_file_free(&file);
    write_index(path);
    assert_int_equal(remove(beside), 0);
    assert_int_equal(dip_index_file_read(&file, path, &err), DIP_EIO);
    dip_index_file_free(&file);
}

static void test_index_file_of_nothing_is_refused(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_index_built built;
    static const float values[2 * DIM];
    static const uint8_t none[2];
    dip_embedding_info info = fixture_info(2, DIM, DIP_SIMILARITY_COSINE);
    fixture_embeddings(fixture_path("n.h5"), &info, values, none);
    dip_embedding_store *store = fixture_store(fixture_path("n.h5"));
    dip_index_options o = {.kind = DIP_INDEX_FLAT, .dim = DIM};
    assert_int_equal(dip_index_build(&built, &o, store, &err), DIP_EDATA);
    assert_non_null(strstr(err.msg, "no embedding in '"));
    dip_index_built_free(&built);
    dip_embedding_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_index_file_has_the_ids_of_what_is_found),
        MODEL_TEST(test_index_file_refuses_what_does_not_belong_together),
        MODEL_TEST(test_index_file_needs_both_files),
        MODEL_TEST(test_index_file_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
