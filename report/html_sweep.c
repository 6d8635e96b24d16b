/* The results of a sweep as one page. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/plot.h"
#include "report/sweep.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "–";
}

/* ---- the best by time ---------------------------------------------------- */

/* What the chart is drawn from. */
typedef struct {
    double *x, *y;           /* [n] of each result */
    double *best_x, *best_y; /* [2 n] of the best so far, as stairs */
    size_t n, steps;
} course;

static void read_course(course *c, const json_t *points, bool higher)
{
    double best = NAN;
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i);
        double x = dip_html_value(point, "elapsed");
        double y = dip_html_value(point, "value");
        if (!isfinite(x) || !isfinite(y))
            continue;
        c->x[c->n] = x;
        c->y[c->n++] = y;
        c->best_x[c->steps] = x;
        c->best_y[c->steps++] = isnan(best) ? y : best;
        if (isnan(best) || (higher ? y > best : y < best))
            best = y;
        c->best_x[c->steps] = x;
        c->best_y[c->steps++] = best;
    }
}

static dip_status add_best_by_time(dip_html_page *page, dip_err *err)
{
    const json_t *points = json_object_get(page->report, "course");
    size_t n = json_array_size(points);
    double *room = dip_calloc(n, 6 * sizeof *room);
    if (room == NULL)
        return dip_no_memory(err);
    course c = {room, room + n, room + 2 * n, room + 4 * n, 0, 0};
    read_course(
        &c, points,
        json_is_true(json_object_get(page->report, "higher_is_better")));
    const dip_plot_series series[] = {
        {.name = "best so far", .x = c.best_x, .y = c.best_y, .n = c.steps},
        {.name = "a trial at a rung",
         .x = c.x,
         .y = c.y,
         .n = c.n,
         .dots = true},
    };
    dip_plot_add_lines(
        page->out, &(dip_plot_lines){.caption = "The best by time",
                                     .note = "validation split",
                                     .x_name = "seconds of the sweep",
                                     .y_name = text_of(page->report, "metric"),
                                     .series = series,
                                     .count = DIP_ARRAY_LEN(series)});
    free(room);
    return DIP_OK;
}

/* ---- the value by a parameter -------------------------------------------- */

/* Trials with two numbers, those of one kind. */
typedef struct {
    double *x, *y;
    size_t n;
} cloud;

static void add_point(cloud *c, double x, double y)
{
    c->x[c->n] = x;
    c->y[c->n++] = y;
}

/* Values at different rungs are not to be compared, so they look different. */
static void read_clouds(cloud *done, cloud *stopped, const json_t *trials,
                        const char *name)
{
    for (size_t i = 0; i < json_array_size(trials); i++) {
        const json_t *trial = json_array_get(trials, i);
        double x = dip_html_value(json_object_get(trial, "parameters"), name);
        double y = dip_html_value(trial, "value");
        if (isfinite(x) && isfinite(y))
            add_point(strcmp(text_of(trial, "status"), "done") == 0 ? done
                                                                    : stopped,
                      x, y);
    }
}

static void widen(double ends[2], const cloud *c)
{
    for (size_t i = 0; i < c->n; i++) {
        ends[0] = fmin(ends[0], c->x[i]);
        ends[1] = fmax(ends[1], c->x[i]);
    }
}

/* Nothing of a parameter with words, or with one value. */
static dip_status add_parameter(dip_html_page *page, const json_t *parameter,
                                dip_err *err)
{
    enum { WIDE = 20 }; /* from so many times the least value on: log scale */
    const json_t *trials = json_object_get(page->report, "trials");
    const char *name = text_of(parameter, "name");
    size_t n = json_array_size(trials), count = 0;
    double ends[2] = {INFINITY, -INFINITY};
    double *room = dip_calloc(n, 4 * sizeof *room);
    if (room == NULL)
        return dip_no_memory(err);
    cloud done = {room, room + n, 0};
    cloud stopped = {room + 2 * n, room + 3 * n, 0};
    read_clouds(&done, &stopped, trials, name);
    widen(ends, &done);
    widen(ends, &stopped);
    dip_plot_series series[2];
    if (done.n > 0)
        series[count++] = (dip_plot_series){
            .name = "at the end", done.x, done.y, done.n, true};
    if (stopped.n > 0)
        series[count++] = (dip_plot_series){
            .name = "stopped before", stopped.x, stopped.y, stopped.n, true};
    if (ends[0] < ends[1])
        dip_plot_add_lines(
            page->out,
            &(dip_plot_lines){.caption = name,
                              .note = text_of(parameter, "key"),
                              .x_name = name,
                              .y_name = text_of(page->report, "metric"),
                              .log_x = ends[0] > 0 && ends[1] >= WIDE * ends[0],
                              .series = series,
                              .count = count});
    free(room);
    return DIP_OK;
}

static dip_status add_course(dip_html_page *page, dip_err *err)
{
    size_t i;
    json_t *parameter;
    json_t *parameters = json_object_get(page->report, "parameters");
    if (json_array_size(json_object_get(page->report, "course")) == 0)
        return DIP_OK;
    dip_str_add(page->out, "<div class=\"charts\">\n");
    dip_status st = add_best_by_time(page, err);
    json_array_foreach (parameters, i, parameter) {
        if (st == DIP_OK)
            st = add_parameter(page, parameter, err);
    }
    dip_str_add(page->out, "</div>\n");
    return st;
}

/* ---- trials -------------------------------------------------------------- */

static void add_titles(dip_str *out, const json_t *results)
{
    const json_t *parameters = json_object_get(results, "parameters");
    dip_str_add(out, "<table><thead><tr><th scope=\"col\">trial</th>"
                     "<th scope=\"col\">");
    dip_html_name(out, text_of(results, "metric"));
    dip_str_add(out, "</th>");
    for (size_t p = 0; p < json_array_size(parameters); p++) {
        dip_str_add(out, "<th scope=\"col\">");
        dip_html_name(out, text_of(json_array_get(parameters, p), "name"));
        dip_str_add(out, "</th>");
    }
    dip_str_add(out,
                "<th scope=\"col\">epochs</th><th scope=\"col\">seconds"
                "</th><th scope=\"col\">status</th></tr></thead><tbody>\n");
}

static void add_trial(dip_str *out, const json_t *results, const json_t *trial)
{
    const json_t *parameters = json_object_get(results, "parameters");
    const json_t *values = json_object_get(trial, "parameters");
    dip_str_addf(out, "<tr><th scope=\"row\">%.0f</th><td><b>",
                 dip_html_value(trial, "trial"));
    dip_html_number(out, dip_html_value(trial, "value"), 4);
    dip_str_add(out, "</b></td>");
    for (size_t p = 0; p < json_array_size(parameters); p++) {
        const char *name = text_of(json_array_get(parameters, p), "name");
        dip_str text = {0};
        dip_report_sweep_value(&text, json_object_get(values, name));
        dip_str_add(out, "<td>");
        dip_html_name(out, dip_str_text(&text));
        dip_str_add(out, "</td>");
        out->failed |= text.failed;
        dip_str_free(&text);
    }
    dip_str_add(out, "<td>");
    dip_html_number(out, dip_html_value(trial, "epochs"), 0);
    dip_str_add(out, "</td><td>");
    dip_html_number(out, dip_html_value(trial, "seconds"), 1);
    dip_str_add(out, "</td><td>");
    dip_html_name(out, text_of(trial, "status"));
    if (json_object_get(trial, "message") != NULL) {
        dip_str_add(out, " <small>");
        dip_html_name(out, text_of(trial, "message"));
        dip_str_add(out, "</small>");
    }
    dip_str_add(out, "</td></tr>\n");
}

static dip_status add_trials(dip_html_page *page, dip_err *err)
{
    (void)err;
    const json_t *trials = json_object_get(page->report, "trials");
    if (json_array_size(trials) == 0)
        return DIP_OK;
    dip_str_add(page->out, "<figure>");
    dip_html_scroll(page->out, "Trials");
    add_titles(page->out, page->report);
    for (size_t i = 0; i < json_array_size(trials); i++)
        add_trial(page->out, page->report, json_array_get(trials, i));
    dip_str_add(page->out, "</tbody></table></div></figure>\n");
    return DIP_OK;
}

/* ---- all ----------------------------------------------------------------- */

static void add_lead(dip_str *out, const json_t *results)
{
    const json_t *best = json_object_get(results, "best");
    dip_str_addf(out, "%zu of %.0f trials begun by ",
                 json_array_size(json_object_get(results, "trials")),
                 dip_html_value(results, "count"));
    dip_html_text(out, text_of(results, "search"));
    if (!json_is_object(best))
        return;
    dip_str_addf(out, "; the best is trial %.0f with ",
                 dip_html_value(best, "trial"));
    dip_html_name(out, text_of(results, "metric"));
    dip_str_add(out, " ");
    dip_html_number(out, dip_html_value(best, "value"), 4);
}

dip_status dip_report_sweep_html(dip_str *out, const json_t *results,
                                 dip_err *err)
{
    static const dip_html_section sections[] = {
        {"course", "Course", add_course},
        {"trials", "Trials", add_trials},
    };
    dip_html_page page = {.out = out, .report = results};
    dip_str lead = {0};
    add_lead(&lead, results);
    const dip_html_heading heading = {
        .kind = "Diptych sweep",
        .name = text_of(results, "name"),
        .lead = dip_str_text(&lead),
        .foot = "Each trial is a run directory. All numbers stand in "
                "results.json and results.csv."};
    dip_status st = dip_str_status(&lead, err);
    if (st == DIP_OK)
        st = dip_html_frame(&page, &heading, sections, DIP_ARRAY_LEN(sections),
                            err);
    dip_str_free(&lead);
    return st;
}
