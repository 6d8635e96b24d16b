/* Search logs and behaviour of a synthetic catalog. */
#ifndef DIP_DATA_SYNTH_LOGS_H
#define DIP_DATA_SYNTH_LOGS_H

#include "base/status.h"
#include "data/synth.h"

/* Queries "red striped t-shirt", each made for a row of the catalog and in its
 * split, with at most 10 judged rows of that split per grade: 3 for a row with
 * the query's colour, pattern and type, 2 and 1 for one with two and one of
 * them, 0 for one with none. DIP_ERANGE when there are not that many distinct
 * ones. */
dip_status dip_synth_put_judgements(const dip_synth_options *options,
                                    dip_err *err) DIP_MUST_CHECK;

/* Users prefer two types and three colours, and items are popular by a power
 * law, as is the number of interactions of a user. In the order of time, a
 * user's last item is for testing and the one before for validation. */
dip_status dip_synth_put_interactions(const dip_synth_options *options,
                                      dip_err *err) DIP_MUST_CHECK;

#endif
