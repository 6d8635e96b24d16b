#include "report/learning.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

typedef struct {
    double step, value;
} point;

typedef struct {
    point *loss;
    size_t count, capacity;
    json_t *validations; /* events, in the order of their steps */
} course;

/* ---- reading ---- */

static dip_status add_loss(course *c, double step, double value, dip_err *err)
{
    while (c->count > 0 && c->loss[c->count - 1].step >= step)
        c->count--; /* made again by a resumed run */
    dip_status st =
        dip_reserve(&c->loss, &c->capacity, c->count + 1, sizeof *c->loss, err);
    if (st == DIP_OK)
        c->loss[c->count++] = (point){step, value};
    return st;
}

static double step_of(const json_t *event)
{
    const json_t *step = json_object_get(event, "step");
    return json_is_number(step) ? json_number_value(step) : (double)NAN;
}

static dip_status add_validation(course *c, json_t *event, dip_err *err)
{
    size_t n = json_array_size(c->validations);
    while (n > 0 &&
           step_of(json_array_get(c->validations, n - 1)) >= step_of(event))
        (void)json_array_remove(c->validations, --n);
    return json_array_append(c->validations, event) == 0 ? DIP_OK
                                                         : dip_no_memory(err);
}

static dip_status add_event(course *c, json_t *event, dip_err *err)
{
    const char *kind = json_string_value(json_object_get(event, "event"));
    const json_t *loss = json_object_get(event, "loss");
    if (kind == NULL || isnan(step_of(event)))
        return DIP_OK;
    /* Masked tokens have losses of another size: they would flatten the rest.
     */
    if (json_object_get(json_object_get(event, "terms"), "masked") != NULL)
        return DIP_OK;
    if (strcmp(kind, "step") == 0 && json_is_number(loss))
        return add_loss(c, step_of(event), json_number_value(loss), err);
    if (strcmp(kind, "validation") == 0)
        return add_validation(c, event, err);
    return DIP_OK;
}

static dip_status read_lines(course *c, FILE *file, dip_err *err)
{
    char *line = NULL;
    size_t room = 0;
    dip_status st = DIP_OK;
    for (ssize_t n = getline(&line, &room, file); n > 0 && st == DIP_OK;
         n = getline(&line, &room, file)) {
        json_t *event = json_loadb(line, (size_t)n, 0, NULL);
        if (event != NULL)
            st = add_event(c, event, err);
        json_decref(event);
    }
    free(line);
    return st;
}

/* ---- what it comes to ---- */

static int append(json_t *array, double value)
{
    return json_array_append_new(array, dip_json_real(value));
}

/* {"step", "value"}: means of equal parts. */
static json_t *thin(const course *c)
{
    json_t *steps = json_array(), *values = json_array();
    size_t size = (c->count + DIP_LEARNING_POINTS - 1) / DIP_LEARNING_POINTS;
    int faults = 0;
    for (size_t at = 0; at < c->count; at += size) {
        double sum = 0;
        size_t end = c->count - at < size ? c->count : at + size;
        for (size_t i = at; i < end; i++)
            sum += c->loss[i].value;
        faults |= append(steps, c->loss[end - 1].step);
        faults |= append(values, sum / (double)(end - at));
    }
    json_t *out = json_pack("{s:o, s:o}", "step", steps, "value", values);
    if (faults == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* Appends `key` of each part of the event to the curve of its name. */
static int add_curves(json_t *curves, const json_t *event, const char *part,
                      const char *key)
{
    json_t *parts = json_object_get(json_object_get(event, "report"), part);
    int faults = 0;
    for (void *i = json_object_iter(parts); i != NULL;
         i = json_object_iter_next(parts, i)) {
        const char *name = json_object_iter_key(i);
        const json_t *value = json_object_get(json_object_iter_value(i), key);
        if (json_object_get(curves, name) == NULL)
            faults |= json_object_set_new(
                curves, name,
                json_pack("{s:s, s:[], s:[]}", "metric", key, "step", "value"));
        json_t *curve = json_object_get(curves, name);
        faults |= append(json_object_get(curve, "step"), step_of(event));
        faults |= append(json_object_get(curve, "value"),
                         json_is_number(value) ? json_number_value(value)
                                               : (double)NAN);
    }
    return faults;
}

static json_t *describe(const course *c)
{
    json_t *curves = json_object();
    size_t n = json_array_size(c->validations);
    size_t step = (n + DIP_LEARNING_POINTS - 1) / DIP_LEARNING_POINTS;
    int faults = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *event = json_array_get(c->validations, i);
        if ((n - 1 - i) % step != 0)
            continue;
        faults |= add_curves(curves, event, "retrieval", "mrr");
        faults |= add_curves(curves, event, "classification", "accuracy");
    }
    json_t *out =
        json_pack("{s:o, s:o}", "loss", thin(c), "validation", curves);
    if (faults == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* In any case the caller ends *c with end_course(). */
static dip_status read_course(course *c, const char *path, dip_err *err)
{
    *c = (course){0};
    if (!dip_file_exists(path))
        return dip_fail(err, DIP_ENOTFOUND, "no file '%s'", path);
    c->validations = json_array();
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return dip_fail(err, DIP_EIO, "cannot open '%s'", path);
    dip_status st =
        c->validations != NULL ? read_lines(c, file, err) : dip_no_memory(err);
    if (st == DIP_OK && ferror(file))
        st = dip_fail(err, DIP_EIO, "cannot read '%s'", path);
    (void)fclose(file);
    return st;
}

static void end_course(course *c)
{
    json_decref(c->validations);
    free(c->loss);
}

dip_status dip_report_learning(json_t **out, const char *path, dip_err *err)
{
    course c;
    *out = NULL;
    dip_status st = read_course(&c, path, err);
    if (st == DIP_OK) {
        *out = describe(&c);
        st = *out != NULL ? DIP_OK : dip_no_memory(err);
    }
    end_course(&c);
    return st;
}

dip_status dip_report_learning_best(double *out, const char *path,
                                    const char *metric, bool higher_is_better,
                                    dip_err *err)
{
    course c;
    size_t i;
    json_t *event;
    *out = NAN;
    dip_status st = read_course(&c, path, err);
    json_array_foreach (c.validations, i, event) {
        const char *name = json_string_value(json_object_get(event, "metric"));
        const json_t *number = json_object_get(event, "value");
        if (name == NULL || strcmp(name, metric) != 0 ||
            !json_is_number(number))
            continue;
        double value = json_number_value(number);
        if (isnan(*out) || (higher_is_better ? value > *out : value < *out))
            *out = value;
    }
    end_course(&c);
    return st;
}
