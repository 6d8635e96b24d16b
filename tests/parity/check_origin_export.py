"""Exports under the names of other programs, each loaded by that program:
embeddings of the rows in a bundle within 1e-5 per row of those of the run, and
the same ten nearest photos of each text, but for ties.

    python tests/parity/check_origin_export.py [CATALOG.h5]

What is exported is the list that `diptych export --list-names` prints: a line
for which there is no case here fails. Models are made by one update on drawn
products, or on the catalog. Peers: torch 2.13.0, open_clip 3.3.0, transformers
5.23.0, torchvision 0.28.0, timm 1.0.31, sentencepiece.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import open_clip
import sentencepiece
import timm
import torch
import torchvision
import transformers
from safetensors.torch import load_file

import driver

TOLERANCE = 1e-5
TEXTS = ["Red shoes for men", "a blue bag, small", "T-shirt 42"]
torch.set_grad_enabled(False)
torch.set_num_threads(2)
transformers.utils.logging.set_verbosity_error()

SMALL = {"width": 64, "depth": 2, "heads": 2}
NONE = {"none": True}
PROGRAM = driver.BUILD / "diptych"


# ---- tokenizers and models -------------------------------------------------


def clip_tokenizer(_):
    merges = pathlib.Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    return {"kind": "clip_bpe", "merges": str(merges), "context": 77}


def wordpiece(folder):
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789-,")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters,
             *("##" + c for c in letters), "red", "shoes", "for", "men", "bag"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return {"kind": "wordpiece", "vocab": str(folder / "vocab.txt"), "context": 16}


def sentences(folder):
    """Cleaned as SigLIP's are, ended, and padded with tokens that count."""
    (folder / "text").write_text("\n".join(
        f"{a} {b} for {c} and a {b}" for a in "red blue green black white".split()
        for b in "shoes bag shirt dress watch".split()
        for c in "men women boys girls".split()))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "words"),
        vocab_size=36, model_type="unigram", pad_id=1, unk_id=2, eos_id=0,
        bos_id=-1, minloglevel=2)
    return {"kind": "sentencepiece", "model": str(folder / "words.model"),
            "context": 16, "eos": True, "count_pads": True, "pad_id": 1,
            "clean": "canonicalize"}


CAUSAL = {"tower": "transformer", **SMALL}
PADDED = {"tower": "transformer", "bidirectional": True, "norm_eps": 1e-6}
BAG = {"tower": "bag", "width": 8}
VIT = {"tower": "vit", "patch": 16, **SMALL}
SIGLIP_32 = {"tower": "siglip", "patch": 32, "activation": "gelu_tanh"}  # of timm's own sizes


def case(tokenizer, size, dim, image, text, **model):
    return tokenizer, {"data": {"image_size": size},
                       "model": {"embed_dim": dim, "image": image, "text": text,
                                 **model}}


# (origin, image tower, text tower) as --list-names has them: name -> case
CASES = {
    ("open_clip", "vit", "transformer"): {
        "small": case(clip_tokenizer, 32, 48, VIT, CAUSAL),
        "averaged, quick_gelu": case(
            clip_tokenizer, 32, 48, {**VIT, "pooling": "mean", "activation": "quick_gelu"},
            {**CAUSAL, "activation": "quick_gelu"}),
        "ViT-B-32": case(clip_tokenizer, 224, 512, {"tower": "vit", "patch": 32},
                         {"tower": "transformer"})},
    ("open_clip", "clip_resnet", "transformer"): {
        "RN50": case(clip_tokenizer, 224, 1024, {"tower": "clip_resnet", "features": 1024},
                     {"tower": "transformer"}, image_projection=NONE)},
    ("open_clip", "siglip", "transformer"): {
        "vit_base_patch32_siglip_256": case(
            sentences, 256, 768, SIGLIP_32, {**PADDED, **SMALL},
            image_projection=NONE, text_projection={"bias": True})},
    ("open_clip", "resnet", "transformer"): {
        "resnet18": case(clip_tokenizer, 32, 48, {"tower": "resnet", "depth": 18}, CAUSAL)},
    ("huggingface", "vit", "transformer"): {
        "CLIP": case(clip_tokenizer, 32, 48, VIT, CAUSAL)},
    ("huggingface", "siglip", "transformer"): {
        "SigLIP": case(sentences, 32, 64,
                       {"tower": "siglip", "patch": 16, "activation": "gelu_tanh", **SMALL},
                       {**PADDED, "activation": "gelu_tanh", **SMALL},
                       image_projection=NONE, text_projection={"bias": True})},
    ("huggingface", "-", "bert"): {
        pooling: case(wordpiece, 32, 64, {"tower": "cnn", "widths": [8, 16]},
                      {"tower": "bert", "pooling": pooling, **SMALL}, text_projection=NONE)
        for pooling in ("mean", "cls", "pooler")},
    ("torchvision", "resnet", "-"): {
        f"resnet{depth}": case(wordpiece, 64, width, {"tower": "resnet", "depth": depth}, BAG,
                               image_projection=NONE)
        for depth, width in ((18, 512), (50, 2048))},
    ("torchvision", "vgg", "-"): {
        "vgg11_bn": case(wordpiece, 32, 512, {"tower": "vgg", "depth": 11, "batch_norm": True,
                                              "pooling": "mean"}, BAG, image_projection=NONE)},
    ("timm", "vit", "-"): {
        "VisionTransformer": case(wordpiece, 32, 64, VIT, BAG, image_projection=NONE)},
    ("timm", "siglip", "-"): {
        "VisionTransformer": case(wordpiece, 32, 64, {**VIT, "tower": "siglip"}, BAG,
                                  image_projection=NONE)},
    ("timm", "resnet", "-"): {
        "resnet34": case(wordpiece, 64, 512, {"tower": "resnet", "depth": 34}, BAG,
                         image_projection=NONE)},
}


# ---- consumers: embeddings of photos and texts, either may be None ---------


def by_open_clip(bundle, samples, name, _):
    model = open_clip.create_model(f"local-dir:{bundle}").eval()
    if name in open_clip.list_models():  # under its own name, too
        other = open_clip.create_model(
            name, pretrained=str(bundle / "open_clip_model.safetensors")).eval()
        for (key, a), b in zip(model.state_dict().items(), other.state_dict().values()):
            assert torch.equal(a, b), key
    return (model.encode_image(samples["images"], normalize=True),
            model.encode_text(samples["ids"], normalize=True))


def check_words(bundle, config):
    """Their tokenizer gives the ids of ours."""
    words = config["tokenizer"]
    options = [f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in words.items()
               if k not in ("kind", "context", "clean")]
    tokenize = driver.BUILD / "tests/parity/tokenize"
    texts = [t.lower().translate(str.maketrans("", "", "-,")) for t in TEXTS]
    raw = b"".join(len(t).to_bytes(4, "little") + t.encode() for t in texts)
    out = subprocess.run([tokenize, str(words["context"]), words["kind"], *options], input=raw,
                         stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    theirs = transformers.AutoTokenizer.from_pretrained(bundle)
    for text, line in zip(texts, out):
        ids = [int(i) for i in line.split()[1:]]
        found = theirs(text)["input_ids"]
        assert ids == found, (text, ids, found)


def by_huggingface(bundle, samples, name, config):
    model = transformers.AutoModel.from_pretrained(bundle).eval()
    check_words(bundle, config)
    if isinstance(model, transformers.BertModel):
        return None, bert_rows(model, samples, name)
    transformers.AutoImageProcessor.from_pretrained(bundle)
    out = model(input_ids=samples["ids"], pixel_values=samples["images"])
    return out.image_embeds, out.text_embeds


def bert_rows(model, samples, pooling):
    there = torch.arange(samples["ids"].shape[1]) < samples["lengths"].unsqueeze(1)
    out = model(input_ids=samples["ids"], attention_mask=there.long())
    if pooling == "pooler":
        return unit(out.pooler_output)
    if pooling == "cls":
        return unit(out.last_hidden_state[:, 0])
    rows = (out.last_hidden_state * there.unsqueeze(2)).sum(1)
    return unit(rows / there.sum(1, keepdim=True))


def take_state(model, bundle, left_out):
    """All weights are taken, and none are missing but those of classifiers."""
    done = model.load_state_dict(load_file(bundle / "model.safetensors"), strict=False)
    missing = [k for k in done.missing_keys if not k.endswith("num_batches_tracked")]
    assert not done.unexpected_keys, done.unexpected_keys
    assert all(k.startswith(left_out) for k in missing), missing
    return model.eval()


def by_torchvision(bundle, samples, name, _):
    model = getattr(torchvision.models, name)(weights=None)
    if name.startswith("vgg"):
        model = take_state(model, bundle, "classifier.")
        return unit(model.features(samples["images"]).mean((2, 3))), None
    model = take_state(model, bundle, "fc.")
    model.fc = torch.nn.Identity()
    return unit(model(samples["images"])), None


def by_timm(bundle, samples, name, config):
    image = config["model"]["image"]
    if name.startswith("resnet"):
        model = timm.create_model(name, num_classes=0)
    else:
        siglip = image["tower"] == "siglip"
        model = timm.models.vision_transformer.VisionTransformer(
            img_size=config["data"]["image_size"], patch_size=16, embed_dim=64, depth=2,
            num_heads=2, num_classes=0, class_token=not siglip, pre_norm=not siglip,
            global_pool="map" if siglip else "token",
            norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6 if siglip else 1e-5))
    model = take_state(model, bundle, "-")
    return unit(model(samples["images"])), None


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


# ---- checking --------------------------------------------------------------


def run(folder, *words, code=0):
    env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run([PROGRAM, *map(str, words)], cwd=folder, env=env,
                          capture_output=True, text=True)
    if done.returncode != code:
        raise driver.Failed(f"diptych {words[0]}: {done.stderr.strip()}")
    return done.stdout


def make_bundle(folder, config, names):
    config = config | {"name": "model", "tasks": {"pairs": {"query": "title",
                                                            "product_fields": ["image"]}},
                       "train": {"batch_size": 4, "threads": 2, "feature_cache": "off"}}
    (folder / "config.yaml").write_text(json.dumps(config))
    run(folder, "train", "config.yaml", "--quiet", "--stop-at", 1, code=8)
    run(folder, "export", "runs/model", "--checkpoint", "latest", "--format", "safetensors",
        "--names", names, "--rows", 20, "--out", "bundle", "--quiet")
    return folder / "bundle"


def same_nearest(theirs, wanted):
    """Whether the ten nearest photos of each text are the same in the same
    order, but for ties: photos that rounding alone sets apart."""
    scores = wanted[1] @ wanted[0].T
    count = min(10, scores.shape[1])
    best = scores.topk(count, dim=1).values
    found = (theirs[1] @ theirs[0].T).topk(count, dim=1).indices
    return (scores.gather(1, found) - best).abs().max() <= 2e-6


def check(report, row, name, tokenizer, config, catalog):
    consumers = {"open_clip": by_open_clip, "huggingface": by_huggingface,
                 "torchvision": by_torchvision, "timm": by_timm}
    title = f"{row[0]} {row[1]} {row[2]}, {name}:"
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        try:
            config = config | {"tokenizer": tokenizer(folder)}
            config["data"] = config["data"] | {"catalog": str(catalog)}
            bundle = make_bundle(folder, config, row[0])
            samples = load_file(bundle / "samples.safetensors")
            found = consumers[row[0]](bundle, samples, name, config)
        except Exception as error:  # of any of the programs
            report.fail(title, f"{type(error).__name__}: {error}")
            return
    wanted = [samples["image_embeddings"], samples["text_embeddings"]]
    for part, ours, theirs in zip(("photos", "texts"), wanted, found):
        if theirs is not None:
            report.case(f"{title} {part}", driver.row_gap(theirs, ours), TOLERANCE)
    theirs = [w if f is None else f for f, w in zip(found, wanted)]
    if not same_nearest(theirs, wanted):
        report.fail(title, "other photos are the nearest ten")


def main():
    report = driver.Report()
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        listed = [tuple(line.split()[:3]) for line in run(folder, "export", "--list-names").splitlines()]
        catalog = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else folder / "a.h5"
        if len(sys.argv) < 2:
            run(folder, "synth", "--quiet", "--rows", 300, "--size", 48, "--out", "a.h5")
        for row in listed:
            if row not in CASES:
                report.fail(" ".join(row), "no case")
            for name, (tokenizer, config) in CASES.get(row, {}).items():
                if not os.environ.get("CASE") or os.environ["CASE"] in name:
                    check(report, row, name, tokenizer, config, catalog)
    return report.status()


if __name__ == "__main__":
    sys.exit(main())
