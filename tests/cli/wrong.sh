#!/bin/sh
# Weights, vocabularies and vectors of others that are wrong: one clear line that
# names the file and the place in it, and no run.
# usage: tests/cli/wrong.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"
golden=$here/../golden

"$program" synth --quiet --rows 60 --seed 1 --size 16 --out a.h5 >/dev/null 2>&1
# refused NAME LINE KEY=VALUE...: before the run has a folder.
refused() {
    name=$1 line=$2
    shift 2
    check "$name" 4 "diptych train: $line" "$program" train tiny.yaml --quiet \
        name=no train.warmup_steps=0 "$@"
    absent runs/no
}

# ---- weights ----
# put FILE HEADER N: a safetensors file with N bytes of zeros behind the header.
put() {
    length=${#2}
    {
        printf "\\$(printf %03o $((length % 256)))\\$(printf %03o $((length / 256)))"
        printf '\000\000\000\000\000\000%s' "$2"
        head -c "$3" /dev/zero
    } >"$1"
}
# tensor NAME DTYPE SHAPE BEGIN END: an entry of a header.
tensor() {
    echo "\"$1\":{\"dtype\":\"$2\",\"shape\":$3,\"data_offsets\":[$4,$5]}"
}
# weights NAME LINE HEADER N: refused as the weights of the text tower.
weights() {
    put w.safetensors "$3" "$4"
    refused "$1" "init.text: $2" init.text=w.safetensors
}
table=text.token_embedding.weight
weights "no header" "header of 'w.safetensors', byte 6: '}' expected near end of file" \
    '{"a":1' 0
weights "offsets that overlap" "overlapping data of tensor 'b' in 'w.safetensors'" \
    "{$(tensor a F32 '[2]' 0 8),$(tensor b F32 '[1]' 4 8)}" 8
weights "a gap" "gap before the data of tensor 'b' in 'w.safetensors'" \
    "{$(tensor a F32 '[1]' 0 4),$(tensor b F32 '[1]' 8 12)}" 12
weights "offsets beyond the end" \
    "data_offsets that do not lie in the data of tensor 'a' in 'w.safetensors'" \
    "{$(tensor a F32 '[2]' 0 8)}" 7
weights "bytes of nobody" "3 bytes belong to no tensor at the end of 'w.safetensors'" \
    "{$(tensor a F32 '[2]' 0 8)}" 11
weights "a name twice" "header of 'w.safetensors', byte 57: duplicate object key near '\"a\"'" \
    "{$(tensor a F32 '[1]' 0 4),$(tensor a F32 '[1]' 4 8)}" 8
weights "a shape that overflows" "wrong shape of tensor 'a' in 'w.safetensors'" \
    "{$(tensor a F32 '[4294967296,4294967296]' 0 0)}" 0
weights "a shape of another size" \
    "data_offsets that do not fit dtype and shape of tensor 'a' in 'w.safetensors'" \
    "{$(tensor a F32 '[3]' 0 8)}" 8
weights "an unknown dtype" "unsupported dtype of tensor 'a' in 'w.safetensors'" \
    "{$(tensor a F4 '[8]' 0 4)}" 4
weights "a wrong dtype" "wrong dtype for '$table' in 'w.safetensors': I64" \
    "{$(tensor $table I64 '[1]' 0 8)}" 8
weights "a wrong shape" \
    "wrong shape for '$table' in 'w.safetensors': the file has [2, 16], the model has [57, 16]" \
    "{$(tensor $table F16 '[2,16]' 0 64)}" 64
printf '\0\0\0\0\0\0\0\200{}' >w.safetensors
refused "a header of 2^63 bytes" \
    "init.text: header of 9223372036854775808 bytes, more than 100000000, in 'w.safetensors'" \
    init.text=w.safetensors
printf '\0\1\0\0\0\0\0\0{}' >w.safetensors
refused "a header beyond the end" \
    "init.text: header of 256 bytes passes the end of 'w.safetensors'" init.text=w.safetensors
put w.safetensors "{$(tensor text.ln_final.bias F32 '[16]' 0 64)}" 60
printf '\377\377\377\377' >>w.safetensors
refused "no number" \
    "init.text: the values for 'text.ln_final.bias' in 'w.safetensors' are not all finite" \
    init.text=w.safetensors

# ---- vocabularies ----
words() { # words NAME LINE TEXT: refused as a vocab.txt
    printf "$3" >vocab.txt
    refused "$1" "$2" tokenizer.kind=wordpiece tokenizer.vocab=vocab.txt
}
words "an empty vocabulary" "no token '[PAD]' in 'vocab.txt'" ''
words "a token twice" "line 4 repeats token 1 in 'vocab.txt'" '[PAD]\na\nb\na\n'
words "an empty line" "line 2 is not a text of 1 to 1024 bytes in 'vocab.txt'" '[PAD]\n\nb\n'
words "no special token" "no token '[SEP]' in 'vocab.txt'" '[PAD]\n[UNK]\n[CLS]\nred\n'
words "bad bytes" "line 2 is malformed utf-8 in 'vocab.txt'" '[PAD]\na\377\n'
merges() { # merges NAME LINE TEXT
    printf "$3" >merges.txt
    refused "$1" "$2" tokenizer.kind=clip_bpe tokenizer.merges=merges.txt
}
merges "no version" "no '#version' in line 1 of 'merges.txt'" 'a b\n'
merges "a merge of one" "line 3 is not two tokens with a blank between in 'merges.txt'" '#version: 0.2\na b\nab\n'
merges "a merge of three" "line 2 is not two tokens with a blank between in 'merges.txt'" '#version: 0.2\na b c\n'
merges "a merge of what is not there" \
    "line 3 merges 'cd', which nothing before it makes, in 'merges.txt'" \
    '#version: 0.2\na b\nab cd\n'
merges "a merge twice" "line 3 repeats token 512 in 'merges.txt'" '#version: 0.2\na b\na b\n'
head -c 300 "$golden/subwords/merges.txt.gz" >merges.txt.gz
refused "packed merges that are cut" "'merges.txt.gz': gzip data end early" \
    tokenizer.kind=clip_bpe tokenizer.merges=merges.txt.gz
head -c 100000 "$golden/subwords/small.model" >cut.model
refused "a sentencepiece model that is cut" \
    "'cut.model': no sentencepiece model: damaged at byte 954" \
    tokenizer.kind=sentencepiece tokenizer.model=cut.model
refused "no sentencepiece model" "'tiny.yaml': no sentencepiece model: damaged at byte 0" \
    tokenizer.kind=sentencepiece tokenizer.model=tiny.yaml
put w.safetensors "{$(tensor $table F16 '[57,16]' 0 1824)}" 1824
refused "a vocabulary of another size" \
    "init.text: wrong shape for '$table' in 'w.safetensors': the file has [57, 16], the model has [76, 16]" \
    init.text=w.safetensors tokenizer.kind=sentencepiece \
    tokenizer.model="$golden/subwords/small.model"

# ---- vectors ----
head -c 250 "$golden/vectors/word2vec.bin" >cut.bin
refused "vectors that are cut" "'cut.bin' ends in word 9 of 10" model.text.vectors=cut.bin
printf '2 3\nred 1 2 3\nblue 1 nan 3\n' >nan.txt
refused "a vector of no numbers" "'nan' in line 3 of 'nan.txt' is no finite number" \
    model.text.vectors=nan.txt
printf '2 3\nred 1 2 3\nblue 1 2\n' >short.txt
refused "a short vector" "line 3 of 'short.txt' has not a word and 3 numbers" \
    model.text.vectors=short.txt
summary
