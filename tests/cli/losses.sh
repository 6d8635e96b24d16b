#!/bin/sh
# Every kind of loss from the command line, and the options that it refuses.
# usage: tests/cli/losses.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"

config() { # config KEY=VALUE...: only checks
    "$program" train tiny.yaml --check "$@"
}

"$program" synth --quiet --rows 300 --seed 1 --size 32 --queries 40 --out a.h5 \
    >/dev/null 2>&1

for kind in infonce supcon siglip triplet gcl; do
    expect "$kind trains" 0 "$program" train tiny.yaml --quiet --run "$kind" \
        loss.kind=$kind train.epochs=1 loss.queue=50 'loss.matryoshka=[16, 8]' \
        model.heads.type.class_weights=balanced
    check "$kind tells its terms" 0 yes sh -c \
        "grep -q '\"terms\":{\"tasks\":{\"text_to_image\":' $kind/log.jsonl && echo yes"
done

# A query of several fields.
mix() { # mix COMMAND...: photo and words search a title
    "$@" 'tasks.query_to_product.query_with=[image]' \
        'tasks.query_to_product.product_fields=[title]' \
        'tasks.query_to_product.query_weights=[0.8, 0.2]'
}
expect "several fields a side" 0 mix "$program" train tiny.yaml --quiet \
    --run fields train.epochs=1 loss.kind=gcl
expect "evaluates them" 0 "$program" eval fields --quiet --out fields.json
check "weights of other fields" 2 \
    "command line: 'tasks.text_to_image.query_weights' has 3 numbers, and 'query' and 'query_with' 2 fields" \
    config 'tasks.text_to_image.query_with=["{colour}"]' \
    'tasks.text_to_image.query_weights=[1, 2, 3]'
check "weights of one field" 2 \
    "command line: 'tasks.query_to_product.query_weights' has 2 numbers, and 'query' and 'query_with' 1 fields" \
    config 'tasks.query_to_product.query_weights=[1, 2]'
check "a field on both sides" 2 \
    "command line: 'image' is the query of task 'query_to_product' and cannot be part of its product" \
    config 'tasks.query_to_product.query_with=[image]' \
    'tasks.query_to_product.product_fields=[title, image]'
check "a field twice" 2 \
    "command line: 'tasks.text_to_image.query_with': a field twice" \
    config 'tasks.text_to_image.query_with=[title]'
check "queries by one text" 2 \
    "command line: 'tasks.query_to_product.query_with' and distinct_queries: queries of several fields are not told apart by one text" \
    mix config tasks.query_to_product.distinct_queries=true
check "fields of the log's queries" 2 \
    "command line: 'tasks.text_to_image.query_with': a query of the log has no other fields" \
    config 'tasks.text_to_image.query_with=[title]' \
    tasks.text_to_image.query=judgements \
    'tasks.text_to_image.relevant_by=[judgements]'

# A teacher's embeddings.
cp "$here/../golden/teacher.h5" E.h5
teach() { # teach RUN KEY=VALUE...
    run=$1
    shift
    "$program" train tiny.yaml --quiet --run "$run" train.epochs=1 \
        loss.distill.teacher=E.h5 "$@"
}
refuse() { # refuse NAME CODE MESSAGE KEY=VALUE...
    name=$1 code=$2 message=$3
    shift 3
    check "$name" "$code" "diptych train: $message" teach no "$@"
}
expect "learns from a teacher" 0 teach taught loss.queue=50
check "tells what of it" 0 yes sh -c \
    "grep -q '\"distill\":{\"text_to_image\":.*,\"query_to_product\":' taught/log.jsonl && echo yes"
check "notes the teacher" 0 "  \"teacher\": {" cat taught/run.json
refuse "no such embeddings" 4 \
    "task 'text_to_image': no 'embedding/photo' in 'E.h5'; there are: double, hole, image, none, product, query, title, wide" \
    tasks.text_to_image.teacher_product=photo
refuse "a hole" 4 \
    "task 'text_to_image': a number that is not finite in row 7, '00000183-1', of 'embedding/hole' in 'E.h5'" \
    tasks.text_to_image.teacher_query=hole
refuse "no float32" 4 \
    "task 'query_to_product': dataset 'embedding/double' of 'E.h5' is not float32" \
    tasks.query_to_product.teacher_query=double
refuse "widths" 4 \
    "task 'text_to_image': 'embedding/title' has 4 numbers and 'embedding/wide' 5 in 'E.h5', and they are to be compared" \
    tasks.text_to_image.teacher_product=wide
refuse "nothing in common" 4 \
    "task 'text_to_image': no row of the train split has both 'embedding/title' and 'embedding/none' in 'E.h5'" \
    tasks.text_to_image.teacher_product=none
refuse "another length" 4 \
    "task 'text_to_image': 'embedding/title' of 'E.h5' has 4 numbers and model.embed_dim is 16: only the loss.distill.kind 'kl' goes with that" \
    loss.distill.kind=cosine
"$program" synth --quiet --rows 310 --seed 1 --size 32 --out b.h5 >/dev/null 2>&1
refuse "rows that it does not know" 4 \
    "no row of '00000188-1' in 'E.h5', which lacks 6 of the 255 rows of the split 'train'" \
    data.catalog=b.h5
head -c 4000 E.h5 >cut.h5
refuse "half a file" 4 "not a readable HDF5 file: 'cut.h5'" loss.distill.teacher=cut.h5
refuse "no file" 3 "cannot open 'gone.h5': No such file or directory" \
    loss.distill.teacher=gone.h5
absent no
check "no teacher" 2 "command line: 'loss.distill' needs 'loss.distill.teacher'" \
    config loss.distill.weight=1
check "a task without a teacher" 2 \
    "command line: 'tasks.text_to_image.distill' needs 'loss.distill.teacher'" \
    config tasks.text_to_image.distill=true
check "temperature of rows" 2 \
    "command line: 'loss.distill.temperature' is for the kind 'kl'" \
    config loss.distill.teacher=E.h5 loss.distill.kind=mse loss.distill.temperature=1
check "queries of the log" 2 \
    "command line: 'tasks.text_to_image.distill': a teacher's rows are products, and the queries of the task are of the log" \
    config loss.distill.teacher=E.h5 tasks.text_to_image.distill=true \
    tasks.text_to_image.query=judgements \
    'tasks.text_to_image.relevant_by=[judgements]'
check "nothing to learn" 2 \
    "command line: no task to distil 'loss.distill.teacher' into" \
    config loss.distill.teacher=E.h5 tasks.text_to_image.distill=false \
    tasks.query_to_product.distill=false

# The first numbers of a run that was trained for it.
check "ranks by a part" 0 yes sh -c \
    "'$program' eval infonce --dim 8 --quiet --out part.json | grep -q 'by cosine of the first 8 of 16 numbers' && echo yes"
check "the part in the report" 0 "- of which rank the first: 8" cat part.md
expect "ranks by the whole" 0 "$program" eval infonce --dim 16 --quiet --out all.json
expect "ranks" 0 "$program" eval infonce --quiet --out plain.json
check "a part is another ranking" 0 differ sh -c \
    "cmp -s all.json plain.json && ! cmp -s part.json plain.json && echo differ"
expect "searches by a part" 0 "$program" search infonce --text shirt --dim 8 --quiet
check "more numbers than there are" 2 \
    "diptych eval: --dim 17 is above model.embed_dim, 16" \
    "$program" eval infonce --dim 17 --quiet --out no.json
absent no.json

check "unknown loss" 2 "command line: unknown loss 'clip'" config loss.kind=clip
check "option of another loss" 2 \
    "command line: loss.margin: not an option of 'siglip'" \
    config loss.kind=siglip loss.margin=1
check "steps that do not ascend" 2 \
    "command line: 'loss.score_steps' does not ascend" \
    config loss.kind=gcl loss.score_to_weight=piecewise \
    'loss.score_steps=[2, 1]' 'loss.step_weights=[1, 1]'
check "length above the embedding's" 2 \
    "command line: 'loss.matryoshka': 32 is above 'model.embed_dim', 16" \
    config 'loss.matryoshka=[32]'
check "queue and blocked" 2 \
    "command line: 'loss.queue' does not go with 'loss.blocked: on'" \
    config loss.queue=64 loss.blocked=on
check "queue of judged queries" 2 \
    "command line: 'loss.queue' needs keys that tell right answers among earlier rows, and task 'text_to_image' has judgements" \
    config loss.queue=64 tasks.text_to_image.query=judgements \
    'tasks.text_to_image.relevant_by=[judgements]'
check "cosine of distances" 2 \
    "command line: 'loss.distance: cosine' does not go with 'model.similarity: euclidean'" \
    config loss.kind=triplet loss.distance=cosine model.similarity=euclidean

summary
