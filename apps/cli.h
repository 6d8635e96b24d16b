/* What the commands share: numbers on the command line, errors, a progress bar
 * that ends in peace when a signal comes. */
#ifndef DIP_APPS_CLI_H
#define DIP_APPS_CLI_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"
#include "base/str.h"

/* Prints "diptych import: message" and returns the exit code. */
int dip_cli_fail(const char *command, const dip_err *err);

/* The same for a config: where there are faults, they are printed instead, a
 * line each with its place. */
int dip_cli_fail_config(const char *command, const dip_str *faults,
                        const dip_err *err);

/* The whole of `text` as a number in [least, most]; a usage error that names
 * the option ends the program otherwise. */
int64_t dip_cli_int(struct argp_state *state, const char *option,
                    const char *text, int64_t least, int64_t most);

/* The same of a real number. */
double dip_cli_real(struct argp_state *state, const char *option,
                    const char *text, double least, double most);

/* What a command is about, and settings of it: "RUN [key.path=value...]". */
typedef struct {
    const char *path;       /* NULL: not given */
    const char **overrides; /* [override_count], with room for all arguments;
                               NULL: none are taken */
    size_t override_count;
} dip_cli_target;

/* The first argument is the path, others are settings. Where none are taken,
 * "more than one `what`" is a usage error. */
void dip_cli_target_add(dip_cli_target *target, const char *what,
                        const char *value, struct argp_state *state);

/* "a `what` is missing" is a usage error. */
void dip_cli_target_need(const dip_cli_target *target, const char *what,
                         const struct argp_state *state);

/* A list, grown by the commas of every use of its option. Start it as {0}. */
typedef struct {
    char **names;
    size_t count, capacity;
} dip_cli_list;

/* Appends the parts of "a,b,c"; empty ones are a usage error. */
void dip_cli_list_add(struct argp_state *state, const char *option,
                      dip_cli_list *list, const char *text);
void dip_cli_list_free(dip_cli_list *list);

/* A bar on stderr that starts with the first tick. */
typedef struct {
    const char *label, *unit;
    bool quiet;
    dip_progress *bar;
} dip_cli_bar;

/* Ticks for long work: false once SIGINT or SIGTERM came, for which
 * dip_cli_catch_signals() must have been called. `bar` is a dip_cli_bar. */
bool dip_cli_tick(void *bar, int64_t done, int64_t total);
void dip_cli_catch_signals(void);

/* Appends 9316 as "9,316", and bytes as "23.1 MB". */
void dip_cli_add_count(dip_str *out, int64_t n);
void dip_cli_add_bytes(dip_str *out, int64_t bytes);

/* On stdout; NULL says that memory is out, as where it was built. */
dip_status dip_cli_print_json(const json_t *json, dip_err *err) DIP_MUST_CHECK;

/* Seconds of a clock that never goes back. */
double dip_cli_now(void);

#endif
