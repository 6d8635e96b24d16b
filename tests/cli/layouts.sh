#!/bin/sh
# Foreign HDF5 layouts, read in place by a mapping in the config, through
# training and evaluation.
# usage: tests/cli/layouts.sh BUILD/diptych
. "$(dirname "$0")/common"
golden=$here/../golden

# The files are copied: what stands beside the photos is looked for there.
cp "$golden/layout_fashion_train.h5" train.h5
cp "$golden/layout_fashion_val.h5" val.h5
cp "$golden"/layout_coco/* .

cat >fashion.yaml <<'END'
name: fashion
data:
  layout: fashion_gen
  map:
    train: train.h5
    val: val.h5
    text: {title: input_name}
    label: {category: input_category}
    number: {price: input_msrpUSD}
  image_size: 8
tokenizer: {min_count: 1}
model:
  embed_dim: 8
  image: {tower: cnn, widths: [8]}
  text: {tower: bag, width: 8}
tasks:
  text_to_image: {query: title, product_fields: [image], relevant_by: [group]}
train: {epochs: 2, batch_size: 2, threads: 1, loader_threads: 1}
eval: {bootstrap: 10, matching: {enabled: false}}
END

cat >coco.yaml <<'END'
name: coco
data:
  layout: coco_captions
  map: {train: TRAIN_IMAGES_tiny.hdf5}
  image_size: 8
tokenizer: {min_count: 1}
model:
  embed_dim: 8
  image: {tower: cnn, widths: [8]}
  text: {tower: bag, width: 8}
tasks:
  text_to_image: {query: caption_0, product_fields: [image], relevant_by: [group]}
train: {epochs: 2, batch_size: 2, threads: 1, loader_threads: 1}
eval: {bootstrap: 10, matching: {enabled: false}}
END

for layout in fashion coco; do
    expect "train $layout" 0 "$program" train "$layout.yaml" --quiet
    present "runs/$layout/checkpoints/latest/model.safetensors"
done
expect "evaluate fashion" 0 \
    "$program" eval runs/fashion --split val --out fashion.json --quiet
expect "two rows of val" 0 grep -q '"gallery": *2' fashion.json
expect "evaluate coco" 0 \
    "$program" eval runs/coco --split train --out coco.json --quiet
check "no such dataset" 4 \
    "diptych train: no dataset 'input_title' in 'train.h5'" \
    "$program" train fashion.yaml name=x data.map.text.title=input_title
absent runs/x
check "no such file" 4 \
    "diptych train: cannot open 'none.h5': No such file or directory" \
    "$program" train fashion.yaml name=x data.map.train=none.h5
absent runs/x
summary
