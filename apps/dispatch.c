#include "apps/dispatch.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"

/* Tables that did not get out are no success: a full disk, say. */
static int finish_output(const char *command, int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)fprintf(stderr, "%s: cannot write to standard output: %s\n", command,
                  strerror(errno));
    return code != 0 ? code : dip_status_exit_code(DIP_EIO);
}

int dip_dispatch(const dip_command *commands, size_t count, int argc,
                 char **argv)
{
    int usage = dip_status_exit_code(DIP_EUSAGE);
    argp_err_exit_status = usage; /* glibc's way to set it */
    /* A file beyond `ulimit -f` is a failed write like any other. */
    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < count; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            argv[1] = commands[i].full_name;
            return finish_output(argv[1], commands[i].run(argc - 1, argv + 1));
        }
    }
    (void)fprintf(stderr, "usage: %s COMMAND [OPTION...]; COMMAND is one of",
                  argc > 0 ? argv[0] : "program");
    for (size_t i = 0; i < count; i++)
        (void)fprintf(stderr, " %s", commands[i].name);
    (void)fputs(" (`diptych --help` tells more)\n", stderr);
    return usage;
}
