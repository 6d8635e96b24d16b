#!/usr/bin/env python3
"""Images per second of open_clip's training input, beside bench_input.

    peer_input.py FOLDER [SIZE [WORKERS [REPEATS]]]

Each JPEG is opened with PIL and passed through
open_clip.image_transform(is_train=True) (random resized crop .9 to 1, bicubic)
in a torch DataLoader with that many worker processes. Workers stay alive
between the repeats, and the first pass is not counted.
"""

import pathlib
import statistics
import sys
import time

import torch
from open_clip.transform import image_transform
from PIL import Image


class Photos(torch.utils.data.Dataset):
    def __init__(self, folder, size):
        self.paths = [
            path
            for path in sorted(pathlib.Path(folder).iterdir())
            if path.suffix in (".jpg", ".jpeg")
        ]
        self.transform = image_transform(size, is_train=True)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.transform(Image.open(self.paths[index]))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    numbers = [int(argument) for argument in sys.argv[2:]]
    size, workers, repeats = numbers + [224, 2, 5][len(numbers):]
    loader = torch.utils.data.DataLoader(
        Photos(sys.argv[1], size),
        batch_size=64,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
    )
    rates = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        count = sum(len(batch) for batch in loader)
        rate = count / (time.perf_counter() - start)
        if i > 0:
            rates.append(rate)
            print(f"{rate:.0f} images/s", flush=True)
    print(f"median {statistics.median(rates):.0f} images/s")


if __name__ == "__main__":
    main()
