/* The caption files that many image-captioning projects make of COCO, Flickr8k
 * and Flickr30k: TRAIN_IMAGES_x.hdf5 with `images` [N, 3, H, W] and the
 * attribute `captions_per_image`, and beside it TRAIN_CAPTIONS_x.json (word
 * numbers of N * captions_per_image captions), TRAIN_CAPLENS_x.json (how many
 * of them count) and WORDMAP_x.json (word to number). An image is a row; its
 * captions are the text columns caption_0, caption_1, ... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/layout_common.h"

enum {
    JSON_LIMIT = 1 << 30,
    WORD_LIMIT = 10000000,
    CAPTION_LIMIT = 1000 /* captions of an image */
};

typedef struct {
    json_t *captions, *lengths, *map; /* lengths may be NULL */
    const char **words;               /* by number; NULL: no such word */
    int64_t word_count;
    char *path; /* of the captions, for messages */
} caption_files;

/* ---- names of the siblings ---- */

/* "dir/TRAIN_IMAGES_x.hdf5" to "dir/TRAIN_<what>_x.json", or without "TRAIN_"
 * when `whole`. NULL when the name has no "IMAGES_" or memory is out. */
static char *sibling(const char *images, const char *what, bool whole)
{
    static const char mark[] = "IMAGES_";
    const char *base = dip_path_base(images);
    const char *found = strstr(base, mark);
    const char *end = strrchr(base, '.');
    if (found == NULL || end == NULL || end < found)
        return NULL;
    const char *from = whole ? base : found;
    const char *rest = found + strlen(mark);
    dip_str out = {0};
    dip_str_add_n(&out, images, (size_t)(base - images));
    if (whole)
        dip_str_add_n(&out, from, (size_t)(found - from));
    dip_str_addf(&out, "%s_", what);
    dip_str_add_n(&out, rest, (size_t)(end - rest));
    dip_str_add(&out, ".json");
    if (dip_str_status(&out, NULL) == DIP_OK)
        return out.data;
    dip_str_free(&out);
    return NULL;
}

/* A file that the mapping names is relative to the folder of the images. */
static dip_status find_file(char **out, const char *images, const char *given,
                            const char *what, bool whole, dip_err *err)
{
    if (given == NULL) {
        *out = sibling(images, what, whole);
    } else {
        char *folder = dip_path_dir(images);
        *out = folder == NULL ? NULL : dip_path_join(folder, given);
        free(folder);
    }
    if (*out != NULL)
        return DIP_OK;
    return dip_fail(err, DIP_EFORMAT,
                    "name '%s' has no IMAGES_, so its %s file is not known",
                    images, what);
}

/* ---- JSON ---- */

static void close_files(caption_files *files)
{
    json_decref(files->captions);
    json_decref(files->lengths);
    json_decref(files->map);
    free(files->words);
    free(files->path);
}

static dip_status index_words(caption_files *files, const char *path,
                              dip_err *err)
{
    const char *word;
    json_t *number;
    if (!json_is_object(files->map))
        return dip_fail(err, DIP_EFORMAT, "no JSON object in '%s'", path);
    json_object_foreach (files->map, word, number) {
        int64_t n = json_is_integer(number) ? json_integer_value(number) : -1;
        if (n < 0 || n >= WORD_LIMIT)
            return dip_fail(err, DIP_EFORMAT, "bad number of word '%s' in '%s'",
                            word, path);
        if (n >= files->word_count)
            files->word_count = n + 1;
    }
    files->words = dip_calloc((size_t)files->word_count, sizeof *files->words);
    if (files->words == NULL)
        return dip_no_memory(err);
    json_object_foreach (files->map, word, number) {
        files->words[json_integer_value(number)] = word;
    }
    return DIP_OK;
}

static dip_status load_json(json_t **out, dip_catalog *catalog,
                            const char *path, dip_err *err)
{
    dip_status st = dip_json_load(out, path, JSON_LIMIT, err);
    return st == DIP_OK ? dip_catalog_add_digest(catalog, path, err) : st;
}

static dip_status load_files(caption_files *out, dip_catalog *catalog,
                             const dip_layout_input *input, dip_err *err)
{
    char *lengths = NULL, *words = NULL;
    *out = (caption_files){0};
    dip_status st = find_file(&out->path, input->path, input->mapping->captions,
                              "CAPTIONS", true, err);
    if (st == DIP_OK)
        st = find_file(&words, input->path, input->mapping->word_map, "WORDMAP",
                       false, err);
    if (st == DIP_OK)
        st = load_json(&out->captions, catalog, out->path, err);
    if (st == DIP_OK)
        st = load_json(&out->map, catalog, words, err);
    if (st == DIP_OK)
        st = index_words(out, words, err);
    if (st == DIP_OK)
        lengths = sibling(input->path, "CAPLENS", true);
    if (lengths != NULL && dip_file_exists(lengths))
        st = load_json(&out->lengths, catalog, lengths, err);
    free(lengths);
    free(words);
    return st;
}

static dip_status check_counts(const caption_files *files, int64_t captions,
                               dip_err *err)
{
    size_t want = (size_t)captions;
    if (!json_is_array(files->captions) ||
        json_array_size(files->captions) != want)
        return dip_fail(err, DIP_EFORMAT, "%zu captions instead of %zu in '%s'",
                        json_array_size(files->captions), want, files->path);
    if (files->lengths != NULL && json_array_size(files->lengths) != want)
        return dip_fail(err, DIP_EFORMAT,
                        "%zu lengths for the %zu captions of '%s'",
                        json_array_size(files->lengths), want, files->path);
    return DIP_OK;
}

/* ---- captions ---- */

static bool is_mark(const char *word)
{
    return strcmp(word, "<start>") == 0 || strcmp(word, "<end>") == 0 ||
           strcmp(word, "<pad>") == 0;
}

/* Appends the words of caption `at`, with blanks between. */
static dip_status add_caption(dip_str *out, const caption_files *files,
                              size_t at, dip_err *err)
{
    const json_t *caption = json_array_get(files->captions, at);
    size_t length = json_array_size(caption);
    if (!json_is_array(caption))
        return dip_fail(err, DIP_EFORMAT, "caption %zu is no list in '%s'", at,
                        files->path);
    if (files->lengths != NULL) {
        json_int_t said =
            json_integer_value(json_array_get(files->lengths, at));
        if (said < 0 || (uint64_t)said > length)
            return dip_fail(err, DIP_EFORMAT,
                            "length of caption %zu is %lld of %zu in '%s'", at,
                            (long long)said, length, files->path);
        length = (size_t)said;
    }
    size_t start = out->len;
    for (size_t i = 0; i < length; i++) {
        const json_t *number = json_array_get(caption, i);
        int64_t n = json_is_integer(number) ? json_integer_value(number) : -1;
        const char *word =
            n >= 0 && n < files->word_count ? files->words[n] : NULL;
        if (word == NULL)
            return dip_fail(err, DIP_EFORMAT,
                            "unknown word %lld in caption %zu of '%s'",
                            (long long)n, at, files->path);
        if (is_mark(word))
            continue;
        if (out->len > start)
            dip_str_add(out, " ");
        dip_str_add(out, word);
    }
    return DIP_OK;
}

/* Caption number `which` of every image as a text column. */
static dip_status add_captions(dip_catalog *catalog, dip_part *part,
                               const caption_files *files, int64_t which,
                               int64_t per_image, dip_err *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "caption_%lld", (long long)which);
    dip_column about = {.kind = DIP_COLUMN_TEXT, .name = name};
    dip_layout_texts texts = {0};
    int index;
    dip_status st = dip_part_add_column(&index, catalog, part, &about, err);
    for (int64_t i = 0; i < part->rows && st == DIP_OK; i++) {
        st = add_caption(&texts.bytes, files, (size_t)(i * per_image + which),
                         err);
        if (st == DIP_OK)
            st = dip_layout_end_text(&texts, err);
    }
    if (st == DIP_OK)
        dip_layout_set_texts(part, index, &texts);
    dip_layout_free_texts(&texts);
    return st;
}

static dip_status add_all_captions(dip_catalog *catalog, dip_part *part,
                                   const dip_layout_input *input, dip_err *err)
{
    int64_t per_image;
    dip_status st =
        dip_h5_get_int(&per_image, &part->file, "captions_per_image", err);
    if (st == DIP_OK && (per_image < 1 || per_image > CAPTION_LIMIT))
        st = dip_fail(err, DIP_EFORMAT, "%lld captions for an image in '%s'",
                      (long long)per_image, part->path);
    if (st != DIP_OK)
        return st;
    caption_files files;
    st = load_files(&files, catalog, input, err);
    if (st == DIP_OK)
        st = check_counts(&files, part->rows * per_image, err);
    for (int64_t i = 0; i < per_image && st == DIP_OK; i++)
        st = add_captions(catalog, part, &files, i, per_image, err);
    close_files(&files);
    return st;
}

dip_status dip_layout_coco_captions(dip_catalog *catalog,
                                    const dip_layout_input *input, dip_err *err)
{
    const char *image =
        input->mapping->image != NULL ? input->mapping->image : "images";
    dip_part *part;
    dip_status st = dip_part_begin(&part, catalog, input->path, err);
    if (st == DIP_OK)
        st = dip_layout_add_pixels(catalog, part, image, true, err);
    if (st == DIP_OK)
        st = dip_layout_number_rows(catalog, part, input, err);
    for (int64_t i = 0; st == DIP_OK && i < part->rows; i++)
        st = dip_layout_set_group(catalog, part, input, i, (dip_bytes){NULL, 0},
                                  err);
    if (st == DIP_OK)
        st = add_all_captions(catalog, part, input, err);
    if (st == DIP_OK)
        st = dip_part_end(catalog, part, err);
    return st;
}
