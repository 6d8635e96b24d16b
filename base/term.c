#include "base/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool dip_term_is_terminal(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

static int checked_width(long columns)
{
    return columns >= 20 && columns <= 1000 ? (int)columns : 0;
}

int dip_term_width(FILE *stream)
{
    int width = 0;
    const char *columns = getenv("COLUMNS");
    if (columns != NULL) {
        char *end;
        long value = strtol(columns, &end, 10);
        width = *end == '\0' ? checked_width(value) : 0;
    }
    struct winsize size;
    if (width == 0 && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0)
        width = checked_width(size.ws_col);
    return width > 0 ? width : 80;
}

bool dip_term_has_colour(FILE *stream)
{
    const char *refused = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return dip_term_is_terminal(stream) &&
           (refused == NULL || refused[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}
