#!/bin/sh
# `diptych import clicks` and `copurchases`: judgements of behaviour, and inputs
# that are refused.
# usage: tests/cli/judge.sh BUILD/diptych (or BUILD/diptych-catalog)
. "$(dirname "$0")/common"

printf 'id,title,split\n1,Red mug,train\n2,Blue mug,train\n3,Teapot,train\n4,Cup,val\n5,Bowl,val\n' >items.csv
"$program" import items.csv --id id --text title --split split --out a.h5 \
    >/dev/null 2>&1
clicks() {
    "$program" import clicks log.csv --into a.h5 "$@"
}
together() {
    "$program" import copurchases --into a.h5 "$@"
}
judgements() {
    "$program" inspect a.h5 | sed -n 's/^judgements *//p'
}
same() {
    if [ "$2" = "$3" ]; then ok; else bad "$1: '$2', not '$3'"; fi
}
printf 'query,id,event,rank\nmug,1,click,1\nmug,1,buy,1\nmug,2,click,3\nmug,2,view,3\nmug,4,view,2\ntea,3,click,1\n' >log.csv
weights="--event event --weights click=1,buy=5"

check "no such kind" 4 \
    "log.csv:5: id '2': 'event' is 'view', none of: click, buy" clicks $weights
check "verdict" 4 \
    "diptych import clicks: 2 of 6 rows in 'log.csv' are bad (--skip-bad leaves them out)" \
    clicks $weights
same "nothing was written" "$(judgements)" ""
expect "clicks" 0 clicks $weights --impression view --min-count 1
same "of impressions" "$(judgements)" "2 of 1 queries"
expect "sums" 0 clicks $weights,view=0
same "of sums" "$(judgements)" "3 of 2 queries"
check "rare" 0 "3 pairs were seen too seldom and are left out" \
    clicks $weights,view=0 --min-count 2
check "too rare" 4 \
    "diptych import clicks: none of 4 pairs of query and item in 'log.csv' was seen 9 times" \
    clicks $weights,view=0 --min-count 9
same "as before" "$(judgements)" "1 of 1 queries"
check "no weights" 2 "diptych import clicks: --event and --weights go together" \
    clicks --event event
check "no events" 2 "diptych import clicks: --impression without --event" \
    clicks --impression view
check "no number" 2 "diptych import clicks: --weights: 'click' is not like click=1" \
    clicks --event event --weights click
check "below 0" 2 \
    "diptych import clicks: --weights: '-1' is no number from 0 to 1e+06" \
    clicks --event event --weights click=-1
check "twice" 2 "diptych import clicks: the kind 'buy' is named twice" \
    clicks $weights --impression buy
check "grades" 2 \
    "diptych import clicks: --grades: 'best' is none of relative, absolute and rank" \
    clicks --grades best
check "full" 2 "diptych import clicks: --full is for --grades absolute" \
    clicks --full 3
check "whole" 2 "diptych import clicks: --whole: --scale is 2.5" \
    clicks --whole --scale 2.5
check "unknown column" 4 \
    "diptych import clicks: no column 'place' in 'log.csv'; columns: query, id, event, rank" \
    clicks --rank place
check "no table" 2 "diptych import clicks: no table is named" \
    "$program" import clicks --into a.h5

check "no behaviour" 4 \
    "diptych import copurchases: 'a.h5' has no interactions: \`diptych import interactions\` adds them" \
    together
printf 'user,id\nu,1\nu,2\nu,4\nv,1\nv,2\nv,4\nv,5\nw,1\nw,3\n' >had.csv
"$program" import interactions had.csv --into a.h5 >/dev/null 2>&1
check "of two users" 0 "2 queries, from 9 of 9 interactions" together
same "and own" "$(judgements)" "4 of 2 queries"
check "histories" 0 "1 histories are of more than 2 products: the last ones count" \
    sh -c 'printf "user,id\nu,1\nu,2\nu,3\nv,2\nv,3\n" >long.csv
        "$0" import interactions long.csv --into a.h5 >/dev/null
        "$0" import copurchases --into a.h5 --history 2' "$program"
check "no pair" 4 \
    "diptych import copurchases: no two products of a split that 7 users of 'a.h5' had" \
    together --min-users 7
same "as it was" "$(judgements)" "4 of 2 queries"
check "own below" 2 "diptych import copurchases: --own: 1 is below --scale, 3" \
    together --own 1
check "affinity" 2 \
    "diptych import copurchases: --affinity: 'pmi' is none of cosine, jaccard, confidence and npmi" \
    together --affinity pmi
check "stray word" 2 "diptych import copurchases: nothing is known about 'x'" \
    together x
check "no catalog" 2 "diptych import copurchases: --into is missing" \
    "$program" import copurchases
expect "unknown field" 4 together --query '{name}'
absent x.h5
summary
