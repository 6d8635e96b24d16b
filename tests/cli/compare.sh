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

# An import that is repeated is the same data, under any name.
"$program" synth --quiet --rows 300 --seed 1 --size 32 --out again.h5 >/dev/null 2>&1
expect "on the same data" 0 "$program" eval runs/shop-1 --quiet --no-html \
    --data again.h5 --out again.json
expect "compared with it" 0 "$program" compare runs/shop-0 again.json \
    --resamples 200 --out c.json
check "is one side" 0 "[2] []" value \
    "[len(s['runs']) for s in c['sides']], c['config']"

# Checkpoints of one run are no seeds, whatever `eval` is told.
expect "a checkpoint" 0 "$program" eval runs/shop-0 --quiet --no-html \
    --checkpoint latest --out latest.json seed=5
check "of one run" 4 \
    "diptych compare: 'runs/shop-0' and 'latest.json' have one config and one seed: they are no two samples of it (--each takes each run by itself)" \
    compare runs/shop-0 latest.json
expect "by themselves" 0 "$program" compare --each runs/shop-0 latest.json \
    --resamples 200

# Labels, after the tasks; all of their metrics when asked for.
compare runs/shop-0 runs/slow-0 --out c.json >/dev/null
check "labels" 0 "True" value \
    "[(r['task'], r['metric']) for r in c['rows']][-2:] == [('type', 'accuracy'), ('type.zero_shot', 'accuracy')]"
check "the mean of a label is the report's" 0 "True" value \
    "c['rows'][-2]['sides'][0]['mean'] == json.load(open('runs/shop-0/report.json'))['classification']['type']['accuracy']"
compare runs/shop-0 runs/slow-0 --metric type.balanced_accuracy,mrr --out c.json >/dev/null
check "its balanced accuracy" 0 "True" value \
    "abs(c['rows'][-1]['sides'][0]['mean'] - json.load(open('runs/shop-0/report.json'))['classification']['type']['balanced_accuracy']) < 1e-8"
expect "a probe more" 0 "$program" eval runs/shop-1 --quiet --no-html \
    --out probe.json eval.knn.type.k=3
check "a label that one run lacks" 0 \
    "note: The label type.knn is told by some of the runs only, and left out." \
    compare runs/slow-0 probe.json
check "asked for" 4 \
    "diptych compare: 'runs/slow-0' has no task 'type.knn', which 'probe.json' has (--metric TASK.NAME chooses)" \
    compare probe.json runs/slow-0 --metric type.knn.accuracy

# Rankings of any systems, in any order of lines.
printf 'u Q0 x 1 .9 one\nu Q0 y 2 .8 one\nv Q0 y 1 .3 one\nv Q0 x 2 .1 one\n' >one.run
printf 'v Q0 x 1 .9 two\nv Q0 y 2 .8 two\nu Q0 x 1 .3 two\nu Q0 y 2 .1 two\n' >two.run
printf 'u 0 x 1\nv 0 y 1\n' >right.qrels
printf 'v 0 y 1\nu 0 x 1\n' >turned.qrels
printf 'u 0 y 1\nv 0 y 1\n' >other.qrels
lists() {
    "$program" eval --run "$1" --qrels "$2" --out "$3" eval.bootstrap=50 >/dev/null
}
expect "one" 0 lists one.run right.qrels one.json
expect "two" 0 lists two.run turned.qrels two.json
expect "another qrels" 0 lists two.run other.qrels other.json
check "rankings" 0 "rankings: two against one" \
    compare one.json two.json --out c.json
check "of whom" 0 "['one', 'two'] [1.0, 0.75]" value \
    "[s['name'] for s in c['sides']], [s['mean'] for s in c['rows'][0]['sides']]"
check "which query" 0 "['v']" value \
    "[q['id'] for q in c['changed'][0]['worsened']]"
check "other judgements" 4 \
    "diptych compare: task 'rankings': queries, or what is relevant to them, of 'one.json' and 'other.json' differ (--different-galleries compares the queries that all have)" \
    compare one.json other.json
check "a run beside rankings" 4 \
    "diptych compare: of 'one.json' and 'runs/shop-0' one is a report of rankings alone: \`eval --trec\` and \`eval --run\` make one of the other, too" \
    compare one.json runs/shop-0

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
