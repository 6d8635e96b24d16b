/* What the files of the config reader share: the tree of a YAML text, checked
 * values, and the list of faults. Included by base/config*.c alone.
 *
 * Out of memory sticks in the fault list (dip_faults_no_memory) and is told
 * once, when loading ends. */
#ifndef DIP_BASE_CONFIG_PRIVATE_H
#define DIP_BASE_CONFIG_PRIVATE_H

#include "base/config.h"

/* ---- faults (config_fault.c) ---- */

typedef struct {
    dip_str text; /* a line each */
    size_t count;
} dip_faults;

/* Adds "file:line: words", "file: words" when `line` is 0, or the words alone
 * when `file` is NULL. */
void dip_faults_add(dip_faults *faults, const char *file, int line,
                    const char *fmt, ...) DIP_PRINTF(4, 5);
void dip_faults_no_memory(dip_faults *faults);

/* Puts `candidate` into `best` if it is a likely spelling of `word` and closer
 * than what is there; start it as "". */
void dip_keep_closest(char best[DIP_CONFIG_KEY_SIZE], const char *word,
                      const char *candidate);

/* ---- the tree of a YAML text (config_yaml.c) ---- */

typedef enum { DIP_NODE_SCALAR, DIP_NODE_LIST, DIP_NODE_MAPPING } dip_node_kind;

typedef struct dip_node {
    dip_node_kind kind;
    char *key;  /* in a mapping */
    char *text; /* of a scalar, NUL-terminated, without inner NULs */
    bool plain; /* a scalar without quotes */
    int line;   /* from 1; 0 outside a file */
    struct dip_node *items;
    size_t count, capacity;
} dip_node;

/* Parses one document; an empty text gives an empty mapping. False when
 * anything was wrong, which stands in `faults` then. End *out with
 * dip_node_clear() in any case. */
bool dip_node_parse(dip_node *out, dip_faults *faults, const char *file,
                    const char *text, size_t n);
/* The node of a value on the command line or in a table: lists in brackets
 * are parsed, everything else is a scalar as it stands. */
bool dip_node_from_argument(dip_node *out, dip_faults *faults, const char *file,
                            dip_option_type type, const char *text);
void dip_node_clear(dip_node *node);

/* ---- checked values (config_value.c) ---- */

typedef struct {
    size_t count;   /* 1, or the items of a list */
    char **texts;   /* as written */
    int64_t *ints;  /* of integers; 0 and 1 of booleans; an enum's choice */
    double *floats; /* of floats */
} dip_value;

bool dip_option_is_list(dip_option_type type);

/* Whether the value is a written null or ~, which takes back what an extended
 * file has set. A value that was forgotten is not. */
bool dip_node_takes_back(const dip_node *node);

/* Reads the node of `key` as `option` wants it. False when it does not fit,
 * which stands in `faults` then. */
bool dip_value_read(dip_value *out, dip_faults *faults,
                    const dip_option *option, const char *key, const char *file,
                    const dip_node *node);
void dip_value_clear(dip_value *value);
/* Appends the value as YAML. */
void dip_value_dump(dip_str *out, const dip_value *value,
                    const dip_option *option);
/* Appends a string as a YAML scalar that reads back as this string. */
void dip_value_quote(dip_str *out, const char *text);

/* ---- the config (config.c) ---- */

/* A key that was set: a value, or a mapping (`option` NULL). */
typedef struct {
    char *key;
    const dip_option *option;
    dip_value value;
    char *place;
} dip_setting;

struct dip_config {
    const dip_option *table;
    size_t table_count;
    dip_value *defaults; /* one for each row; count 0 for none */
    char *path;
    dip_setting *settings;
    size_t setting_count, setting_capacity;
    dip_faults faults;
    bool unreadable; /* a file was left out: what is missing is unknown */
};

/* The setting of a key, or NULL. */
dip_setting *dip_setting_find(const dip_config *config, const char *key);
/* The row for a full key, or NULL. */
const dip_option *dip_option_find(const dip_option *table, size_t count,
                                  const char *key);
/* The value of a key as set or by default; NULL when absent. */
const dip_value *dip_config_value(const dip_config *config,
                                  const dip_option *option, const char *key);

/* Calls `visit` with each full key of a row: the key itself, or, for each "*",
 * all names that the config has there. */
typedef void dip_key_visit(void *context, const char *key,
                           const dip_option *option);
void dip_config_expand(const dip_config *config, const dip_option *option,
                       dip_key_visit *visit, void *context);

#endif
