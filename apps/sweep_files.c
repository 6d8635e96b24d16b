#include "apps/sweep_files.h"

#include <stdlib.h>

#include "apps/run_dir.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/sweep.h"

/* ---- configs ---- */

static dip_status write_config(const char *path, const dip_config *config,
                               dip_err *err)
{
    dip_str text = {0};
    dip_status st = dip_config_dump(&text, config, err);
    if (st == DIP_OK)
        st = dip_file_write(path, dip_str_text(&text), text.len, err);
    dip_str_free(&text);
    return st;
}

/* The sweep's own config last: with it the sweep has begun. */
static dip_status write_configs(const char *dir, const char *path,
                                const dip_sweep_settings *s, dip_err *err)
{
    char *config = dip_path_join(dir, "config.yaml");
    char *trials = dip_path_join(dir, "trials");
    dip_status st = config != NULL && trials != NULL ? dip_dir_make(trials, err)
                                                     : dip_no_memory(err);
    if (st == DIP_OK)
        st = write_config(config, s->run->config, err);
    if (st == DIP_OK)
        st = write_config(path, s->config, err);
    free(trials);
    free(config);
    return st;
}

/* Whether the folder holds anything. */
static dip_status is_used(bool *used, const char *dir, dip_err *err)
{
    char **names;
    size_t count = 0;
    *used = dip_file_exists(dir);
    if (!*used)
        return DIP_OK;
    dip_status st = dip_dir_list(&names, &count, dir, err);
    if (st == DIP_OK)
        dip_dir_list_free(names, count);
    *used = count > 0;
    return st;
}

static dip_status check_configs(const char *dir, const dip_sweep_settings *s,
                                dip_err *err)
{
    dip_status st = dip_run_check_config_of(dir, "sweep.yaml", s->config, err);
    return st == DIP_OK ? dip_run_check_config(dir, s->run, err) : st;
}

dip_status dip_sweep_files_begin(const char *dir, const dip_sweep_settings *s,
                                 bool resume, dip_err *err)
{
    bool used = false, begun;
    char *path = dip_path_join(dir, "sweep.yaml");
    dip_status st =
        path != NULL ? is_used(&used, dir, err) : dip_no_memory(err);
    begun = st == DIP_OK && used && dip_file_exists(path);
    if (st == DIP_OK && resume && !begun)
        st =
            dip_fail(err, DIP_ENOTFOUND, "no sweep to go on with in '%s'", dir);
    else if (st == DIP_OK && begun && !resume)
        st = dip_fail(err, DIP_EDATA,
                      "sweep '%s' has begun: --resume goes on with it, --out "
                      "DIR or name=… makes another",
                      dir);
    else if (st == DIP_OK && used && !begun)
        st = dip_fail(err, DIP_EDATA,
                      "'%s' is not empty: --out DIR or name=… takes another "
                      "folder",
                      dir);
    if (st == DIP_OK)
        st = resume ? check_configs(dir, s, err)
                    : write_configs(dir, path, s, err);
    free(path);
    return st;
}

/* ---- results ---- */

static dip_status format_json(dip_str *out, const json_t *results, dip_err *err)
{
    return dip_json_dump(out, results, DIP_JSON_AS_BUILT, err);
}

static dip_status link_best(const char *dir, const json_t *results,
                            dip_err *err)
{
    const char *run = json_string_value(
        json_object_get(json_object_get(results, "best"), "run"));
    if (run == NULL)
        return DIP_OK;
    char *path = dip_path_join(dir, "best");
    dip_status st =
        path != NULL ? dip_link_replace(path, run, err) : dip_no_memory(err);
    free(path);
    return st;
}

dip_status dip_sweep_files_write(const char *dir, const json_t *results,
                                 dip_err *err)
{
    static const struct {
        const char *name;
        dip_status (*format)(dip_str *out, const json_t *results, dip_err *err);
    } files[] = {{"results.json", format_json},
                 {"results.csv", dip_report_sweep_csv},
                 {"sweep.html", dip_report_sweep_html}};
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(files) && st == DIP_OK; i++) {
        dip_str text = {0};
        char *path = dip_path_join(dir, files[i].name);
        st = path != NULL ? files[i].format(&text, results, err)
                          : dip_no_memory(err);
        if (st == DIP_OK)
            st = dip_file_write(path, dip_str_text(&text), text.len, err);
        dip_str_free(&text);
        free(path);
    }
    return st == DIP_OK ? link_best(dir, results, err) : st;
}
