/* `diptych import graph`: a catalog of a user-item graph. */
#ifndef DIP_APPS_IMPORT_GRAPH_H
#define DIP_APPS_IMPORT_GRAPH_H

int dip_import_graph_cli(int argc, char **argv);

#endif
