/* Changes of colour in place, on RGB bytes that follow each other, with the
 * arithmetic of Pillow's ImageEnhance and mode "HSV" (as torchvision's
 * ColorJitter uses them). */
#ifndef DIP_IMAGE_COLOUR_H
#define DIP_IMAGE_COLOUR_H

#include <stddef.h>
#include <stdint.h>

/* A factor of 1 changes nothing; 0 gives black, the mean grey of the image,
 * the grey image. */
void dip_colour_brightness(uint8_t *rgb, size_t pixels, double factor);
void dip_colour_contrast(uint8_t *rgb, size_t pixels, double factor);
void dip_colour_saturation(uint8_t *rgb, size_t pixels, double factor);
/* Turns the hue by `turns` of the circle, -.5 to .5. */
void dip_colour_hue(uint8_t *rgb, size_t pixels, double turns);
void dip_colour_grayscale(uint8_t *rgb, size_t pixels);

#endif
