/* A program that stands for several commands of `diptych`. */
#ifndef DIP_APPS_DISPATCH_H
#define DIP_APPS_DISPATCH_H

#include <stddef.h>

typedef struct {
    const char *name; /* "train" */
    int (*run)(int argc, char **argv);
    char *full_name; /* what usage messages say: "diptych train" */
} dip_command;

/* Runs the command that argv[1] names, with its full name as argv[0]. Returns
 * the exit code. */
int dip_dispatch(const dip_command *commands, size_t count, int argc,
                 char **argv);

#endif
