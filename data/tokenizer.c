#include "data/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/tokenizer_kind.h"

#define FILE_FORMAT    "diptych-tokenizer"
#define FILE_VERSION   1
#define FILE_MAX_BYTES ((size_t)256 << 20)
#define HEAD_MEMBERS   3 /* format, version, kind */

static const dip_tokenizer_ops *const kinds[DIP_TOKENIZER_COUNT] = {
#define KIND_ROW(name, word) [DIP_TOKENIZER_##name] = &dip_tokenizer_##word,
    DIP_TOKENIZER_TABLE(KIND_ROW)
#undef KIND_ROW
};

/* ---- kinds ---- */

const dip_tokenizer_ops *dip_tokenizer_ops_of(dip_tokenizer_kind kind)
{
    return kinds[kind];
}

const char *dip_tokenizer_kind_name(dip_tokenizer_kind kind)
{
    return kinds[kind]->name;
}

dip_status dip_tokenizer_kind_from_name(dip_tokenizer_kind *out,
                                        const char *name, dip_err *err)
{
    dip_str names = {0};
    for (int i = 0; i < DIP_TOKENIZER_COUNT; i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            *out = (dip_tokenizer_kind)i;
            dip_str_free(&names);
            return DIP_OK;
        }
        dip_str_addf(&names, "%s%s", i > 0 ? ", " : "", kinds[i]->name);
    }
    dip_status st =
        dip_fail(err, DIP_ENOTFOUND, "no tokenizer '%s': it is one of %s", name,
                 dip_str_text(&names));
    dip_str_free(&names);
    return st;
}

const char *dip_tokenizer_kind_file(dip_tokenizer_kind kind)
{
    return kinds[kind]->file;
}

bool dip_tokenizer_kind_reads(dip_tokenizer_kind kind, const char *option)
{
    const dip_tokenizer_ops *ops = kinds[kind];
    if (ops->file != NULL && strcmp(ops->file, option) == 0)
        return true;
    for (const char *const *name = ops->options; *name != NULL; name++) {
        if (strcmp(*name, option) == 0)
            return true;
    }
    return false;
}

dip_clean dip_tokenizer_kind_clean(dip_tokenizer_kind kind)
{
    return kinds[kind]->clean;
}

/* ---- making ---- */

dip_status dip_tokenizer_alloc(dip_tokenizer **out,
                               const dip_tokenizer_ops *ops, size_t size,
                               dip_err *err)
{
    *out = NULL;
    dip_tokenizer *tokenizer = dip_calloc(1, size);
    if (tokenizer == NULL)
        return dip_no_memory(err);
    tokenizer->ops = ops;
    tokenizer->special = (dip_special_ids){0, -1, -1, -1};
    dip_status st = dip_interner_create(&tokenizer->tokens, err);
    if (st != DIP_OK) {
        dip_tokenizer_free(tokenizer);
        return st;
    }
    *out = tokenizer;
    return DIP_OK;
}

void dip_tokenizer_free(dip_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    if (tokenizer->ops->free != NULL)
        tokenizer->ops->free(tokenizer);
    dip_interner_free(tokenizer->tokens);
    free(tokenizer);
}

dip_status dip_tokenizer_read(dip_tokenizer **out,
                              const dip_tokenizer_options *options,
                              dip_err *err)
{
    return kinds[options->kind]->read(out, options, err);
}

dip_status dip_tokenizer_file(char **out, const char *path, const char *name,
                              dip_err *err)
{
    *out = dip_file_is_directory(path) ? dip_path_join(path, name)
                                       : dip_strdup(path);
    return *out != NULL ? DIP_OK : dip_no_memory(err);
}

/* ---- tokens ---- */

dip_status dip_tokenizer_add(dip_tokenizer *tokenizer, dip_bytes token,
                             size_t max_bytes, const char *what, int64_t number,
                             const char *file, dip_err *err)
{
    if (token.len == 0 || token.len > max_bytes)
        return dip_fail(err, DIP_EFORMAT,
                        "%s %lld is not a text of 1 to %zu bytes in '%s'", what,
                        (long long)number, max_bytes, file);
    if (memchr(token.data, '\0', token.len) != NULL)
        return dip_fail(err, DIP_EFORMAT, "%s %lld has a NUL in '%s'", what,
                        (long long)number, file);
    if (!dip_utf8_valid(token.data, token.len, NULL))
        return dip_fail(err, DIP_EFORMAT, "%s %lld is malformed utf-8 in '%s'",
                        what, (long long)number, file);
    int64_t next = dip_tokenizer_size(tokenizer), id;
    if (next == DIP_TOKENIZER_MAX_SIZE)
        return dip_fail(err, DIP_ERANGE, "more than %d tokens in '%s'",
                        DIP_TOKENIZER_MAX_SIZE, file);
    dip_status st = dip_interner_add(&id, tokenizer->tokens, token, err);
    if (st == DIP_OK && id != next)
        st = dip_fail(err, DIP_EFORMAT, "%s %lld repeats token %lld in '%s'",
                      what, (long long)number, (long long)id, file);
    return st;
}

dip_status dip_tokenizer_require(int64_t *id, const dip_tokenizer *tokenizer,
                                 const char *token, const char *file,
                                 dip_err *err)
{
    *id =
        dip_interner_find(tokenizer->tokens, (dip_bytes){token, strlen(token)});
    return *id >= 0 ? DIP_OK
                    : dip_fail(err, DIP_EFORMAT, "no token '%s' in '%s'", token,
                               file);
}

json_t *dip_tokenizer_tokens_json(const dip_tokenizer *tokenizer)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < dip_tokenizer_size(tokenizer); i++) {
        dip_bytes token = dip_tokenizer_token(tokenizer, i);
        ok = json_array_append_new(list, json_stringn(token.data, token.len)) ==
             0;
    }
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

dip_status dip_tokenizer_tokens_read(dip_tokenizer *tokenizer,
                                     const json_t *root, int64_t least,
                                     size_t max_bytes, const char *path,
                                     dip_err *err)
{
    json_t *list;
    dip_status st = dip_json_get_array(&list, root, "tokens", path, err);
    if (st != DIP_OK)
        return st;
    size_t count = json_array_size(list);
    if (count < (size_t)least || count > DIP_TOKENIZER_MAX_SIZE)
        return dip_fail(err, DIP_ERANGE, "%zu tokens, not %lld to %d, in '%s'",
                        count, (long long)least, DIP_TOKENIZER_MAX_SIZE, path);
    for (size_t i = 0; st == DIP_OK && i < count; i++) {
        const json_t *item = json_array_get(list, i);
        dip_bytes token = {json_string_value(item), json_string_length(item)};
        if (token.data == NULL)
            token = (dip_bytes){"", 0};
        st = dip_tokenizer_add(tokenizer, token, max_bytes, "token", (int64_t)i,
                               path, err);
    }
    return st;
}

/* ---- using ---- */

dip_status dip_tokenizer_encode(int64_t *needed, int64_t *ids, int64_t context,
                                const dip_tokenizer *tokenizer, dip_bytes text,
                                dip_err *err)
{
    const dip_special_ids *special = &tokenizer->special;
    dip_token_ids out = {ids, context, 0};
    if (special->bos >= 0)
        dip_token_put(&out, special->bos);
    dip_status st = tokenizer->ops->encode(&out, tokenizer, text, err);
    if (st != DIP_OK)
        return st;
    if (special->eos >= 0) {
        ids[out.count < context ? out.count : context - 1] = special->eos;
        out.count++;
    }
    for (int64_t i = out.count; i < context; i++)
        ids[i] = special->pad;
    *needed = out.count;
    return DIP_OK;
}

int64_t dip_tokenizer_length(const dip_tokenizer *tokenizer, int64_t needed,
                             int64_t context)
{
    const dip_special_ids *special = &tokenizer->special;
    if (needed == (special->bos >= 0) + (special->eos >= 0))
        return 0;
    return needed < context && !tokenizer->count_pads ? needed : context;
}

bool dip_tokenizer_counts_pads(const dip_tokenizer *tokenizer)
{
    return tokenizer->count_pads;
}

int64_t dip_tokenizer_size(const dip_tokenizer *tokenizer)
{
    return dip_interner_count(tokenizer->tokens);
}

dip_tokenizer_kind dip_tokenizer_kind_of(const dip_tokenizer *tokenizer)
{
    int i = 0;
    while (kinds[i] != tokenizer->ops)
        i++;
    return (dip_tokenizer_kind)i;
}

bool dip_tokenizer_has_eos(const dip_tokenizer *tokenizer)
{
    return tokenizer->special.eos >= 0;
}

dip_bytes dip_tokenizer_token(const dip_tokenizer *tokenizer, int64_t id)
{
    return dip_interner_get(tokenizer->tokens, id);
}

dip_special_ids dip_tokenizer_special(const dip_tokenizer *tokenizer)
{
    return tokenizer->special;
}

int64_t dip_tokenizer_mask(const dip_tokenizer *tokenizer)
{
    static const char name[] = "[MASK]"; /* of a learned vocabulary */
    int64_t id = dip_interner_find(tokenizer->tokens,
                                   (dip_bytes){name, sizeof name - 1});
    return id >= 0 ? id : tokenizer->special.unk;
}

/* ---- files ---- */

/* NULL when memory is out, which the JSON functions tell. */
static json_t *to_json(const dip_tokenizer *tokenizer)
{
    json_t *members = tokenizer->ops->describe(tokenizer);
    json_t *root =
        json_pack("{s:s, s:i, s:s}", "format", FILE_FORMAT, "version",
                  FILE_VERSION, "kind", tokenizer->ops->name);
    if (members == NULL || json_object_update(root, members) != 0) {
        json_decref(root);
        root = NULL;
    }
    json_decref(members);
    return root;
}

/* What stands beside is written first: who finds `path` finds all. */
dip_status dip_tokenizer_save(const dip_tokenizer *tokenizer, const char *path,
                              dip_err *err)
{
    dip_status st = DIP_OK;
    if (tokenizer->ops->save != NULL) {
        char *dir = dip_path_dir(path);
        st = dir != NULL ? tokenizer->ops->save(tokenizer, dir, err)
                         : dip_no_memory(err);
        free(dir);
    }
    if (st != DIP_OK)
        return st;
    json_t *root = to_json(tokenizer);
    st = dip_json_write(path, root, DIP_JSON_AS_BUILT, err);
    json_decref(root);
    return st;
}

dip_status dip_tokenizer_digest(char hex[DIP_DIGEST_SIZE],
                                const dip_tokenizer *tokenizer, dip_err *err)
{
    hex[0] = '\0';
    if (tokenizer == NULL)
        return DIP_OK;
    json_t *root = to_json(tokenizer);
    dip_str text = {0};
    dip_status st = dip_json_dump(&text, root, DIP_JSON_AS_BUILT, err);
    if (st == DIP_OK)
        st = dip_digest_bytes(hex, text.data, text.len, err);
    dip_str_free(&text);
    json_decref(root);
    return st;
}

/* Reads what all kinds have, and checks that there are no more members than
 * the kind has. */
static dip_status read_head(const dip_tokenizer_ops **out, const json_t *root,
                            const char *path, dip_err *err)
{
    const char *format, *name;
    int64_t version;
    dip_tokenizer_kind kind;
    dip_status st = dip_json_get_string(&format, root, "format", path, err);
    if (st == DIP_OK)
        st = dip_json_get_int(&version, root, "version", path, err);
    if (st == DIP_OK &&
        (strcmp(format, FILE_FORMAT) != 0 || version != FILE_VERSION))
        st = dip_fail(err, DIP_EFORMAT, "not a %s of version %d: '%s'",
                      FILE_FORMAT, FILE_VERSION, path);
    if (st == DIP_OK)
        st = dip_json_get_string(&name, root, "kind", path, err);
    if (st != DIP_OK)
        return st;
    st = dip_tokenizer_kind_from_name(&kind, name, err);
    if (st != DIP_OK) {
        dip_fail_context(err, "'%s'", path);
        return st;
    }
    *out = kinds[kind];
    if (json_object_size(root) != (size_t)(HEAD_MEMBERS + (*out)->members))
        return dip_fail(err, DIP_EFORMAT,
                        "not the %d keys of a %s tokenizer in '%s'",
                        HEAD_MEMBERS + (*out)->members, name, path);
    return DIP_OK;
}

dip_status dip_tokenizer_load(dip_tokenizer **out, const char *path,
                              dip_err *err)
{
    *out = NULL;
    json_t *root;
    const dip_tokenizer_ops *ops;
    dip_status st = dip_json_load(&root, path, FILE_MAX_BYTES, err);
    if (st != DIP_OK)
        return st;
    st = read_head(&ops, root, path, err);
    if (st == DIP_OK)
        st = ops->restore(out, root, path, err);
    json_decref(root);
    return st;
}
