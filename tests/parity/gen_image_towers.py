"""Golden weights, inputs, outputs and gradients of image towers for
tests/models/test_image_towers.c, computed by torch 2.13.0, torchvision 0.28.0,
open_clip 3.3.0 and timm on the CPU.

    python tests/parity/gen_image_towers.py tests/golden/models

The files are as gen_models.py describes them. image_names.json holds the names
and shapes of the peers' full-size models.
"""

import json

import torch
from gen_models import OUT, gradients, save, shake, weights_of
from open_clip.modified_resnet import ModifiedResNet


def batch_norm_case(case, module, size, names):
    """Outputs in evaluation and in training, gradients of the latter, and the
    statistics after it."""
    shake(module)
    weights = weights_of(module)
    t = {"in.images": torch.randn(3, 3, size, size)}
    module.eval()
    t["out.eval"] = module(t["in.images"])
    module.train()
    t["out.train"] = module(t["in.images"])
    gradients(module, t["out.train"], t, names)
    for k, v in module.state_dict().items():
        if "running" in k and k.rsplit(".", 1)[0] + ".weight" in names:
            t[f"after.{k}"] = v
    save(case, weights, t)


def clip_resnet():
    torch.manual_seed(11)
    module = ModifiedResNet([2, 1, 1, 1], 6, 4, image_size=64, width=2)
    batch_norm_case("clip_resnet", module, 64, [
        "conv1.weight", "bn2.weight", "conv3.weight", "layer1.1.bn3.weight",
        "layer2.0.conv2.weight", "layer2.0.downsample.0.weight",
        "attnpool.positional_embedding", "attnpool.q_proj.weight",
        "attnpool.k_proj.weight", "attnpool.v_proj.weight",
        "attnpool.c_proj.bias"])


def names():
    peers = {"clip_rn50": ModifiedResNet([3, 4, 6, 3], 1024, 32)}
    shapes = {peer: {k: list(v.shape) for k, v in weights_of(module).items()}
              for peer, module in peers.items()}
    (OUT / "image_names.json").write_text(json.dumps(shapes, indent=0) + "\n")


def main():
    clip_resnet()
    names()


if __name__ == "__main__":
    main()
