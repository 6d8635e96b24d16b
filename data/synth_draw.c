#include "data/synth_draw.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/synth_raster.h"
#include "data/synth_shapes.h"

#define PATTERN_PERIOD 13.0f /* units of the shapes' field */

struct dip_synth_artist {
    int size;
    dip_raster *raster;
    uint8_t *pixels;
};

typedef struct {
    float r, g, b;
} colour;

/* What the pixels of a part are coloured with. */
typedef struct {
    const dip_synth_artist *artist;
    dip_affine to_field; /* from pixels back to the shapes' field */
    float pixel;         /* size of a pixel on that field */
    colour ink, second;  /* second: of the pattern */
    int pattern;         /* 0: plain */
    float opacity;
    float light; /* how much the right side is darker */
} brush;

dip_status dip_synth_artist_create(dip_synth_artist **out, int size,
                                   dip_err *err)
{
    *out = NULL;
    dip_synth_artist *artist = calloc(1, sizeof *artist);
    if (artist == NULL)
        return dip_no_memory(err);
    artist->size = size;
    artist->pixels = dip_calloc((size_t)size * (size_t)size, 3);
    dip_status st = artist->pixels != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_raster_create(&artist->raster, size, size, err);
    if (st == DIP_OK) {
        *out = artist;
        artist = NULL; /* now the caller's */
    }
    dip_synth_artist_destroy(artist);
    return st;
}

void dip_synth_artist_destroy(dip_synth_artist *artist)
{
    if (artist == NULL)
        return;
    dip_raster_destroy(artist->raster);
    free(artist->pixels);
    free(artist);
}

/* ---- colours ------------------------------------------------------------- */

static float clamp(float v, float least, float most)
{
    return v < least ? least : v > most ? most : v;
}

static colour mix(colour a, colour b, float share)
{
    return (colour){a.r + (b.r - a.r) * share, a.g + (b.g - a.g) * share,
                    a.b + (b.b - a.b) * share};
}

static float luma(colour c)
{
    return 0.299f * c.r + 0.587f * c.g + 0.114f * c.b;
}

static uint8_t byte_of(float v)
{
    return (uint8_t)(clamp(v, 0.0f, 255.0f) + 0.5f);
}

static const colour white = {250, 250, 248}, black = {28, 28, 32};

/* ---- patterns: the share of the second colour at a point ----------------- */

/* 1 inside bands half as wide as the period, softened over a pixel. */
static float bands(float at, float pixel)
{
    float phase = at / PATTERN_PERIOD;
    float inside = fabsf(phase - floorf(phase) - 0.5f) - 0.25f;
    return clamp(0.5f - inside * PATTERN_PERIOD / pixel, 0.0f, 1.0f);
}

static float dots(float u, float v, float pixel)
{
    float x = u / PATTERN_PERIOD, y = v / PATTERN_PERIOD;
    /* Every other row is shifted by half a period. */
    float row = floorf(y);
    x += row * 0.5f;
    float dx = (x - floorf(x) - 0.5f) * PATTERN_PERIOD;
    float dy = (y - row - 0.5f) * PATTERN_PERIOD;
    float inside = sqrtf(dx * dx + dy * dy) - 0.27f * PATTERN_PERIOD;
    return clamp(0.5f - inside / pixel, 0.0f, 1.0f);
}

static float pattern_at(const brush *b, float u, float v)
{
    switch (b->pattern) { /* DIP_SYNTH_PATTERN_TABLE */
    case 1:
        return bands(v, b->pixel);
    case 2:
        return dots(u, v, b->pixel);
    case 3:
        return 0.5f * (bands(u, b->pixel) + bands(v, b->pixel));
    default:
        return 0.0f;
    }
}

static void paint_span(void *user, int x, int y, int count,
                       const float *coverage)
{
    const brush *b = user;
    const dip_affine *m = &b->to_field;
    uint8_t *to = b->artist->pixels +
                  3 * ((size_t)y * (size_t)b->artist->size + (size_t)x);
    for (int i = 0; i < count; i++, to += 3) {
        double px = x + i + 0.5, py = y + 0.5;
        float u = (float)(m->a * px + m->b * py + m->c);
        float v = (float)(m->d * px + m->e * py + m->f);
        colour c = b->ink;
        if (b->pattern != 0)
            c = mix(c, b->second, pattern_at(b, u, v));
        float shade = 1.0f - b->light * (u * 0.01f - 0.3f);
        float share = coverage[i] * b->opacity;
        to[0] = byte_of(to[0] + (c.r * shade - to[0]) * share);
        to[1] = byte_of(to[1] + (c.g * shade - to[1]) * share);
        to[2] = byte_of(to[2] + (c.b * shade - to[2]) * share);
    }
}

/* ---- the photo ----------------------------------------------------------- */

static float between(dip_rng *rng, double least, double most)
{
    return (float)(least + (most - least) * dip_rng_uniform(rng));
}

static void paint_background(dip_synth_artist *artist, dip_rng *rng)
{
    float grey = between(rng, 214, 248);
    colour top = {grey + between(rng, -12, 7), grey + between(rng, -12, 7),
                  grey + between(rng, -12, 7)};
    colour bottom = mix(top, black, between(rng, 0.0, 0.14));
    uint8_t *to = artist->pixels;
    for (int y = 0; y < artist->size; y++) {
        colour c = mix(top, bottom, (float)y / (float)artist->size);
        uint8_t r = byte_of(c.r), g = byte_of(c.g), b = byte_of(c.b);
        for (int x = 0; x < artist->size; x++, to += 3) {
            to[0] = r;
            to[1] = g;
            to[2] = b;
        }
    }
}

/* From the shapes' field to pixels: scaled, turned and moved a little about
 * the middle, and seen from the other side now and then. */
static dip_affine place_on_photo(int size, dip_rng *rng)
{
    double scale = (double)between(rng, 0.68, 0.92) * size / 100.0;
    double turn = between(rng, -0.2, 0.2);
    double flip = dip_rng_below(rng, 4) == 0 ? -1.0 : 1.0;
    double x = size * (0.5 + between(rng, -0.05, 0.05));
    double y = size * (0.5 + between(rng, -0.04, 0.04));
    dip_affine m = {.a = flip * scale * cos(turn),
                    .b = -scale * sin(turn),
                    .d = flip * scale * sin(turn),
                    .e = scale * cos(turn)};
    m.c = x - 50.0 * (m.a + m.b);
    m.f = y - 50.0 * (m.d + m.e);
    return m;
}

static colour ink_colour(dip_ink ink, colour body)
{
    switch (ink) {
    case DIP_INK_DARK:
        return mix(body, black, luma(body) < 60.0f ? 0.6f : 0.32f);
    case DIP_INK_LIGHT:
        return mix(body, white, 0.38f);
    case DIP_INK_METAL:
        return (colour){188, 190, 196};
    case DIP_INK_WOOD:
        return (colour){164, 116, 70};
    case DIP_INK_WHITE:
        return white;
    case DIP_INK_BLACK:
        return black;
    case DIP_INK_NONE:
    case DIP_INK_BODY:
        break;
    }
    return body;
}

static void paint_shadow(dip_synth_artist *artist, const dip_shape *shape,
                         dip_affine map, brush shadow)
{
    double away = 0.02 * artist->size;
    map.c += away;
    map.f += away;
    shadow.ink = black;
    shadow.opacity = 0.22f;
    for (int i = 0; shape->parts[i].ink != DIP_INK_NONE; i++) {
        if (shape->parts[i].ink == DIP_INK_BODY)
            dip_raster_fill(artist->raster, shape->parts[i].path, map,
                            paint_span, &shadow);
    }
}

static void paint_print(dip_synth_artist *artist, const dip_shape *shape,
                        int print, dip_affine map, brush b)
{
    const char *path = dip_shape_print(print);
    if (path == NULL)
        return;
    /* A print is drawn on a field of 100 x 100 of its own. */
    double s = shape->print_size / 100.0;
    double x = shape->print_x - 50.0 * s, y = shape->print_y - 50.0 * s;
    dip_affine m = {
        .a = map.a * s, .b = map.b * s, .d = map.d * s, .e = map.e * s};
    m.c = map.a * x + map.b * y + map.c;
    m.f = map.d * x + map.e * y + map.f;
    dip_raster_fill(artist->raster, path, m, paint_span, &b);
}

dip_image_view dip_synth_draw(dip_synth_artist *artist, uint64_t seed,
                              int64_t row, const dip_synth_product *product)
{
    dip_rng rng = dip_rng_stream(seed, DIP_SYNTH_PHOTOS, (uint64_t)row, 0);
    const dip_shape *shape = dip_shape_get(product->value[DIP_SYNTH_TYPE]);
    const uint8_t *rgb = dip_synth_colour_rgb(product->value[DIP_SYNTH_COLOUR]);
    paint_background(artist, &rng);
    dip_affine map = place_on_photo(artist->size, &rng);
    float exposure = between(&rng, 0.93, 1.05);
    colour body = {(float)rgb[0] * exposure, (float)rgb[1] * exposure,
                   (float)rgb[2] * exposure};
    bool bright = luma(body) > 120.0f;
    brush plain = {.artist = artist,
                   .to_field = dip_affine_inverse(map),
                   .opacity = 1.0f,
                   .light = between(&rng, 0.1, 0.3)};
    plain.pixel = (float)hypot(plain.to_field.a, plain.to_field.d);
    paint_shadow(artist, shape, map, plain);
    for (int i = 0; shape->parts[i].ink != DIP_INK_NONE; i++) {
        dip_ink ink = shape->parts[i].ink;
        brush b = plain;
        b.ink = ink_colour(ink, body);
        if (ink == DIP_INK_BODY) {
            b.pattern = product->value[DIP_SYNTH_PATTERN];
            b.second = mix(body, bright ? black : white, bright ? 0.45f : 0.6f);
        }
        dip_raster_fill(artist->raster, shape->parts[i].path, map, paint_span,
                        &b);
    }
    brush ink = plain;
    ink.ink = bright ? black : white;
    paint_print(artist, shape, product->value[DIP_SYNTH_PRINT], map, ink);
    return (dip_image_view){.pixels = artist->pixels,
                            .width = artist->size,
                            .height = artist->size,
                            .channels = 3};
}
