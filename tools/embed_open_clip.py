#!/usr/bin/env python3
"""Embeddings of a catalog's products by an open_clip model, for
loss.distill.teacher.

    pip install open_clip_torch h5py pillow
    tools/embed_open_clip.py CATALOG.h5 OUT.h5 --model ViT-B-32 \\
        --pretrained FILE [--image photo] [--text title] [--query "{colour} {type}"]

CATALOG.h5 is one file of a catalog as `diptych import` writes it. Each --image
and --text column becomes the embeddings of its name, the image column always
`image`; --query makes `query` of the columns that stand in braces, text or
label. A product without a photo or with an empty text has a row of zeros. With
--model alone the weights are random.
"""

import argparse
import io
import re

import h5py
import numpy as np
import open_clip
import torch
from PIL import Image


def texts(group):
    data, ends = group["bytes"][:].tobytes(), group["offsets"][:]
    return [data[a:b].decode() for a, b in zip(ends, ends[1:])]


def photos(group, rows):
    """A Pillow image or None of each row."""
    if "pixels" in group:
        given = group["given"][:] if "given" in group else np.ones(rows)
        for i in range(rows):
            yield Image.fromarray(group["pixels"][i]) if given[i] else None
        return
    ends = group["offsets"][:]
    for a, b in zip(ends, ends[1:]):
        data = group["bytes"][a:b].tobytes()
        yield Image.open(io.BytesIO(data)).convert("RGB") if data else None


def column(file, name):
    """The texts of a text or label column."""
    if f"text/{name}" in file:
        return texts(file[f"text/{name}"])
    names = texts(file[f"label/{name}/names"])
    return [names[v] if v >= 0 else "" for v in file[f"label/{name}/values"][:]]


def render(file, template):
    values = {name: column(file, name) for name in re.findall(r"{([^}]+)}", template)}
    return [re.sub(r"{([^}]+)}", lambda m: values[m[1]][i], template).strip()
            for i in range(len(file["split"]))]


@torch.no_grad()
def embed(items, prepare, encode, batch):
    """Rows of what is there, zeros for the rest."""
    rows, places, waiting, count = {}, [], [], 0

    def flush():
        if waiting:
            out = torch.nn.functional.normalize(encode(torch.stack(waiting)).float())
            rows.update(zip(places, out.numpy()))
        places.clear(), waiting.clear()

    for count, item in enumerate(items, 1):
        if item:
            places.append(count - 1)
            waiting.append(prepare(item))
        if len(waiting) == batch:
            flush()
    flush()
    width = len(next(iter(rows.values())))
    return np.stack([rows.get(i, np.zeros(width, np.float32)) for i in range(count)])


def main():
    arguments = argparse.ArgumentParser(usage=__doc__)
    for name in ("catalog", "out"):
        arguments.add_argument(name)
    arguments.add_argument("--model", required=True)
    for name in ("pretrained", "image", "query"):
        arguments.add_argument(f"--{name}")
    arguments.add_argument("--text", action="append", default=[])
    arguments.add_argument("--batch", type=int, default=64)
    a = arguments.parse_args()
    model, _, transform = open_clip.create_model_and_transforms(
        a.model, pretrained=a.pretrained)
    model.eval()
    tokenizer = open_clip.get_tokenizer(a.model)
    found = {}
    with h5py.File(a.catalog) as file:
        ids = {name: file[f"id/{name}"][:] for name in ("bytes", "offsets")}
        lines = {name: column(file, name) for name in a.text}
        if a.query:
            lines["query"] = render(file, a.query)
        if a.image:
            found["image"] = embed(photos(file[f"image/{a.image}"], len(file["split"])),
                                   transform, model.encode_image, a.batch)
    for name, of in lines.items():
        found[name] = embed(of, lambda text: tokenizer([text])[0], model.encode_text,
                            a.batch)
    with h5py.File(a.out, "w") as file:
        file.attrs["format"] = "diptych-embeddings"
        file.attrs["version"] = 1
        for name, values in ids.items():
            file[f"id/{name}"] = values
        for name, values in found.items():
            file[f"embedding/{name}"] = values


if __name__ == "__main__":
    main()
