#!/bin/sh
# Training can be stopped anywhere and goes on as if it had not been: the losses
# and the weights are those of a run that was never stopped, with dropout,
# augmentation and word dropout on.
# usage: tests/cli/resume.sh BUILD/diptych
. "$(dirname "$0")/common"
config=$here/tiny.yaml

weights() {
    sha256sum <"runs/$1/checkpoints/latest/model.safetensors"
}
moments() {
    sha256sum <"runs/$1/checkpoints/latest/optimizer.safetensors"
}
averages() {
    sha256sum <"runs/$1/checkpoints/latest/ema.safetensors"
}
same() {
    if [ "$2" = "$3" ] && [ -n "$2" ]; then ok; else bad "$1 differ"; fi
}
train() {
    "$program" train "$config" --quiet "$@"
}

"$program" synth --quiet --rows 300 --seed 1 --size 32 --out a.h5 >/dev/null 2>&1

expect "whole run" 0 train name=whole
updates=$(losses whole | wc -l)
if [ "$updates" -ge 20 ]; then ok; else bad "only $updates updates"; fi

# In the middle of the second epoch, and a second time.
middle=$((updates / 2))
expect "stop" 8 train name=cut --stop-at "$middle"
expect "stop again" 8 train name=cut --resume --stop-at $((middle + 3))
expect "go on" 0 train name=cut --resume train.loader_threads=3
same "losses of a resumed run" "$(losses whole)" "$(losses cut)"
same "weights of a resumed run" "$(weights whole)" "$(weights cut)"
same "optimizer of a resumed run" "$(moments whole)" "$(moments cut)"
expect "nothing left to do" 0 train name=cut --resume
same "weights after that" "$(weights whole)" "$(weights cut)"

expect "same seed" 0 train name=again
same "weights of the same seed" "$(weights whole)" "$(weights again)"
expect "other seed" 0 train name=other seed=1
if [ "$(weights whole)" != "$(weights other)" ]; then
    ok
else
    bad "another seed gives the same weights"
fi

# The saved config is the whole run.
expect "from its own config" 0 \
    "$program" train runs/whole/config.yaml --quiet name=copy
same "weights from the saved config" "$(weights whole)" "$(weights copy)"

# Accumulation, SGD, LSTM, words whose gradients are sparse, known n-grams.
sed 's/tower: transformer, width: 16, depth: 1, heads: 2/tower: lstm, width: 16, depth: 2/' \
    "$config" >lstm.yaml
accumulate() {
    "$program" train lstm.yaml --quiet train.accumulate=2 train.optimizer=sgd \
        train.lr=0.05 model.text.sparse=true model.text.ngrams=2 \
        model.text.ngram_vocabulary=20 model.text.ngram_dropout=0.2 "$@"
}
expect "accumulated run" 0 accumulate name=sum
expect "accumulated stop" 8 accumulate name=sumcut --stop-at 5
expect "accumulated go on" 0 accumulate name=sumcut --resume
same "accumulated losses" "$(losses sum)" "$(losses sumcut)"
same "accumulated weights" "$(weights sum)" "$(weights sumcut)"

# Towers that see a batch in parts, over two batches an update, averaged.
parts() {
    train train.grad_cache=8 train.accumulate=2 train.ema.decay=0.9 \
        model.text.sparse=true "$@"
}
expect "run in parts" 0 parts name=parts
in_output() {
    if grep -qF "$1" output; then ok; else bad "no '$1'"; fi
}
in_output "diptych: warning: train.grad_cache is 8: batch norms see so many rows, not the 32 of a batch"
expect "stop in parts" 8 parts name=partscut --stop-at 5
expect "go on in parts" 0 parts name=partscut --resume
same "losses in parts" "$(losses parts)" "$(losses partscut)"
same "weights in parts" "$(weights parts)" "$(weights partscut)"
same "averages in parts" "$(averages parts)" "$(averages partscut)"

# Averaged weights come back, too, and are what eval and export take.
average() {
    train train.ema.decay=0.9 "$@"
}
# The metrics of a run, of its averaged weights or by an override of the others.
metrics() {
    "$program" eval runs/ema --quiet --out report.json "$@" >/dev/null 2>&1 &&
        python3 -c 'import json; print(json.load(open("report.json"))["retrieval"])'
}
expect "averaged run" 0 average name=ema
expect "averaged stop" 8 average name=emacut --stop-at "$middle"
expect "averaged go on" 0 average name=emacut --resume
same "averages of a resumed run" "$(averages ema)" "$(averages emacut)"
same "weights beside averages" "$(weights whole)" "$(weights ema)"
if [ -n "$(metrics)" ] && [ "$(metrics)" != "$(metrics train.ema.decay=0)" ]; then
    ok
else
    bad "eval does not tell averages from weights"
fi
check "no averages" 4 \
    "diptych eval: checkpoint 'runs/whole/checkpoints/best' has no averaged weights" \
    "$program" eval runs/whole train.ema.decay=0.9
check "averages of other bytes" 4 \
    "diptych eval: weights are not those of state.json: 'runs/emacut/checkpoints/best/ema.safetensors'" \
    sh -c "cp runs/whole/checkpoints/latest/model.safetensors \
        runs/emacut/checkpoints/best/ema.safetensors && '$program' eval runs/emacut"

# The rows of earlier batches come back, too; two micro-batches an update.
queue() {
    train loss.queue=100 train.accumulate=2 "$@"
}
memory() {
    sha256sum <"runs/$1/checkpoints/latest/memory.safetensors"
}
expect "run with a queue" 0 queue name=queue
expect "stop with a queue" 8 queue name=queuecut --stop-at $((middle / 2))
expect "go on with a queue" 0 queue name=queuecut --resume
same "losses with a queue" "$(losses queue)" "$(losses queuecut)"
same "weights with a queue" "$(weights queue)" "$(weights queuecut)"
same "queues" "$(memory queue)" "$(memory queuecut)"
expect "stop with a queue again" 8 queue name=queuebad --stop-at 3
check "queue of other bytes" 4 \
    "diptych train: rows of earlier batches are not those of state.json: 'runs/queuebad/checkpoints/latest/memory.safetensors'" \
    sh -c "cp runs/queue/checkpoints/latest/memory.safetensors \
        runs/queuebad/checkpoints/latest/ && '$program' train '$config' \
        --quiet loss.queue=100 train.accumulate=2 name=queuebad --resume"

# A teacher goes on teaching, from the same file.
cp "$here/../golden/teacher.h5" E.h5
taught() {
    train loss.distill.teacher=E.h5 "$@"
}
expect "run with a teacher" 0 taught name=taught
expect "stop with a teacher" 8 taught name=taughtcut --stop-at "$middle"
mv E.h5 F.h5
expect "go on with a teacher elsewhere" 0 \
    taught name=taughtcut --resume loss.distill.teacher=F.h5
same "losses with a teacher" "$(losses taught)" "$(losses taughtcut)"
same "weights with a teacher" "$(weights taught)" "$(weights taughtcut)"
cp F.h5 E.h5
printf x >>E.h5
check "another teacher" 4 \
    "diptych train: teacher 'E.h5' is not the one that 'runs/taught' was begun with" \
    taught name=taught --resume

# A signal finishes the step, writes a checkpoint and has a code of its own.
"$program" train "$config" --quiet name=signal train.epochs=500 >/dev/null 2>&1 &
process=$!
tries=0
while [ "$(losses signal 2>/dev/null | wc -l)" -lt 3 ] && [ "$tries" -lt 300 ]; do
    sleep .1
    tries=$((tries + 1))
done
libraries=$(sed -n 's/.* \(\/.*libgomp.*\)/\1/p' /proc/$process/maps | sort -u | wc -l)
if [ "$libraries" -eq 1 ]; then ok; else bad "$libraries libgomps are loaded"; fi
kill -TERM $process
wait $process
code=$?
if [ "$code" -eq 8 ]; then ok; else bad "SIGTERM: exit $code, expected 8"; fi
last=$(losses signal | tail -n 1 | cut -d' ' -f1)
if [ -e "runs/signal/checkpoints/step-$(printf %08d "$last")/state.json" ]; then
    ok
else
    bad "no checkpoint of step $last after SIGTERM"
fi
expect "resume after a signal" 8 \
    train name=signal train.epochs=500 --resume --stop-at $((last + 2))

# NaN: the step is named, nothing is written.
expect "NaN" 6 train name=nan train.lr=1e3 train.clip_grad_norm=0 \
    train.warmup_steps=0 train.optimizer=sgd train.epochs=50
if grep -Eiq '^diptych train: (loss|gradient norm) is -?(nan|inf[a-z]*) at step [0-9]+$' output; then
    ok
else
    bad "NaN names no step"
    cat output
fi
step=$(sed 's/.* //' output)
expect "no second run there" 4 train name=nan
if ls -d runs/nan/checkpoints/step-* 2>/dev/null | grep -q "$(printf %08d "$step")"; then
    bad "the NaN step was checkpointed"
else
    ok
fi

summary
