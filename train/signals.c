#include "train/signals.h"

#include <signal.h>
#include <stddef.h>

/* A signal handler can reach nothing but a static object. */
static volatile sig_atomic_t asked;

/* The next one, of either kind, ends the process. */
static void on_signal(int number)
{
    (void)number;
    asked = 1;
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
}

void dip_signals_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    asked = 0;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
}

bool dip_signals_asked(void)
{
    return asked != 0;
}
