#!/usr/bin/env python3
"""Writes tests/golden/image: what Pillow and torchvision make of small images.

    gen_image.py [FOLDER]

Needs Pillow, numpy, torch and torchvision; the goldens in the repository come
from the versions that versions.txt beside them names. Pixels are raw bytes,
RGB unless said otherwise, rows from top to bottom.

  decode.txt     file width height (as stored) width height (upright); the
                 pixels of convert("RGB") stand in FILE.rgb, and those after
                 ImageOps.exif_transpose, where they differ, in FILE.up.rgb
  source.rgb     61 x 47, the source of all that follows
  resize.txt     resample width height x0 y0 x1 y1 crop: Image.resize with that
                 box, or (crop = 1) of the cropped image; results in resize.rgb
  pattern.txt    resample width height crc32: of a 348 x 348 image of a formula
  colour.txt     change amount: of the source's first 32 x 20 pixels; results
                 in colour.rgb
  transform.txt  kind size mode: float32 [3, size, size] in transform.f32
  crop.txt       moments of RandomResizedCrop's choices, and fallbacks
"""

import io
import pathlib
import sys
import zlib

import numpy
import PIL
import torch
import torchvision
from PIL import Image, ImageEnhance, ImageOps
from torchvision.transforms import functional
from torchvision import transforms

SIZE = (24, 17)
RESAMPLES = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def smooth(size, channels, seed):
    """A picture of waves with some noise, uint8 [height, width, channels]."""
    rng = numpy.random.default_rng(seed)
    width, height = size
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    planes = []
    for _ in range(channels):
        a, b, c = rng.uniform(0.05, 0.5, 3)
        plane = 127 + 110 * numpy.sin(a * x + b * y + 9 * c)
        planes.append(plane + rng.normal(0, 12, plane.shape))
    return numpy.stack(planes, -1).clip(0, 255).astype(numpy.uint8)


def encoded_files():
    """name -> bytes of every way to store a picture that we know of."""
    rgb = Image.fromarray(smooth(SIZE, 3, 1))
    rgba = Image.fromarray(smooth(SIZE, 4, 2), "RGBA")
    grey = Image.fromarray(smooth(SIZE, 1, 3)[..., 0])
    grey_alpha = Image.fromarray(smooth(SIZE, 2, 4), "LA")
    cmyk = Image.fromarray(smooth(SIZE, 4, 5), "CMYK")
    wide = smooth(SIZE, 1, 6)[..., 0].astype(numpy.uint16) * 3
    files = {}

    def save(name, image, **options):
        buffer = io.BytesIO()
        kind = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
        image.save(buffer, kind[name.rsplit(".")[-1]], **options)
        files[name] = buffer.getvalue()

    save("rgb420.jpg", rgb, quality=90)
    save("rgb422.jpg", rgb, quality=90, subsampling="4:2:2")
    save("rgb444.jpg", rgb, quality=95, subsampling="4:4:4")
    save("progressive.jpg", rgb, quality=85, progressive=True)
    save("grey.jpg", grey, quality=90)
    save("cmyk.jpg", cmyk, quality=95)
    files["ycck.jpg"] = as_ycck(files["cmyk.jpg"])
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"orient{orientation}.jpg", rgb, quality=90, exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("orient.png", rgb, exif=exif)
    # A chunk of odd size stands before the EXIF one.
    save("orient.webp", rgb, exif=exif, lossless=True, icc_profile=b"odd")
    save("rgb.png", rgb)
    save("rgba.png", rgba)
    save("grey.png", grey)
    save("grey_alpha.png", grey_alpha)
    save("bilevel.png", grey.convert("1"))
    save("palette.png", rgb.quantize(200))
    save("palette4.png", rgb.quantize(11), bits=4)
    save("palette_alpha.png", rgba.quantize(60))
    save("grey16.png", Image.fromarray(wide))
    save("lossy.webp", rgb, quality=85)
    save("lossless.webp", rgb, lossless=True)
    save("alpha.webp", rgba, lossless=True, exact=True)
    save("alpha_lossy.webp", rgba, quality=85, exact=True)
    files["interlaced.png"] = png_interlaced(SIZE)
    files["rgb16.png"] = png16(SIZE, 2, 3)
    files["rgba16.png"] = png16(SIZE, 6, 4)
    files["grey_alpha16.png"] = png16(SIZE, 4, 2)
    return files


def as_ycck(cmyk):
    """The same coefficients under an Adobe marker that says YCCK."""
    at = cmyk.index(b"Adobe")
    return cmyk[: at + 11] + b"\x02" + cmyk[at + 12 :]


def png(size, depth, colour_type, scan_lines, interlace=0):
    """A PNG of the kinds that Pillow reads but does not write."""

    def chunk(name, body):
        crc = zlib.crc32(name + body)
        return len(body).to_bytes(4) + name + body + crc.to_bytes(4)

    width, height = size
    header = width.to_bytes(4) + height.to_bytes(4)
    header += bytes([depth, colour_type, 0, 0, interlace])
    rows = b"".join(b"\0" + line for line in scan_lines)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def png16(size, colour_type, channels):
    width, height = size
    rng = numpy.random.default_rng(colour_type)
    values = rng.integers(0, 65536, (height, width * channels))
    lines = [row.astype(">u2").tobytes() for row in values]
    return png(size, 16, colour_type, lines)


def png_interlaced(size):
    pixels = smooth(size, 3, 8)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
              (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    lines = [
        row.tobytes()
        for x, y, step_x, step_y in passes
        for row in pixels[y::step_y, x::step_x]
    ]
    return png(size, 8, 2, lines, interlace=1)


def write_decode(folder):
    lines = []
    for name, data in encoded_files().items():
        (folder / name).write_bytes(data)
        image = Image.open(io.BytesIO(data))
        stored = image.convert("RGB")
        upright = ImageOps.exif_transpose(image).convert("RGB")
        (folder / f"{name}.rgb").write_bytes(stored.tobytes())
        if upright.tobytes() != stored.tobytes():
            (folder / f"{name}.up.rgb").write_bytes(upright.tobytes())
        lines.append(
            f"{name} {stored.width} {stored.height} "
            f"{upright.width} {upright.height}"
        )
    (folder / "decode.txt").write_text("\n".join(lines) + "\n")


def rows_first(image, width, height, resample, box=None):
    """Image.resize in two calls, since Pillow 13 resamples the columns first
    for some shapes; all before it (and our code) begin with the rows."""
    x0, y0, x1, y1 = box or (0, 0, *image.size)
    rows = image.resize(
        (width, image.height), resample, (x0, 0, x1, image.height)
    )
    return rows.resize((width, height), resample, (0, y0, width, y1))


def write_resize(folder, source):
    width, height = source.size
    whole = (0, 0, width, height)
    cases = [
        (20, 20, whole, 0),
        (61, 20, whole, 0),
        (20, 47, whole, 0),
        (61, 47, whole, 0),
        (90, 70, whole, 0),
        (7, 5, whole, 0),
        (1, 1, whole, 0),
        (64, 3, whole, 0),
        (33, 31, (5, 7, 50, 40), 0),
        (33, 31, (5, 7, 50, 40), 1),
        (24, 24, (3.25, 1.5, 41.75, 44.125), 0),
        (40, 24, (60, 0, 61, 47), 1),
        (9, 8, whole, 0),
    ]
    lines, results = [], []
    for name, resample in RESAMPLES.items():
        for w, h, box, crop in cases:
            if crop:
                result = rows_first(source.crop(box), w, h, resample)
            else:
                result = rows_first(source, w, h, resample, box)
            x0, y0, x1, y1 = box
            lines.append(f"{name} {w} {h} {x0} {y0} {x1} {y1} {crop}")
            results.append(result.tobytes())
    (folder / "resize.txt").write_text("\n".join(lines) + "\n")
    (folder / "resize.rgb").write_bytes(b"".join(results))


def write_pattern(folder):
    y, x, c = numpy.mgrid[0:348, 0:348, 0:3]
    pattern = (x * x * (c + 1) + y * y * 3 + x * y * 7 + c * 50) >> 3 & 255
    image = Image.fromarray(pattern.astype(numpy.uint8))
    lines = []
    for name, resample in RESAMPLES.items():
        for w, h in [(224, 224), (96, 80), (512, 400), (31, 348), (348, 33)]:
            crc = zlib.crc32(image.resize((w, h), resample).tobytes())
            lines.append(f"{name} {w} {h} {crc}")
    (folder / "pattern.txt").write_text("\n".join(lines) + "\n")


def write_colour(folder, source):
    source = source.crop((0, 0, 32, 20))
    changes = {
        "brightness": lambda f: ImageEnhance.Brightness(source).enhance(f),
        "contrast": lambda f: ImageEnhance.Contrast(source).enhance(f),
        "saturation": lambda f: ImageEnhance.Color(source).enhance(f),
        "hue": lambda f: functional.adjust_hue(source, f),
        "grayscale": lambda f: functional.to_grayscale(source, 3),
    }
    cases = [("brightness", f) for f in (0.0, 0.37, 1.0, 1.6)]
    cases += [("contrast", f) for f in (0.0, 0.63, 1.9)]
    cases += [("saturation", f) for f in (0.0, 0.55, 1.7)]
    cases += [("hue", f) for f in (-0.5, -0.13, 0.02, 0.31)]
    cases += [("grayscale", 1.0)]
    lines = [f"{name} {amount}" for name, amount in cases]
    (folder / "colour.txt").write_text("\n".join(lines) + "\n")
    results = [changes[name](amount).tobytes() for name, amount in cases]
    (folder / "colour.rgb").write_bytes(b"".join(results))


def write_transform(folder, source):
    cubic = transforms.InterpolationMode.BICUBIC
    tail = [
        transforms.ToTensor(),
        transforms.Normalize(CLIP_MEAN, CLIP_STD),
    ]
    heads = {
        "eval 32 shortest": [
            transforms.Resize(32, cubic),
            transforms.CenterCrop(32),
        ],
        "eval 47 shortest": [
            transforms.Resize(47, cubic),
            transforms.CenterCrop(47),
        ],
        "eval 29 squash": [transforms.Resize((29, 29), cubic)],
        # No try can fit a whole-area crop of ratio 3 to 4, so that the
        # centred fallback is what both sides must choose.
        "fallback 24 shortest": [
            transforms.RandomResizedCrop(24, (1, 1), (3, 4), cubic)
        ],
    }
    results = []
    for head in heads.values():
        result = transforms.Compose(head + tail)(source)
        results.append(result.numpy().astype("<f4").tobytes())
    (folder / "transform.txt").write_text("\n".join(heads) + "\n")
    (folder / "transform.f32").write_bytes(b"".join(results))


def write_crop(folder, source):
    """Means over many draws: width, height, x, y, and the mean square width."""
    torch.manual_seed(0)
    lines = []
    for scale, ratio in [
        ((0.08, 1.0), (3 / 4, 4 / 3)),
        ((0.9, 1.0), (3 / 4, 4 / 3)),
        ((0.2, 0.5), (0.5, 3.0)),
    ]:
        draws = numpy.array(
            [
                transforms.RandomResizedCrop.get_params(
                    source, list(scale), list(ratio)
                )
                for _ in range(40000)
            ],
            dtype=float,
        )
        y, x, height, width = draws.mean(0)
        square = (draws[:, 3] ** 2).mean()
        lines.append(
            f"{scale[0]} {scale[1]} {ratio[0]:.17g} {ratio[1]:.17g} "
            f"{width:.4f} {height:.4f} {x:.4f} {y:.4f} {square:.3f}"
        )
    (folder / "crop.txt").write_text("\n".join(lines) + "\n")


def main():
    default = pathlib.Path(__file__).parent.parent / "golden" / "image"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "versions.txt").write_text(
        f"Pillow {PIL.__version__}, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}\n"
    )
    source = Image.fromarray(smooth((61, 47), 3, 7))
    (folder / "source.rgb").write_bytes(source.tobytes())
    write_decode(folder)
    write_resize(folder, source)
    write_pattern(folder)
    write_colour(folder, source)
    write_transform(folder, source)
    write_crop(folder, source)


if __name__ == "__main__":
    main()
