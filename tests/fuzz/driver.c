/* The loop of all fuzz targets (tests/fuzz/fuzz.h). */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

#define SECONDS_DEFAULT 10
#define SECONDS_REPORT  60 /* from one line to the next */
#define HANG_SECONDS    20 /* of processor time, of one input */
#define CORPUS_MAX      4096
#define MAP_SIZE        65536
#define STRIDE          64 /* of the map, looked through in one go */
#define CHANGES_MAX     6  /* of an input in one go */

struct input {
    char *bytes;
    size_t n;
};

struct fuzzer {
    struct input corpus[CORPUS_MAX];
    size_t count, word_count;
    char *path; /* the file that carries the input of the moment */
    int file;
    char bytes[FUZZ_MAX_BYTES];
    size_t n;
    dip_rng rng;
    uint64_t runs;
    const char *name;
    long seed;
};

/* ---- coverage: the compiler's hook has no argument, so these are global ----
 */

void __sanitizer_cov_trace_pc(void);
int main(int argc, char **argv);

static uint8_t hits[MAP_SIZE]; /* of the input of the moment, by edge */
static uint8_t seen[MAP_SIZE]; /* of all before: classes of counts, as bits */
static uintptr_t previous;

__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
    uintptr_t at = (uintptr_t)__builtin_return_address(0) - (uintptr_t)main;
    at *= UINT64_C(0x9e3779b97f4a7c15);
    uintptr_t edge = (at ^ (previous >> 1)) >> 48;
    if (hits[edge] < UINT8_MAX)
        hits[edge]++;
    previous = at;
}

/* One bit for each class of counts: 1, 2, 3, 4 to 7, ... */
static uint8_t class_of(uint8_t count)
{
    static const uint8_t firsts[] = {1, 2, 3, 4, 8, 16, 32, 128};
    uint8_t bit = 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(firsts); i++) {
        if (count >= firsts[i])
            bit = (uint8_t)(1u << i);
    }
    return bit;
}

static bool reached_new_code(void)
{
    static const char none[STRIDE];
    bool new = false;
    for (size_t at = 0; at < MAP_SIZE; at += STRIDE) {
        if (memcmp(hits + at, none, STRIDE) == 0)
            continue; /* nearly all */
        for (size_t i = at; i < at + STRIDE; i++) {
            uint8_t bit = class_of(hits[i]);
            new = new || (bit & ~seen[i]) != 0;
            seen[i] |= bit;
        }
    }
    return new;
}

static size_t edges_seen(void)
{
    size_t count = 0;
    for (size_t i = 0; i < MAP_SIZE; i++)
        count += seen[i] != 0;
    return count;
}

/* ---- running one input ---- */

static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "fuzz: %s: %s\n", what, why);
    exit(1);
}

static void put_file(const struct fuzzer *f)
{
    if (ftruncate(f->file, 0) != 0 ||
        pwrite(f->file, f->bytes, f->n, 0) != (ssize_t)f->n)
        give_up(f->path, "cannot be written");
}

const char *fuzz_folder(const char *path, const char *name)
{
    static dip_str folder;
    if (folder.len > 0)
        return folder.data;
    dip_str link = {0}, target = {0};
    dip_str_addf(&folder, "%s.folder", path);
    (void)mkdir(folder.data, 0755); /* may be there: its use tells */
    if (name == NULL)
        return folder.data;
    dip_str_addf(&link, "%s.folder/%s", path, name);
    dip_str_addf(&target, "../%s", dip_path_base(path));
    (void)unlink(link.data);
    if (symlink(target.data, link.data) != 0)
        give_up(link.data, "cannot be made");
    dip_str_free(&link);
    dip_str_free(&target);
    return folder.data;
}

/* Ends the program by a signal after so much work; 0: no more. A busy machine
 * makes no hang. */
static void limit_time(time_t seconds)
{
    const struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    if (setitimer(ITIMER_PROF, &timer, NULL) != 0)
        give_up("time limit", "cannot be set");
}

static bool run(struct fuzzer *f)
{
    put_file(f);
    /* A copy of its own, so that reading behind its end is found. */
    char *bytes = malloc(f->n);
    if (bytes == NULL && f->n > 0)
        give_up("input", "out of memory");
    if (f->n > 0)
        memcpy(bytes, f->bytes, f->n);
    memset(hits, 0, sizeof hits);
    previous = 0;
    limit_time(HANG_SECONDS);
    fuzz_one(f->path, bytes, f->n);
    limit_time(0);
    free(bytes);
    f->runs++;
    return reached_new_code();
}

static void keep(struct fuzzer *f)
{
    if (f->count == CORPUS_MAX)
        return;
    struct input *input = &f->corpus[f->count];
    input->bytes = malloc(f->n > 0 ? f->n : 1);
    if (input->bytes == NULL)
        give_up("corpus", "out of memory");
    memcpy(input->bytes, f->bytes, f->n);
    input->n = f->n;
    f->count++;
}

static void load(struct fuzzer *f, const char *path)
{
    char *bytes;
    dip_err err = {0};
    if (dip_file_read(&bytes, &f->n, path, FUZZ_MAX_BYTES, &err) != DIP_OK)
        give_up(path, err.msg);
    memcpy(f->bytes, bytes, f->n);
    free(bytes);
}

/* ---- damage ---- */

static size_t below(struct fuzzer *f, size_t n)
{
    return n > 0 ? (size_t)dip_rng_below(&f->rng, n) : 0;
}

/* Puts `n` bytes at `at`, as many as there is room for. */
static void insert(struct fuzzer *f, size_t at, const char *bytes, size_t n)
{
    n = n < FUZZ_MAX_BYTES - f->n ? n : FUZZ_MAX_BYTES - f->n;
    memmove(f->bytes + at + n, f->bytes + at, f->n - at);
    memcpy(f->bytes + at, bytes, n);
    f->n += n;
}

static void change_bit(struct fuzzer *f, size_t at)
{
    if (at < f->n)
        f->bytes[at] = (char)(f->bytes[at] ^ (1 << below(f, 8)));
}

static void change_byte(struct fuzzer *f, size_t at)
{
    static const char values[] = {0,   1,    '\n', ' ', '"',  '/',  '9',
                                  '{', 0x7f, '\\', '-', -128, -127, -1};
    if (at < f->n)
        f->bytes[at] = values[below(f, sizeof values)];
}

/* A number of 1, 2, 4 or 8 bytes, little-endian, near the edge of a type. */
static void change_number(struct fuzzer *f, size_t at)
{
    uint64_t value = UINT64_C(1) << below(f, 64);
    value += below(f, 3) - 1;
    size_t size = (size_t)1 << below(f, 4);
    for (size_t i = 0; i < size && at + i < f->n; i++)
        f->bytes[at + i] = (char)(value >> (8 * i));
}

static void remove_some(struct fuzzer *f, size_t at)
{
    size_t n = below(f, below(f, f->n - at + 1) + 1);
    memmove(f->bytes + at, f->bytes + at + n, f->n - at - n);
    f->n -= n;
}

static void cut(struct fuzzer *f, size_t at)
{
    f->n = at;
}

static void insert_word(struct fuzzer *f, size_t at)
{
    const char *word = fuzz_words[below(f, f->word_count)];
    if (word != NULL)
        insert(f, at, word, strlen(word));
}

/* A piece of some input of the corpus, here and there many times. */
static void insert_piece(struct fuzzer *f, size_t at)
{
    const struct input *from = &f->corpus[below(f, f->count)];
    size_t start = below(f, from->n + 1);
    size_t n = below(f, below(f, from->n - start + 1) + 1);
    size_t times = below(f, 8) == 0 ? 1 + below(f, 64) : 1;
    for (size_t i = 0; i < times; i++)
        insert(f, at, from->bytes + start, n);
}

static void damage(struct fuzzer *f)
{
    static void (*const kinds[])(struct fuzzer *, size_t) = {
        change_bit,  change_byte,  change_number, remove_some,
        insert_word, insert_piece, insert_word,   cut,
    };
    const struct input *from = &f->corpus[below(f, f->count)];
    memcpy(f->bytes, from->bytes, from->n);
    f->n = from->n;
    for (size_t i = 1 + below(f, CHANGES_MAX); i > 0; i--) {
        size_t kind = below(f, DIP_ARRAY_LEN(kinds));
        if (kinds[kind] == cut && below(f, 4) != 0)
            continue; /* most of what a cut leaves is alike */
        kinds[kind](f, below(f, f->n + 1));
    }
}

/* ---- the loop ---- */

static long number_of(const char *variable, long fallback)
{
    const char *text = getenv(variable);
    return text != NULL ? strtol(text, NULL, 10) : fallback;
}

/* Of processor time: a busy machine takes nothing from a target. */
static double seconds_used(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void report(const struct fuzzer *f)
{
    (void)printf("%s: %llu inputs in %.0f s of processor time, %zu kept, "
                 "%zu edges, seed %ld\n",
                 f->name, (unsigned long long)f->runs, seconds_used(), f->count,
                 edges_seen(), f->seed);
    (void)fflush(stdout); /* before a report of leaks ends the program */
}

static void fuzz(struct fuzzer *f)
{
    for (size_t i = 0; fuzz_seeds[i] != NULL; i++) {
        load(f, fuzz_seeds[i]);
        (void)run(f);
        keep(f);
    }
    f->n = 0;
    (void)run(f);
    keep(f);
    double now = seconds_used(), next = now + SECONDS_REPORT;
    double end = now + (double)number_of("FUZZ_SECONDS", SECONDS_DEFAULT);
    for (; now < end; now = seconds_used()) {
        damage(f);
        if (run(f))
            keep(f);
        if (now >= next) {
            report(f);
            next += SECONDS_REPORT;
        }
    }
}

int main(int argc, char **argv)
{
    static struct fuzzer f;
    dip_str path = {0};
    dip_str_addf(&path, "%s.input", argv[0]);
    f.path = path.data;
    f.file = open(f.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (f.file < 0)
        give_up(f.path, "cannot be written");
    f.name = dip_path_base(argv[0]);
    f.seed = number_of("FUZZ_SEED", (long)time(NULL));
    f.rng = dip_rng_stream((uint64_t)f.seed, 0, 0, 0);
    while (fuzz_words[f.word_count] != NULL)
        f.word_count++;
    for (int i = 1; i < argc; i++) {
        load(&f, argv[i]);
        (void)run(&f);
    }
    if (argc < 2)
        fuzz(&f);
    report(&f);
    for (size_t i = 0; i < f.count; i++)
        free(f.corpus[i].bytes);
    (void)close(f.file);
    (void)unlink(f.path);
    dip_str_free(&path);
    return 0;
}
