/* `diptych`: finds the program that has the command and becomes it. This
 * launcher loads neither libtorch nor HDF5, so that help is there at once, and
 * it can set what must be in the environment before libgomp loads. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/version.h"
#include "base/mem.h"
#include "base/status.h"

#define CATALOG "diptych-catalog"
#define MODEL   "diptych-model"

static const struct {
    const char *name, *program, *help;
} commands[] = {
    {"import", CATALOG, "make a catalog of a table and its photos"},
    {"inspect", CATALOG, "show what a catalog holds"},
    {"audit", CATALOG, "look for duplicates, leaks and gaps"},
    {"synth", CATALOG, "draw a catalog of made-up products"},
    {"train", MODEL, "train the model that a config describes"},
    {"sweep", MODEL, "train many runs and find the best"},
    {"eval", MODEL, "evaluate a run on a catalog, with a report"},
    {"compare", CATALOG, "compare evaluated runs, with tests"},
    {"ensemble", MODEL, "evaluate several runs as one"},
    {"search", MODEL, "find products by a text or a photo"},
    {"embed", MODEL, "write the embeddings of a catalog to a file"},
    {"mine", MODEL, "find wrong answers that a model ranks high"},
    {"index", MODEL, "build an index of embeddings for FAISS"},
    {"recommend", MODEL, "find what users will like"},
    {"export", MODEL, "write verified weights for a serving team"},
    {"soup", MODEL, "average the weights of several runs into one"},
    {"options", MODEL, "print the reference of all config keys"},
};

static void print_help(FILE *stream)
{
    (void)fputs(
        "usage: diptych COMMAND [OPTION...]\n\n"
        "Trains and evaluates models for multimodal product search.\n\n",
        stream);
    for (size_t i = 0; i < DIP_ARRAY_LEN(commands); i++)
        (void)fprintf(stream, "  %-9s %s\n", commands[i].name,
                      commands[i].help);
    (void)fputs("\n`diptych COMMAND --help` tells the options of one, "
                "`diptych --version` the version.\n\nexit codes\n",
                stream);
    static const struct {
        int code;
        const char *words;
    } codes[] = {
#define DIP_CODE_ROW(name, exit_code, words) {exit_code, words},
        DIP_STATUS_TABLE(DIP_CODE_ROW)
#undef DIP_CODE_ROW
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(codes); i++)
        (void)fprintf(stream, "  %d  %s\n", codes[i].code, codes[i].words);
}

/* Next to the launcher in a build, in ../libexec/diptych once installed. */
static bool find_program(char path[PATH_MAX], const char *program)
{
    static const char *const places[] = {"", "../libexec/diptych/"};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    slash[1] = '\0';
    for (size_t i = 0; i < DIP_ARRAY_LEN(places); i++) {
        int n = snprintf(path, PATH_MAX, "%s%s%s", self, places[i], program);
        if (n > 0 && n < PATH_MAX && access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static int become(const char *program, char **argv)
{
    char path[PATH_MAX];
    if (!find_program(path, program)) {
        (void)fprintf(stderr, "diptych: cannot find its program '%s'\n",
                      program);
        return dip_status_exit_code(DIP_FAIL);
    }
    /* Threads that spin while they wait slow a busy machine down many times;
     * libgomp reads this once, when it is loaded. */
    (void)setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
    /* Large tensors come and go with each step: glibc should keep their memory
     * rather than hand it back to the kernel, which zeroes it each time. */
    (void)setenv("MALLOC_MMAP_THRESHOLD_", "33554432", 0);
    (void)setenv("MALLOC_TRIM_THRESHOLD_", "1073741824", 0);
    (void)execv(path, argv);
    perror("diptych: cannot start its program");
    return dip_status_exit_code(DIP_FAIL);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return dip_status_exit_code(DIP_EUSAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("diptych %s (%s)\n", dip_version(), dip_version_commit());
        (void)fflush(stdout);
        argv[1] = "versions";
        return become(MODEL, argv);
    }
    for (size_t i = 0; i < DIP_ARRAY_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return become(commands[i].program, argv);
    }
    (void)fprintf(
        stderr, "diptych: unknown command '%s'; `diptych --help` lists them\n",
        argv[1]);
    return dip_status_exit_code(DIP_EUSAGE);
}
