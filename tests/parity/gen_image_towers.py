"""Golden weights, inputs, outputs and gradients of image towers for
tests/models/test_image_towers.c, computed by torch 2.13.0, torchvision 0.28.0,
open_clip 3.3.0, timm 1.0.31 and efficientnet-lite-pytorch 0.1.0 on the CPU.

    python tests/parity/gen_image_towers.py tests/golden/models

The files are as gen_models.py describes them. image_names.json holds the names
and shapes of the peers' full-size models.
"""

import json

import timm
import torch
import torch.nn as nn
from efficientnet_lite_pytorch import EfficientNet
from efficientnet_lite_pytorch.utils import BlockDecoder, GlobalParams
from gen_models import OUT, gradients, save, shake, weights_of
from open_clip.model import resize_pos_embed
from open_clip.modified_resnet import ModifiedResNet
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from torchvision.models import resnet101, resnet152, vgg11, vgg13_bn, vgg16, vgg19_bn
from torchvision.models.vgg import VGG, cfgs, make_layers


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


def small_vgg(depth, batch_norm, classifier):
    """torchvision's layers and forward pass, a 32nd as wide; without the last
    layer, or without the classifier and with one pooled place."""
    cfg = [v if v == "M" else v // 32 for v in cfgs[depth]]
    module = VGG(make_layers(cfg, batch_norm=batch_norm), init_weights=False)
    if classifier:
        module.classifier = nn.Sequential(
            nn.Linear(16 * 49, 12), nn.ReLU(), nn.Dropout(0.0),
            nn.Linear(12, 12), nn.ReLU())
    else:
        module.avgpool, module.classifier = nn.AdaptiveAvgPool2d(1), nn.Identity()
    return module


def vgg():
    torch.manual_seed(12)
    batch_norm_case("vgg_bn", small_vgg("B", True, False), 64, [
        "features.0.weight", "features.1.weight", "features.3.bias",
        "features.32.weight"])
    batch_norm_case("vgg_classifier", small_vgg("A", False, True), 40, [
        "features.0.weight", "features.18.bias", "classifier.0.weight",
        "classifier.3.bias"])


def siglip():
    torch.manual_seed(13)
    module = timm.create_model(
        "vit_base_patch16_siglip_224", img_size=24, patch_size=8, embed_dim=16,
        depth=2, num_heads=2, num_classes=0)
    shake(module)
    t = {"in.images": torch.randn(2, 3, 24, 24)}
    t["out.eval"] = module(t["in.images"])
    gradients(module, t["out.eval"], t, [
        "patch_embed.proj.bias", "pos_embed", "blocks.0.attn.qkv.weight",
        "blocks.1.mlp.fc2.weight", "norm.weight", "attn_pool.latent",
        "attn_pool.q.weight", "attn_pool.kv.weight", "attn_pool.norm.bias",
        "attn_pool.mlp.fc1.weight"])
    save("siglip", weights_of(module), t)


class Grid:
    """What resize_pos_embed asks a model for."""

    def __init__(self, side):
        self.grid_size = (side, side)


class Visual:
    def __init__(self, side):
        self.visual = Grid(side)


def positions():
    torch.manual_seed(14)
    table = torch.randn(1 + 16, 5)
    t = {"in.clip": table, "in.timm": torch.randn(1, 25, 4)}
    for side in (3, 7):
        state = {"visual.positional_embedding": table}
        resize_pos_embed(state, Visual(side))
        t[f"out.clip{side}"] = state["visual.positional_embedding"]
        t[f"out.timm{side}"] = resample_abs_pos_embed(
            t["in.timm"], [side, side], num_prefix_tokens=0)
    save_file(t, OUT / "positions.safetensors")


LITE0 = ["r1_k3_s11_e1_i32_o16", "r2_k3_s22_e6_i16_o24", "r2_k5_s22_e6_i24_o40",
         "r3_k3_s22_e6_i40_o80", "r3_k5_s11_e6_i80_o112",
         "r4_k5_s22_e6_i112_o192", "r1_k3_s11_e6_i192_o320"]


def small_efficientnet(size):
    """The blocks of lite0 an eighth as wide, once each but for the second."""
    repeats = [1, 2, 1, 1, 1, 1, 1]
    blocks = [f"r{n}{b[2:]}" for n, b in zip(repeats, LITE0)]
    like = EfficientNet.from_name("efficientnet-lite0")._global_params
    assert isinstance(like, GlobalParams)
    module = EfficientNet(BlockDecoder.decode(blocks), like._replace(
        width_coefficient=0.125, depth_coefficient=1.0, image_size=size,
        fix_head_stem=False, drop_connect_rate=0, dropout_rate=0.0))
    module._fc = nn.Identity()
    return module


def efficientnet():
    torch.manual_seed(15)
    batch_norm_case("efficientnet_lite0", small_efficientnet(40), 40, [
        "_conv_stem.weight", "_bn0.weight", "_blocks.1._depthwise_conv.weight",
        "_blocks.2._bn0.weight", "_blocks.5._project_conv.weight",
        "_conv_head.weight", "_bn1.bias"])


def names():
    siglip_b_16 = timm.create_model("vit_base_patch16_siglip_224", num_classes=0)
    peers = {"clip_rn50": ModifiedResNet([3, 4, 6, 3], 1024, 32),
             "resnet101": resnet101(), "resnet152": resnet152(),
             "vgg11": vgg11(), "vgg13_bn": vgg13_bn(), "vgg16": vgg16(),
             "vgg19_bn": vgg19_bn(), "siglip_b_16": siglip_b_16,
             "efficientnet_lite0": EfficientNet.from_name("efficientnet-lite0")}
    heads = ("fc.", "_fc.", "classifier.6.")
    shapes = {peer: {k: list(v.shape) for k, v in weights_of(module).items()
                     if not k.startswith(heads)}
              for peer, module in peers.items()}
    (OUT / "image_names.json").write_text(json.dumps(shapes, indent=0) + "\n")


def main():
    clip_resnet()
    vgg()
    siglip()
    positions()
    efficientnet()
    names()


if __name__ == "__main__":
    main()
