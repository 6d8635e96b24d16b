#!/bin/sh
# New items: nobody has had them in the training, and they are recommended by the
# embeddings that a model of products has made of them.
# usage: tests/cli/cold.sh BUILD/diptych
. "$(dirname "$0")/common"

# 120 users who like one kind of eight each; every third item is new.
python3 - <<'END'
import random
random.seed(3)
kinds = "shirt dress bag cap boot mug lamp chair".split()
items = [(f"{k}-{c}-{n}", f"a {c} {k}", k) for k in kinds
         for c in "red green blue black white".split() for n in range(6)]
with open("shop.csv", "w") as f:
    print("id,title,kind", file=f)
    for row in items:
        print(*row, sep=",", file=f)
with open("log.csv", "w") as f:
    print("user,sku,split", file=f)
    for u in range(120):
        liked = [i for i in range(len(items)) if items[i][2] == kinds[u % 8]]
        for split, some, n in (("train", [i for i in liked if i % 3], 6),
                               ("test", [i for i in liked if i % 3 == 0], 3)):
            for i in random.sample(some, n):
                print(f"user {u}", items[i][0], split, sep=",", file=f)
END
cat >words.yaml <<'END'
name: words
data: {catalog: shop.h5, image_size: 16}
tokenizer: {context: 8, min_count: 1}
model:
  embed_dim: 16
  image: {tower: cnn, widths: [8]}
  text: {tower: bag, width: 16}
tasks:
  find:
    query: "{kind}"
    product_fields: [title]
    relevant_by: [kind]
    allow_leak: true
train: {epochs: 10, batch_size: 32, lr: 1e-2, threads: 1, loader_threads: 1}
END
cat >likes.yaml <<'END'
task: recommendation
data: {catalog: shop.h5}
graph: {dim: 16}
recommendation: {l2: 1e-3}
train: {epochs: 60, batch_size: 128, lr: 1e-2, threads: 1}
eval: {k: [20], bootstrap: 100}
END
expect "products" 0 "$program" import shop.csv --id id --text title \
    --label kind --out shop.h5 --quiet
expect "behaviour" 0 "$program" import interactions log.csv --into shop.h5 \
    --user user --id sku --split split --quiet
expect "a model of products" 0 "$program" train words.yaml --quiet
expect "its embeddings" 0 "$program" embed runs/words --out e.h5 --quiet \
    train.precision=fp32

# likes NAME KEY=VALUE...: trains, evaluates, and gives recall@20 in percent.
likes() {
    run=$1
    shift
    "$program" train likes.yaml --quiet name="$run" "$@" >/dev/null &&
        "$program" eval "runs/$run" --quiet --json >"$run.json" &&
        python3 -c "
import json
found = json.load(open('$run.json'))['retrieval']['recommendation']
print('found' if found['recall@20'] > .3 else
      'lost' if found['recall@20'] < .05 else found['recall@20'])"
}
sage="graph.kind=sage recommendation.loss=softmax recommendation.negatives=8
    recommendation.similarity=cosine recommendation.temperature=0.2
    train.epochs=30"
check "lightgcn without features" 0 lost likes plain
check "lightgcn with features" 0 found likes featured graph.features=e.h5
check "sage without features" 0 lost likes sage-plain $sage
check "sage with features" 0 found likes sage $sage graph.features=e.h5

# The run holds the features: it needs the file no more.
mv e.h5 gone.h5
expect "lists without the file" 0 "$program" recommend runs/sage --all --top 20 \
    --out all.csv
cat >new.py <<'END'
import csv
row = {one["id"]: i for i, one in enumerate(csv.DictReader(open("shop.csv")))}
shown = {one["item"] for one in csv.DictReader(open("all.csv"))}
print(sum(row[item] % 3 == 0 for item in shown) > 60)
END
check "new items are shown" 0 True python3 new.py
expect "exported without it" 0 "$program" export runs/sage \
    --format safetensors --out bundle --quiet
check "training needs it" 3 "diptych train: cannot open 'e.h5': No such file or directory" \
    "$program" train likes.yaml --quiet graph.features=e.h5
check "no such features" 4 \
    "diptych train: no 'embedding/photo' in 'gone.h5'; there are: product" \
    "$program" train likes.yaml --quiet graph.features=gone.h5 graph.features_name=photo

summary
