#!/bin/sh
# Text towers and word vectors from outside: each learns on drawn products, run.json
# says what of the vocabulary the vectors had, and faults end in one clear line.
# usage: tests/cli/text.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"

"$program" synth --quiet --rows 300 --seed 1 --size 32 --queries 40 --out a.h5 \
    >/dev/null 2>&1
# Vectors of 6 numbers for the drawn words, some in capitals, without "black".
for word in a in for the print RED BLUE Green White navy grey purple pink \
    orange brown yellow shirt Dress bag cap boot chair lamp mug bottle jacket \
    skirt trousers sneaker umbrella watch ball men women kids everyone unisex; do
    echo "$word" | awk '{printf "%s", $1
        for (i = 0; i < 6; i++) printf " %.4f", sin(length($1) * 7 + i * 3)
        print ""}'
done >words.txt

train() { # train NAME TEXT_TOWER KEY=VALUE...
    run=$1 tower=$2
    shift 2
    sed "s/text: {tower.*/text: {tower: $tower, width: 16}/" tiny.yaml >"$run.yaml"
    "$program" train "$run.yaml" name="$run" train.epochs=8 "$@"
}
metric() { # metric RUN FIRST|LAST: the validations' metric
    python3 - "runs/$1/log.jsonl" "$2" <<'PYTHON'
import json
import sys
values = [line["value"] for line in map(json.loads, open(sys.argv[1]))
          if line["event"] == "validation"]
print(values[0] if sys.argv[2] == "first" else max(values))
PYTHON
}
learns() { # learns RUN: chance is below .1, guessing the colour about .25
    if python3 -c "import sys; sys.exit(not $(metric "$1" last) > .3)"; then
        ok
    else
        bad "$1 does not learn: $(metric "$1" first) to $(metric "$1" last)"
    fi
}
for tower in bag cnn lstm gru transformer bert; do
    case $tower in
    bag | cnn) depth= ;;
    lstm | gru) depth="model.text.depth=1 train.lr=1e-2" ;;
    *) depth="model.text.depth=1 model.text.heads=2" ;;
    esac
    vectors="model.text.vectors=words.txt model.text.token_width=6"
    [ "$tower" = bert ] && vectors=
    expect "$tower trains" 0 train "$tower" "$tower" $depth $vectors
    learns "$tower"
done

check "vectors are reported" 0 \
    "word vectors of 'words.txt' (glove): 40.00 % of the vocabulary and 38.41 % of the training tokens have none" \
    train frozen bag model.text.vectors=words.txt model.text.token_width=6 \
    model.text.vectors_frozen=true train.epochs=1
check "run.json" 0 "0.4 5 31" python3 -c "
import json
v = json.load(open('runs/frozen/run.json'))['word_vectors']
print(v['missing_words'], v['folded'], v['exact'])"
rm words.txt
expect "a run needs its vectors no more" 0 "$program" eval runs/frozen

check "frozen without vectors" 2 \
    "command line: 'model.text.vectors_frozen' needs 'model.text.vectors'" \
    train x bag model.text.vectors_frozen=true
printf 'red 1 2 3\nblue 1 2 x\n' >bad.txt
check "bad number" 4 \
    "diptych train: 'x' in line 2 of 'bad.txt' is no finite number" \
    train x bag model.text.vectors=bad.txt
printf 'red 1 2 3\n' >other.txt
check "other width" 2 \
    "diptych train: model.text.token_width is 16, the vectors in 'other.txt' have 3 numbers" \
    train x bag model.text.vectors=other.txt
check "no vectors in the tower" 2 \
    "diptych train: model.text.vectors: the tower has no table of words" \
    train x bert model.text.heads=2 model.text.depth=1 model.text.vectors=other.txt
absent runs/x
# Texts that are cut are told of once: a title and a query of each row.
rows=$("$program" inspect a.h5 | sed -n 's/.*(train \([0-9]*\),.*/\1/p')
check "cut" 8 \
    "diptych: warning: $((rows * 2)) of $((rows * 2)) training texts (100.00 %) are longer than tokenizer.context, 1: they are cut" \
    "$program" train tiny.yaml name=cut tokenizer.context=1 --quiet --stop-at 1
expect "cut, resumed" 8 "$program" train tiny.yaml name=cut \
    tokenizer.context=1 --quiet --stop-at 2 --resume
if grep -q "are cut" output; then bad "it is told twice"; else ok; fi
expect "whole" 8 "$program" train tiny.yaml name=whole --quiet --stop-at 1
if grep -q "are cut" output; then bad "nothing is cut"; else ok; fi
summary
