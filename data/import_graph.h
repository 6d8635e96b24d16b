/* Files of user-item graphs as the research on recommendation passes them on,
 * by numbers of users and items without any header:
 *
 *   lists   user item item ...     a line for each user (LightGCN, NGCF)
 *   pairs   user item [weight]     a line for each interaction (HetRec)
 *
 * Numbers are whole, from 0 to 2^63 - 1, and are the ids of users and items:
 * gaps between them, and numbers beyond 32 bits, do no harm. Fields are parted
 * by spaces or tabs; empty lines are passed over. */
#ifndef DIP_DATA_IMPORT_GRAPH_H
#define DIP_DATA_IMPORT_GRAPH_H

#include "base/status.h"
#include "data/import_report.h"

typedef enum { DIP_GRAPH_FORM_LISTS, DIP_GRAPH_FORM_PAIRS } dip_graph_form;

typedef struct {
    const char *files[DIP_SPLIT_COUNT]; /* that of the train split is needed */
    dip_graph_form form;
    int hold_out; /* percent of the interactions of the train split that are
                   * drawn for the val split; only without a file of that */
    const char *out;
    dip_import_progress progress;
} dip_import_graph_options;

/* Makes a catalog whose rows are the items, in the order in which the files
 * name them, with the interactions of all files. A user whose list is empty is
 * a user all the same; an interaction that stands there twice is kept twice,
 * and counts once in a graph (data/bipartite.h). The report counts
 * interactions, and users in `distinct`. DIP_EFORMAT names file, line and what
 * is wrong. */
dip_status dip_import_graph(dip_import_report *report,
                            const dip_import_graph_options *options,
                            dip_err *err) DIP_MUST_CHECK;

#endif
