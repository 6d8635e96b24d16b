/* SIGTERM and SIGINT ask for a stop: the loop finishes its step, writes a
 * checkpoint and returns. A second signal ends the process at once, by the
 * signal's own default. */
#ifndef DIP_TRAIN_SIGNALS_H
#define DIP_TRAIN_SIGNALS_H

#include <stdbool.h>

void dip_signals_install(void);
bool dip_signals_asked(void);

#endif
