#!/bin/sh
# Exit codes and messages of `diptych import`, `inspect`, `audit` and `synth`.
# usage: tests/cli/catalog.sh BUILD/diptych (or BUILD/diptych-catalog)
. "$(dirname "$0")/common"

printf 'id,title,kind,price,split\n1,Red mug,mug,9.50,train\n2,"Blue ""mug""",mug,,test\n' >good.csv
printf 'id,title,split\n1,a,train\n1,b,train\n3,c,dev\n' >bad.csv
printf 'id,title\n1,"a\n' >open.csv
printf 'query,id,grade\nmug,1,3\nmug,9,1\n' >log.csv

check "no table" 2 "diptych import: no table is named" \
    "$program" import --out x.h5
check "no output" 2 "diptych import: --out is missing" \
    "$program" import good.csv
check "wrong output" 2 "diptych import: --out: 'x.db' does not end in .h5" \
    "$program" import good.csv --out x.db
check "wrong store" 2 \
    "diptych import: --store: 'raw' is neither encoded nor pixels:N" \
    "$program" import good.csv --out x.h5 --store raw
check "wrong number" 2 \
    "diptych import: --store: '0' is no number from 1 to 4096" \
    "$program" import good.csv --out x.h5 --store pixels:0
check "wrong ratio" 2 \
    "diptych import: --split-ratio: '80/20' is not like 80/10/10" \
    "$program" import good.csv --out x.h5 --split-ratio 80/20
check "ratio and split" 2 \
    "diptych import: --split and --split-ratio exclude each other" \
    "$program" import good.csv --out x.h5 --split split --split-ratio 8/1/1
check "missing table" 4 \
    "diptych import: cannot open 'none.csv': No such file or directory" \
    "$program" import none.csv --out x.h5
check "unknown column" 4 \
    "diptych import: no column 'titel' in 'good.csv' (did you mean 'title'?); columns: id, title, kind, price, split" \
    "$program" import good.csv --text titel --out x.h5
check "open quote" 4 "diptych import: open.csv:2: quote is not closed" \
    "$program" import open.csv --text title --out x.h5
check "duplicate id" 4 "bad.csv:3: id '1': stands on line 2 already" \
    "$program" import bad.csv --id id --text title --split split --out x.h5
check "wrong split" 4 \
    "bad.csv:4: id '3': 'split' is 'dev', none of train, val and test" \
    "$program" import bad.csv --id id --text title --split split --out x.h5
check "verdict" 4 \
    "diptych import: 2 of 3 rows in 'bad.csv' are bad (--skip-bad leaves them out)" \
    "$program" import bad.csv --id id --text title --split split --out x.h5
absent x.h5 x.manifest.json
check "skipped" 0 "2 bad rows: 1 duplicate id, 1 wrong split" \
    "$program" import bad.csv --id id --text title --split split --out s.h5 \
    --skip-bad
check "no folder" 3 "diptych import: no folder of images 'none'" \
    "$program" import good.csv --image '{id}.jpg' --images none --out x.h5
check "missing image" 4 \
    "good.csv:2: id '1': cannot open '1.jpg': No such file or directory" \
    "$program" import good.csv --id id --image '{id}.jpg' --out x.h5
"$program" import good.csv --id id --text title --label kind --number price \
    --split split --out good.h5 >/dev/null 2>&1
check "rows" 0 "rows         2 (train 1, val 0, test 1) in 2 groups" \
    "$program" inspect good.h5
check "sample" 0 '  title            Blue "mug"' "$program" inspect good.h5
check "inspect as JSON" 0 '  "schema": "diptych-inspect/1",' \
    "$program" inspect --json good.h5
check "audit as JSON" 0 '  "schema": "diptych-audit/1",' \
    "$program" audit --json good.h5
check "unknown item" 4 "log.csv:3: id '9': not in 'good.h5'" \
    "$program" import judgements log.csv --into good.h5 --grade grade
check "judgements" 0 "1 bad row: 1 unknown id" \
    "$program" import judgements log.csv --into good.h5 --grade grade --skip-bad
check "judgements are there" 0 "judgements   1 of 1 queries" \
    "$program" inspect good.h5
check "no idx files" 3 \
    "diptych import fashion-mnist: no file './train-images-idx3-ubyte' or './train-images-idx3-ubyte.gz'" \
    "$program" import fashion-mnist . --out x.h5
check "no catalog" 4 "diptych inspect: no catalog 'none.h5': there is no manifest 'none.manifest.json'" \
    "$program" inspect none.h5
check "stray word" 2 "diptych synth: nothing is known about 'x'" \
    "$program" synth x --out x.h5
check "file beyond the limit" 3 \
    "diptych synth: cannot write a temporary file: File too large" \
    sh -c 'ulimit -f 40; exec "$@"' - "$program" synth --quiet --rows 300 --out big.h5
absent big.h5
"$program" synth --quiet --rows 300 --size 32 --out a.h5 >/dev/null 2>&1
check "clean audit" 0 "a.h5: 300 rows; errors 0, warnings 0, notes 2" \
    "$program" audit --quiet --strict a.h5
check "no columns" 0 "diptych import: warning: the catalog holds ids alone: --text, --image, --label and --number choose columns" \
    "$program" import good.csv --id id --out ids.h5
printf 'title,split\nsame,train\nsame,test\nother,train\n' >leak.csv
"$program" import leak.csv --text title --split split --out leak.h5 \
    >/dev/null 2>&1
check "leak" 4 \
    "error    title: rows whose text is in several splits: 2 (1 distinct)" \
    "$program" audit --strict leak.h5
absent x.h5 x.manifest.json

summary
