#!/bin/sh
# Exit codes and messages of `diptych train`, `eval`, `search` and `export`:
# every fault ends in one clear line that names the file, row or key, and leaves
# nothing half-written.
# usage: tests/cli/model.sh BUILD/diptych
. "$(dirname "$0")/common"
cp "$here/tiny.yaml" "$folder"

config() { # config KEY=VALUE...: only checks
    "$program" train tiny.yaml --check "$@"
}
yaml() { # yaml FILE SED_SCRIPT: a variant of tiny.yaml
    sed "$2" tiny.yaml >"$1"
}

"$program" synth --quiet --rows 300 --seed 1 --size 32 --queries 40 --out a.h5 \
    >/dev/null 2>&1

# ---- configs ----
for file in "$here"/../../configs/*.yaml tiny.yaml; do
    case $file in
    */sweep-*) continue ;; # of `diptych sweep`: checked in sweep.sh
    esac
    check "$file" 0 yes sh -c \
        "'$program' train '$file' --check | grep -q '^config is right: ' && echo yes"
done
check "no config" 2 "diptych train: a config is missing" "$program" train
check "config not there" 3 \
    "cannot open 'none.yaml': No such file or directory" \
    "$program" train none.yaml
check "unknown key" 2 \
    "command line: unknown key 'train.lrr' (did you mean 'train.lr'?)" \
    config train.lrr=1
yaml key.yaml 's/^  warmup_steps:/  warmup_stepz:/'
check "unknown key of a file" 2 \
    "key.yaml:40: unknown key 'train.warmup_stepz' (did you mean 'train.warmup_steps'?)" \
    "$program" train key.yaml --check
yaml twice.yaml 's/^  epochs: 3/  epochs: 3\n  epochs: 4/'
check "duplicate key" 2 "twice.yaml:38: duplicate key 'train.epochs' (first on line 37)" \
    "$program" train twice.yaml --check
check "no number" 2 "command line: 'train.lr' must be a number, not '1e-3x'" \
    config train.lr=1e-3x
check "number too large" 2 \
    "command line: 'train.lr' must be a number, not '1e39', which is out of range" config train.lr=1e39
check "no boolean" 2 \
    "command line: 'tokenizer.eos' must be true or false, not 'maybe'" \
    config tokenizer.eos=maybe
check "out of range" 2 \
    "command line: 'train.batch_size' is 1, outside 2 to 1000000" \
    config train.batch_size=1
check "wrong choice" 2 \
    "command line: 'train.optimizer' must be one of adamw|sgd, not 'adam' (did you mean 'adamw'?)" \
    config train.optimizer=adam
check "no equals sign" 2 "command line: 'train.lr' is not of the form key=value" config train.lr
check "query in the product" 2 \
    "command line: 'title' is the query of task 'text_to_image' and cannot be part of its product" \
    config 'tasks.text_to_image.product_fields=[image, title]'
check "empty product" 2 \
    "command line: 'tasks.text_to_image.product_fields' is empty" \
    config 'tasks.text_to_image.product_fields=[]'
check "judgements alone" 2 \
    "tiny.yaml:29: task 'text_to_image': \`relevant_by: judgements\` and \`query: judgements\` stand together and alone" \
    config tasks.text_to_image.query=judgements
check "slash in a task's name" 2 \
    "command line: task 'a/b': a name holds no slash" \
    config tasks.a/b.query=title 'tasks.a/b.product_fields=[image]'
check "unused field" 2 "command line: no task uses the field 'brand'" \
    config fields.brand.word_dropout=0.1
check "zero-shot template" 2 "command line: no {} in the template 'a photo'" \
    config 'eval.zero_shot.type.templates=a photo'
check "wrong metric" 2 \
    "diptych train: command line: unknown metric 'text_to_image.hit@7'; there are: TASK.NAME with a task of text_to_image query_to_product and a name of mrr, map, ndcg, r_precision, median_rank, hit@K, recall@K, precision@K, map@K, ndcg@K (K of 1 5 10); or LABEL.NAME with a head of type and a name of accuracy, precision_macro, recall_macro, f1_macro, precision_weighted, recall_weighted, f1_weighted, f1_micro" \
    config train.metric=text_to_image.hit@7
yaml tower.yaml 's/tower: cnn, widths: \[8, 16\], dropout: 0.1/tower: densenet/'
check "unknown tower" 2 "tower.yaml:20: model.image.tower: 'densenet' is none of clip_resnet, cnn, efficientnet_lite0, resnet, siglip, vgg, vit" \
    "$program" train tower.yaml --check
yaml small.yaml 's/tower: cnn, widths: \[8, 16\], dropout: 0.1/tower: vgg/'
check "photo too small" 2 "small.yaml:6: data.image_size: 16 is below 32" \
    "$program" train small.yaml --check
check "option of another tower" 2 \
    "command line: model.image.patch: not an option of 'cnn'" config model.image.patch=4
yaml patch.yaml 's/tower: cnn, widths: \[8, 16\], dropout: 0.1/tower: vit, width: 16, depth: 1, heads: 2, patch: 7/'
check "patch" 2 "patch.yaml:20: model.image.patch: 7 does not divide image_size 16" \
    "$program" train patch.yaml --check
yaml loop.yaml 's/^name: tiny/extends: loop.yaml/'
check "extends itself" 2 "loop.yaml:2: 'extends' comes back to 'loop.yaml'" "$program" train loop.yaml --check
printf 'name: x\ntasks: {}\n' >notask.yaml
check "no task" 2 "notask.yaml:2: there is no task under 'tasks'" \
    "$program" train notask.yaml --check
printf 'name: [\n' >broken.yaml
check "broken yaml" 2 "broken.yaml:2: flow sequence without a closing bracket" "$program" train broken.yaml --check

# ---- data ----
check "no catalog" 4 \
    "diptych train: no catalog 'none.h5': there is no manifest 'none.manifest.json'" \
    "$program" train tiny.yaml data.catalog=none.h5
check "unknown column" 4 \
    "diptych train: in '{colour} {kind}': no column 'kind'; columns: title, title_zh, type, colour, pattern, print, gender, season, brand, price, id" \
    "$program" train tiny.yaml 'tasks.query_to_product.query={colour} {kind}'
check "unknown label" 4 \
    "diptych train: tasks.query_to_product.relevant_by: no label column 'kind' in 'a.h5' (it has 'type', 'colour', 'pattern', 'print', 'gender', 'season', 'brand')" \
    "$program" train tiny.yaml 'tasks.query_to_product.relevant_by=[colour, kind]'
check "unknown head" 4 \
    "diptych train: model.heads.kind: no label column 'kind' in 'a.h5' (it has 'type', 'colour', 'pattern', 'print', 'gender', 'season', 'brand')" \
    "$program" train tiny.yaml model.heads.kind.weight=1
cp a.h5 cut.h5
sed 's/a\.h5/cut.h5/' a.manifest.json >cut.manifest.json
truncate -s 100000 cut.h5
check "cut catalog" 4 \
    "diptych train: 'cut.h5' has 100000 bytes, its manifest says $(stat -c %s a.h5): the file is damaged or an import was interrupted" \
    "$program" train tiny.yaml --data cut.h5
cp a.h5 lone.h5
printf 'no HDF5' >junk.h5
check "no HDF5" 4 "diptych train: not a readable HDF5 file: 'junk.h5'" \
    "$program" train tiny.yaml --data junk.h5
check "batch too large" 4 "diptych train: 249 rows make no whole batch of 5000" \
    "$program" train tiny.yaml train.batch_size=5000
check "long warm-up" 2 \
    "diptych train: command line: train.warmup_steps 5000 is not below the 21 updates of the run" \
    "$program" train tiny.yaml train.warmup_steps=5000
check "no cuda" 2 "diptych train: train.device is cuda, but libtorch finds none" \
    "$program" train tiny.yaml train.device=cuda
absent runs/tiny/checkpoints/latest runs/tiny/config.yaml

# ---- runs ----
check "trains" 0 "trained: runs/tiny" "$program" train tiny.yaml --quiet
check "run exists" 4 \
    "diptych train: run directory 'runs/tiny' is in use: --resume goes on with it, --run DIR or name=… makes another" \
    "$program" train tiny.yaml
check "nothing to resume" 4 \
    "diptych train: no checkpoint 'latest' in 'runs/none/checkpoints'" \
    "$program" train tiny.yaml name=none --resume
check "other threads" 4 \
    "diptych train: checkpoint 'runs/tiny/checkpoints/latest' was made with 1 threads, this run has 2: set train.threads=1" \
    "$program" train tiny.yaml --resume train.threads=2
check "evaluates" 0 "query_to_product" sh -c \
    "'$program' eval runs/tiny --quiet | grep -o '^query_to_product'"
present runs/tiny/report.json runs/tiny/report.md \
    runs/tiny/report.queries.h5
check "json" 0 "diptych-report/1" sh -c \
    "'$program' eval runs/tiny --quiet --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"schema\"])'"
check "no run" 4 "diptych eval: no run directory 'runs/none'" "$program" eval runs/none
check "no run directory" 4 \
    "diptych eval: 'cache' is no run directory: it has no config.yaml" \
    "$program" eval cache
check "unknown split" 2 \
    "diptych eval: unknown split 'dev': train, val or test" \
    "$program" eval runs/tiny --split dev
check "report name" 2 "diptych eval: --out 'x.txt' does not end in .json" \
    "$program" eval runs/tiny --out x.txt
check "no folder for the report" 3 \
    "diptych eval: no folder 'none' for --out 'none/x.json'" \
    "$program" eval runs/tiny --out none/x.json
check "re-ranking without a classifier" 2 \
    "diptych search: no match classifier in 'runs/tiny' to re-rank with: train it with model.match.hidden" \
    "$program" search runs/tiny --text dress --rerank 5 --quiet
check "evaluated re-ranking without a classifier" 2 \
    "command line: 'eval.rerank' needs a match classifier: set model.match.hidden" \
    config eval.rerank=5
check "a query that its product holds" 2 \
    "tiny.yaml:32: field 'title' of task 'query_to_product' holds 'colour', as its query does: the product would give the answer away (allow_leak: true lets it)" \
    config 'fields.title.template={title} {colour}'
check "a leak that is asked for" 0 \
    "config is right: tasks 2, texts 2, metric query_to_product.mrr" \
    config 'fields.title.template={title} {colour}' \
    tasks.query_to_product.allow_leak=true
check "a label for a query" 2 \
    "command line: 'brand' is a label or a number, and a query is a text: \"{column}\" makes one" \
    config fields.brand.label=brand tasks.text_to_image.query=brand
check "unknown checkpoint" 4 \
    "diptych eval: no checkpoint 'step-1' in 'runs/tiny/checkpoints'" \
    "$program" eval runs/tiny --checkpoint step-1

# Another catalog, with other names of classes, and without some columns.
"$program" synth --quiet --rows 200 --seed 2 --size 32 --out b.h5 >/dev/null 2>&1
check "unseen catalog" 0 "text_to_image" sh -c \
    "'$program' eval runs/tiny --data b.h5 --out b.json --quiet | grep -o '^text_to_image' | head -n 1"
present b.json b.md
printf 'id,title,colour,type,split\n1,Red thing,scarlet,gizmo,test\n2,Blue thing,azure,gadget,test\n' >odd.csv
"$program" import odd.csv --id id --text title --label colour,type --split split \
    --out odd.h5 >/dev/null 2>&1
check "no photos" 4 "diptych eval: no image column in 'odd.h5'" \
    "$program" eval runs/tiny --data odd.h5 --out odd.json
absent odd.json odd.md
yaml photos.yaml 's/query: title/query: image/; s/product_fields: .*/product_fields: [title]/; s/image_features/text_features/'
check "queries without photos" 4 "diptych train: no image column in 'odd.h5'" \
    "$program" train photos.yaml name=photos data.catalog=odd.h5

# Damaged runs.
damage() { # damage FILE: a copy of the run in which FILE is cut short
    rm -rf runs/bad
    cp -r runs/tiny runs/bad
    size=$(stat -Lc %s "runs/bad/$1")
    truncate -s $((size / 2)) "runs/bad/$1"
}
damage tokenizer.json
check "cut tokenizer" 4 \
    "diptych eval: runs/bad/tokenizer.json:36:1: ']' expected near end of file" \
    "$program" eval runs/bad
damage labels.json
check "cut labels" 4 \
    "diptych eval: runs/bad/labels.json:10:10: premature end of input near '\"sneak'" \
    "$program" eval runs/bad
damage checkpoints/best/model.safetensors
check "cut weights" 4 \
    "diptych eval: weights are not those of state.json: 'runs/bad/checkpoints/best/model.safetensors'" \
    "$program" eval runs/bad
damage checkpoints/best/state.json
# Its times have no fixed length: the cut must stand before them.
truncate -s 20 runs/bad/checkpoints/best/state.json
check "cut state" 4 \
    "diptych eval: runs/bad/checkpoints/best/state.json:2:18: premature end of input near '\"dipty'" \
    "$program" eval runs/bad

# ---- search and export ----
check "searches" 0 "10" sh -c \
    "'$program' search runs/tiny --text 'red dress' --quiet --top 10 | tail -n +3 | wc -l"
check "no query" 2 "diptych search: give one of --text and --image" \
    "$program" search runs/tiny
check "two queries" 2 "diptych search: give one of --text and --image" \
    "$program" search runs/tiny --text a --image b
check "marks for words" 4 "diptych search: no words in --text '!?'" \
    "$program" search runs/tiny --text '!?' --quiet
check "empty text" 2 "diptych search: --text has no words" \
    "$program" search runs/tiny --text ' '
check "no results" 2 "diptych search: --top: '0' is no number from 1 to 100000" \
    "$program" search runs/tiny --text a --top 0
check "unknown field" 4 \
    "diptych search: no product field 'brand'; there are: image, title" \
    "$program" search runs/tiny --text a --fields brand --quiet
check "no photo" 3 "diptych search: cannot open 'none.jpg': No such file or directory" \
    "$program" search runs/tiny --image none.jpg --quiet
printf 'no photo' >junk.jpg
check "broken photo" 4 "diptych search: 'junk.jpg': not an image: neither JPEG nor PNG nor WebP" \
    "$program" search runs/tiny --image junk.jpg --quiet
check "unknown format" 2 \
    "diptych export: unknown format 'keras': one of safetensors, torchscript, onnx" \
    "$program" export runs/tiny --format keras --out e
check "exports" 0 "torchscript" sh -c \
    "'$program' export runs/tiny --format torchscript --out e --quiet >/dev/null && grep -o torchscript e/manifest.json | head -n 1"
present e/image_encoder.pt e/text_encoder.pt e/fusion.pt e/tokenizer.json
check "export exists" 3 "diptych export: 'e' exists already" \
    "$program" export runs/tiny --format safetensors --out e --quiet
check "names of nobody" 2 "diptych export: unknown names 'keras': one of open_clip, huggingface, torchvision, timm" \
    "$program" export runs/tiny --format safetensors --names keras --out g
check "names that do not fit" 2 "diptych export: timm has no model with the towers 'cnn' and 'transformer'" \
    "$program" export runs/tiny --format safetensors --names timm --out g
check "names of another format" 2 "diptych export: --names is of the format safetensors alone" \
    "$program" export runs/tiny --format torchscript --names timm --out g
check "refused exports leave nothing" 0 "nothing" sh -c "test -e g || echo nothing"
check "lists names" 0 "timm         siglip       -            model.safetensors" \
    "$program" export --list-names
check "a bundle has a card" 0 "| query_to_product | recall@10 | " \
    sh -c "grep -o '| query_to_product | recall@10 | ' e/model_card.md"
check "a bundle is whole" 0 "e: " sh -c "'$program' export --verify e | cut -c 1-3"
echo >>e/labels.json
check "a bundle was changed" 7 "the manifest" sh -c \
    "'$program' export --verify e 2>msg; code=\$?; grep -o 'the manifest' msg; exit \$code"
check "a bundle and a run" 2 "diptych export: --verify takes neither a run nor a format" \
    "$program" export runs/tiny --verify e
check "exports weights" 0 "safetensors" sh -c \
    "'$program' export runs/tiny --format safetensors --out f --quiet >/dev/null && grep -o safetensors f/manifest.json | head -n 1"

check "onnx that nothing can run" 4 \
    "diptych export: onnx files cannot be verified (--unverified writes them all the same): cannot load ONNX Runtime from ONNXRUNTIME='none': none: cannot open shared object file: No such file or directory" \
    env ONNXRUNTIME=none "$program" export runs/tiny --format onnx --out o --quiet
absent o
check "unverified onnx" 0 "o: not verified" \
    env ONNXRUNTIME=none "$program" export runs/tiny --format onnx --out o --unverified
present o/image_encoder.onnx o/text_encoder.onnx o/fusion.onnx o/scorer.onnx
check "options of onnx" 2 \
    "diptych export: --precision, --raw-images and --unverified are options of the format onnx" \
    "$program" export runs/tiny --format torchscript --precision fp16 --out p
check "unknown precision" 2 "diptych export: unknown precision 'fp8': fp32, fp16 or int8" \
    "$program" export runs/tiny --format onnx --precision fp8 --out p
for precision in fp32 fp16 int8; do
    check "onnx in $precision" 0 "p-$precision: verified on 22 rows" \
        "$program" export runs/tiny --format onnx --precision $precision --raw-images --out p-$precision
done

# ---- the launcher ----
check "unknown command" 2 \
    "diptych: unknown command 'fit'; \`diptych --help\` lists them" "$program" fit
check "help" 0 "  train     train the model that a config describes" "$program" --help
check "version" 0 "libtorch and HDF5" sh -c \
    "'$program' --version | grep -Eq '^libtorch 2' && '$program' --version | grep -Eq '^HDF5 1' && echo libtorch and HDF5"

summary
