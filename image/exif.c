/* The orientation tag of EXIF 2.32, in the first directory of a TIFF file. */
#include <stdbool.h>
#include <string.h>

#include "image/codec.h"

enum { ORIENTATION_TAG = 0x0112, TYPE_SHORT = 3, ENTRY_SIZE = 12 };

typedef struct {
    const uint8_t *data;
    size_t size;
    bool big_endian;
} tiff_file;

/* False when the two bytes at `at` lie outside. */
static bool read_u16(uint32_t *out, const tiff_file *tiff, size_t at)
{
    if (at > tiff->size || tiff->size - at < 2)
        return false;
    uint32_t a = tiff->data[at], b = tiff->data[at + 1];
    *out = tiff->big_endian ? a << 8 | b : b << 8 | a;
    return true;
}

static bool read_u32(uint32_t *out, const tiff_file *tiff, size_t at)
{
    uint32_t first, second;
    if (!read_u16(&first, tiff, at) || !read_u16(&second, tiff, at + 2))
        return false;
    *out = tiff->big_endian ? first << 16 | second : second << 16 | first;
    return true;
}

/* 0 when the entry at `at` is none of ours. */
static int entry_orientation(const tiff_file *tiff, size_t at)
{
    uint32_t tag, type, value;
    if (!read_u16(&tag, tiff, at) || !read_u16(&type, tiff, at + 2) ||
        !read_u16(&value, tiff, at + 8))
        return 0;
    if (tag != ORIENTATION_TAG || type != TYPE_SHORT || value > 8)
        return 0;
    return (int)value;
}

int dip_exif_orientation(const uint8_t *data, size_t size)
{
    static const uint8_t prefix[6] = "Exif\0";
    if (size >= sizeof prefix && memcmp(data, prefix, sizeof prefix) == 0) {
        data += sizeof prefix;
        size -= sizeof prefix;
    }
    if (size < 8)
        return 1;
    tiff_file tiff = {data, size, data[0] == 'M'};
    if (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0)
        return 1;

    uint32_t directory, entries;
    if (!read_u32(&directory, &tiff, 4) ||
        !read_u16(&entries, &tiff, directory))
        return 1;
    for (uint32_t i = 0; i < entries; i++) {
        size_t at = (size_t)directory + 2 + (size_t)i * ENTRY_SIZE;
        int orientation = entry_orientation(&tiff, at);
        if (orientation != 0)
            return orientation;
    }
    return 1;
}
