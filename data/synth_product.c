#include "data/synth_product.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/synth_shapes.h"

enum { BLOCK_PRODUCTS = 5, BLOCK_ROWS = 8 };

/* ---- tables -------------------------------------------------------------- */

typedef struct {
    const char *name, *name_zh;
} word;

#define WORD(name, english, chinese)            {english, chinese},
#define COLOUR_WORD(name, english, zh, r, g, b) {english, zh},
#define COLOUR_RGB(name, english, zh, r, g, b)  {r, g, b},

static const word colours[] = {DIP_SYNTH_COLOUR_TABLE(COLOUR_WORD)};
static const uint8_t colour_rgb[][3] = {DIP_SYNTH_COLOUR_TABLE(COLOUR_RGB)};
static const word patterns[] = {DIP_SYNTH_PATTERN_TABLE(WORD)};
static const word prints[] = {DIP_SYNTH_PRINT_TABLE(WORD)};
static const word genders[] = {DIP_SYNTH_GENDER_TABLE(WORD)};
static const word seasons[] = {DIP_SYNTH_SEASON_TABLE(WORD)};
static const word brands[] = {DIP_SYNTH_BRAND_TABLE(WORD)};

enum { NO_GENDER, MEN, WOMEN, KIDS, UNISEX }; /* DIP_SYNTH_GENDER_TABLE */

/* The words of each attribute but the type, whose words the shapes have. */
static const struct {
    const word *words;
    int count;
} attributes[DIP_SYNTH_ATTRIBUTES] = {
    [DIP_SYNTH_COLOUR] = {colours, DIP_ARRAY_LEN(colours)},
    [DIP_SYNTH_PATTERN] = {patterns, DIP_ARRAY_LEN(patterns)},
    [DIP_SYNTH_PRINT] = {prints, DIP_ARRAY_LEN(prints)},
    [DIP_SYNTH_GENDER] = {genders, DIP_ARRAY_LEN(genders)},
    [DIP_SYNTH_SEASON] = {seasons, DIP_ARRAY_LEN(seasons)},
    [DIP_SYNTH_BRAND] = {brands, DIP_ARRAY_LEN(brands)},
};

const char *dip_synth_attribute_name(dip_synth_attribute attribute)
{
    static const char *const names[] = {
#define NAME(name, words) words,
        DIP_SYNTH_ATTRIBUTE_TABLE(NAME)
#undef NAME
    };
    return names[attribute];
}

int dip_synth_value_count(dip_synth_attribute attribute)
{
    return attribute == DIP_SYNTH_TYPE ? dip_shape_count()
                                       : attributes[attribute].count;
}

const char *dip_synth_value_name(dip_synth_attribute attribute, int value)
{
    return attribute == DIP_SYNTH_TYPE
               ? dip_shape_get(value)->name
               : attributes[attribute].words[value].name;
}

const char *dip_synth_value_name_zh(dip_synth_attribute attribute, int value)
{
    return attribute == DIP_SYNTH_TYPE
               ? dip_shape_get(value)->name_zh
               : attributes[attribute].words[value].name_zh;
}

const uint8_t *dip_synth_colour_rgb(int colour)
{
    return colour_rgb[colour];
}

/* ---- products ------------------------------------------------------------ */

static int below(dip_rng *rng, int n)
{
    return (int)dip_rng_below(rng, (uint64_t)n);
}

/* Which product, and which of its photos, stands at a row. */
static void place(dip_synth_product *out, uint64_t seed, int64_t row)
{
    int64_t block = row / BLOCK_ROWS, at = row % BLOCK_ROWS;
    int64_t sizes[BLOCK_PRODUCTS] = {1, 1, 1, 2, 3};
    dip_rng rng = dip_rng_stream(seed, DIP_SYNTH_PLACES, (uint64_t)block, 0);
    dip_rng_shuffle(&rng, sizes, BLOCK_PRODUCTS);
    int i = 0;
    for (; at >= sizes[i]; i++)
        at -= sizes[i];
    out->number = block * BLOCK_PRODUCTS + i;
    out->photo = (int)at;
}

static int draw_gender(dip_rng *rng, const dip_shape *shape)
{
    if (!shape->worn)
        return NO_GENDER;
    return shape->women_only ? WOMEN + below(rng, 2) : MEN + below(rng, 4);
}

dip_synth_product dip_synth_product_of(uint64_t seed, int64_t row)
{
    dip_synth_product p;
    place(&p, seed, row);
    dip_rng rng =
        dip_rng_stream(seed, DIP_SYNTH_PRODUCTS, (uint64_t)p.number, 0);
    p.value[DIP_SYNTH_TYPE] = below(&rng, dip_shape_count());
    const dip_shape *shape = dip_shape_get(p.value[DIP_SYNTH_TYPE]);
    p.value[DIP_SYNTH_COLOUR] = below(&rng, (int)DIP_ARRAY_LEN(colours));
    p.value[DIP_SYNTH_PATTERN] = below(&rng, (int)DIP_ARRAY_LEN(patterns));
    /* Every other product has no print. */
    int print = below(&rng, 2 * (int)DIP_ARRAY_LEN(prints) - 2);
    p.value[DIP_SYNTH_PRINT] = print < (int)DIP_ARRAY_LEN(prints) ? print : 0;
    p.value[DIP_SYNTH_GENDER] = draw_gender(&rng, shape);
    p.value[DIP_SYNTH_SEASON] = shape->worn ? 1 + below(&rng, 4) : 0;
    p.value[DIP_SYNTH_BRAND] = below(&rng, (int)DIP_ARRAY_LEN(brands));
    double price = shape->price * exp(0.35 * dip_rng_normal(&rng));
    p.price = (float)(floor(price) + 0.99);
    return p;
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static uint64_t hash_text(const dip_str *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text->len; i++)
        hash = (hash ^ (uint8_t)tolower((unsigned char)text->data[i])) *
               UINT64_C(0x100000001b3);
    return hash;
}

/* By the title, not by the product, so that no title is on both sides. */
dip_split dip_synth_split_of(uint64_t seed, const dip_synth_product *product)
{
    dip_str title = {0};
    dip_synth_title(&title, product);
    dip_rng rng = dip_rng_stream(seed, DIP_SYNTH_SPLITS, hash_text(&title), 0);
    dip_str_free(&title);
    int part = below(&rng, 10);
    return part < 8   ? DIP_SPLIT_TRAIN
           : part < 9 ? DIP_SPLIT_VAL
                      : DIP_SPLIT_TEST;
}

/* ---- titles -------------------------------------------------------------- */

static const char *value_name(const dip_synth_product *p,
                              dip_synth_attribute attribute)
{
    return dip_synth_value_name(attribute, p->value[attribute]);
}

static void add_capital(dip_str *out, const char *words)
{
    for (const char *c = words; *c != '\0'; c++) {
        bool first = c == words || c[-1] == ' ' || c[-1] == '-';
        char letter = (char)(first ? toupper((unsigned char)*c) : *c);
        dip_str_add_n(out, &letter, 1);
    }
}

/* "Norvik Men's Red Striped T-Shirt with Star Print" */
static void title_by_brand(dip_str *out, const dip_synth_product *p)
{
    static const char *const of_gender[] = {"", " Men's", " Women's", " Kids'",
                                            " Unisex"};
    dip_str_addf(out, "%s%s ", value_name(p, DIP_SYNTH_BRAND),
                 of_gender[p->value[DIP_SYNTH_GENDER]]);
    add_capital(out, value_name(p, DIP_SYNTH_COLOUR));
    dip_str_add(out, " ");
    add_capital(out, value_name(p, DIP_SYNTH_PATTERN));
    dip_str_add(out, " ");
    add_capital(out, value_name(p, DIP_SYNTH_TYPE));
    if (p->value[DIP_SYNTH_PRINT] != 0) {
        dip_str_add(out, " with ");
        add_capital(out, value_name(p, DIP_SYNTH_PRINT));
        dip_str_add(out, " Print");
    }
}

/* "Red striped t-shirt with a star for men, Norvik" */
static void title_by_colour(dip_str *out, const dip_synth_product *p)
{
    static const char *const for_gender[] = {"", " for men", " for women",
                                             " for kids", " for everyone"};
    size_t start = out->len;
    bool plain = p->value[DIP_SYNTH_PATTERN] == 0;
    dip_str_addf(out, "%s%s%s %s", value_name(p, DIP_SYNTH_COLOUR),
                 plain ? "" : " ",
                 plain ? "" : value_name(p, DIP_SYNTH_PATTERN),
                 value_name(p, DIP_SYNTH_TYPE));
    if (out->len > start)
        out->data[start] = (char)toupper((unsigned char)out->data[start]);
    if (p->value[DIP_SYNTH_PRINT] != 0)
        dip_str_addf(out, " with a %s", value_name(p, DIP_SYNTH_PRINT));
    dip_str_addf(out, "%s, %s", for_gender[p->value[DIP_SYNTH_GENDER]],
                 value_name(p, DIP_SYNTH_BRAND));
}

/* "Norvik winter t-shirt, striped in red, star print (men)" */
static void title_by_type(dip_str *out, const dip_synth_product *p)
{
    bool worn = p->value[DIP_SYNTH_SEASON] != 0;
    dip_str_addf(out, "%s%s%s %s, %s in %s", value_name(p, DIP_SYNTH_BRAND),
                 worn ? " " : "", value_name(p, DIP_SYNTH_SEASON),
                 value_name(p, DIP_SYNTH_TYPE),
                 value_name(p, DIP_SYNTH_PATTERN),
                 value_name(p, DIP_SYNTH_COLOUR));
    if (p->value[DIP_SYNTH_PRINT] != 0)
        dip_str_addf(out, ", %s print", value_name(p, DIP_SYNTH_PRINT));
    if (worn)
        dip_str_addf(out, " (%s)", value_name(p, DIP_SYNTH_GENDER));
}

void dip_synth_title(dip_str *out, const dip_synth_product *product)
{
    static void (*const forms[])(dip_str *, const dip_synth_product *) = {
        title_by_brand, title_by_colour, title_by_type};
    forms[product->number % (int64_t)DIP_ARRAY_LEN(forms)](out, product);
}

void dip_synth_title_zh(dip_str *out, const dip_synth_product *product)
{
    static const dip_synth_attribute order[] = {
        DIP_SYNTH_BRAND,  DIP_SYNTH_SEASON,  DIP_SYNTH_GENDER,
        DIP_SYNTH_COLOUR, DIP_SYNTH_PATTERN, DIP_SYNTH_TYPE};
    for (size_t i = 0; i < DIP_ARRAY_LEN(order); i++)
        dip_str_add(
            out, dip_synth_value_name_zh(order[i], product->value[order[i]]));
    int print = product->value[DIP_SYNTH_PRINT];
    if (print != 0)
        dip_str_addf(out, " %s印花",
                     dip_synth_value_name_zh(DIP_SYNTH_PRINT, print));
}
