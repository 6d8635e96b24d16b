#include <stdlib.h>

#include "base/utf8.h"
#include "data/clean.h"
#include "data/words.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/text.txt", NULL};

const char *const fuzz_words[] = {
    "&amp;amp;",
    "&#x10ffff;",
    "&#128;",
    "&#xd800",
    "&eacute",
    "&NotEqual;",
    "\xcc\x81",
    "\xe1\x84\x92\xe1\x85\xa1",
    "\xef\xac\x83",
    "\xef\xb7\xba",
    "\xce\xa3",
    "\xc4\xb0",
    "\xf0\x9f\x91\xa8\xe2\x80\x8d",
    "\xed\xa0\x80",
    "\xc0\x80",
    "\xf4\x90\x80\x80",
    "\x1b[31m",
    "\xe2\x80\x99",
    "-",
    "\xe7\xba\xa2",
    NULL,
};

static dip_status count_word(void *user, dip_bytes word, dip_err *err)
{
    (void)err;
    *(size_t *)user += word.len;
    return DIP_OK;
}

/* A text through all that texts go through before they are tokens, titles or
 * lines on a terminal. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)path;
    const dip_bytes text = {bytes, n};
    dip_str out = {0};
    char *title = NULL;
    size_t count = 0;
    dip_err err = {0};
    for (int clean = 0; clean < DIP_CLEAN_COUNT; clean++)
        (void)!dip_clean_text(&out, text, (dip_clean)clean, &err);
    (void)!dip_words_each(text, n % 2 == 1, count_word, &count, &err);
    (void)!dip_characters_each(text, n % 2 == 1, count_word, &count, &err);
    (void)!dip_utf8_normalise(&title, bytes, n, &err);
    (void)dip_utf8_fit(&out, bytes, n, n / 2);
    dip_str_free(&out);
    free(title);
}
