#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "tests/models/helper.h"
#include "train/queue.h"

#define DIM  3
#define KEYS 2
#define ROOM 5

/* Batches of unlike sizes, one larger than the room. */
static const int sizes[] = {2, 4, 1, 8, 3};

typedef struct {
    dip_params *memory;
    dip_queue *queue;
} fixture;

static void begin(fixture *f)
{
    dip_err err = {0};
    const dip_queue_size size = {ROOM, DIM, KEYS, DIP_CPU};
    assert_ok(dip_params_create(&f->memory, &err), &err);
    assert_ok(dip_queue_create(&f->queue, f->memory, "task", &size, &err),
              &err);
}

static void end(fixture *f)
{
    dip_queue_free(f->queue);
    dip_params_free(f->memory);
}

/* Row `n` of all rows ever made: its numbers and keys; every seventh row is the
 * same thing as the one before it, by the second key. */
static float number_of(int n, int d)
{
    return (float)sin(1.7 * n + d);
}

static int64_t key_of(int n, int k)
{
    return k == 0 ? n % 9 : n % 7 == 6 ? n - 1 : n;
}

static bool is_valid(int n)
{
    return n % 4 != 1;
}

static dip_tensor *rows_of(int first, int count, int sign)
{
    float cells[32 * DIM];
    for (int i = 0; i < count * DIM; i++)
        cells[i] = (float)sign * number_of(first + i / DIM, i % DIM);
    return dip_tensor_from(cells, DIP_F32, SIZES(count, DIM));
}

static dip_tensor *keys_of(int first, int count)
{
    int64_t cells[32 * KEYS];
    for (int i = 0; i < count * KEYS; i++)
        cells[i] = key_of(first + i / KEYS, i % KEYS);
    return dip_tensor_from(cells, DIP_I64, SIZES(count, KEYS));
}

static dip_loss_input batch_of(int first, int count)
{
    uint8_t valid[32];
    for (int i = 0; i < count; i++)
        valid[i] = is_valid(first + i);
    return (dip_loss_input){.queries = rows_of(first, count, 1),
                            .items = rows_of(first, count, -1),
                            .scale = dip_tensor_scalar(3, DIP_F32),
                            .valid =
                                dip_tensor_from(valid, DIP_BOOL, SIZES(count))};
}

/* The last valid rows before row `first`, newest first. */
static int past_of(int past[ROOM], int first)
{
    int count = 0;
    for (int n = first - 1; n >= 0 && count < ROOM; n--) {
        if (is_valid(n))
            past[count++] = n;
    }
    return count;
}

/* The place of row n in the queue's rows, found by its numbers. */
static int place_of(const float *rows, int count, int n, int sign)
{
    for (int i = 0; i < count; i++) {
        if (fabs((double)(rows[i * DIM] - (float)sign * number_of(n, 0))) <
            1e-6)
            return i;
    }
    fail_msg("row %d is not in the queue", n);
    return -1;
}

static bool agree(int a, int b)
{
    return key_of(a, 0) == key_of(b, 0) || key_of(a, 1) == key_of(b, 1);
}

/* The queue holds the rows of `past` and no others, pairs at one place, and
 * hides where keys agree. */
static void check_given(const dip_loss_input *in, const int *past, int count,
                        int first, int rows)
{
    float queries[ROOM * DIM], items[ROOM * DIM];
    uint8_t hidden[32 * ROOM];
    assert_int_equal(dip_tensor_size(in->past_queries, 0), count);
    dip_tensor_read(in->past_queries, DIP_F32, queries, sizeof queries);
    dip_tensor_read(in->past_items, DIP_F32, items, sizeof items);
    dip_tensor_read(in->past_hidden, DIP_U8, hidden, sizeof hidden);
    assert_no_error();
    for (int j = 0; j < count; j++) {
        int at = place_of(queries, count, past[j], 1);
        assert_int_equal(place_of(items, count, past[j], -1), at);
        for (int i = 0; i < rows; i++)
            assert_int_equal(hidden[i * count + at], agree(first + i, past[j]));
    }
}

static void test_queue_holds_the_last_valid_rows(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    int first = 0, hidden = 0;
    for (size_t b = 0; b < DIP_ARRAY_LEN(sizes); b++) {
        int past[ROOM], count = past_of(past, first);
        dip_loss_input in = batch_of(first, sizes[b]);
        dip_queue_give(f.queue, keys_of(first, sizes[b]), &in);
        if (b == 0) {
            assert_null(in.past_queries);
            assert_null(in.past_hidden);
        } else {
            check_given(&in, past, count, first, sizes[b]);
            hidden += (int)dip_tensor_item(
                dip_t_sum_all(dip_t_to_dtype(in.past_hidden, DIP_F32)));
        }
        dip_queue_take(f.queue, keys_of(first, sizes[b]), &in);
        first += sizes[b];
    }
    assert_true(hidden > 0); /* else the keys told nothing */
    end(&f);
}

static void test_queue_takes_no_row_of_a_batch_without_any(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    dip_loss_input in = batch_of(1, 1);
    dip_queue_take(f.queue, keys_of(1, 1), &in);
    dip_queue_give(f.queue, keys_of(2, 1), &in);
    assert_no_error();
    assert_null(in.past_items);
    end(&f);
}

/* Gradients are those of rows that nobody writes to before the backward pass:
 * here the queue takes in a batch that fills it. */
static void test_queue_may_take_before_the_backward_pass(void **state)
{
    (void)state;
    const dip_loss_kind *kind = dip_loss_kind_find("infonce");
    double norm[2];
    for (int take = 0; take < 2; take++) {
        fixture f;
        begin(&f);
        dip_loss_input old = batch_of(0, 6), in = batch_of(6, 8);
        dip_queue_take(f.queue, keys_of(0, 6), &old);
        dip_tensor *leaf = rows_of(6, 8, 1);
        dip_tensor_set_requires_grad(leaf, true);
        in.queries = dip_t_normalize(leaf, 1);
        dip_queue_give(f.queue, keys_of(6, 8), &in);
        dip_tensor *loss = kind->fn(&in, &kind->defaults);
        if (take)
            dip_queue_take(f.queue, keys_of(6, 8), &in);
        dip_tensor_backward(loss);
        norm[take] = dip_tensor_item(dip_t_norm_all(dip_tensor_grad(leaf)));
        for (int i = 0; i < dip_params_count(f.memory); i++)
            assert_false(
                dip_tensor_requires_grad(dip_params_tensor(f.memory, i)));
        assert_no_error();
        end(&f);
    }
    assert_true(norm[0] > .01);
    assert_near(norm[0], norm[1], 0);
}

/* A queue is its tensors: copied to another one, it gives the same. */
static void test_queue_is_all_in_its_memory(void **state)
{
    (void)state;
    fixture f, other;
    begin(&f);
    begin(&other);
    dip_loss_input in = batch_of(0, 9);
    dip_queue_take(f.queue, keys_of(0, 9), &in);
    assert_int_equal(dip_params_count(f.memory), 4);
    for (int i = 0; i < 4; i++)
        dip_tensor_assign(dip_params_tensor(other.memory, i),
                          dip_params_tensor(f.memory, i));
    dip_loss_input next = batch_of(9, 2);
    dip_queue_take(f.queue, keys_of(9, 2), &next);
    dip_queue_take(other.queue, keys_of(9, 2), &next);
    dip_loss_input last = batch_of(11, 3);
    int past[ROOM], count = past_of(past, 11);
    dip_queue_give(other.queue, keys_of(11, 3), &last);
    check_given(&last, past, count, 11, 3);
    end(&other);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_queue_holds_the_last_valid_rows),
        MODEL_TEST(test_queue_takes_no_row_of_a_batch_without_any),
        MODEL_TEST(test_queue_may_take_before_the_backward_pass),
        MODEL_TEST(test_queue_is_all_in_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
