#include "image/colour.h"

#include <math.h>

#include "image/image.h"

/* `from` moved towards `to`, or past it; truncated, not rounded. */
static uint8_t blend(int from, int to, float factor)
{
    float value = (float)from + factor * (float)(to - from);
    return (uint8_t)(value <= 0.0f ? 0.0f : value >= 255.0f ? 255.0f : value);
}

/* All bytes blended with one level. */
static void blend_level(uint8_t *rgb, size_t pixels, int level, double factor)
{
    uint8_t table[256];
    for (int i = 0; i < 256; i++)
        table[i] = blend(level, i, (float)factor);
    for (size_t i = 0; i < pixels * 3; i++)
        rgb[i] = table[rgb[i]];
}

void dip_colour_brightness(uint8_t *rgb, size_t pixels, double factor)
{
    blend_level(rgb, pixels, 0, factor);
}

void dip_colour_contrast(uint8_t *rgb, size_t pixels, double factor)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < pixels; i++)
        sum += dip_image_luma(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]);
    int mean = (int)((double)sum / (double)pixels + 0.5);
    blend_level(rgb, pixels, mean, factor);
}

void dip_colour_saturation(uint8_t *rgb, size_t pixels, double factor)
{
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        int grey = dip_image_luma(rgb[0], rgb[1], rgb[2]);
        for (int c = 0; c < 3; c++)
            rgb[c] = blend(grey, rgb[c], (float)factor);
    }
}

void dip_colour_grayscale(uint8_t *rgb, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++, rgb += 3)
        rgb[0] = rgb[1] = rgb[2] = dip_image_luma(rgb[0], rgb[1], rgb[2]);
}

typedef struct {
    uint8_t h, s, v;
} hsv_pixel;

/* Smith's hexcone ("Color gamut transform pairs", SIGGRAPH 1978). The mixture
 * of float and double follows Pillow, on which single levels depend. */
static hsv_pixel to_hsv(const uint8_t rgb[3])
{
    int r = rgb[0], g = rgb[1], b = rgb[2];
    int most = r > g ? r : g, least = r < g ? r : g;
    most = b > most ? b : most;
    least = b < least ? b : least;
    if (most == least)
        return (hsv_pixel){0, 0, (uint8_t)most};

    float spread = (float)(most - least);
    float saturation = spread / (float)most;
    float from_r = (float)(most - r) / spread;
    float from_g = (float)(most - g) / spread;
    float from_b = (float)(most - b) / spread;
    float hue;
    if (r == most)
        hue = from_b - from_g;
    else if (g == most)
        hue = (float)(2.0 + from_r - from_b);
    else
        hue = (float)(4.0 + from_g - from_r);
    double turn = hue / 6.0 + 1.0;
    hue = (float)(turn - floor(turn));
    return (hsv_pixel){
        .h = (uint8_t)(int)(hue * 255.0),
        .s = (uint8_t)(int)(saturation * 255.0),
        .v = (uint8_t)most,
    };
}

static uint8_t rounded(double value)
{
    return (uint8_t)(value + 0.5); /* value is 0 to 255 */
}

static void from_hsv(uint8_t rgb[3], hsv_pixel hsv)
{
    /* Which of v, p, q, t each channel takes in the six parts of the circle */
    static const uint8_t choice[6][3] = {{0, 3, 1}, {2, 0, 1}, {1, 0, 3},
                                         {1, 2, 0}, {3, 1, 0}, {0, 1, 2}};
    if (hsv.s == 0) {
        rgb[0] = rgb[1] = rgb[2] = hsv.v;
        return;
    }
    float position = (float)(hsv.h * 6.0 / 255.0);
    int part = (int)floor((double)position);
    float rest = (float)((double)position - part);
    float saturation = (float)(hsv.s / 255.0);
    double v = hsv.v;
    const uint8_t levels[4] = {
        hsv.v,
        rounded(v * (1.0 - (double)saturation)),
        rounded(v * (1.0 - (double)(saturation * rest))),
        rounded(v * (1.0 - saturation * (1.0 - (double)rest))),
    };
    for (int c = 0; c < 3; c++)
        rgb[c] = levels[choice[part % 6][c]];
}

void dip_colour_hue(uint8_t *rgb, size_t pixels, double turns)
{
    /* Truncated towards zero, then taken modulo 256. */
    uint8_t shift = (uint8_t)(int)(turns * 255.0);
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        hsv_pixel hsv = to_hsv(rgb);
        hsv.h = (uint8_t)(hsv.h + shift);
        from_hsv(rgb, hsv);
    }
}
