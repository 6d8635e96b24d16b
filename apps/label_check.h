/* Whether what heads are to tell can be learnt from a catalog. */
#ifndef DIP_APPS_LABEL_CHECK_H
#define DIP_APPS_LABEL_CHECK_H

#include "apps/corpus.h"
#include "base/status.h"

/* DIP_EDATA for a head that weighs anything and whose label no training row
 * has. Says on stderr where there is only one class to learn, and where rows of
 * other splits have classes that training never meets. */
dip_status dip_label_check(const dip_corpus *corpus,
                           dip_err *err) DIP_MUST_CHECK;

#endif
