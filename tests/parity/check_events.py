"""Writes an event file with report/events.c and reads it with TensorBoard's
own event accumulator: tags, steps and values must come back.

Peer: tensorboard 2.21.0. Needs a C compiler and libutf8proc.

Usage, from the root: python tests/parity/check_events.py
"""

import ctypes
import math
import pathlib
import struct
import subprocess
import tempfile
import time

from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

SOURCES = ["report/events.c", "report/crc32c.c"] + [
    f"base/{name}.c" for name in ("file", "mem", "path", "status", "str", "utf8")
]
POINTS = {
    "train/loss": [(step, math.exp(-step / 50)) for step in range(1, 301)],
    "train/lr": [(0, 0.0), (1, 1e-5), (2**33, 3e-38)],
    "val/Größe/f1_macro": [(100, 0.25), (200, 1 / 3)],
}


def compile_writer(folder):
    path = folder / "events.so"
    subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-I.", "-shared",
                    "-fPIC", "-Wl,-z,defs", "-o", path, *SOURCES,
                    "-lutf8proc"], check=True)
    library = ctypes.CDLL(str(path))
    library.dip_events_scalar.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_double,
        ctypes.c_void_p]
    library.dip_events_close.argtypes = [ctypes.c_void_p]
    return library


def write(library, folder):
    events = ctypes.c_void_p()
    assert library.dip_events_open(ctypes.byref(events),
                                   str(folder).encode(), None) == 0
    for tag, points in POINTS.items():
        for step, value in points:
            assert library.dip_events_scalar(events, tag.encode(), step, value,
                                             None) == 0
    library.dip_events_close(events)


def to_float(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run = folder / "run"
        run.mkdir()
        start = time.time()
        write(compile_writer(folder), run)
        read = EventAccumulator(str(run), size_guidance={"scalars": 0})
        read.Reload()
        assert sorted(read.Tags()["scalars"]) == sorted(POINTS), read.Tags()
        assert start - 60 < read.FirstEventTimestamp() <= time.time()
        for tag, points in POINTS.items():
            found = [(s.step, s.value) for s in read.Scalars(tag)]
            wanted = [(step, to_float(value)) for step, value in points]
            assert found == wanted, tag
    print(f"{sum(map(len, POINTS.values()))} points of {len(POINTS)} curves "
          "read back by TensorBoard")


if __name__ == "__main__":
    main()
