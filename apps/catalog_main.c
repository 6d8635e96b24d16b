/* The program behind the commands that work on catalogs alone. It does not
 * load libtorch. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "apps/apps.h"
#include "base/mem.h"
#include "base/status.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    char *full_name; /* what usage messages say */
    const char *help;
} commands[] = {
    {"import", dip_cmd_import, "diptych import",
     "make a catalog from a table and images"},
    {"inspect", dip_cmd_inspect, "diptych inspect",
     "show what a catalog holds"},
    {"audit", dip_cmd_audit, "diptych audit",
     "look for duplicates, leaks and gaps"},
    {"synth", dip_cmd_synth, "diptych synth",
     "draw a catalog of made-up products"},
};

static void print_commands(FILE *stream)
{
    (void)fputs("usage: diptych-catalog COMMAND [OPTION...]\n\n", stream);
    for (size_t i = 0; i < DIP_ARRAY_LEN(commands); i++)
        (void)fprintf(stream, "  %-8s  %s\n", commands[i].name,
                      commands[i].help);
    (void)fputs("\n`diptych COMMAND --help` tells the options.\n", stream);
}

int main(int argc, char **argv)
{
    int usage = dip_status_exit_code(DIP_EUSAGE);
    argp_err_exit_status = usage; /* glibc's way to set it */
    if (argc < 2) {
        print_commands(stderr);
        return usage;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_commands(stdout);
        return 0;
    }
    for (size_t i = 0; i < DIP_ARRAY_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            argv[1] = commands[i].full_name;
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "diptych: unknown command '%s'\n", argv[1]);
    print_commands(stderr);
    return usage;
}
