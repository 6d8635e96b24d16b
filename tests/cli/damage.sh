#!/bin/sh
# Runs that were damaged, swapped or killed, and catalogs that lack what a config
# asks for: all is noticed before anything is written.
# usage: tests/cli/damage.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"

# refuses NAME EXIT_CODE MESSAGE COMMAND...: the message is all that is said.
refuses() {
    name=$1 code=$2
    printf '%s\n' "$3" >wanted
    shift 3
    "$@" >output 2>&1
    got=$?
    if [ "$got" -eq "$code" ] && diff wanted output >difference; then
        ok
    else
        bad "$name: exit $got, expected $code"
        cat difference
    fi
}
train() {
    "$program" train tiny.yaml --quiet "$@"
}
config() {
    "$program" train tiny.yaml --check "$@"
}
# All files of a run with their digests.
state() {
    find "runs/$1" -type f -exec sha256sum {} + | sort
}

"$program" synth --quiet --rows 300 --seed 1 --size 32 --out a.h5 >/dev/null 2>&1
"$program" synth --quiet --rows 300 --seed 2 --size 32 --out b.h5 >/dev/null 2>&1

# ---- configs that cannot mean what they say ----
refuses "no name" 2 "command line: 'name' cannot be ''" config name=
refuses "name of a path" 2 "command line: 'name' cannot be '../x'" config name=../x
refuses "query in a template" 2 \
    "tiny.yaml:32: field 'title' of task 'query_to_product' holds 'title', as its query does: the product would give the answer away (allow_leak: true lets it)" \
    config 'tasks.query_to_product.query={type} {title}'
refuses "nothing to learn" 2 \
    "tiny.yaml:25: no task and no head has a weight above 0" \
    config tasks.text_to_image.weight=0 tasks.query_to_product.weight=0 \
    model.heads.type.weight=0
columns="(it has 'type', 'colour', 'pattern', 'print', 'gender', 'season', 'brand')"
refuses "no such category" 4 \
    "diptych train: eval.matching.category: no label column 'kind' in 'a.h5' $columns" \
    train eval.matching.category=kind
refuses "no such label" 4 \
    "diptych train: eval.zero_shot.kind: no label column 'kind' in 'a.h5' $columns" \
    train 'eval.zero_shot.kind.templates={}'

# ---- catalogs that lack something ----
{
    echo id,title,colour,type,split
    for i in 1 2 3 4 5 6 7 8 9; do echo "$i,red mug $i,red,mug,train"; done
} >words.csv
"$program" import words.csv --id id --text title --label colour,type \
    --split split --out words.h5 --quiet >/dev/null
sed 's/train/test/' words.csv >rest.csv
"$program" import rest.csv --id id --text title --label colour,type \
    --split split --out rest.h5 --quiet >/dev/null
text_only() {
    sed '/^model:/,$d' tiny.yaml
    cat <<'YAML'
model:
  embed_dim: 8
  image: {tower: cnn, widths: [8]}
  text: {tower: bag, width: 8}
tasks:
  find: {query: "{colour} {type}", product_fields: [title]}
train: {epochs: 2, batch_size: 4, threads: 1}
YAML
}
text_only >words.yaml
refuses "no photos" 4 "diptych train: no image column in 'words.h5'" \
    train --data words.h5
refuses "photos as queries" 4 "diptych train: no image column in 'words.h5'" \
    "$program" train words.yaml --quiet --data words.h5 tasks.find.query=image
refuses "no train rows" 4 \
    "diptych train: no row of the split 'train' in 'rest.h5'" \
    "$program" train words.yaml --quiet --data rest.h5
refuses "no judgements" 4 \
    "diptych train: no judged query of the split 'train' in 'words.h5'" \
    "$program" train words.yaml --quiet --data words.h5 \
    tasks.find.query=judgements tasks.find.relevant_by=judgements
refuses "words alone" 0 "trained: runs/words" \
    "$program" train words.yaml --quiet --data words.h5 name=words
cp b.h5 changed.h5
sed 's/b\.h5/changed.h5/' b.manifest.json >changed.manifest.json
printf X | dd of=changed.h5 bs=1 seek=150000 conv=notrunc 2>/dev/null
refuses "changed byte" 4 \
    "diptych train: digest of 'changed.h5' is not the manifest's: the file is damaged or an import was interrupted" \
    train --data changed.h5
if [ "$(ls runs)" = words ]; then ok; else bad "a refused run left $(ls runs)"; fi

# ---- going on with something else ----
refuses "stop" 8 \
    "diptych train: stopped after step 5, whose checkpoint is written" \
    train name=cut --stop-at 5
state cut >before
from=runs/cut/checkpoints/latest
refuses "other seed" 4 \
    "diptych train: checkpoint '$from' was made with seed 0, this run has 4" \
    train name=cut --resume seed=4
refuses "other catalog" 4 \
    "diptych train: catalog 'b.h5' is not the one that 'runs/cut' was begun with" \
    train name=cut --resume --data b.h5
refuses "other threads" 4 \
    "diptych train: checkpoint '$from' was made with 1 threads, this run has 2: set train.threads=1" \
    train name=cut --resume train.threads=2
refuses "other model" 4 \
    "diptych train: wrong shape of 'image_projection.weight' in '$from/model.safetensors': the file has [16, 16], the model has [8, 16]" \
    train name=cut --resume model.embed_dim=8
refuses "other optimizer" 4 \
    "diptych train: '$from/optimizer.safetensors': no optimizer state 'momentum.image.stages.0.conv.weight'" \
    train name=cut --resume train.optimizer=sgd
refuses "other rate" 2 \
    "diptych train: config is not the one of 'runs/cut/config.yaml', which has '  lr: 0.002' where this one has '  lr: 0.5'" \
    train name=cut --resume train.lr=0.5
state cut >after
if cmp -s before after; then ok; else bad "a refused resume wrote something"; fi

# ---- parts of a run that are not its own ----
swap() { # swap FILE TEXT: a copy of the run with another file
    rm -rf runs/bad
    cp -r runs/cut runs/bad
    printf '%s\n' "$2" >"runs/bad/$1"
}
refuse_eval() { # refuse_eval NAME CODE MESSAGE
    refuses "$1" "$2" "diptych eval: $3" "$program" eval runs/bad --quiet
}
swap tokenizer.json "$(sed 's/"red"/"rad"/' runs/cut/tokenizer.json)"
refuse_eval "other words" 4 \
    "tokenizer is not the one of run.json: 'runs/bad/tokenizer.json'"
refuses "other words to train with" 4 \
    "diptych train: tokenizer is not the one of run.json: 'runs/bad/tokenizer.json'" \
    train --run runs/bad --resume
swap tokenizer.json '{}'
refuse_eval "no words" 4 "no key 'format' in 'runs/bad/tokenizer.json'"
swap labels.json '{"type": [1, 2]}'
refuse_eval "numbers for names" 4 \
    "no lists of class names in 'runs/bad/labels.json'"
swap labels.json '["type"]'
refuse_eval "no object" 4 "no lists of class names in 'runs/bad/labels.json'"
swap labels.json '{"type": ["a", "b"]}'
refuse_eval "other classes" 4 \
    "wrong shape of 'heads.type.weight' in 'runs/bad/checkpoints/latest/model.safetensors': the file has [16, 16], the model has [2, 16]"
swap run.json '{}'
refuse_eval "no digest" 4 "no key 'tokenizer_sha256' in 'runs/bad/run.json'"
swap config.yaml 'nam: x'
refuse_eval "other config" 2 \
    "runs/bad/config.yaml:1: unknown key 'nam' (did you mean 'name'?)"
swap checkpoints/latest/state.json '{"schema": "diptych-checkpoint/9"}'
refuse_eval "other schema" 4 \
    "unknown schema 'diptych-checkpoint/9' in 'runs/bad/checkpoints/latest/state.json'"
swap checkpoints/latest/model.safetensors 'weights'
refuse_eval "other weights" 4 \
    "weights are not those of state.json: 'runs/bad/checkpoints/latest/model.safetensors'"
swap run.json "$(cat runs/cut/run.json)"
rm runs/bad/checkpoints/latest/optimizer.safetensors
refuses "no optimizer" 4 \
    "diptych train: cannot open 'runs/bad/checkpoints/latest/optimizer.safetensors': No such file or directory" \
    train --run runs/bad --resume
rm runs/bad/checkpoints/latest
refuse_eval "no link" 4 "no checkpoint 'latest' in 'runs/bad/checkpoints'"

# ---- a run that was killed does its lost steps again, once ----
refuses "whole" 0 "trained: runs/whole" train name=whole train.checkpoint_every=3
"$program" train tiny.yaml --quiet name=killed train.checkpoint_every=3 \
    train.epochs=400 >/dev/null 2>&1 &
process=$!
tries=0
while [ "$(losses killed 2>/dev/null | wc -l)" -lt 5 ] && [ "$tries" -lt 300 ]; do
    sleep .1
    tries=$((tries + 1))
done
kill -KILL $process
wait $process 2>/dev/null
last=$(readlink runs/killed/checkpoints/latest | sed 's/step-0*//')
"$program" train tiny.yaml --quiet name=killed train.checkpoint_every=3 \
    train.epochs=400 --resume --stop-at $((last + 4)) >output 2>&1
code=$?
if [ "$code" -eq 8 ]; then ok; else bad "killed run: exit $code"; cat output; fi
losses killed | cut -d' ' -f1 >steps
seq 1 $((last + 4)) >wanted
if cmp -s steps wanted; then ok; else bad "steps of the killed run: $(tr '\n' ' ' <steps)"; fi

# ---- updates that overflow ----
train name=nan train.lr=1e3 train.optimizer=sgd train.clip_grad_norm=0 \
    train.warmup_steps=0 train.checkpoint_every=1 train.weight_decay=1e3 \
    >output 2>&1
code=$?
if [ "$code" -eq 6 ] && grep -Eq '(at|after) step [0-9]+$' output; then
    ok
else
    bad "overflow: exit $code"
    cat output
fi

summary
