#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "export/onnxruntime.h"
#include "export/recommender.h"
#include "tensor/safetensors.h"
#include "tests/export/helper.h"

enum { USERS = 70, ITEMS = 33, DIM = 5, SAMPLES = 4 };

/* Tables of a fixed sequence; what is right is computed here, in double. */
typedef struct {
    float *users, *items;
    json_t *user_ids, *item_ids, *run, *data;
    dip_recommender_bundle bundle;
} setting;

static json_t *make_ids(const char *prefix, int count)
{
    json_t *ids = json_array();
    for (int i = 0; i < count; i++)
        (void)json_array_append_new(ids, json_sprintf("%s%d", prefix, i));
    return ids;
}

static void make_setting(setting *s, const char *format)
{
    s->users = dip_tensor_data(pattern(SIZES(USERS, DIM)));
    s->items = dip_tensor_data(pattern(SIZES(ITEMS, DIM)));
    s->user_ids = make_ids("user ", USERS);
    s->item_ids = make_ids("item ", ITEMS);
    s->run = json_pack("{s:s}", "name", "r");
    s->data = json_pack("{s:s}", "catalog", "c.h5");
    s->bundle = (dip_recommender_bundle){
        .format = dip_export_format_find(format),
        .user_count = USERS,
        .item_count = ITEMS,
        .dim = DIM,
        .users = s->users,
        .items = s->items,
        .user_ids = s->user_ids,
        .item_ids = s->item_ids,
        .config_path = "tests/cli/tiny.yaml",
        .version = "1",
        .run = s->run,
        .data = s->data,
        .rows = 65,
        .sample_rows = SAMPLES,
    };
}

static void free_setting(setting *s)
{
    json_decref(s->user_ids);
    json_decref(s->item_ids);
    json_decref(s->run);
    json_decref(s->data);
}

static double score_of(const setting *s, int64_t user, int64_t item)
{
    double sum = 0;
    for (int d = 0; d < DIM; d++)
        sum +=
            (double)s->users[user * DIM + d] * (double)s->items[item * DIM + d];
    return sum;
}

static const char *path_in(const place *p, const char *name)
{
    static char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", p->dir, name);
    return path;
}

static void assert_present(const place *p, const char *name, bool there)
{
    if (dip_file_exists(path_in(p, name)) != there)
        fail_msg("'%s' is %s", name, there ? "missing" : "there");
}

/* Scores of the users 69 and 0 as they are computed here. */
static void assert_scores(const setting *s, const dip_tensor *scores)
{
    static const int64_t users[] = {69, 0};
    float values[2 * ITEMS];
    assert_int_equal(dip_tensor_numel(scores), 2 * ITEMS);
    dip_tensor_read(scores, DIP_F32, values, sizeof values);
    assert_no_error();
    for (int u = 0; u < 2; u++) {
        for (int i = 0; i < ITEMS; i++)
            assert_near((double)values[u * ITEMS + i], score_of(s, users[u], i),
                        1e-6);
    }
}

static dip_tensor *ask(void)
{
    return dip_tensor_from((const int64_t[]){69, 0}, DIP_I64, 1,
                           (const int64_t[]){2});
}

static void run_script(const setting *s, const place *p)
{
    dip_script *script;
    dip_err err = {0};
    dip_tensor *users = ask(), *scores = NULL;
    assert_ok(dip_script_load(&script, path_in(p, "scorer.pt"), DIP_CPU, &err),
              &err);
    dip_script_run(script, &users, 1, &scores, 1);
    assert_scores(s, scores);
    dip_script_free(script);
}

static void run_onnx(const setting *s, const place *p)
{
    dip_ort *session;
    dip_err err = {0};
    dip_tensor *users = ask(), *scores = NULL;
    assert_ok(dip_ort_open(&session, path_in(p, "scorer.onnx"), 1, &err), &err);
    assert_ok(dip_ort_run(session, (const char *const[]){"users"}, &users, 1,
                          "scores", &scores, &err),
              &err);
    assert_scores(s, scores);
    dip_ort_close(session);
}

/* Lists best first: nothing outside is above the last, scores are right. */
static void assert_samples(const setting *s, const place *p)
{
    enum { TOP = DIP_RECOMMENDER_TOP };
    int64_t users[SAMPLES], items[SAMPLES * TOP];
    float scores[SAMPLES * TOP];
    dip_safetensors *file = golden_open(path_in(p, "samples.safetensors"));
    const struct {
        const char *name;
        dip_dtype dtype;
        void *to;
        size_t bytes;
    } tensors[] = {{"users", DIP_I64, users, sizeof users},
                   {"items", DIP_I64, items, sizeof items},
                   {"scores", DIP_F32, scores, sizeof scores}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(tensors); i++)
        dip_tensor_read(dip_safetensors_tensor(
                            file, dip_safetensors_find(file, tensors[i].name)),
                        tensors[i].dtype, tensors[i].to, tensors[i].bytes);
    assert_no_error();
    assert_int_equal(users[0], 0);
    assert_in_range(users[SAMPLES - 1], USERS / 2, USERS - 1);
    for (int u = 0; u < SAMPLES; u++) {
        int above = 0;
        double last = (double)scores[u * TOP + TOP - 1];
        for (int i = 0; i < ITEMS; i++)
            above += score_of(s, users[u], i) > last + 1e-6;
        assert_in_range(above, 0, TOP - 1);
        for (int t = 0; t < TOP; t++)
            assert_near((double)scores[u * TOP + t],
                        score_of(s, users[u], items[u * TOP + t]), 1e-6);
    }
    dip_safetensors_close(file);
}

static void assert_ids(const place *p)
{
    json_t *ids;
    dip_err err = {0};
    assert_ok(dip_json_load(&ids, path_in(p, "users.json"), 1 << 20, &err),
              &err);
    assert_int_equal(json_array_size(ids), USERS);
    assert_string_equal(json_string_value(json_array_get(ids, 69)), "user 69");
    json_decref(ids);
}

/* Every format has the tables, and those with a graph a scorer. */
static void test_recommender_scores_in_every_format(void **state)
{
    (void)state;
    for (int f = 0; f < dip_export_format_count(); f++) {
        const char *format = dip_export_format_at(f)->name;
        setting s;
        dip_gate_report report = {0};
        dip_err err = {0};
        place p = make_place();
        make_setting(&s, format);
        assert_ok(dip_recommender_bundle_write(&report, &s.bundle, p.dir, &err),
                  &err);
        bool script = strcmp(format, "torchscript") == 0;
        bool onnx = strcmp(format, "onnx") == 0;
        assert_present(&p, "embeddings.safetensors", true);
        assert_present(&p, "config.yaml", true);
        assert_present(&p, "manifest.json", true);
        assert_present(&p, "scorer.pt", script);
        assert_present(&p, "scorer.onnx", onnx);
        /* three batch sizes of each artefact */
        assert_int_equal(report.count, script || onnx ? 6 : 3);
        assert_ids(&p);
        assert_samples(&s, &p);
        if (script)
            run_script(&s, &p);
        if (onnx)
            run_onnx(&s, &p);
        dip_gate_report_free(&report);
        free_setting(&s);
        remove_place(&p);
    }
}

static void test_recommender_loses_precision_in_onnx(void **state)
{
    (void)state;
    for (int precision = DIP_PRECISION_FP16; precision < DIP_PRECISION_COUNT;
         precision++) {
        setting s;
        dip_gate_report report = {0};
        dip_err err = {0};
        place p = make_place();
        make_setting(&s, "onnx");
        s.bundle.onnx.precision = (dip_precision)precision;
        assert_ok(dip_recommender_bundle_write(&report, &s.bundle, p.dir, &err),
                  &err);
        double worst = 0;
        for (size_t i = 0; i < report.count; i++)
            worst = fmax(worst, report.lines[i].max);
        assert_true(worst > 1e-5 && worst < .1);
        dip_gate_report_free(&report);
        free_setting(&s);
        remove_place(&p);
    }
}

/* A number that is not finite stops at the gate, and leaves nothing. */
static void test_recommender_stops_at_the_gate(void **state)
{
    (void)state;
    setting s;
    dip_gate_report report = {0};
    dip_err err = {0};
    place p = make_place();
    make_setting(&s, "safetensors");
    s.items[7] = (float)INFINITY;
    assert_int_equal(
        dip_recommender_bundle_write(&report, &s.bundle, p.dir, &err),
        DIP_EVERIFY);
    assert_non_null(strstr(err.msg, "embeddings.safetensors"));
    assert_present(&p, "", false);
    dip_gate_report_free(&report);
    free_setting(&s);
    remove_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_recommender_scores_in_every_format),
        MODEL_TEST(test_recommender_loses_precision_in_onnx),
        MODEL_TEST(test_recommender_stops_at_the_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
