/* Galleries: queries with the products that were found for them. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/rows.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* The photo of a product, or its place. */
static dip_status add_photo(dip_html_page *page, const json_t *product,
                            dip_err *err)
{
    const json_t *row = json_object_get(product, "row");
    dip_str *out = page->out, jpeg = {0};
    dip_status st = DIP_OK;
    dip_str_add(out, "<span class=\"shot\">");
    if (page->photos != NULL && json_is_integer(row) &&
        page->photo_bytes < DIP_REPORT_PHOTO_BYTES)
        st = page->photos->add(page->photos->user, &jpeg,
                               json_integer_value(row), err);
    if (jpeg.len > 0) {
        size_t before = out->len;
        dip_str_add(out, "<img alt=\"");
        dip_html_text(out, text_of(product, "title"));
        dip_str_add(out, "\" src=\"data:image/jpeg;base64,");
        dip_html_base64(out, jpeg.data, jpeg.len);
        dip_str_add(out, "\">");
        page->photo_bytes += out->len - before;
    } else {
        dip_str_add(out, "no photo");
    }
    dip_str_add(out, "</span>");
    dip_str_free(&jpeg);
    return st;
}

static dip_status add_product(dip_html_page *page, const json_t *product,
                              bool wanted, dip_err *err)
{
    dip_str *out = page->out;
    bool right = json_is_true(json_object_get(product, "right"));
    dip_str_addf(out, "<li class=\"%s\">",
                 wanted  ? "wanted"
                 : right ? "right"
                         : "other");
    dip_status st = add_photo(page, product, err);
    dip_str_add(out, "<span class=\"verdict\">");
    if (wanted) {
        dip_str_add(out, "<span class=\"mark-right\">✓ wanted</span> at ");
        dip_html_number(out, dip_html_value(product, "rank"), 0);
    } else if (right) {
        dip_str_add(out, "<span class=\"mark-right\">✓ right</span> ");
        dip_html_number(out, dip_html_value(product, "score"), 3);
    } else {
        dip_str_add(out, "<span class=\"unseen\">wrong</span>");
        dip_html_number(out, dip_html_value(product, "score"), 3);
    }
    dip_str_add(out, "</span><span class=\"title\">");
    dip_html_name(out, text_of(product, "title"));
    dip_str_add(out, "</span></li>\n");
    return st;
}

/* What is asked for: words, or a photo. */
static dip_status add_question(dip_html_page *page, const json_t *example,
                               dip_err *err)
{
    const json_t *words = json_object_get(example, "query");
    dip_status st = DIP_OK;
    dip_str *out = page->out;
    if (json_is_string(words)) {
        dip_str_add(out, "<p class=\"ask\">“");
        dip_html_name(out, json_string_value(words));
        dip_str_add(out, "”</p>");
    } else {
        dip_str_add(out, "<div class=\"ask photo\">");
        st = add_photo(page, json_object_get(example, "photo"), err);
        dip_html_name(out, text_of(json_object_get(example, "photo"), "title"));
        dip_str_add(out, "</div>");
    }
    dip_str_add(out, "<p class=\"counts\"><span>");
    double rank = dip_html_value(example, "rank");
    if (isfinite(rank)) {
        dip_str_add(out, "first right product at rank ");
        dip_html_number(out, rank, rank > floor(rank) ? 1 : 0);
    } else {
        dip_str_add(out, "nothing right found");
    }
    dip_str_add(out, "</span> <span>");
    dip_html_number(out, dip_html_value(example, "relevant"), 0);
    dip_str_add(out, " right in the gallery</span></p>\n");
    return st;
}

static dip_status add_example(dip_html_page *page, const json_t *example,
                              dip_err *err)
{
    const json_t *found = json_object_get(example, "found");
    const json_t *wanted = json_object_get(example, "wanted");
    dip_str *out = page->out;
    dip_str_add(out, "<li class=\"query\">");
    dip_status st = add_question(page, example, err);
    dip_str_add(out, "<ol class=\"hits\">\n");
    if (json_is_object(wanted) && st == DIP_OK)
        st = add_product(page, wanted, true, err);
    for (size_t i = 0; i < json_array_size(found) && st == DIP_OK; i++)
        st = add_product(page, json_array_get(found, i), false, err);
    dip_str_add(out, "</ol></li>\n");
    return st;
}

static const struct {
    const char *key, *title, *words;
} lists[] = {
    {"worst", "Worst failures",
     "The queries whose first right product stands deepest in the ranking, "
     "behind what was found instead. The dashed one is what was wanted."},
    {"confusions", "Nearest confusions",
     "Queries for which a wrong product won by the widest margin over the best "
     "right one."},
    {"sample", "Drawn at random",
     "What a query usually gets: these were not chosen by their outcome."},
};

static dip_status add_list(dip_html_page *page, const json_t *examples,
                           size_t l, bool open, dip_err *err)
{
    const json_t *list = json_object_get(examples, lists[l].key);
    size_t n = json_array_size(list);
    dip_status st = DIP_OK;
    if (n == 0)
        return DIP_OK;
    dip_str_addf(page->out,
                 "<details class=\"panel\"%s><summary>%s <small>%zu</small>"
                 "</summary><p class=\"counts\">%s</p><ol class=\"queries\">\n",
                 open ? " open" : "", lists[l].title, n, lists[l].words);
    for (size_t i = 0; i < n && st == DIP_OK; i++)
        st = add_example(page, json_array_get(list, i), err);
    dip_str_add(page->out, "</ol></details>\n");
    return st;
}

dip_status dip_html_galleries(dip_html_page *page, dip_err *err)
{
    dip_report_rows tasks;
    dip_status st = dip_report_members(
        &tasks, json_object_get(page->report, "retrieval"), err);
    for (size_t i = 0; i < tasks.count && st == DIP_OK; i++) {
        const json_t *examples =
            json_object_get(tasks.items[i].values, "examples");
        if (json_object_size(examples) == 0)
            continue;
        dip_str_add(page->out, "<h4>");
        dip_html_name(page->out, tasks.items[i].name);
        dip_str_add(page->out, "</h4>\n");
        for (size_t l = 0; l < DIP_ARRAY_LEN(lists) && st == DIP_OK; l++)
            st = add_list(page, examples, l, i == 0 && l == 0, err);
    }
    free(tasks.items);
    return st;
}
