#!/bin/sh
# Protocols, slices and interchange of `diptych eval`: what their options refuse,
# and that our own TREC files give the figures of the report again.
# usage: tests/cli/evaluation.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"

config() { # config KEY=VALUE...: only checks
    "$program" train tiny.yaml --check "$@"
}
evaluate() { # evaluate WORD...: quietly, without a page
    "$program" eval runs/tiny --no-html --quiet eval.bootstrap=50 "$@"
}
lists() { # lists RUN QRELS WORD...
    run=$1 qrels=$2
    shift 2
    "$program" eval --run="$run" --qrels="$qrels" eval.bootstrap=50 "$@"
}

check "slices by no metric" 2 \
    "command line: no metric 'mrrr' to sort slices by: there are mrr, map, ndcg, r_precision and, for each k of eval.k, hit@k, recall@k, precision@k, map@k, ndcg@k" \
    config eval.slice_metric=mrrr
check "a sample of no task" 2 \
    "command line: 'eval.sampled' names no task 'other'" \
    config eval.sampled.other.draws=2
check "a persistence of 1" 2 \
    "command line: 'eval.rbp_persistence' is 1, outside 1e-06 to 0.999999" \
    config eval.rbp_persistence=1

"$program" synth --quiet --rows 200 --seed 1 --size 32 --queries 40 --out a.h5 \
    >/dev/null 2>&1
"$program" train tiny.yaml --quiet train.epochs=1 >/dev/null 2>&1
check "slices by no label" 4 \
    "diptych eval: eval.slices: no label column 'shape' in 'a.h5' (it has 'type', 'colour', 'pattern', 'print', 'gender', 'season', 'brand')" \
    evaluate 'eval.slices=[type, shape]'
evaluate --out r.json --trec trec --trec-depth 200 --predictions trec \
    'eval.slices=[type, image, query_length, colour.frequency]' \
    eval.sampled.text_to_image.candidates=5 \
    eval.sampled.text_to_image.category=type \
    tasks.query_to_product.fields_removed=true >/dev/null 2>&1
check "slices and samples in the report" 0 "4 5 True" python3 -c '
import json
task = json.load(open("r.json"))["retrieval"]["text_to_image"]
print(len(task["slices"]), task["sampled"]["candidates"],
      task["sampled"]["hit@5"] == 1)'
check "a task of two fields without one is the other alone" 0 "image title equal" \
    python3 -c '
import json
task = json.load(open("r.json"))["retrieval"]["query_to_product"]
alone, without = task["alone"], task["without"]
print(*without, "equal" if alone["image"] == without["title"]
      and alone["title"] == without["image"] != alone["image"] else "not")'
"$program" train tiny.yaml --quiet --run dealt train.epochs=1 \
    'fields.shop.template=a shop {{' tasks.query_to_product.fields_permuted=true \
    'tasks.query_to_product.product_fields=[image, title, shop]' >/dev/null 2>&1
for seed in 1 2; do
    "$program" eval dealt --no-html --quiet eval.bootstrap=50 \
        --out "dealt$seed.json" "seed=$seed" >/dev/null 2>&1
done
"$program" eval dealt --no-html --quiet eval.bootstrap=50 --out plain.json \
    tasks.query_to_product.fields_permuted=false seed=1 >/dev/null 2>&1
check "a field is dealt out anew, and no other" 0 "ok" python3 -c '
import json
def task(path):
    return json.load(open(path))["retrieval"]["query_to_product"]
one, two, plain = map(task, ("dealt1.json", "dealt2.json", "plain.json"))
dealt = one["permuted"]
assert list(dealt) == ["image", "title", "shop"], dealt.keys()
# All products have one text of the shop: whose it is makes no difference.
assert dealt["shop"]["mrr"] == one["mrr"] == plain["mrr"], dealt["shop"]
assert dealt["shop"]["gain"]["mrr"]["high"] == 0
assert dealt["title"]["mrr"] != one["mrr"] != dealt["image"]["mrr"]
assert dealt["title"]["mrr"] != two["permuted"]["title"]["mrr"]
assert "permuted" not in plain
print("ok")'
check "predictions" 0 "id,label,predicted,confidence,correct,\"p(umbrella)\"" \
    cut -d, -f 1-6 trec/type.csv
"$program" eval --run trec/text_to_image.run --qrels trec/text_to_image.qrels \
    --json eval.bootstrap=50 >back.json 2>/dev/null
check "our lists give our figures" 0 "equal" python3 -c '
import json
ours = json.load(open("r.json"))["retrieval"]["text_to_image"]
back = json.load(open("back.json"))["retrieval"]["tiny"]
keys = [k for k in back if isinstance(back[k], float)]
assert len(keys) == 20, keys
print("equal" if all(abs(back[k] - ours[k]) < 1e-8 for k in keys) else "not")'
evaluate --out probes.json --predictions trec eval.knn.type.k=5 \
    eval.knn.colour.input=product eval.linear_probe.type.input=product \
    >probes.txt 2>&1
check "labels from frozen embeddings" 0 "ok" python3 -c '
import json
r = json.load(open("probes.json"))
knn, linear = r["knn"]["type"], r["linear_probe"]["type"]
rows = r["classification"]["type"]["rows"]
assert list(r["knn"]) == ["type", "colour"], r["knn"].keys()
assert knn["k"] == 5 and r["knn"]["colour"]["temperature"] == .07
assert knn["rows"] + knn["missing"] == rows + r["classification"]["type"]["missing"]
assert linear["rows"] == rows and linear["train_rows"] > rows
assert linear["interval"]["accuracy"]["mean"] == linear["accuracy"] > .25
print("ok")'
check "an interval of each figure" 0 "ok" python3 -c '
import json
r = json.load(open("probes.json"))
def whole(part, names):
    for name in names:
        low, high = (part["interval"][name][k] for k in ("low", "high"))
        assert part["interval"][name]["mean"] == part[name], name
        assert low <= part[name] <= high and low < high, (name, low, high)
whole(r["retrieval"]["text_to_image"], ["median_rank", "mrr", "recall@5"])
whole(r["knn"]["type"], ["accuracy@5", "roc_auc_macro", "average_precision_macro"])
whole(r["matching"], ["accuracy", "precision", "f1", "auc"])
print("ok")'
check "their predictions" 0 "id,label,predicted,confidence,correct,\"p(umbrella)\"" \
    cut -d, -f 1-6 trec/type.linear_probe.csv
evaluate --split val --json eval.knn.type.k=5 \
    eval.linear_probe.type.input=image >val.json 2>/dev/null
check "a linear probe on what its penalty is chosen on" 0 \
    "the val split is what its penalty is chosen on True" python3 -c '
import json
r = json.load(open("val.json"))
print(r["linear_probe"]["type"]["skipped"], "accuracy" in r["knn"]["type"])'
check "neighbours by no label" 4 \
    "diptych train: eval.knn.shape: no label column 'shape' in 'a.h5' (it has 'type', 'colour', 'pattern', 'print', 'gender', 'season', 'brand')" \
    "$program" train tiny.yaml --quiet --run other eval.knn.shape.k=3
check "a product that holds the label" 2 \
    "command line: 'eval.knn.type.input' is the product, whose field 'kind' is that label" \
    config fields.kind.label=type eval.knn.type.input=product \
    'tasks.text_to_image.product_fields=[image, kind]'
check "a run without judgements" 2 \
    "diptych eval: --run and --qrels go together" "$program" eval --run x
for option in --split=val --checkpoint=best --dim=8 --no-html --trec=x; do
    check "$option with --run" 2 \
        "diptych eval: --run goes with --qrels, --seen, --out and --json only" \
        "$program" eval --run x --qrels x $option
done
check "a depth of no file" 2 "diptych eval: --trec-depth goes with --trec" \
    "$program" eval runs/x --trec-depth 5
check "recommendations without a run" 2 \
    "diptych eval: --seen goes with --run" "$program" eval runs/tiny --seen x
printf 'u Q0 a 1 .9 t\nu Q0 b 2 .8 t\nv Q0 b 1 .3 t\n' >few.run
printf 'u 0 b 1\nv 0 b 1\n' >few.qrels
printf 'u 0 a 1\nw 0 c 1\nw 0 b 1\n' >few.seen
check "what users had is not recommended" 0 \
    "1.0 0.333333333 0.666666667 1.0 0.0 2 3" python3 -c '
import json, subprocess, sys
task = json.loads(subprocess.check_output(
    [sys.argv[1], "eval", "--run", "few.run", "--qrels", "few.qrels", "--seen",
     "few.seen", "--json", "eval.k=[1]", "eval.bootstrap=10"]))["retrieval"]["t"]
r = task["recommendation"]
print(task["recall@1"], r["coverage@1"], r["gini@1"], r["popularity@1"],
      r["popularity_lift@1"], r["users"], r["items"])' "$program"
check "recommendations as a table" 0 \
    "recommended  recall@20  nDCG@20  coverage@20  Gini@20  popularity@20  lift@20" \
    lists few.run few.qrels --seen few.seen 'eval.k=[20]'
lists few.run few.qrels --seen few.seen 'eval.k=[20]' --out few.json >/dev/null
check "recommendations in Markdown" 0 \
    "| t @20 | 1.000 | 1.000 | 0.333 (0.333 to 0.333) | 0.667 (0.667 to 0.667) | 1.000 (1.000 to 1.000) | 0.000 |" cat few.md
: >empty
check "nothing seen" 4 "diptych eval: 'empty' is empty" \
    lists few.run few.qrels --seen empty
check "a run that is not there" 3 \
    "diptych eval: cannot open 'none': No such file or directory" \
    lists none trec/text_to_image.qrels
check "judgements for a run" 4 \
    "diptych eval: 'trec/text_to_image.qrels' line 1 has 4 fields, not 6" \
    lists trec/text_to_image.qrels trec/text_to_image.qrels
sed 1d trec/text_to_image.qrels | sed '1s/.*/other 0 a 1/' >other.qrels
check "a judged query that the run misses" 4 \
    "diptych eval: query 'other' of 'other.qrels' is missing from the run 'trec/text_to_image.run'" \
    lists trec/text_to_image.run other.qrels
check "a model's options for a run" 2 \
    "diptych eval: command line: unknown key 'train.lr'" \
    "$program" eval --run trec/text_to_image.run \
    --qrels trec/text_to_image.qrels train.lr=1

summary
