#include "apps/config_block.h"

#include <stdbool.h>
#include <string.h>

static bool is_skipped(const char *line, const char *const *skip)
{
    line += strspn(line, " ");
    for (; *skip != NULL; skip++) {
        size_t n = strlen(*skip);
        if (strncmp(line, *skip, n) == 0 && line[n] == ':')
            return true;
    }
    return false;
}

void dip_config_block(dip_str *out, const char *dump, const char *head,
                      const char *const *skip)
{
    size_t indent = strspn(head, " "), length = strlen(head);
    bool inside = false;
    for (const char *line = dump; *line != '\0';) {
        size_t n = strcspn(line, "\n");
        if (strspn(line, " ") <= indent)
            inside = n == length && memcmp(line, head, n) == 0;
        if (inside && !is_skipped(line, skip)) {
            dip_str_add_n(out, line, n);
            dip_str_add(out, "\n");
        }
        line += n + (line[n] == '\n');
    }
}
