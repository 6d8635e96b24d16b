#!/bin/sh
# `diptych compare`: evaluated runs in every form, seeds as one side, what is
# refused and which command helps.
# usage: tests/cli/compare.sh BUILD/diptych
. "$(dirname "$0")/common"
config=$here/tiny.yaml

train() {
    "$program" train "$config" --quiet train.epochs=1 "$@"
}
compare() {
    "$program" compare --resamples 200 "$@"
}
# value EXPRESSION: of c.json, `c`.
value() {
    python3 -c "
import json
c = json.load(open('c.json'))
print($1)"
}

"$program" synth --quiet --rows 300 --seed 1 --size 32 --out a.h5 >/dev/null 2>&1
expect "a" 0 train name=shop-0
expect "b" 0 train name=shop-1 seed=1
expect "c" 0 train name=slow-0 train.lr=1e-4
check "not evaluated" 4 \
    "diptych compare: run 'runs/shop-0' was not evaluated: \`diptych eval runs/shop-0\` does it" \
    compare runs/shop-0 runs/shop-1
for run in shop-0 shop-1 slow-0; do
    expect "eval $run" 0 "$program" eval "runs/$run" --quiet --no-html
done

# Seeds of one config are one side, and all languages are written.
check "two sides" 0 "query_to_product: slow-0 against shop" \
    compare runs/shop-0 runs/shop-1 runs/slow-0 --out c.json --out c.md \
    --out c.csv --out c.tex --out c.html
present c.json c.md c.csv c.tex c.html
check "names" 0 "['shop', 'slow-0']" value "[s['name'] for s in c['sides']]"
check "runs" 0 "[2, 1]" value "[len(s['runs']) for s in c['sides']]"
check "what differs" 0 "[{'key': 'train.lr', 'values': ['0.002', '0.0001']}]" \
    value "c['config']"
check "metrics" 0 "['mrr', 'hit@1', 'hit@10', 'ndcg@10']" value \
    "[r['metric'] for r in c['rows'] if r['task'] == 'text_to_image']"
check "seeds decide" 0 "True" value \
    "all(r['differences'][1]['p'] == r['differences'][1]['p_seeds'] for r in c['rows'])"
check "cost" 0 "True" value \
    "all(s['cost'][k] > 0 for s in c['sides'] for k in ('seconds', 'peak_bytes', 'samples_per_second'))"
check "JSON" 0 '  "schema": "diptych-compare/1",' \
    compare runs/shop-0 runs/slow-0 --json
check "the baseline" 0 "text_to_image: shop against slow-0" \
    compare runs/shop-0 runs/shop-1 runs/slow-0 --baseline runs/slow-0
check "one side" 0 "text_to_image: each side, over its runs" \
    compare runs/shop-0 runs/shop-1
check "each" 0 "text_to_image: shop-1 against shop-0" \
    compare --each runs/shop-0 runs/shop-1
# Data are no seed: the same config on another catalog is another side.
sed 's/"digest": "..../"digest": "beef/' runs/shop-1/report.json >moved.json
cp runs/shop-1/report.queries.h5 moved.queries.h5
expect "another catalog" 0 "$program" compare runs/shop-0 moved.json \
    --resamples 200 --out c.json
check "another catalog is another side" 0 "['digest of the data']" value \
    "[k['key'] for k in c['config']]"
check "one run a side is said" 0 \
    "note: One run a side: p tells these two models apart, not their configs. Another seed may turn it round; give several runs of each config." \
    compare runs/shop-0 runs/slow-0

# What is refused.
check "a full disk" 3 \
    "diptych compare: cannot write to standard output: No space left on device" \
    sh -c "'$program' compare --resamples 200 runs/shop-0 runs/slow-0 >/dev/full"
check "no run" 4 "diptych compare: no run directory 'runs/none'" \
    compare runs/shop-0 runs/none
check "no run directory" 4 \
    "diptych compare: 'runs' is no run directory: it has no config.yaml" \
    compare runs/shop-0 runs
check "twice" 4 "diptych compare: run 'runs/shop-0' is given twice" \
    compare runs/shop-0 runs/shop-0
check "alone" 2 "diptych compare: two runs or more are compared" \
    compare runs/shop-0
check "form" 2 \
    "diptych compare: --out 'c.pdf' does not end in .json, .md, .html, .csv or .tex" \
    compare runs/shop-0 runs/shop-1 --out c.pdf
expect "another split" 0 "$program" eval runs/shop-1 --quiet --no-html \
    --split val --out val.json
check "splits" 4 \
    "diptych compare: 'runs/shop-0' was evaluated on split test, 'val.json' on val" \
    compare runs/shop-0 val.json
cp runs/shop-1/report.json old.json
check "no queries" 4 \
    "diptych compare: no 'old.queries.h5' beside the report: evaluate 'old.json' anew" \
    compare runs/shop-0 old.json
cp runs/shop-0/report.queries.h5 old.queries.h5
check "queries of another" 4 \
    "diptych compare: report and queries of 'old.json' are not of one evaluation: evaluate it anew" \
    compare runs/shop-0 old.json
echo '{"schema": "diptych-report/9"}' >old.json
check "schema" 4 \
    "diptych compare: 'old.json': key 'schema' is not 'diptych-report/1'" \
    compare runs/shop-0 old.json
summary
