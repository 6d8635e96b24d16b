#!/bin/sh
# Products that are more than a photo and a text: labels and numbers as fields,
# distances in place of cosines, a match classifier that ranks again; from
# training to export.
# usage: tests/cli/products.sh BUILD/diptych
. "$(dirname "$0")/common"

# shop NAME TYPES...: a catalog of words, a label and a number; 60 rows in the
# splits train and test.
shop() {
    file=$1
    shift
    {
        echo id,title,colour,type,price,split
        row=0
        for type in "$@"; do
            for colour in red green blue black; do
                for split in train train train train test; do
                    row=$((row + 1))
                    echo "$type-$colour-$row,a $colour thing,$colour,$type,$row.5,$split"
                done
            done
        done
    } >"$file.csv"
    import "$file"
}
import() {
    "$program" import "$1.csv" --id id --text title --label colour,type \
        --number price --split split --out "$1.h5" --quiet >/dev/null
}
cat >words.yaml <<'END'
name: words
data: {catalog: shop.h5, image_size: 16}
tokenizer: {context: 8, min_count: 1}
fields:
  kind: {label: type}
  cost: {number: price}
model:
  embed_dim: 8
  image: {tower: cnn, widths: [8]}
  text: {tower: bag, width: 8}
tasks:
  find:
    query: "{colour} {type}"
    product_fields: [title, kind, cost]
    relevant_by: [colour, type]
    allow_leak: true
train: {epochs: 3, batch_size: 16, threads: 1, loader_threads: 1}
eval: {bootstrap: 10, matching: {enabled: false}}
END
train() {
    "$program" train words.yaml --quiet "$@"
}
search() {
    "$program" search "$@" --quiet --json
}
ids() {
    sed -n 's/.*"id": "\(.*\)",/\1/p' output
}
# counts FILE FIELD: rows, missing and unknown of a field in a report.
counts() {
    sed -n '/"fields"/,$p' "$1" | sed -n "/\"$2\": {/,/}/s/.*: \([0-9]*\),*$/\1/p" | tr '\n' ' '
}
# counted FILE FIELD EXPECTED
counted() {
    got=$(counts "$1" "$2")
    if [ "$got" = "$3 " ]; then ok; else bad "$1: $2 counts '$got', not '$3'"; fi
}

# ---- labels and numbers ----
shop shop mug chair lamp
expect "trains" 0 train
expect "evaluates" 0 "$program" eval runs/words --quiet
counted runs/words/report.json kind "12 0 0"
counted runs/words/report.json cost "12 0"
check "in words" 0 "| kind | 12 | 0 | 0 |" cat runs/words/report.md
expect "searches" 0 search runs/words --text "red mug" --top 12
ids >found
check "exports" 0 "field_1_kind.pt field_2_cost.pt" sh -c \
    "'$program' export runs/words --format torchscript --out bundle --quiet >/dev/null && cd bundle && echo field_*"
expect "exports weights" 0 "$program" export runs/words --format safetensors --out weights
expect "a bucketised number" 0 train name=buckets fields.cost.form=bucketised

# Another catalog gives its names other ids; a field goes by the name.
{
    head -n 1 shop.csv
    tail -n +2 shop.csv | sort -r
} >turned.csv
import turned
expect "other ids" 0 search runs/words --text "red mug" --top 12 --data turned.h5
if ids | cmp -s - found && [ -s found ]; then
    ok
else
    bad "products are found by the ids of labels"
    ids
fi
shop other sofa mug vase lamp
expect "unknown names" 0 "$program" eval runs/words --quiet --data other.h5 --out other.json
counted other.json kind "16 0 8"
sed -e 's/,mug,/,,/' -e 's/,[0-9]*\.5,test/,,test/' shop.csv >gaps.csv
import gaps
expect "gaps" 0 "$program" eval runs/words --quiet --data gaps.h5 --out gaps.json
counted gaps.json kind "12 4 0"
counted gaps.json cost "12 12"

# What cannot be.
"$program" import shop.csv --id id --text title --label colour --split split \
    --out less.h5 --quiet >/dev/null
check "no label column" 4 \
    "diptych train: fields.kind: no label column 'type' in 'less.h5' (it has 'colour')" \
    train name=no --data less.h5 'tasks.find.query={colour}' tasks.find.relevant_by=colour
check "a label with a template" 2 \
    "words.yaml:5: field 'kind' is a label or a number: it has no template, word_dropout or damage" \
    train name=no fields.kind.word_dropout=0.1
check "a label that is a number" 2 \
    "words.yaml:5: field 'kind' is a label and a number: make it two" \
    train name=no fields.kind.number=price
absent runs/no

# ---- distances ----
expect "euclidean" 0 train name=far model.similarity=euclidean
check "said in the report" 0 "- similarity: euclidean" sh -c \
    "'$program' eval runs/far --quiet >/dev/null && cat runs/far/report.md"
expect "finds the nearest" 0 search runs/far --text "red mug" --top 3
if [ "$(grep -c '"score": -' output)" -eq 3 ]; then ok; else bad "scores are no distances"; cat output; fi
check "exported as what it is" 0 '  "similarity": "minus the squared distance of the rows",' sh -c \
    "'$program' export runs/far --format torchscript --out far --quiet >/dev/null && cat far/preprocessing.json"

# ---- ranking again ----
expect "classifier" 0 train name=match model.match.hidden=8
expect "evaluates without it" 0 "$program" eval runs/match --quiet
if grep -q '"rerank"' runs/match/report.json; then bad "re-ranked unasked"; else ok; fi
expect "evaluates with it" 0 "$program" eval runs/match --quiet eval.rerank=5
check "in the report" 0 '"n": 5,' sh -c \
    "sed -n '/\"rerank\"/,\$s/^ *\\(\"n\": .*\\)/\\1/p' runs/match/report.json"
check "in words again" 0 "### What re-ranking adds" cat runs/match/report.md
expect "plain search" 0 search runs/match --text "red mug" --top 10
ids >plain
expect "search again" 0 search runs/match --text "red mug" --top 10 --rerank 6
ids >again
grep -o '"match": [0-9.e-]*' output | cut -d' ' -f2 >chances
if [ "$(wc -l <chances)" -eq 6 ] && sort -rgc chances 2>/dev/null; then
    ok
else
    bad "the first 6 are not in the classifier's order"
    cat output
fi
if ! cmp -s plain again &&
    [ "$(head -n 6 plain | sort)" = "$(head -n 6 again | sort)" ] &&
    [ "$(tail -n 4 plain)" = "$(tail -n 4 again)" ]; then
    ok
else
    bad "re-ranking is no reordering of the first 6"
    diff plain again
fi
expect "exports" 0 "$program" export runs/match --format safetensors --out matches --quiet
check "search without a classifier" 2 \
    "diptych search: no match classifier in 'runs/words' to re-rank with: train it with model.match.hidden" \
    "$program" search runs/words --text mug --rerank 5 --quiet
check "evaluation without a classifier" 2 \
    "diptych eval: command line: 'eval.rerank' needs a match classifier: set model.match.hidden" \
    "$program" eval runs/words --quiet eval.rerank=5 --out no.json
check "no number of products" 2 \
    "diptych search: --rerank: '0' is no number from 1 to 100000" \
    "$program" search runs/match --text mug --rerank 0
check "part of what the classifier reads" 2 \
    "diptych search: --dim 4 and re-ranking: the match classifier reads all 8 numbers of an embedding" \
    "$program" search runs/match --text mug --rerank 5 --dim 4 --quiet
check "part of what the classifier ranks by" 2 \
    "diptych eval: --dim 4 and re-ranking: the match classifier reads all 8 numbers of an embedding" \
    "$program" eval runs/match --quiet eval.rerank=5 --dim 4 --out no.json
absent no.json
summary
