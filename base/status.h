/* Status codes and error messages: how every module says that it failed.
 *
 * A function that can fail returns dip_status (0 is success), takes what it
 * makes as its first parameter and the caller's dip_err as its last. Messages
 * are lower case, name the problem first and the file, row, key or byte after
 * it, and end without a full stop. Only apps/ prints them. */
#ifndef DIP_BASE_STATUS_H
#define DIP_BASE_STATUS_H

#include <stdarg.h>

/* name, exit code of the program, words for `diptych --help` */
#define DIP_STATUS_TABLE(X)                                                    \
    X(OK, 0, "success")                                                        \
    X(FAIL, 1, "failure that fits no other line")                              \
    X(EUSAGE, 2, "wrong command line")                                         \
    X(ECONFIG, 2, "wrong config")                                              \
    X(EIO, 3, "file cannot be read or written")                                \
    X(EFORMAT, 4, "malformed or damaged input")                                \
    X(EDATA, 4, "input that contradicts itself or the config")                 \
    X(ENOTFOUND, 4, "something named does not exist")                          \
    X(ERANGE, 4, "value or size out of range")                                 \
    X(ENOMEM, 5, "out of memory")                                              \
    X(ETENSOR, 5, "libtorch or ONNX Runtime refused an operation")             \
    X(ENUMERIC, 6, "loss is NaN or infinite")                                  \
    X(EVERIFY, 7, "written artefact differs from what it should be")           \
    X(EINTERRUPT, 8, "stopped by a signal after a checkpoint")

typedef enum {
#define DIP_STATUS_ENUM(name, exit_code, words) DIP_##name,
    DIP_STATUS_TABLE(DIP_STATUS_ENUM)
#undef DIP_STATUS_ENUM
} dip_status;

#define DIP_ERR_SIZE 1024

/* Belongs to the caller; start it as {0}. */
typedef struct {
    dip_status code;
    char msg[DIP_ERR_SIZE];
} dip_err;

#define DIP_MUST_CHECK        __attribute__((warn_unused_result))
#define DIP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Writes the message into `err` (may be NULL) and returns `code`. Overwrites
 * an earlier message: the innermost caller that knows more calls last. */
dip_status dip_fail(dip_err *err, dip_status code, const char *fmt, ...)
    DIP_PRINTF(3, 4);

/* Puts "words: " before the message of `err` and returns its code. */
dip_status dip_fail_context(dip_err *err, const char *fmt, ...)
    DIP_PRINTF(2, 3);

/* Borrowed, static: "EFORMAT" and the like. */
const char *dip_status_name(dip_status code);

/* The exit code of a program that ends with `code`. */
int dip_status_exit_code(dip_status code);

#endif
