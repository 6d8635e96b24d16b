/* The list of faults of a config, and the guess at what was meant. */
#include <stdio.h>
#include <string.h>

#include "base/closest.h"
#include "base/config_private.h"

#define MOST_FAULTS 100

void dip_faults_no_memory(dip_faults *faults)
{
    faults->text.failed = true;
}

void dip_faults_add(dip_faults *faults, const char *file, int line,
                    const char *fmt, ...)
{
    faults->count++;
    if (faults->count > MOST_FAULTS) {
        if (faults->count == MOST_FAULTS + 1)
            dip_str_add(&faults->text, "more faults are not shown\n");
        return;
    }
    char words[DIP_ERR_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    if (file == NULL)
        dip_str_addf(&faults->text, "%s\n", words);
    else if (line > 0)
        dip_str_addf(&faults->text, "%s:%d: %s\n", file, line, words);
    else
        dip_str_addf(&faults->text, "%s: %s\n", file, words);
}

void dip_keep_closest(char best[DIP_CONFIG_KEY_SIZE], const char *word,
                      const char *candidate)
{
    bool none = best[0] == '\0';
    const char *const names[] = {none ? candidate : best, candidate};
    const char *closest = dip_closest(word, names, 2);
    if (closest == candidate && strlen(candidate) < DIP_CONFIG_KEY_SIZE)
        (void)dip_config_key(best, "%s", candidate);
}
