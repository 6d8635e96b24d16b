#!/bin/sh
# report.html of `diptych eval`: there unless unwanted, well-formed, sealed,
# small, and the same bytes each time; foreign text stays text. What needs a
# browser is in tests/parity/check_html.py.
# usage: tests/cli/html.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$here/html_page.py" "$here/hostile.py" "$folder"

# Products whose names are markup.
python3 hostile.py
expect "imports" 0 "$program" import items.tsv --images photos \
    --image '{id}.png' --id id --text title --label type,colour --split split \
    --group title --out a.h5 --quiet
expect "trains" 0 "$program" train tiny.yaml --run runs/x --quiet
expect "evaluates" 0 "$program" eval runs/x --quiet
present runs/x/report.html
check "page" 0 "well-formed, 3 kinds of galleries, all photos inside" \
    python3 html_page.py runs/x/report.html
expect "hostile names are there" 0 grep -q "&lt;script&gt;alert" runs/x/report.html
mv runs/x/report.html first.html
expect "evaluates again" 0 "$program" eval runs/x --quiet
expect "the same bytes" 0 cmp first.html runs/x/report.html

# ---- without ----
for choice in --no-html eval.html=false; do
    rm -f runs/x/report.html
    expect "$choice" 0 "$program" eval runs/x "$choice" --quiet
    absent runs/x/report.html
    check "$choice leaves out what only the page shows" 0 "True" \
        python3 -c 'import json
report = json.load(open("runs/x/report.json"))
print("training" not in report and "curve" not in report["matching"] and not any(
    set(task) & {"curve", "scores", "examples"}
    for task in report["retrieval"].values()))'
done
check "eval.gallery=0: curves, but no galleries" 0 "True" sh -c \
    "'$program' eval runs/x eval.gallery=0 --quiet >/dev/null &&
     python3 -c 'import json
tasks = json.load(open(\"runs/x/report.json\"))[\"retrieval\"].values()
print(all(\"curve\" in t and \"examples\" not in t for t in tasks))'"
rm runs/x/log.jsonl
expect "a run without its log" 0 "$program" eval runs/x --quiet --out x.json
present x.html
summary
