#include "data/vectors.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {
    "tests/golden/vectors/word2vec.txt", "tests/golden/vectors/word2vec.bin",
    "tests/golden/vectors/glove.txt",    "tests/golden/vectors/fasttext.bin",
    "tests/golden/vectors/words.bin",    NULL};

const char *const fuzz_words[] = {
    "2 3\n", " 1e38", " -.5e-9",          "nan", "\n",
    "\r\n",  "</s>",  "\xff\xff\xff\x7f", NULL,
};

/* Word vectors of every format, for words that the seeds have and have not. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes, (void)n;
    const dip_bytes words[] = {{"red", 3}, {"shirt", 5}, {"unseen", 6}};
    dip_vectors v;
    dip_err err = {0};
    if (dip_vectors_read(&v, path, words, 3, &err) == DIP_OK)
        dip_vectors_free(&v);
}
