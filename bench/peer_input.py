#!/usr/bin/env python3
"""Images per second of open_clip's training input, beside bench_loader.

    peer_input.py FOLDER SIZE WORKERS BATCH

Each JPEG is opened with PIL and passed through
open_clip.image_transform(is_train=True) (random resized crop .9 to 1, bicubic)
in a torch DataLoader with that many worker processes, which stay alive between
the measurements. A measurement is one shuffled epoch.
"""

import pathlib
import sys
import time

import torch
from open_clip.transform import image_transform
from PIL import Image

from serve import serve


class Photos(torch.utils.data.Dataset):
    def __init__(self, folder, size):
        self.paths = sorted(pathlib.Path(folder).glob("*.jpg"))
        self.transform = image_transform(size, is_train=True)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.transform(Image.open(self.paths[index]))


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    size, workers, batch = map(int, sys.argv[2:])
    photos = Photos(sys.argv[1], size)
    loader = torch.utils.data.DataLoader(
        photos,
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
    )

    def one_epoch():
        start = time.perf_counter()
        count = sum(len(images) for images in loader)
        return count / (time.perf_counter() - start)

    serve({"photos": len(photos)}, one_epoch)


if __name__ == "__main__":
    main()
