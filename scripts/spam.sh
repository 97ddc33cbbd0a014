#!/usr/bin/env bash
# A classifier of SMS: from the collection to its accuracy, with a small model that is pretrained on the way.
# usage: scripts/spam.sh COLLECTION [OUT] [run_finetune.py flags, which override those below]
#
# COLLECTION: the UCI SMS Spam Collection, label and text in lines with a tab between them.
# OUT: where everything goes (default: output/spam, from the project's root).
#
#   1  splits: 747 texts of each label, 70 % train, 10 % validation, 20 % test
#   2  a language model of 1.1 million parameters on all other texts and those of train, without their labels;
#      no text of validation or test, nor one that equals such a text, is among them
#   3  its head and all layers are trained on train; the checkpoint with the best validation accuracy is kept
#   4  that one is measured on train, validation and test, beside TF-IDF with logistic regression
set -euo pipefail
case "${1:-}" in "" | -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit ;; esac
collection=$(realpath "$1")
shift
out=output/spam
if [ $# -gt 0 ] && [[ "$1" != -* ]]; then out=$(realpath -m "$1"); shift; fi
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
prepare
device=$(value_of --device cpu "$@")
started=$SECONDS

"$python" -m data_tools.create_classification_data --input_path "$collection" --output_dir "$out/texts"
"$python" - "$collection" "$out" <<'PY'
import json
import sys
from data_tools.classification.reading import read_labelled
collection, out = sys.argv[1:]
held_out = {one.text for name in ("validation", "test") for one in read_labelled(f"{out}/texts/{name}.csv")}
with open(f"{out}/unlabelled.jsonl", "w", encoding="utf-8") as file:
    for one in read_labelled(collection):
        if one.text not in held_out:
            file.write(json.dumps({"text": one.text}) + "\n")
PY
mkdir -p "$out/tokens"
"$python" -m data_tools.create_pretraining_data --input_path "$out/unlabelled.jsonl" \
    --output_prefix "$out/tokens/sms" --vocab_size 2048 --min_doc_length 0
"$python" -u run_pretrain.py --model_type gpt --model_name_or_path code-mini --input_dir "$out/tokens" \
    --output_dir "$out/pretrained" --split 95,5,0 --max_seq_len 128 --micro_batch_size 8 --max_lr 0.003 \
    --min_lr 0.0003 --max_steps 400 --decay_steps 0 --warmup_rate 0.05 --weight_decay 0.1 --grad_clip 1.0 \
    --adam_beta2 0.95 --save_steps 400 --eval_freq 100 --eval_iters 2 --logging_freq 20 --seed 123 --device "$device"
"$python" -u run_finetune.py --task classify --model_name_or_path "$(newest_checkpoint "$out/pretrained")" \
    --train_texts "$out/texts/train.csv" --valid_texts "$out/texts/validation.csv" \
    --test_texts "$out/texts/test.csv" --output_dir "$out/classifier" --trainable_layers all --lr 5e-4 \
    --scheduler linear --warmup_ratio 0.1 --num_epochs 5 --hidden_dropout_prob 0.1 --grad_clip 1.0 \
    --eval_freq 131 --logging_freq 20 --device "$device" "$@"
best=$(newest_checkpoint "$out/classifier/best")
for split in train validation test; do
    echo "== $split"
    "$python" run_evaluation.py --model_name_or_path "$best" --classify "$out/texts/$split.csv" \
        --train_texts "$out/texts/train.csv" --output_file "$out/$split.json" \
        --confusion_file "$out/$split.png" --device "$device"
done
echo "done in $((SECONDS - started)) seconds; $best, and the numbers in $out/test.json"
