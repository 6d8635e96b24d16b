#include "data/loader.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "data/loader_ring.h"
#include "data/loader_row.h"
#include "data/sampler.h"

#define DEFAULT_DEPTH 3
#define MAX_DEPTH     1024
#define MAX_THREADS   1024
/* Rows that a thread takes at once when they have no image to decode, so that
 * the lock is not what it spends its time on. */
#define TEXT_CHUNK 32

/* Rows [first, first + count) of the batch in a slot. */
struct task {
    dip_ring_slot *slot;
    int64_t first, count;
};

/* An image on its way from the reader thread to the team. */
enum raw_state { RAW_FREE, RAW_READING, RAW_FULL, RAW_DECODING };

struct raw {
    enum raw_state state;
    int64_t number; /* in the order of reading */
    struct task task;
    void *scratch;
    dip_image_source source;
    dip_status status;
    dip_err err;
};

struct thread {
    pthread_t handle;
    bool running;
    struct dip_loader *loader;
    dip_row_worker worker;
};

struct dip_loader {
    dip_loader_options options; /* its arrays are ours */
    dip_text_source *texts;
    int *labels;
    dip_attribute_source *attributes;
    dip_sampler *sampler; /* under `lock` while threads run */
    dip_ring ring;
    struct thread *team; /* [team_count] */
    int team_count;
    struct thread reader; /* runs when images are not mapped */
    struct raw *raws;     /* [raw_count], 0 when images are mapped */
    int raw_count;
    double waited;
    int64_t skipped;

    pthread_mutex_t lock; /* over all that follows, slots and raws */
    pthread_cond_t work;  /* rows or raw images may be there to be taken */
    pthread_cond_t ready; /* a batch may be ready */
    bool stopping;
    bool reader_done;
    int64_t reads;                   /* images read since start */
    int64_t epoch, batch, end_epoch; /* the next batch to begin */
    int64_t begun;                   /* batches since start */
    int64_t given;                   /* of them handed out by next */
    bool lent;                       /* the last of these is in use */
};

/* ---- names and options ---- */

static const char *const bad_image_names[] = {
#define BAD_IMAGE_NAME(name, word) word,
    DIP_BAD_IMAGE_TABLE(BAD_IMAGE_NAME)
#undef BAD_IMAGE_NAME
};

dip_status dip_bad_image_from_name(dip_bad_image *out, const char *name,
                                   dip_err *err)
{
    for (int i = 0; i < DIP_BAD_IMAGE_COUNT; i++) {
        if (strcmp(bad_image_names[i], name) == 0) {
            *out = (dip_bad_image)i;
            return DIP_OK;
        }
    }
    return dip_fail(err, DIP_ENOTFOUND,
                    "no policy '%s' for bad images: it is one of %s, %s", name,
                    bad_image_names[DIP_BAD_IMAGE_ERROR],
                    bad_image_names[DIP_BAD_IMAGE_SKIP]);
}

dip_loader_options dip_loader_defaults(void)
{
    return (dip_loader_options){
        .batch_size = 64,
        .image_column = -1,
        .transform = dip_transform_defaults(),
    };
}

static int processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count < MAX_THREADS ? count : MAX_THREADS;
}

static dip_status check_texts(const dip_loader_options *options, dip_err *err)
{
    for (int s = 0; s < options->text_count; s++) {
        const dip_text_source *source = &options->texts[s];
        if (source->context < 1)
            return dip_fail(err, DIP_ERANGE,
                            "context of text %d is not positive: %lld", s,
                            (long long)source->context);
        if (!(source->word_dropout >= 0 && source->word_dropout <= 1))
            return dip_fail(err, DIP_ERANGE,
                            "word dropout of text %d is not in 0..1: %g", s,
                            source->word_dropout);
    }
    return DIP_OK;
}

static dip_status check(const dip_loader_options *options, dip_err *err)
{
    if (options->threads < 0 || options->threads > MAX_THREADS)
        return dip_fail(err, DIP_ERANGE, "threads are not in 0..%d: %d",
                        MAX_THREADS, options->threads);
    /* With one batch in use, a ring of one could never go on. */
    if (options->depth != 0 &&
        (options->depth < 2 || options->depth > MAX_DEPTH))
        return dip_fail(err, DIP_ERANGE, "ring depth is not in 2..%d: %d",
                        MAX_DEPTH, options->depth);
    for (int64_t i = 0; i < options->row_count; i++) {
        if (options->rows[i] < 0 ||
            options->rows[i] >= dip_catalog_rows(options->catalog))
            return dip_fail(err, DIP_ERANGE, "no row %lld in '%s'",
                            (long long)options->rows[i],
                            dip_catalog_path(options->catalog));
    }
    return check_texts(options, err);
}

/* ---- creating ---- */

static void *copy_array(const void *items, int count, size_t size)
{
    void *copy = dip_calloc((size_t)count, size);
    if (copy != NULL && count > 0)
        memcpy(copy, items, (size_t)count * size);
    return copy;
}

static dip_status create_team(dip_loader *loader, dip_err *err)
{
    int wanted = loader->options.threads;
    int count = wanted > 0 ? wanted : processors();
    loader->team = dip_calloc((size_t)count, sizeof *loader->team);
    if (loader->team == NULL)
        return dip_no_memory(err);
    loader->team_count = count;
    dip_status st = DIP_OK;
    for (int i = 0; st == DIP_OK && i < count; i++) {
        loader->team[i].loader = loader;
        st =
            dip_row_worker_init(&loader->team[i].worker, &loader->options, err);
    }
    return st;
}

/* Two for each thread of the team keep it busy while the reader reads. */
static dip_status create_raws(dip_loader *loader, dip_err *err)
{
    const dip_loader_options *options = &loader->options;
    if (options->image_column < 0 ||
        dip_catalog_images_mapped(options->catalog, options->image_column))
        return DIP_OK;
    int count = 2 * loader->team_count;
    size_t scratch =
        dip_catalog_image_scratch(options->catalog, options->image_column);
    loader->reader.loader = loader;
    loader->raws = dip_calloc((size_t)count, sizeof *loader->raws);
    if (loader->raws == NULL)
        return dip_no_memory(err);
    loader->raw_count = count;
    for (int i = 0; i < count; i++) {
        loader->raws[i].scratch = malloc(scratch > 0 ? scratch : 1);
        if (loader->raws[i].scratch == NULL)
            return dip_no_memory(err);
    }
    return DIP_OK;
}

static dip_status create_sampler(dip_loader *loader, dip_err *err)
{
    const dip_loader_options *options = &loader->options;
    dip_sampler_options sampling = {
        .rows = options->rows,
        .count = options->row_count,
        .batch_size = options->batch_size,
        .shuffle = options->shuffle,
        .drop_last = options->drop_last,
        .seed = options->seed,
        .near = options->near,
        .near_rows = dip_catalog_rows(options->catalog),
        .near_width = options->near_width,
    };
    return dip_sampler_create(&loader->sampler, &sampling, err);
}

static dip_status build(dip_loader *loader, dip_err *err)
{
    dip_loader_options *options = &loader->options;
    loader->texts =
        copy_array(options->texts, options->text_count, sizeof *loader->texts);
    loader->labels = copy_array(options->labels, options->label_count,
                                sizeof *loader->labels);
    loader->attributes =
        copy_array(options->attributes, options->attribute_count,
                   sizeof *loader->attributes);
    if (loader->texts == NULL || loader->labels == NULL ||
        loader->attributes == NULL)
        return dip_no_memory(err);
    options->texts = loader->texts;
    options->labels = loader->labels;
    options->attributes = loader->attributes;
    dip_status st = create_sampler(loader, err);
    options->rows = options->near = NULL; /* the sampler has its own */
    if (st == DIP_OK)
        st = create_team(loader, err);
    if (st == DIP_OK)
        st = create_raws(loader, err);
    if (st == DIP_OK)
        st = dip_ring_init(&loader->ring, options,
                           options->depth > 0 ? options->depth : DEFAULT_DEPTH,
                           err);
    return st;
}

dip_status dip_loader_create(dip_loader **out,
                             const dip_loader_options *options, dip_err *err)
{
    *out = NULL;
    dip_status st = check(options, err);
    if (st != DIP_OK)
        return st;
    dip_loader *loader = dip_calloc(1, sizeof *loader);
    if (loader == NULL)
        return dip_no_memory(err);
    loader->options = *options;
    /* Default mutexes and conditions cannot fail on Linux. */
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->ready, NULL);
    st = build(loader, err);
    if (st != DIP_OK) {
        dip_loader_free(loader);
        return st;
    }
    *out = loader;
    return DIP_OK;
}

void dip_loader_free(dip_loader *loader)
{
    if (loader == NULL)
        return;
    dip_loader_stop(loader);
    for (int i = 0; i < loader->team_count; i++)
        dip_row_worker_clear(&loader->team[i].worker);
    for (int i = 0; i < loader->raw_count; i++)
        free(loader->raws[i].scratch);
    free(loader->team);
    free(loader->raws);
    free(loader->texts);
    free(loader->labels);
    free(loader->attributes);
    dip_ring_clear(&loader->ring);
    dip_sampler_free(loader->sampler);
    pthread_cond_destroy(&loader->ready);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
    free(loader);
}

/* ---- taking rows; all with the lock held ---- */

static dip_ring_slot *slot_of(dip_loader *loader, int64_t number)
{
    return &loader->ring.slots[number % loader->ring.depth];
}

static bool has_free_slot(const dip_loader *loader)
{
    int64_t released = loader->given - (loader->lent ? 1 : 0);
    return loader->begun - released < loader->ring.depth;
}

static void begin_batch(dip_loader *loader)
{
    dip_ring_slot *slot = slot_of(loader, loader->begun++);
    const int64_t *rows;
    int64_t size = dip_sampler_batch(loader->sampler, loader->batch, &rows);
    slot->batch.epoch = loader->epoch;
    slot->batch.index = loader->batch;
    slot->batch.size = size;
    memcpy(slot->batch.rows, rows, (size_t)size * sizeof *rows);
    slot->taken = slot->done = slot->skipped = 0;
    slot->failed = -1;
    loader->batch++;
    if (loader->batch < dip_sampler_batches(loader->sampler))
        return;
    loader->batch = 0;
    loader->epoch++;
    if (loader->epoch < loader->end_epoch)
        dip_sampler_set_epoch(loader->sampler, loader->epoch);
}

/* Takes up to `count` rows of the earliest batch that has some left. Waits for
 * a free slot; false at the end and when stopping. */
static bool take_rows(struct task *task, dip_loader *loader, int64_t count)
{
    while (!loader->stopping) {
        dip_ring_slot *slot =
            loader->begun > 0 ? slot_of(loader, loader->begun - 1) : NULL;
        if (slot != NULL && slot->taken < slot->batch.size) {
            int64_t left = slot->batch.size - slot->taken;
            *task =
                (struct task){slot, slot->taken, left < count ? left : count};
            slot->taken += task->count;
            return true;
        }
        if (loader->epoch >= loader->end_epoch)
            return false;
        if (has_free_slot(loader)) {
            begin_batch(loader);
            pthread_cond_broadcast(&loader->work); /* rows for the others */
        } else {
            pthread_cond_wait(&loader->work, &loader->lock);
        }
    }
    return false;
}

/* What came of a task. */
struct outcome {
    dip_status status;
    dip_err err;
    int64_t failed; /* row of the batch, when status is not DIP_OK */
    int64_t skipped;
};

static void finish_task(dip_loader *loader, const struct task *task,
                        const struct outcome *outcome)
{
    dip_ring_slot *slot = task->slot;
    if (outcome->status != DIP_OK &&
        (slot->failed < 0 || outcome->failed < slot->failed)) {
        slot->failed = outcome->failed;
        slot->err = outcome->err;
    }
    slot->skipped += outcome->skipped;
    slot->done += task->count;
    if (slot->done == slot->batch.size)
        pthread_cond_signal(&loader->ready);
}

/* ---- the threads ---- */

/* A row with its image, which is read here unless `raw` has it. */
static dip_status make_row(struct thread *thread, const struct raw *raw,
                           dip_batch *batch, int64_t i, bool *skipped,
                           dip_err *err)
{
    const dip_loader_options *options = &thread->loader->options;
    *skipped = false;
    dip_status st = dip_row_fill(&thread->worker, options, batch, i, err);
    if (st != DIP_OK || options->image_column < 0)
        return st;
    dip_image_source source;
    if (raw != NULL) {
        source = raw->source;
        st = raw->status;
        *err = raw->err;
    } else {
        st = dip_row_read_image(&source, options, batch->rows[i], NULL, err);
    }
    if (st != DIP_OK)
        return st;
    return dip_row_fill_image(skipped, &thread->worker, options, &source, batch,
                              i, err);
}

/* Stops at the first row that fails: so the row that the batch's error names
 * is its first that fails, whichever thread came upon another before. */
static void run_task(struct outcome *out, struct thread *thread,
                     const struct raw *raw, const struct task *task)
{
    *out = (struct outcome){.failed = -1};
    for (int64_t k = 0; out->status == DIP_OK && k < task->count; k++) {
        bool skipped;
        int64_t i = task->first + k;
        out->status =
            make_row(thread, raw, &task->slot->batch, i, &skipped, &out->err);
        out->failed = i;
        out->skipped += skipped;
    }
}

/* Of the team, when images are mapped or there are none. */
static void *run_direct(void *argument)
{
    struct thread *thread = argument;
    dip_loader *loader = thread->loader;
    int64_t chunk = loader->options.image_column < 0 ? TEXT_CHUNK : 1;
    struct task task;
    pthread_mutex_lock(&loader->lock);
    while (take_rows(&task, loader, chunk)) {
        struct outcome outcome;
        pthread_mutex_unlock(&loader->lock);
        run_task(&outcome, thread, NULL, &task);
        pthread_mutex_lock(&loader->lock);
        finish_task(loader, &task, &outcome);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* The first read image of this state, or NULL; with the lock held. */
static struct raw *find_raw(dip_loader *loader, enum raw_state state)
{
    struct raw *found = NULL;
    for (int i = 0; i < loader->raw_count; i++) {
        struct raw *raw = &loader->raws[i];
        if (raw->state == state &&
            (found == NULL || raw->number < found->number))
            found = raw;
    }
    return found;
}

static struct raw *wait_for_free_raw(dip_loader *loader)
{
    struct raw *raw = find_raw(loader, RAW_FREE);
    while (raw == NULL && !loader->stopping) {
        pthread_cond_wait(&loader->work, &loader->lock);
        raw = find_raw(loader, RAW_FREE);
    }
    return loader->stopping ? NULL : raw;
}

static struct raw *wait_for_full_raw(dip_loader *loader)
{
    struct raw *raw = find_raw(loader, RAW_FULL);
    while (raw == NULL && !loader->stopping && !loader->reader_done) {
        pthread_cond_wait(&loader->work, &loader->lock);
        raw = find_raw(loader, RAW_FULL);
    }
    return loader->stopping ? NULL : raw;
}

static void read_raw(dip_loader *loader, struct raw *raw)
{
    const dip_loader_options *options = &loader->options;
    int64_t row = raw->task.slot->batch.rows[raw->task.first];
    if (options->hdf5_lock != NULL)
        pthread_mutex_lock(options->hdf5_lock);
    raw->status =
        dip_row_read_image(&raw->source, options, row, raw->scratch, &raw->err);
    if (options->hdf5_lock != NULL)
        pthread_mutex_unlock(options->hdf5_lock);
}

/* The one thread that calls HDF5. */
static void *run_reader(void *argument)
{
    dip_loader *loader = ((struct thread *)argument)->loader;
    pthread_mutex_lock(&loader->lock);
    struct raw *raw = wait_for_free_raw(loader);
    while (raw != NULL && take_rows(&raw->task, loader, 1)) {
        raw->state = RAW_READING;
        raw->number = loader->reads++;
        pthread_mutex_unlock(&loader->lock);
        read_raw(loader, raw);
        pthread_mutex_lock(&loader->lock);
        raw->state = RAW_FULL;
        pthread_cond_broadcast(&loader->work);
        raw = wait_for_free_raw(loader);
    }
    loader->reader_done = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Of the team, behind the reader. */
static void *run_behind_reader(void *argument)
{
    struct thread *thread = argument;
    dip_loader *loader = thread->loader;
    pthread_mutex_lock(&loader->lock);
    struct raw *raw = wait_for_full_raw(loader);
    while (raw != NULL) {
        struct outcome outcome;
        raw->state = RAW_DECODING;
        pthread_mutex_unlock(&loader->lock);
        run_task(&outcome, thread, raw, &raw->task);
        pthread_mutex_lock(&loader->lock);
        finish_task(loader, &raw->task, &outcome);
        raw->state = RAW_FREE;
        pthread_cond_broadcast(&loader->work);
        raw = wait_for_full_raw(loader);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* Signals are for the main thread, which writes checkpoints on them. */
static dip_status start_thread(struct thread *thread, void *(*run)(void *),
                               dip_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&thread->handle, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->running = code == 0;
    if (code != 0)
        return dip_fail(err, DIP_FAIL, "cannot start a thread: %s",
                        strerror(code));
    return DIP_OK;
}

static void join_thread(struct thread *thread)
{
    if (thread->running)
        pthread_join(thread->handle, NULL);
    thread->running = false;
}

/* ---- running ---- */

int64_t dip_loader_batches(const dip_loader *loader)
{
    return dip_sampler_batches(loader->sampler);
}

/* No thread runs. */
static void reset(dip_loader *loader, int64_t epoch, int64_t batch,
                  int64_t end_epoch)
{
    bool next_epoch = batch == dip_loader_batches(loader);
    loader->epoch = next_epoch ? epoch + 1 : epoch;
    loader->batch = next_epoch ? 0 : batch;
    loader->end_epoch = end_epoch;
    loader->begun = loader->given = loader->reads = 0;
    loader->lent = loader->stopping = loader->reader_done = false;
    for (int i = 0; i < loader->raw_count; i++)
        loader->raws[i].state = RAW_FREE;
    dip_sampler_set_epoch(loader->sampler, loader->epoch);
}

dip_status dip_loader_start(dip_loader *loader, int64_t epoch, int64_t batch,
                            int64_t end_epoch, dip_err *err)
{
    dip_loader_stop(loader);
    if (epoch < 0 || batch < 0 || batch > dip_loader_batches(loader))
        return dip_fail(err, DIP_ERANGE,
                        "no batch %lld in epoch %lld of %lld batches",
                        (long long)batch, (long long)epoch,
                        (long long)dip_loader_batches(loader));
    reset(loader, epoch, batch, end_epoch);
    dip_status st = DIP_OK;
    if (loader->raw_count > 0)
        st = start_thread(&loader->reader, run_reader, err);
    void *(*run)(void *) =
        loader->raw_count > 0 ? run_behind_reader : run_direct;
    for (int i = 0; st == DIP_OK && i < loader->team_count; i++)
        st = start_thread(&loader->team[i], run, err);
    if (st != DIP_OK)
        dip_loader_stop(loader);
    return st;
}

void dip_loader_stop(dip_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    loader->stopping = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    join_thread(&loader->reader);
    for (int i = 0; i < loader->team_count; i++)
        join_thread(&loader->team[i]);
    /* Nothing more comes from next. */
    loader->begun = loader->given = 0;
    loader->epoch = loader->end_epoch;
    loader->lent = false;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The slot of the next batch once all its rows are done, or NULL at the end;
 * with the lock held. */
static dip_ring_slot *wait_for_batch(dip_loader *loader)
{
    for (;;) {
        if (loader->given < loader->begun) {
            dip_ring_slot *slot = slot_of(loader, loader->given);
            if (slot->done == slot->batch.size)
                return slot;
        } else if (loader->epoch >= loader->end_epoch) {
            return NULL;
        }
        double start = now();
        pthread_cond_wait(&loader->ready, &loader->lock);
        loader->waited += now() - start;
    }
}

dip_status dip_loader_next(const dip_batch **out, dip_loader *loader,
                           dip_err *err)
{
    *out = NULL;
    pthread_mutex_lock(&loader->lock);
    if (loader->lent) {
        loader->lent = false;
        pthread_cond_broadcast(&loader->work);
    }
    dip_ring_slot *slot = wait_for_batch(loader);
    if (slot != NULL && slot->failed < 0) {
        loader->given++;
        loader->lent = true;
        loader->skipped += slot->skipped;
        *out = &slot->batch;
    }
    pthread_mutex_unlock(&loader->lock);
    if (slot != NULL && slot->failed >= 0)
        return dip_fail(err, slot->err.code, "%s", slot->err.msg);
    return DIP_OK;
}

double dip_loader_waited(const dip_loader *loader)
{
    return loader->waited;
}

int64_t dip_loader_skipped(const dip_loader *loader)
{
    return loader->skipped;
}
