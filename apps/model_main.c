/* The program behind the commands that need libtorch. */
#include "apps/dispatch.h"
#include "apps/model_apps.h"
#include "base/mem.h"

int main(int argc, char **argv)
{
    static const dip_command commands[] = {
        {"train", dip_cmd_train, "diptych train"},
        {"sweep", dip_cmd_sweep, "diptych sweep"},
        {"eval", dip_cmd_eval, "diptych eval"},
        {"ensemble", dip_cmd_ensemble, "diptych ensemble"},
        {"export", dip_cmd_export, "diptych export"},
        {"embed", dip_cmd_embed, "diptych embed"},
        {"index", dip_cmd_index, "diptych index"},
        {"mine", dip_cmd_mine, "diptych mine"},
        {"search", dip_cmd_search, "diptych search"},
        {"soup", dip_cmd_soup, "diptych soup"},
        {"recommend", dip_cmd_recommend, "diptych recommend"},
        {"options", dip_cmd_options, "diptych options"},
        {"versions", dip_cmd_versions, "diptych versions"},
    };
    return dip_dispatch(commands, DIP_ARRAY_LEN(commands), argc, argv);
}
