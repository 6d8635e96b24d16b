#include "export/index.h"

#include <math.h>
#include <string.h>

/* Rows that a centre is learnt of: FAISS asks for at least so many, and more
 * than so many only take memory. Of codes it takes more. */
enum {
    LEAST_OF_LIST = 39,
    MOST_OF_LIST = 64,
    LEAST_PROBES = 8,
    CODE_CENTRES = 256,
    MOST_OF_CODE = 256
};

#define LISTS_MOST ((int64_t)1 << 20)

static const struct {
    const char *word;
    bool lists, links, codes;
} kinds[] = {
#define KIND_ROW(name, word, lists, links, codes) {word, lists, links, codes},
    DIP_INDEX_TABLE(KIND_ROW)
#undef KIND_ROW
};

const char *dip_index_kind_name(dip_index_kind kind)
{
    return kinds[kind].word;
}

bool dip_index_kind_parse(dip_index_kind *out, const char *name)
{
    for (int i = 0; i < DIP_INDEX_KIND_COUNT; i++) {
        if (strcmp(kinds[i].word, name) == 0) {
            *out = (dip_index_kind)i;
            return true;
        }
    }
    return false;
}

static int64_t at_least_1(int64_t n)
{
    return n > 1 ? n : 1;
}

static int64_t usual_lists(int64_t rows)
{
    int64_t wanted = (int64_t)(4 * sqrt((double)rows));
    int64_t most = rows / LEAST_OF_LIST;
    return at_least_1(wanted < most ? wanted : most);
}

static int64_t usual_probes(int64_t lists)
{
    return lists / 16 > LEAST_PROBES ? lists / 16 : LEAST_PROBES;
}

static int64_t usual_code_bytes(int64_t dim)
{
    int64_t bytes = at_least_1(dim / 8);
    while (dim % bytes != 0)
        bytes--;
    return bytes;
}

/* An option in `value`: 0 becomes `usual`. */
static dip_status complete(int64_t *value, bool has, int64_t usual,
                           int64_t most, const char *name, dip_index_kind kind,
                           dip_err *err)
{
    if (!has && *value != 0)
        return dip_fail(err, DIP_ECONFIG, "an index of type %s has no %s",
                        kinds[kind].word, name);
    if (*value > most)
        return dip_fail(err, DIP_ECONFIG, "%lld %s, where %lld are possible",
                        (long long)*value, name, (long long)most);
    if (has && *value == 0)
        *value = usual < most ? usual : most;
    return DIP_OK;
}

dip_status dip_index_complete(dip_index_options *o, int64_t rows, dip_err *err)
{
    bool lists = kinds[o->kind].lists, links = kinds[o->kind].links;
    bool codes = kinds[o->kind].codes;
    int64_t most = rows < LISTS_MOST ? rows : LISTS_MOST;
    dip_status st = complete(&o->lists, lists, usual_lists(rows), most, "lists",
                             o->kind, err);
    if (st == DIP_OK)
        st = complete(&o->probes, lists, usual_probes(o->lists),
                      lists ? o->lists : 0, "probes", o->kind, err);
    if (st == DIP_OK)
        st = complete(&o->links, links, 32, 512, "links", o->kind, err);
    if (st == DIP_OK)
        st = complete(&o->depth, links, 64, 1 << 20, "depth", o->kind, err);
    if (st == DIP_OK)
        st = complete(&o->code_bytes, codes, usual_code_bytes(o->dim), o->dim,
                      "code bytes", o->kind, err);
    if (st != DIP_OK || !codes)
        return st;
    if (o->dim % o->code_bytes != 0)
        return dip_fail(err, DIP_ECONFIG,
                        "%lld code bytes do not divide %lld numbers",
                        (long long)o->code_bytes, (long long)o->dim);
    if (rows < CODE_CENTRES)
        return dip_fail(err, DIP_EDATA,
                        "%lld rows, where codes of an index are learnt of %d "
                        "at least",
                        (long long)rows, CODE_CENTRES);
    return DIP_OK;
}

int64_t dip_index_sample(const dip_index_options *o)
{
    int64_t sample = o->lists * MOST_OF_LIST;
    if (kinds[o->kind].codes && sample < CODE_CENTRES * MOST_OF_CODE)
        sample = CODE_CENTRES * MOST_OF_CODE;
    return kinds[o->kind].lists ? sample : 0;
}
