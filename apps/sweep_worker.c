#include "apps/sweep_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

#define LOG_LIMIT       ((size_t)1 << 30)
#define MESSAGE_COLUMNS 400
#define CODE_NO_PROGRAM 127

/* In the new process; nothing here may allocate. */
static void become_worker(char *const *arguments, int output, pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        getppid() != parent || dup2(input, STDIN_FILENO) < 0 ||
        dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(CODE_NO_PROGRAM);
    (void)execv("/proc/self/exe", arguments);
    _exit(CODE_NO_PROGRAM);
}

dip_status dip_sweep_worker_start(pid_t *out, char *const *arguments,
                                  const char *log, dip_err *err)
{
    pid_t parent = getpid();
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (output < 0)
        return dip_fail(err, DIP_EIO, "cannot open '%s': %s", log,
                        strerror(errno));
    *out = fork();
    if (*out == 0)
        become_worker(arguments, output, parent);
    (void)close(output);
    return *out > 0 ? DIP_OK
                    : dip_fail(err, DIP_FAIL, "cannot start a worker: %s",
                               strerror(errno));
}

int dip_sweep_worker_code(int *number, int status)
{
    *number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Behind the name of the program or the place of a fault, if it begins with
 * one: the sweep has made the command line. */
static const char *without_place(const char *line)
{
    static const char *const places[] = {"diptych train: ", "command line: "};
    for (size_t i = 0; i < DIP_ARRAY_LEN(places); i++) {
        size_t n = strlen(places[i]);
        if (strncmp(line, places[i], n) == 0)
            return line + n;
    }
    return line;
}

dip_status dip_sweep_worker_message(char **out, const char *log, size_t from,
                                    dip_err *err)
{
    char *text;
    size_t n;
    dip_str words = {0};
    *out = NULL;
    dip_status st = dip_file_read(&text, &n, log, LOG_LIMIT, err);
    if (st != DIP_OK)
        return st;
    from = from < n ? from : n;
    while (n > from && text[n - 1] == '\n')
        text[--n] = '\0';
    const char *last = strrchr(text + from, '\n');
    last = without_place(last != NULL ? last + 1 : text + from);
    dip_utf8_fit(&words, last, strlen(last), MESSAGE_COLUMNS);
    st = dip_str_status(&words, err);
    if (st == DIP_OK) {
        *out = dip_strdup(dip_str_text(&words));
        st = *out != NULL ? DIP_OK : dip_no_memory(err);
    }
    dip_str_free(&words);
    free(text);
    return st;
}
