#include "apps/report_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/page.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/term.h"
#include "report/report.h"

/* "X.json" and ".md" give "X.md". The caller frees it; NULL when memory is
 * out. */
static char *beside(const char *json_path, const char *suffix)
{
    dip_str path = {0};
    dip_str_add_n(&path, json_path, strlen(json_path) - strlen(".json"));
    dip_str_add(&path, suffix);
    if (!path.failed)
        return path.data;
    dip_str_free(&path);
    return NULL;
}

static dip_status write_markdown(const char *json_path, const json_t *report,
                                 dip_err *err)
{
    dip_str text = {0};
    char *path = beside(json_path, ".md");
    dip_status st = path != NULL ? dip_report_markdown(&text, report, err)
                                 : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_file_write(path, dip_str_text(&text), text.len, err);
    free(path);
    dip_str_free(&text);
    return st;
}

static dip_status write_outcomes(const char *json_path,
                                 const dip_outcome_set *outcomes, dip_err *err)
{
    char *path = beside(json_path, DIP_REPORT_QUERIES_SUFFIX);
    dip_status st = path != NULL ? dip_outcome_set_write(path, outcomes, err)
                                 : dip_no_memory(err);
    free(path);
    return st;
}

static dip_status write_html(const char *json_path, const json_t *report,
                             const dip_corpus *corpus, dip_err *err)
{
    char *path = beside(json_path, ".html");
    dip_status st = path != NULL ? dip_page_write(path, report, corpus, err)
                                 : dip_no_memory(err);
    free(path);
    return st;
}

dip_status dip_report_files_write(const char *path, const json_t *report,
                                  const dip_outcome_set *outcomes,
                                  const dip_corpus *corpus, dip_err *err)
{
    dip_status st = write_outcomes(path, outcomes, err);
    if (st == DIP_OK)
        st = dip_json_write(path, report, DIP_JSON_AS_BUILT, err);
    if (st == DIP_OK)
        st = write_markdown(path, report, err);
    return st == DIP_OK && corpus != NULL
               ? write_html(path, report, corpus, err)
               : st;
}

static void add_key(void *user, const char *key, const char *value)
{
    (void)json_object_set_new(user, key, json_string(value));
}

json_t *dip_report_files_config(const dip_config *config)
{
    json_t *keys = json_object();
    if (dip_config_each(config, add_key, keys, NULL) == DIP_OK)
        return keys;
    json_decref(keys);
    return NULL;
}

dip_status dip_report_files_print(const json_t *report, bool as_json,
                                  dip_err *err)
{
    dip_str text = {0};
    dip_status st =
        as_json ? dip_json_dump(&text, report, DIP_JSON_AS_BUILT, err)
                : dip_report_text(&text, report, dip_term_width(stdout), err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
    return st;
}
