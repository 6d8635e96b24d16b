/* Weighted means of the weights of several models of one architecture: model
 * soups (arXiv 2203.05482), and with the initial weights as one of the
 * ingredients WiSE-FT (arXiv 2109.01903). */
#ifndef DIP_TRAIN_SOUP_H
#define DIP_TRAIN_SOUP_H

#include "base/status.h"
#include "tensor/params.h"

typedef struct dip_soup dip_soup;

/* A soup that will be poured into `params`, which must outlive it. The caller
 * ends *out with dip_soup_free(). */
dip_status dip_soup_create(dip_soup **out, dip_params *params,
                           dip_err *err) DIP_MUST_CHECK;
void dip_soup_free(dip_soup *soup); /* NULL allowed */

/* Copies `from` as one more ingredient. DIP_EDATA, which names the parameter,
 * unless it has the names and shapes of the soup's. */
dip_status dip_soup_add(dip_soup *soup, const dip_params *from,
                        dip_err *err) DIP_MUST_CHECK;
int dip_soup_count(const dip_soup *soup);

/* Sets the parameters, buffers included, to the sum of the ingredients times
 * `weights` [count], computed in double precision. Those of weight 0 do not
 * count. */
dip_status dip_soup_pour(const dip_soup *soup, const double *weights,
                         dip_err *err) DIP_MUST_CHECK;

#endif
