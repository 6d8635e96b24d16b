#!/bin/sh
# Bad and odd user-item graphs: each ends in one clear line, or does what
# docs/importing.md says.
# usage: tests/cli/graphs.sh BUILD/diptych
. "$(dirname "$0")/common"

cat >t.yaml <<'END'
task: recommendation
name: t
graph: {dim: 4}
train: {epochs: 2, batch_size: 4, threads: 1, log_every: 1}
eval: {k: [2], bootstrap: 10}
END
import() { # import NAME [OPTION...]: of NAME.txt
    file=$1
    shift
    "$program" import graph "$file.txt" --out "$file.h5" --quiet "$@"
}
train() { # train NAME [KEY=VALUE...]: on NAME.h5
    run=$1
    shift
    "$program" train t.yaml --quiet data.catalog="$run.h5" name="$run" "$@"
}
recommend() {
    "$program" recommend "$@"
}

# ---- lines that are wrong ----
# refused FORM LINE MESSAGE: as the second line of a file; nothing is left.
refused() {
    printf '3 4\n%b\n' "$2" >wrong.txt
    check "$2" 4 "diptych import graph: $3" import wrong --form "$1"
    absent wrong.h5 wrong.manifest.json
}
refused lists '-1 2' "wrong.txt:2: not a whole number from 0 on: '-1'"
refused lists '1 -2' "wrong.txt:2: not a whole number from 0 on: '-2'"
refused lists '1.5 2' "wrong.txt:2: not a whole number from 0 on: '1.5'"
refused lists '1,2' "wrong.txt:2: not a whole number from 0 on: '1,2'"
refused lists '1 9223372036854775808' \
    "wrong.txt:2: a number beyond 63 bits: '9223372036854775808'"
refused lists '1 2\0000' "wrong.txt:2: a NUL byte"
refused pairs '1' "wrong.txt:2: a user without an item: ''"
refused pairs '1 2 3 4' "wrong.txt:2: a fourth field: '4'"
refused pairs '1 2 x' "wrong.txt:2: not a weight from 0 on: 'x'"
refused pairs '1 2 -3' "wrong.txt:2: not a weight from 0 on: '-3'"
refused pairs '1 2 nan' "wrong.txt:2: not a weight from 0 on: 'nan'"

# ---- files without anything ----
: >empty.txt
printf '1\n2\n\n' >users.txt
printf '1 2\n' >some.txt
for file in empty users; do
    check "$file" 4 "diptych import graph: no interaction in '$file.txt'" \
        import $file
    absent $file.h5
done
check "an empty test file" 4 "diptych import graph: no interaction in 'empty.txt'" \
    import some --test empty.txt
check "no such file" 3 \
    "diptych import graph: cannot open 'none.txt': No such file or directory" \
    import none

# ---- numbers beyond 32 bits, and up to 63 ----
cat >wide.txt <<'END'
4294967296 9223372036854775807 5
4294967297 5 9223372036854775807
4294967298 77
END
expect "wide" 0 import wide
expect "wide trains" 0 train wide
check "items keep their numbers" 0 "5,9223372036854775807," sh -c \
    "'$program' recommend runs/wide --user 4294967298 |
        awk 'NR > 2 { print \$2 }' | sort | tr '\\n' ,; echo"
check "an unknown user" 4 "diptych recommend: no user '4294967299' in 'wide.h5'" \
    recommend runs/wide --user 4294967299
check "cut to 32 bits it is another" 4 "diptych recommend: no user '0' in 'wide.h5'" \
    recommend runs/wide --user 0

# ---- an interaction twice counts once ----
printf '1 2\n1 3\n2 3\n2 4\n' >once.txt
printf '1 2 2\n1 3\n2 3\n2 4 4 4\n1 2\n' >twice.txt
for file in once twice; do
    expect "$file" 0 import $file
    expect "$file trains" 0 train $file
done
if [ -n "$(losses once)" ] && [ "$(losses once)" = "$(losses twice)" ]; then
    ok
else
    bad "what stands there twice changes the training"
fi

# ---- users and items of the test split alone ----
printf '1 7\n3\n' >few.txt
printf '1 8\n2 7 9\n' >later.txt
expect "few" 0 import few --test later.txt
expect "few trains" 0 train few
expect "few is evaluated" 0 "$program" eval runs/few --quiet
check "of a user whom only the test knows" 0 \
    "diptych recommend: warning: user '2' has no interactions in the training: this is for the mean of all users" \
    recommend runs/few --user 2
check "of a user without anything" 0 \
    "diptych recommend: warning: user '3' has no interactions in the training: this is for the mean of all users" \
    recommend runs/few --user 3
expect "more than there are" 0 recommend runs/few --all --top 50 --out all.csv
check "all that each has not had" 0 8 sh -c "grep -c , all.csv | awk '{print \$1 - 1}'"
check "no validation" 4 \
    "diptych eval: 'few.h5' has no interactions of the split 'val'" \
    "$program" eval runs/few --quiet --split val

# ---- nothing to learn ----
printf '1 7 8\n2 8 7\n' >full.txt
expect "full" 0 import full
check "all had by all" 4 \
    "diptych train: nothing to learn from: all users have had all items" \
    train full
printf '1 7 8 9\n2 8 7\n' >nearly.txt
expect "nearly" 0 import nearly
expect "a user who has had all is left out" 0 train nearly
check "he has nothing left" 0 "rank  item  score" recommend runs/nearly --user 1
printf 'user,sku,split\na,x,test\n' >log.csv
printf 'id,title\nx,a hat\ny,a cap\n' >shop.csv
expect "a shop" 0 "$program" import shop.csv --id id --text title --out shop.h5 --quiet
check "no behaviour" 4 \
    "diptych train: 'shop.h5' has no interactions: \`diptych import\` adds them" \
    train shop
expect "behaviour of the test" 0 "$program" import interactions log.csv \
    --into shop.h5 --user user --id sku --split split --quiet
check "no training behaviour" 4 \
    "diptych train: nothing to learn from: the train split has no interactions" \
    train shop

# ---- a run meets another catalog ----
check "another catalog" 4 \
    "diptych recommend: catalog 'once.h5' is not the one that 'runs/few' was begun with" \
    recommend runs/few --user 1 --data once.h5
check "a catalog that is gone" 4 \
    "diptych recommend: no catalog 'none.h5': there is no manifest 'none.manifest.json'" \
    recommend runs/few --user 1 --data none.h5

summary
