/* What a stream can show. */
#ifndef DIP_BASE_TERM_H
#define DIP_BASE_TERM_H

#include <stdbool.h>
#include <stdio.h>

bool dip_term_is_terminal(FILE *stream);
/* Columns: COLUMNS if it is a number in 20..1000, else the terminal's width,
 * else 80. */
int dip_term_width(FILE *stream);
/* Only on a terminal that is not dumb, and without NO_COLOR
 * (https://no-color.org). */
bool dip_term_has_colour(FILE *stream);

#endif
