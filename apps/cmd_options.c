#include <argp.h>
#include <stdio.h>

#include "apps/cli.h"
#include "apps/model_apps.h"
#include "apps/options.h"

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
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
    return st == DIP_OK ? 0 : dip_cli_fail("options", &err);
}
