"""Golden case of adapters for tests/models/test_lora.c: peft 0.21.2 over timm
1.0.31's SigLIP (photos) and transformers 5.23.0's BertModel (texts), torch
2.13.0, in double precision.

    python tests/parity/gen_lora.py tests/golden/models

lora.weights.safetensors: both towers, their projections and the adapters, by
our names. lora.safetensors: in.images, in.ids, in.lengths; out.image and
out.text, embeddings of unit length; loss, the mean of out.image * in.w_image +
out.text * in.w_text; grad.<name> of adapters and projections; merged.<name>,
matrices of merge_and_unload().
"""

import sys
from pathlib import Path

import timm
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import Linear
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

CONTEXT, DIM = 8, 6
RANK, ALPHA = 3, 6
# Whose matrices have adapters: all of attention and linear layers.
IMAGE_TARGETS = ["qkv", "proj", "q", "kv", "fc1", "fc2"]
TEXT_TARGETS = ["query", "key", "value", "dense"]
IMAGE = dict(img_size=24, patch_size=8, embed_dim=16, depth=2, num_heads=2)
TEXT = dict(vocab_size=32, hidden_size=12, num_hidden_layers=2,
            num_attention_heads=3, intermediate_size=24,
            max_position_embeddings=10)


def shake(module):
    """Moves what starts as zeros or ones."""
    for value in module.parameters():
        if value.ndim <= 1:
            value.data.add_(torch.randn_like(value) * 0.1)


def adapt(module, targets, rank, alpha):
    """The module with adapters that do something already."""
    # The convolution of patches is a "proj", too.
    names = [n for n, m in module.named_modules()
             if isinstance(m, torch.nn.Linear) and n.split(".")[-1] in targets]
    adapted = get_peft_model(module, LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=names))
    for layer in layers(adapted).values():
        torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.1)
    return adapted


def layers(adapted):
    """Adapted layers by the names of their matrices."""
    return {f"{n.removeprefix('base_model.model.')}.weight": m
            for n, m in adapted.named_modules() if isinstance(m, Linear)}


class Model:
    """Both towers with adapters and our linear projections."""

    def __init__(self, image, text, dim, rank, alpha):
        torch.manual_seed(31)
        bert = BertModel(BertConfig(**text))
        siglip = timm.create_model("vit_base_patch16_siglip_224", **image,
                                   num_classes=0)
        for module in (bert, siglip):
            shake(module)
        self.towers = {
            "image": adapt(siglip, IMAGE_TARGETS, rank, alpha).double().eval(),
            "text": adapt(bert, TEXT_TARGETS, rank, alpha).double().eval()}
        width = {"image": siglip.num_features, "text": bert.config.hidden_size}
        self.projections = {
            k: (torch.randn(dim, n) / n ** 0.5).double().requires_grad_()
            for k, n in width.items()}

    def encode_image(self, images):
        x = self.towers["image"](images.double())
        return F.normalize(x @ self.projections["image"].T, dim=1)

    def encode_text(self, ids, lengths):
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        x = self.towers["text"](input_ids=ids, attention_mask=mask).pooler_output
        return F.normalize(x @ self.projections["text"].T, dim=1)

    def trained(self):
        """Adapters and projections by our names."""
        found = {f"{k}_projection.weight": p for k, p in self.projections.items()}
        for tower, module in self.towers.items():
            for name, layer in layers(module).items():
                found[f"{tower}.{name}.lora_a"] = layer.lora_A["default"].weight
                found[f"{tower}.{name}.lora_b"] = layer.lora_B["default"].weight
        return found

    def weights(self):
        found = {k: v.data for k, v in self.trained().items()}
        for tower, module in self.towers.items():
            for name, p in module.named_parameters():
                if ".lora_" not in name:
                    name = name.removeprefix("base_model.model.")
                    name = name.replace(".base_layer.", ".")
                    found[f"{tower}.{name}"] = p.data
        return {k: v.float().contiguous() for k, v in found.items()}

    def merge(self):
        """The adapted matrices as peft merges them; ends the model."""
        found = {}
        for tower, module in self.towers.items():
            names = list(layers(module))
            merged = module.merge_and_unload()
            found |= {f"{tower}.{n}": merged.get_parameter(n).data for n in names}
        return found


def texts(vocabulary, context, lengths):
    lengths = torch.tensor(lengths)
    ids = torch.randint(1, vocabulary, (len(lengths), context))
    return ids * (torch.arange(context) < lengths[:, None]), lengths


def main():
    out = Path(sys.argv[1])
    model = Model(IMAGE, TEXT, DIM, RANK, ALPHA)
    save_file(model.weights(), out / "lora.weights.safetensors")
    ids, lengths = texts(TEXT["vocab_size"], CONTEXT, [8, 3, 1])
    t = {"in.images": torch.randn(3, 3, 24, 24), "in.ids": ids,
         "in.lengths": lengths}
    image, text = model.encode_image(t["in.images"]), model.encode_text(ids, lengths)
    t |= {"out.image": image, "out.text": text,
          "in.w_image": torch.randn_like(image), "in.w_text": torch.randn_like(text)}
    loss = (image * t["in.w_image"] + text * t["in.w_text"]).mean()
    loss.backward()
    t |= {"loss": loss} | {f"grad.{k}": p.grad for k, p in model.trained().items()}
    t |= {f"merged.{k}": v for k, v in model.merge().items()}
    save_file({k: (v.detach().float() if v.is_floating_point() else v).contiguous()
               for k, v in t.items()}, out / "lora.safetensors",
              metadata={"generator": "gen_lora.py", "peft": "0.21.2"})


if __name__ == "__main__":
    main()
