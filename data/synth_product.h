/* What the products of a synthetic catalog are, before they are drawn. */
#ifndef DIP_DATA_SYNTH_PRODUCT_H
#define DIP_DATA_SYNTH_PRODUCT_H

#include <stdint.h>

#include "base/rng.h"
#include "base/str.h"
#include "data/catalog.h"

/* Streams of base/rng.h that the catalog's seed is split into. */
enum {
    DIP_SYNTH_PLACES = 0x51,
    DIP_SYNTH_PRODUCTS,
    DIP_SYNTH_SPLITS,
    DIP_SYNTH_PHOTOS,
    DIP_SYNTH_QUERIES,
    DIP_SYNTH_USERS,
};

/* name, English, Chinese, red, green, blue */
#define DIP_SYNTH_COLOUR_TABLE(X)                                              \
    X(BLACK, "black", "黑色", 34, 34, 38)                                      \
    X(WHITE, "white", "白色", 246, 246, 244)                                   \
    X(GREY, "grey", "灰色", 142, 144, 148)                                     \
    X(RED, "red", "红色", 204, 32, 40)                                         \
    X(ORANGE, "orange", "橙色", 240, 130, 30)                                  \
    X(YELLOW, "yellow", "黄色", 246, 210, 52)                                  \
    X(GREEN, "green", "绿色", 48, 142, 72)                                     \
    X(BLUE, "blue", "蓝色", 50, 118, 216)                                      \
    X(NAVY, "navy", "藏青色", 30, 42, 92)                                      \
    X(PURPLE, "purple", "紫色", 124, 62, 164)                                  \
    X(PINK, "pink", "粉色", 242, 142, 178)                                     \
    X(BROWN, "brown", "棕色", 122, 78, 44)

#define DIP_SYNTH_PATTERN_TABLE(X)                                             \
    X(PLAIN, "plain", "纯色")                                                  \
    X(STRIPED, "striped", "条纹")                                              \
    X(DOTTED, "dotted", "波点")                                                \
    X(CHECKED, "checked", "格纹")

#define DIP_SYNTH_PRINT_TABLE(X)                                               \
    X(NONE, "none", "")                                                        \
    X(STAR, "star", "星星")                                                    \
    X(HEART, "heart", "爱心")                                                  \
    X(FLOWER, "flower", "花朵")

/* NONE is for things that nobody wears */
#define DIP_SYNTH_GENDER_TABLE(X)                                              \
    X(NONE, "", "")                                                            \
    X(MEN, "men", "男款")                                                      \
    X(WOMEN, "women", "女款")                                                  \
    X(KIDS, "kids", "儿童")                                                    \
    X(UNISEX, "unisex", "通用")

#define DIP_SYNTH_SEASON_TABLE(X)                                              \
    X(NONE, "", "")                                                            \
    X(SPRING, "spring", "春季")                                                \
    X(SUMMER, "summer", "夏季")                                                \
    X(AUTUMN, "autumn", "秋季")                                                \
    X(WINTER, "winter", "冬季")

#define DIP_SYNTH_BRAND_TABLE(X)                                               \
    X(NORVIK, "Norvik", "诺维")                                                \
    X(ALBERO, "Albero", "阿贝")                                                \
    X(TIDEWELL, "Tidewell", "泰威")                                            \
    X(MONTSERA, "Montsera", "蒙莎")                                            \
    X(KESTREL, "Kestrel", "凯斯")                                              \
    X(LUMINA, "Lumina", "露米")                                                \
    X(OAKFORD, "Oakford", "奥克")                                              \
    X(ZEPHYR, "Zephyr", "泽菲")

/* The attributes in the order of the catalog's labels; each is an index into
 * its table, that of the type into the shapes of data/synth_shapes.h. */
#define DIP_SYNTH_ATTRIBUTE_TABLE(X)                                           \
    X(TYPE, "type")                                                            \
    X(COLOUR, "colour")                                                        \
    X(PATTERN, "pattern")                                                      \
    X(PRINT, "print")                                                          \
    X(GENDER, "gender")                                                        \
    X(SEASON, "season")                                                        \
    X(BRAND, "brand")

typedef enum {
#define DIP_SYNTH_ATTRIBUTE_ENUM(name, words) DIP_SYNTH_##name,
    DIP_SYNTH_ATTRIBUTE_TABLE(DIP_SYNTH_ATTRIBUTE_ENUM)
#undef DIP_SYNTH_ATTRIBUTE_ENUM
        DIP_SYNTH_ATTRIBUTES
} dip_synth_attribute;

typedef struct {
    int64_t number; /* of the product */
    int photo;      /* of its rows, from 0 */
    int value[DIP_SYNTH_ATTRIBUTES];
    float price;
} dip_synth_product;

/* "type" and the like. Borrowed, static. */
const char *dip_synth_attribute_name(dip_synth_attribute attribute);
int dip_synth_value_count(dip_synth_attribute attribute);
/* "" for none. Borrowed, static. */
const char *dip_synth_value_name(dip_synth_attribute attribute, int value);
const char *dip_synth_value_name_zh(dip_synth_attribute attribute, int value);
/* The colour's red, green and blue. */
const uint8_t *dip_synth_colour_rgb(int colour);

/* The product of a row. Blocks of 8 rows hold 5 products, of which one has two
 * rows and one has three. */
dip_synth_product dip_synth_product_of(uint64_t seed, int64_t row);
/* 8 in 10 of the titles are for training. */
dip_split dip_synth_split_of(uint64_t seed, const dip_synth_product *product);

/* Append the titles; every title names the colour and the type. */
void dip_synth_title(dip_str *out, const dip_synth_product *product);
void dip_synth_title_zh(dip_str *out, const dip_synth_product *product);

#endif
