#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/models/helper.h"
#include "train/encode.h"

#define ROWS    6 /* of the catalog */
#define SIZE    3 /* of the batch */
#define SIDE    16
#define CONTEXT 4
#define KEY     "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"

/* A batch of the catalog's rows 4, 0 and 2, of which 0 has no photo and 2 no
 * title, through a small model. */
typedef struct {
    char dir[64], *path;
    int64_t rows[SIZE], ids[SIZE * CONTEXT], lengths[SIZE];
    float images[SIZE * 3 * SIDE * SIDE];
    uint8_t present[SIZE];
    dip_batch_text text;
    dip_batch batch;
    dip_model *model;
    dip_features features;
} fixture;

static void begin(fixture *f)
{
    static const int64_t rows[SIZE] = {4, 0, 2}, lengths[SIZE] = {4, 2, 0};
    dip_err err = {0};
    *f = (fixture){.present = {1, 0, 1}};
    for (int i = 0; i < SIZE; i++) {
        f->rows[i] = rows[i];
        f->lengths[i] = lengths[i];
        for (int64_t t = 0; t < lengths[i]; t++)
            f->ids[i * CONTEXT + t] = 3 + (i * 5 + t * 2) % 17;
    }
    for (int i = 0; i < SIZE * 3 * SIDE * SIDE; i++)
        f->images[i] = (float)sin(.37 * i);
    f->text = (dip_batch_text){
        .context = CONTEXT, .ids = f->ids, .lengths = f->lengths};
    f->batch = (dip_batch){.size = SIZE,
                           .rows = f->rows,
                           .images = f->images,
                           .present = f->present,
                           .texts = &f->text};
    const dip_model_config config = {
        .image = {.kind = "cnn",
                  .image_size = SIDE,
                  .widths = {8, 16},
                  .width_count = 2},
        .text = {.kind = "bag",
                 .vocabulary = 20,
                 .context = CONTEXT,
                 .width = 16,
                 .depth = 1},
        .embed_dim = 8,
        .text_projection = {.hidden = 12},
        .seed = 4,
    };
    assert_ok(dip_model_create(&f->model, &config, &err), &err);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/diptych-features-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->path = dip_path_join(f->dir, "features.safetensors");
}

static void end(fixture *f)
{
    dip_feature_table_free(&f->features.image);
    dip_feature_table_free(&f->features.texts[0]);
    dip_model_free(f->model);
    free(f->path);
    assert_int_equal(dip_tree_remove(f->dir, NULL), DIP_OK);
}

static dip_encoded_batch encode(const fixture *f, const dip_features *features)
{
    const dip_encode_options options = {.image = true,
                                        .texts = {true},
                                        .image_size = SIDE,
                                        .device = DIP_CPU,
                                        .features = features};
    return dip_encode_batch(f->model, &f->batch, 1, &options);
}

/* The features of the batch in tables. */
static void fill(fixture *f)
{
    dip_err err = {0};
    dip_encoded_batch encoded = encode(f, NULL);
    assert_ok(dip_feature_table_create(
                  &f->features.image, ROWS,
                  dip_tensor_size(encoded.image.features, 1), &err),
              &err);
    assert_ok(dip_feature_table_create(
                  &f->features.texts[0], ROWS,
                  dip_tensor_size(encoded.texts[0].features, 1), &err),
              &err);
    dip_feature_table_put(&f->features.image, &f->batch, encoded.image.features,
                          f->present);
    dip_feature_table_put(&f->features.texts[0], &f->batch,
                          encoded.texts[0].features, NULL);
    assert_no_error();
}

static void test_features_stand_in_for_the_towers(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    dip_encoded_batch wanted = encode(&f, NULL);
    fill(&f);
    f.batch.images = NULL;
    f.batch.present = NULL;
    memset(f.ids, 0, sizeof f.ids); /* no tower may look at them */
    dip_encoded_batch got = encode(&f, &f.features);
    assert_near(distance(got.image.embedding, wanted.image.embedding), 0, 1e-7);
    assert_near(distance(got.image.features, wanted.image.features), 0, 0);
    assert_near(distance(got.texts[0].embedding, wanted.texts[0].embedding), 0,
                1e-7);
    assert_tensor(got.image_present, 1, 0, 1);
    assert_tensor(got.text_present[0], 1, 1, 0);
    assert_true(dip_feature_table_has(&f.features.image, 4));
    assert_false(dip_feature_table_has(&f.features.image, 0));
    assert_false(dip_feature_table_has(&f.features.image, 3));
    end(&f);
}

/* A text without a row in the tables goes through its tower as before. */
static void test_features_of_one_source_leave_the_others(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    dip_encoded_batch wanted = encode(&f, NULL);
    fill(&f);
    dip_feature_table_free(&f.features.texts[0]);
    dip_encoded_batch got = encode(&f, &f.features);
    assert_near(distance(got.texts[0].embedding, wanted.texts[0].embedding), 0,
                0);
    assert_near(distance(got.image.embedding, wanted.image.embedding), 0, 1e-7);
    end(&f);
}

static void test_features_come_back_from_their_file(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    dip_feature_table got;
    begin(&f);
    fill(&f);
    assert_ok(dip_feature_table_write(&f.features.image, f.path, KEY, &err),
              &err);
    assert_ok(dip_feature_table_read(&got, f.path, KEY, ROWS, &err), &err);
    assert_near(distance(got.values, f.features.image.values), 0, 0);
    assert_near(distance(got.present, f.features.image.present), 0, 0);
    dip_feature_table_free(&got);
    end(&f);
}

static void refuse(const fixture *f, const char *key, int64_t rows,
                   const char *words)
{
    dip_err err = {0};
    dip_feature_table got;
    char wanted[200];
    (void)snprintf(wanted, sizeof wanted, "'%s': %s", f->path, words);
    assert_int_equal(dip_feature_table_read(&got, f->path, key, rows, &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, wanted);
    assert_null(got.values);
    assert_null(got.present);
}

static void test_features_of_another_key_or_content_are_refused(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    begin(&f);
    fill(&f);
    assert_ok(dip_feature_table_write(&f.features.image, f.path, KEY, &err),
              &err);
    refuse(&f, "another", ROWS, "features of something else");
    refuse(&f, KEY, ROWS + 1, "no features for 7 rows");
    FILE *file = fopen(f.path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    assert_int_equal(fputc(0x41, file), 0x41);
    assert_int_equal(fclose(file), 0);
    refuse(&f, KEY, ROWS, "features were changed");
    const dip_named_tensor other = {.name = "other",
                                    .tensor = f.features.image.values};
    const dip_metadata metadata = {"key", KEY};
    assert_ok(dip_safetensors_write(f.path, &other, 1, &metadata, 1, &err),
              &err);
    refuse(&f, KEY, ROWS, "no features for 6 rows");
    end(&f);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, open_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_features_stand_in_for_the_towers),
        CASE(test_features_of_one_source_leave_the_others),
        CASE(test_features_come_back_from_their_file),
        CASE(test_features_of_another_key_or_content_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
