/* Configs: YAML read against one table of options.
 *
 * The table says which keys there are, of what type and range, and what they
 * are when nobody sets them; from it come the checks, the resolved config and
 * the reference page. A config file may name another by `extends: other.yaml`
 * (relative to itself): mappings are merged, everything else is replaced.
 * `key.path=value` of the command line is applied last; of two for one key the
 * later counts. `null` takes back a key that was set before, with all below
 * it.
 *
 * A file holds one YAML document of at most 1 MiB, without anchors, aliases
 * and tags. Scalars are strict: numbers are decimal (1e-3; not 0x10, 1_000,
 * 1e39, nan), booleans are true and false, and a quoted scalar is text. A key
 * without a value is a fault; {} and [] are the empty mapping and list.
 *
 * All faults are collected, a line each: `file:line: what is wrong`. */
#ifndef DIP_BASE_CONFIG_H
#define DIP_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef enum {
    DIP_OPTION_STRING,
    DIP_OPTION_INT,
    DIP_OPTION_FLOAT, /* in the range of float; 0 or at least FLT_MIN */
    DIP_OPTION_BOOL,
    DIP_OPTION_ENUM,
    DIP_OPTION_STRINGS, /* a list; one item may stand without brackets */
    DIP_OPTION_INTS,
    DIP_OPTION_FLOATS,
} dip_option_type;

typedef struct {
    /* "train.lr". A segment "*" stands for names that the config is free to
     * choose: "tasks.*.query". No key may be another's beginning. */
    const char *key;
    dip_option_type type;
    /* The value when it is not set, as it would stand after "key=" on the
     * command line; NULL: it is then absent, or a fault if `required`. */
    const char *fallback;
    double min, max;     /* of numbers and list items; both 0: any */
    const char *choices; /* "adamw|sgd": of an enum, or of a list's strings */
    const char *help;    /* one sentence for the reference */
    bool required;       /* below "*": in each mapping that is there */
    /* "augment.flip.p": naming "augment.flip" means something, and the order of
     * such names too; the resolved config has only those that were set. All
     * options of the section are such, or none. */
    bool when_named;
} dip_option;

typedef struct dip_config dip_config;

/* Reads the file at `path` (NULL: none, defaults only) and `n` overrides. The
 * table is borrowed for the life of *out. On a fault it is DIP_ECONFIG (DIP_EIO
 * when `path` cannot be read) and `err` has the first; *out is made all the
 * same, and only dip_config_choice(), dip_config_faults() and dip_config_free()
 * may then be called.
 * *out is NULL only with DIP_ENOMEM. */
dip_status dip_config_load(dip_config **out, const dip_option *table,
                           size_t count, const char *path,
                           const char *const *overrides, size_t n,
                           dip_err *err) DIP_MUST_CHECK;
void dip_config_free(dip_config *config); /* accepts NULL */

/* All faults, each line with its end; "" when there are none. Borrowed. */
const char *dip_config_faults(const dip_config *config);
/* Adds a fault that the caller found in the value of `key`, with the place
 * where it was set put before the words. */
void dip_config_fault(dip_config *config, const char *key, const char *fmt, ...)
    DIP_PRINTF(3, 4);
/* DIP_ECONFIG and the first fault if there is any. */
dip_status dip_config_status(const dip_config *config,
                             dip_err *err) DIP_MUST_CHECK;

/* ---- values, by full key: "tasks.text_to_image.query" ----
 *
 * Asking for a key that no row of the table allows, or as another type than
 * the row's, is a mistake of the program (assert). A value that is not set is
 * the row's fallback; without one it is NULL, 0, false or an empty list. What
 * is returned is borrowed. */

/* Of a string or an enum. */
const char *dip_config_string(const dip_config *config, const char *key);
int64_t dip_config_int(const dip_config *config, const char *key);
double dip_config_float(const dip_config *config, const char *key);
bool dip_config_bool(const dip_config *config, const char *key);
/* The position of an enum's value among its choices; -1 when absent, or when it
 * was set to none of them. */
int dip_config_choice(const dip_config *config, const char *key);
/* Lists: the number of items, and the items in *items. */
size_t dip_config_strings(const char *const **items, const dip_config *config,
                          const char *key);
size_t dip_config_ints(const int64_t **items, const dip_config *config,
                       const char *key);
size_t dip_config_floats(const double **items, const dip_config *config,
                         const char *key);

/* Whether the key, or anything below it, was set by a file or an override. */
bool dip_config_has(const dip_config *config, const char *key);

/* The names that were set directly below `key`, in the order of the files:
 * those of the tasks for "tasks". */
size_t dip_config_child_count(const dip_config *config, const char *key);
const char *dip_config_child(const dip_config *config, const char *key,
                             size_t index);

/* Where a value was set: "file:line" or "command line"; for what is not set,
 * the place of the nearest mapping around it, or the file. */
const char *dip_config_place(const dip_config *config, const char *key);

#define DIP_CONFIG_KEY_SIZE 256 /* no longer key is accepted */

/* Formats a key, say (buffer, "tasks.%s.query", name); returns `out`. */
const char *dip_config_key(char out[DIP_CONFIG_KEY_SIZE], const char *fmt, ...)
    DIP_PRINTF(2, 3);

/* ---- texts ---- */

/* Appends the resolved config as YAML: all keys in the order of the table,
 * defaults included. Loading it gives the same values. */
dip_status dip_config_dump(dip_str *out, const dip_config *config,
                           dip_err *err) DIP_MUST_CHECK;

/* Calls `visit` with each key of the resolved config, "train.lr", and its value
 * as the YAML has it, in the order of the table; both are borrowed for the
 * call. */
typedef void (*dip_config_visit)(void *user, const char *key,
                                 const char *value);
dip_status dip_config_each(const dip_config *config, dip_config_visit visit,
                           void *user, dip_err *err) DIP_MUST_CHECK;

/* Appends the reference of a table as Markdown: one section for each first
 * segment, one line for each key. */
dip_status dip_config_reference(dip_str *out, const dip_option *table,
                                size_t count, dip_err *err) DIP_MUST_CHECK;

#endif
