#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "data/loader.h"
#include "image/encode.h"
#include "tests/data/small_catalog.h"

enum {
    ROWS = 23,
    ROW_WITHOUT_PHOTO = 4,
    ROW_OF_BAD_PHOTO = 9,
    SIDE = 16,
    BATCH = 5,
    CONTEXT = 6,
    BATCHES = (ROWS + BATCH - 1) / BATCH,
};

static struct small_catalog small;
static dip_row_text *title, *query_template;
static dip_tokenizer *tokenizer;
static dip_damage *damage;
static dip_row_queries answered;
static int64_t all_rows[ROWS], good_rows[ROWS - 1]; /* no bad photo */

/* ---- the catalog ---- */

/* Photos of many sizes, JPEG and PNG in turns. */
static void draw_photo(dip_str *out, int row)
{
    dip_image image = {0};
    dip_err err = {0};
    small_ok(dip_image_reshape(&image, 20 + 3 * row, 60 - 2 * row, 3, &err),
             &err);
    for (int i = 0; i < image.width * image.height * 3; i++)
        image.pixels[i] = (uint8_t)((i / 3 % image.width) * (row + 2) + i % 3);
    dip_image_view view = dip_image_as_view(&image);
    if (row % 2 == 0)
        small_ok(dip_image_encode_jpeg(out, &view, 90, &err), &err);
    else
        small_ok(dip_image_encode_png(out, &view, &err), &err);
    dip_image_free(&image);
}

static void write_rows(void)
{
    static const char *const colours[] = {"Red", "Blue", "Green"};
    static char ids[ROWS][24], titles[ROWS][64];
    struct small_row rows[ROWS] = {0};
    dip_str photos[ROWS] = {0};
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof ids[i], "item-%d", i);
        snprintf(titles[i], sizeof titles[i], "%s shirt of %d words number %d",
                 colours[i % 3], 6, i);
        draw_photo(&photos[i], i);
        if (i == ROW_OF_BAD_PHOTO)
            photos[i].len /= 2;
        rows[i] = (struct small_row){
            .id = ids[i],
            .title = titles[i],
            .colour = i == 7 ? NULL : colours[i % 3],
            .photo = {photos[i].data, photos[i].len},
        };
    }
    rows[ROW_WITHOUT_PHOTO].photo = (dip_bytes){NULL, 0};
    small_write(&small, rows, ROWS);
    for (int i = 0; i < ROWS; i++)
        dip_str_free(&photos[i]);
}

static void write_judgements(void)
{
    static const dip_bytes queries[] = {{"red", 3}, {"a shirt", 7}};
    static const dip_judgement items[] = {{0, 0, 1, DIP_SPLIT_TRAIN},
                                          {1, 0, 1, DIP_SPLIT_TRAIN},
                                          {0, 3, 1, DIP_SPLIT_TRAIN}};
    dip_err err = {0};
    small_ok(dip_catalog_put_judgements(small.path, queries, 2, items, 3, &err),
             &err);
}

static void build_tokenizer(void)
{
    dip_tokenizer_builder *builder;
    dip_tokenizer_options options = {.eos = true};
    dip_err err = {0};
    small_ok(dip_tokenizer_builder_create(&builder, &options, &err), &err);
    for (int64_t row = 0; row < ROWS; row++)
        small_ok(
            dip_tokenizer_builder_add(
                builder,
                dip_catalog_text(small.catalog, small.column[SMALL_TITLE], row),
                &err),
            &err);
    small_ok(dip_tokenizer_builder_finish(&tokenizer, builder, &err), &err);
    dip_tokenizer_builder_free(builder);
}

static int setup(void **state)
{
    (void)state;
    dip_err err = {0};
    write_rows();
    write_judgements();
    small_open(&small);
    for (int64_t i = 0; i < ROWS; i++)
        all_rows[i] = i;
    for (int64_t i = 0; i < ROWS - 1; i++)
        good_rows[i] = i < ROW_OF_BAD_PHOTO ? i : i + 1;
    build_tokenizer();
    small_ok(dip_row_text_compile(&title, "title", small.catalog, &err), &err);
    small_ok(dip_row_text_compile(&query_template, "{colour} shirt",
                                  small.catalog, &err),
             &err);
    dip_damage_options options = {&small.column[SMALL_COLOUR], 1, 0, .5, 3};
    small_ok(dip_damage_create(&damage, &options, small.catalog, &err), &err);
    small_ok(
        dip_row_queries_build(&answered, small.catalog, DIP_SPLIT_TRAIN, &err),
        &err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dip_row_queries_free(&answered);
    dip_damage_free(damage);
    dip_row_text_free(title);
    dip_row_text_free(query_template);
    dip_tokenizer_free(tokenizer);
    small_close(&small);
    return 0;
}

/* ---- loaders ---- */

static dip_transform small_transform(void)
{
    dip_transform transform = dip_transform_defaults();
    transform.size = SIDE;
    transform.augment_count = 2;
    transform.augment[0] =
        dip_augment_defaults(DIP_AUGMENT_RANDOM_RESIZED_CROP);
    transform.augment[1] = dip_augment_defaults(DIP_AUGMENT_HORIZONTAL_FLIP);
    return transform;
}

/* All that there is, for training on the rows with good photos. */
static dip_loader_options full_options(const dip_text_source *sources,
                                       int count)
{
    dip_loader_options options = dip_loader_defaults();
    options.catalog = small.catalog;
    options.rows = good_rows;
    options.row_count = ROWS - 1;
    options.batch_size = BATCH;
    options.shuffle = true;
    options.train = true;
    options.seed = 11;
    options.image_column = small.column[SMALL_PHOTO];
    options.transform = small_transform();
    options.texts = sources;
    options.text_count = count;
    options.labels = &small.column[SMALL_COLOUR];
    options.label_count = 1;
    return options;
}

static void full_sources(dip_text_source sources[3])
{
    sources[0] = (dip_text_source){.format = title,
                                   .tokenizer = tokenizer,
                                   .context = CONTEXT,
                                   .damage = damage,
                                   .word_dropout = .3};
    sources[1] = (dip_text_source){
        .format = query_template, .tokenizer = tokenizer, .context = 3};
    sources[2] = (dip_text_source){
        .queries = &answered, .tokenizer = tokenizer, .context = 4};
}

static dip_loader *create(const dip_loader_options *options)
{
    dip_loader *loader;
    dip_err err = {0};
    small_ok(dip_loader_create(&loader, options, &err), &err);
    return loader;
}

static void start(dip_loader *loader, int64_t epoch, int64_t batch,
                  int64_t end_epoch)
{
    dip_err err = {0};
    small_ok(dip_loader_start(loader, epoch, batch, end_epoch, &err), &err);
}

static const dip_batch *next(dip_loader *loader)
{
    const dip_batch *batch;
    dip_err err = {0};
    small_ok(dip_loader_next(&batch, loader, &err), &err);
    return batch;
}

static void add(dip_digest *digest, const void *items, size_t bytes)
{
    assert_int_equal(dip_digest_add(digest, items, bytes, NULL), DIP_OK);
}

/* Of everything that a batch holds. */
static void digest_batch(char hex[DIP_DIGEST_SIZE], const dip_batch *batch,
                         const dip_loader_options *options)
{
    dip_digest *digest;
    size_t rows = (size_t)batch->size;
    size_t side = (size_t)options->transform.size;
    assert_int_equal(dip_digest_new(&digest, NULL), DIP_OK);
    add(digest, &batch->epoch, sizeof batch->epoch);
    add(digest, &batch->index, sizeof batch->index);
    add(digest, batch->rows, rows * sizeof *batch->rows);
    if (batch->images != NULL) {
        add(digest, batch->images, rows * 3 * side * side * sizeof(float));
        add(digest, batch->present, rows);
    }
    for (int s = 0; s < options->text_count; s++) {
        const dip_batch_text *text = &batch->texts[s];
        size_t ids = rows * (size_t)text->context;
        add(digest, text->ids, ids * sizeof *text->ids);
        add(digest, text->lengths, rows * sizeof *text->lengths);
        if (text->queries != NULL)
            add(digest, text->queries, rows * sizeof *text->queries);
    }
    for (int l = 0; l < options->label_count; l++)
        add(digest, batch->labels[l], rows * sizeof **batch->labels);
    assert_int_equal(dip_digest_end(hex, digest, NULL), DIP_OK);
    dip_digest_free(digest);
}

/* Digests of the batches from (epoch, batch) on to end_epoch. */
static int64_t run(char (*out)[DIP_DIGEST_SIZE], int64_t room,
                   const dip_loader_options *options, int64_t epoch,
                   int64_t batch, int64_t end_epoch)
{
    dip_loader *loader = create(options);
    start(loader, epoch, batch, end_epoch);
    int64_t count = 0;
    for (const dip_batch *b = next(loader); b != NULL; b = next(loader)) {
        assert_true(count < room);
        digest_batch(out[count++], b, options);
    }
    dip_loader_free(loader);
    return count;
}

/* ---- tests ---- */

static void test_loader_is_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    static const struct {
        int threads, depth;
    } teams[] = {{2, 2}, {5, 3}, {3, 9}, {0, 0}};
    char first[2 * BATCHES][DIP_DIGEST_SIZE],
        other[2 * BATCHES][DIP_DIGEST_SIZE];
    dip_text_source sources[3];
    full_sources(sources);
    dip_loader_options options = full_options(sources, 3);
    options.threads = 1;
    options.depth = 2;
    assert_int_equal(run(first, 2 * BATCHES, &options, 0, 0, 2), 2 * BATCHES);
    for (size_t i = 0; i < DIP_ARRAY_LEN(teams); i++) {
        options.threads = teams[i].threads;
        options.depth = teams[i].depth;
        assert_int_equal(run(other, 2 * BATCHES, &options, 0, 0, 2),
                         2 * BATCHES);
        for (int b = 0; b < 2 * BATCHES; b++)
            assert_string_equal(first[b], other[b]);
    }
    for (int b = 1; b < 2 * BATCHES; b++)
        assert_string_not_equal(first[0], first[b]);
}

static void test_loader_goes_on_from_every_batch(void **state)
{
    (void)state;
    char whole[2 * BATCHES][DIP_DIGEST_SIZE],
        tail[2 * BATCHES][DIP_DIGEST_SIZE];
    dip_text_source sources[3];
    full_sources(sources);
    dip_loader_options options = full_options(sources, 3);
    options.threads = 2;
    assert_int_equal(run(whole, 2 * BATCHES, &options, 3, 0, 5), 2 * BATCHES);
    for (int64_t at = 0; at <= BATCHES; at++) {
        int64_t count = run(tail, 2 * BATCHES, &options, 3, at, 5);
        assert_int_equal(count, 2 * BATCHES - at);
        for (int64_t b = 0; b < count; b++)
            assert_string_equal(tail[b], whole[at + b]);
    }
}

static void test_loader_starts_again_where_it_is_told(void **state)
{
    (void)state;
    char a[DIP_DIGEST_SIZE], b[DIP_DIGEST_SIZE];
    dip_text_source sources[3];
    full_sources(sources);
    dip_loader_options options = full_options(sources, 3);
    dip_loader *loader = create(&options);
    assert_null(next(loader)); /* not started */
    start(loader, 0, 1, 9);
    digest_batch(a, next(loader), &options);
    next(loader);
    start(loader, 0, 1, 1);
    digest_batch(b, next(loader), &options);
    assert_string_equal(a, b);
    dip_loader_stop(loader);
    assert_null(next(loader));
    dip_loader_free(loader);
}

/* The image of a row by the functions of image/, without a loader. */
static void prepare(float *out, int64_t row)
{
    dip_decoder *decoder;
    dip_transformer *transformer;
    dip_image_source source;
    dip_image_view view;
    dip_err err = {0};
    dip_transform transform = small_transform();
    small_ok(dip_decoder_create(&decoder, &err), &err);
    small_ok(dip_transformer_create(&transformer, &transform, &err), &err);
    small_ok(dip_catalog_image(small.catalog, small.column[SMALL_PHOTO], row,
                               NULL, &source, &err),
             &err);
    small_ok(dip_image_decode(&view, decoder, source.encoded.data,
                              source.encoded.len, NULL, &err),
             &err);
    small_ok(dip_transform_apply(out, transformer, &view, NULL, &err), &err);
    dip_transformer_destroy(transformer);
    dip_decoder_destroy(decoder);
}

static void check_image(const dip_batch *batch, int64_t i)
{
    float expected[3 * SIDE * SIDE] = {0};
    bool absent = batch->rows[i] == ROW_WITHOUT_PHOTO;
    if (!absent)
        prepare(expected, batch->rows[i]);
    assert_int_equal(batch->present[i], !absent);
    assert_memory_equal(batch->images + i * 3 * SIDE * SIDE, expected,
                        sizeof expected);
}

static void check_text(const dip_batch_text *text, int64_t i, const char *words)
{
    int64_t ids[16], needed;
    assert_true(text->context <= 16);
    assert_int_equal(dip_tokenizer_encode(&needed, ids, text->context,
                                          tokenizer, small_bytes(words), NULL),
                     DIP_OK);
    assert_memory_equal(text->ids + i * text->context, ids,
                        (size_t)text->context * sizeof *ids);
    assert_int_equal(text->lengths[i],
                     needed < text->context ? needed : text->context);
}

static void check_row(const dip_batch *batch, int64_t i)
{
    static const char *const colours[] = {"Red", "Blue", "Green"};
    int64_t row = batch->rows[i];
    char words[64];
    check_image(batch, i);
    snprintf(words, sizeof words, "%s shirt of 6 words number %d",
             colours[row % 3], (int)row);
    check_text(&batch->texts[0], i, words);
    snprintf(words, sizeof words, "%s shirt", row == 7 ? "" : colours[row % 3]);
    check_text(&batch->texts[1], i, words);
    assert_int_equal(batch->labels[0][i], row == 7 ? -1 : row % 3);
    int64_t query = batch->texts[2].queries[i];
    if (row == 0)
        assert_in_range(query, 0, 1);
    else
        assert_int_equal(query, row == 3 ? 0 : -1);
    if (query >= 0)
        check_text(&batch->texts[2], i, query == 0 ? "red" : "a shirt");
    else
        assert_int_equal(batch->texts[2].lengths[i], 0);
}

static void test_loader_fills_rows_for_evaluation(void **state)
{
    (void)state;
    dip_text_source sources[3];
    full_sources(sources);
    sources[0].damage = NULL;
    dip_loader_options options = full_options(sources, 3);
    options.train = false; /* so that the word dropout does nothing either */
    options.shuffle = false;
    options.full_decode = true; /* as prepare() does */
    dip_loader *loader = create(&options);
    start(loader, 0, 0, 1);
    int64_t seen = 0;
    for (const dip_batch *b = next(loader); b != NULL; b = next(loader)) {
        assert_int_equal(b->index, seen / BATCH);
        for (int64_t i = 0; i < b->size; i++) {
            assert_int_equal(b->rows[i], good_rows[seen++]);
            check_row(b, i);
        }
    }
    assert_int_equal(seen, ROWS - 1);
    dip_loader_free(loader);
}

static void test_loader_augments_by_epoch(void **state)
{
    (void)state;
    dip_loader_options options = full_options(NULL, 0);
    options.shuffle = false;
    dip_loader *loader = create(&options);
    float first[3 * SIDE * SIDE];
    start(loader, 0, 0, 2);
    memcpy(first, next(loader)->images, sizeof first);
    for (int b = 1; b < BATCHES; b++)
        next(loader);
    const dip_batch *again = next(loader);
    assert_int_equal(again->epoch, 1);
    assert_int_equal(again->rows[0], 0);
    assert_memory_not_equal(again->images, first, sizeof first);
    dip_loader_free(loader);
}

static void test_loader_damage_holds_in_evaluation(void **state)
{
    (void)state;
    dip_text_source source = {.format = query_template,
                              .tokenizer = tokenizer,
                              .context = 3,
                              .damage = damage};
    dip_loader_options options = full_options(&source, 1);
    options.image_column = -1;
    options.shuffle = options.train = false;
    options.batch_size = ROWS - 1;
    dip_loader *loader = create(&options);
    start(loader, 0, 0, 2);
    int64_t lengths[ROWS - 1], short_ones = 0;
    memcpy(lengths, next(loader)->texts[0].lengths, sizeof lengths);
    assert_memory_equal(next(loader)->texts[0].lengths, lengths,
                        sizeof lengths);
    for (int i = 0; i < ROWS - 1; i++)
        short_ones += lengths[i] == 2;  /* "shirt" and [eos] */
    assert_in_range(short_ones, 4, 18); /* half of 22 lose their colour */
    dip_loader_free(loader);
}

static void test_loader_takes_a_text_without_words_for_absent(void **state)
{
    (void)state;
    dip_row_text *colour;
    assert_int_equal(
        dip_row_text_compile(&colour, "{colour}!", small.catalog, NULL),
        DIP_OK);
    dip_text_source source = {
        .format = colour, .tokenizer = tokenizer, .context = 3};
    dip_loader_options options = full_options(&source, 1);
    options.image_column = -1;
    options.shuffle = false;
    dip_loader *loader = create(&options);
    start(loader, 0, 1, 1);
    const dip_batch_text *text = &next(loader)->texts[0]; /* rows 5, 6, 7 */
    assert_memory_equal(text->lengths, ((int64_t[]){2, 2, 0}), 24);
    assert_memory_equal(text->ids + 6, ((int64_t[]){0, 0, 0}), 24);
    dip_loader_free(loader);
    dip_row_text_free(colour);
}

/* ---- errors ---- */

static void test_loader_error_names_the_row(void **state)
{
    (void)state;
    dip_loader_options options = full_options(NULL, 0);
    options.rows = all_rows;
    options.row_count = ROWS;
    options.shuffle = false;
    char start_of_message[160];
    snprintf(start_of_message, sizeof start_of_message,
             "image of row 'item-9' in '%s': ", small.path);
    for (int threads = 1; threads <= 5; threads += 2) {
        options.threads = threads;
        dip_loader *loader = create(&options);
        start(loader, 0, 0, 1);
        assert_non_null(next(loader)); /* the first batch is good */
        for (int i = 0; i < 2; i++) {
            const dip_batch *batch;
            dip_err err = {0};
            assert_int_equal(dip_loader_next(&batch, loader, &err),
                             DIP_EFORMAT);
            assert_null(batch);
            assert_memory_equal(err.msg, start_of_message,
                                strlen(start_of_message));
        }
        start(loader, 0, 2, 1); /* behind it all is well */
        assert_non_null(next(loader));
        dip_loader_free(loader);
    }
}

static void test_loader_skips_bad_images_if_told(void **state)
{
    (void)state;
    dip_loader_options options = full_options(NULL, 0);
    options.rows = all_rows;
    options.row_count = ROWS;
    options.shuffle = false;
    assert_int_equal(dip_bad_image_from_name(&options.bad_image, "skip", NULL),
                     DIP_OK);
    dip_loader *loader = create(&options);
    start(loader, 0, 1, 1);
    const dip_batch *batch = next(loader);
    assert_memory_equal(batch->present, ((uint8_t[]){1, 1, 1, 1, 0}), 5);
    for (int i = 0; i < 3 * SIDE * SIDE; i++)
        assert_true(batch->images[4 * 3 * SIDE * SIDE + i] == 0);
    assert_int_equal(dip_loader_skipped(loader), 1);
    dip_loader_free(loader);
}

static void check_refused(const dip_loader_options *options,
                          const char *message)
{
    dip_loader *loader;
    dip_err err = {0};
    assert_int_equal(dip_loader_create(&loader, options, &err), DIP_ERANGE);
    assert_null(loader);
    assert_string_equal(err.msg, message);
}

static void test_loader_refuses_impossible_options(void **state)
{
    (void)state;
    dip_text_source sources[3];
    full_sources(sources);
    dip_loader_options options = full_options(sources, 3);
    options.threads = -1;
    check_refused(&options, "threads are not in 0..1024: -1");
    options.threads = 0;
    options.depth = 1;
    check_refused(&options, "ring depth is not in 2..1024: 1");
    options.depth = 0;
    options.batch_size = 0;
    check_refused(&options, "batch size is not positive: 0");
    options.batch_size = BATCH;
    sources[1].context = 0;
    check_refused(&options, "context of text 1 is not positive: 0");
    sources[1].context = 3;
    sources[0].word_dropout = 1.5;
    check_refused(&options, "word dropout of text 0 is not in 0..1: 1.5");
    sources[0].word_dropout = 0;
    char message[128];
    options.rows = (const int64_t[]){ROWS};
    options.row_count = 1;
    snprintf(message, sizeof message, "no row 23 in '%s'", small.path);
    check_refused(&options, message);
}

static void test_loader_refuses_a_position_outside(void **state)
{
    (void)state;
    dip_loader_options options = full_options(NULL, 0);
    dip_loader *loader = create(&options);
    dip_err err = {0};
    assert_int_equal(dip_loader_start(loader, 0, 6, 1, &err), DIP_ERANGE);
    assert_string_equal(err.msg, "no batch 6 in epoch 0 of 5 batches");
    assert_int_equal(dip_loader_start(loader, -1, 0, 1, &err), DIP_ERANGE);
    assert_null(next(loader));
    dip_loader_free(loader);
}

static void test_loader_bad_image_policies_have_names(void **state)
{
    (void)state;
    dip_bad_image policy;
    dip_err err = {0};
    assert_int_equal(dip_bad_image_from_name(&policy, "error", &err), DIP_OK);
    assert_int_equal(policy, DIP_BAD_IMAGE_ERROR);
    assert_int_equal(dip_bad_image_from_name(&policy, "ignore", &err),
                     DIP_ENOTFOUND);
    assert_string_equal(
        err.msg, "no policy 'ignore' for bad images: it is one of error, skip");
}

/* ---- threads ---- */

static int threads_of_this_process(void)
{
    char **names;
    size_t count;
    dip_err err = {0};
    small_ok(dip_dir_list(&names, &count, "/proc/self/task", &err), &err);
    dip_dir_list_free(names, count);
    return (int)count;
}

/* The kernel lists a thread for a moment after it was joined: up to 5 s are
 * given. */
static void assert_no_more_threads_than(int before)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; i < 500 && threads_of_this_process() > before; i++)
        (void)nanosleep(&pause, NULL);
    assert_in_range(threads_of_this_process(), 1, before);
}

/* After any number of batches, also where it has begun again. */
static void assert_stops_at_any_time(const dip_loader_options *options)
{
    int before = threads_of_this_process();
    for (int taken = 0; taken < 40; taken++) {
        dip_loader *loader = create(options);
        start(loader, 0, 0, 100);
        for (int i = 0; i < taken % 8; i++)
            next(loader);
        if (taken % 3 == 0)
            dip_loader_stop(loader);
        if (taken % 3 == 1)
            start(loader, 1, 1, 2);
        dip_loader_free(loader);
    }
    assert_no_more_threads_than(before);
}

static void test_loader_may_be_stopped_at_any_time(void **state)
{
    (void)state;
    dip_text_source sources[3];
    full_sources(sources);
    dip_loader_options options = full_options(sources, 3);
    options.threads = 4;
    assert_stops_at_any_time(&options);
    dip_loader_free(NULL);
}

static void test_loader_sleeps_while_the_ring_is_full(void **state)
{
    (void)state;
    dip_loader_options options = full_options(NULL, 0);
    options.threads = 4;
    dip_loader *loader = create(&options);
    start(loader, 0, 0, 100);
    next(loader);
    usleep(300000); /* the ring fills */
    clock_t before = clock();
    usleep(300000);
    assert_true((double)(clock() - before) < .03 * CLOCKS_PER_SEC);
    dip_loader_free(loader);
}

static void test_loader_tells_how_long_it_was_waited_for(void **state)
{
    (void)state;
    dip_loader_options options = full_options(NULL, 0);
    options.threads = 1;
    dip_loader *loader = create(&options);
    assert_true(dip_loader_waited(loader) == 0);
    start(loader, 0, 0, 100);
    next(loader); /* nothing can be ready yet */
    double first = dip_loader_waited(loader);
    assert_true(first > 0 && first < 60);
    usleep(300000);
    next(loader); /* is ready */
    assert_true(dip_loader_waited(loader) - first < .1);
    dip_loader_free(loader);
}

/* ---- images that are not mapped ---- */

enum { PIXEL_ROWS = 40, PIXEL_SIDE = 24 };

/* A file of the layout of Fashion-Gen: contiguous pixels are mapped, chunked
 * ones are read. */
static void write_pixels(const char *path, bool chunked)
{
    static uint8_t pixels[PIXEL_ROWS][PIXEL_SIDE][PIXEL_SIDE][3];
    const hsize_t dims[] = {PIXEL_ROWS, PIXEL_SIDE, PIXEL_SIDE, 3};
    const hsize_t chunk[] = {7, PIXEL_SIDE, PIXEL_SIDE, 3};
    uint8_t *all = &pixels[0][0][0][0];
    for (size_t i = 0; i < sizeof pixels; i++)
        all[i] = (uint8_t)((i * 7 + i / 1000) % 251);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(4, dims, NULL);
    hid_t create_list = H5Pcreate(H5P_DATASET_CREATE);
    if (chunked)
        assert_true(H5Pset_chunk(create_list, 4, chunk) >= 0);
    hid_t dataset = H5Dcreate2(file, "input_image", H5T_STD_U8LE, space,
                               H5P_DEFAULT, create_list, H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL,
                         H5P_DEFAULT, pixels) >= 0);
    H5Dclose(dataset);
    H5Pclose(create_list);
    H5Sclose(space);
    assert_true(H5Fclose(file) >= 0);
}

static dip_catalog *open_pixels(const char *name, bool chunked)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", small.dir, name);
    write_pixels(path, chunked);
    dip_mapping mapping = {.layout = "fashion_gen"};
    dip_catalog_options options = {.mapping = &mapping};
    dip_catalog *catalog;
    dip_err err = {0};
    small_ok(dip_catalog_open(&catalog, path, &options, &err), &err);
    return catalog;
}

static dip_loader_options pixel_options(dip_catalog *catalog,
                                        int64_t rows[PIXEL_ROWS])
{
    dip_loader_options options = dip_loader_defaults();
    dip_err err = {0};
    small_ok(dip_catalog_find(catalog, DIP_COLUMN_IMAGE, "image",
                              &options.image_column, &err),
             &err);
    for (int64_t i = 0; i < PIXEL_ROWS; i++)
        rows[i] = i;
    options.catalog = catalog;
    options.rows = rows;
    options.row_count = PIXEL_ROWS;
    options.batch_size = 8;
    options.shuffle = options.train = true;
    options.transform = small_transform();
    return options;
}

static void test_loader_reads_what_is_not_mapped(void **state)
{
    (void)state;
    char mapped[5][DIP_DIGEST_SIZE], read[5][DIP_DIGEST_SIZE];
    int64_t rows[PIXEL_ROWS];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    dip_catalog *contiguous = open_pixels("contiguous.h5", false);
    dip_catalog *chunked = open_pixels("chunked.h5", true);
    dip_loader_options options = pixel_options(contiguous, rows);
    assert_true(dip_catalog_images_mapped(contiguous, options.image_column));
    assert_int_equal(run(mapped, 5, &options, 0, 0, 1), 5);
    options = pixel_options(chunked, rows);
    assert_false(dip_catalog_images_mapped(chunked, options.image_column));
    options.hdf5_lock = &lock;
    for (int threads = 1; threads <= 5; threads += 2) {
        options.threads = threads;
        assert_int_equal(run(read, 5, &options, 0, 0, 1), 5);
        for (int b = 0; b < 5; b++)
            assert_string_equal(read[b], mapped[b]);
    }
    dip_catalog_close(contiguous);
    dip_catalog_close(chunked);
}

static void test_loader_with_a_reader_may_be_stopped_at_any_time(void **state)
{
    (void)state;
    int64_t rows[PIXEL_ROWS];
    dip_catalog *chunked = open_pixels("stopped.h5", true);
    dip_loader_options options = pixel_options(chunked, rows);
    options.threads = 3;
    assert_stops_at_any_time(&options);
    dip_catalog_close(chunked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader_is_the_same_for_any_number_of_threads),
        cmocka_unit_test(test_loader_goes_on_from_every_batch),
        cmocka_unit_test(test_loader_starts_again_where_it_is_told),
        cmocka_unit_test(test_loader_fills_rows_for_evaluation),
        cmocka_unit_test(test_loader_augments_by_epoch),
        cmocka_unit_test(test_loader_damage_holds_in_evaluation),
        cmocka_unit_test(test_loader_takes_a_text_without_words_for_absent),
        cmocka_unit_test(test_loader_error_names_the_row),
        cmocka_unit_test(test_loader_skips_bad_images_if_told),
        cmocka_unit_test(test_loader_refuses_impossible_options),
        cmocka_unit_test(test_loader_refuses_a_position_outside),
        cmocka_unit_test(test_loader_bad_image_policies_have_names),
        cmocka_unit_test(test_loader_may_be_stopped_at_any_time),
        cmocka_unit_test(test_loader_sleeps_while_the_ring_is_full),
        cmocka_unit_test(test_loader_tells_how_long_it_was_waited_for),
        cmocka_unit_test(test_loader_reads_what_is_not_mapped),
        cmocka_unit_test(test_loader_with_a_reader_may_be_stopped_at_any_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
