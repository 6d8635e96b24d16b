#!/bin/sh
# The task `recommendation` from outside: import of graphs, train, resume, eval,
# compare, recommend.
# usage: tests/cli/recommend.sh BUILD/diptych
. "$(dirname "$0")/common"

# 40 users of two tastes: items below 30, and items from 30 on.
python3 - <<'END'
import random
random.seed(1)
train, test = open("train.txt", "w"), open("test.txt", "w")
for user in range(40):
    taste = user % 2 * 30
    had = random.sample(range(taste, taste + 30), 14)
    print(user, *had[:9], file=train)
    print(user, *had[9:], file=test)
print(99, file=train)          # an empty user
print(0, 4294967299, file=test)  # an item of the test alone
END
cat >lists.yaml <<'END'
task: recommendation
data: {catalog: graph.h5}
graph: {dim: 8}
train: {epochs: 30, batch_size: 64, lr: 2e-2, clip_grad_norm: 0, metric: recommendation.recall@5}
eval: {k: [5], bootstrap: 100}
END
train() {
    "$program" train lists.yaml --quiet "$@"
}
# report RUN EXPRESSION: of its report, `task`.
report() {
    python3 -c "
import json
task = json.load(open('runs/$1/report.json'))['retrieval']['recommendation']
print($2)"
}

check "no file" 2 "diptych import graph: no file is named" \
    "$program" import graph --out graph.h5
check "both" 2 "diptych import graph: --val and --hold-out exclude each other" \
    "$program" import graph train.txt --out graph.h5 --val test.txt --hold-out 5
printf '1 2\n3 four\n' >bad.txt
check "a word" 4 "diptych import graph: bad.txt:2: not a whole number from 0 on: 'four'" \
    "$program" import graph bad.txt --out bad.h5
absent bad.h5
expect "import" 0 "$program" import graph train.txt --test test.txt \
    --hold-out 10 --out graph.h5 --quiet

# Configs.
check "check" 0 "config is right: tasks 1, texts 0, metric recommendation.recall@5" \
    train --check
check "an aggregator of lightgcn" 2 \
    "command line: graph.aggregator: not an option of 'lightgcn'" \
    train --check graph.aggregator=mean
check "fan-outs of lightgcn" 2 \
    "command line: 'graph.fanouts' is not for the kind 'lightgcn'" \
    train --check 'graph.fanouts=[3]'
check "fan-outs of other layers" 2 \
    "command line: 'graph.fanouts' has 3 numbers for 2 layers" \
    train --check graph.kind=sage 'graph.fanouts=[3,2,1]'
expect "a key of retrieval" 2 train --check model.embed_dim=8
expect "an unknown loss" 2 train --check recommendation.loss=hinge

# Training, both kinds, and a resume that changes nothing.
expect "lightgcn" 0 train name=a
expect "stopped" 8 train name=b --stop-at 40
expect "resumed" 0 train name=b --resume
if [ -n "$(losses a)" ] && [ "$(losses a)" = "$(losses b)" ]; then
    ok
else
    bad "a resumed run has other losses"
fi
expect "sage" 0 train name=sage graph.kind=sage 'graph.fanouts=[4,3]' \
    recommendation.loss=softmax recommendation.negatives=4
for run in a b sage; do
    expect "eval of $run" 0 "$program" eval "runs/$run" --quiet
done
check "tastes are found" 0 "True" report a "task['recall@5'] > .2"
check "by sage, too" 0 "True" report sage "task['recall@5'] > .15"
check "everybody but the empty user" 0 "(40, 1)" report a \
    "(task['evaluated'], task['skipped'])"
expect "compare" 0 "$program" compare runs/a runs/sage --metric recall@5

# Lists.
expect "one user" 0 "$program" recommend runs/a --user 3 --top 5
check "an unknown user" 4 "diptych recommend: no user 'x' in 'graph.h5'" \
    "$program" recommend runs/a --user x
check "a user without training" 0 "diptych recommend: warning: user '99' has no interactions in the training: this is for the mean of all users" \
    "$program" recommend runs/a --user 99 --top 3
check "all" 0 "recommended: all.csv, 41 users" \
    "$program" recommend runs/a --all --top 5 --out all.csv
if [ "$(wc -l <all.csv)" -eq 206 ]; then ok; else bad "all.csv has $(wc -l <all.csv) lines"; fi
expect "TREC" 0 "$program" recommend runs/a --all --top 5 --out all.run
check "all without a file" 2 "diptych recommend: --all and --out go together" \
    "$program" recommend runs/a --all
# Exports: what the tables say is what `recommend` says.
for format in safetensors torchscript; do
    expect "export as $format" 0 "$program" export runs/sage --format "$format" \
        --out "as-$format" --quiet
done
present as-safetensors/embeddings.safetensors as-torchscript/scorer.pt
check "gate" 0 "as-table: verified on 41 rows" \
    "$program" export runs/a --format safetensors --out as-table
check "photos of a recommender" 2 \
    "diptych export: 'runs/a' is a run of recommendation: --raw-images is not for it" \
    "$program" export runs/a --format onnx --raw-images --out b
check "onnx that nothing can run" 4 \
    "diptych export: onnx files cannot be verified (--unverified writes them all the same): cannot load ONNX Runtime from ONNXRUNTIME='none': none: cannot open shared object file: No such file or directory" \
    env ONNXRUNTIME=none "$program" export runs/a --format onnx --out b
absent b
check "unverified onnx" 0 "as-onnx: not verified" env ONNXRUNTIME=none \
    "$program" export runs/a --format onnx --unverified --out as-onnx
present as-onnx/scorer.onnx
check "an export that is there" 3 \
    "diptych export: 'as-onnx' exists already" \
    "$program" export runs/a --format safetensors --out as-onnx
cat >scores.py <<'END'
import array, csv, json, struct
with open("as-table/embeddings.safetensors", "rb") as file:
    head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    data = file.read()
def rows(name):
    of = head[name]
    values = array.array("f", data[slice(*of["data_offsets"])])
    dim = of["shape"][1]
    return [values[i * dim:(i + 1) * dim] for i in range(of["shape"][0])]
def table(name, side):
    return dict(zip(json.load(open("as-table/%s.json" % side)), rows(name)))
users, items = table("user_embeddings", "users"), table("item_embeddings", "items")
gap = max(abs(float(one["score"]) - sum(a * b for a, b in zip(
    users[one["user"]], items[one["item"]]))) for one in csv.DictReader(open("all.csv")))
print(len(users), len(items), gap < 1e-5)
END
check "scores of the export" 0 "41 61 True" python3 scores.py

# Ensembles: what fused lists and sums of scores find, computed again from the
# tables of both runs.
ensemble() {
    "$program" ensemble "$@" --quiet
}
expect "soft" 0 ensemble runs/a runs/sage --vote soft --weights 2,1 --out soft
expect "ranges" 0 ensemble runs/a runs/sage --vote soft --normalise minmax --out minmax
expect "ranks" 0 ensemble runs/a runs/sage --vote rank --weights 2,1 --out rank
expect "short lists" 0 ensemble runs/a runs/sage --vote rank --depth 3 \
    --weights 3,1 --out short
expect "alone" 0 ensemble runs/sage runs/a --vote soft --weights 0,.5 --out alone
expect "tuned" 0 ensemble runs/a runs/sage --vote rank --weights tuned --out tuned
cat >fused.py <<'END'
import array, csv, json, struct
def tables(folder):
    with open(folder + "/embeddings.safetensors", "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    out = []
    for side in ("user", "item"):
        of = head[side + "_embeddings"]
        values, dim = array.array("f", data[slice(*of["data_offsets"])]), of["shape"][1]
        names = json.load(open(f"{folder}/{side}s.json"))
        out.append({n: values[i * dim:(i + 1) * dim] for i, n in enumerate(names)})
    return out
def lines(path):
    out = {}
    for user, *items in (l.split() for l in open(path)):
        out.setdefault(user, set()).update(items)
    return out
members = [tables("as-table"), tables("as-safetensors")]
right = lines("test.txt")
unseen = {}
for row in csv.DictReader(open("every.csv")):
    unseen.setdefault(row["user"], set()).add(row["item"])
def scores(m, user):
    users, items = members[m]
    return {i: sum(a * b for a, b in zip(users[user], e)) for i, e in items.items()}
def zscore(values):
    mean = sum(values) / len(values)
    return (sum((v - mean) ** 2 for v in values) / len(values)) ** .5
def minmax(values):
    return max(values) - min(values)
def soft(spread, weights):
    def fuse(user):
        total = {}
        for m, w in enumerate(weights):
            of = scores(m, user)
            for i, s in of.items():
                total[i] = total.get(i, 0) + w * s / spread(list(of.values()))
        return {i: s for i, s in total.items() if i in unseen[user]}
    return fuse
def rank(weights, depth):
    def fuse(user):
        total = {}
        for m, w in enumerate(weights):
            of = scores(m, user)
            order = sorted((i for i in of if i in unseen[user]), key=lambda i: -of[i])
            for r, i in enumerate(order[:depth]):
                total[i] = total.get(i, 0) + w / (61 + r)
        return total
    return fuse
def recall(fuse):
    found = [len(set(sorted(of, key=lambda i: -of[i])[:5]) & right[u]) / len(right[u])
             for u, of in ((u, fuse(u)) for u in right)]
    return sum(found) / len(found)
for name, fuse in (("soft", soft(zscore, (2, 1))), ("minmax", soft(minmax, (1, 1))),
                   ("rank", rank((2, 1), 1000)), ("short", rank((3, 1), 3))):
    report = json.load(open(name + "/report.json"))
    got = report["retrieval"]["recommendation"]["recall@5"]
    # A near tie in float may fall either way.
    assert abs(got - recall(fuse)) < .004, (name, got, recall(fuse))
alone, a = (json.load(open(f + "/report.json")) for f in ("alone", "runs/a"))
assert alone["retrieval"]["recommendation"]["map"] == a["retrieval"]["recommendation"]["map"]
of = json.load(open("tuned/report.json"))["run"]["ensemble"]
assert abs(sum(of["weights"]["recommendation"]) - 1) < 1e-6, of
assert [m["name"] for m in of["runs"]] == ["a", "sage"]
print("equal")
END
expect "every item" 0 "$program" recommend runs/a --all --top 61 --out every.csv
check "fused again" 0 "equal" python3 fused.py
expect "compare an ensemble" 0 "$program" compare runs/a soft --metric recall@5
check "hard votes" 4 \
    "diptych ensemble: recommenders have no label that is classified: vote soft or rank" \
    ensemble runs/a runs/sage --vote hard --out hard
expect "another catalog" 0 "$program" import graph train.txt --test test.txt \
    --out plain.h5 --quiet
expect "a run of it" 0 train name=plain data.catalog=plain.h5 train.epochs=1 \
    train.metric=null
check "another catalog" 4 \
    "diptych ensemble: 'runs/plain' recommends from another catalog than 'runs/a': 'plain.h5', not 'graph.h5'" \
    ensemble runs/a runs/plain --vote soft --out other
check "nothing to tune on" 4 \
    "diptych ensemble: weights of 'recommendation': 'plain.h5' has no interactions of the split 'val'" \
    ensemble runs/plain runs/plain --vote soft --weights tuned --out other

expect "retrieval's commands refuse it" 4 "$program" search runs/a --text x

summary
