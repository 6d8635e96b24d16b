/* The outlines of synthetic products: a table of small drawings. */
#ifndef DIP_DATA_SYNTH_SHAPES_H
#define DIP_DATA_SYNTH_SHAPES_H

#include <stdbool.h>

#define DIP_SYNTH_PARTS 6 /* of a drawing, at most */

typedef enum {
    DIP_INK_NONE, /* ends the list of parts */
    DIP_INK_BODY, /* the product's colour and pattern */
    DIP_INK_DARK, /* darker than its colour */
    DIP_INK_LIGHT,
    DIP_INK_METAL,
    DIP_INK_WOOD,
    DIP_INK_WHITE,
    DIP_INK_BLACK,
} dip_ink;

/* A path on a field of 100 x 100, y downwards, in the letters of SVG:
 *   M x y                     begin
 *   L x y                     straight line
 *   C x y x y x y             cubic Bezier curve
 *   Z                         back to the beginning
 *   O x y rx ry               an ellipse around (x, y)
 * and S first of all: the path is the right half, from top to bottom, of a
 * figure that is symmetric about x = 50. */
typedef struct {
    dip_ink ink;
    const char *path;
} dip_shape_part;

typedef struct {
    const char *name, *name_zh;
    bool worn;       /* has a gender and a season */
    bool women_only; /* of the genders: women and kids */
    double price;    /* the usual one */
    double print_x, print_y, print_size;
    dip_shape_part parts[DIP_SYNTH_PARTS + 1]; /* from back to front */
} dip_shape;

int dip_shape_count(void);
const dip_shape *dip_shape_get(int shape);
/* The path of a print (data/synth_product.h), or NULL for none. */
const char *dip_shape_print(int print);

#endif
