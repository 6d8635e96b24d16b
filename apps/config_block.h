/* Parts of a resolved config as text: to compare two of them, or to make a
 * digest of what something depends on. */
#ifndef DIP_APPS_CONFIG_BLOCK_H
#define DIP_APPS_CONFIG_BLOCK_H

#include "base/str.h"

/* Appends the block of `dump`, the text of dip_config_dump(), that begins with
 * the line `head`, say "data:" or "  image:", without the lines of the keys in
 * `skip`, which NULL ends. Nothing when there is no such block. */
void dip_config_block(dip_str *out, const char *dump, const char *head,
                      const char *const *skip);

#endif
