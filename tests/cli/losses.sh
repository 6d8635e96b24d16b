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
