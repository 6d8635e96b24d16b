#include "export/card.h"

#include <math.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"

/* ---- words --------------------------------------------------------------- */

/* In one line, and without what ends a cell of a table or begins a tag. */
static void add_plain(dip_str *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|`<>[]*\\", *text) != NULL)
            dip_str_addf(out, "\\%c", *text);
        else
            dip_str_add_n(out, (unsigned char)*text < ' ' ? " " : text, 1);
    }
}

static void add_fact(dip_str *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    dip_str_addf(out, "| %s | ", name);
    add_plain(out, value);
    dip_str_add(out, " |\n");
}

static void add_number(dip_str *out, const char *name, int64_t value)
{
    dip_str_addf(out, "| %s | %lld |\n", name, (long long)value);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void open_table(dip_str *out, const char *titles, int columns)
{
    dip_str_addf(out, "%s\n|", titles);
    for (int i = 0; i < columns; i++)
        dip_str_add(out, "---|");
    dip_str_add(out, "\n");
}

/* ---- model --------------------------------------------------------------- */

static int64_t count_values(dip_model *model)
{
    const dip_params *params = dip_model_params(model);
    int64_t count = 0;
    for (int i = 0; i < dip_params_count(params); i++)
        count += dip_tensor_numel(dip_params_tensor(params, i));
    return count;
}

static void add_fields(dip_str *out, const json_t *fields)
{
    size_t i;
    json_t *field;
    if (json_array_size(fields) == 0)
        return;
    dip_str_add(out, "| fields of a product | ");
    json_array_foreach (fields, i, field) {
        const char *name = text_of(field, "name");
        dip_str_add(out, i > 0 ? ", " : "");
        add_plain(out, name != NULL ? name : "?");
    }
    dip_str_add(out, " |\n");
}

static void add_model(dip_str *out, const dip_card_facts *f)
{
    const json_t *image = json_object_get(f->preprocessing, "image");
    const json_t *text = json_object_get(f->preprocessing, "text");
    dip_str_add(out, "\n## Model\n\nIt gives products, photos and texts "
                     "embeddings that are compared with each other.\n\n");
    open_table(out, "| | |", 2);
    add_fact(out, "image tower", f->card->image_tower);
    if (f->card->image_tower != NULL)
        add_number(out, "side of a photo, pixels", number_of(image, "size"));
    add_fact(out, "text tower", f->card->text_tower);
    if (f->card->text_tower != NULL) {
        add_fact(out, "tokenizer", text_of(text, "tokenizer"));
        add_number(out, "tokens known", number_of(text, "vocabulary"));
        add_number(out, "tokens of a text at most", number_of(text, "context"));
    }
    add_fact(out, "fusion", f->card->fusion);
    add_fields(out, json_object_get(f->preprocessing, "product_fields"));
    add_number(out, "numbers of an embedding",
               dip_model_embed_dim(f->job->model));
    add_fact(out, "similarity", text_of(f->preprocessing, "similarity"));
    add_number(out, "numbers of the weights", count_values(f->job->model));
    add_fact(out, "checkpoint", text_of(f->run, "checkpoint"));
    add_number(out, "training steps", number_of(f->run, "step"));
    add_fact(out, "format", f->format->name);
    if (f->format->takes_onnx_options)
        add_fact(out, "precision", dip_precision_name(f->job->onnx.precision));
    if (f->job->origin != NULL)
        add_fact(out, "names of", f->job->origin->name);
}

static void add_use(dip_str *out, const dip_card_facts *f)
{
    dip_str_add(out, "\n## Intended use\n\n");
    if (f->card->intended_use != NULL) {
        add_plain(out, f->card->intended_use);
        dip_str_add(out, "\n");
    } else {
        dip_str_add(
            out,
            "Nobody has said what it is meant for (`diptych export "
            "--intended-use`).\nWhat it was trained to do is to rank products "
            "of a catalog like that below, for\nqueries like those of its "
            "config.\n");
    }
    dip_str_add(out, "\nNot for decisions about people, and not for other "
                     "catalogs or languages without\nan evaluation there.\n");
}

/* ---- data ---------------------------------------------------------------- */

static void add_data(dip_str *out, const dip_card_facts *f)
{
    const json_t *trained = json_object_get(f->card->about, "data");
    const char *path = text_of(trained, "path");
    dip_str_add(out, "\n## Data\n\n");
    open_table(out, "| | trained on | verified on |", 3);
    dip_str_add(out, "| catalog | ");
    add_plain(out, path != NULL ? dip_path_base(path) : "unknown");
    dip_str_add(out, " | ");
    add_plain(out, text_of(f->data, "catalog") != NULL
                       ? text_of(f->data, "catalog")
                       : "unknown");
    dip_str_add(out, " |\n| SHA-256 of its manifest | ");
    add_plain(out, text_of(trained, "digest") != NULL
                       ? text_of(trained, "digest")
                       : "unknown");
    dip_str_add(out, " | ");
    add_plain(out, text_of(f->data, "digest") != NULL
                       ? text_of(f->data, "digest")
                       : "unknown");
    dip_str_add(out, " |\n\nRows of the catalog that it was verified on:");
    for (int i = 0; i < DIP_SPLIT_COUNT; i++)
        dip_str_addf(out, "%s %lld %s", i > 0 ? "," : "",
                     (long long)f->card->split_rows[i],
                     dip_split_name((dip_split)i));
    dip_str_add(out, ".\n");
}

/* ---- metrics ------------------------------------------------------------- */

static void add_interval(dip_str *out, const char *of, const json_t *part,
                         const char *metric)
{
    const json_t *interval =
        json_object_get(json_object_get(part, "interval"), metric);
    const json_t *mean = json_object_get(part, metric);
    if (!json_is_number(mean))
        return;
    dip_str_add(out, "| ");
    add_plain(out, of);
    dip_str_addf(out, " | %s | %.4g | ", metric, json_number_value(mean));
    if (json_is_number(json_object_get(interval, "low")) &&
        json_is_number(json_object_get(interval, "high")))
        dip_str_addf(out, "%.4g to %.4g |\n",
                     json_number_value(json_object_get(interval, "low")),
                     json_number_value(json_object_get(interval, "high")));
    else
        dip_str_add(out, "– |\n");
}

static void add_section(dip_str *out, const json_t *report, const char *section,
                        const char *const *metrics, size_t count)
{
    const char *name;
    json_t *part;
    json_object_foreach ((json_t *)json_object_get(report, section), name,
                         part) {
        for (size_t i = 0; i < count; i++)
            add_interval(out, name, part, metrics[i]);
    }
}

static void add_metrics(dip_str *out, const dip_card_facts *f)
{
    static const char *const ranking[] = {"recall@1",   "recall@5", "recall@10",
                                          "ndcg@10",    "mrr",      "map",
                                          "median_rank"};
    static const char *const classes[] = {"accuracy", "balanced_accuracy",
                                          "f1_macro"};
    const json_t *report = f->card->report;
    const json_t *data = json_object_get(report, "data");
    dip_str_add(out, "\n## Metrics\n\n");
    if (report == NULL) {
        dip_str_addf(out,
                     "%s `diptych eval RUN`, then the same export again, puts "
                     "them here.\n",
                     f->card->no_report != NULL ? f->card->no_report
                                                : "None were measured.");
        return;
    }
    dip_str_addf(out, "On the %lld rows of the split ",
                 (long long)number_of(data, "rows"));
    add_plain(out,
              text_of(data, "split") != NULL ? text_of(data, "split") : "?");
    dip_str_add(out, " of the catalog with the digest ");
    add_plain(out,
              text_of(data, "digest") != NULL ? text_of(data, "digest") : "?");
    dip_str_add(out, ", with bootstrap intervals over the\nqueries or "
                     "rows:\n\n");
    open_table(out, "| task or label | metric | value | 95 % interval |", 4);
    add_section(out, report, "retrieval", ranking, DIP_ARRAY_LEN(ranking));
    add_section(out, report, "classification", classes, DIP_ARRAY_LEN(classes));
    dip_str_add(out, "\nThe intervals say what other queries of the same kind "
                     "could give, not what another\ntraining could. `report."
                     "json` of the run has all metrics.\n");
}

/* ---- limits, licences ---------------------------------------------------- */

static void add_limits(dip_str *out, const dip_card_facts *f)
{
    dip_str_add(out, "\n## Limits\n\n");
    if (f->card->text_tower != NULL)
        dip_str_addf(
            out,
            "- Texts longer than %lld tokens are cut; one without tokens has "
            "an embedding of zeros.\n",
            (long long)number_of(json_object_get(f->preprocessing, "text"),
                                 "context"));
    if (f->card->image_tower != NULL)
        dip_str_add(out, "- Photos must be prepared as `preprocessing.json` "
                         "says, or the embeddings are others.\n");
    dip_str_add(
        out,
        "- A similarity is no probability, and comparable within one model "
        "alone: embeddings of\n  another checkpoint do not belong into the "
        "same index.\n"
        "- It has learned what the catalog shows, its omissions and "
        "preferences included. Nothing was\n  measured about groups of people "
        "who may be in photos or texts.\n");
}

static void add_licences(dip_str *out, const dip_card_facts *f)
{
    const char *const unknown = "not stated; ask for it before any use";
    const json_t *init = json_object_get(f->card->about, "init"), *file;
    const char *part;
    dip_str_add(out, "\n## Licences\n\n");
    open_table(out, "| of | licence |", 2);
    add_fact(out, "these weights",
             f->card->license != NULL ? f->card->license : unknown);
    add_fact(out, "the data that they were trained on",
             f->card->data_license != NULL ? f->card->data_license : unknown);
    json_object_foreach ((json_t *)init, part, file) {
        const char *path = text_of(file, "file");
        if (path == NULL)
            continue;
        dip_str_add(out, "| what the ");
        add_plain(out, part);
        dip_str_add(out, " weights began from, `");
        add_plain(out, dip_path_base(path));
        dip_str_add(out, "` | that of their origin, which binds as well |\n");
    }
}

/* ---- how to make it again ------------------------------------------------ */

static dip_status add_reproduction(dip_str *out, const dip_card_facts *f,
                                   dip_err *err)
{
    char digest[DIP_DIGEST_SIZE];
    const json_t *about = f->card->about;
    dip_status st = dip_digest_file(digest, f->config_path, err);
    if (st != DIP_OK)
        return st;
    dip_str_addf(out,
                 "\n## How to reproduce\n\nWith the catalog of the digest "
                 "above and `config.yaml` of this bundle:\n\n```sh\n"
                 "diptych train config.yaml\ndiptych eval RUN\n"
                 "diptych export RUN --format %s",
                 f->format->name);
    if (f->job->origin != NULL)
        dip_str_addf(out, " --names %s", f->job->origin->name);
    if (f->format->takes_onnx_options)
        dip_str_addf(out, " --precision %s%s",
                     dip_precision_name(f->job->onnx.precision),
                     f->job->onnx.raw_images ? " --raw-images" : "");
    dip_str_add(out, " --out bundle\n```\n\n");
    open_table(out, "| | |", 2);
    add_fact(out, "SHA-256 of `config.yaml`", digest);
    add_fact(out, "seed", text_of(about, "seed"));
    if (json_is_integer(json_object_get(about, "threads")))
        add_number(out, "threads", number_of(about, "threads"));
    add_fact(out, "trained by Diptych", text_of(about, "version"));
    add_fact(out, "of the commit", text_of(about, "commit"));
    add_fact(out, "with libtorch", text_of(about, "libtorch"));
    add_fact(out, "began", text_of(about, "started"));
    add_fact(out, "exported by Diptych", f->version);
    dip_str_add(out, "\nThe same numbers come from the same processor, "
                     "libtorch and number of threads.\n");
    return DIP_OK;
}

/* ---- what was verified --------------------------------------------------- */

/* Lines from `i` on that are of one artefact; *distance and *change are the
 * largest of them, NaN where nothing was searched. */
static size_t find_worst(double *distance, double *change,
                         const dip_gate_report *gate, size_t i)
{
    const char *artefact = gate->lines[i].artefact;
    *distance = 0.0;
    *change = NAN;
    for (; i < gate->count && strcmp(gate->lines[i].artefact, artefact) == 0;
         i++) {
        const dip_recall *recall = &gate->lines[i].recall;
        double moved = recall->artefact - recall->live;
        *distance = fmax(*distance, gate->lines[i].max);
        if (recall->pairs > 0 && !(fabs(moved) <= fabs(*change)))
            *change = moved;
    }
    return i;
}

static void add_lines(dip_str *out, const dip_gate_report *gate)
{
    open_table(out,
               "| artefact | largest distance | allowed | change of "
               "recall@10 |",
               4);
    for (size_t i = 0, next; i < gate->count; i = next) {
        double distance, change;
        next = find_worst(&distance, &change, gate, i);
        dip_str_add(out, "| ");
        add_plain(out, gate->lines[i].artefact);
        dip_str_addf(out, " | %.1e | %.0e | ", distance,
                     gate->lines[i].tolerance);
        if (isnan(change))
            dip_str_add(out, "– |\n");
        else
            dip_str_addf(out, "%+.4f |\n", change);
    }
}

static void add_verification(dip_str *out, const dip_card_facts *f)
{
    dip_str_add(out, "\n## Verification\n\n");
    if (f->gate->count == 0) {
        dip_str_add(out, "Nothing was verified: nobody has compared these "
                         "files with the model.\n");
        return;
    }
    dip_str_addf(out,
                 "Each artefact was read back and run on %lld rows beside the "
                 "model. The distance of a\nrow is ||a − b|| / ||b||. Of all "
                 "batch sizes and lengths, the worst:\n\n",
                 (long long)f->job->samples->rows);
    add_lines(out, f->gate);
    dip_str_add(out, "\n`manifest.json` has the digests of all files, and each "
                     "of these measurements.\n");
}

dip_status dip_card_write(const dip_card_facts *f, const char *path,
                          dip_err *err)
{
    dip_str out = {0};
    const char *name = text_of(f->run, "name");
    dip_str_add(&out, "# Model card: ");
    add_plain(&out, name != NULL ? name : "a model");
    dip_str_add(&out, "\n");
    add_model(&out, f);
    add_use(&out, f);
    add_data(&out, f);
    add_metrics(&out, f);
    add_limits(&out, f);
    add_licences(&out, f);
    dip_status st = add_reproduction(&out, f, err);
    add_verification(&out, f);
    if (st == DIP_OK)
        st = dip_str_status(&out, err);
    if (st == DIP_OK)
        st = dip_file_write(path, out.data, out.len, err);
    dip_str_free(&out);
    return st;
}
