#!/bin/sh
# `diptych ensemble`: several runs as one, in a report that compare takes.
# usage: tests/cli/ensemble.sh BUILD/diptych
. "$(dirname "$0")/common"
config=$here/tiny.yaml

ensemble() {
    "$program" ensemble "$@" --quiet --no-html
}
# value FILE EXPRESSION: of the report r in FILE.
value() {
    python3 -c "
import json, sys
r = json.load(open('$1/report.json'))
print($2)"
}
same() {
    if [ "$2" = "$3" ] && [ -n "$2" ]; then ok; else bad "$1: $2 is not $3"; fi
}

"$program" synth --quiet --rows 400 --seed 1 --size 16 --queries 40 --out a.h5 \
    >/dev/null 2>&1
sed 's/^train:/  search_log: {query: judgements, product_fields: [image, title], relevant_by: [judgements]}\n\ntrain:/
    s/weight: 0.1/weight: 1/' "$config" >log.yaml
for run in a b c; do
    case $run in
    a) more= ;;
    b) more="seed=1" ;;
    c) more="seed=2 model.embed_dim=24 model.text.width=32" ;;
    esac
    # shellcheck disable=SC2086
    expect "train $run" 0 "$program" train log.yaml --quiet name=$run $more
    expect "eval $run" 0 "$program" eval runs/$run --quiet --no-html
done

tasks="{t: p['mrr'] for t, p in r['retrieval'].items()}"
labels="{t: p['accuracy'] for t, p in r['classification'].items()}"

# An ensemble of one run with all the weight is that run.
expect "one decides" 0 ensemble runs/a runs/b runs/c --vote soft --weights 1,0,0 --out one
same "tasks of one" "$(value one "$tasks")" "$(value runs/a "$tasks")"
same "labels of one" "$(value one "$labels")" "$(value runs/a "$labels")"
expect "one decides by ranks" 0 ensemble runs/a runs/b --vote rank --weights 0,1 --out two
same "tasks of one by ranks" "$(value two "$tasks")" "$(value runs/b "$tasks")"
expect "one decides by votes" 0 ensemble runs/a runs/b runs/c --vote hard --weights 0,0,1 --out three
same "labels of one by votes" "$(value three "$labels")" "$(value runs/c "$labels")"
same "no tasks by votes" "$(value three "r['retrieval']")" "{}"
# Twice the same run is that run.
expect "twice the same" 0 ensemble runs/a runs/a --vote soft --out twice
same "tasks of twice" "$(value twice "$tasks")" "$(value runs/a "$tasks")"

expect "soft" 0 "$program" ensemble runs/a runs/b runs/c --vote soft --out soft --quiet
present soft/report.json soft/report.md soft/report.html soft/report.queries.h5
for kind in md html; do
    if grep -qF "weights of type" soft/report.$kind; then ok; else bad "no weights in $kind"; fi
done
same "members" "$(value soft "[m['name'] for m in r['run']['ensemble']['runs']]")" "['a', 'b', 'c']"
same "parameters" "$(value soft "r['run']['parameters']")" \
    "$(($(value runs/a "r['run']['parameters']") + $(value runs/b "r['run']['parameters']") + $(value runs/c "r['run']['parameters']")))"
for kind in minmax none; do
    expect "$kind" 0 ensemble runs/a runs/b runs/c --vote soft --normalise $kind --out $kind
done
if [ "$(value minmax "$tasks")" != "$(value none "$tasks")" ]; then ok; else bad "norms"; fi

# Weights that were tuned on a split are at least as good there as equal ones.
for weights in equal tuned; do
    expect "$weights" 0 ensemble runs/a runs/b runs/c --vote soft --split val \
        --weights $weights --out $weights
done
expect "tuned is better where it was tuned" 0 python3 - <<'END'
import json
equal, tuned = (json.load(open(f"{k}/report.json")) for k in ("equal", "tuned"))
for task, metric in (("text_to_image", "mrr"), ("query_to_product", "mrr"),
                     ("search_log", "ndcg")):
    a, b = (r["retrieval"][task][metric] for r in (equal, tuned))
    assert b >= a - 1e-9, (task, a, b)
    weights = tuned["run"]["ensemble"]["weights"][task]
    assert abs(sum(weights) - 1) < 1e-6 and min(weights) >= 0, weights
assert abs(sum(tuned["run"]["ensemble"]["weights"]["type"]) - 1) < 1e-6
END

expect "compare with a member" 0 "$program" compare runs/a soft --metric mrr
expect "compare ensembles" 0 "$program" compare soft minmax --metric mrr

# Two catalogs of the same rows with their classes in another order, and rows of
# which one of the runs has no text.
python3 - <<'END'
import csv, random
random.seed(4)
words = {"no": "poor thin".split(), "so": "plain usual".split(), "yes": "fine warm".split()}
rows = []
for i in range(300):
    good = random.choice(list(words))
    text = [random.choice(words[good if random.random() < .7 else "so"]) for _ in range(3)]
    note = "" if i % 10 == 3 else random.choice(words[good])
    rows.append([f"r{i}", ("train", "train", "val", "test")[i % 4], good, " ".join(text), note])
for name, backwards in (("one", False), ("backwards", True)):
    rows.sort(key=lambda row: row[2], reverse=backwards)
    with open(f"{name}.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "split", "good", "review", "note"])
        out.writerows(rows)
END
cat >reviews.yaml <<'END'
task: text_classification
data: {catalog: one.h5}
tokenizer: {context: 8, min_count: 1}
classification: {text: review}
model:
  text: {tower: bag, width: 8, depth: 1}
  heads: {good: {}}
train: {epochs: 3, batch_size: 16, lr: 1e-2, threads: 1, precision: fp32}
eval: {bootstrap: 200}
END
for catalog in one backwards; do
    expect "import $catalog" 0 "$program" import $catalog.csv --id id --text review \
        --text note --label good --split split --out $catalog.h5 --quiet
    expect "train $catalog" 0 "$program" train reviews.yaml --quiet --data $catalog.h5 \
        name=$catalog
done
if cmp -s runs/one/labels.json runs/backwards/labels.json; then
    bad "both have one order of classes"
else
    ok
fi
expect "backwards on the first's catalog" 0 "$program" eval runs/backwards --quiet \
    --no-html --data one.h5
for vote in soft hard; do
    expect "$vote over orders" 0 ensemble runs/one runs/backwards --vote $vote \
        --weights 0,1 --out order-$vote
    same "$vote over orders" "$(value order-$vote "$labels")" "$(value runs/backwards "$labels")"
done
expect "train notes" 0 "$program" train reviews.yaml --quiet name=notes \
    classification.text=note
for first in one notes; do
    expect "rows, $first first" 0 ensemble runs/$first runs/backwards runs/notes \
        --vote soft --weights tuned --out rows-$first
    same "rows, $first first" "$(value rows-$first "r['classification']['good']['rows']")" \
        "$(awk -F, '$2 == "test" && $5 ~ /[a-z]/' one.csv | wc -l)"
done

# What does not fit.
expect "other answers" 0 "$program" train log.yaml --quiet name=other train.epochs=1 \
    "tasks.text_to_image.relevant_by=[group]"
check "other answers" 4 \
    "diptych ensemble: task 'text_to_image' of 'runs/other' has other right answers than that of 'runs/a': tasks.text_to_image.relevant_by" \
    ensemble runs/a runs/other --vote soft --out no
check "no run" 4 "diptych ensemble: no run directory 'runs/none'" \
    ensemble runs/a runs/none --vote soft --out no
check "never over a report" 3 "diptych ensemble: 'soft/report.json' exists already" \
    ensemble runs/a runs/b --vote soft --out soft
absent no
check "never into a run" 3 "diptych ensemble: 'runs/other' is a run: --out names a new folder" \
    ensemble runs/a runs/b --vote soft --out runs/other

# The command line.
check "one run" 2 "diptych ensemble: two runs or more make an ensemble" \
    ensemble runs/a --vote soft --out no
check "no vote" 2 "diptych ensemble: --vote soft, hard or rank is missing" \
    ensemble runs/a runs/b --out no
check "no folder" 2 "diptych ensemble: --out DIR is missing" ensemble runs/a runs/b --vote soft
check "weights" 2 "diptych ensemble: --weights names 3 weights for 2 runs" \
    ensemble runs/a runs/b --vote soft --out no --weights 1,2,3
check "no weights" 2 "diptych ensemble: --weights are all 0" \
    ensemble runs/a runs/b --vote soft --out no --weights 0,0
check "no number" 2 \
    "diptych ensemble: --weights '1,x' is neither equal, tuned nor a list of numbers from 0 on" \
    ensemble runs/a runs/b --vote soft --out no --weights 1,x
expect "weights below 1" 0 ensemble runs/a runs/b --vote hard --weights .5,.25 --out below
check "depth" 2 "diptych ensemble: --depth goes with --vote rank" \
    ensemble runs/a runs/b --vote soft --out no --depth 3
summary
