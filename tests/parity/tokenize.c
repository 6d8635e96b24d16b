/* Ids of texts, for check_tokenizers.py:
 *
 *   tokenize CONTEXT KIND [option=value ...]
 *
 * Options are the members of dip_tokenizer_options. Each text comes as its
 * length in bytes, 4 of them, little-endian, and the bytes; each answer is a
 * line of the number of ids that the whole text needs and those that fit,
 * without pads. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer.h"

#define TEXT_MAX ((size_t)64 << 20)

static bool set_option(dip_tokenizer_options *o, const char *argument,
                       dip_err *err)
{
    const char *value = strchr(argument, '=');
    if (value == NULL)
        return false;
    size_t n = (size_t)(value++ - argument);
    const struct {
        const char *name, **text;
        bool *flag;
        int64_t *number;
    } options[] = {
        {"vocab", &o->vocab, NULL, NULL},
        {"merges", &o->merges, NULL, NULL},
        {"model", &o->model, NULL, NULL},
        {"lowercase", NULL, &o->lowercase, NULL},
        {"bos", NULL, &o->bos, NULL},
        {"eos", NULL, &o->eos, NULL},
        {"count_pads", NULL, &o->count_pads, NULL},
        {"pad_id", NULL, NULL, &o->pad_id},
        {"max_size", NULL, NULL, &o->max_size},
    };
    if (strncmp(argument, "clean=", n + 1) == 0)
        return dip_clean_from_name(&o->clean, value, err) == DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(options); i++) {
        if (strlen(options[i].name) != n ||
            memcmp(options[i].name, argument, n) != 0)
            continue;
        if (options[i].text != NULL)
            *options[i].text = value;
        else if (options[i].flag != NULL)
            *options[i].flag = strcmp(value, "true") == 0;
        else
            *options[i].number = strtol(value, NULL, 10);
        return true;
    }
    return false;
}

/* One text; false at the end of the input. */
static bool next_text(char **text, size_t *capacity, size_t *n, dip_err *err)
{
    unsigned char head[4];
    if (fread(head, 1, sizeof head, stdin) != sizeof head)
        return false;
    *n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
         (size_t)head[3] << 24;
    return *n <= TEXT_MAX &&
           dip_reserve(text, capacity, *n + 1, 1, err) == DIP_OK &&
           fread(*text, 1, *n, stdin) == *n;
}

static dip_status answer(const dip_tokenizer *tokenizer, int64_t *ids,
                         int64_t context, dip_err *err)
{
    char *text = NULL;
    size_t capacity = 0, n;
    dip_status st = DIP_OK;
    while (st == DIP_OK && next_text(&text, &capacity, &n, err)) {
        int64_t needed;
        st = dip_tokenizer_encode(&needed, ids, context, tokenizer,
                                  (dip_bytes){text, n}, err);
        (void)printf("%lld", (long long)needed);
        for (int64_t i = 0; st == DIP_OK && i < needed && i < context; i++)
            (void)printf(" %lld", (long long)ids[i]);
        (void)printf("\n");
    }
    free(text);
    return st;
}

int main(int argc, char **argv)
{
    dip_tokenizer_options options = {.pad_id = -1};
    dip_tokenizer *tokenizer = NULL;
    dip_err err = {0};
    if (argc < 3)
        return 2;
    int64_t context = strtol(argv[1], NULL, 10);
    dip_status st = dip_tokenizer_kind_from_name(&options.kind, argv[2], &err);
    options.clean = dip_tokenizer_kind_clean(options.kind);
    for (int i = 3; st == DIP_OK && i < argc; i++) {
        if (!set_option(&options, argv[i], &err))
            st = dip_fail(&err, DIP_EUSAGE, "no option '%s'", argv[i]);
    }
    if (st == DIP_OK)
        st = dip_tokenizer_read(&tokenizer, &options, &err);
    int64_t *ids = dip_calloc((size_t)context, sizeof *ids);
    if (st == DIP_OK && ids != NULL)
        st = answer(tokenizer, ids, context, &err);
    free(ids);
    dip_tokenizer_free(tokenizer);
    if (st != DIP_OK)
        (void)fprintf(stderr, "tokenize: %s\n", err.msg);
    return st == DIP_OK ? 0 : 1;
}
