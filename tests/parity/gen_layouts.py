"""Makes small HDF5 files of the layouts that are read in place, and a catalog of
the documented format that was not written by Diptych, for tests/data.

    python tests/parity/gen_layouts.py tests/golden

Written with h5py 3.16.0 (HDF5 2.0.0) and numpy 2.4.6.
    python tests/parity/gen_layouts.py --check CATALOG.h5
reads a catalog that Diptych wrote and prints its rows as JSON.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np

LATIN_1 = "Robe d'été à pois".encode("latin-1")


def image(row, height, width):
    """[height, width, 3]: every value tells its place."""
    values = row * 50 + np.arange(height * width * 3)
    return (values % 256).astype(np.uint8).reshape(height, width, 3)


def strings(values, size):
    return np.array(values, dtype=f"S{size}").reshape(-1, 1)


def fashion_gen(path, rows, compression, first_product):
    images = np.stack([image(i, 4, 5) for i in range(rows)])
    with h5py.File(path, "w") as f:
        chunks = (2, 4, 5, 3) if compression else None
        f.create_dataset("input_image", data=images, chunks=chunks,
                         compression=compression)
        f["input_name"] = strings([b"Silk dress", "丝绸连衣裙".encode(), LATIN_1,
                                   b""][:rows], 40)
        f["input_description"] = strings(
            [b"long %d" % i for i in range(rows)], 16)
        f["input_category"] = strings([b"DRESSES", b"TOPS", b"DRESSES",
                                       b""][:rows], 16)
        f["input_msrpUSD"] = np.array([[99.5], [10], [0], [7]][:rows])
        f["input_productID"] = np.array(
            [[first_product], [first_product + 1], [first_product],
             [first_product + 2]][:rows], dtype=np.int32)


def coco_captions(folder):
    words = {"a": 1, "red": 2, "dress": 3, "狗": 4, "<unk>": 5, "<start>": 6,
             "<end>": 7, "<pad>": 0}
    captions = [[6, 1, 2, 3, 7, 0], [6, 3, 7, 0, 0, 0],
                [6, 4, 7, 0, 0, 0], [6, 1, 5, 3, 3, 7]]
    lengths = [5, 3, 3, 6]
    images = np.stack([image(i, 2, 4).transpose(2, 0, 1) for i in range(2)])
    folder.mkdir(exist_ok=True)
    stem = "tiny"
    with h5py.File(folder / f"TRAIN_IMAGES_{stem}.hdf5", "w") as f:
        f.attrs["captions_per_image"] = 2
        f.create_dataset("images", data=images)
    for kind, value in (("TRAIN_CAPTIONS", captions),
                        ("TRAIN_CAPLENS", lengths), ("WORDMAP", words)):
        (folder / f"{kind}_{stem}.json").write_text(json.dumps(value))


def put_texts(group, texts):
    data = [t.encode() for t in texts]
    group["bytes"] = np.frombuffer(b"".join(data), dtype=np.uint8)
    group["offsets"] = np.cumsum([0] + [len(d) for d in data], dtype=np.int64)


def catalog(path, compression=None):
    """The format of docs/data-format.md, by another hand."""
    with h5py.File(path, "w") as f:
        f.attrs["format"] = "diptych-catalog"
        f.attrs["version"] = 1
        f.attrs["name"] = "by h5py"
        put_texts(f.create_group("id"), ["p1", "p2", "品3"])
        photo = f.create_group("image/photo")
        blob = np.frombuffer(b"onethree", dtype=np.uint8)
        photo.create_dataset("bytes", data=blob, compression=compression,
                             chunks=(4,) if compression else None)
        photo["offsets"] = np.array([0, 3, 3, 8])
        f.create_dataset("image/thumb/pixels",
                         data=np.stack([image(i, 2, 2) for i in range(3)]),
                         compression=compression)
        title = f.create_group("text/title")
        put_texts(title, ["Red dress", "", "红裙"])
        f["label/colour/values"] = np.array([0, -1, 1], dtype=np.int32)
        put_texts(f.create_group("label/colour/names"), ["red", "红"])
        f["number/price"] = np.array([1.5, np.nan, -2], dtype=np.float32)
        f["split"] = np.array([0, 1, 2], dtype=np.uint8)
        f["group"] = np.array([5, 5, 9], dtype=np.int64)


def read_texts(group):
    data = group["bytes"][...].tobytes()
    ends = group["offsets"][...]
    return [data[a:b].decode() for a, b in zip(ends[:-1], ends[1:])]


def check(path):
    with h5py.File(path) as f:
        assert f.attrs["format"] in (b"diptych-catalog", "diptych-catalog")
        assert int(f.attrs["version"]) == 1
        names = {n: read_texts(g["names"]) for n, g in f["label"].items()}
        print(json.dumps({
            "id": read_texts(f["id"]),
            "text": {n: read_texts(g) for n, g in f["text"].items()},
            "label": {n: [names[n][v] if v >= 0 else None
                          for v in g["values"][...].tolist()]
                      for n, g in f["label"].items()},
            "split": f["split"][...].tolist(),
            "group": f["group"][...].tolist(),
            "fletcher32": bool(f["split"].fletcher32),
        }, ensure_ascii=False, sort_keys=True))


def main():
    if sys.argv[1] == "--check":
        check(sys.argv[2])
        return
    folder = Path(sys.argv[1])
    fashion_gen(folder / "layout_fashion_train.h5", 4, "gzip", 100)
    fashion_gen(folder / "layout_fashion_val.h5", 2, None, 101)
    coco_captions(folder / "layout_coco")
    catalog(folder / "layout_catalog_h5py.h5")
    catalog(folder / "layout_catalog_h5py_gzip.h5", "gzip")


main()
