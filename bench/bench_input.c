/* Images per second from JPEG files to normalised floats: reading, decoding,
 * random resized crop (.9 to 1, as open_clip's default), normalisation.
 *
 *     bench_input FOLDER [SIZE [THREADS [REPEATS]]]
 *
 * Prints one line per repeat and the median. Compare with peer_input.py, which
 * takes the same arguments. */
#include <dirent.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "image/decode.h"
#include "image/transform.h"

typedef struct {
    char **paths;
    size_t count, capacity;
} path_list;

typedef struct {
    dip_decoder *decoder;
    dip_transformer *transformer;
    char *bytes;
    size_t capacity;
    float *out; /* [3, size, size] */
} worker;

static bool is_jpeg(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".jpg") == 0 || strcmp(dot, ".jpeg") == 0);
}

static dip_status list_folder(path_list *list, const char *folder, dip_err *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return dip_fail(err, DIP_EIO, "cannot open folder '%s'", folder);
    dip_status st = DIP_OK;
    for (struct dirent *e = readdir(dir); e && st == DIP_OK; e = readdir(dir)) {
        if (!is_jpeg(e->d_name))
            continue;
        size_t size = strlen(folder) + strlen(e->d_name) + 2;
        st = dip_reserve(&list->paths, &list->capacity, list->count + 1,
                         sizeof *list->paths, err);
        if (st != DIP_OK)
            break;
        char *path = malloc(size);
        if (!path) {
            st = dip_no_memory(err);
            break;
        }
        snprintf(path, size, "%s/%s", folder, e->d_name);
        list->paths[list->count++] = path;
    }
    closedir(dir);
    if (st == DIP_OK && list->count == 0)
        st = dip_fail(err, DIP_ENOTFOUND, "no JPEG in '%s'", folder);
    return st;
}

/* *size bytes of the file in w->bytes. */
static dip_status read_file(size_t *size, worker *w, const char *path,
                            dip_err *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return dip_fail(err, DIP_EIO, "cannot open '%s'", path);
    dip_status st = DIP_OK;
    *size = 0;
    size_t got = 1;
    while (st == DIP_OK && got > 0) {
        st = dip_reserve(&w->bytes, &w->capacity, *size + (64 << 10), 1, err);
        if (st != DIP_OK)
            break;
        got = fread(w->bytes + *size, 1, w->capacity - *size, file);
        *size += got;
    }
    fclose(file);
    return st;
}

static dip_status one_image(worker *w, const char *path, size_t row,
                            dip_err *err)
{
    size_t size = 0;
    dip_image_view image;
    dip_rng rng = dip_rng_stream(0, 1, 0, row);
    dip_status st = read_file(&size, w, path, err);
    if (st == DIP_OK)
        st = dip_image_decode(&image, w->decoder, w->bytes, size, NULL, err);
    if (st == DIP_OK)
        st = dip_transform_apply(w->out, w->transformer, &image, &rng, err);
    return st == DIP_OK ? DIP_OK : dip_fail_context(err, "%s", path);
}

static dip_status start_worker(worker *w, int size, dip_err *err)
{
    dip_transform transform = dip_transform_defaults();
    transform.size = size;
    transform.augment_count = 1;
    transform.augment[0] =
        dip_augment_defaults(DIP_AUGMENT_RANDOM_RESIZED_CROP);
    transform.augment[0].resized_crop.scale[0] = 0.9;
    w->out = dip_calloc(3 * (size_t)size * (size_t)size, sizeof(float));
    if (!w->out)
        return dip_no_memory(err);
    dip_status st = dip_decoder_create(&w->decoder, err);
    if (st == DIP_OK)
        st = dip_transformer_create(&w->transformer, &transform, err);
    return st;
}

static void end_worker(worker *w)
{
    dip_decoder_destroy(w->decoder);
    dip_transformer_destroy(w->transformer);
    free(w->bytes);
    free(w->out);
}

/* Seconds for one pass over all files. */
static dip_status one_pass(double *seconds, worker *workers, int threads,
                           const path_list *list, dip_err *err)
{
    dip_status st = DIP_OK;
    double start = omp_get_wtime();
#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
    for (size_t i = 0; i < list->count; i++) {
        dip_err own = {0};
        dip_status got =
            one_image(&workers[omp_get_thread_num()], list->paths[i], i, &own);
        if (got != DIP_OK) {
#pragma omp critical
            {
                st = got;
                *err = own;
            }
        }
    }
    *seconds = omp_get_wtime() - start;
    return st;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static dip_status run(const path_list *list, int size, int threads, int repeats,
                      dip_err *err)
{
    worker *workers = dip_calloc((size_t)threads, sizeof *workers);
    double *rates = dip_calloc((size_t)repeats, sizeof *rates);
    dip_status st = workers && rates ? DIP_OK : dip_no_memory(err);
    for (int i = 0; st == DIP_OK && i < threads; i++)
        st = start_worker(&workers[i], size, err);
    double seconds;
    if (st == DIP_OK) /* the files come into the page cache */
        st = one_pass(&seconds, workers, threads, list, err);
    for (int i = 0; st == DIP_OK && i < repeats; i++) {
        st = one_pass(&seconds, workers, threads, list, err);
        rates[i] = (double)list->count / seconds;
        printf("%.0f images/s\n", rates[i]);
    }
    if (st == DIP_OK) {
        qsort(rates, (size_t)repeats, sizeof *rates, compare_doubles);
        printf("median %.0f images/s\n", rates[repeats / 2]);
    }
    for (int i = 0; workers && i < threads; i++)
        end_worker(&workers[i]);
    free(workers);
    free(rates);
    return st;
}

/* Argument `index`, or `fallback` when it is absent; 0 when it is no number
 * from 1 to 65535. */
static int number_argument(int argc, char **argv, int index, int fallback)
{
    if (index >= argc)
        return fallback;
    char *end;
    long value = strtol(argv[index], &end, 10);
    return *end == '\0' && value >= 1 && value <= 65535 ? (int)value : 0;
}

int main(int argc, char **argv)
{
    int size = number_argument(argc, argv, 2, 224);
    int threads = number_argument(argc, argv, 3, 2);
    int repeats = number_argument(argc, argv, 4, 5);
    if (argc < 2 || size == 0 || threads == 0 || repeats == 0) {
        fprintf(stderr, "usage: %s FOLDER [SIZE [THREADS [REPEATS]]]\n",
                argv[0]);
        return 2;
    }
    path_list list = {0};
    dip_err err = {0};
    dip_status st = list_folder(&list, argv[1], &err);
    if (st == DIP_OK)
        st = run(&list, size, threads, repeats, &err);
    if (st != DIP_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.msg);
    for (size_t i = 0; i < list.count; i++)
        free(list.paths[i]);
    free(list.paths);
    return dip_status_exit_code(st);
}
