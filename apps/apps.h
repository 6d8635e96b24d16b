/* The commands of `diptych` that need no libtorch. Each parses its own command
 * line (argv[0] is "diptych <command>"), prints what goes wrong once, and
 * returns the exit code. */
#ifndef DIP_APPS_APPS_H
#define DIP_APPS_APPS_H

int dip_cmd_import(int argc, char **argv);
int dip_cmd_inspect(int argc, char **argv);
int dip_cmd_audit(int argc, char **argv);
int dip_cmd_synth(int argc, char **argv);
int dip_cmd_compare(int argc, char **argv);

#endif
