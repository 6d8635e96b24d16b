#!/bin/sh
# Files of embeddings: what is taken from an earlier one, what is left by a
# program that was killed, what is refused. Indexes of them, and searching there.
# usage: tests/cli/embed.sh BUILD/diptych
. "$(dirname "$0")/common"
"$program" synth --quiet --rows 300 --seed 1 --size 32 --queries 40 --out a.h5 \
    >/dev/null 2>&1
"$program" train "$here/tiny.yaml" --quiet train.epochs=1 \
    train.precision=fp32 >/dev/null 2>&1
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

# Indexes.
index() {
    "$program" index "$@"
}
for type in flat ivf hnsw ivfpq; do
    expect "index $type" 0 index all.h5 --type $type --out $type.faiss
    present $type.faiss $type.faiss.json
    mv $type.faiss first.faiss
    OMP_NUM_THREADS=1 "$program" index all.h5 --type $type --out $type.faiss \
        >/dev/null 2>&1
    same first.faiss $type.faiss
done
if index all.h5 --type flat --out flat.faiss | grep -q "^recall@10 1.0000 "; then
    ok
else
    bad "flat does not find all"
fi
for key in recall@10 median_ms p99_ms queries build_seconds; do
    if grep -q "\"$key\": [0-9]" flat.faiss.json; then
        ok
    else
        bad "flat.faiss.json has no $key"
    fi
done
expect "queries of a file" 0 index all.h5 --type flat --out f.faiss \
    --queries judged.h5
embed --out four.h5 --dim 4 >/dev/null 2>&1
check "queries of another length" 4 "diptych index: 'four.h5' is of another \
length than 'all.h5'" index all.h5 --type flat --out x.faiss --queries four.h5
search="$program search runs/tiny --text red --top 5 --json --quiet"
for split in train val test; do
    $search --split $split
done 2>/dev/null | grep -o '"id": "[^"]*"\|"score": [0-9.]*' | paste - - |
    sort -k2,2gr | head -5 | grep -o '"id": "[^"]*"' >exact
$search --index flat.faiss 2>/dev/null | grep -o '"id": "[^"]*"' >found
if [ "$(wc -l <found)" -eq 5 ]; then ok; else bad "no five results"; fi
same exact found
head -c 2000 hnsw.faiss >cut.faiss && cp hnsw.faiss.json cut.faiss.json
check "cut index" 4 "diptych search: 'cut.faiss' has 2000 bytes, not the \
$(wc -c <hnsw.faiss) of 'cut.faiss.json'" \
    "$program" search runs/tiny --text red --index cut.faiss
cp hnsw.faiss changed.faiss && cp hnsw.faiss.json changed.faiss.json
printf '\377' | dd of=changed.faiss bs=1 seek=3000 conv=notrunc 2>/dev/null
check "changed index" 4 "diptych search: 'changed.faiss' has another sha-256 \
than 'changed.faiss.json' says" \
    "$program" search runs/tiny --text red --index changed.faiss
expect "index of another model" 4 "$program" search runs/other --text red \
    --index flat.faiss
if grep -q "^diptych search: 'flat.faiss' is of another model (" output; then
    ok
else
    bad "another model is not named"
fi
check "other length" 4 "diptych search: 'flat.faiss' has rows of 16 numbers, and \
the query has 8: see --dim" \
    "$program" search runs/tiny --text red --index flat.faiss --dim 8
check "no index" 3 "diptych search: cannot open 'none.faiss.json': No such file or \
directory" "$program" search runs/tiny --text red --index none.faiss
check "code bytes" 2 "diptych index: 5 code bytes do not divide 16 numbers" \
    index all.h5 --type ivfpq --code-bytes 5 --out x.faiss
check "links of lists" 2 "diptych index: an index of type ivf has no links" \
    index all.h5 --type ivf --links 8 --out x.faiss
check "lists above rows" 2 \
    "diptych index: 301 lists, where 300 are possible" \
    index all.h5 --type ivf --lists 301 --out x.faiss
check "of a catalog" 4 \
    "diptych index: format of 'a.h5' is not diptych-embeddings" \
    index a.h5 --type flat --out x.faiss
absent x.faiss x.faiss.json
cp all.h5 kept.h5
check "in the place of embeddings" 2 \
    "diptych index: 'all.h5' holds the embeddings and is not replaced" \
    index all.h5 --type flat --out all.h5
same all.h5 kept.h5
cp a.h5 kept.h5
check "in the place of a catalog" 4 "diptych embed: 'a.h5' is there and is not \
replaced: format of 'a.h5' is not diptych-embeddings" embed --out a.h5
same a.h5 kept.h5
expect "no such type" 2 index all.h5 --type lsh --out x.faiss
expect "index and split" 2 "$program" search runs/tiny --text red \
    --index flat.faiss --split val
expect "two kinds" 2 embed --out x.h5 --field title --queries
summary
