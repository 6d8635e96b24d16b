/* Fuzzing of what reads untrusted files. A target is one file, fuzz_<name>.c,
 * that defines what is declared here; driver.c brings main(), which damages the
 * seeds over and over, keeps what reaches new code, and calls fuzz_one() with
 * each. A target fails by a crash, a sanitizer's report or a hang.
 *
 *   make fuzz [FUZZ_SECONDS=10] [FUZZ=name] [FUZZ_SEED=n]
 *   build-fuzz/tests/fuzz/fuzz_<name> FILE...      one run of each file
 *
 * The input that failed is left as build-fuzz/tests/fuzz/fuzz_<name>.input.
 * The seconds are of processor time. At the end, and each minute before it, a
 * line says how many inputs ran and how many edges of our own code (not of
 * libraries) they passed. */
#ifndef DIP_TESTS_FUZZ_FUZZ_H
#define DIP_TESTS_FUZZ_FUZZ_H

#include <stddef.h>

#define FUZZ_MAX_BYTES 65536 /* of an input */

/* Files of the repository to begin with, a NULL at the end. */
extern const char *const fuzz_seeds[];

/* Pieces of the format, which are put in here and there; a NULL at the end. */
extern const char *const fuzz_words[];

/* Reads the input with the parser, uses what it made of it, and frees it all.
 * The input stands in the file `path` and, the same, in `bytes`. */
void fuzz_one(const char *path, const char *bytes, size_t n);

/* The folder "<path>.folder", which is made at the first call, with a link
 * `name` (NULL: none) to the input in it: for what is found by its name. */
const char *fuzz_folder(const char *path, const char *name);

#endif
