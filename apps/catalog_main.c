/* The program behind the commands that work on catalogs or reports alone. It
 * does not load libtorch. */
#include "apps/apps.h"
#include "apps/dispatch.h"
#include "base/mem.h"

int main(int argc, char **argv)
{
    static const dip_command commands[] = {
        {"import", dip_cmd_import, "diptych import"},
        {"inspect", dip_cmd_inspect, "diptych inspect"},
        {"audit", dip_cmd_audit, "diptych audit"},
        {"synth", dip_cmd_synth, "diptych synth"},
        {"compare", dip_cmd_compare, "diptych compare"},
    };
    return dip_dispatch(commands, DIP_ARRAY_LEN(commands), argc, argv);
}
