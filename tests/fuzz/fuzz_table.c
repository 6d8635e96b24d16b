#include <stdlib.h>

#include "base/mem.h"
#include "data/import.h"
#include "data/table_reader.h"
#include "data/template.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/table.csv",
                                  "tests/fuzz/seeds/table.tsv",
                                  "tests/fuzz/seeds/table.jsonl", NULL};

const char *const fuzz_words[] = {
    ",",        "\t",        "\"",           "\"\"",   "\n",
    "\r\n",     "\r",        "null",         "1e39",   "-0x1",
    "\\u0000",  "{\"id\": ", "}\n{",         "[1, 2]", "\"id\",",
    "{id}.jpg", "../",       "\xef\xbb\xbf", NULL,
};

static void use_field(dip_bytes field)
{
    double number;
    dip_err err = {0};
    char *path = dip_strndup(field.data, field.len);
    (void)!dip_import_number(&number, field, &err);
    if (path != NULL)
        (void)!dip_import_check_path(path, &err);
    free(path);
}

/* The name of the last column is a template of the others, as if somebody had
 * written it in a config. */
static void use_names(const dip_table_reader *reader)
{
    int count = dip_table_reader_column_count(reader), column;
    const char *const *names = dip_table_reader_columns(reader);
    dip_template *template;
    dip_err err = {0};
    if (count == 0)
        return;
    (void)!dip_table_reader_find(reader, "titel", &column, &err);
    if (dip_template_parse(&template, names[count - 1], names, count - 1,
                           &err) == DIP_OK)
        dip_template_free(template);
}

/* A table in each format, whatever it is. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes, (void)n;
    static const char *const formats[] = {"csv", "tsv", "jsonl"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(formats); i++) {
        dip_table_reader *reader;
        bool more = true;
        dip_err err = {0};
        if (dip_table_reader_open(&reader, path, formats[i], &err) != DIP_OK)
            continue;
        use_names(reader);
        while (dip_table_reader_next(reader, &more, &err) == DIP_OK && more) {
            int count = dip_table_reader_column_count(reader);
            for (int column = 0; column < count; column++)
                use_field(dip_table_reader_field(reader, column));
        }
        dip_table_reader_close(reader);
    }
}
