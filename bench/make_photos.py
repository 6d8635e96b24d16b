#!/usr/bin/env python3
"""Makes JPEG photos of a given size by enlarging smaller ones.

    make_photos.py IN OUT --size 348 --count 512

IN is a folder of *.jpg or a catalog (.h5) that holds encoded photos. They are
enlarged in their order with a bicubic filter, sharpened and given a little
grain, so that a photo of 348 pixels takes about as many bytes (20 KB) as one
from a camera.
"""

import argparse
import io
import pathlib

import numpy
from PIL import Image, ImageFilter


def read_folder(folder, count):
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:count]]


def read_catalog(path, count):
    import h5py  # only needed here

    with h5py.File(path) as file:
        column = next(iter(file["image"].values()))
        offsets = column["offsets"][: count + 1]
        data = column["bytes"][: offsets[-1]].tobytes()
    return [data[a:b] for a, b in zip(offsets[:-1], offsets[1:])]


def enlarge(photo, size, rng):
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    image = image.resize((size, size), Image.Resampling.BICUBIC)
    image = image.filter(ImageFilter.UnsharpMask(radius=2, percent=150))
    grain = rng.normal(0, 4, (size, size, 1))
    pixels = numpy.asarray(image) + grain
    return Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--size", type=int, default=348)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--quality", type=int, default=85)
    args = parser.parse_args()

    read = read_catalog if args.source.suffix == ".h5" else read_folder
    sources = read(args.source, args.count)
    if not sources:
        parser.error(f"no photos in {args.source}")
    args.target.mkdir(parents=True, exist_ok=True)
    rng = numpy.random.default_rng(0)
    total = 0
    for i in range(args.count):
        image = enlarge(sources[i % len(sources)], args.size, rng)
        path = args.target / f"{i:06}.jpg"
        image.save(path, quality=args.quality)
        total += path.stat().st_size
    print(f"{args.count} photos, {total / args.count / 1024:.1f} KB each")


if __name__ == "__main__":
    main()
