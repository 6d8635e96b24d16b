#!/bin/sh
# `diptych sweep`: grid, draws and halving; kills, Ctrl-C and failures; what it
# leaves is what `diptych train` would have made.
# usage: tests/cli/sweep.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"

sweep() {
    "$program" sweep "$@"
}
same() {
    if [ "$2" = "$3" ] && [ -n "$2" ]; then ok; else bad "$1 differ"; fi
}
# The table without its seconds.
table() {
    awk -F, -v OFS=, '{ $7 = ""; print }' "runs/$1/results.csv"
}
in_output() {
    if grep -qF -- "$1" output; then ok; else bad "no '$1'"; cat output; fi
}
# wait_for SWEEP LINES: until the journal has so many.
wait_for() {
    tries=0
    while [ "$({ wc -l <"runs/$1/journal.jsonl" || echo 0; } 2>/dev/null)" -lt "$2" ] &&
        [ "$tries" -lt 600 ]; do
        sleep .05
        tries=$((tries + 1))
    done
}

"$program" synth --quiet --rows 150 --seed 1 --size 16 --out a.h5 >/dev/null 2>&1
cat >asha.yaml <<'END'
name: whole
config: tiny.yaml
overrides: [train.warmup_steps=0]
search: asha
trials: 5
eta: 2
max_epochs: 4
seed: 3
metric: text_to_image.mrr
parameters:
  lr: {key: train.lr, range: [1e-4, 1e-1], scale: log}
  width: {key: model.text.width, choices: [8, 16]}
END

# ---- halving ----
check "check" 0 \
    "config is right: asha, trials 5, parameters 2, epochs 1 2 4, metric text_to_image.mrr" \
    sweep asha.yaml --check
absent runs/whole
expect "whole" 0 sweep asha.yaml --quiet
present runs/whole/results.csv runs/whole/results.json runs/whole/sweep.html
expect "the best evaluates" 0 "$program" eval runs/whole/best --quiet
expect "the best exports" 0 "$program" export runs/whole/best --out bundle \
    --format safetensors
expect "JSON of a sweep with nothing to do" 0 sweep asha.yaml --resume --quiet --json
cp output json
expect "what halving means" 0 python3 - <<'END'
import csv, json
results = json.load(open("json"))
trials = {t["trial"]: t for t in results["trials"]}
assert results["schema"] == "diptych-sweep/1" and len(trials) == 5
assert results["rungs"] == [1, 2, 4] and results["metric"] == "text_to_image.mrr"
values = [t["value"] for t in results["trials"]]
assert values == sorted(values, reverse=True)
assert results["best"]["trial"] == results["trials"][0]["trial"]
for t in trials.values():
    assert 1e-4 <= t["parameters"]["lr"] <= 1e-1, t
    assert t["epochs"] == results["rungs"][t["rung"]], t
    assert t["status"] == ("done" if t["rung"] == 2 else "stopped"), t
    run = "runs/whole/" + t["run"]
    log = [json.loads(line) for line in open(run + "/log.jsonl")]
    best = max(e["value"] for e in log if e["event"] == "validation")
    assert abs(best - t["value"]) < 1e-8, t
rungs = [t["rung"] for t in trials.values()]
assert rungs.count(2) >= 1 and rungs.count(0) >= 2, rungs
elapsed = [p["elapsed"] for p in results["course"]]
assert elapsed == sorted(elapsed)
rows = list(csv.reader(open("runs/whole/results.csv")))
assert rows[0][:4] == ["trial", "lr", "width", "text_to_image.mrr"]
assert [int(r[0]) for r in rows[1:]] == [t["trial"] for t in results["trials"]]
END

# Of fewer trials than may go on the best one does.
expect "few" 0 sweep asha.yaml --quiet name=few trials=2 eta=3 max_epochs=3
same "the best is trained to its end" \
    "$(cut -d, -f5,6,8 runs/few/results.csv | sed -n '2p;3p' | tr '\n' ' ')" \
    "3,2,done 1,1,stopped "

# A trial of the last rung is the run that `diptych train` makes.
weights() {
    sha256sum <"$1/checkpoints/latest/model.safetensors"
}
done=$(python3 -c '
import json
print(next(t["run"] for t in json.load(open("json"))["trials"] if t["rung"] == 2))')
expect "the same by train" 0 "$program" train "runs/whole/$done/config.yaml" \
    --quiet --run plain
same "weights of a trial" "$(weights "runs/whole/$done")" "$(weights plain)"

check "begun already" 4 \
    "diptych sweep: sweep 'runs/whole' has begun: --resume goes on with it, --out DIR or name=… makes another" \
    sweep asha.yaml
check "another folder" 4 \
    "diptych sweep: 'plain' is not empty: --out DIR or name=… takes another folder" \
    sweep asha.yaml --out plain
check "nothing to go on with" 4 "diptych sweep: no sweep to go on with in 'none'" \
    sweep asha.yaml --out none --resume
check "another config" 2 \
    "diptych sweep: config is not the one of 'runs/whole/sweep.yaml', which has 'eta: 2' where this one has 'eta: 3'" \
    sweep asha.yaml --resume eta=3
check "another config of the runs" 2 \
    "diptych sweep: config is not the one of 'runs/whole/config.yaml', which has '  batch_size: 32' where this one has '  batch_size: 16'" \
    sh -c "sed 's/batch_size: 32/batch_size: 16/' tiny.yaml >t && cp t tiny.yaml &&
        '$program' sweep asha.yaml --resume"
cp "$here/tiny.yaml" "$folder"
check "fewer trials" 4 \
    "diptych sweep: trial 4 is none of the 4 of this sweep: 'runs/whole/journal.jsonl:$(grep -n '"trial":4' runs/whole/journal.jsonl | head -n 1 | cut -d: -f1)'" \
    sweep asha.yaml --resume trials=4

# ---- kills ----
# kill -9 in the middle of a training, several times: the same table, and no
# result twice.
for lines in 3 6 9; do
    resume=
    [ -e runs/killed ] && resume=--resume
    "$program" sweep asha.yaml --quiet name=killed $resume >/dev/null 2>&1 &
    process=$!
    wait_for killed "$lines"
    kill -9 $process
    wait $process 2>/dev/null
done
expect "after kills" 0 sweep asha.yaml --quiet name=killed --resume
same "tables after kills" "$(table whole)" "$(table killed)"
same "results after kills" "$(grep -c '"done"' runs/whole/journal.jsonl)" \
    "$(grep -c '"done"' runs/killed/journal.jsonl)"

# Ctrl-C: the workers write checkpoints.
"$program" sweep asha.yaml --quiet name=asked max_epochs=400 min_epochs=200 \
    >log 2>&1 &
process=$!
tries=0
while [ ! -e runs/asked/trials/0000/checkpoints/latest ] && [ "$tries" -lt 600 ]; do
    sleep .05
    tries=$((tries + 1))
done
kill -INT $process
wait $process
code=$?
cp log output
if [ "$code" -eq 8 ]; then ok; else bad "SIGINT: exit $code, expected 8"; cat log; fi
in_output "diptych sweep: stopped with results of 0 of 5 trials: the same command with --resume goes on"
if grep -q 'whose checkpoint is written' runs/asked/trials/0000.log; then
    ok
else
    bad "no checkpoint after SIGINT"
fi

# Two at a time are one too many.
"$program" sweep asha.yaml --quiet name=asked --resume max_epochs=400 \
    min_epochs=200 >/dev/null 2>&1 &
process=$!
wait_for asked 2
check "a second sweep" 3 \
    "diptych sweep: another process works on the sweep 'runs/asked'" \
    sweep asha.yaml name=asked --resume max_epochs=400 min_epochs=200
kill -INT $process
wait $process

# ---- workers, more trials ----
expect "two workers" 0 sweep asha.yaml --quiet name=two workers=2 search=random \
    eta=null trials=3 max_epochs=1
expect "more trials" 0 sweep asha.yaml --quiet name=two search=random eta=null \
    trials=5 max_epochs=1 --resume
same "the points" "$(cut -d, -f1-3 runs/whole/results.csv | sort)" \
    "$(cut -d, -f1-3 runs/two/results.csv | sort)"

# ---- failures ----
# An update at the rate of 1000 multiplies weights by 100,000, until they are
# infinite.
cat >grid.yaml <<'END'
name: grid
config: tiny.yaml
search: grid
max_epochs: 1
overrides: [train.warmup_steps=0, train.batch_size=8, train.weight_decay=100]
parameters:
  lr: {key: train.lr, choices: [1e-3, 1000]}
  heads: {key: model.text.heads, choices: [2, 3]}
END
check "failures" 1 \
    "diptych sweep: 3 of 4 trials failed; what they printed is in 'runs/grid/trials'" \
    sweep grid.yaml
in_output "trial 1 failed: model.text.heads: 3 does not divide width 16"
in_output "trial 2 failed: "
in_output "best: trial 0, query_to_product.mrr 0."
lines=$(wc -l <runs/grid/journal.jsonl)
expect "failures stay" 1 sweep grid.yaml --resume --quiet
same "lines" "$lines" "$(wc -l <runs/grid/journal.jsonl)"
expect "failures once more" 1 sweep grid.yaml --resume --retry --quiet
same "lines of more" $((lines + 9)) "$(wc -l <runs/grid/journal.jsonl)"
"$program" synth --quiet --rows 3 --seed 1 --size 16 --out b.h5 >/dev/null 2>&1
check "no validation rows" 1 "trial 0 failed: no validation has given a value" \
    sweep grid.yaml --quiet name=blind \
    "overrides=[train.warmup_steps=0, train.batch_size=2, data.catalog=b.h5]"

check "validations beyond the rungs" 1 \
    "trial 0 failed: no validation has given a value: train.validate_every is 1000 updates" \
    sweep asha.yaml --quiet name=late max_epochs=2 trials=1 \
    "overrides=[train.warmup_steps=0, train.validate_every=1000]"

# ---- faults of the config ----
# fault WORDS PARAMETER: of the line 4.
fault() {
    printf 'config: tiny.yaml\ntrials: 2\nparameters:\n  {%s}\n' "$2" >bad.yaml
    check "fault: $1" 2 "bad.yaml:4: $1" sweep bad.yaml
    absent runs/sweep
}
fault "unknown key 'train.lrr' (did you mean 'train.lr'?)" \
    "lr: {key: train.lrr, range: [1e-4, 1e-1]}"
fault "unknown key 'parameters.lr.rang' (did you mean 'parameters.lr.range'?)" \
    "lr: {key: train.lr, rang: [1e-4, 1e-1]}"
fault "'train.lr' is 2000, outside 0 to 1000" "lr: {key: train.lr, range: [1, 2000]}"
fault "'train.optimizer' must be one of adamw|sgd, not 'sdg' (did you mean 'sgd'?)" \
    "o: {key: train.optimizer, choices: [adamw, sdg]}"
fault "'train.batch_size' must be an integer, not '34.334368540005045'" \
    "b: {key: train.batch_size, range: [16, 64]}"
fault "'tokenizer.min_count' must be an integer, not '3820.2781464898007'" \
    "n: {key: tokenizer.min_count, range: [1, 10000]}"
fault "'parameters.epochs': the results have a column 'epochs' already" \
    "epochs: {key: train.epochs, choices: [1, 2]}"
fault "'parameters.lr.range' must be two numbers, the lower one first" \
    "lr: {key: train.lr, range: [1e-1, 1e-4]}"
fault "'parameters.lr.range' must be above 0 for a log scale" \
    "lr: {key: train.lr, range: [0, 1], scale: log}"
fault "'parameters.b.range' must be whole numbers" \
    "b: {key: train.batch_size, range: [16, 64.5], integer: true}"
fault "'parameters.lr' has neither choices nor range" "lr: {key: train.lr}"
fault "'parameters.lr' has choices, and takes no range, scale or integer" \
    "lr: {key: train.lr, choices: [1, 2], scale: log}"
fault "'parameters.lr.choices' has '1' twice" "lr: {key: train.lr, choices: [1, 1]}"
fault "'parameters.name': 'name' is the same in all runs" "name: {choices: [a, b]}"
fault "'parameters.b' has the key 'train.lr', as 'parameters.a' has" \
    'a: {key: train.lr, choices: [1, 2]}, b: {key: train.lr, choices: [3, 4]}'
check "a grid of ranges" 2 "asha.yaml:11: 'parameters.lr': a grid is made of choices" \
    sweep asha.yaml search=grid trials=null eta=null
check "trials of a grid" 2 "command line: 'trials': a grid has those that it has" \
    sweep grid.yaml trials=2
check "more trials than points" 2 "command line: 'trials' is 5, but there are 4 points" \
    sweep grid.yaml search=random trials=5
check "no trials" 2 "grid.yaml: missing key 'trials'" sweep grid.yaml search=random
check "rungs of no halving" 2 "command line: 'eta' is of asha alone" sweep grid.yaml eta=3
check "rungs beyond the end" 2 "command line: 'min_epochs' is 5, above the 4 epochs of a run" \
    sweep asha.yaml min_epochs=5
sed 's/warmup_steps/warmup_step/' grid.yaml >bad.yaml
check "an override" 2 "bad.yaml:5: unknown key 'train.warmup_step' (did you mean 'train.warmup_steps'?)" \
    sweep bad.yaml --check
sed 's/image.mrr/image.mr/' asha.yaml >bad.yaml
expect "a metric" 2 sweep bad.yaml --check
in_output "bad.yaml:9: unknown metric 'text_to_image.mr'; there are: "
check "no config" 2 "diptych sweep: a sweep's config is missing" sweep
check "a config that is not there" 3 "cannot open 'none.yaml': No such file or directory" \
    sweep none.yaml
for file in "$here"/../../configs/sweep-*.yaml; do
    check "$file" 0 yes sh -c \
        "'$program' sweep '$file' --check | grep -q '^config is right: ' && echo yes"
done
summary
