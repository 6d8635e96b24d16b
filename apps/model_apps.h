/* The commands of `diptych` that need libtorch; as in apps/apps.h. */
#ifndef DIP_APPS_MODEL_APPS_H
#define DIP_APPS_MODEL_APPS_H

int dip_cmd_train(int argc, char **argv);
int dip_cmd_sweep(int argc, char **argv);
int dip_cmd_eval(int argc, char **argv);
int dip_cmd_ensemble(int argc, char **argv);
int dip_cmd_export(int argc, char **argv);
int dip_cmd_embed(int argc, char **argv);
int dip_cmd_index(int argc, char **argv);
int dip_cmd_mine(int argc, char **argv);
int dip_cmd_search(int argc, char **argv);
int dip_cmd_soup(int argc, char **argv);
int dip_cmd_recommend(int argc, char **argv);
int dip_cmd_options(int argc, char **argv);
/* What `diptych --version` adds to its own. */
int dip_cmd_versions(int argc, char **argv);

#endif
