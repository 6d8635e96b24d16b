#!/bin/sh
# Files of embeddings: what is taken from an earlier one, what is left by a
# program that was killed, what is refused.
# usage: tests/cli/embed.sh BUILD/diptych
. "$(dirname "$0")/common"
"$program" synth --quiet --rows 300 --seed 1 --size 32 --queries 40 --out a.h5 \
    >/dev/null 2>&1
"$program" train "$here/tiny.yaml" --quiet train.epochs=1 >/dev/null 2>&1
embed() {
    "$program" embed runs/tiny --quiet train.precision=fp32 "$@"
}
same() {
    if cmp -s "$1" "$2"; then ok; else bad "$1 and $2 differ"; fi
}

fp32="product of image, title in fp32, 16 numbers as"
check "all rows" 0 "300 rows: $fp32 fp32" embed --out all.h5
check "nothing new" 0 "300 taken unchanged, 0 of an interrupted run, 0 computed" \
    embed --out all.h5
absent all.h5.partial
check "into int8" 0 "300 taken unchanged, 0 of an interrupted run, 0 computed" \
    embed --out int8.h5 --reuse all.h5 --precision int8 --rescore fp16
if grep -q "^recall@10 against fp16: int8 [01]\.[0-9]*, its first 40" output; then
    ok
else
    bad "no recall of int8"
fi
expect "int8 again" 0 embed --out again.h5 --reuse int8.h5 --precision int8 \
    --rescore fp16
same int8.h5 again.h5
check "int8 is no fp32" 0 "diptych: nothing is taken from 'bits.h5': its numbers \
are not those that fp32 would be rounded to" \
    sh -c "'$program' embed runs/tiny --quiet train.precision=fp32 \
        --out bits.h5 --precision binary >/dev/null &&
        '$program' embed runs/tiny --quiet train.precision=fp32 --out bits.h5"

# A changed title and a changed photo; rows elsewhere, one that is gone.
"$program" synth --quiet --rows 330 --seed 1 --size 32 --out more.h5 \
    >/dev/null 2>&1
check "more rows" 0 "300 taken unchanged, 0 of an interrupted run, 30 computed" \
    embed --data more.h5 --out more-e.h5 --reuse all.h5
check "one field" 0 "300 rows: field title in fp32, 16 numbers as fp32" \
    embed --field title --out title.h5
check "of other fields" 0 "diptych: nothing is taken from 'all.h5': its rows are \
made of other fields, or in another precision" \
    embed --fields title --out t.h5 --reuse all.h5
check "a task's fields" 0 "300 rows: product of image in fp32, 16 numbers as fp32" \
    embed --task text_to_image --out task.h5
check "fewer numbers" 0 "22 rows: product of image, title in fp32, 8 numbers as fp16" \
    embed --split test --dim 8 --precision fp16 --out cut.h5
check "judged queries" 0 "40 rows: text in fp32, 16 numbers as fp32" \
    embed --queries --out judged.h5
printf 'q1\tred shirt\n\nblue\n' >queries.txt
check "queries of a file" 0 "2 rows: text in fp32, 16 numbers as fp32" \
    embed --queries=queries.txt --out queries.npy
if grep -q '"ids": *\[ *"q1", *"blue" *\]' queries.npy.json ||
    tr -d '\n ' <queries.npy.json | grep -q '"ids":\["q1","blue"\]'; then
    ok
else
    bad "ids beside the .npy"
fi

# Killed while it writes: what was computed is not computed again.
"$program" synth --quiet --rows 3000 --seed 2 --size 32 --out big.h5 \
    >/dev/null 2>&1
"$program" embed runs/tiny --quiet train.precision=fp32 train.loader_threads=1 \
    eval.batch_size=8 --data big.h5 --out big-e.h5 >/dev/null 2>&1 &
job=$!
for _ in $(seq 2000); do
    size=$(wc -c 2>/dev/null <big-e.h5.partial || echo 0)
    if [ "$size" -gt 4000 ] || ! kill -0 "$job" 2>/dev/null; then break; fi
    sleep 0.005
done
kill -9 "$job" 2>/dev/null
wait "$job" 2>/dev/null
absent big-e.h5
expect "gone on" 0 embed --data big.h5 --out big-e.h5
if grep -qE '^0 taken unchanged, [1-9][0-9,]* of an interrupted run, ' output; then
    ok
else
    bad "nothing was left by the killed program"
    cat output
fi
absent big-e.h5.partial
expect "the other model" 0 "$program" train "$here/tiny.yaml" --quiet name=other \
    seed=5 train.epochs=1
check "of another model" 0 \
    "diptych: nothing is taken from 'all.h5': it is of another model" \
    "$program" embed runs/other --quiet train.precision=fp32 --out o.h5 \
    --reuse all.h5

# What is refused.
check "no such file" 4 "diptych embed: not a readable HDF5 file: 'none.h5'" \
    embed --out x.h5 --reuse none.h5
head -c 3000 all.h5 >cut-off.h5
check "damaged" 4 "diptych embed: not a readable HDF5 file: 'cut-off.h5'" \
    embed --out x.h5 --reuse cut-off.h5
check "a catalog" 4 \
    "diptych embed: format of 'a.h5' is not diptych-embeddings" \
    embed --out x.h5 --reuse a.h5
absent x.h5 x.h5.partial
check "no such field" 4 "diptych embed: no field 'tilte'; there are: image, title" \
    embed --field tilte --out x.h5
check "no such task" 4 "diptych embed: no task 'x'; there are: text_to_image, \
query_to_product" embed --task x --out x.h5
check "an id twice" 4 "diptych embed: id 'q1' a second time in line 2 of 'q'" \
    sh -c "printf 'q1\ta\nq1\tb\n' >q; '$program' embed runs/tiny \
        --queries=q --out x.h5"
expect "neither format" 2 embed --out x.csv
expect "codes in .npy" 2 embed --out x.npy --precision int8
expect "two kinds" 2 embed --out x.h5 --field title --queries
summary
