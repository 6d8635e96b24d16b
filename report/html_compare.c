/* A comparison (report/compare.h) as one page. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "report/compare.h"
#include "report/html_parts.h"
#include "report/html_text.h"

#define DRAWN "<span class=\"unseen\">drawn</span>"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "–";
}

static const json_t *sides_of(const dip_html_page *page)
{
    return json_object_get(page->report, "sides");
}

static const char *side_name(const dip_html_page *page, size_t side)
{
    return text_of(json_array_get(sides_of(page), side), "name");
}

static void add_names(dip_str *out, const char *const *names, size_t n)
{
    dip_str_add(out, "<table><thead><tr>");
    for (size_t i = 0; i < n; i++)
        dip_str_addf(out, "<th scope=\"col\">%s</th>", names[i]);
    dip_str_add(out, "</tr></thead><tbody>\n");
}

static void add_cell(dip_str *out, double value, int decimals)
{
    dip_str_add(out, "<td>");
    dip_html_number(out, value, decimals);
    dip_str_add(out, "</td>");
}

static void add_name(dip_str *out, const char *name)
{
    dip_str_add(out, "<td>");
    dip_html_name(out, name);
    dip_str_add(out, "</td>");
}

/* ---- what differs -------------------------------------------------------- */

/* Words and a sign: no colour is needed to tell them apart. */
static void add_verdict(dip_str *out, const char *verdict)
{
    const char *sign = strcmp(verdict, "better") == 0  ? "▲ "
                       : strcmp(verdict, "worse") == 0 ? "▼ "
                                                       : "";
    dip_str_addf(out, "<td class=\"%s\">%s",
                 sign[0] != '\0' ? "sure" : "unsure", sign);
    dip_html_text(out, verdict);
    dip_str_add(out, "</td>");
}

static void add_p(dip_str *out, double p)
{
    dip_str_add(out, "<td>");
    if (p < .001)
        dip_str_add(out, "&lt; 0.001");
    else
        dip_html_number(out, p, 3);
    dip_str_add(out, "</td>");
}

/* What decides stands first: on a phone the rest is scrolled to. */
static void add_difference(dip_html_page *page, const json_t *row, size_t side,
                           size_t baseline, double reach)
{
    dip_str *out = page->out;
    const json_t *sides = json_object_get(row, "sides");
    const json_t *d = json_array_get(json_object_get(row, "differences"), side);
    const double span[3] = {dip_html_value(d, "difference"),
                            dip_html_value(d, "low"),
                            dip_html_value(d, "high")};
    dip_str_add(out, "<tr><th scope=\"row\">");
    dip_html_text(out, text_of(row, "metric"));
    dip_str_add(out, "</th>");
    if (json_array_size(sides_of(page)) > 2)
        add_name(out, side_name(page, side));
    add_verdict(out, text_of(d, "verdict"));
    dip_html_span_cells(out, span, -reach, reach, true);
    add_p(out, dip_html_value(d, "p_holm"));
    add_cell(out, dip_html_value(json_array_get(sides, baseline), "mean"), 3);
    add_cell(out, dip_html_value(json_array_get(sides, side), "mean"), 3);
    dip_str_addf(out, "<td>%.0f / %.0f / %.0f</td></tr>\n",
                 dip_html_value(d, "win"), dip_html_value(d, "tie"),
                 dip_html_value(d, "loss"));
}

static size_t find_baseline(const dip_html_page *page)
{
    size_t side = 0;
    while (side < json_array_size(sides_of(page)) &&
           !json_is_true(json_object_get(json_array_get(sides_of(page), side),
                                         "baseline")))
        side++;
    return side;
}

/* How far from 0 the intervals reach: one axis for all tables. */
static double find_reach(const json_t *rows)
{
    double reach = 1e-3;
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *all =
            json_object_get(json_array_get(rows, r), "differences");
        for (size_t s = 0; s < json_array_size(all); s++) {
            const json_t *d = json_array_get(all, s);
            reach = fmax(reach, fabs(dip_html_value(d, "low")));
            reach = fmax(reach, fabs(dip_html_value(d, "high")));
        }
    }
    return reach;
}

static void open_task(dip_html_page *page, const json_t *row)
{
    static const char *const names[] = {
        "metric",   "side",     "verdict", "difference",      DRAWN,
        "p (Holm)", "baseline", "this",    "win / tie / loss"};
    static const char *const of_two[] = {
        "metric",   "verdict",  "difference", DRAWN,
        "p (Holm)", "baseline", "this",       "win / tie / loss"};
    dip_str *out = page->out;
    dip_str_add(out, "<figure class=\"wide\"><figcaption><b>");
    dip_html_name(out, text_of(row, "task"));
    bool label = strstr(text_of(row, "metric"), "accuracy") != NULL;
    dip_str_addf(out, "</b> <span>%.0f %s</span></figcaption>",
                 dip_html_value(row, "queries"), label ? "rows" : "queries");
    dip_html_scroll(out, text_of(row, "task"));
    if (json_array_size(sides_of(page)) > 2)
        add_names(out, names, DIP_ARRAY_LEN(names));
    else
        add_names(out, of_two, DIP_ARRAY_LEN(of_two));
}

/* Whether row `r` is the first of its task. */
static bool begins_task(const json_t *rows, size_t r)
{
    return r == 0 || strcmp(text_of(json_array_get(rows, r), "task"),
                            text_of(json_array_get(rows, r - 1), "task")) != 0;
}

static dip_status add_differences(dip_html_page *page, dip_err *err)
{
    (void)err;
    static const char end[] = "</tbody></table></div></figure>\n";
    const json_t *rows = json_object_get(page->report, "rows");
    size_t baseline = find_baseline(page),
           sides = json_array_size(sides_of(page));
    double reach = find_reach(rows);
    if (sides < 2 || json_array_size(rows) == 0)
        return DIP_OK;
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r);
        if (begins_task(rows, r)) {
            dip_str_add(page->out, r > 0 ? end : "");
            open_task(page, row);
        }
        for (size_t s = 0; s < sides; s++) {
            if (s != baseline)
                add_difference(page, row, s, baseline, reach);
        }
    }
    dip_str_add(page->out, end);
    return DIP_OK;
}

/* ---- each side by itself ------------------------------------------------- */

static void add_mean(dip_html_page *page, const json_t *row, size_t side)
{
    dip_str *out = page->out;
    const json_t *of = json_array_get(json_object_get(row, "sides"), side);
    const json_t *runs = json_object_get(of, "runs");
    dip_str_add(out, "<tr><th scope=\"row\">");
    dip_html_text(out, text_of(row, "metric"));
    dip_str_add(out, "</th>");
    add_name(out, side_name(page, side));
    dip_html_interval_cells(out, of, 0, 1, false);
    add_cell(out, dip_html_value(of, "deviation"), 4);
    dip_str_add(out, "<td>");
    for (size_t r = 0; r < json_array_size(runs); r++) {
        dip_str_add(out, r > 0 ? " " : "");
        dip_html_number(out, json_number_value(json_array_get(runs, r)), 3);
    }
    dip_str_add(out, "</td></tr>\n");
}

static dip_status add_means(dip_html_page *page, dip_err *err)
{
    (void)err;
    static const char *const names[] = {"metric", "side",      "mean",
                                        DRAWN,    "deviation", "of each run"};
    static const char end[] = "</tbody></table></div></details>\n";
    const json_t *rows = json_object_get(page->report, "rows");
    size_t sides = json_array_size(sides_of(page));
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r);
        if (begins_task(rows, r)) {
            dip_str_addf(page->out, "%s<details class=\"panel\"%s><summary>",
                         r > 0 ? end : "", sides == 1 ? " open" : "");
            dip_html_name(page->out, text_of(row, "task"));
            dip_str_add(page->out, "</summary>");
            dip_html_scroll(page->out, text_of(row, "task"));
            add_names(page->out, names, DIP_ARRAY_LEN(names));
        }
        for (size_t s = 0; s < sides; s++)
            add_mean(page, row, s);
    }
    dip_str_add(page->out, json_array_size(rows) > 0 ? end : "");
    return DIP_OK;
}

/* ---- sides --------------------------------------------------------------- */

static void add_side(dip_str *out, const json_t *side)
{
    static const struct {
        const char *key, *title;
        double unit;
    } costs[] = {{"parameters", "parameters", 1},
                 {"step", "updates", 1},
                 {"seconds", "seconds", 1},
                 {"cpu_seconds", "processor seconds", 1},
                 {"samples_per_second", "samples a second", 1},
                 {"peak_bytes", "MB at the peak", 1e6}};
    const json_t *runs = json_object_get(side, "runs");
    dip_str_addf(out, "<article class=\"card\"><p class=\"over\">%s</p><h3>",
                 json_is_true(json_object_get(side, "baseline")) ? "baseline"
                                                                 : "side");
    dip_html_name(out, text_of(side, "name"));
    dip_str_addf(out,
                 "</h3><p class=\"counts\">%zu run%s</p><dl "
                 "class=\"costs\">",
                 json_array_size(runs),
                 json_array_size(runs) == 1 ? "" : "s; means over them");
    for (size_t i = 0; i < DIP_ARRAY_LEN(costs); i++) {
        double value =
            dip_html_value(json_object_get(side, "cost"), costs[i].key) /
            costs[i].unit;
        if (!isfinite(value) || fabs(value) > 1e15)
            continue;
        dip_str_addf(out, "<div><dt>%s</dt><dd>", costs[i].title);
        dip_html_count(out, (int64_t)llround(value));
        dip_str_add(out, "</dd></div>");
    }
    dip_str_add(out, "</dl></article>\n");
}

static dip_status add_sides(dip_html_page *page, dip_err *err)
{
    (void)err;
    const json_t *notes = json_object_get(page->report, "notes");
    dip_str *out = page->out;
    dip_str_add(out, "<div class=\"cards\">\n");
    for (size_t s = 0; s < json_array_size(sides_of(page)); s++)
        add_side(out, json_array_get(sides_of(page), s));
    dip_str_add(out, "</div>\n");
    if (json_array_size(notes) == 0)
        return DIP_OK;
    dip_str_add(out, "<ul class=\"notes\">");
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const char *note = json_string_value(json_array_get(notes, i));
        dip_str_add(out, "<li>");
        dip_html_text(out, note != NULL ? note : "");
        dip_str_add(out, "</li>");
    }
    dip_str_add(out, "</ul>\n");
    return DIP_OK;
}

/* ---- queries ------------------------------------------------------------- */

static void add_queries(dip_str *out, const json_t *changed, const char *key,
                        const char *title)
{
    static const char *const names[] = {"query", "rank before", "rank now",
                                        "before", "now"};
    const json_t *list = json_object_get(changed, key);
    if (json_array_size(list) == 0)
        return;
    dip_str_addf(out, "<figure><figcaption><b>%s</b> <span>by ", title);
    dip_html_text(out, text_of(changed, "metric"));
    dip_str_add(out, "</span></figcaption>");
    dip_html_scroll(out, title);
    add_names(out, names, DIP_ARRAY_LEN(names));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *query = json_array_get(list, i);
        const char *text = text_of(query, "text");
        dip_str_add(out, "<tr><th scope=\"row\">");
        dip_html_name(out, text[0] != '\0' ? text : text_of(query, "id"));
        dip_str_add(out, "</th>");
        add_cell(out, dip_html_value(query, "rank_baseline"), 1);
        add_cell(out, dip_html_value(query, "rank"), 1);
        add_cell(out, dip_html_value(query, "baseline"), 3);
        add_cell(out, dip_html_value(query, "value"), 3);
        dip_str_add(out, "</tr>\n");
    }
    dip_str_add(out, "</tbody></table></div></figure>\n");
}

static dip_status add_changed(dip_html_page *page, dip_err *err)
{
    (void)err;
    const json_t *all = json_object_get(page->report, "changed");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *changed = json_array_get(all, i);
        const json_t *side = json_object_get(changed, "side");
        dip_str_addf(page->out, "<details class=\"panel\"%s><summary>",
                     i == 0 ? " open" : "");
        dip_html_name(page->out, text_of(changed, "task"));
        dip_str_add(page->out, " <small>");
        dip_html_name(page->out,
                      side_name(page, (size_t)json_integer_value(side)));
        dip_str_add(page->out, "</small></summary><div class=\"pairs\">");
        add_queries(page->out, changed, "improved", "Gained most");
        add_queries(page->out, changed, "worsened", "Lost most");
        dip_str_add(page->out, "</div></details>\n");
    }
    return DIP_OK;
}

/* ---- configs ------------------------------------------------------------- */

static dip_status add_config(dip_html_page *page, dip_err *err)
{
    (void)err;
    const json_t *keys = json_object_get(page->report, "config");
    dip_str *out = page->out;
    if (json_array_size(keys) == 0)
        return DIP_OK;
    dip_str_add(out, "<figure>");
    dip_html_scroll(out, "Differences of the configs");
    dip_str_add(out, "<table><thead><tr><th scope=\"col\">key</th>");
    for (size_t s = 0; s < json_array_size(sides_of(page)); s++) {
        dip_str_add(out, "<th scope=\"col\">");
        dip_html_name(out, side_name(page, s));
        dip_str_add(out, "</th>");
    }
    dip_str_add(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *values =
            json_object_get(json_array_get(keys, i), "values");
        dip_str_add(out, "<tr><th scope=\"row\">");
        dip_html_name(out, text_of(json_array_get(keys, i), "key"));
        dip_str_add(out, "</th>");
        for (size_t s = 0; s < json_array_size(values); s++) {
            const char *value = json_string_value(json_array_get(values, s));
            dip_str_add(out, "<td class=\"value\">");
            dip_html_name(out, value != NULL ? value : "–");
            dip_str_add(out, "</td>");
        }
        dip_str_add(out, "</tr>\n");
    }
    dip_str_add(out, "</tbody></table></div></figure>\n");
    return DIP_OK;
}

/* ---- all ----------------------------------------------------------------- */

static const dip_html_section sections[] = {
    {"sides", "Sides", add_sides},
    {"differences", "Differences", add_differences},
    {"means", "Means", add_means},
    {"queries", "Queries that changed", add_changed},
    {"configs", "Configs", add_config},
};

/* "new against old": as in the tables, the baseline stands last. */
static void add_title(dip_str *out, const dip_html_page *page)
{
    size_t baseline = find_baseline(page), added = 0;
    for (size_t s = 0; s < json_array_size(sides_of(page)); s++) {
        if (s != baseline)
            dip_str_addf(out, "%s%s", added++ > 0 ? ", " : "",
                         side_name(page, s));
    }
    if (baseline < json_array_size(sides_of(page)))
        dip_str_addf(out, "%s%s", added > 0 ? " against " : "",
                     side_name(page, baseline));
}

static void add_lead(dip_str *out, const json_t *comparison)
{
    const char *data = text_of(comparison, "data");
    const char *slash = strrchr(data, '/');
    dip_str_add(out, "On the ");
    dip_html_name(out, text_of(comparison, "split"));
    dip_str_add(out, " split of ");
    dip_html_name(out, slash != NULL ? slash + 1 : data);
    dip_str_add(out, ", query by query");
}

dip_status dip_compare_html(dip_str *out, const json_t *comparison,
                            dip_err *err)
{
    dip_html_page page = {.out = out, .report = comparison};
    dip_str name = {0}, lead = {0};
    add_title(&name, &page);
    add_lead(&lead, comparison);
    const dip_html_heading heading = {
        .kind = "Diptych comparison",
        .name = dip_str_text(&name),
        .lead = dip_str_text(&lead),
        .foot = "Intervals are 95 % intervals over queries, and over seeds as "
                "well where a side has several runs; p is adjusted for all "
                "comparisons of the page (Holm). Ranks are harmonic means over "
                "runs. All numbers stand in the JSON (--out FILE.json)."};
    dip_status st = dip_str_status(&name, err);
    if (st == DIP_OK)
        st = dip_str_status(&lead, err);
    if (st == DIP_OK)
        st = dip_html_frame(&page, &heading, sections, DIP_ARRAY_LEN(sections),
                            err);
    dip_str_free(&lead);
    dip_str_free(&name);
    return st;
}
