/* What the reader and the writer of data/embedding_store.h agree about. */
#ifndef DIP_DATA_EMBEDDING_DATASETS_H
#define DIP_DATA_EMBEDDING_DATASETS_H

#include "base/status.h"
#include "data/embedding_codes.h"
#include "data/h5.h"

dip_h5_type dip_embedding_type(dip_codes precision);
/* Items of a row of codes. */
int64_t dip_embedding_width(dip_codes precision, int64_t dim);
/* "group/name"; DIP_ERANGE when that is too long. */
dip_status dip_embedding_dataset_name(char out[DIP_H5_NAME_SIZE],
                                      const char *group, const char *name,
                                      dip_err *err) DIP_MUST_CHECK;

#endif
