#include "apps/page.h"

#include <stdlib.h>

#include "apps/photos.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/html.h"
#include "report/learning.h"

dip_status dip_page_add_training(json_t *report, const char *dir, dip_err *err)
{
    json_t *training = NULL;
    char *log = dip_path_join(dir, "log.jsonl");
    if (log == NULL)
        return dip_no_memory(err);
    dip_status st = dip_report_learning(&training, log, err);
    if (st == DIP_OK && json_object_set(report, "training", training) != 0)
        st = dip_no_memory(err);
    json_decref(training);
    free(log);
    return st == DIP_ENOTFOUND ? DIP_OK : st;
}

dip_status dip_page_write(const char *path, const json_t *report,
                          const dip_corpus *corpus, dip_err *err)
{
    const dip_settings *s = corpus->settings;
    dip_photos *photos = NULL;
    dip_str text = {0};
    dip_status st =
        dip_photos_open(&photos, corpus->catalog, corpus->image_column, s->exif,
                        s->max_pixels, err);
    if (st == DIP_OK)
        st = dip_report_html(&text, report,
                             &(dip_report_photos){dip_photos_add, photos}, err);
    if (st == DIP_OK)
        st = dip_file_write(path, dip_str_text(&text), text.len, err);
    dip_photos_free(photos);
    dip_str_free(&text);
    return st;
}
