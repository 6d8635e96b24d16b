#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "base/rng.h"
#include "export/index.h"
#include "tests/export/helper.h"

enum { DIM = 8, GOLDEN_ROWS = 300, GOLDEN_QUERIES = 6, K = 5, DRAWN = 700 };

/* What AddressSanitizer keeps back of freed memory would count as growth. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16";
}

/* What FAISS has made of a damaged file when it gives up stays behind. Its
 * vectors, which nobody else has here, are made by functions that hide it from
 * LeakSanitizer. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:faiss::read_\nleak:_M_default_append";
}

static const char *kind_path(int kind)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "tests/golden/index_%s.faiss",
                   dip_index_kind_name((dip_index_kind)kind));
    return path;
}

static dip_index_options options_of(int kind, dip_similarity similarity)
{
    dip_err err = {0};
    dip_index_options o = {.kind = (dip_index_kind)kind,
                           .similarity = similarity,
                           .dim = DIM,
                           .seed = 3};
    assert_ok(dip_index_complete(&o, DRAWN, &err), &err);
    return o;
}

/* Unit rows around 20 points. */
static void draw(float *rows, int64_t count, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++) {
        float *row = rows + i * DIM;
        double sum = 0;
        for (int d = 0; d < DIM; d++) {
            dip_rng centre =
                dip_rng_stream(1, 1, (uint64_t)(i % 20), (uint64_t)d);
            dip_rng noise = dip_rng_stream(seed, 2, (uint64_t)i, (uint64_t)d);
            row[d] =
                (float)(dip_rng_normal(&centre) + 0.5 * dip_rng_normal(&noise));
            sum += (double)row[d] * row[d];
        }
        for (int d = 0; d < DIM; d++)
            row[d] /= (float)sqrt(sum);
    }
}

static dip_index *build(const dip_index_options *o, const float *rows,
                        int64_t count)
{
    dip_err err = {0};
    dip_index *index;
    assert_ok(dip_index_create(&index, o, &err), &err);
    if (dip_index_sample(o) > 0)
        assert_ok(dip_index_train(index, rows, count, &err), &err);
    assert_ok(dip_index_add(index, rows, count / 2, &err), &err);
    assert_ok(
        dip_index_add(index, rows + count / 2 * DIM, count - count / 2, &err),
        &err);
    assert_int_equal(dip_index_rows(index), count);
    return index;
}

static void search(dip_hit *out, const dip_index *index, const float *queries,
                   int64_t count, int64_t k)
{
    dip_err err = {0};
    dip_embeddings q = {queries, count, DIM, dip_index_similarity(index)};
    assert_ok(dip_index_search(out, index, &q, k, true, &err), &err);
}

/* ---- files of FAISS ---- */

static void test_index_reads_those_of_faiss(void **state)
{
    (void)state;
    dip_safetensors *golden = golden_open("tests/golden/index.safetensors");
    float queries[GOLDEN_QUERIES * DIM], scores[GOLDEN_QUERIES * K];
    double rows[GOLDEN_QUERIES * K];
    dip_tensor_read(golden_get(golden, "all", "queries"), DIP_F32, queries,
                    sizeof queries);
    for (int kind = 0; kind < DIP_INDEX_KIND_COUNT; kind++) {
        dip_err err = {0};
        dip_index *index;
        dip_hit found[GOLDEN_QUERIES * K];
        const char *name = dip_index_kind_name((dip_index_kind)kind);
        dip_tensor_read(golden_get(golden, name, "rows"), DIP_F64, rows,
                        sizeof rows);
        dip_tensor_read(golden_get(golden, name, "scores"), DIP_F32, scores,
                        sizeof scores);
        assert_no_error();
        assert_ok(dip_index_read(&index, kind_path(kind), &err), &err);
        assert_int_equal(dip_index_kind_of(index), kind);
        assert_int_equal(dip_index_rows(index), GOLDEN_ROWS);
        assert_int_equal(dip_index_dim(index), DIM);
        assert_int_equal(dip_index_similarity(index),
                         kind == DIP_INDEX_HNSW ? DIP_SIMILARITY_EUCLIDEAN
                                                : DIP_SIMILARITY_COSINE);
        search(found, index, queries, GOLDEN_QUERIES, K);
        for (int i = 0; i < GOLDEN_QUERIES * K; i++) {
            assert_int_equal(found[i].row, (int64_t)rows[i]);
            assert_near(found[i].score, scores[i], 1e-5);
        }
        dip_index_free(index);
    }
    dip_safetensors_close(golden);
}

/* ---- building ---- */

static void test_index_flat_is_exact(void **state)
{
    (void)state;
    static float rows[DRAWN * DIM], queries[GOLDEN_QUERIES * DIM];
    draw(rows, DRAWN, 1);
    draw(queries, GOLDEN_QUERIES, 2);
    for (int s = 0; s < 2; s++) {
        dip_err err = {0};
        dip_similarity similarity =
            s == 0 ? DIP_SIMILARITY_COSINE : DIP_SIMILARITY_EUCLIDEAN;
        dip_index_options o = options_of(DIP_INDEX_FLAT, similarity);
        dip_index *index = build(&o, rows, DRAWN);
        dip_embeddings q = {queries, GOLDEN_QUERIES, DIM, similarity};
        dip_embeddings g = {rows, DRAWN, DIM, similarity};
        dip_hit exact[GOLDEN_QUERIES * K], found[GOLDEN_QUERIES * K];
        assert_ok(dip_topk_search(exact, &q, &g, NULL, K, &err), &err);
        search(found, index, queries, GOLDEN_QUERIES, K);
        for (int i = 0; i < GOLDEN_QUERIES * K; i++) {
            assert_int_equal(found[i].row, exact[i].row);
            assert_near(found[i].score, exact[i].score, 1e-5);
        }
        dip_index_free(index);
    }
}

/* Each row among the first K that it finds itself. */
static double finds_itself(const dip_index *index, const float *rows)
{
    static dip_hit found[DRAWN * K];
    int there = 0;
    search(found, index, rows, DRAWN, K);
    for (int q = 0; q < DRAWN; q++) {
        for (int i = 0; i < K; i++)
            there += found[q * K + i].row == q;
    }
    return (double)there / DRAWN;
}

static void test_index_of_every_kind_finds_rows_and_comes_back(void **state)
{
    (void)state;
    static float rows[DRAWN * DIM];
    static dip_hit before[DRAWN * K], after[DRAWN * K];
    place p = make_place();
    draw(rows, DRAWN, 1);
    for (int i = 0; i < 2 * DIP_INDEX_KIND_COUNT; i++) {
        dip_err err = {0};
        dip_similarity similarity =
            i % 2 == 0 ? DIP_SIMILARITY_COSINE : DIP_SIMILARITY_EUCLIDEAN;
        dip_index_options o = options_of(i / 2, similarity);
        dip_index *index = build(&o, rows, DRAWN), *again;
        double least = i / 2 == DIP_INDEX_IVFPQ ? 0.3 : 0.99;
        assert_true(finds_itself(index, rows) >= least);
        assert_ok(dip_index_write(index, p.dir, &err), &err);
        assert_ok(dip_index_read(&again, p.dir, &err), &err);
        assert_int_equal(dip_index_kind_of(again), o.kind);
        assert_int_equal(dip_index_similarity(again), similarity);
        assert_int_equal(dip_index_dim(again), DIM);
        search(before, index, rows, DRAWN, K);
        search(after, again, rows, DRAWN, K);
        for (int h = 0; h < DRAWN * K; h++) {
            assert_int_equal(after[h].row, before[h].row);
            assert_true(after[h].score == before[h].score);
        }
        dip_index_free(again);
        dip_index_free(index);
    }
    remove_place(&p);
}

/* All lists are looked at, or most of the graph. */
static void test_index_options_buy_recall(void **state)
{
    (void)state;
    static float rows[DRAWN * DIM];
    draw(rows, DRAWN, 1);
    static const dip_index_options wide[] = {
        {.kind = DIP_INDEX_IVF, .lists = 16, .probes = 16},
        {.kind = DIP_INDEX_HNSW, .links = 32, .depth = 256}};
    static const dip_index_options narrow[] = {
        {.kind = DIP_INDEX_IVF, .lists = 16, .probes = 1},
        {.kind = DIP_INDEX_HNSW, .links = 2, .depth = 1}};
    dip_index_options flat = options_of(DIP_INDEX_FLAT, DIP_SIMILARITY_COSINE);
    dip_index *exact = build(&flat, rows, DRAWN);
    static dip_hit right[DRAWN * K], found[DRAWN * K];
    search(right, exact, rows, DRAWN, K);
    for (size_t i = 0; i < 2 * DIP_ARRAY_LEN(wide); i++) {
        dip_err err = {0};
        dip_index_options o = i % 2 == 0 ? wide[i / 2] : narrow[i / 2];
        o.dim = DIM;
        assert_ok(dip_index_complete(&o, DRAWN, &err), &err);
        dip_index *index = build(&o, rows, DRAWN);
        int same = 0;
        search(found, index, rows, DRAWN, K);
        for (int h = 0; h < DRAWN * K; h++)
            same += found[h].row == right[h].row;
        if (i % 2 == 0)
            assert_true(same >= 0.99 * DRAWN * K);
        else
            assert_true(same < 0.95 * DRAWN * K);
        dip_index_free(index);
    }
    dip_index_free(exact);
}

/* Places that no row fills. */
static void test_index_of_few_rows_leaves_places_empty(void **state)
{
    (void)state;
    float rows[3 * DIM];
    dip_hit found[K];
    draw(rows, 3, 1);
    for (int kind = 0; kind < DIP_INDEX_IVFPQ; kind++) {
        dip_err err = {0};
        dip_index_options o = {.kind = (dip_index_kind)kind, .dim = DIM};
        assert_ok(dip_index_complete(&o, 3, &err), &err);
        dip_index *index = build(&o, rows, 3);
        search(found, index, rows, 1, K);
        assert_int_equal(found[0].row, 0);
        assert_int_equal(found[3].row, -1);
        assert_true(found[4].score == -INFINITY);
        dip_index_free(index);
    }
}

static void test_index_refuses_queries_of_another_length(void **state)
{
    (void)state;
    dip_err err = {0};
    float rows[3 * DIM];
    dip_hit found[K];
    dip_index_options o = {.kind = DIP_INDEX_FLAT, .dim = DIM};
    draw(rows, 3, 1);
    dip_index *index = build(&o, rows, 3);
    dip_embeddings q = {rows, 1, DIM - 1, DIP_SIMILARITY_COSINE};
    assert_int_equal(dip_index_search(found, index, &q, K, true, &err),
                     DIP_ERANGE);
    assert_string_equal(err.msg, "queries of 7 numbers for an index of 8");
    dip_index_free(index);
}

/* ---- options ---- */

static void test_index_completes_options(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_index_options o = {.kind = DIP_INDEX_IVFPQ, .dim = 100};
    assert_ok(dip_index_complete(&o, 1000000, &err), &err);
    assert_int_equal(o.lists, 4000);
    assert_int_equal(o.probes, 250);
    assert_int_equal(o.code_bytes, 10); /* 12 do not divide 100 */
    assert_int_equal(o.links, 0);
    assert_true(dip_index_sample(&o) <= 300000);
    o = (dip_index_options){.kind = DIP_INDEX_IVF, .dim = 8};
    assert_ok(dip_index_complete(&o, 390, &err), &err);
    assert_int_equal(o.lists, 10);
    assert_int_equal(o.probes, 8);
    o = (dip_index_options){.kind = DIP_INDEX_HNSW, .dim = 8, .depth = 7};
    assert_ok(dip_index_complete(&o, 1, &err), &err);
    assert_int_equal(o.links, 32);
    assert_int_equal(o.depth, 7);
    assert_int_equal(dip_index_sample(&o), 0);
}

static void test_index_refuses_options(void **state)
{
    (void)state;
    static const struct {
        dip_index_options options;
        dip_status status;
        const char *message;
    } cases[] = {
        {{.kind = DIP_INDEX_FLAT, .probes = 1},
         DIP_ECONFIG,
         "an index of type flat has no probes"},
        {{.kind = DIP_INDEX_HNSW, .code_bytes = 8},
         DIP_ECONFIG,
         "an index of type hnsw has no code bytes"},
        {{.kind = DIP_INDEX_IVF, .lists = 201},
         DIP_ECONFIG,
         "201 lists, where 200 are possible"},
        {{.kind = DIP_INDEX_IVF, .lists = 4, .probes = 5},
         DIP_ECONFIG,
         "5 probes, where 4 are possible"},
        {{.kind = DIP_INDEX_IVFPQ, .code_bytes = 3},
         DIP_ECONFIG,
         "3 code bytes do not divide 8 numbers"},
        {{.kind = DIP_INDEX_IVFPQ},
         DIP_EDATA,
         "200 rows, where codes of an index are learnt of 256 at least"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_err err = {0};
        dip_index_options o = cases[i].options;
        o.dim = DIM;
        assert_int_equal(dip_index_complete(&o, 200, &err), cases[i].status);
        assert_string_equal(err.msg, cases[i].message);
    }
    dip_index_kind kind;
    assert_false(dip_index_kind_parse(&kind, "lsh"));
    for (int i = 0; i < DIP_INDEX_KIND_COUNT; i++) {
        const char *name = dip_index_kind_name((dip_index_kind)i);
        assert_true(dip_index_kind_parse(&kind, name));
        assert_int_equal(kind, i);
    }
}

/* ---- damage ---- */

static int64_t peak_mb(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss / 1024;
}

/* Refused with a message that names the file, or an index that can be searched:
 * damage to numbers of a row cannot be seen. */
static bool reads(const char *path, const char *bytes, size_t len)
{
    dip_err err = {0};
    dip_index *index;
    dip_hit found[K];
    float query[DIM] = {1};
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    dip_status st = dip_index_read(&index, path, &err);
    if (st != DIP_OK) {
        assert_null(index);
        assert_int_equal(st, DIP_EFORMAT);
        assert_non_null(strstr(err.msg, path));
        return false;
    }
    dip_embeddings q = {query, 1, dip_index_dim(index),
                        dip_index_similarity(index)};
    if (q.dim <= DIM)
        assert_ok(dip_index_search(found, index, &q, K, true, &err), &err);
    dip_index_free(index);
    return true;
}

static void damage(const char *path, char *bytes, size_t len)
{
    assert_true(reads(path, bytes, len));
    for (size_t cut = 0; cut < len; cut += cut < 256 ? 1 : 97)
        assert_false(reads(path, bytes, cut));
    char *longer = calloc(1, len + 1);
    assert_non_null(longer);
    memcpy(longer, bytes, len);
    assert_false(reads(path, longer, len + 1));
    free(longer);
    for (size_t at = 0; at < len; at += at < 256 || at + 256 > len ? 1 : 13) {
        static const char masks[] = {1, (char)0x80, (char)0xff};
        for (size_t m = 0; m < sizeof masks; m++) {
            bytes[at] = (char)(bytes[at] ^ masks[m]);
            (void)reads(path, bytes, len);
            bytes[at] = (char)(bytes[at] ^ masks[m]);
        }
    }
}

/* The sizes in a file are not believed: memory stays what it was, but for what
 * FAISS loses on the way out. */
static void test_index_stands_damage(void **state)
{
    (void)state;
    place p = make_place();
    int64_t before = peak_mb();
    for (int kind = 0; kind < DIP_INDEX_KIND_COUNT; kind++) {
        dip_err err = {0};
        char *bytes;
        size_t len;
        assert_ok(dip_file_read(&bytes, &len, kind_path(kind), 1 << 20, &err),
                  &err);
        damage(p.dir, bytes, len);
        free(bytes);
    }
    assert_true(peak_mb() - before < 512);
    remove_place(&p);
}

static void test_index_names_what_it_does_not_read(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_index *index;
    assert_int_equal(
        dip_index_read(&index, "tests/golden/index_other.faiss", &err),
        DIP_EFORMAT);
    assert_string_equal(err.msg, "'tests/golden/index_other.faiss' is no index "
                                 "of a kind that is built here: it holds "
                                 "'IxSQ'");
    assert_int_equal(dip_index_read(&index, "tests/golden/none", &err),
                     DIP_ENOTFOUND);
}

/* ---- the process ---- */

/* FAISS and libtorch share one, or threads wait for each other. */
static void test_index_brings_no_second_libgomp(void **state)
{
    (void)state;
    assert_int_equal(distinct_libgomps(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_index_reads_those_of_faiss),
        MODEL_TEST(test_index_flat_is_exact),
        MODEL_TEST(test_index_of_every_kind_finds_rows_and_comes_back),
        MODEL_TEST(test_index_options_buy_recall),
        MODEL_TEST(test_index_of_few_rows_leaves_places_empty),
        MODEL_TEST(test_index_refuses_queries_of_another_length),
        MODEL_TEST(test_index_completes_options),
        MODEL_TEST(test_index_refuses_options),
        MODEL_TEST(test_index_stands_damage),
        MODEL_TEST(test_index_names_what_it_does_not_read),
        MODEL_TEST(test_index_brings_no_second_libgomp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
