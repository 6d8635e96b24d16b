#!/usr/bin/env python3
"""Trains each image tower, text tower, fusion and loss on one catalog with one
budget, and writes the tables of docs/choices.md.

    tools/choices.py --catalog myntra.h5 --image lite0.safetensors --text minilm \
        --out DIR [--build build] [--threads 1] [GROUP...]

The catalog is the one that the head of configs/myntra.yaml imports; image and
text are the pretrained weights of configs/myntra-pretrained.yaml. Within a
group the config, the seed and the budget are the same: so many epochs, or, where a row can
cost ten times another's, as many as fit into so many CPU-seconds (one epoch is
timed first). Rows whose figures stand in DIR are not trained again.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRATCH = "configs/myntra.yaml"
FROZEN = "configs/myntra-pretrained.yaml"
IMAGE = "model.image=null model.image.tower="
TEXT = "model.text=null model.text.tower="
FUSION = "model.fusion=null model.fusion.kind="
LOSS = "loss=null loss.kind="
WORDS = "init.text=null freeze=[image] tokenizer=null tokenizer.kind="

# group: config, keys for all, budget, {row: keys}
GROUPS = {
    "image": (SCRATCH, "data.image_size=64", {"cpu_seconds": 60}, {
        "cnn": IMAGE + "cnn model.image.widths=[32,64,128,256]",
        "resnet, 18 layers of width 32": "",
        "resnet, depth 50": IMAGE + "resnet model.image.depth=50",
        "clip_resnet": IMAGE + "clip_resnet model.image.layers=[1,1,1,1] "
                       "model.image.width=32 model.image.heads=16 "
                       "model.image.features=256",
        "vgg, depth 11, batch norm": IMAGE + "vgg model.image.depth=11 "
                                     "model.image.batch_norm=true "
                                     "model.image.pooling=mean",
        "vit, 8-pixel patches": IMAGE + "vit model.image.patch=8 "
                                "model.image.width=192 model.image.depth=6 "
                                "model.image.heads=3",
        "siglip, 8-pixel patches": IMAGE + "siglip model.image.patch=8 "
                                   "model.image.width=192 model.image.depth=6 "
                                   "model.image.heads=3",
        "efficientnet_lite0": IMAGE + "efficientnet_lite0",
    }),
    "text": (FROZEN, "", {"epochs": 12}, {
        "bag, words": TEXT + "bag model.text.width=256 " + WORDS + "word",
        "bag, WordPiece": TEXT + "bag model.text.width=256 init.text=null "
                          "freeze=[image]",
        "cnn, words": TEXT + "cnn model.text.width=256 " + WORDS + "word",
        "cnn, characters": TEXT + "cnn model.text.width=128 " + WORDS +
                           "character tokenizer.context=80",
        "lstm, words": TEXT + "lstm model.text.width=256 " + WORDS + "word",
        "gru, words": TEXT + "gru model.text.width=256 " + WORDS + "word",
        "transformer, words": TEXT + "transformer model.text.width=256 "
                              "model.text.depth=2 model.text.heads=4 " +
                              WORDS + "word",
        "bert of 2 layers, WordPiece": TEXT + "bert model.text.width=256 "
                                       "model.text.depth=2 "
                                       "model.text.heads=4 "
                                       "model.text.pooling=mean "
                                       "init.text=null freeze=[image]",
        "bert, MiniLM's weights, frozen": "",
    }),
    "fusion": (SCRATCH, "data.image_size=64", {"epochs": 6}, {
        "weighted_average": "",
        "maximum": FUSION + "maximum",
        "concat_mlp": FUSION + "concat_mlp",
        "gated": FUSION + "gated",
        "bilinear": FUSION + "bilinear",
        "lstm": FUSION + "lstm",
        "gru": FUSION + "gru",
        "self_attention": FUSION + "self_attention",
        "cross_attention": FUSION + "cross_attention",
    }),
    "loss": (FROZEN, "", {"epochs": 12}, {
        "infonce, label_smoothing 0.1": "",
        "infonce": LOSS + "infonce",
        "infonce, positives: sum": LOSS + "infonce loss.positives=sum",
        "infonce, positives: exclude": LOSS + "infonce loss.positives=exclude",
        "supcon": LOSS + "supcon",
        "siglip": LOSS + "siglip",
        "triplet, all": LOSS + "triplet",
        "triplet, semi_hard": LOSS + "triplet loss.mining=semi_hard",
        "triplet, hardest": LOSS + "triplet loss.mining=hardest",
        "gcl": LOSS + "gcl",
        "infonce, matryoshka 256, 128, 64": "loss.matryoshka=[256,128,64]",
        "infonce, queue of 2,048": "loss.queue=2048",
    }),
}
FIGURES = (
    ("val", {"text_to_image": ["mrr"], "query_to_product": ["ndcg@10"]}),
    ("test", {"text_to_image": ["hit@1", "hit@10", "mrr"],
              "query_to_product": ["hit@1", "ndcg@10"]}),
)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    def __init__(self, options):
        self.options = options

    def train(self, name, config, keys, epochs):
        """Trains runs/<name>; the CPU-seconds that it took."""
        o = self.options
        command = [os.path.join(o.build, "diptych"), "train",
                   os.path.join(ROOT, config), f"data.catalog={o.catalog}",
                   f"train.threads={o.threads}", "train.loader_threads=1",
                   f"train.epochs={epochs}", f"name={name}",
                   f"train.feature_cache={os.path.join(o.out, 'features')}"]
        if config == FROZEN:
            command += [f"init.image={o.image}", f"init.text={o.text}",
                        f"tokenizer.vocab={os.path.join(o.text, 'vocab.txt')}"]
        shutil.rmtree(os.path.join(o.out, "runs", name), ignore_errors=True)
        before = cpu_seconds()
        with open(os.path.join(o.out, f"{name}.log"), "w") as log:
            subprocess.run(command + keys.split(), cwd=o.out, stdout=log,
                           stderr=log, check=True)
        return cpu_seconds() - before

    def epochs(self, name, config, keys, budget):
        if "epochs" in budget:
            return budget["epochs"]
        short = keys + " train.warmup_steps=1"
        epoch = self.train(f"{name}-epoch", config, short, 1)
        return max(2, round(budget["cpu_seconds"] / epoch))

    def measure(self, name, config, keys, budget):
        """The row's figures, from DIR/<name>.json if they are there."""
        path = os.path.join(self.options.out, f"{name}.json")
        if not os.path.exists(path):
            epochs = self.epochs(name, config, keys, budget)
            if epochs < 7:
                keys += " train.warmup_steps=14"
            seconds = self.train(name, config, keys, epochs)
            run = os.path.join(self.options.out, "runs", name)
            report = os.path.join(self.options.out, f"{name}-test.json")
            subprocess.run([os.path.join(self.options.build, "diptych"),
                            "eval", run, "--out", report, "--quiet"],
                           cwd=self.options.out, check=True,
                           stdout=subprocess.DEVNULL)
            with open(report) as file:
                test = json.load(file)
            figures = {"epochs": epochs, "seconds": seconds,
                       "parameters": test["run"]["parameters"],
                       "val": best_validation(run), "test": test["retrieval"]}
            with open(path, "w") as file:
                json.dump(figures, file)
        with open(path) as file:
            return json.load(file)


def best_validation(run):
    with open(os.path.join(run, "log.jsonl")) as log:
        events = [json.loads(line) for line in log]
    validations = [e for e in events if e["event"] == "validation"]
    return max(validations, key=lambda e: e["value"])["report"]["retrieval"]


def row_of(name, f):
    cells = [name, str(f["epochs"]), f"{f['seconds']:.0f} s",
             f"{f['parameters'] / 1e6:.2f} M"]
    for part, wanted in FIGURES:
        for task, metrics in wanted.items():
            cells += [f"{f[part][task][m]:.3f}" for m in metrics]
    return "| " + " | ".join(cells) + " |"


def table(group, rows):
    names = [f"{part} {task} {m}" for part, wanted in FIGURES
             for task, metrics in wanted.items() for m in metrics]
    lines = [f"| {group} | epochs | CPU | parameters | " + " | ".join(names) +
             " |", "|---|" + "---:|" * (3 + len(names))]
    return "\n".join(lines + rows) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    for name in ("catalog", "image", "text", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("groups", nargs="*", metavar="GROUP",
                        help=", ".join(GROUPS))
    options = parser.parse_args()
    for name in ("build", "catalog", "image", "text", "out"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    os.makedirs(options.out, exist_ok=True)
    bench = Bench(options)
    failed = 0
    for group in options.groups or GROUPS:
        config, common, budget, choices = GROUPS[group]
        rows = []
        for i, (name, keys) in enumerate(choices.items()):
            try:
                figures = bench.measure(f"{group}-{i}", config,
                                        f"{common} {keys}", budget)
            except subprocess.CalledProcessError as error:
                print(f"{group}: {name}: {error}", file=sys.stderr)
                failed += 1
                continue
            rows.append(row_of(name, figures))
            print(rows[-1], flush=True)
        with open(os.path.join(options.out, f"{group}.md"), "w") as file:
            file.write(table(group, rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
