#include <argp.h>
#include <stdio.h>

#include "apps/cli.h"
#include "apps/model_apps.h"
#include "apps/options.h"

/* Opens the page; what follows is made from the table. */
static const char head[] =
    "# The config\n\n"
    "This page is what `diptych options` prints; the table in "
    "`apps/options.c` makes both the page and the checks.\n\n"
    "A config is a YAML file. `diptych train CONFIG key.path=value …` reads it "
    "and then applies the values behind it. All faults are listed at once, "
    "each with file and line or “command line”, and with a close spelling of "
    "an unknown key; `--check` stops after that. `extends: other.yaml` starts "
    "from another file, relative to this one: mappings are merged, everything "
    "else is replaced, and `null` takes back what was set before, a whole "
    "mapping too (`model.image=null model.image.tower=cnn`).\n\n"
    "A `*` in a key stands for a name of your choice, such as that of a task "
    "in `tasks.*.query`. Numbers are decimal (`1e-3`), booleans are `true` "
    "and `false`, lists stand in brackets. A key that is not set has its "
    "default; “absent” means that there is none, or that it depends on other "
    "keys. The augmentations that are named are applied, in the order of the "
    "config, each with its defaults for what is not set: "
    "`horizontal_flip: {}`.\n\n";

int dip_cmd_options(int argc, char **argv)
{
    static const struct argp argp = {
        NULL, NULL, NULL, "Print the reference of all config keys as Markdown.",
        NULL, NULL, NULL};
    (void)argp_parse(&argp, argc, argv, 0, NULL, NULL);
    dip_err err = {0};
    dip_str text = {0};
    size_t count;
    const dip_option *table = dip_options_table(&count);
    dip_status st = dip_config_reference(&text, table, count, &err);
    if (st == DIP_OK)
        (void)printf("%s%s", head, dip_str_text(&text));
    dip_str_free(&text);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych options", &err);
}
