#include "apps/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"

int dip_cli_fail(const char *command, const dip_err *err)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s: %s\n", command, err->msg);
    return dip_status_exit_code(err->code);
}

int dip_cli_fail_config(const char *command, const dip_str *faults,
                        const dip_err *err)
{
    if (faults->len == 0)
        return dip_cli_fail(command, err);
    (void)fputs(dip_str_text(faults), stderr);
    return dip_status_exit_code(err->code);
}

int64_t dip_cli_int(struct argp_state *state, const char *option,
                    const char *text, int64_t least, int64_t most)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < least ||
        value > most)
        argp_error(state, "--%s: '%s' is no number from %lld to %lld", option,
                   text, (long long)least, (long long)most);
    return value;
}

double dip_cli_real(struct argp_state *state, const char *option,
                    const char *text, double least, double most)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 ||
        !(value >= least && value <= most))
        argp_error(state, "--%s: '%s' is no number from %g to %g", option, text,
                   least, most);
    return value;
}

/* ---- arguments ---- */

void dip_cli_target_add(dip_cli_target *target, const char *what,
                        const char *value, struct argp_state *state)
{
    if (target->path == NULL)
        target->path = value;
    else if (target->overrides != NULL)
        target->overrides[target->override_count++] = value;
    else
        argp_error(state, "more than one %s: '%s'", what, value);
}

void dip_cli_target_need(const dip_cli_target *target, const char *what,
                         const struct argp_state *state)
{
    if (target->path == NULL)
        argp_error(state, "a %s is missing", what);
}

/* ---- lists ---- */

void dip_cli_list_add(struct argp_state *state, const char *option,
                      dip_cli_list *list, const char *text)
{
    for (;;) {
        size_t len = strcspn(text, ",");
        if (len == 0)
            argp_error(state, "--%s: an empty name", option);
        char *name = dip_strndup(text, len);
        if (name == NULL ||
            dip_reserve(&list->names, &list->capacity, list->count + 1,
                        sizeof *list->names, NULL) != DIP_OK)
            argp_failure(state, dip_status_exit_code(DIP_ENOMEM), 0,
                         "out of memory");
        list->names[list->count++] = name;
        if (text[len] == '\0')
            return;
        text += len + 1;
    }
}

void dip_cli_list_free(dip_cli_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (dip_cli_list){0};
}

/* ---- signals and the bar ---- */

/* A handler can reach nothing but a global. */
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

void dip_cli_catch_signals(void)
{
    /* Once: a second signal ends the program at once. */
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool dip_cli_tick(void *user, int64_t done, int64_t total)
{
    dip_cli_bar *bar = user;
    if (bar->bar == NULL) {
        dip_progress_options options = {.stream = stderr,
                                        .label = bar->label,
                                        .unit = bar->unit,
                                        .total = total,
                                        .quiet = bar->quiet};
        bar->bar = dip_progress_start(&options);
    }
    dip_progress_update(bar->bar, done, NULL);
    return !stop;
}

/* ---- words ---- */

void dip_cli_add_count(dip_str *out, int64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            dip_str_add(out, ",");
        dip_str_add_n(out, &digits[i], 1);
    }
}

void dip_cli_add_bytes(dip_str *out, int64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < DIP_ARRAY_LEN(units)) {
        value /= 1000.0;
        unit++;
    }
    dip_str_addf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

dip_status dip_cli_print_json(const json_t *json, dip_err *err)
{
    dip_str text = {0};
    dip_status st = json != NULL
                        ? dip_json_dump(&text, json, DIP_JSON_AS_BUILT, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
    return st;
}

double dip_cli_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
