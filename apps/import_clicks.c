#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/import_logs.h"
#include "base/mem.h"
#include "data/clicks.h"
#include "data/import.h"

enum {
    OPT_EVENT = 0x200,
    OPT_WEIGHTS,
    OPT_IMPRESSION,
    OPT_COUNT,
    OPT_RANK,
    OPT_RANK_BIAS,
    OPT_PRIOR,
    OPT_LEAST,
    OPT_BEST,
    OPT_FULL,
    OPT_LOG,
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "What happened:", 1},
    {"query", DIP_LOG_OPT_OWNER, "COLUMN", 0,
     "the query's text (default query)", 0},
    {"event", OPT_EVENT, "COLUMN", 0,
     "its kind, say click (default: all rows are one kind)", 0},
    {"weights", OPT_WEIGHTS, "KIND=W,...", 0,
     "what each kind is worth: click=1,cart=3,purchase=5", 0},
    {"impression", OPT_IMPRESSION, "KIND", 0,
     "the kind that says that the item was shown: values are rates", 0},
    {"count", OPT_COUNT, "COLUMN", 0, "how many times (default: once)", 0},
    {"rank", OPT_RANK, "COLUMN", 0,
     "where the item stood, from 1: corrects for the looks that a place gets",
     0},
    {"rank-bias", OPT_RANK_BIAS, "X", 0,
     "looks fall as rank^-X, down to 0.1 (default 1)", 0},
    {0, 0, 0, 0, "From pairs to grades:", 2},
    {"min-count", OPT_LEAST, "N", 0,
     "leave out pairs with fewer impressions, or events where there are none "
     "(default 1)",
     0},
    {"prior", OPT_PRIOR, "N", 0,
     "impressions that the mean rate counts for (default 10)", 0},
    {"best", OPT_BEST, 0, 0, "the best kind counts, not the sum", 0},
    {"grades", DIP_LOG_OPT_GRADES, "HOW", 0,
     "relative: to the query's highest value (default); absolute: to --full; "
     "rank: by the place among the query's values",
     0},
    {"scale", DIP_LOG_OPT_SCALE, "X", 0, "the highest grade (default 3)", 0},
    {"full", OPT_FULL, "X", 0,
     "absolute: the value of the highest grade (default: the highest of the "
     "train split)",
     0},
    {"log", OPT_LOG, 0, 0, "log(1 + value) in place of the value", 0},
    {"whole", DIP_LOG_OPT_WHOLE, 0, 0, "round grades up to whole numbers", 0},
    {0, 0, 0, 0, "Input and output:", 3},
    DIP_IMPORT_LOG_OPTIONS};

typedef struct {
    dip_import_log_arguments log; /* first, as its parser wants it */
    dip_click_options clicks;
    dip_cli_list weights;
    const char *impression;
    dip_click_event *events; /* of `weights` and `impression` */
} arguments;

static error_t parse_value(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    dip_click_options *o = &a->clicks;
    switch (key) {
    case OPT_RANK_BIAS:
        o->rank_bias = dip_cli_real(state, "rank-bias", arg, 0, 10);
        return 0;
    case OPT_PRIOR:
        o->prior = dip_cli_real(state, "prior", arg, 0, 1e9);
        return 0;
    case OPT_LEAST:
        o->least = (double)dip_cli_int(state, "min-count", arg, 1, 1000000000);
        return 0;
    case OPT_BEST:
        o->best = true;
        return 0;
    case OPT_FULL:
        o->grading.full = dip_cli_real(state, "full", arg, 1e-9, 1e18);
        return 0;
    case OPT_LOG:
        o->grading.log = true;
        return 0;
    default: {
        error_t taken = dip_import_grading_parse(&o->grading, key, arg, state);
        return taken == 0 ? taken : dip_import_log_parse(key, arg, state);
    }
    }
}

/* "click=1" to a kind; the list owns the name, which is cut at the sign. */
static void read_weight(dip_click_event *out, struct argp_state *state,
                        char *text)
{
    char *sign = strrchr(text, '=');
    if (sign == NULL || sign == text)
        argp_error(state, "--weights: '%s' is not like click=1", text);
    *sign = '\0';
    *out = (dip_click_event){
        text, dip_cli_real(state, "weights", sign + 1, 0, 1e6), false};
}

/* Makes the kinds; the one of plain rows where there is no column of them. */
static void list_events(arguments *a, struct argp_state *state)
{
    dip_click_options *o = &a->clicks;
    size_t count = a->weights.count;
    if ((o->event == NULL) != (count == 0))
        argp_error(state, "--event and --weights go together");
    if (o->event == NULL && a->impression != NULL)
        argp_error(state, "--impression without --event");
    a->events = dip_calloc(count + 1, sizeof *a->events);
    if (a->events == NULL)
        argp_failure(state, dip_status_exit_code(DIP_ENOMEM), 0,
                     "out of memory");
    if (count == 0)
        a->events[count++] = (dip_click_event){"", 1, false};
    for (size_t i = 0; i < a->weights.count; i++)
        read_weight(&a->events[i], state, a->weights.names[i]);
    if (a->impression != NULL)
        a->events[count++] = (dip_click_event){a->impression, 0, true};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(a->events[i].name, a->events[k].name) == 0)
                argp_error(state, "the kind '%s' is named twice",
                           a->events[i].name);
    o->events = a->events;
    o->event_count = (int)count;
}

static void check(arguments *a, struct argp_state *state)
{
    const dip_grading *g = &a->clicks.grading;
    list_events(a, state);
    if (g->full > 0 && g->kind != DIP_GRADING_ABSOLUTE)
        argp_error(state, "--full is for --grades absolute");
    if (a->clicks.rank == NULL)
        a->clicks.rank_bias = 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_EVENT:
        a->clicks.event = arg;
        return 0;
    case OPT_WEIGHTS:
        dip_cli_list_add(state, "weights", &a->weights, arg);
        return 0;
    case OPT_IMPRESSION:
        a->impression = arg;
        return 0;
    case OPT_COUNT:
        a->log.import.value = arg;
        return 0;
    case OPT_RANK:
        a->clicks.rank = arg;
        return 0;
    case ARGP_KEY_END:
        (void)dip_import_grading_parse(&a->clicks.grading, key, arg, state);
        check(a, state);
        return dip_import_log_parse(key, arg, state);
    default:
        return parse_value(key, arg, state);
    }
}

int dip_import_clicks_cli(int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse,
        "TABLE --into FILE.h5",
        "Makes graded judgements of what was clicked and bought, in place of "
        "those that the catalog has.",
        0,
        0,
        0};
    arguments a = {
        .log = {.import = {.owner = "query", .id = "id"}},
        .clicks = {
            .rank_bias = 1, .prior = 10, .least = 1, .grading = {.scale = 3}}};
    (void)argp_parse(&parser, argc, argv, 0, 0, &a);
    a.log.import.clicks = &a.clicks;
    int code =
        dip_import_log_run(&a.log, argv[0], "judgements", dip_import_clicks);
    dip_cli_list_free(&a.weights);
    free(a.events);
    return code;
}
