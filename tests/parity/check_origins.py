"""Weights under the names of other programs: whole-model embeddings, of unit
length, and features of towers against each origin's own, within 1e-5 per row.

    python tests/parity/check_origins.py

Every model has seeded random weights, moved off zeros and ones, and is saved as
its origin saves it; `init` of a config reads the file. Peers: torch 2.13.0,
open_clip 3.3.0, transformers 5.23.0, torchvision 0.28.0, timm 1.0.31.
"""

import json
import pathlib
import sys
import tempfile

import open_clip
import timm
import torch
import torchvision
import transformers
from safetensors.torch import save_file
from timm.models.vision_transformer import checkpoint_filter_fn

import driver

TOLERANCE = 1e-5
ROWS = 4
torch.set_grad_enabled(False)
torch.set_num_threads(2)


def shake(module):
    """Moves what starts as zeros or ones, and running statistics."""
    for name, value in module.state_dict().items():
        if not value.is_floating_point() or "logit" in name:
            continue
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.ndim <= 1 or name.endswith("running_mean"):
            value.add_(torch.randn_like(value) * 0.1)
    return module.eval()


def build(make):
    torch.manual_seed(11)
    return shake(make())


def photos(size):
    return torch.randn(ROWS, 3, size, size)


def texts(vocabulary, context, last, lengths=(5, 3, 9, 7)):
    """Ids below `vocabulary`; `last` ends each text (None: none does)."""
    ids = torch.zeros(ROWS, context, dtype=torch.long)
    top = last if last is not None else vocabulary
    for row, n in enumerate(lengths):
        ids[row, :n] = torch.randint(3, min(top, 5000), (n,))
        if last is not None:
            ids[row, n - 1] = last
    return ids, torch.tensor(lengths)


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


class Checks:
    def __init__(self, folder):
        self.folder = folder
        self.report = driver.Report()

    def case(self, name, config, inputs, init, wanted):
        """wanted: name of an output -> rows."""
        try:
            found = driver.run(config, inputs, init)
        except driver.Failed as error:
            self.report.fail(name, error)
            return
        for key, rows in wanted.items():
            self.report.case(f"{name} {key}", driver.row_gap(found[key], rows),
                             TOLERANCE)


def image_options(model, **more):
    return {"tower": model, **more}


def base(size, context, embed_dim, image, text, **model):
    return {"data": {"image_size": size}, "tokenizer": {"context": context},
            "model": {"embed_dim": embed_dim, "image": image, "text": text,
                      **model}}


def clip_inputs(size, vocabulary, context, last):
    ids, lengths = texts(vocabulary, context, last)
    return {"images": photos(size), "ids": ids, "lengths": lengths,
            "vocabulary": torch.tensor(vocabulary)}


def open_clip_vit(c):
    model = build(lambda: open_clip.create_model("ViT-B-32"))
    path = driver.save_state(model, c.folder / "vit.safetensors")
    inputs = clip_inputs(224, 49408, 77, 49407)
    config = base(224, 77, 512, {"tower": "vit", "patch": 32},
                  {"tower": "transformer"})
    c.case("open_clip ViT-B-32", config, inputs, {"model": path},
           {"image.embedding": unit(model.encode_image(inputs["images"])),
            "text.embedding": unit(model.encode_text(inputs["ids"]))})


def open_clip_rn50(c):
    model = build(lambda: open_clip.create_model("RN50"))
    path = driver.save_state(model, c.folder / "rn50.safetensors")
    inputs = clip_inputs(224, 49408, 77, 49407)
    config = base(224, 77, 1024, {"tower": "clip_resnet", "features": 1024},
                  {"tower": "transformer"}, image_projection={"none": True})
    c.case("open_clip RN50", config, inputs, {"model": path},
           {"image.embedding": unit(model.encode_image(inputs["images"])),
            "text.embedding": unit(model.encode_text(inputs["ids"]))})


# Hugging Face computes GELU by tanh, open_clip's first models exactly.
SIGLIP_IMAGE = {"tower": "siglip"}
SIGLIP_TEXT = {"tower": "transformer", "bidirectional": True, "norm_eps": 1e-6}
TANH = {"activation": "gelu_tanh"}


def open_clip_siglip(c):
    model = build(lambda: open_clip.create_model("ViT-B-16-SigLIP"))
    path = driver.save_state(model, c.folder / "siglip.safetensors")
    ids = torch.randint(0, 32000, (ROWS, 64))
    inputs = {"images": photos(224), "ids": ids,
              "lengths": torch.full((ROWS,), 64),
              "vocabulary": torch.tensor(32000)}
    config = base(224, 64, 768, SIGLIP_IMAGE,
                  {**SIGLIP_TEXT, "width": 768, "depth": 12, "heads": 12},
                  image_projection={"none": True},
                  text_projection={"bias": True})
    c.case("open_clip ViT-B-16-SigLIP", config, inputs, {"model": path},
           {"image.embedding": unit(model.encode_image(inputs["images"])),
            "text.embedding": unit(model.encode_text(ids))})


SMALL = dict(hidden_size=64, intermediate_size=256, num_hidden_layers=3,
             num_attention_heads=2)
SMALL_OURS = {"width": 64, "depth": 3, "heads": 2}


def hf_clip(c):
    config = transformers.CLIPConfig(
        text_config=dict(SMALL, vocab_size=500, eos_token_id=499),
        vision_config=dict(SMALL, image_size=64, patch_size=16),
        projection_dim=48)
    model = build(lambda: transformers.CLIPModel(config))
    path = driver.save_state(model, c.folder / "hf_clip.safetensors")
    inputs = clip_inputs(64, 500, 77, 499)
    options = {"activation": "quick_gelu", **SMALL_OURS}
    out = model(input_ids=inputs["ids"], pixel_values=inputs["images"])
    c.case("Hugging Face CLIP",
           base(64, 77, 48, {"tower": "vit", "patch": 16, **options},
                {"tower": "transformer", **options}),
           inputs, {"model": path}, {"image.embedding": out.image_embeds,
                                     "text.embedding": out.text_embeds})
    sharded(c, model, inputs, options, out)


def sharded(c, model, inputs, options, out):
    """The same model in two files with an index, as a folder."""
    folder = c.folder / "sharded"
    folder.mkdir()
    state = {k: v.clone().contiguous() for k, v in model.state_dict().items()}
    names = sorted(state)
    files = {}
    for i, part in enumerate((names[::2], names[1::2])):
        file = f"model-{i + 1:05d}-of-00002.safetensors"
        save_file({n: state[n] for n in part}, folder / file)
        files |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": files}))
    c.case("the same in shards",
           base(64, 77, 48, {"tower": "vit", "patch": 16, **options},
                {"tower": "transformer", **options}),
           inputs, {"image": folder, "text": folder},
           {"image.embedding": out.image_embeds,
            "text.embedding": out.text_embeds})


def hf_siglip(c):
    config = transformers.SiglipConfig(
        text_config=dict(SMALL, vocab_size=500, max_position_embeddings=16),
        vision_config=dict(SMALL, image_size=64, patch_size=16))
    model = build(lambda: transformers.SiglipModel(config))
    path = driver.save_state(model, c.folder / "hf_siglip.safetensors")
    ids = torch.randint(0, 500, (ROWS, 16))
    inputs = {"images": photos(64), "ids": ids,
              "lengths": torch.full((ROWS,), 16),
              "vocabulary": torch.tensor(500)}
    out = model(input_ids=ids, pixel_values=inputs["images"])
    c.case("Hugging Face SigLIP",
           base(64, 16, 64, {**SIGLIP_IMAGE, **TANH, "patch": 16, **SMALL_OURS},
                {**SIGLIP_TEXT, **TANH, **SMALL_OURS}, image_projection={"none": True},
                text_projection={"bias": True}),
           inputs, {"model": path}, {"image.embedding": out.image_embeds,
                                     "text.embedding": out.text_embeds})


def hf_bert(c):
    model = build(lambda: transformers.BertModel(
        transformers.BertConfig(**SMALL, vocab_size=500)))
    path = driver.save_state(model, c.folder / "bert.safetensors")
    ids, lengths = texts(500, 12, None)
    mask = (torch.arange(12) < lengths.unsqueeze(1)).long()
    out = model(input_ids=ids, attention_mask=mask)
    c.case("Hugging Face BERT",
           base(64, 12, 64, {"tower": "cnn"},
                {"tower": "bert", "pooling": "pooler", **SMALL_OURS}),
           {"ids": ids, "lengths": lengths, "vocabulary": torch.tensor(500)},
           {"text": path}, {"text.features": out.pooler_output})


def torchvision_resnet(c):
    model = build(torchvision.models.resnet50)
    path = driver.save_state(model, c.folder / "resnet50.safetensors")
    model.fc = torch.nn.Identity()
    images = photos(224)
    c.case("torchvision resnet50",
           base(224, 8, 64, {"tower": "resnet", "depth": 50},
                {"tower": "bag", "width": 8}),
           {"images": images}, {"image": path},
           {"image.features": model(images)})


def timm_vit(c):
    """timm's ViT in CLIP's form, at the size of its weights and at a smaller
    one, for which timm resizes the positions itself."""
    make = lambda size: timm.create_model("vit_base_patch16_clip_224",
                                          img_size=size)
    model = build(lambda: make(224))
    path = driver.save_state(model, c.folder / "timm.safetensors")
    smaller = make(160).eval()
    smaller.load_state_dict(checkpoint_filter_fn(model.state_dict(), smaller))
    for size, peer in ((224, model), (160, smaller)):
        images = photos(size)
        c.case(f"timm vit_base_patch16_clip_224 at {size}",
               base(size, 8, 64, {"tower": "vit", "patch": 16},
                    {"tower": "bag", "width": 8}),
               {"images": images}, {"image": path},
               {"image.features": peer.forward_head(
                   peer.forward_features(images), pre_logits=True)})


CASES = [open_clip_vit, open_clip_rn50, open_clip_siglip, hf_clip, hf_siglip,
         hf_bert, torchvision_resnet, timm_vit]


def main():
    with tempfile.TemporaryDirectory() as name:
        checks = Checks(pathlib.Path(name))
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(checks)
        return checks.report.status()


if __name__ == "__main__":
    sys.exit(main())
