/* Inputs that stand for several files: pieces, each ended by the byte 0x1e or
 * the end of the input. What is missing is an empty file. */
#ifndef DIP_TESTS_FUZZ_PIECES_H
#define DIP_TESTS_FUZZ_PIECES_H

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_PIECE_END '\x1e'

static inline void fuzz_write_piece(const char *folder, const char *name,
                                    const char *bytes, size_t n)
{
    dip_str path = {0};
    dip_str_addf(&path, "%s/%s", folder, name);
    FILE *file = fopen(path.data, "wb");
    if (file != NULL) {
        (void)fwrite(bytes, 1, n, file);
        (void)fclose(file);
    }
    dip_str_free(&path);
}

/* Writes the first pieces under these names (a NULL at the end) to the folder
 * of the input, which is returned. */
static inline const char *fuzz_write_pieces(const char *path,
                                            const char *const *names,
                                            const char *bytes, size_t n)
{
    const char *folder = fuzz_folder(path, NULL);
    for (; *names != NULL; names++) {
        const char *end = n > 0 ? memchr(bytes, FUZZ_PIECE_END, n) : NULL;
        size_t size = end != NULL ? (size_t)(end - bytes) : n;
        fuzz_write_piece(folder, *names, bytes, size);
        size += end != NULL;
        bytes += size;
        n -= size;
    }
    return folder;
}

#endif
