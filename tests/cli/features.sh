#!/bin/sh
# Features of frozen towers are computed once, come back for another run and a
# resumed one with the same bits, and are computed anew when they are damaged.
# usage: tests/cli/features.sh BUILD/diptych
. "$(dirname "$0")/common"
sed -e '/^augment:/,/^$/d' -e 's/word_dropout: 0.2/word_dropout: 0/' \
    "$here/tiny.yaml" >frozen.yaml

train() {
    "$program" train frozen.yaml 'freeze=[image,text]' "$@"
}
weights() {
    sha256sum <"runs/$1/checkpoints/latest/model.safetensors"
}
same() {
    if [ "$2" = "$3" ] && [ -n "$2" ]; then ok; else bad "$1 differ"; fi
}
"$program" synth --quiet --rows 300 --seed 1 --size 32 --out a.h5 >/dev/null 2>&1

expect "first" 0 train --quiet name=first train.feature_cache=kept
files=$(ls kept/features-*.safetensors | wc -l)
if [ "$files" -eq 3 ]; then ok; else bad "$files files of features"; fi
expect "stop" 8 train --quiet name=cut train.feature_cache=kept --stop-at 11
expect "go on" 0 train name=cut train.feature_cache=kept --resume
if grep -q '^features of photos: read from kept/features-' output; then
    ok
else
    bad "features were not read"
fi
same "weights of a resumed run" "$(weights first)" "$(weights cut)"
for file in kept/features-*; do
    printf 'A' | dd of="$file" bs=1 seek=$(($(wc -c <"$file") - 1)) \
        conv=notrunc 2>/dev/null
done
expect "damaged" 0 train --quiet name=again train.feature_cache=kept
if grep -q "features were changed: computed anew" output; then
    ok
else
    bad "damaged features were taken"
fi
same "weights after damage" "$(weights first)" "$(weights again)"
summary
