#include "eval/topk.h"

#include <inttypes.h>

#include "eval/scan.h"

dip_status dip_topk_search(dip_hit *out, const dip_embeddings *queries,
                           const dip_embeddings *gallery, const int64_t *keys,
                           int64_t k, dip_err *err)
{
    if (k < 1)
        return dip_fail(err, DIP_ERANGE, "cannot search for the best %" PRId64,
                        k);
    dip_scan *scan;
    const dip_scan_job job = {
        .count = queries->rows, .best = out, .k = k, .keys = keys};
    dip_status st = dip_scan_open(&scan, queries, gallery, false, err);
    if (st == DIP_OK)
        st = dip_scan_run(scan, &job, err);
    dip_scan_close(scan);
    return st;
}
