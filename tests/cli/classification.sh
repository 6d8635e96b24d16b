#!/bin/sh
# The tasks `image_classification` and `text_classification` from outside:
# train, resume, eval, predictions, compare, embed, export.
# usage: tests/cli/classification.sh BUILD/diptych
. "$(dirname "$0")/common"

"$program" synth --rows 1500 --size 32 --seed 3 --out a.h5 \
    --quiet >/dev/null 2>&1
cat >photos.yaml <<'END2'
name: photos
task: image_classification
data: {catalog: a.h5, image_size: 16}
augment: {random_crop: {padding: 2}, cutout: {size: 4, p: 0.5}}
classification: {mixup: 0.1, cutmix: 0.1}
model:
  image: {tower: cnn, widths: [16, 32]}
  heads: {colour: {}, type: {weight: 0.5, label_smoothing: 0.1}}
train: {epochs: 5, batch_size: 16, lr: 1e-2, threads: 1, precision: fp32, ema: {decay: 0.98}}
eval: {bootstrap: 200, k: [1, 2]}
END2
cat >texts.yaml <<'END2'
name: texts
task: text_classification
data: {catalog: a.h5}
tokenizer: {context: 12, min_count: 1}
classification: {text: title}
model:
  text: {tower: bag, width: 32, depth: 1}
  heads: {type: {class_weights: balanced}}
train: {epochs: 4, batch_size: 16, lr: 1e-2, threads: 1, precision: fp32}
eval: {bootstrap: 200, k: [1, 2], slices: [query_length]}
END2
train() {
    config=$1
    shift
    "$program" train "$config.yaml" --quiet "$@"
}

# Configs: what another task reads is an unknown key here.
check "photos" 0 "config is right: heads 2, metric colour.accuracy" \
    train photos --check
check "texts" 0 "config is right: heads 1, metric type.accuracy" \
    train texts --check
for key in loss.kind=siglip model.embed_dim=8 model.fusion.kind=maximum \
    model.text.tower=bag tokenizer.context=8 classification.text=title \
    model.heads.type.input=text train.grad_cache=4 eval.rerank=3 \
    pretraining.epochs=1; do
    expect "photos: $key" 2 train photos --check "$key"
    grep -q "unknown key '${key%%=*}'" output && ok || bad "photos: $key: $(cat output)"
done
for key in data.image_size=8 augment.cutout.size=4 model.image.tower=cnn \
    classification.mixup=1 train.channels_last=false tasks.a.query=title; do
    expect "texts: $key" 2 train texts --check "$key"
    grep -q "unknown key '${key%%=*}'" output && ok || bad "texts: $key: $(cat output)"
done
check "no text" 2 \
    "texts.yaml:5: 'classification.text' is missing: the field that is read" \
    train texts --check classification.text=null
check "a misspelt task" 2 \
    "command line: 'task' must be one of retrieval|recommendation|image_classification|text_classification, not 'text_clasification' (did you mean 'text_classification'?)" \
    train texts --check task=text_clasification
check "no weight" 2 "texts.yaml:8: no head has a weight above 0" \
    train texts --check model.heads.type.weight=0
check "a metric of rankings" 2 \
    "diptych train: command line: unknown metric 'type.mrr'; there are: LABEL.NAME with a head of type and a name of accuracy, precision_macro, recall_macro, f1_macro, precision_weighted, recall_weighted, f1_weighted, f1_micro" \
    train texts --check train.metric=type.mrr
check "a label that is not there" 4 \
    "diptych train: model.heads.maker: no label column 'maker' in 'a.h5' (it has 'type', 'colour', 'pattern', 'print', 'gender', 'season', 'brand')" \
    train texts model.heads.maker.weight=1 --run runs/none
absent runs/none

# Pairs of words: (start, a) (a, b) (b, end), twice, and (start, c) (c, end).
cat >pairs.csv <<'END2'
split,kind,text
train,x,a b
train,y,a b
train,x,c
val,x,a b
END2
expect "import pairs" 0 "$program" import pairs.csv --text text --label kind \
    --split split --out pairs.h5 --quiet
expect "known pairs" 0 "$program" train texts.yaml --data pairs.h5 \
    --run runs/pairs classification.text=text model.heads=null \
    model.heads.kind.weight=1 train.batch_size=2 train.epochs=1 \
    train.warmup_steps=0 model.text.ngrams=2 model.text.ngram_vocabulary=3
if grep -qx 'n-grams: 3 of 5 buckets in use have vectors, those that texts hit at least 2 times' \
    output && grep -q '"least_count": 2' runs/pairs/run.json; then
    ok
else
    bad "known pairs: $(cat output)"
fi

# Labels that cannot be learnt, or hardly.
cat >labels.csv <<'END2'
split,none,one,two,text
train,,a,x,red
train,,a,y,blue
val,u,b,x,red
test,v,a,z,blue
END2
expect "import labels" 0 "$program" import labels.csv --text text --label none \
    --label one --label two --split split --out labels.h5 --quiet
few() {
    train texts --data labels.h5 --run "runs/$1" classification.text=text \
        train.batch_size=2 train.epochs=1 train.warmup_steps=0 model.heads=null \
        "model.heads.$1.weight=1"
}
check "no label" 4 \
    "diptych train: model.heads.none: no row of the split 'train' has the label 'none' in 'labels.h5'" \
    few none
absent runs/none
check "one class" 0 \
    "diptych: warning: all training rows with the label 'one' have the class 'a': there is nothing to tell apart" \
    few one
check "a class of the test split" 0 \
    "diptych: warning: no training row has 'z' of the label 'two', which other splits have" \
    few two
check "the answer in the text" 2 \
    "command line: 'classification.text' holds 'type', the label that is to be told" \
    train texts --check "classification.text={title} {type}"

# Training: a run that was stopped goes on as if it had not been.
expect "photos" 0 train photos
expect "stopped" 8 train photos --run runs/again --stop-at 23
expect "resumed" 0 train photos --run runs/again --resume
losses photos >whole
losses again >parts
expect "the same losses" 0 cmp whole parts
expect "the same weights" 0 cmp runs/photos/checkpoints/latest/model.safetensors \
    runs/again/checkpoints/latest/model.safetensors
expect "texts" 0 train texts
present runs/texts/tokenizer.json
absent runs/photos/tokenizer.json runs/again/tokenizer.json
expect "no digest of words" 1 grep -q tokenizer runs/photos/run.json

# Pretraining: masked tokens first, labels after; a stop in either part changes
# nothing, and exports know nothing of it.
pretrain() {
    train texts model.text.tower=lstm model.text.depth=1 pretraining.epochs=2 \
        pretraining.mlm_probability=0.3 train.warmup_steps=10 train.patience=1 \
        train.log_every=1 "$@"
}
check "no labels left" 2 \
    "command line: 'pretraining.epochs' is 4, but train.epochs 4 leaves none for the labels" \
    pretrain --check pretraining.epochs=4
check "a long warm-up" 2 \
    "diptych train: command line: train.warmup_steps 150 is not below the 150 updates of pretraining" \
    pretrain name=none train.warmup_steps=150
check "nothing to pretrain" 2 \
    "diptych train: pretraining.epochs: the text tower is frozen, and there is nothing to pretrain" \
    pretrain name=none "freeze=[text.*]"
check "no update of labels" 2 \
    "diptych train: no whole update of labels: 75 batches for train.accumulate 110" \
    pretrain name=none pretraining.epochs=3 train.accumulate=110 train.warmup_steps=0
check "no update of pretraining" 2 \
    "diptych train: no whole update of pretraining: 150 batches for train.accumulate 200" \
    pretrain name=none train.accumulate=200 train.warmup_steps=0
absent runs/none
expect "pretrained" 0 pretrain name=pretrained
expect "stopped in pretraining" 8 pretrain name=pieces --stop-at 40
for command in "eval runs/pieces" \
    "export runs/pieces --format safetensors --out pieces-export"; do
    check "$command" 4 \
        "diptych ${command%% *}: checkpoint 'runs/pieces/checkpoints/latest' is one of the run's pretraining (pretraining.epochs 2), which has learnt no label yet: \`diptych train --resume\` goes on, or name a later one" \
        "$program" $command --quiet
done
absent runs/pieces/report.json pieces-export
expect "its tower in another run" 0 train texts name=started \
    model.text.tower=lstm model.text.depth=1 init.text=runs/pieces
expect "stopped behind it" 8 pretrain name=pieces --resume --stop-at 190
expect "resumed" 0 pretrain name=pieces --resume
losses pretrained >whole
losses pieces >parts
expect "the same losses with pretraining" 0 cmp whole parts
check "what is learnt when" 0 "equal" python3 -c '
import json
lines = [json.loads(line) for line in open("runs/pretrained/log.jsonl")]
steps = [line for line in lines if line["event"] == "step"]
masked = [line["terms"]["masked"] for line in steps if "masked" in line["terms"]]
heads = [line for line in steps if "heads" in line["terms"]]
half = len(steps) // 2
assert len(masked) == half and steps[half - 1]["epoch"] == 1, (len(masked), half)
assert len(heads) == len(steps) - half
assert sum(masked[-9:]) < .8 * sum(masked[:9]), (masked[:9], masked[-9:])
assert steps[half]["lr"] == steps[0]["lr"] < steps[9]["lr"] == steps[half + 9]["lr"]
assert all(line.get("step", half + 1) > half for line in lines if line["event"] == "validation")
print("equal")'
cat >halving.yaml <<'END2'
name: halving
config: texts.yaml
overrides: [model.text.tower=lstm, pretraining.epochs=1, train.warmup_steps=0]
search: asha
trials: 2
eta: 2
max_epochs: 4
metric: type.accuracy
parameters: {lr: {key: train.lr, choices: [1e-2, 1e-3]}}
END2
check "halving within pretraining" 2 \
    "halving.yaml: 'min_epochs' is 1, within a run's pretraining.epochs 1, behind which there is the first figure" \
    "$program" sweep halving.yaml
check "halving within a value of it" 2 \
    "command line: 'min_epochs' is 2, within a run's pretraining.epochs 2, behind which there is the first figure" \
    "$program" sweep halving.yaml min_epochs=2 parameters.pre.key=pretraining.epochs \
    "parameters.pre.choices=[1, 2]"
expect "halving behind it" 0 "$program" sweep halving.yaml min_epochs=2 --quiet

# An update is of one part, and so are the means of a line of the log.
expect "updates over epochs' ends" 0 pretrain name=over train.accumulate=4 \
    train.log_every=5 train.warmup_steps=0
check "and its log" 0 "equal" python3 -c '
import json
def steps(run):
    lines = [json.loads(line) for line in open(f"runs/{run}/log.jsonl")]
    return {line["step"]: line["terms"] for line in lines if line["event"] == "step"}
over, whole = steps("over"), steps("pretrained")
assert sorted(over) == list(range(5, 76, 5)), sorted(over)
assert [s for s in over if "masked" in over[s]] == list(range(5, 36, 5)), over
assert 2.5 < over[40]["heads"]["type"] < 5, over[40]
assert abs(over[40]["heads"]["type"] - whole[151]["heads"]["type"]) < .7, (over[40], whole[151])
print("equal")'
expect "export" 0 "$program" export runs/pretrained --format safetensors \
    --out pretrained-export --quiet
expect "weights of the tower" 0 grep -rlE "text.(token_embedding|weight_ih_l0)" pretrained-export
expect "and none of masked tokens" 1 grep -rl "masked[.]" pretrained-export

# Evaluation: the report agrees with the predictions, and these with
# themselves.
for run in photos texts; do
    expect "eval of $run" 0 "$program" eval "runs/$run" --quiet --predictions "$run"
done
check "figures of the predictions" 0 "equal" python3 -c '
import csv, json
for run, label, floor in (("photos", "colour", .6), ("photos", "type", .1), ("texts", "type", .9)):
    rows = list(csv.DictReader(open(f"{run}/{label}.csv")))
    report = json.load(open(f"runs/{run}/report.json"))
    assert "retrieval" not in report and "similarity" not in report["run"]
    found = report["classification"][label]
    classes = [name[2:-1] for name in rows[0] if name.startswith("p(")]
    right = best2 = 0
    for row in rows:
        p = sorted(((float(row[f"p({c})"]), c) for c in classes), reverse=True)
        assert abs(sum(x for x, _ in p) - 1) < 1e-5
        assert row["predicted"] == p[0][1] or p[0][0] == p[1][0]
        assert abs(float(row["confidence"]) - p[0][0]) < 1e-6
        right += row["label"] == row["predicted"]
        best2 += row["label"] in (p[0][1], p[1][1])
        assert int(row["correct"]) == (row["label"] == row["predicted"])
    assert abs(found["accuracy"] - right / len(rows)) < 1e-9, (found["accuracy"], right)
    assert abs(found["accuracy@2"] - best2 / len(rows)) < 1e-9
    assert found["accuracy"] > floor, (run, label, found["accuracy"])
print("equal")'

# Two classes: the threshold is the best one of val, and is measured on test.
python3 - <<'END2'
import csv, random
random.seed(2)
words = {"no": "poor thin broken late dull".split(),
         "yes": "fine warm sturdy quick bright".split()}
with open("reviews.csv", "w", newline="") as file:
    out = csv.writer(file)
    out.writerow(["split", "good", "review"])
    for i in range(600):
        good = "yes" if random.random() < .3 else "no"
        pick = [random.choice(words[good if random.random() < .65 else
                                    ("no" if good == "yes" else "yes")])
                for _ in range(4)]
        out.writerow([("train", "train", "val", "test")[i % 4], good, " ".join(pick)])
END2
expect "import reviews" 0 "$program" import reviews.csv --text review \
    --label good --split split --out reviews.h5 --quiet
expect "reviews" 0 train texts --data reviews.h5 --run runs/reviews \
    classification.text=review model.heads=null \
    model.heads.good.label_smoothing=0.05
for split in val test; do
    expect "eval on $split" 0 "$program" eval runs/reviews --quiet \
        --split $split --predictions "reviews-$split" --out "reviews-$split.json"
done
check "threshold" 0 "equal" python3 -c '
import csv, json
def rows(split):
    return [(float(r["p(yes)"]), r["label"] == "yes")
            for r in csv.DictReader(open(f"reviews-{split}/good.csv"))]
def measure(rows, t):
    told, good = sum(p >= t for p, _ in rows), sum(y for _, y in rows)
    hits = sum(p >= t and y for p, y in rows)
    return {"f1": 2 * hits / (told + good), "precision": hits / told,
            "recall": hits / good,
            "accuracy": sum((p >= t) == y for p, y in rows) / len(rows)}
val, test = rows("val"), rows("test")
best = max(sorted({p for p, _ in val}), key=lambda t: (measure(val, t)["f1"], t))
found = json.load(open("reviews-test.json"))["classification"]["good"]["threshold"]
assert found["class"] == "yes" and abs(found["value"] - best) < 1e-7, (found, best)
assert abs(found["validation_f1"] - measure(val, best)["f1"]) < 1e-8
for name, value in measure(test, best).items():
    assert abs(found[name] - value) < 1e-8, (name, found, value)
report = json.load(open("reviews-val.json"))["classification"]["good"]
assert "threshold" not in report
print("equal")'

# What else reads a run.
check "search" 4 "diptych search: 'runs/photos' classifies, it finds nothing" \
    "$program" search runs/photos --text shirt
expect "embeddings of photos" 0 "$program" embed runs/photos --out photos.h5 --quiet
expect "embeddings of texts" 0 "$program" embed runs/texts --out texts.h5 --quiet
expect "another seed" 0 train photos --run runs/other seed=5
expect "its report" 0 "$program" eval runs/other --quiet
echo "a red shirt" >lines.txt
expect "compare" 0 "$program" compare runs/photos runs/other --each
for format in safetensors torchscript; do
    for run in photos texts; do
        expect "$format of $run" 0 "$program" export "runs/$run" \
            --format $format --out "$format-$run"
    done
done
present torchscript-texts/tokenizer.json
absent torchscript-photos/tokenizer.json safetensors-photos/tokenizer.json
check "what is prepared" 0 "False True" python3 -c '
import json
print(*("text" in json.load(open(f"torchscript-{run}/preprocessing.json"))
        for run in ("photos", "texts")))'
check "queries of photos" 4 "diptych embed: 'photos' reads no texts" \
    "$program" embed runs/photos --queries=lines.txt --out no.npy
expect "soup of photos" 0 "$program" soup runs/photos runs/other --out runs/soup
expect "eval of the soup" 0 "$program" eval runs/soup --quiet
absent runs/soup/tokenizer.json no.npy
expect "ensemble of photos" 0 "$program" ensemble runs/photos runs/other \
    --vote soft --out both --quiet
present torchscript-photos/head_0_colour.pt torchscript-photos/head_1_type.pt \
    torchscript-texts/head_0_type.pt torchscript-texts/text_encoder.pt
absent torchscript-texts/image_encoder.pt torchscript-photos/text_encoder.pt

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
