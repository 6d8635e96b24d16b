#!/bin/sh
# `diptych soup`: runs that fit together are averaged into a run that eval and
# export take; those that do not are told apart.
# usage: tests/cli/soup.sh BUILD/diptych
. "$(dirname "$0")/common"
config=$here/tiny.yaml

train() {
    "$program" train "$config" --quiet train.epochs=2 "$@"
}
soup() {
    "$program" soup "$@"
}
weights() {
    sha256sum <"runs/$1/checkpoints/best/model.safetensors"
}
same() {
    if [ "$2" = "$3" ] && [ -n "$2" ]; then ok; else bad "$1 differ"; fi
}
# value EXPRESSION: of the recipe of runs/greedy, `soup`.
value() {
    python3 -c "
import json
soup = json.load(open('runs/greedy/run.json'))['soup']
print($1)"
}

"$program" synth --quiet --rows 300 --seed 1 --size 32 --out a.h5 >/dev/null 2>&1
expect "a" 0 train name=a
expect "b" 0 train name=b train.lr=1e-3
expect "c" 0 train name=c seed=3 train.epochs=1

# Recipes.
check "uniform" 0 "soup: runs/uniform" soup --out runs/uniform runs/a runs/b runs/c
expect "eval takes it" 0 "$program" eval runs/uniform --quiet
expect "export takes it" 0 "$program" export runs/uniform --out bundle --format safetensors
check "greedy" 0 "soup: runs/greedy" soup --greedy --out runs/greedy runs/a runs/b runs/c
check "its value is the best" 0 "True" value \
    "soup['value'] >= max(run['value'] for run in soup['runs'])"
check "the best is in it" 0 "True" value \
    "max(soup['runs'], key=lambda run: run['value'])['chosen']"
expect "one alone" 0 soup --out runs/one runs/a
same "weights of a soup of one" "$(weights a)" "$(weights one)"
expect "all of it" 0 soup --out runs/all --interpolate 1 runs/a
same "weights at 1" "$(weights a)" "$(weights all)"
expect "half" 0 soup --out runs/half --interpolate 0.5 runs/a
expect "nothing" 0 soup --out runs/start --interpolate 0 runs/a
expect "nothing of another" 0 soup --out runs/start_b --interpolate 0 runs/b
same "initial weights" "$(weights start)" "$(weights start_b)"
if [ "$(weights half)" != "$(weights a)" ] &&
    [ "$(weights half)" != "$(weights start)" ]; then
    ok
else
    bad "half-way is one of the ends"
fi

# arithmetic MADE WEIGHT RUN...: its weights are the sum of those of the runs
# times WEIGHT, up to the rounding of single precision.
cat >arithmetic.py <<'END'
import array, json, struct, sys
def load(run):
    data = open(f"runs/{run}/checkpoints/best/model.safetensors", "rb").read()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    body = data[8 + size:]
    return {name: array.array("f", body[slice(*t["data_offsets"])])
            for name, t in header.items() if name != "__metadata__"}
made, weight = load(sys.argv[1]), float(sys.argv[2])
parts = [load(run) for run in sys.argv[3:]]
assert made and all(part.keys() == made.keys() for part in parts)
gap = max(abs(weight * sum(part[name][i] for part in parts) - value)
          / max(1, abs(value))
          for name, values in made.items() for i, value in enumerate(values))
sys.exit(gap > 1e-6)
END
arithmetic() {
    python3 arithmetic.py "$@"
}
expect "half is the mean of both ends" 0 arithmetic half .5 a start
expect "which is not a alone" 1 arithmetic half 1 a
expect "uniform is the mean of all" 0 arithmetic uniform .333333333333 a b c
expect "from a" 0 train name=tuned init.model=runs/a
expect "nothing of tuned" 0 soup --out runs/back --interpolate 0 runs/tuned
same "the weights it began with" "$(weights a)" "$(weights back)"
expect "a quarter" 0 soup --out runs/quarter --interpolate 0.25 runs/tuned
expect "counts a three times" 0 arithmetic quarter .25 tuned a a a

# Averaged weights are what is taken, and what is made.
expect "with averages" 0 train name=ema train.ema.decay=0.9
expect "soup of averages" 0 soup --out runs/averages runs/ema
same "averages" "$(sha256sum <runs/ema/checkpoints/best/ema.safetensors)" \
    "$(sha256sum <runs/averages/checkpoints/best/ema.safetensors)"
expect "eval of averages" 0 "$program" eval runs/averages --quiet

# What does not fit.
expect "wider" 0 train name=wide model.embed_dim=24
check "another width" 4 \
    "diptych soup: run 'runs/wide' does not fit: it has 'embed_dim: 24', 'runs/a' has 'embed_dim: 16'" \
    soup --out runs/no runs/a runs/wide
expect "other texts" 0 train name=texts fields.title.damage.first_words=1
check "another text" 4 \
    "diptych soup: run 'runs/texts' does not fit: it has 'first_words: 1', 'runs/a' has 'first_words: 0'" \
    soup --out runs/no runs/a runs/texts
check "another start" 4 \
    "diptych soup: run 'runs/c' does not fit: it has 'seed: 3', 'runs/a' has 'seed: 0'" \
    soup --out runs/no --interpolate 0.5 runs/a runs/c
check "no such run" 4 "diptych soup: no run directory 'runs/none'" \
    soup --out runs/no runs/a runs/none
check "never over a run" 3 "diptych soup: 'runs/a' exists already" \
    soup --out runs/a runs/b
absent runs/no

# The command line.
check "no run" 2 "diptych soup: a run is missing" soup --out runs/no
check "no place" 2 "diptych soup: --out DIR is missing" soup runs/a
check "alpha" 2 "diptych soup: --interpolate '2' is no number from 0 to 1" \
    soup --out runs/no --interpolate 2 runs/a
check "no resume" 4 \
    "diptych train: cannot open 'runs/uniform/checkpoints/latest/optimizer.safetensors': No such file or directory" \
    train name=uniform --resume
summary
