#!/bin/sh
# Runs that start from weights: of another run, of a file, frozen, unlocked later
# or with adapters. What is said of tensors is said of their bytes in
# checkpoints/latest/model.safetensors.
# usage: tests/cli/pretrained.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"

train() {
    "$program" train tiny.yaml --quiet train.epochs=1 "$@"
}
weights() {
    echo "runs/$1/checkpoints/latest/model.safetensors"
}
# tensors FILE PATTERN: a digest of the bytes of each tensor whose name fits the
# regular expression of awk. A safetensors file begins with the length of its
# header in 8 bytes; the header says where behind it each tensor lies.
tensors() {
    length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    tail -c +9 "$1" | head -c "$length" | sed 's/},/}\n/g' |
        sed -n 's/^{*"\([^"]*\)":.*"data_offsets":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2 \3/p' |
        pattern=$2 awk '$1 ~ ENVIRON["pattern"]' | while read -r tensor begin end; do
        echo "$tensor $(tail -c +$((9 + length + begin)) "$1" |
            head -c $((end - begin)) | sha256sum)"
    done
}
# kept NAME RUN RUN PATTERN COUNT: so many tensors, all bit-equal.
kept() {
    tensors "$(weights "$2")" "$4" >one
    tensors "$(weights "$3")" "$4" >two
    if cmp -s one two && [ "$(wc -l <one)" -eq "$5" ]; then
        ok
    else
        bad "$1: not $5 equal tensors"
        diff one two
    fi
}
# changed NAME RUN RUN PATTERN: there are such tensors, none is equal.
changed() {
    tensors "$(weights "$2")" "$4" >one
    tensors "$(weights "$3")" "$4" >two
    if [ -s one ] && [ -s two ] && ! grep -qxFf one two; then
        ok
    else
        bad "$1: equal tensors"
        grep -xFf one two
    fi
}
# listed RUN PART COUNT: so many names are "matched" in its run.json.
listed() {
    got=$(sed -n "/\"$2\": {/,/}/s/.*\"matched\": \([0-9]*\),/\1/p" "runs/$1/run.json")
    if [ "$got" = "$3" ]; then ok; else bad "$1 matched '$got', not $3"; fi
}

"$program" synth --quiet --rows 300 --seed 1 --size 32 --out a.h5 >/dev/null 2>&1
expect "first" 0 train name=first
first=runs/first/checkpoints/best/model.safetensors

# ---- what a run starts with ----
# Without a learning rate, and with the running statistics of the batch norms
# frozen, a run ends with the weights that it began with.
expect "whole model" 0 train name=whole seed=5 train.lr=0 'freeze=[image]' \
    init.model=runs/first
if cmp -s "$(weights whole)" "$(weights first)"; then
    ok
else
    bad "a run does not start with the weights that init.model names"
fi
listed whole model 32
expect "towers" 0 train name=towers seed=5 train.lr=0 'freeze=[image]' \
    init.image=$first init.text=runs/first
kept "towers" towers first '^(image|text)[._]' 28
changed "what was not asked for" towers first '^heads.type.weight$'
listed towers image 11
listed towers text 17
check "listing" 0 "     32  matched" "$program" train tiny.yaml train.epochs=1 \
    name=listed init.model=runs/first
expect "evaluates" 0 "$program" eval runs/towers --quiet

# ---- what a run does not start with ----
header='{"other.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
{
    printf 'A\0\0\0\0\0\0\0' # 65 bytes of header
    printf '%s\0\0\0\0' "$header"
} >other.safetensors
head -c 5000 $first >cut.safetensors
head -c 7 $first >stump.safetensors
check "nothing matched" 4 \
    "diptych train: init.image: nothing in 'other.safetensors' is a weight of this model's image: it begins with 'other.weight'" \
    train name=no init.image=other.safetensors
check "wrong shape" 4 \
    "diptych train: init.text: wrong shape for 'text.token_embedding.weight' in '$first': the file has [63, 16], the model has [63, 24]" \
    train name=no init.text=runs/first model.text.width=24
check "cut file" 4 \
    "diptych train: init.model: data_offsets that do not lie in the data of tensor 'image.stages.1.conv.weight' in 'cut.safetensors'" \
    train name=no init.model=cut.safetensors
check "stump" 4 \
    "diptych train: init.model: only 7 bytes, too few for a header, in 'stump.safetensors'" \
    train name=no init.model=stump.safetensors
check "no file" 4 \
    "diptych train: init.model: cannot open 'runs/none': No such file or directory" \
    train name=no init.model=runs/none
check "freezes nothing" 2 \
    "diptych train: freeze: no parameter fits 'imag': the towers are image and text, a name is 'image.stages.0.conv.weight'" \
    train name=no 'freeze=[imag]'
check "adapts nothing" 2 \
    "diptych train: lora.targets: no matrix of a tower fits 'head'" \
    train name=no lora.rank=2 'lora.targets=[head]'
check "adapts one of two" 2 \
    "diptych train: lora.targets: no matrix of a tower fits 'text.atn*'" \
    train name=no lora.rank=2 'lora.targets=[text.*,text.atn*]'
check "trains nothing besides" 2 \
    "diptych train: lora.train: no parameter of a tower fits 'image.nrom*'" \
    train name=no lora.rank=2 'lora.train=[image.nrom*]'
absent runs/no

# ---- frozen, and unlocked later ----
expect "frozen" 0 train name=frozen init.model=runs/first 'freeze=[image, text.token_embedding.*]'
kept "a frozen tower" frozen first '^image\.' 10
kept "a frozen table" frozen first '^text\.token_embedding\.' 1
changed "what is trained" frozen first '^(text_projection.weight|text\.transformer\..*weight)'
expect "unlocked" 0 train name=unlocked init.model=runs/first 'freeze=[image]' train.unlock_after=4
changed "an unlocked tower" unlocked first '^image\.'
expect "unlocked too late" 0 train name=late init.model=runs/first 'freeze=[image]' train.unlock_after=7
kept "a tower before its time" late first '^image\.' 10
check "norms that will see parts" 0 \
    "diptych: warning: train.grad_cache is 8: batch norms see so many rows, not the 32 of a batch" \
    train name=inparts init.model=runs/first 'freeze=[image]' train.unlock_after=4 train.grad_cache=8
changed "a tower unlocked in parts" inparts first '^image\.'
expect "norms that never see parts" 0 \
    train name=frozenparts init.model=runs/first 'freeze=[image]' train.grad_cache=8
if grep -q "batch norms" output; then bad "a warning of frozen norms"; else ok; fi

# ---- adapters ----
lora() {
    train lora.rank=2 lora.dropout=0.1 init.model=runs/first "$@"
}
matrices='^text\.transformer\..*(in_proj_weight|out_proj\.weight|c_fc\.weight|c_proj\.weight)$'
expect "adapters" 0 lora name=lora
kept "adapted matrices" lora first "$matrices" 4
tensors "$(weights lora)" 'lora_[ab]$' >adapters
if [ "$(wc -l <adapters)" -eq 8 ]; then ok; else bad "adapters: $(cat adapters)"; fi
expect "stop" 8 lora name=cut --stop-at 3
changed "adapters that are trained" cut lora 'lora_[ab]$'
expect "go on" 0 lora name=cut --resume
if cmp -s "$(weights lora)" "$(weights cut)"; then
    ok
else
    bad "a resumed run has other adapters"
fi
check "other rank" 4 \
    "diptych train: wrong shape of 'text.transformer.resblocks.0.attn.in_proj_weight.lora_a' in 'runs/cut/checkpoints/latest/model.safetensors': the file has [2, 16], the model has [3, 16]" \
    lora name=cut --resume lora.rank=3
expect "evaluates adapters" 0 "$program" eval runs/lora --quiet
check "exports adapters" 0 "bundle: verified on 22 rows" \
    "$program" export runs/lora --format safetensors --out bundle
tensors bundle/model.safetensors . >exported
if [ "$(wc -l <exported)" -eq 32 ] && ! grep -q lora exported; then
    ok
else
    bad "adapters were not merged: $(cut -d' ' -f1 exported)"
fi
tensors bundle/model.safetensors "$matrices" >merged
tensors "$(weights lora)" "$matrices" >unmerged
if [ "$(grep -cvxFf unmerged merged)" -eq 4 ]; then
    ok
else
    bad "the matrices of the export are those without adapters"
fi
summary
