#!/bin/sh
# `diptych mine`: wrong answers of a run's ranking, and a run that trains with
# them; files that are refused.
# usage: tests/cli/mine.sh BUILD/diptych
. "$(dirname "$0")/common"
config=$here/tiny.yaml
"$program" synth --quiet --rows 300 --seed 1 --size 32 --out a.h5 >/dev/null 2>&1
"$program" train "$config" --quiet train.epochs=1 train.precision=fp32 \
    >/dev/null 2>&1
mine() {
    "$program" mine runs/tiny --quiet "$@"
}
train() {
    "$program" train "$config" --quiet train.epochs=2 train.precision=fp32 "$@"
}
weights() {
    sha256sum <"runs/$1/checkpoints/best/model.safetensors"
}
differ() {
    if [ "$(weights "$1")" = "$(weights "$2")" ]; then
        bad "$1 and $2 are the same"
    else
        ok
    fi
}

rows=$(wc -l <a.h5 >/dev/null && "$program" inspect a.h5 --json |
    grep -o '"train": [0-9]*' | head -1 | grep -o '[0-9]*$')
mine --out hard.tsv >said
if grep -q "^text_to_image: $rows of $rows queries have $((4 * rows)) wrong" said
then ok; else bad "not four wrong answers of each row: $(cat said)"; fi
if awk -F'\t' 'NF != 5 {exit 1} {for (i = 2; i <= NF; i++) if ($i == $1) exit 1}' \
    hard.tsv; then ok; else bad "a line has not five ids, or one twice"; fi
mine --out again.tsv >/dev/null
if cmp -s hard.tsv again.tsv; then ok; else bad "mined twice, not the same"; fi

# The ranks 3 and 4 are the last two of four.
mine --from 3 --to 4 --out late.tsv >/dev/null
cut -f1,4,5 hard.tsv >wanted
if cmp -s late.tsv wanted; then ok; else bad "ranks 3 and 4 are others"; fi
mine --margin 0.1 --to 10 --json --out few.tsv >few.json
if [ "$(wc -w <few.tsv)" -lt "$(wc -w <hard.tsv)" ] &&
    grep -q '"with_negatives": [0-9]' few.json; then
    ok
else
    bad "a margin leaves nothing out"
fi

# Training with them: other batches, the same twice, the same resumed.
expect "plain" 0 train name=plain
expect "hard" 0 train name=hard train.hard_negatives=hard.tsv
expect "hard again" 0 train name=hard2 train.hard_negatives=hard.tsv
differ plain hard
if [ "$(weights hard)" = "$(weights hard2)" ]; then ok; else bad "not the same twice"; fi

# Resuming: the same to the bit, and with no other file.
expect "stop" 8 train name=cut train.hard_negatives=hard.tsv --stop-at 3
cp -r runs/cut runs/other
expect "go on" 0 train name=cut train.hard_negatives=hard.tsv --resume
if [ "$(weights hard)" = "$(weights cut)" ]; then ok; else bad "resumed, not the same"; fi
cp hard.tsv kept.tsv
sed '1s/\t[^\t]*$//' kept.tsv >hard.tsv
check "other negatives" 4 \
    "diptych train: file of hard negatives 'hard.tsv' is not the one that 'runs/other' was begun with" \
    train name=other train.hard_negatives=hard.tsv --resume
cp kept.tsv hard.tsv

# Queries of the log: a row has the one that it answers best, and wrong answers
# that no judgement of that query calls right.
"$program" synth --quiet --rows 300 --seed 1 --size 32 --queries 40 --out b.h5 \
    >/dev/null 2>&1
log="data.catalog=b.h5 train.metric=text_to_image.ndcg@10
    tasks.text_to_image.query=judgements tasks.text_to_image.relevant_by=[judgements]"
expect "judged" 0 train name=judged $log train.epochs=1
check "mined by grades" 0 \
    "text_to_image: 239 of 239 queries have 956 wrong answers" \
    "$program" mine runs/judged --quiet --task text_to_image --out graded.tsv
expect "hard and judged" 0 train name=judged2 $log train.hard_negatives=graded.tsv

printf 'x\ty\n' >bad.tsv
check "unknown id" 4 "diptych train: no product 'x' of line 1 of 'bad.tsv' in 'a.h5'" \
    train name=bad train.hard_negatives=bad.tsv
check "no file" 3 "diptych train: cannot open 'none.tsv': No such file or directory" \
    train name=bad train.hard_negatives=none.tsv
check "no task" 4 "diptych mine: no task 'x'; there are: text_to_image, \
query_to_product" mine --task x --out x.tsv
absent x.tsv
expect "ranks" 2 mine --from 5 --to 4 --out x.tsv
expect "margin" 2 mine --margin -1 --out x.tsv
expect "no out" 2 mine
cp a.h5 kept
check "the catalog" 2 "diptych mine: 'a.h5' is the catalog and is not replaced" \
    mine --out a.h5
expect "the catalog as it was" 0 cmp a.h5 kept
summary
